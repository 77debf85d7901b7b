"""Commitments, trees, assignment and payouts against the shared vectors, and the attacks they stop."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from jepanet.addresses import checksum_address
from jepanet.protocol import assignment
from jepanet.protocol.commitment import (
    Leaf,
    abi_encode,
    commitment,
    evaluation_leaf,
    merkle_proof,
    merkle_root,
    result_leaf,
    shard_proof,
    shard_root,
    verify_proof,
    verify_shard,
)
from jepanet.protocol.documents import typed_data
from jepanet.protocol.settling import rewards
from jepanet.types import Address, Digest, Verdict

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
A = checksum_address("0x" + "a1" * 20)
B = checksum_address("0x" + "b2" * 20)


def vectors(name: str) -> Any:
    return json.loads((ROOT / "tests" / "vectors" / name).read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def test_vectors_are_what_the_code_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["write_vectors", "--check"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(ROOT / "scripts" / "write_vectors"), run_name="__main__")
    assert done.value.code == 0


def test_commitment_vectors() -> None:
    for case in vectors("commitments.json")["cases"]:
        assert commitment(
            int(case["chainId"]),
            Address(case["contract"]),
            int(case["roundId"]),
            Address(case["solver"]),
            raw(case["digest"]),
            raw(case["salt"]),
        ) == raw(case["commitment"])


def test_commitment_is_the_plain_solidity_encoding() -> None:
    digest, salt = bytes(range(32)), bytes(range(32, 64))
    packed = (
        (31337).to_bytes(32, "big")
        + bytes(12)
        + raw(A)
        + (7).to_bytes(32, "big")
        + bytes(12)
        + raw(B)
        + digest
        + salt
    )
    assert commitment(31337, A, 7, B, digest, salt) == keccak(packed)


def test_attack_commitment_is_useless_elsewhere() -> None:
    digest, salt = b"\1" * 32, b"\2" * 32
    ours = commitment(1, A, 1, B, digest, salt)
    others = {
        commitment(2, A, 1, B, digest, salt),
        commitment(1, B, 1, B, digest, salt),
        commitment(1, A, 2, B, digest, salt),
        commitment(1, A, 1, A, digest, salt),
        commitment(1, A, 1, B, salt, digest),
        commitment(1, A, 1, B, digest, b"\3" * 32),
    }
    assert len(others) == 6
    assert ours not in others


@pytest.mark.parametrize("digest", [b"", b"\1" * 31, b"\1" * 33])
def test_short_digests_are_refused_not_padded(digest: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(1, A, 1, B, digest, bytes(32))


@pytest.mark.parametrize("chain_id", [-1, 1 << 256])
def test_values_outside_their_type_are_refused(chain_id: int) -> None:
    with pytest.raises(ValueError, match="Solidity"):
        commitment(chain_id, A, 1, B, bytes(32), bytes(32))


def test_result_leaf_vectors() -> None:
    cases = vectors("merkle.json")["leaves"]
    assert {int(case["verdict"]) for case in cases} == {1, 2, 3, 4, 5}
    for case in cases:
        leaf = Leaf(
            Address(case["account"]),
            Digest(raw(case["digest"])),
            Verdict(int(case["verdict"])),
            int(case["gain"]),
            int(case["amount"]),
        )
        assert result_leaf(int(case["roundId"]), leaf) == raw(case["leaf"])


def test_tree_vectors() -> None:
    data = vectors("merkle.json")
    for tree in data["results"]:
        leaves = [raw(leaf) for leaf in tree["leaves"]]
        proof = [raw(node) for node in tree["proof"]]
        assert merkle_root(leaves) == raw(tree["root"])
        assert merkle_proof(leaves, int(tree["index"])) == tuple(proof)
        assert verify_proof(raw(tree["root"]), leaves[int(tree["index"])], proof)


def test_shard_tree_vectors() -> None:
    data = vectors("shards.json")
    for case in data["trees"]:
        leaf = evaluation_leaf(int(case["index"]), raw(case["shard"]), raw(case["blinding"]))
        assert leaf == raw(case["leaf"])
        proof = [raw(node) for node in case["proof"]]
        assert verify_shard(raw(case["root"]), int(case["count"]), int(case["index"]), leaf, proof)
    for case in data["wrong"]:
        proof = [raw(node) for node in case["proof"]]
        place = (raw(case["root"]), int(case["count"]), int(case["index"]))
        assert not verify_shard(*place, raw(case["leaf"]), proof)


def test_a_shard_tree_by_hand() -> None:
    a, b, c = (bytes([i]) * 32 for i in (1, 2, 3))
    right = keccak(c + bytes(32))
    assert shard_root([a, b, c]) == keccak(keccak(a + b) + right)
    assert shard_proof([a, b, c], 2) == (bytes(32), keccak(a + b))
    assert shard_root([a]) == a and shard_proof([a], 0) == ()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 200, 256])
def test_attack_a_root_has_one_leaf_for_each_index(count: int) -> None:
    """With sorted pairs and free depth several leaves of one index lay under one root."""
    leaves = [evaluation_leaf(i, keccak(bytes([i])), bytes(32)) for i in range(count)]
    root = shard_root(leaves)
    for index in {0, count // 2, count - 1}:
        proof = shard_proof(leaves, index)
        assert len(proof) == (count - 1).bit_length()
        assert verify_shard(root, count, index, leaves[index], proof)
        assert [i for i in range(-1, 260) if verify_shard(root, count, i, leaves[index], proof)] == [index]
        second = evaluation_leaf(index, b"another shard".ljust(32), bytes(32))
        assert not verify_shard(root, count, index, second, proof)
        for shorter in range(len(proof)):
            assert not verify_shard(root, count, index, leaves[index], proof[:shorter])
        if proof:  # a node of the path is no leaf of a smaller tree
            pair = (proof[0], leaves[index]) if index % 2 else (leaves[index], proof[0])
            assert not verify_shard(root, count, index // 2, keccak(b"".join(pair)), proof[1:])


def test_shard_trees_refuse_nonsense() -> None:
    for leaves in ([], [bytes(32)] * 257):
        with pytest.raises(ValueError, match="1 to 256"):
            shard_root(leaves)
    with pytest.raises(ValueError, match="32 bytes"):
        shard_root([b"short"])
    for index in (-1, 2):
        with pytest.raises(IndexError):
            shard_proof([bytes(32)] * 2, index)


def test_beacon_vectors() -> None:
    for case in vectors("assignment.json")["beacons"]:
        drawn = assignment.beacon_of(raw(case["randomness"]), int(case["roundId"]))
        assert drawn == int(case["beacon"])
        assert drawn == int.from_bytes(keccak(raw(case["randomness"]) + int(case["roundId"]).to_bytes(32)))


def test_tree_layout_of_the_openzeppelin_library() -> None:
    """Five leaves by hand: array of nine nodes, leaves descending from position 4 to 8."""
    leaves = sorted(keccak(bytes([i])) for i in range(5))

    def pair(a: bytes, b: bytes) -> bytes:
        return keccak(min(a, b) + max(a, b))

    tree = [b""] * 4 + leaves[::-1]
    tree[3] = pair(tree[7], tree[8])
    tree[2] = pair(tree[5], tree[6])
    tree[1] = pair(tree[3], tree[4])
    tree[0] = pair(tree[1], tree[2])
    assert merkle_root(leaves) == tree[0]
    assert merkle_proof(leaves, 0) == (tree[7], tree[4], tree[2])


def test_one_leaf_is_its_own_root() -> None:
    assert merkle_root([b"\1" * 32]) == b"\1" * 32
    assert merkle_proof([b"\1" * 32], 0) == ()


def test_trees_refuse_nonsense() -> None:
    with pytest.raises(ValueError, match="at least one"):
        merkle_root([])
    with pytest.raises(ValueError, match="32 bytes"):
        merkle_root([b"\1" * 64])


def test_attack_inner_node_does_not_pass_for_a_leaf() -> None:
    """Second preimage: a result leaf is hashed twice, so 64 bytes that are two nodes never are one."""
    leaves = [result_leaf(1, Leaf(A, Digest(bytes([i]) * 32), Verdict.ACCEPTED, i, i)) for i in range(4)]
    ordered = sorted(leaves)
    inner = keccak(ordered[0] + ordered[1])
    assert verify_proof(merkle_root(leaves), inner, [keccak(ordered[2] + ordered[3])])
    assert inner not in leaves  # it verifies as a node, and no leaf encoding can hash to it


def test_evaluation_index_vectors() -> None:
    for case in vectors("assignment.json")["evaluation"]:
        drawn = assignment.evaluation_index(int(case["beacon"]), int(case["used"]), int(case["count"]))
        assert drawn == int(case["index"])
        assert not int(case["used"]) >> drawn & 1


def test_evaluation_index_needs_an_unused_shard() -> None:
    with pytest.raises(ValueError, match="has been used"):
        assignment.evaluation_index(1, 0b111, 3)
    for count in (0, 257):
        with pytest.raises(ValueError, match="1 to 256"):
            assignment.evaluation_index(1, 0, count)


def test_training_vectors() -> None:
    for case in vectors("assignment.json")["training"]:
        place = (
            int(case["chainId"]), Address(case["contract"]), int(case["projectId"]), int(case["roundId"]),
            Address(case["solver"]), bytes.fromhex(case["roundSeed"][2:]),
        )  # fmt: skip
        salt = bytes.fromhex(case["salt"][2:])
        assert assignment.training_seed(*place, salt).hex() == case["seed"][2:]
        assert assignment.training_shard(*place, count=int(case["shardCount"])) == int(case["shard"])
        # As anybody else would write it down.
        types = ("bytes32", "uint256", "address", "uint256", "uint256", "address", "bytes32")
        public = keccak(abi_encode(types, (keccak(b"jepanet.training.seed"), *place)))
        salted = abi_encode(("bytes32",) * 3, (keccak(b"jepanet.training.salted"), public, salt))
        assert keccak(salted).hex() == case["seed"][2:]


def test_training_assignment_depends_on_everything() -> None:
    place, salt = (1, A, 2, 3, B, b"\4" * 32), b"\6" * 32
    seed = assignment.training_seed(*place, salt)
    for i, other in enumerate((9, B, 9, 9, A, b"\5" * 32)):
        changed = (*place[:i], other, *place[i + 1 :])
        assert assignment.training_seed(*changed, salt) != seed  # type: ignore[arg-type]
    assert assignment.training_seed(*place, b"\7" * 32) != seed
    assert assignment.training_seed(*place, salt) == seed
    for short in (b"", salt[:31]):
        with pytest.raises(ValueError, match="32 bytes"):
            assignment.training_seed(*place, short)
    assert {assignment.training_shard(1, A, 2, i, B, b"\4" * 32, count=5) for i in range(60)} == set(range(5))
    with pytest.raises(ValueError, match="at least one"):
        assignment.training_shard(*place, count=0)


def test_several_shards_are_different_ones_and_the_first_is_the_one_alone() -> None:
    seen = set()
    for round_id in range(40):
        place = (1, A, 2, round_id, B, b"\4" * 32)
        alone = assignment.training_shard(*place, count=5)
        three = assignment.training_shards(*place, count=5, wanted=3)
        assert assignment.training_shards(*place, count=5, wanted=1) == (alone,)
        assert three[0] == alone and len(set(three)) == 3 and set(three) <= set(range(5))
        assert assignment.training_shards(*place, count=5, wanted=2) == three[:2]
        assert sorted(assignment.training_shards(*place, count=5, wanted=9)) == [0, 1, 2, 3, 4]
        seen.add(three[1:])
    assert len(seen) > 10, "further ones are drawn, not counted on"
    with pytest.raises(ValueError, match="one shard at least"):
        assignment.training_shards(1, A, 2, 1, B, b"\4" * 32, count=5, wanted=0)


def test_further_shards_are_drawn_as_the_protocol_says() -> None:
    """Written out here once more, from docs/protocol.md."""
    place = (1, A, 2, 7, B, b"\4" * 32)
    types = ("bytes32", "uint256", "address", "uint256", "uint256", "address", "bytes32")
    drawn = keccak(abi_encode(types, (keccak(b"jepanet.training.shard"), *place)))
    left, expected = list(range(9)), []
    expected.append(left.pop(int.from_bytes(drawn, "big") % 9))
    for number in (1, 2, 3):
        words = (keccak(b"jepanet.training.further"), drawn, number)
        further = keccak(abi_encode(("bytes32", "bytes32", "uint256"), words))
        expected.append(left.pop(int.from_bytes(further, "big") % len(left)))
    assert assignment.training_shards(*place, count=9, wanted=4) == tuple(expected)


def test_payout_vectors() -> None:
    data = vectors("payouts.json")
    for case in data["earned"]:
        assert rewards.earned(
            *(int(case[name]) for name in ("gain", "stderr", "price", "shrinkMilli"))
        ) == int(case["earned"])
    for case in data["reverting"]:
        with pytest.raises((OverflowError, ValueError)):
            rewards.earned(*(int(case[name]) for name in ("gain", "stderr", "price", "shrinkMilli")))
    for case in data["capped"]:
        assert rewards.capped(int(case["amount"]), int(case["total"]), int(case["budget"])) == int(
            case["capped"]
        )
    for case in data["rounds"]:
        gains = list(zip(map(int, case["gains"]), map(int, case["stderrs"]), strict=True))
        amounts = rewards.settle_payouts(
            gains, price=int(case["price"]), shrink_milli=int(case["shrinkMilli"]), budget=int(case["budget"])
        )
        assert [str(amount) for amount in amounts] == case["amounts"]
        assert sum(amounts) <= int(case["budget"])


@pytest.mark.parametrize(
    "arguments",
    [
        (1 << 63, 0, 1, 0),
        (-(1 << 63) - 1, 0, 1, 0),
        (0, 1 << 63, 1, 0),
        (0, 0, 1 << 128, 0),
        (0, 0, -1, 0),
        (0, 0, 1, 1 << 32),
    ],
)
def test_earned_checks_every_width(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(OverflowError):
        rewards.earned(*arguments)


def test_noise_and_harm_earn_nothing() -> None:
    assert rewards.earned(0, 0, 10**18, 1000) == 0
    assert rewards.earned(-(10**6), 0, 10**18, 1000) == 0
    assert rewards.earned(2_000, 2_000, 10**18, 1000) == 0


TYPED = [
    typed_data.result_data(
        31337,
        A,
        round_id=1,
        root=b"\1" * 32,
        model=b"\2" * 32,
        sheet=b"\3" * 32,
        payout=10**20,
        improvement=-5,
        extension=b"\6" * 32,
    ),
    typed_data.commit_data(31337, A, round_id=3, commitment=b"\5" * 32),
    typed_data.score_data(
        31337,
        A,
        round_id=2,
        solver=B,
        digest=b"\4" * 32,
        verdict=Verdict.EXCLUDED,
        reason="near-copy",
        gain=-7,
        stderr=9,
    ),
    typed_data.node_binding_data(31337, A, wallet=B, peer_id="16Uiu2HAm", expiry=1_900_000_000),
]


@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: typed["primaryType"])
def test_typed_data_hashes_as_eth_account_does(typed: dict[str, Any]) -> None:
    message = encode_typed_data(full_message=typed)
    assert keccak(b"\x19" + message.version + message.header + message.body) == typed_data.signing_hash(typed)
    assert json.loads(json.dumps(typed)) == typed
    account = Account.create()
    signature = account.sign_message(message).signature
    assert Account.recover_message(message, signature=signature) == account.address


def test_result_signature_vectors() -> None:
    for case in vectors("signatures.json")["results"]:
        typed = typed_data.result_data(
            int(case["chainId"]),
            Address(case["contract"]),
            round_id=int(case["roundId"]),
            root=raw(case["root"]),
            model=raw(case["model"]),
            sheet=raw(case["sheet"]),
            payout=int(case["payout"]),
            improvement=int(case["improvement"]),
            extension=raw(case["extension"]),
        )
        assert typed_data.struct_hash(typed, "Result", typed["message"]) == raw(case["structHash"])
        assert typed_data.signing_hash(typed) == raw(case["digest"])


def test_signed_commit_vectors() -> None:
    for case in vectors("signatures.json")["commits"]:
        typed = typed_data.commit_data(
            int(case["chainId"]),
            Address(case["contract"]),
            round_id=int(case["roundId"]),
            commitment=raw(case["commitment"]),
        )
        assert typed_data.signing_hash(typed) == raw(case["digest"])


def test_a_compact_signature_is_two_words() -> None:
    """The examples of ERC-2098."""
    r = raw("0x68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90")
    s = raw("0x7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064")
    assert typed_data.compact_signature(r + s + bytes([27])) == (r, s)
    r = raw("0x9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76")
    s = raw("0x139c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793")
    vs = raw("0x939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793")
    assert typed_data.compact_signature(r + s + bytes([28])) == (r, vs)


@pytest.mark.parametrize(
    "bad", [b"", bytes(64), bytes(65), bytes(66), bytes(32) + b"\xff" * 32 + bytes([27])]
)
def test_attack_a_malformed_signature_is_not_made_compact(bad: bytes) -> None:
    with pytest.raises(ValueError, match="signature"):
        typed_data.compact_signature(bad)


def test_attack_signatures_do_not_travel_between_chains_contracts_or_kinds() -> None:
    fields: dict[str, Any] = {"wallet": B, "peer_id": "p", "expiry": 1}
    hashes = {
        typed_data.signing_hash(typed_data.node_binding_data(chain, contract, **fields))
        for chain in (1, 2)
        for contract in (A, B)
    }
    assert len(hashes) == 4


def test_checksum_addresses() -> None:
    known = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # example of EIP-55
    assert checksum_address(known.lower()) == known
    for bad in ("", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x" + "g" * 40, known + "00"):
        with pytest.raises(ValueError, match="not an address"):
            checksum_address(bad)
