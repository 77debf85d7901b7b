"""Who trains on what, and which hidden shard judges it: drawn from chain randomness, chosen by nobody.

How a solver trains also depends on a secret of its own until it reveals: what anybody could compute, anybody
could train and commit to first.
"""

from __future__ import annotations

from eth_hash.auto import keccak

from jepanet.protocol.commitment import MAX_EVALUATION_SHARDS, abi_encode
from jepanet.types import Address

_SEED = keccak(b"jepanet.training.seed")
_SALTED = keccak(b"jepanet.training.salted")
_SHARD = keccak(b"jepanet.training.shard")
_FURTHER = keccak(b"jepanet.training.further")


def training_seed(
    chain_id: int,
    contract: Address,
    project_id: int,
    round_id: int,
    solver: Address,
    round_seed: bytes,
    salt: bytes,
) -> bytes:
    """32 bytes that seed everything random in one solver's training in one round.

    `round_seed` is the `seed` of the event RoundOpened, `salt` the 32 random bytes of the solver's
    commitment, drawn before it trains and public from its reveal on. The same seed on the same machine and
    build gives the same delta; any other input gives another one.

    Raises:
        ValueError: a value does not fit its Solidity type; a salt has exactly 32 bytes.
    """
    public = _draw(_SEED, chain_id, contract, project_id, round_id, solver, round_seed)
    return keccak(abi_encode(("bytes32", "bytes32", "bytes32"), (_SALTED, public, salt)))


def training_shard(
    chain_id: int,
    contract: Address,
    project_id: int,
    round_id: int,
    solver: Address,
    round_seed: bytes,
    *,
    count: int,
) -> int:
    """Index of the training shard a solver works on, in [0, count).

    The remainder of a 256-bit hash: its bias is below count / 2**256.

    Raises:
        ValueError: `count` is not positive, or a value does not fit its Solidity type.
    """
    if count < 1:
        raise ValueError("a dataset has at least one training shard")
    drawn = _draw(_SHARD, chain_id, contract, project_id, round_id, solver, round_seed)
    return int.from_bytes(drawn, "big") % count


def training_shards(
    chain_id: int,
    contract: Address,
    project_id: int,
    round_id: int,
    solver: Address,
    round_seed: bytes,
    *,
    count: int,
    wanted: int,
) -> tuple[int, ...]:
    """Indices of the `wanted` different training shards a solver works on, or of all `count`, in the order in
    which it does.

    The first is that of `training_shard`; each further one is drawn from those that are left, in ascending
    order, by a hash of that draw and of how many were drawn.

    Raises:
        ValueError: `count` or `wanted` is not positive, or a value does not fit its Solidity type.
    """
    if wanted < 1:
        raise ValueError("a solver trains on one shard at least")
    place = (chain_id, contract, project_id, round_id, solver, round_seed)
    chosen = [training_shard(*place, count=count)]
    left = [index for index in range(count) if index != chosen[0]]
    drawn = _draw(_SHARD, *place)
    while left and len(chosen) < wanted:
        further = keccak(abi_encode(("bytes32", "bytes32", "uint256"), (_FURTHER, drawn, len(chosen))))
        chosen.append(left.pop(int.from_bytes(further, "big") % len(left)))
    return tuple(chosen)


def beacon_of(randomness: bytes, round_id: int) -> int:
    """The number that draws a round's evaluation shard, from the fixed block's `prevRandao` (32 bytes).

    Raises:
        ValueError: a value does not fit its Solidity type.
    """
    return int.from_bytes(keccak(abi_encode(("bytes32", "uint256"), (randomness, round_id))), "big")


def evaluation_index(beacon: int, used: int, count: int) -> int:
    """The (beacon mod number of unused)-th unused evaluation shard, counting from index 0 upwards.

    `used` is the project's bitmap: bit i set means that shard i was unsealed in a round before. The rule of
    `TrainingRounds.drawBeacon`.

    Raises:
        ValueError: `count` is not in 1..256, beacon or bitmap exceed 256 bits, or no shard is unused.
    """
    if not 1 <= count <= MAX_EVALUATION_SHARDS:
        raise ValueError(f"a project has 1 to {MAX_EVALUATION_SHARDS} evaluation shards, not {count}")
    if not 0 <= beacon < 1 << 256 or not 0 <= used < 1 << 256:
        raise ValueError("beacon and bitmap are 256-bit unsigned integers")
    unused = [index for index in range(count) if not used >> index & 1]
    if not unused:
        raise ValueError("every evaluation shard of this project has been used")
    return unused[beacon % len(unused)]


def _draw(
    domain: bytes,
    chain_id: int,
    contract: Address,
    project_id: int,
    round_id: int,
    solver: Address,
    round_seed: bytes,
) -> bytes:
    types = ("bytes32", "uint256", "address", "uint256", "uint256", "address", "bytes32")
    return keccak(abi_encode(types, (domain, chain_id, contract, project_id, round_id, solver, round_seed)))
