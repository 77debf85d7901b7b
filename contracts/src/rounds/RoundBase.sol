// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Configuration} from "../types/Round.sol";
import {Admission} from "./Admission.sol";

/// @title What the chapters of `TrainingRounds` share: the configuration, and the way to the linked libraries.
abstract contract RoundBase is Pausable, ReentrancyGuardTransient {
    IERC20 internal immutable TOKEN;
    address internal immutable TREASURY;
    uint256 internal immutable MINIMUM_VERIFIER_STAKE;
    uint256 internal immutable KEEPER_REWARD;
    uint256 internal immutable BEACON_DELAY;
    uint256 internal immutable EXCLUDED_BPS;
    /// @dev The whole configuration as code of an account: what the hot path does not need costs it no bytecode.
    address private immutable CONFIGURATION;

    /// @dev For functions that call nobody while they run: nothing can enter them, so that they need not set the guard.
    /// They only must not run inside a call that has set it.
    modifier outsideCalls() {
        if (_reentrancyGuardEntered()) revert ReentrancyGuardReentrantCall();
        _;
    }

    constructor(Configuration memory c) {
        TOKEN = c.token;
        TREASURY = c.treasury;
        MINIMUM_VERIFIER_STAKE = c.minimumVerifierStake;
        KEEPER_REWARD = c.keeperReward;
        BEACON_DELAY = c.beaconDelay;
        EXCLUDED_BPS = c.excludedBps;
        CONFIGURATION = Admission.establish(c);
    }

    /// @notice See `ITrainingRounds.configuration`.
    function configuration() external view returns (Configuration memory) {
        address blob = CONFIGURATION;
        // The answer is what the constructor encoded: sixteen words behind the STOP byte.
        assembly ("memory-safe") {
            let data := mload(0x40)
            extcodecopy(blob, data, 1, 512)
            return(data, 512)
        }
    }

    /// @dev Runs a function of a linked library on this contract's state, with the caller's own calldata behind the
    /// function's selector in the library. Returns the answer as it came.
    function _delegate(address library_, bytes4 selector) internal returns (bytes memory answer) {
        assembly ("memory-safe") {
            answer := mload(0x40)
            calldatacopy(answer, 0, calldatasize())
            mstore(answer, or(selector, and(mload(answer), shr(32, not(0)))))
            let done := delegatecall(gas(), library_, answer, calldatasize(), 0, 0)
            returndatacopy(add(answer, 32), 0, returndatasize())
            if iszero(done) { revert(add(answer, 32), returndatasize()) }
            mstore(answer, returndatasize())
            mstore(0x40, add(answer, and(add(returndatasize(), 63), not(31))))
        }
    }
}
