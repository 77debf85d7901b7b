// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Configuration} from "../types/Round.sol";
import {IClaims} from "./IClaims.sol";
import {IDisputes} from "./IDisputes.sol";
import {IProjects} from "./IProjects.sol";
import {IRounds} from "./IRounds.sol";
import {IStakes} from "./IStakes.sol";
import {IVerifierSets} from "./IVerifierSets.sol";

/// @title Training rounds: stakes, verifier sets, projects and rounds at one address.
/// @notice Reading goes through `RoundLens`, which decodes what `extsload` shows. A pause stops deposits and openings;
/// commits into open rounds, challenges and every exit keep working, and the clocks of open rounds run on.
///
/// Costs in these interfaces are whole transactions, 21,000 and calldata included, to two digits, as `benchmarks/gas.py`
/// and `test/GasCold.t.sol` print them for the release bytecode.
interface ITrainingRounds is IStakes, IVerifierSets, IProjects, IRounds, IDisputes, IClaims {
    /// @dev A deployment parameter makes no sense.
    error BadConfiguration();
    /// @dev An owner that leaves while paused would leave the pause for ever.
    error CannotRenounceWhilePaused();
    /// @dev No function of this deployment has this selector.
    error UnknownFunction(bytes4 selector);

    // The office of the owner passes in two steps, by OpenZeppelin's `Ownable2Step`: `transferOwnership` (owner) names
    // who may `acceptOwnership`; `renounceOwnership` (owner) gives it up for good, though not while paused.

    /// @notice Owner only: stops deposits and openings, nothing else.
    /// @dev Any time, for 28k gas. Whoever sees it coming can still deposit or open before it.
    function pause() external;
    /// @notice Owner only: ends a pause.
    /// @dev Any time, for 27k gas. Nothing can be gained by what comes before it.
    function unpause() external;
    /// @notice Whether deposits and openings are stopped.
    function paused() external view returns (bool);

    /// @notice What was fixed at deployment.
    function configuration() external view returns (Configuration memory);
    /// @notice Raw storage words, for `RoundLens`.
    function extsload(bytes32[] calldata slots) external view returns (bytes32[] memory words);
}
