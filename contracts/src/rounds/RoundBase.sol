// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {Configuration} from "../types/Round.sol";
import {Admission} from "./Admission.sol";

/// @title What the chapters of `TrainingRounds` share: the configuration, and the way to the linked libraries.
abstract contract RoundBase is ITrainingRounds, Pausable, ReentrancyGuardTransient {
    IERC20 internal immutable TOKEN;
    address internal immutable TREASURY;
    uint256 internal immutable MINIMUM_VERIFIER_STAKE;
    uint256 internal immutable KEEPER_REWARD;
    uint256 internal immutable BEACON_DELAY;
    uint256 internal immutable EXCLUDED_BPS;
    /// @dev The whole configuration as code of an account: what the hot path does not need costs it no bytecode.
    address private immutable CONFIGURATION;

    constructor(Configuration memory c) {
        TOKEN = c.token;
        TREASURY = c.treasury;
        MINIMUM_VERIFIER_STAKE = c.minimumVerifierStake;
        KEEPER_REWARD = c.keeperReward;
        BEACON_DELAY = c.beaconDelay;
        EXCLUDED_BPS = c.excludedBps;
        CONFIGURATION = Admission.establish(c);
    }

    /// @inheritdoc ITrainingRounds
    function configuration() external view returns (Configuration memory) {
        address blob = CONFIGURATION;
        // The answer is what the constructor encoded: sixteen words behind the STOP byte.
        assembly ("memory-safe") {
            let data := mload(0x40)
            extcodecopy(blob, data, 1, 512)
            return(data, 512)
        }
    }

    /// @inheritdoc ITrainingRounds
    function paused() public view override(ITrainingRounds, Pausable) returns (bool) {
        return super.paused();
    }

    /// @dev Runs a function of a linked library, guarded; see `_delegate`.
    function _forward(address library_, bytes4 selector) internal nonReentrant returns (uint256) {
        return _delegate(library_, selector);
    }

    /// @dev Runs a function of a linked library on this contract's state, with the caller's own calldata behind the
    /// function's selector in the library. Returns the first word of the answer.
    function _delegate(address library_, bytes4 selector) internal returns (uint256 answer) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            mstore(data, or(selector, and(mload(data), shr(32, not(0)))))
            mstore(0, 0)
            if iszero(delegatecall(gas(), library_, data, calldatasize(), 0, 32)) {
                returndatacopy(data, 0, returndatasize())
                revert(data, returndatasize())
            }
            answer := mload(0)
        }
    }
}
