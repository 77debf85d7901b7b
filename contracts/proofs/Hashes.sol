// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hot} from "../src/libraries/Hot.sol";
import {Results} from "../src/libraries/Results.sol";
import {ShardTree} from "../src/libraries/ShardTree.sol";
import {Standings} from "../src/libraries/Standings.sol";
import {Solves} from "../src/rounds/Solves.sol";
import {Standing} from "../src/types/Enums.sol";
import {Leaf, Recorded, Result} from "../src/types/Round.sol";

/// @dev That what is hashed says everything: equal hashes have equal contents, as long as keccak256 has no collision.
contract HashesProofs {
    // ---------------------------------------------------------------- commitments

    /// @dev As `IRounds.commit` states it.
    function check_commitmentIsAsStated(uint256 roundId, address solver, bytes32 digest, bytes32 salt)
        external
        view
    {
        bytes32 stated = keccak256(abi.encode(block.chainid, address(this), roundId, solver, digest, salt));
        assert(Results.commitment(roundId, solver, digest, salt) == stated);
    }

    /// @dev A word is opened by what was committed, once, and by nothing else that stands there.
    function check_openedByItsOwn(Hot hot, uint256 word, address solver, bytes32 digest, bytes32 salt)
        external
    {
        bytes32 commitment = Results.commitment(7, solver, digest, salt);
        Solves.placeOf(hot, solver).word = word;
        bool opened = Solves.reveal(7, hot, solver, digest, salt);
        assert(opened == (word == Standings.committed(commitment, hot.number())));
        uint256 left = Solves.placeOf(hot, solver).word;
        assert(left == Standings.marked(Standing.Revealed, hot.number()));
        assert(opened || word == left);
    }

    function check_commitmentIsInjective(
        uint256 roundId,
        address solver,
        bytes32 digest,
        bytes32 salt,
        uint256 otherRound,
        address otherSolver,
        bytes32 otherDigest,
        bytes32 otherSalt
    ) external view {
        bytes32 other = Results.commitment(otherRound, otherSolver, otherDigest, otherSalt);
        if (Results.commitment(roundId, solver, digest, salt) != other) return;
        assert(roundId == otherRound && solver == otherSolver);
        assert(digest == otherDigest && salt == otherSalt);
    }

    // ---------------------------------------------------------------- results

    function leafHash(uint256 roundId, Leaf calldata row) public pure returns (bytes32) {
        return Results.leafHash(roundId, row);
    }

    function check_resultLeafIsInjective(
        uint256 roundId,
        Leaf calldata a,
        uint256 otherRound,
        Leaf calldata b
    ) external pure {
        if (leafHash(roundId, a) != leafHash(otherRound, b)) return;
        assert(roundId == otherRound && a.account == b.account && a.digest == b.digest);
        assert(a.verdict == b.verdict && a.gain == b.gain && a.amount == b.amount);
    }

    function check_recordedIsInjective(Recorded calldata a, Recorded calldata b) external pure {
        if (Results.hash(a) != Results.hash(b)) return;
        assert(a.root == b.root && a.model == b.model && a.sheet == b.sheet);
        assert(a.extension == b.extension && a.payout == b.payout);
        assert(a.improvement == b.improvement && a.signers == b.signers);
    }

    function check_signedIsInjective(Result calldata a, bytes32 domain, Result calldata b, bytes32 other)
        external
        pure
    {
        if (Results.hash(a, domain) != Results.hash(b, other)) return;
        assert(domain == other && a.roundId == b.roundId && a.root == b.root && a.model == b.model);
        assert(a.sheet == b.sheet && a.payout == b.payout && a.improvement == b.improvement);
        assert(a.extension == b.extension);
    }

    /// @dev No signature over a commit is one over a result.
    function check_signedIsOneKind(uint256 roundId, bytes32 commitment, Result calldata b, bytes32 domain)
        external
        pure
    {
        assert(Results.hash(roundId, commitment, domain) != Results.hash(b, domain));
    }

    // ---------------------------------------------------------------- shards

    function check_shardLeafIsInjective(
        uint32 index,
        bytes32 shard,
        bytes32 blinding,
        uint32 otherIndex,
        bytes32 otherShard,
        bytes32 otherBlinding
    ) external pure {
        bytes32 other = ShardTree.leaf(otherIndex, otherShard, otherBlinding);
        if (ShardTree.leaf(index, shard, blinding) != other) return;
        assert(index == otherIndex && shard == otherShard && blinding == otherBlinding);
    }

    /// @dev No inner node of a tree passes for a leaf.
    function check_shardLeafIsNoNode(
        uint32 index,
        bytes32 shard,
        bytes32 blinding,
        bytes32 left,
        bytes32 right
    ) external pure {
        assert(ShardTree.leaf(index, shard, blinding) != keccak256(abi.encode(left, right)));
    }
}
