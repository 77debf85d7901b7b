"""TOML and environment -> frozen dataclasses, read once at start; nothing below this room sees configuration.

Every key may be overridden by an environment variable `JEPANET_<SECTION>_<KEY>` (lists comma separated),
which is how container images are configured.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from jepanet.addresses import checksum_address
from jepanet.errors import Exit, Fatal
from jepanet.texts import read_text
from jepanet.types import Address, Role


@dataclass(frozen=True, slots=True)
class NodeSection:
    data_dir: Path
    roles: tuple[Role, ...]
    name: str = "node"
    storage_gb: float = 20.0
    """Disk budget of the blob store; pinned blobs are never collected."""


@dataclass(frozen=True, slots=True)
class WalletSection:
    directory: Path
    """Folder of keystore files, as `jepanet wallet new` writes them."""
    address: Address | None = None
    """Which of them; needed only if the folder holds several."""
    password_file: Path | None = None
    """A file only its owner may read, or a container's secret. With none of these three it is asked for."""
    password_env: str | None = None
    """Name of an environment variable that holds the password."""
    password_credential: str | None = None
    """Name of a systemd credential (`LoadCredential=`) that holds the password."""


@dataclass(frozen=True, slots=True)
class ChainSection:
    endpoints: tuple[str, ...]
    deployment: Path
    """JSON with chain id and contract addresses, as written by `jepanet devnet up`."""
    websocket: str | None = None
    """Optional endpoint whose new-block notices wake the follower early."""
    confirmations: int | None = None
    """Blocks on top of an event before the node acts on it; default: the deployment's own figure."""
    poll_seconds: float = 1.0
    timeout_seconds: float = 10.0
    max_fee_gwei: float = 200.0
    """Never pay more for a unit of gas, base fee and tip together."""
    min_tip_gwei: float = 0.0
    """Offer at least this tip, whatever the endpoints advise."""
    max_tip_gwei: float | None = None
    """Never offer a higher tip; default: 50, or `max_fee_gwei` where that is less."""
    stuck_seconds: float = 45.0
    """Age at which an unmined transaction is replaced with higher fees."""


@dataclass(frozen=True, slots=True)
class P2PSection:
    listen: str = "/ip4/0.0.0.0/tcp/4701"
    announce: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    allow_isolated: bool = False
    """Start although no bootstrap peer is configured: right for the first node of a network only."""


@dataclass(frozen=True, slots=True)
class SolverSection:
    max_bond: str = "100"
    """Tokens this node puts at stake in one round at most; rounds that ask for more are left alone."""


@dataclass(frozen=True, slots=True)
class ProposerSection:
    rounds: int = 0
    """Rounds each followed project of this wallet shall reach; 0 opens none."""
    dataset: Path | None = None
    """Directory of `jepanet dataset build`: public shards to serve, sealed shards to unseal."""
    budget: str = "100"
    """Reward budget of a round, in tokens."""
    fee: str = "2"
    bond: str = "10"
    unseal_bond: str = "20"
    price: str = "0.0005"
    """Tokens per micro-nat of measured gain; where gains exceed the budget it is shared in proportion."""
    shrink_milli: int = 1000
    """Thousandths of a standard error subtracted from each gain before it is paid."""
    inner_steps: int = 0
    """Optimiser steps a solver takes in a round; 0: as many as the recipe says."""
    codec: str = "int8"
    """How deltas travel: fp32, bf16, int8, int6, topk10, topk3 or topk1."""
    merge_rule: str = "mean"
    """mean, median, trimmed, krum, multi-krum, geometric-median or ties."""
    max_delta_mb: int = 64
    outer_lr_milli: int = 1000
    outer_momentum_milli: int = 600
    commit_seconds: int = 600
    gap_seconds: int = 60
    reveal_seconds: int = 600
    verify_seconds: int = 900
    challenge_seconds: int = 3600
    max_solvers: int = 0
    aggregators: tuple[Address, ...] = ()
    """Addresses that may propose score sheets beside the verifiers, most trusted first."""


@dataclass(frozen=True, slots=True)
class ProjectsSection:
    follow: tuple[int, ...] = ()
    """Project ids to work for; empty means every project on the chain."""


@dataclass(frozen=True, slots=True)
class WorkerSection:
    threads: int = 1
    device: str = "cpu"
    job_timeout_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class LogSection:
    level: str = "info"
    json: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    node: NodeSection
    wallet: WalletSection
    chain: ChainSection
    p2p: P2PSection = field(default_factory=P2PSection)
    solver: SolverSection = field(default_factory=SolverSection)
    proposer: ProposerSection = field(default_factory=ProposerSection)
    projects: ProjectsSection = field(default_factory=ProjectsSection)
    worker: WorkerSection = field(default_factory=WorkerSection)
    log: LogSection = field(default_factory=LogSection)


@dataclass(frozen=True, slots=True)
class Observer:
    """What looking takes: a chain, peers to ask, a worker to recompute with. No wallet, roles or folder."""

    chain: ChainSection
    p2p: P2PSection
    worker: WorkerSection


