// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Phase} from "../types/Enums.sol";
import {Training, phaseOf} from "./RoundStorage.sol";

/// @title The block whose randomness draws: internal, for the core and its libraries.
library Draws {
    /// @notice Fixes it, before anybody knows its randomness.
    function fix(uint256 roundId, Training storage round, uint256 beaconDelay, uint256 reward) internal {
        uint256 at = block.number + beaconDelay;
        round.terms.beaconBlock = uint40(at);
        emit IRounds.BeaconFixed(roundId, uint64(at), msg.sender, uint128(reward));
    }

    /// @notice Reverts unless the round is in GAP or REVEAL.
    function requireDrawable(uint256 roundId, Training storage round) internal view {
        Phase current = phaseOf(round);
        if (current != Phase.Gap && current != Phase.Reveal) revert IRounds.WrongPhase(roundId, current);
    }
}
