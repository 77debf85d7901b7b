// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProjects} from "../interfaces/IProjects.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../interfaces/IVerifierSets.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {ShardTree} from "../libraries/ShardTree.sol";
import {Configuration} from "../types/Round.sol";
import {Draws} from "./Draws.sol";
import {Project, State, Training, phaseOf, state} from "./RoundStorage.sol";
import {Solves} from "./Solves.sol";
import {Stakes} from "./Stakes.sol";

/// @title Projects and their sealed shards, from the block that draws one to its unsealing. Linked library of `TrainingRounds`; see `IProjects` and `IRounds`.
library Projects {
    function createProject(
        bytes32 recipe,
        bytes32 dataset,
        bytes32 model,
        bytes32 evaluationRoot,
        uint32 evaluationCount,
        uint256 verifierSet,
        bytes32 metadata
    ) external returns (uint256 projectId) {
        if (recipe == 0 || dataset == 0 || model == 0 || evaluationRoot == 0) {
            revert IProjects.ZeroDigest();
        }
        if (evaluationCount == 0 || evaluationCount > ShardTree.MAX_COUNT) {
            revert IProjects.BadEvaluationCount(evaluationCount);
        }
        State storage s = state();
        if (s.sets[verifierSet].count == 0) revert IVerifierSets.UnknownVerifierSet(verifierSet);
        s.counts.projects += 1;
        projectId = s.counts.projects;
        Project storage project = s.projects[projectId];
        (project.owner, project.verifierSet) = (msg.sender, uint32(verifierSet));
        project.lastShard = uint8(evaluationCount - 1);
        (project.recipe, project.dataset, project.model) = (recipe, dataset, model);
        (project.evaluationRoot, project.metadata) = (evaluationRoot, metadata);
        emit IProjects.ProjectCreated(
            projectId,
            msg.sender,
            recipe,
            dataset,
            model,
            evaluationRoot,
            evaluationCount,
            verifierSet,
            metadata
        );
    }

    function closeCommits(uint256 roundId) external {
        Training storage round = state().rounds[roundId];
        Draws.requireDrawable(roundId, round);
        if (round.terms.beaconBlock != 0) revert IRounds.BeaconAlreadyFixed(roundId);
        Configuration memory c = ITrainingRounds(address(this)).configuration();
        Draws.fix(roundId, round, c.beaconDelay, c.keeperReward);
        Stakes.credit(msg.sender, c.keeperReward);
    }

    function unseal(uint256 roundId, bytes32 shard, bytes32 blinding, bytes32[] calldata proof) external {
        Training storage round = state().rounds[roundId];
        Hot hot = round.hot;
        if (msg.sender != round.pot.proposer) revert IRounds.NotProposer(roundId, msg.sender);
        if (!hot.has(HotWord.DRAWN)) revert IRounds.BeaconNotDrawn(roundId);
        if (hot.has(HotWord.UNSEALED)) revert IRounds.AlreadyUnsealed(roundId);
        if (block.timestamp >= hot.revealEnd()) revert IRounds.WrongPhase(roundId, phaseOf(round));
        uint32 index = round.terms.evaluationIndex;
        Project storage project = state().projects[hot.project()];
        bytes32 leaf = ShardTree.leaf(index, shard, blinding);
        uint256 count = uint256(project.lastShard) + 1;
        if (!ShardTree.holds(project.evaluationRoot, count, index, leaf, proof)) {
            revert IRounds.WrongShard(roundId, index);
        }
        if (project.shards[shard]) revert IRounds.ShardReused(hot.project(), shard);
        project.shards[shard] = true;
        project.usedShards |= uint256(1) << index;
        emit IRounds.ShardUnsealed(roundId, index, shard, blinding);
        round.hot = Solves.closed(roundId, hot.with(HotWord.UNSEALED));
    }
}