_MOST_CHARACTERS = 4096
_LARGEST = (1 << 53) - 1
"""The largest whole number that every JSON reader takes as it is."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ABOVE_ZERO = (
    "node.storage_gb", "chain.poll_seconds", "chain.timeout_seconds", "chain.max_fee_gwei",
    "chain.max_tip_gwei", "chain.stuck_seconds", "proposer.max_delta_mb", "proposer.commit_seconds",
    "proposer.reveal_seconds", "proposer.verify_seconds", "worker.threads", "worker.job_timeout_seconds",
)  # fmt: skip
_NOT_NEGATIVE = (
    "chain.confirmations", "chain.min_tip_gwei", "proposer.rounds", "proposer.shrink_milli",
    "proposer.outer_lr_milli", "proposer.outer_momentum_milli", "proposer.gap_seconds",
    "proposer.challenge_seconds", "proposer.max_solvers", "proposer.inner_steps",
)  # fmt: skip


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Reads a node's TOML file. Relative paths are relative to the file's folder.

    Raises:
        Fatal: missing or unreadable file, bad TOML, unknown or missing key, wrong type or value; the message
            names the key and what it takes (exit code `CONFIG`).
    """
    config = config_from(read_tree(path), base=path.parent.resolve(), environment=environment)
    _check(config)
    return config


def read_tree(path: Path) -> dict[str, Any]:
    """The tables of a configuration file, all of them known by name. Raises: Fatal (exit code `CONFIG`)."""
    text = read_text(path, "configuration file", absent="write one as docs/operations.md shows")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(f"{path} is not valid TOML: {error}", "mend that line") from error
    except RecursionError as error:
        raise _bad(f"{path} is nested too deeply", "write plain tables and lists of values") from error
    _known_sections(tree)
    return tree


def _known_sections(tree: Mapping[str, Any]) -> None:
    sections = get_type_hints(Config)
    unknown = set(tree) - set(sections)
    if unknown:
        raise _bad(f"unknown section [{sorted(unknown)[0]}]", f"known sections: {', '.join(sections)}")


def config_from(
    tree: Mapping[str, Any], *, base: Path, environment: Mapping[str, str] | None = None
) -> Config:
    """A configuration from a parsed TOML tree and environment overrides."""
    environment = os.environ if environment is None else environment
    _known_sections(tree)
    return Config(
        **{
            name: section_from(name, kind, tree.get(name, {}), base, environment)
            for name, kind in get_type_hints(Config).items()
        }
    )


def section_from(name: str, kind: Any, tree: Any, base: Path, environment: Mapping[str, str]) -> Any:
    """One section, from its table and the environment. Raises: Fatal as `load_config`."""
    if not isinstance(tree, Mapping):
        raise _bad(f"[{name}] must be a table", f"write [{name}] and its keys below it")
    hints = get_type_hints(kind)
    unknown = set(tree) - set(hints)
    if unknown:
        raise _bad(f"[{name}] has an unknown key {sorted(unknown)[0]!r}", f"known keys: {', '.join(hints)}")
    prefix = f"JEPANET_{name.upper()}_"
    # The variable that holds the wallet's password may have a name like those of keys.
    named = environment.get("JEPANET_WALLET_PASSWORD_ENV", tree.get("password_env"))
    for variable in sorted(environment):
        if variable == named and name == "wallet":
            continue
        if variable.startswith(prefix) and variable.removeprefix(prefix).lower() not in hints:
            raise _bad(
                f"the environment sets {variable}, but [{name}] has no such key",
                f"unset it; known keys: {', '.join(hints)}",
            )
    values: dict[str, Any] = {}
    for item in fields(kind):
        override = environment.get(f"JEPANET_{name.upper()}_{item.name.upper()}")
        if override is not None:
            if not override.isascii() and any("\ud800" <= letter <= "\udfff" for letter in override):
                raise _bad(f"the value of {prefix}{item.name.upper()} is not UTF-8", "set it in UTF-8")
            values[item.name] = _value(f"{name}.{item.name}", hints[item.name], override, base, text=True)
        elif item.name in tree:
            values[item.name] = _value(f"{name}.{item.name}", hints[item.name], tree[item.name], base)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise _bad(f"[{name}] lacks the key {item.name!r}", f"add `{item.name} = …` below [{name}]")
    return kind(**values)


