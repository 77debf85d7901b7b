"""The arguments of a deployment: a TOML file that can be shown around before anything is sent.

Every argument is written down: none has a default, since none can be changed later.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jepanet.chain.deploying.parameters import NOBODY, DeployParameters
from jepanet.records.marks import Form, Range
from jepanet.settings.config import (
    ChainSection,
    Observer,
    P2PSection,
    WalletSection,
    WorkerSection,
    check_observer,
    read_tree,
)
from jepanet.settings.section_reader import bad, section_from
from jepanet.settings.terms import wei
from jepanet.texts import load_toml, read_text
from jepanet.types import Address

_SECONDS = Range(1, 2**32 - 1)
_SHARE = Range(0, 10_000)
_TOKENS = Form(r".*", 'tokens in quotation marks, such as "12.5",')


@dataclass(frozen=True, slots=True)
class ContractsSection:
    """`Configuration` of the contracts, amounts as decimal tokens."""

    token: Address
    owner: Address
    treasury: Address
    arbiter: Address
    minimum_budget: Annotated[str, _TOKENS]
    minimum_bond: Annotated[str, _TOKENS]
    minimum_verifier_stake: Annotated[str, _TOKENS]
    keeper_reward: Annotated[str, _TOKENS]
    unbond_delay: Annotated[int, _SECONDS]
    minimum_phase_duration: Annotated[int, _SECONDS]
    minimum_challenge_duration: Annotated[int, _SECONDS]
    resolve_duration: Annotated[int, _SECONDS]
    beacon_delay: Annotated[int, Range(2, 4096), "blocks"]
    challenge_bond_bps: Annotated[int, _SHARE]
    excluded_bps: Annotated[int, _SHARE]
    confirmations: Annotated[int, Range(1, 1024), "blocks on top of one before nodes act on it"]
    partner: Annotated[Address | None, "one further contract that may lock and hold stake"] = None
    salt: Annotated[str, "0x and 64 hex digits; another one gives other addresses"] = "0x" + "0" * 64


@dataclass(frozen=True, slots=True)
class ExpectedSection:
    """Addresses that were announced: a plan that gives others is refused."""

    rounds: Address | None = None
    lens: Address | None = None


@dataclass(frozen=True, slots=True)
class DeploymentArguments:
    """What is deployed, and where it is said to be."""

    parameters: DeployParameters
    expected: ExpectedSection


@dataclass(frozen=True, slots=True)
class Deployer:
    """Where to send to, and who pays."""

    chain: ChainSection
    wallet: WalletSection


def load_arguments(path: Path) -> DeploymentArguments:
    """Reads `[contracts]` and, if it is there, `[expected]`. Nothing of it can come from the environment.

    Raises:
        Fatal: missing file, bad TOML, unknown or missing key, wrong type or value (exit code `CONFIG`).
    """
    what = "file of deployment arguments"
    tree = load_toml(read_text(path, what, absent="write one as deploy/README.md shows"), what, path)
    if unknown := set(tree) - {"contracts", "expected"}:
        raise bad(f"unknown section [{min(unknown)}] in {path}", "known sections: contracts, expected")
    base = path.parent.resolve()
    section = section_from("contracts", ContractsSection, tree.get("contracts", {}), base, {})
    expected = section_from("expected", ExpectedSection, tree.get("expected", {}), base, {})
    return DeploymentArguments(_parameters(section), expected)


def load_deployer(path: Path, environment: Mapping[str, str] | None = None) -> Deployer:
    """`[chain]` and `[wallet]` of a file; a node's configuration will do.

    Raises:
        Fatal: as `load_config` for these two.
    """
    environment = os.environ if environment is None else environment
    tree, base = read_tree(path), path.parent.resolve()
    chain = section_from("chain", ChainSection, tree.get("chain", {}), base, environment)
    wallet = section_from("wallet", WalletSection, tree.get("wallet", {}), base, environment)
    check_observer(Observer(chain, P2PSection(), WorkerSection()))
    return Deployer(chain, wallet)


def read_salt(text: str) -> bytes:
    """32 bytes in hex. Raises: Fatal (exit code `CONFIG`)."""
    try:
        salt = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        salt = b""
    if len(salt) != 32:
        raise bad("a salt has 32 bytes", "write 0x and 64 hex digits")
    return salt


def _parameters(section: ContractsSection) -> DeployParameters:
    def amount(name: str) -> int:
        value = wei(getattr(section, name), f"contracts.{name}")
        if value >= 1 << 96:
            raise bad(f"contracts.{name} is too large", "amounts on chain have 96 bits")
        return value

    return DeployParameters(
        token=section.token,
        owner=section.owner,
        treasury=section.treasury,
        arbiter=section.arbiter,
        partner=section.partner or NOBODY,
        minimum_budget=amount("minimum_budget"),
        minimum_bond=amount("minimum_bond"),
        minimum_verifier_stake=amount("minimum_verifier_stake"),
        keeper_reward=amount("keeper_reward"),
        unbond_delay=section.unbond_delay,
        minimum_phase_duration=section.minimum_phase_duration,
        minimum_challenge_duration=section.minimum_challenge_duration,
        resolve_duration=section.resolve_duration,
        beacon_delay=section.beacon_delay,
        challenge_bond_bps=section.challenge_bond_bps,
        excluded_bps=section.excluded_bps,
        confirmations=section.confirmations,
        salt=read_salt(section.salt),
    )
