// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
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
        return MessageHashUtils.toTypedDataHash(domain_, keccak256(abi.encode(RESULT_TYPE, result)));
    }

    /// @notice What a solver signs for a relayed commit.
    function hash(uint256 roundId, bytes32 commitment_, bytes32 domain_) internal pure returns (bytes32) {
        bytes32 type_ = COMMIT_TYPE;
        bytes32 structHash;
        // keccak256(abi.encode(COMMIT_TYPE, roundId, commitment_)), beyond the memory in use.
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, type_)
            mstore(add(data, 32), roundId)
            mstore(add(data, 64), commitment_)
            structHash := keccak256(data, 96)
        }
        return MessageHashUtils.toTypedDataHash(domain_, structHash);
    }

    /// @notice What a solver commits to: `keccak256(abi.encode(block.chainid, address(this), roundId, solver, digest,
    /// salt))`.
    function commitment(uint256 roundId, address solver, bytes32 digest, bytes32 salt)
        internal
        view
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, chainid())
            mstore(add(data, 32), address())
            mstore(add(data, 64), roundId)
            mstore(add(data, 96), shr(96, shl(96, solver)))
            mstore(add(data, 128), digest)
            mstore(add(data, 160), salt)
            result := keccak256(data, 192)
        }
    }

    /// @notice What storage keeps of a recorded result.
    function hash(Recorded memory recorded) internal pure returns (bytes32) {
        return keccak256(abi.encode(recorded));
    }

    /// @notice Merkle leaf of one row, hashed twice so that no inner node can pass for a leaf.
    function leafHash(uint256 roundId, Leaf calldata row) internal pure returns (bytes32) {
        return _again(keccak256(abi.encode(roundId, row)));
    }

    /// @notice Merkle leaf of one account on an allow-list.
    function listedHash(address account) internal pure returns (bytes32) {
        return _again(keccak256(abi.encode(account)));
    }

    /// @dev `keccak256(bytes.concat(hash_))`, in scratch space.
    function _again(bytes32 hash_) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0, hash_)
            result := keccak256(0, 32)
        }
    }
}
