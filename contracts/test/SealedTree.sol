// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Sealed evaluation shards whose contents follow from their index, and the tree by place over them.
library SealedTree {
    function shard(uint32 index) internal pure returns (bytes32) {
        return keccak256(abi.encode("shard", index));
    }

    function blinding(uint32 index) internal pure returns (bytes32) {
        return keccak256(abi.encode("blinding", index));
    }

    function leaf(uint32 index) internal pure returns (bytes32) {
        return keccak256(abi.encode(index, shard(index), blinding(index)));
    }

    function root(uint32 count) internal pure returns (bytes32) {
        return rootOf(leaves(count));
    }

    function proof(uint32 count, uint256 index) internal pure returns (bytes32[] memory) {
        return proofOf(leaves(count), index);
    }

    function leaves(uint32 count) internal pure returns (bytes32[] memory made) {
        made = new bytes32[](count);
        for (uint32 i = 0; i < count; ++i) {
            made[i] = leaf(i);
        }
    }

    function rootOf(bytes32[] memory made) internal pure returns (bytes32) {
        return _levels(made)[1];
    }

    function proofOf(bytes32[] memory made, uint256 index) internal pure returns (bytes32[] memory path) {
        bytes32[] memory nodes = _levels(made);
        uint256 width = nodes.length / 2;
        uint256 depth = 0;
        while (1 << depth < width) {
            ++depth;
        }
        path = new bytes32[](depth);
        uint256 node = width + index;
        for (uint256 i = 0; i < depth; ++i) {
            path[i] = nodes[node ^ 1];
            node /= 2;
        }
    }

    /// @dev Node i has the children 2i and 2i + 1; the root is node 1.
    function _levels(bytes32[] memory made) private pure returns (bytes32[] memory nodes) {
        uint256 width = 1;
        while (width < made.length) {
            width *= 2;
        }
        nodes = new bytes32[](2 * width);
        for (uint256 i = 0; i < made.length; ++i) {
            nodes[width + i] = made[i];
        }
        for (uint256 i = width - 1; i > 0; --i) {
            nodes[i] = keccak256(abi.encode(nodes[2 * i], nodes[2 * i + 1]));
        }
    }
}
