// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Projects: what is trained, on what, judged by whom, and the current model.
/// @notice Everything but the model head and the used evaluation shards is fixed at creation.
interface IProjects {
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

    /// @dev Digests of documents must be given.
    error ZeroDigest();
    error BadEvaluationCount(uint32 count);
    error TooManyProjects();

    /// @notice Registers a project owned by the caller: only it opens rounds and unseals evaluation shards.
    /// @param recipe,dataset,metadata SHA-256 digests of the documents.
    /// @param model SHA-256 digest of the first model.
    /// @param evaluationRoot root of a binary tree of depth ceil(log2(evaluationCount)) whose leaf at place `index` is
    /// `keccak256(abi.encode(uint32 index, bytes32 shard, bytes32 blinding))`, empty places zero, nodes
    /// `keccak256(left, right)` in that order.
    /// @param evaluationCount number of sealed evaluation shards, 1 to 256.
    /// @dev Anyone, any time, for 170k to 190k gas. Ids are given in order, so that another project can take the expected
    /// one. A set may be named without its consent; opening a round needs its curator's.
    function createProject(
        bytes32 recipe,
        bytes32 dataset,
        bytes32 model,
        bytes32 evaluationRoot,
        uint32 evaluationCount,
        uint256 verifierSet,
        bytes32 metadata
    ) external returns (uint256 projectId);
}
