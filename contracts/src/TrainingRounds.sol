// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ITrainingRounds} from "./interfaces/ITrainingRounds.sol";
import {Beacon} from "./rounds/Beacon.sol";
import {Claims} from "./rounds/Claims.sol";
import {Opening} from "./rounds/Opening.sol";
import {Recording} from "./rounds/Recording.sol";
import {RoundBase} from "./rounds/RoundBase.sol";
import {Routes} from "./rounds/Routes.sol";
import {Solving} from "./rounds/Solving.sol";
import {Configuration} from "./types/Round.sol";

/// @title TrainingRounds
/// @notice Its functions are those of `ITrainingRounds`. What happens in every round is in the chapters it inherits; the
/// rest runs in linked libraries, on this contract's state, at addresses that are part of its bytecode (`Routes`).
contract TrainingRounds is Opening, Solving, Beacon, Recording, Claims, Ownable2Step {
    constructor(Configuration memory c) RoundBase(c) Ownable(c.owner) {}

    /// @notice Every function of `ITrainingRounds` that a linked library runs; reverts with `UnknownFunction` for others.
    /// @dev Not written out one by one: the compiler compares a call with every written function before it comes to the
    /// ones that every solver pays for.
    fallback(bytes calldata) external nonReentrant returns (bytes memory) {
        (address library_, bytes4 selector) = Routes.find(msg.sig);
        return _delegate(library_, selector);
    }

    // ---------------------------------------------------------------- owner

    /// @notice Owner only: stops deposits and openings, nothing else.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Owner only: ends a pause.
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @notice Owner only: gives up the office for good, though not while paused.
    function renounceOwnership() public override onlyOwner {
        if (paused()) revert ITrainingRounds.CannotRenounceWhilePaused();
        super.renounceOwnership();
    }

    // ---------------------------------------------------------------- views

    /// @notice See `ITrainingRounds.extsload`.
    function extsload(bytes32[] calldata slots) external view returns (bytes32[] memory words) {
        words = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; ++i) {
            bytes32 slot = slots[i];
            bytes32 word;
            assembly ("memory-safe") {
                word := sload(slot)
            }
            words[i] = word;
        }
    }
}
