// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IVerifierSets} from "./IVerifierSets.sol";

/// @title Projects: what is trained, on what, judged by whom, and the current model.
/// @notice Everything but the model head and the used evaluation shards is fixed at creation.
interface IProjectRegistry {
    /// @param owner the proposer: only it opens rounds and unseals evaluation shards.
    /// @param evaluationCount number of sealed evaluation shards, 1 to 256.
    /// @param recipe,dataset,metadata SHA-256 digests of the documents.
    /// @param model SHA-256 digest of the current model; advanced by settled rounds.
    /// @param evaluationRoot Merkle root over `keccak256(abi.encode(uint32 index, bytes32 shard, bytes32 blinding))`.
    /// @param usedShards bitmap of evaluation shards already drawn.
    /// @param activeRound the round now open, 0 without one.
    struct Project {
        address owner;
        uint32 evaluationCount;
        uint256 verifierSet;
        bytes32 recipe;
        bytes32 dataset;
        bytes32 model;
        bytes32 evaluationRoot;
        bytes32 metadata;
        uint256 usedShards;
        uint256 activeRound;
    }

    event ProjectCreated(
        uint256 indexed projectId,
        address indexed owner,
        bytes32 recipe,
        bytes32 dataset,
        bytes32 model,
        bytes32 evaluationRoot,
        uint32 evaluationCount,
        uint256 verifierSet,
        bytes32 metadata
    );
    event ModelAdvanced(uint256 indexed projectId, uint256 indexed roundId, bytes32 model);

    error ZeroAddress();
    /// @dev Recipe, dataset, model and evaluation root must be given.
    error ZeroDigest();
    error BadEvaluationCount(uint32 count);
    error UnknownVerifierSet(uint256 setId);
    error UnknownProject(uint256 projectId);
    error NotRounds(address caller);
    /// @dev One round at a time: `roundId` is still open.
    error ProjectBusy(uint256 projectId, uint256 roundId);
    error NoActiveRound(uint256 projectId);
    error ShardAlreadyUsed(uint256 projectId, uint32 index);
    error ShardOutOfRange(uint256 projectId, uint32 index);

    /// @notice Registers a project owned by the caller.
    function createProject(
        bytes32 recipe,
        bytes32 dataset,
        bytes32 model,
        bytes32 evaluationRoot,
        uint32 evaluationCount,
        uint256 verifierSet,
        bytes32 metadata
    ) external returns (uint256 projectId);

    /// @notice Training rounds only: marks `roundId` as the project's open round.
    function begin(uint256 projectId, uint256 roundId) external;

    /// @notice Training rounds only: closes the open round and moves the head to `model` (the base again if nothing won).
    function finish(uint256 projectId, bytes32 model) external;

    /// @notice Training rounds only: burns one evaluation shard, whatever becomes of the round.
    function useShard(uint256 projectId, uint32 index) external;

    /// @notice The project; all fields zero for an unknown id.
    function getProject(uint256 projectId) external view returns (Project memory);
    function rounds() external view returns (address);
    function sets() external view returns (IVerifierSets);
}
