"""What a deployment creates, where each piece will be, and what it costs. Nothing here asks a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

from jepanet.chain.contracts.abi import load_abi
from jepanet.chain.contracts.views import Configuration
from jepanet.chain.deploying.create2 import Creation, creation
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.types import Address

_TRANSACTION, _CREATE = 21_000, 32_000
_BYTE, _TOKEN, _FLOOR_TOKEN = 200, 4, 10
_DEPLOYER = 150
_CONSTRUCTORS = {"TrainingRounds": 187_000, "DevToken": 118_000}
"""Gas of what a constructor does beside returning code: storage, events, the configuration as code."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be created, in this order, and which address means what."""

    creations: tuple[Creation, ...]
    token: Address
    rounds: Address
    lens: Address


def plan(parameters: DeployParameters, deployer: Address) -> Plan:
    """The contracts of a deployment and their addresses. `deployer` counts only where it deploys the token
    too, to which it gives the supply."""
    salt = parameters.salt
    made: list[Creation] = []
    token = parameters.token
    if token is None:
        made.append(creation("DevToken", deployer, parameters.supply, salt=salt))
        token = made[-1].address
    libraries = linked_libraries(salt)
    places = {name: item.address for name, item in libraries.items()}
    rounds = core(configuration_of(parameters, token), places, salt)
    lens = creation("RoundLens", rounds.address, salt=salt)
    return Plan((*made, *libraries.values(), rounds, lens), token, rounds.address, lens.address)


def linked_libraries(salt: bytes) -> dict[str, Creation]:
    """Every library that the core is linked with, those that others are linked with first."""
    made: dict[str, Creation] = {}
    for name in load_abi("TrainingRounds").libraries:
        _link(name, salt, made)
    return made


def core(configuration: Configuration, libraries: Mapping[str, Address], salt: bytes) -> Creation:
    """`TrainingRounds`, linked with the libraries at these addresses."""
    return creation("TrainingRounds", astuple(configuration), salt=salt, libraries=libraries)


def configuration_of(parameters: DeployParameters, token: Address) -> Configuration:
    """The argument of the core's constructor."""
    return Configuration(
        token=token,
        owner=parameters.owner,
        treasury=parameters.treasury,
        arbiter=parameters.arbiter,
        partner=parameters.partner,
        minimum_budget=parameters.minimum_budget,
        minimum_bond=parameters.minimum_bond,
        minimum_verifier_stake=parameters.minimum_verifier_stake,
        keeper_reward=parameters.keeper_reward,
        unbond_delay=parameters.unbond_delay,
        minimum_phase_duration=parameters.minimum_phase_duration,
        minimum_challenge_duration=parameters.minimum_challenge_duration,
        resolve_duration=parameters.resolve_duration,
        beacon_delay=parameters.beacon_delay,
        challenge_bond_bps=parameters.challenge_bond_bps,
        excluded_bps=parameters.excluded_bps,
    )


def creation_gas(item: Creation) -> int:
    """Gas of the transaction that creates it, to within a few per cent: the core cannot be estimated by a
    node before its libraries are there."""
    call = item.call().data
    tokens = sum(4 if byte else 1 for byte in call)  # EIP-7623
    words = (len(item.code) + 31) // 32
    # EIP-3860 and the hash of CREATE2 (2 + 6 a word), the deployer's copy (3), both memories.
    creating = _CREATE + _DEPLOYER + 11 * words + 2 * (3 * words + words**2 // 512)
    creating += _BYTE * load_abi(item.name).size + _CONSTRUCTORS.get(item.name, 0)
    return _TRANSACTION + max(_TOKEN * tokens + creating, _FLOOR_TOKEN * tokens)


def _link(name: str, salt: bytes, made: dict[str, Creation]) -> None:
    """Adds a library, after those that it is linked with itself."""
    for other in load_abi(name).libraries:
        _link(other, salt, made)
    places = {other: item.address for other, item in made.items()}
    made.setdefault(name, creation(name, salt=salt, libraries=places))
