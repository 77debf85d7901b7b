// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IProjectRegistry} from "./interfaces/IProjectRegistry.sol";
import {IVerifierSets} from "./interfaces/IVerifierSets.sol";
import {EvaluationShards} from "./libraries/EvaluationShards.sol";

/// @title ProjectRegistry
/// @notice See `IProjectRegistry`.
contract ProjectRegistry is IProjectRegistry {
    address public immutable rounds;
    IVerifierSets public immutable sets;

    /// @notice Projects registered so far; ids count from 1.
    uint256 public projectCount;

    mapping(uint256 projectId => Project) private _projects;

    modifier onlyRounds() {
        _checkRounds();
        _;
    }

    /// @param rounds_ address at which the training rounds contract will be deployed; its constructor checks the pair.
    constructor(IVerifierSets sets_, address rounds_) {
        if (address(sets_) == address(0) || rounds_ == address(0)) revert ZeroAddress();
        sets = sets_;
        rounds = rounds_;
    }

    /// @inheritdoc IProjectRegistry
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
            revert ZeroDigest();
        }
        if (evaluationCount == 0 || evaluationCount > EvaluationShards.MAX_COUNT) {
            revert BadEvaluationCount(evaluationCount);
        }
        if (sets.thresholdOf(verifierSet) == 0) revert UnknownVerifierSet(verifierSet);
        projectId = ++projectCount;
        _projects[projectId] = Project({
            owner: msg.sender,
            evaluationCount: evaluationCount,
            verifierSet: verifierSet,
            recipe: recipe,
            dataset: dataset,
            model: model,
            evaluationRoot: evaluationRoot,
            metadata: metadata,
            usedShards: 0,
            activeRound: 0
        });
        emit ProjectCreated(
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

    /// @inheritdoc IProjectRegistry
    function begin(uint256 projectId, uint256 roundId) external onlyRounds {
        Project storage project = _projects[projectId];
        if (project.owner == address(0)) revert UnknownProject(projectId);
        if (project.activeRound != 0) revert ProjectBusy(projectId, project.activeRound);
        project.activeRound = roundId;
    }

    /// @inheritdoc IProjectRegistry
    function finish(uint256 projectId, bytes32 model) external onlyRounds {
        Project storage project = _projects[projectId];
        uint256 roundId = project.activeRound;
        if (roundId == 0) revert NoActiveRound(projectId);
        project.activeRound = 0;
        if (model != project.model) {
            project.model = model;
            emit ModelAdvanced(projectId, roundId, model);
        }
    }

    /// @inheritdoc IProjectRegistry
    function useShard(uint256 projectId, uint32 index) external onlyRounds {
        Project storage project = _projects[projectId];
        if (index >= project.evaluationCount) revert ShardOutOfRange(projectId, index);
        uint256 bit = uint256(1) << index;
        if (project.usedShards & bit != 0) revert ShardAlreadyUsed(projectId, index);
        project.usedShards |= bit;
    }

    /// @inheritdoc IProjectRegistry
    function getProject(uint256 projectId) external view returns (Project memory) {
        return _projects[projectId];
    }

    function _checkRounds() private view {
        if (msg.sender != rounds) revert NotRounds(msg.sender);
    }
}
