// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Evaluation shards of a project: one bit each, at most 256.
library EvaluationShards {
    uint32 internal constant MAX_COUNT = 256;

    error NoUnusedShard();

    /// @notice Whether all of `count` shards are used.
    function exhausted(uint256 used, uint32 count) internal pure returns (bool) {
        return used == _all(count);
    }

    /// @notice Picks one of the unused shards: the one of rank `beacon` modulo their number.
    function pick(uint256 used, uint32 count, uint256 beacon) internal pure returns (uint32 index) {
        uint256 open = ~used & _all(count);
        if (open == 0) revert NoUnusedShard();
        uint256 rank = beacon % _population(open);
        while (open >> index & 1 == 0 || rank != 0) {
            rank -= open >> index & 1;
            ++index;
        }
    }

    /// @notice Merkle leaf of one sealed shard.
    function leaf(uint32 index, bytes32 shard, bytes32 blinding) internal pure returns (bytes32) {
        return keccak256(abi.encode(index, shard, blinding));
    }

    function _all(uint32 count) private pure returns (uint256) {
        return count == MAX_COUNT ? type(uint256).max : (uint256(1) << count) - 1;
    }

    function _population(uint256 bits) private pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
    }
}
