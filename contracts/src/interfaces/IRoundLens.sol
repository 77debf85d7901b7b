// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase, Readiness, Standing} from "../types/Enums.sol";
import {Recorded, Result} from "../types/Round.sol";
import {AccountView, ProjectView, RoundView, SetView} from "../types/Views.sol";
import {ITrainingRounds} from "./ITrainingRounds.sol";

/// @title Everything that can be read of a deployment.
interface IRoundLens {
    function rounds() external view returns (ITrainingRounds);

    function setCount() external view returns (uint256);
    function projectCount() external view returns (uint256);
    function roundCount() external view returns (uint256);

    function phase(uint256 roundId) external view returns (Phase);
    function getRound(uint256 roundId) external view returns (RoundView memory);
    /// @notice The newest rounds of a project, newest first.
    function roundsOf(uint256 projectId, uint256 limit) external view returns (uint256[] memory roundIds);
    function getProject(uint256 projectId) external view returns (ProjectView memory);
    /// @notice Whether the data was unsealed in a round of the project.
    function isShardUsed(uint256 projectId, bytes32 shard) external view returns (bool);

    function getSet(uint256 setId) external view returns (SetView memory);
    /// @notice Whether the set could carry a round with this escrow (budget + fee) now, or the first reason why not.
    function canOpen(uint256 setId, uint256 escrow) external view returns (Readiness);
    function isAdmitted(uint256 setId, address proposer) external view returns (bool);
    function hasJoined(uint256 setId, address member) external view returns (bool);
    /// @notice Sets that the account joined, those it left while their rounds are open included.
    function setsOf(address account) external view returns (uint256[] memory setIds);

    function accountOf(address account) external view returns (AccountView memory);
    /// @notice What one call pays out to the account now: `withdraw` for solvers, `withdrawUnbonded` for verifiers.
    function withdrawable(address account) external view returns (uint256);
    /// @notice Pending unbond requests, oldest first.
    function unbondRequestsOf(address account)
        external
        view
        returns (uint128[] memory amounts, uint64[] memory availableAt);

    /// @notice An account in a round. A solver's standing is kept until it commits in a round of the same project eight
    /// or a multiple of eight rounds later; from then on it reads `None`.
    /// @return commitment first 29 bytes of the hash while it is unopened, 0 otherwise.
    function commitmentOf(uint256 roundId, address account)
        external
        view
        returns (bytes29 commitment, Standing standing);
    /// @notice A challenger's bond that has not been closed, 0 without one.
    function challengeOf(uint256 roundId, address challenger) external view returns (uint256 bond);
    /// @notice Bond that a challenge of a result with this payout needs.
    function challengeBondOf(uint128 payout) external view returns (uint256);
    /// @notice Whether this is what the round recorded.
    function isRecorded(uint256 roundId, Recorded calldata recorded) external view returns (bool);
    /// @notice EIP-712 digest that a verifier signs.
    function hashResult(Result calldata result) external view returns (bytes32);
    /// @notice EIP-712 digest that a solver signs for `commitMany`.
    function hashCommit(uint256 roundId, bytes32 commitment) external view returns (bytes32);
}
