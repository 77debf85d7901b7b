// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CancelCause, ClaimKind, SlashCause, Verdict} from "../types/Enums.sol";
import {Leaf, ProvenLeaf, Recorded} from "../types/Round.sol";

/// @title Ends of rounds: settling, cancelling, claims, releases, and bonds that are lost.
interface IClaims {
    /// @param returned what went to the proposer's free stake.
    event RoundSettled(uint256 indexed roundId, bytes32 model, uint256 returned);
    /// @param returned what went to the proposer's free stake.
    event RoundCancelled(uint256 indexed roundId, CancelCause cause, uint256 returned);
    /// @dev `amount` went to the account's free stake.
    event Claimed(uint256 indexed roundId, address indexed account, uint256 amount, ClaimKind kind);
    /// @dev `amount` went from locked to free stake.
    event BondReleased(uint256 indexed roundId, address indexed solver, uint256 amount);
    event BondSlashed(uint256 indexed roundId, address indexed account, uint256 amount, SlashCause cause);
    /// @dev `amount` went to the treasury's free stake.
    event Swept(uint256 indexed roundId, address indexed treasury, uint256 amount);

    error NotUnrevealed(uint256 roundId, address account);
    error NotRevealed(uint256 roundId, address account);
    error BadProof(uint256 roundId, address account);
    error VerdictCannotClaim(Verdict verdict);
    error VerdictNotInvalid(Verdict verdict);
    /// @dev An excluded or spared delta earns nothing: the signed row is malformed.
    error ExcludedEarnsNothing(uint256 amount);
    error NothingToClaim(uint256 roundId, address account);
    error ClaimsOpen(uint256 roundId, uint64 until);
    error ClaimsEnded(uint256 roundId, uint64 closedAt);

    /// @notice After the challenge window, or after the arbiter was silent: moves the project's model and opens claims
    /// for 90 days. Anyone.
    /// @dev From the end of the challenge window on, for 81k to 98k gas. Nothing can be gained by sending something
    /// before it.
    function settle(uint256 roundId, Recorded calldata recorded) external;

    /// @notice Ends a round that cannot go on (phase CANCELLABLE), and with it the hold on its verifiers. Anyone.
    /// @dev For 91k gas. The cause follows from what is stored: nobody can choose it.
    function cancel(uint256 roundId) external;

    /// @notice Credits what a settled result owes to `leaf.account` as free stake and frees its bond, less `excludedBps`
    /// of it for an excluded delta, of which a tenth goes to the caller. Anyone may call for anyone, for 90 days.
    /// @dev Pays at most what is left of the recorded payout, so that a malformed result cannot keep a bond locked. 56k
    /// gas, of a verifier's fee 62k to 79k. Can be front-run for the tenth of an excluded row; else the money goes where
    /// it went.
    function claim(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external;

    /// @notice `claim` for many; what was claimed already is left out, a wrong row refuses the batch.
    /// @dev Anyone, for 23k gas each in batches of forty; what was claimed before it is only left out.
    function claimMany(uint256 roundId, ProvenLeaf[] calldata leaves) external;

    /// @notice Frees the bond of a caller that revealed: once the round was cancelled, or 14 days after its settlement,
    /// with a row in the result or without. In a round that was not unsealed it also credits the caller's share of the
    /// unseal bond. After it the caller can claim nothing more of the round.
    /// @dev The solver alone, for 49k gas. Whoever shows a row against it before takes what that row says.
    function releaseBond(uint256 roundId) external;

    /// @notice After the claims have ended, credits what nobody claimed to the treasury. Anyone.
    /// @dev For 50k gas. Nothing can be gained by sending something before it: claims are over.
    function sweep(uint256 roundId) external;

    /// @notice Takes the bond of a solver that did not reveal; a tenth to the caller. Anyone, after REVEAL.
    /// @dev For 96k gas. Can be front-run for the tenth, also by the solver.
    function slashNonReveal(uint256 roundId, address solver) external;

    /// @notice Takes the bond of a solver whose delta a settled result calls invalid; a tenth to the caller. Anyone.
    /// @dev A dishonest quorum can cost honest revealers their bonds this way, never more, and only after a challenge
    /// window in which anybody could have recomputed the verdicts. For 89k gas; can be front-run for the tenth.
    function slashInvalid(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external;
}
