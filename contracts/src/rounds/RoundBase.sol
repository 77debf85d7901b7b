// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {Configuration} from "../types/Round.sol";

/// @title What the chapters of `TrainingRounds` share: the configuration, and the way to the linked libraries.
abstract contract RoundBase is ITrainingRounds, Pausable, ReentrancyGuardTransient {
    /// @notice Longest single phase.
    uint256 internal constant MAX_DURATION = 30 days;
    uint256 private constant MAX_UNBOND_DELAY = 365 days;

    IERC20 internal immutable TOKEN;
    address internal immutable TREASURY;
    address internal immutable ARBITER;
    address internal immutable PARTNER;
    uint256 internal immutable MINIMUM_BUDGET;
    uint256 internal immutable MINIMUM_BOND;
    uint256 internal immutable MINIMUM_VERIFIER_STAKE;
    uint256 internal immutable KEEPER_REWARD;
    uint256 internal immutable UNBOND_DELAY;
    uint256 internal immutable MINIMUM_PHASE;
    uint256 internal immutable MINIMUM_CHALLENGE;
    uint256 internal immutable RESOLVE_DURATION;
    uint256 internal immutable BEACON_DELAY;
    uint256 internal immutable CHALLENGE_BOND_BPS;
    uint256 internal immutable EXCLUDED_BPS;

    constructor(Configuration memory c) {
        if (address(c.token) == address(0) || c.treasury == address(0) || c.arbiter == address(0)) {
            revert ZeroAddress();
        }
        if (
            c.minimumBudget == 0 || c.minimumBond == 0 || c.minimumVerifierStake == 0 || c.unbondDelay == 0
                || c.unbondDelay > MAX_UNBOND_DELAY || c.minimumPhaseDuration == 0
                || c.minimumPhaseDuration > MAX_DURATION || c.minimumChallengeDuration == 0
                || c.minimumChallengeDuration > MAX_DURATION || c.resolveDuration == 0
                || c.resolveDuration > MAX_DURATION || c.beaconDelay < 2 || c.beaconDelay > 4096
                || c.challengeBondBps > 10_000 || c.excludedBps > 10_000
                || c.token.totalSupply() > type(uint96).max
        ) revert BadConfiguration();
        TOKEN = c.token;
        TREASURY = c.treasury;
        ARBITER = c.arbiter;
        PARTNER = c.partner;
        MINIMUM_BUDGET = c.minimumBudget;
        MINIMUM_BOND = c.minimumBond;
        MINIMUM_VERIFIER_STAKE = c.minimumVerifierStake;
        KEEPER_REWARD = c.keeperReward;
        UNBOND_DELAY = c.unbondDelay;
        MINIMUM_PHASE = c.minimumPhaseDuration;
        MINIMUM_CHALLENGE = c.minimumChallengeDuration;
        RESOLVE_DURATION = c.resolveDuration;
        BEACON_DELAY = c.beaconDelay;
        CHALLENGE_BOND_BPS = c.challengeBondBps;
        EXCLUDED_BPS = c.excludedBps;
    }

    /// @inheritdoc ITrainingRounds
    function paused() public view override(ITrainingRounds, Pausable) returns (bool) {
        return super.paused();
    }

    /// @dev Runs a function of a linked library on this contract's state, with the caller's own calldata behind the
    /// function's selector in the library. Returns the first word of the answer.
    function _forward(address library_, bytes4 selector) internal nonReentrant returns (uint256 answer) {
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