def _value(key: str, kind: Any, value: Any, base: Path, *, text: bool = False) -> Any:
    """One value of type `kind`; `text` says that it comes from the environment and must be parsed."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        items = [part.strip() for part in value.split(",") if part.strip()] if text else value
        if not isinstance(items, list):
            raise _bad(f"{key} must be a list", f'for example {key.split(".")[1]} = ["…"]')
        return tuple(_value(key, get_args(kind)[0], item, base, text=text) for item in items)
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        raise _bad(f"{key} has {len(value)} characters", f"write at most {_MOST_CHARACTERS}")
    if kind is Path and isinstance(value, str):
        expanded = Path(value).expanduser()
        return expanded if expanded.is_absolute() else base / expanded
    if kind is Address and isinstance(value, str):
        try:
            return checksum_address(value)
        except ValueError as error:
            raise _bad(f"{key}: {error}", "copy the address again from where it comes from") from error
    if kind is Role:
        try:
            return Role(value)
        except ValueError as error:
            raise _bad(f"{key}: {value!r} is no role", f"roles: {', '.join(Role)}") from error
    if text and kind is bool:
        if value.lower() in ("1", "true", "yes", "on"):
            return True
        if value.lower() in ("0", "false", "no", "off"):
            return False
        raise _bad(f"{key}: {value!r} is neither true nor false", "write true or false")
    if text and kind in (int, float):
        try:
            value = kind(value)
        except ValueError as error:
            raise _bad(f"{key}: {value!r} is not a number", "write a number") from error
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _bad(f"{key} is {value}", "write a finite number")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise _bad(f"{key} is beyond what a whole number may be here", f"write at most {_LARGEST}")
    if type(value) is not kind:
        raise _bad(f"{key} must be of type {kind.__name__}, not {type(value).__name__}", f"mend {key}")
    return value


def _check(config: Config) -> None:
    if not config.node.roles:
        raise _bad("node.roles is empty", f"name at least one of {', '.join(Role)}")
    check_observer(config)
    ways = [
        f"wallet.{name}"
        for name in ("password_file", "password_env", "password_credential")
        if getattr(config.wallet, name) is not None
    ]
    if len(ways) > 1:
        raise _bad(f"{' and '.join(ways)} are set, and one password is needed", "keep one of them")
    if config.wallet.password_env is not None and not _VARIABLE.fullmatch(config.wallet.password_env):
        raise _bad(
            "wallet.password_env is not the name of an environment variable",
            "write the name of the variable there, never the password itself",
        )
    if "/" in (config.wallet.password_credential or ""):
        raise _bad("wallet.password_credential is a name, not a path", "write the name LoadCredential= gives")
    both = {Role.SOLVER, Role.COORDINATOR}
    if both <= set(config.node.roles):
        raise _bad(
            "one wallet cannot be solver and coordinator of the same rounds",
            "run two nodes with two wallets, or drop one of the roles",
        )
    if config.log.level not in ("debug", "info", "warning", "error"):
        raise _bad(f"log.level {config.log.level!r} is unknown", "use debug, info, warning or error")
    if Role.PROPOSER in config.node.roles and config.proposer.rounds and config.proposer.dataset is None:
        raise _bad("a proposer that opens rounds needs proposer.dataset", "name the built dataset's folder")


def check_observer(config: Config | Observer) -> None:
    """What whoever looks needs too: endpoints, and numbers in their bounds. Raises: Fatal (`CONFIG`)."""
    if not config.chain.endpoints:
        raise _bad("chain.endpoints is empty", 'for example endpoints = ["http://127.0.0.1:8545"]')
    for endpoint in config.chain.endpoints:
        if not endpoint.startswith(("http://", "https://")):
            raise _bad(f"chain.endpoints: {endpoint!r} is not an http(s) URL", "write http://… or https://…")
    # Not with their text: a URL may hold an API key.
    hint = config.chain.websocket
    if hint is not None and not hint.startswith(("ws://", "wss://")):
        raise _bad("chain.websocket is not a ws(s) URL", "write ws://… or wss://…, or leave it out")
    if hint is not None and not _whole(hint):
        raise _bad("chain.websocket names no host, or no port there could be", "correct the URL")
    if not all(map(_whole, config.chain.endpoints)):
        raise _bad("one of chain.endpoints names no host, or no port there could be", "correct the URL")
    for key in (*_ABOVE_ZERO, *_NOT_NEGATIVE):
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section, None), name, None)
        if value is not None and (value < 0 or (value == 0 and key in _ABOVE_ZERO)):
            raise _bad(f"{key} is {value}", f"write {'more than 0' if key in _ABOVE_ZERO else '0 or more'}")
    _check_tips(config.chain)


def _check_tips(chain: ChainSection) -> None:
    if chain.max_tip_gwei is not None and chain.max_tip_gwei > chain.max_fee_gwei:
        raise _bad(
            f"chain.max_tip_gwei is {chain.max_tip_gwei:g}, above chain.max_fee_gwei, {chain.max_fee_gwei:g}",
            "the fee covers base fee and tip: lower the one or raise the other",
        )
    top = chain.max_fee_gwei if chain.max_tip_gwei is None else chain.max_tip_gwei
    if chain.min_tip_gwei > top:
        name = "max_fee_gwei" if chain.max_tip_gwei is None else "max_tip_gwei"
        raise _bad(
            f"chain.min_tip_gwei is {chain.min_tip_gwei:g}, above chain.{name}, {top:g}",
            "lower the one or raise the other",
        )


def _whole(url: str) -> bool:
    """Whether a URL has a host, and a port that can be connected to."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and not any(map(str.isspace, url))
    except ValueError:
        return False


def _bad(message: str, remedy: str) -> Fatal:
    return Fatal(message, remedy=remedy, code=Exit.CONFIG)
