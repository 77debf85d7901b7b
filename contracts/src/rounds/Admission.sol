// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProjects} from "../interfaces/IProjects.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../interfaces/IVerifierSets.sol";
import {Blob} from "../libraries/Blob.sol";
import {HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {ShardTree} from "../libraries/ShardTree.sol";
import {Configuration, RoundParams} from "../types/Round.sol";
import {Account, Project, State, VerifierSet, state} from "./RoundStorage.sol";

/// @title What must hold before a round opens, and the hold on its verifiers. Linked library of `TrainingRounds`.
library Admission {
    using Members for bytes;

    /// @notice Longest single phase.
    uint256 internal constant MAX_DURATION = 30 days;
    uint256 private constant MAX_UNBOND_DELAY = 365 days;
    uint256 private constant MAX_BEACON_DELAY = 4096;

    /// @notice Reverts unless the caller may open this round now; holds the members of the project's set.
    function admitRound(RoundParams calldata params) external {
        Configuration memory c = ITrainingRounds(address(this)).configuration();
        _checkParams(params, c);
        Project storage project = state().projects[params.projectId];
        if (project.owner != msg.sender) revert IRounds.NotProjectOwner(params.projectId, msg.sender);
        if (project.busy) revert IRounds.ProjectBusy(params.projectId, project.lastRound);
        if (project.rounds == type(uint16).max) revert IRounds.TooManyRounds(params.projectId);
        if (ShardTree.exhausted(project.usedShards, uint256(project.lastShard) + 1)) {
            revert IRounds.NoShardsLeft(params.projectId);
        }
        // From now to the last moment at which a result of the round can be overturned.
        uint256 longest = uint256(params.commitDuration) + params.gap + params.revealDuration
            + params.verifyDuration + params.challengeDuration + c.resolveDuration;
        uint256 escrow = uint256(params.budget) + params.fee;
        _enlist(project.verifierSet, escrow, longest, c.minimumVerifierStake);
    }

    /// @notice Reverts unless a deployment makes sense; keeps its configuration as code of an account.
    function establish(Configuration memory c) external returns (address blob) {
        if (address(c.token) == address(0) || c.treasury == address(0) || c.arbiter == address(0)) {
            revert IStakes.ZeroAddress();
        }
        if (
            c.minimumBudget == 0 || c.minimumBond == 0 || c.minimumVerifierStake == 0 || c.unbondDelay == 0
                || c.unbondDelay > MAX_UNBOND_DELAY || c.minimumPhaseDuration == 0
                || c.minimumPhaseDuration > MAX_DURATION || c.minimumChallengeDuration == 0
                || c.minimumChallengeDuration > MAX_DURATION || c.resolveDuration == 0
                || c.resolveDuration > MAX_DURATION || c.beaconDelay < 2 || c.beaconDelay > MAX_BEACON_DELAY
                || c.challengeBondBps > 10_000 || c.excludedBps > 10_000
                || c.token.totalSupply() > type(uint96).max
        ) revert ITrainingRounds.BadConfiguration();
        return Blob.store(abi.encode(c));
    }

    /// @dev Holds the set's members, without a write to any of them.
    function _enlist(uint256 setId, uint256 escrow, uint256 duration, uint256 minimum) private {
        State storage s = state();
        VerifierSet storage set = s.sets[setId];
        if (set.curator != msg.sender && !set.admitted[msg.sender]) {
            revert IVerifierSets.NotAdmitted(setId, msg.sender);
        }
        if (set.joined != (uint256(1) << set.count) - 1) revert IVerifierSets.VerifierSetInactive(setId);
        (uint96 cap, uint96 atRisk, uint32 maxHold) = (set.cap, set.escrow, set.maxHold);
        if (duration > maxHold) revert IVerifierSets.HoldTooLong(setId, duration, maxHold);
        escrow += atRisk;
        if (escrow > cap) revert IVerifierSets.CapExceeded(setId, escrow, cap);
        set.escrow = uint96(escrow);
        set.openRounds += 1;
        bytes memory members = Members.load(set.blob);
        uint256 count = members.count();
        for (uint256 seat = 0; seat < count; ++seat) {
            address member = members.at(seat);
            Account storage stake = s.accounts[member];
            if (stake.free < minimum) {
                revert IStakes.InsufficientStake(member, stake.free, minimum);
            }
            if (stake.debtor) revert IStakes.InDebt(member, s.exits[member].debt);
        }
    }

    function _checkParams(RoundParams calldata params, Configuration memory c) private pure {
        if (params.spec == 0) revert IProjects.ZeroDigest();
        if (params.budget < c.minimumBudget) revert IRounds.BudgetTooSmall(params.budget, c.minimumBudget);
        _checkBond(params.bond, c.minimumBond);
        _checkBond(params.unsealBond, c.minimumBond);
        uint256 escrow = uint256(params.budget) + params.fee;
        if (escrow > type(uint96).max) revert IStakes.AmountTooLarge(escrow);
        if (params.maxSolvers > type(uint16).max) revert IRounds.TooManySolvers(params.maxSolvers);
        _checkDuration(params.commitDuration, c.minimumPhaseDuration);
        _checkDuration(params.gap, c.minimumPhaseDuration);
        _checkDuration(params.revealDuration, c.minimumPhaseDuration);
        _checkDuration(params.verifyDuration, c.minimumPhaseDuration);
        _checkDuration(params.challengeDuration, c.minimumChallengeDuration);
    }

    function _checkBond(uint256 bond, uint256 minimum) private pure {
        if (bond < minimum) revert IRounds.BondTooSmall(bond, minimum);
        if (bond % HotWord.BOND_UNIT != 0) revert IRounds.BondTooFine(bond);
        if (bond > type(uint64).max * HotWord.BOND_UNIT) revert IStakes.AmountTooLarge(bond);
    }

    function _checkDuration(uint256 duration, uint256 minimum) private pure {
        if (duration < minimum || duration > MAX_DURATION) revert IRounds.BadDuration(duration, minimum);
    }
}
