// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";

/// @title Hashes of what verifiers sign and of what their signatures cover.
library Results {
    /// @dev EIP-712 type of `ITrainingRounds.Result`.
    bytes32 internal constant TYPE_HASH = keccak256(
        "Result(uint256 roundId,bytes32 root,bytes32 model,bytes32 sheet,uint128 payout,int64 improvement)"
    );

    function structHash(ITrainingRounds.Result memory result) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPE_HASH, result));
    }

    /// @notice Merkle leaf of one row, hashed twice so that no inner node can pass for a leaf.
    function leafHash(uint256 roundId, ITrainingRounds.Leaf calldata row) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(roundId, row))));
    }
}
