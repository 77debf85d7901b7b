"""Salted hashes and Merkle trees, byte for byte what `TrainingRounds` computes.

Result trees follow OpenZeppelin: `MerkleProof` with sorted pairs on chain, and the array layout of the
`@openzeppelin/merkle-tree` JavaScript library (leaves ascending by hash, filled from the end of the array).
Trees of evaluation shards bind every leaf to its place instead: the root has one leaf for each index.
Hash: Keccak-256 over the Solidity ABI encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError
from eth_hash.auto import keccak

from jepanet.types import Address, Digest, Verdict

MAX_EVALUATION_SHARDS = 256
"""Used shards are one bitmap word of a project."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One line of a round's result: `Leaf` of the contracts.

    `gain` in micro-nats per direction (int64), `amount` in wei (uint128). A fee leaf has the zero digest.
    """

    account: Address
    digest: Digest
    verdict: Verdict
    gain: int
    amount: int


def commitment(
    chain_id: int, contract: Address, round_id: int, solver: Address, digest: bytes, salt: bytes
) -> bytes:
    """What a solver commits to: useless on another chain, contract or round and to another sender.

    Raises:
        ValueError: a value does not fit its Solidity type; digest and salt have exactly 32 bytes.
    """
    return keccak(
        abi_encode(
            ("uint256", "address", "uint256", "address", "bytes32", "bytes32"),
            (chain_id, contract, round_id, solver, digest, salt),
        )
    )


def evaluation_leaf(index: int, shard: bytes, blinding: bytes) -> bytes:
    """Leaf of a project's evaluation tree. The blinding (32 random bytes) hides shards that can be guessed.

    Raises:
        ValueError: a value does not fit its Solidity type.
    """
    return keccak(abi_encode(("uint32", "bytes32", "bytes32"), (index, shard, blinding)))


def result_leaf(round_id: int, leaf: Leaf) -> bytes:
    """Double-hashed leaf of a round's result tree, so that no inner node can pass as a leaf.

    Raises:
        ValueError: a value does not fit its Solidity type.
    """
    types = ("uint256", "address", "bytes32", "uint8", "int64", "uint128")
    values = (round_id, leaf.account, leaf.digest, int(leaf.verdict), leaf.gain, leaf.amount)
    return keccak(keccak(abi_encode(types, values)))


def listed_leaf(account: Address) -> bytes:
    """Double-hashed leaf of an account on a round's allow-list."""
    return keccak(keccak(abi_encode(("address",), (account,))))


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root over 32-byte leaf hashes in any order: they are sorted first.

    Raises:
        ValueError: no leaves, or a leaf that is not 32 bytes.
    """
    return _tree(leaves)[0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Proof for `leaves[index]` (the index counts in the given order, not in the sorted one).

    Raises:
        ValueError: no leaves, or a leaf that is not 32 bytes.
        IndexError: no such leaf.
    """
    tree = _tree(leaves)
    position = len(tree) - 1 - sorted(leaves).index(leaves[index])
    proof = []
    while position > 0:
        sibling = position + 1 if position % 2 else position - 1
        proof.append(tree[sibling])
        position = (position - 1) // 2
    return tuple(proof)


def verify_proof(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """The same answer as OpenZeppelin's `MerkleProof.verify`."""
    node = leaf
    for sibling in proof:
        node = _pair(node, sibling)
    return node == root


def shard_root(leaves: Sequence[bytes]) -> bytes:
    """Root of a project's evaluation tree: `leaves[i]` (32 bytes, see `evaluation_leaf`) lies at place i.

    Depth ceil(log2(number of leaves)); the places up to the next power of two are zero.

    Raises:
        ValueError: not 1 to 256 leaves, or a leaf that is not 32 bytes.
    """
    return _levels(leaves)[-1][0]


def shard_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings on the way from place `index` to the root, lowest first: as many as the tree is deep.

    Raises:
        ValueError: not 1 to 256 leaves, or a leaf that is not 32 bytes.
        IndexError: no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"there is no leaf {index} among {len(leaves)}")
    return tuple(level[index >> height ^ 1] for height, level in enumerate(_levels(leaves)[:-1]))


def verify_shard(root: bytes, count: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """The same answer as `ShardTree.holds`: whether `leaf` lies at this place of a tree of `count` leaves."""
    if not 0 <= index < count or len(proof) != (count - 1).bit_length():
        return False
    node = leaf
    for height, sibling in enumerate(proof):
        node = keccak(sibling + node if index >> height & 1 else node + sibling)
    return node == root


def abi_encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    """Solidity's `abi.encode` for static types.

    Raises:
        ValueError: a value does not fit its type. Unlike the library, short byte strings are not padded.
    """
    for kind, value in zip(types, values, strict=True):
        if kind == "bytes32" and (not isinstance(value, bytes) or len(value) != 32):
            raise ValueError("a bytes32 value has exactly 32 bytes")
    try:
        return encode(types, values)
    except EncodingError as error:
        raise ValueError(f"value does not fit its Solidity type: {error}") from error


def _tree(leaves: Sequence[bytes]) -> list[bytes]:
    if not leaves:
        raise ValueError("a Merkle tree needs at least one leaf")
    if any(len(leaf) != 32 for leaf in leaves):
        raise ValueError("a Merkle leaf has exactly 32 bytes")
    count = len(leaves)
    # Node i has the children 2i+1 and 2i+2; the smallest leaf sits at the very end.
    tree = [b""] * (count - 1) + sorted(leaves, reverse=True)
    for i in range(count - 2, -1, -1):
        tree[i] = _pair(tree[2 * i + 1], tree[2 * i + 2])
    return tree


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Leaves first, root last."""
    if not 1 <= len(leaves) <= MAX_EVALUATION_SHARDS:
        raise ValueError(f"a project has 1 to {MAX_EVALUATION_SHARDS} evaluation shards, not {len(leaves)}")
    if any(len(leaf) != 32 for leaf in leaves):
        raise ValueError("a Merkle leaf has exactly 32 bytes")
    places = 1 << (len(leaves) - 1).bit_length()
    levels = [[*leaves, *[bytes(32)] * (places - len(leaves))]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([keccak(below[i] + below[i + 1]) for i in range(0, len(below), 2)])
    return levels


def _pair(a: bytes, b: bytes) -> bytes:
    return keccak(a + b if a < b else b + a)
