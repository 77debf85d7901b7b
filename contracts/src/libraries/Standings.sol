// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Standing} from "../types/Enums.sol";
import {Hot} from "./Hot.sol";

/// @title A solver's word in one lane of a project: first 29 bytes of its commitment, number of the round, standing.
/// @dev Rounds of a project share eight lanes in turn. A word is overwritten only when its bond is gone from it.
library Standings {
    uint256 internal constant LANES = 8;

    /// @notice Lane of a round: its project's, by its number.
    function lane(Hot hot) internal pure returns (uint256) {
        return hot.project() * LANES + hot.number() % LANES;
    }

    function committed(bytes32 commitment, uint256 number) internal pure returns (uint256) {
        return uint256(commitment) & ~uint256(0xffffff) | number << 8 | uint256(Standing.Committed);
    }

    function marked(Standing standing, uint256 number) internal pure returns (uint256) {
        return number << 8 | uint256(standing);
    }

    /// @notice Standing of the word in round `number` of the project.
    function standingIn(uint256 word, uint256 number) internal pure returns (Standing) {
        return word >> 8 & 0xffff == number ? Standing(word & 0xff) : Standing.None;
    }

    /// @notice Whether the word, of whatever round, still stands for a locked bond.
    function bonded(uint256 word) internal pure returns (bool) {
        uint256 standing = word & 0xff;
        return standing == uint256(Standing.Committed) || standing == uint256(Standing.Revealed);
    }

    /// @notice Whether the word was made from this commitment.
    function commitsTo(uint256 word, bytes32 commitment) internal pure returns (bool) {
        return (word ^ uint256(commitment)) >> 24 == 0;
    }
}
