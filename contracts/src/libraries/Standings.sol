// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";

/// @title One storage slot per (round, address): a commitment, or a mark below 256 that says what became of it.
/// @dev A verifier's position in its set is part of its mark. One slot for both roles makes "solver or verifier, never
/// both, paid once" a property of the layout.
library Standings {
    bytes32 internal constant NONE = bytes32(0);
    bytes32 internal constant REVEALED = bytes32(uint256(1));
    bytes32 internal constant RELEASED = bytes32(uint256(2));
    bytes32 internal constant SLASHED = bytes32(uint256(3));
    /// @dev 0x40 to 0x5f: verifiers; 0x60 to 0x7f: verifiers whose fee was paid.
    uint256 private constant VERIFIER = 0x40;
    uint256 private constant VERIFIER_PAID = 0x60;
    uint256 private constant POSITIONS = 0x20;
    /// @dev Marks are below this, commitments are not.
    uint256 internal constant RESERVED = 0x100;

    /// @notice The mark of the verifier at `index` of its set.
    function verifier(uint256 index) internal pure returns (bytes32) {
        return bytes32(VERIFIER + index);
    }

    /// @notice The mark of a verifier after its fee was paid.
    function paid(bytes32 value) internal pure returns (bytes32) {
        return bytes32(uint256(value) + (VERIFIER_PAID - VERIFIER));
    }

    function isCommitment(bytes32 value) internal pure returns (bool) {
        return uint256(value) >= RESERVED;
    }

    function isUnpaidVerifier(bytes32 value) internal pure returns (bool) {
        return uint256(value) >= VERIFIER && uint256(value) < VERIFIER + POSITIONS;
    }

    function isVerifier(bytes32 value) internal pure returns (bool) {
        return uint256(value) >= VERIFIER && uint256(value) < VERIFIER_PAID + POSITIONS;
    }

    /// @notice Position of a verifier in its set.
    function position(bytes32 value) internal pure returns (uint256) {
        return uint256(value) & (POSITIONS - 1);
    }

    function standing(bytes32 value) internal pure returns (ITrainingRounds.Standing) {
        if (value == NONE) return ITrainingRounds.Standing.None;
        if (isCommitment(value)) return ITrainingRounds.Standing.Committed;
        if (value == REVEALED) return ITrainingRounds.Standing.Revealed;
        if (value == RELEASED) return ITrainingRounds.Standing.Released;
        if (value == SLASHED) return ITrainingRounds.Standing.Slashed;
        if (isUnpaidVerifier(value)) return ITrainingRounds.Standing.Verifier;
        return ITrainingRounds.Standing.VerifierPaid;
    }
}
