// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Sorted-pair Merkle trees laid out as OpenZeppelin's JavaScript library does: leaves sorted, filled from the end.
library MerkleTree {
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return _build(leaves)[0];
    }

    function proof(bytes32[] memory leaves, bytes32 leaf) internal pure returns (bytes32[] memory path) {
        bytes32[] memory tree = _build(leaves);
        uint256 node = tree.length;
        for (uint256 i = leaves.length - 1; i < tree.length; ++i) {
            if (tree[i] == leaf) node = i;
        }
        require(node < tree.length, "no such leaf");
        uint256 depth = 0;
        for (uint256 i = node; i > 0; i = (i - 1) / 2) {
            ++depth;
        }
        path = new bytes32[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            path[i] = tree[node % 2 == 0 ? node - 1 : node + 1];
            node = (node - 1) / 2;
        }
    }

    function _build(bytes32[] memory leaves) private pure returns (bytes32[] memory tree) {
        uint256 count = leaves.length;
        bytes32[] memory sorted = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 place = i;
            for (; place > 0 && sorted[place - 1] > leaves[i]; --place) {
                sorted[place] = sorted[place - 1];
            }
            sorted[place] = leaves[i];
        }
        tree = new bytes32[](2 * count - 1);
        for (uint256 i = 0; i < count; ++i) {
            tree[tree.length - 1 - i] = sorted[i];
        }
        for (uint256 i = count - 1; i > 0; --i) {
            (bytes32 a, bytes32 b) = (tree[2 * i - 1], tree[2 * i]);
            tree[i - 1] = a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
        }
    }
}
