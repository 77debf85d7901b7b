// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Standing} from "../types/Enums.sol";

/// @title A solver's word in one lane of a project: first 29 bytes of its commitment, number of the round, standing.
/// @dev Rounds of a project take eight lanes in turn (`HotWord.lane`). A word is overwritten only when its bond is gone from it.
library Standings {
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
}
