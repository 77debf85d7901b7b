// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Leaf, Recorded, Result} from "../types/Round.sol";

/// @title Hashes of what is signed, and of what signatures cover.
library Results {
    /// @dev EIP-712 type of `Result`.
    bytes32 internal constant RESULT_TYPE = keccak256(
        "Result(uint256 roundId,bytes32 root,bytes32 model,bytes32 sheet,uint128 payout,int64 improvement,bytes32 extension)"
    );
    bytes32 internal constant COMMIT_TYPE = keccak256("Commit(uint256 roundId,bytes32 commitment)");
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @dev Computed every time, so that a fork of the chain with another id does not share signatures.
    function domain(address verifyingContract) internal view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("jepanet"), keccak256("1"), block.chainid, verifyingContract)
        );
    }

    /// @notice What a verifier signs.
    function hash(Result memory result, bytes32 domain_) internal pure returns (bytes32) {
        return typed(domain_, keccak256(abi.encode(RESULT_TYPE, result)));
    }

    /// @notice What a solver signs for a relayed commit.
    function hash(uint256 roundId, bytes32 commitment, bytes32 domain_) internal pure returns (bytes32) {
        return typed(domain_, keccak256(abi.encode(COMMIT_TYPE, roundId, commitment)));
    }

    function typed(bytes32 domain_, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain_, structHash));
    }

    /// @notice What storage keeps of a recorded result.
    function hash(Recorded memory recorded) internal pure returns (bytes32) {
        return keccak256(abi.encode(recorded));
    }

    /// @notice Merkle leaf of one row, hashed twice so that no inner node can pass for a leaf.
    function leafHash(uint256 roundId, Leaf calldata row) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(roundId, row))));
    }

    /// @notice Merkle leaf of one account on an allow-list.
    function listedHash(address account) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account))));
    }
}
