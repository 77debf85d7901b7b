// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {HotWord} from "../libraries/Hot.sol";
import {CancelCause} from "../types/Enums.sol";
import {RoundParams} from "../types/Round.sol";
import {Admission} from "./Admission.sol";
import {RoundBase} from "./RoundBase.sol";
import {Escrow, Pot, Project, State, Terms, Training, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title Opening of rounds.
abstract contract Opening is RoundBase {
    /// @notice See `IRounds.openRound`.
    function openRound(RoundParams calldata params)
        external
        nonReentrant
        whenNotPaused
        returns (uint256 roundId)
    {
        _delegate(address(Admission), Admission.admitRound.selector);
        State storage s = state();
        Project storage project = s.projects[params.projectId];
        uint32 setId = project.verifierSet;
        s.counts.rounds += 1;
        roundId = s.counts.rounds;
        bytes32 seed = keccak256(abi.encode(block.prevrandao, roundId));
        uint256 commitEnd = block.timestamp + params.commitDuration;
        _store(s.rounds[roundId], project, params, commitEnd, seed);
        (project.lastRound, project.rounds, project.busy) = (uint32(roundId), project.rounds + 1, true);
        emit IRounds.RoundOpened(
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
}
