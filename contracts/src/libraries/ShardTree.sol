// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Evaluation shards of a project: at most 256, sealed in a binary Merkle tree by place, one bit each once used.
library ShardTree {
    uint256 internal constant MAX_COUNT = 256;

    error NoUnusedShard();

    /// @notice Leaf of one sealed shard. Longer than a node's 64 bytes, so that no node passes for a leaf.
    function leaf(uint32 index, bytes32 shard, bytes32 blinding) internal pure returns (bytes32) {
        return keccak256(abi.encode(index, shard, blinding));
    }

    /// @notice Levels between the root and the leaves: ceil(log2(count)).
    function depth(uint256 count) internal pure returns (uint256) {
        return count < 2 ? 0 : Math.log2(count - 1) + 1;
    }

    /// @notice Whether `node` lies at place `index` of the tree with this root. The path has exactly the tree's depth and
    /// turns by the bits of the index, so that a root has one leaf for each index and no other.
    function holds(bytes32 root, uint256 count, uint256 index, bytes32 node, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (index >= count || proof.length != depth(count)) return false;
        for (uint256 i = 0; i < proof.length; ++i) {
            node = index >> i & 1 == 0
                ? keccak256(abi.encode(node, proof[i]))
                : keccak256(abi.encode(proof[i], node));
        }
        return node == root;
    }

    /// @notice Whether all of `count` shards are used.
    function exhausted(uint256 used, uint256 count) internal pure returns (bool) {
        return used == _all(count);
    }

    /// @notice Picks one of the unused shards: the one of rank `beacon` modulo their number.
    function pick(uint256 used, uint256 count, uint256 beacon) internal pure returns (uint256 index) {
        uint256 open = ~used & _all(count);
        uint256 unused = _population(open);
        if (unused == 0) revert NoUnusedShard();
        uint256 rank = beacon % unused;
        // Halves that hold too few are skipped: eight steps instead of up to 256.
        for (uint256 width = 128; width != 0; width >>= 1) {
            uint256 low = _population(open >> index & ((uint256(1) << width) - 1));
            if (rank >= low) {
                rank -= low;
                index += width;
            }
        }
    }

    function _all(uint256 count) private pure returns (uint256) {
        return count == MAX_COUNT ? type(uint256).max : (uint256(1) << count) - 1;
    }

    /// @dev Bits set. Sums of two, four and eight bits side by side; the product adds the bytes up, whose sum does not fit
    /// a byte when all 256 bits are set.
    function _population(uint256 bits) private pure returns (uint256) {
        if (bits == type(uint256).max) return 256;
        unchecked {
            bits -= bits >> 1 & 0x5555555555555555555555555555555555555555555555555555555555555555;
            bits = (bits & 0x3333333333333333333333333333333333333333333333333333333333333333)
                + (bits >> 2 & 0x3333333333333333333333333333333333333333333333333333333333333333);
            bits = bits + (bits >> 4) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            return bits * 0x0101010101010101010101010101010101010101010101010101010101010101 >> 248;
        }
    }
}
