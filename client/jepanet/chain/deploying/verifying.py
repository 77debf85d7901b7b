"""A deployment held against abi/, in two ways that do not need each other.

- Code: every byte at every address is what was built, with the addresses of libraries and the immutables that
  belong there.
- Addresses: by EIP-1014 an address commits to the deployer, the salt, the creation code with its links, and
  the constructor's arguments. They are computed again from abi/ and from what `configuration()` answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from eth_hash.auto import keccak

from jepanet.addresses import checksum_address
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.contracts.training_rounds import Rounds
from jepanet.chain.contracts.views import Configuration
from jepanet.chain.deploying.create2 import creation
from jepanet.chain.deploying.deployed_code import examined
from jepanet.chain.deploying.plan import core, linked_libraries
from jepanet.chain.endpoints.failover import Rpc
from jepanet.errors import Exit, Fatal, Transient
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class Verified:
    """One contract or library. `size`: bytes on the chain. `faults`: in words, none where all is right."""

    name: str
    address: Address
    size: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """`configuration`: what the core was deployed with, None where its code is not the core's, so that its
    answer would be worth nothing. `development_token`: the token is the worthless one of this project."""

    pieces: tuple[Verified, ...]
    configuration: Configuration | None
    development_token: bool

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not any(piece.faults for piece in self.pieces)


async def verify(
    rpc: Rpc, deployment: Deployment, *, salt: bytes = bytes(32), expected: Configuration | None = None
) -> Verification:
    """Reads everything on one block and judges it. `expected`: the arguments somebody announced, if known.

    Raises:
        Fatal: the deployment's block is another one on this chain (Exit.WRONG_CHAIN).
        Transient: no endpoint answers, or has that block.
    """
    # Not `Deployment.validate`: what it refuses at the first sight is said here piece by piece.
    anchor = await rpc.header(deployment.block_number)
    if anchor is None:
        raise Transient(f"no endpoint has block {deployment.block_number}")
    if anchor.ref.hash != deployment.block_hash:
        raise Fatal(
            f"block {deployment.block_number} is 0x{anchor.ref.hash.hex()}, and another one in the file",
            remedy="use endpoints of the chain that the file is of",
            code=Exit.WRONG_CHAIN,
        )
    block = (await rpc.head()).ref.hash
    rounds = examined("TrainingRounds", await rpc.code(deployment.rounds, block))
    configuration = None
    if rounds.fault is None:
        configuration = await Rounds(rpc, deployment.rounds).configuration(block)
    wanted = {deployment.token, deployment.rounds, deployment.lens, *rounds.links.values()}
    wanted |= {item.address for item in linked_libraries(salt).values()}
    codes = {address: await rpc.code(address, block) for address in sorted(wanted)}
    return judge(deployment, codes, configuration, salt=salt, expected=expected)


def judge(
    deployment: Deployment,
    codes: Mapping[Address, bytes],
    configuration: Configuration | None,
    *,
    salt: bytes = bytes(32),
    expected: Configuration | None = None,
) -> Verification:
    """What `codes`, by address, are worth."""
    rounds = examined("TrainingRounds", codes[deployment.rounds])
    built = {name: item.address for name, item in linked_libraries(salt).items()}
    pieces = []
    for name, place in built.items():
        address = rounds.links.get(name, place)
        found = examined(name, codes[address])
        faults = [] if found.fault is None else [found.fault]
        if found.fault is None and found.values != {_word(address)}:
            faults.append("the address it knows itself by is another one")
        if address != place:
            faults.append(f"abi/ and the salt give {place}, the core is linked with this address")
        faults += [
            f"it is linked with another {other}, at {link}"
            for other, link in found.links.items()
            if link != built[other]
        ]
        pieces.append(_piece(name, address, codes, faults))

    faults = [] if rounds.fault is None else [rounds.fault]
    if configuration is not None:
        if rounds.values != _immutables(deployment.rounds, configuration):
            faults.append("its immutables are not what configuration() answers")
        made = core(configuration, rounds.links, salt).address
        if made != deployment.rounds:
            faults.append(f"its code, links and arguments with this salt belong at {made}")
        if expected is not None:
            faults += different(configuration, expected)
    pieces.append(_piece("TrainingRounds", deployment.rounds, codes, faults))

    lens = examined("RoundLens", codes[deployment.lens])
    faults = [] if lens.fault is None else [lens.fault]
    made = creation("RoundLens", deployment.rounds, salt=salt).address
    if lens.fault is None and lens.values != {_word(deployment.rounds)}:
        reads = sorted(checksum_address("0x" + value[-20:].hex()) for value in lens.values)
        faults.append(f"it reads {', '.join(reads)}")
    elif lens.fault is None and made != deployment.lens:
        faults.append(f"with this salt it belongs at {made}")
    pieces.append(_piece("RoundLens", deployment.lens, codes, faults))

    faults = [] if codes[deployment.token] else ["there is no code"]
    if configuration is not None and configuration.token != deployment.token:
        faults.append(f"the core's token is {configuration.token}")
    pieces.append(_piece("token", deployment.token, codes, faults))
    development = examined("DevToken", codes[deployment.token]).fault is None
    return Verification(tuple(pieces), configuration, development)


def different(found: Configuration, expected: Configuration) -> tuple[str, ...]:
    """Which arguments differ from what was announced, in words."""
    return tuple(
        f"{item.name} is {getattr(found, item.name)}, announced was {getattr(expected, item.name)}"
        for item in fields(Configuration)
        if getattr(found, item.name) != getattr(expected, item.name)
    )


def _immutables(rounds: Address, c: Configuration) -> frozenset[bytes]:
    """What the core's constructor writes into its code; `RoundBase` has the list."""
    # The configuration as code of an account: the first that the core created (EIP-161: nonce 1).
    kept = keccak(b"\xd6\x94" + bytes.fromhex(rounds[2:]) + b"\x01")[12:]
    numbers = (c.minimum_verifier_stake, c.keeper_reward, c.beacon_delay, c.excluded_bps)
    words = [_word(c.token), _word(c.treasury), bytes(12) + kept]
    return frozenset([*words, *(number.to_bytes(32, "big") for number in numbers)])


def _word(address: Address) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def _piece(name: str, address: Address, codes: Mapping[Address, bytes], faults: Sequence[str]) -> Verified:
    return Verified(name, address, len(codes[address]), tuple(faults))
