// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {ShardTree} from "../libraries/ShardTree.sol";
import {CancelCause} from "../types/Enums.sol";
import {RoundParams} from "../types/Round.sol";
import {RoundBase} from "./RoundBase.sol";
import {
    Account, Escrow, Pot, Project, State, Terms, Training, VerifierSet, state
} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title Opening of rounds.
abstract contract Opening is RoundBase {
    using Members for bytes;

    /// @inheritdoc IRounds
    function openRound(RoundParams calldata params)
        external
        nonReentrant
        whenNotPaused
        returns (uint256 roundId)
    {
        _checkParams(params);
        State storage s = state();
        Project storage project = s.projects[params.projectId];
        if (project.owner != msg.sender) revert NotProjectOwner(params.projectId, msg.sender);
        if (project.busy) revert ProjectBusy(params.projectId, project.lastRound);
        if (project.rounds == type(uint16).max) revert TooManyRounds(params.projectId);
        if (ShardTree.exhausted(project.usedShards, uint256(project.lastShard) + 1)) {
            revert NoShardsLeft(params.projectId);
        }
        uint32 setId = project.verifierSet;
        _enlist(setId, uint256(params.budget) + params.fee, _longest(params));
        s.counts.rounds += 1;
        roundId = s.counts.rounds;
        bytes32 seed = keccak256(abi.encode(block.prevrandao, roundId));
        uint256 commitEnd = block.timestamp + params.commitDuration;
        _store(s.rounds[roundId], project, params, commitEnd, seed);
        (project.lastRound, project.rounds, project.busy) = (uint32(roundId), project.rounds + 1, true);
        emit RoundOpened(
            roundId, params.projectId, msg.sender, params, project.model, setId, seed, uint64(commitEnd)
        );
        Stakes.pull(TOKEN, uint256(params.budget) + params.fee + params.unsealBond + 2 * KEEPER_REWARD);
    }

    function _store(
        Training storage round,
        Project storage project,
        RoundParams calldata params,
        uint256 commitEnd,
        bytes32 seed
    ) private {
        round.hot = HotWord.make(
            params.projectId,
            uint256(project.rounds) + 1,
            commitEnd,
            params.gap,
            params.revealDuration,
            params.bond,
            params.maxSolvers == 0 ? type(uint16).max : params.maxSolvers,
            params.allowList == 0 ? 0 : HotWord.LISTED
        );
        round.terms = Terms({
            commitDuration: uint24(params.commitDuration),
            verifyDuration: uint24(params.verifyDuration),
            challengeDuration: uint24(params.challengeDuration),
            verifierSet: project.verifierSet,
            beaconBlock: 0,
            end: 0,
            evaluationIndex: 0,
            cause: CancelCause.None,
            previous: project.lastRound
        });
        round.escrow = Escrow({
            budget: uint96(params.budget),
            fee: uint96(params.fee),
            unsealBond: uint64(params.unsealBond / HotWord.BOND_UNIT)
        });
        round.pot = Pot({proposer: msg.sender, unclaimed: 0});
        round.digest = params.spec;
        round.seed = seed;
        if (params.allowList != 0) round.allowList = params.allowList;
    }

    /// @dev Holds the set's members, without a write to any of them.
    function _enlist(uint32 setId, uint256 escrow, uint256 duration) private {
        State storage s = state();
        VerifierSet storage set = s.sets[setId];
        if (set.curator != msg.sender && !set.admitted[msg.sender]) revert NotAdmitted(setId, msg.sender);
        if (set.joined != (uint256(1) << set.count) - 1) revert VerifierSetInactive(setId);
        (uint96 cap, uint96 atRisk, uint32 maxHold) = (set.cap, set.escrow, set.maxHold);
        if (duration > maxHold) revert HoldTooLong(setId, duration, maxHold);
        escrow += atRisk;
        if (escrow > cap) revert CapExceeded(setId, escrow, cap);
        set.escrow = uint96(escrow);
        set.openRounds += 1;
        bytes memory members = Members.load(set.blob);
        uint256 count = members.count();
        for (uint256 seat = 0; seat < count; ++seat) {
            address member = members.at(seat);
            Account storage stake = s.accounts[member];
            if (stake.free < MINIMUM_VERIFIER_STAKE) {
                revert InsufficientStake(member, stake.free, MINIMUM_VERIFIER_STAKE);
            }
            if (stake.debtor) revert InDebt(member, s.exits[member].debt);
        }
    }

    /// @dev From now to the last moment at which a result of the round can be overturned.
    function _longest(RoundParams calldata params) private view returns (uint256) {
        return uint256(params.commitDuration) + params.gap + params.revealDuration + params.verifyDuration
            + params.challengeDuration + RESOLVE_DURATION;
    }

    function _checkParams(RoundParams calldata params) private view {
        if (params.spec == 0) revert ZeroDigest();
        if (params.budget < MINIMUM_BUDGET) revert BudgetTooSmall(params.budget, MINIMUM_BUDGET);
        _checkBond(params.bond);
        _checkBond(params.unsealBond);
        uint256 escrow = uint256(params.budget) + params.fee;
        if (escrow > type(uint96).max) revert AmountTooLarge(escrow);
        if (params.maxSolvers > type(uint16).max) revert TooManySolvers(params.maxSolvers);
        _checkDuration(params.commitDuration, MINIMUM_PHASE);
        _checkDuration(params.gap, MINIMUM_PHASE);
        _checkDuration(params.revealDuration, MINIMUM_PHASE);
        _checkDuration(params.verifyDuration, MINIMUM_PHASE);
        _checkDuration(params.challengeDuration, MINIMUM_CHALLENGE);
    }

    function _checkBond(uint256 bond) private view {
        if (bond < MINIMUM_BOND) revert BondTooSmall(bond, MINIMUM_BOND);
        if (bond % HotWord.BOND_UNIT != 0) revert BondTooFine(bond);
        if (bond > type(uint64).max * HotWord.BOND_UNIT) revert AmountTooLarge(bond);
    }

    function _checkDuration(uint256 duration, uint256 minimum) private pure {
        if (duration < minimum || duration > MAX_DURATION) revert BadDuration(duration, minimum);
    }
}
