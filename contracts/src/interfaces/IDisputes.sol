// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Recorded, Result, Signature} from "../types/Round.sol";

/// @title Disputes about recorded results, and slashing proofs against verifiers.
/// @notice Any number of accounts may challenge a result while CHALLENGE lasts, each with a bond of its own, so that a
/// weak challenge shields nothing. The arbiter judges the result, not the evidence: a result is to be overturned that
/// anybody who recomputes it finds false, or whose sheet or deltas cannot be had in time from proposer and verifiers (an
/// unavailable sheet lets nobody claim, so it counts as false).
///
/// While a round is disputed, the reporter's tenth of whatever any of its signers loses, for any cause and in any round,
/// is set aside for the challenger that the arbiter names.
interface IDisputes {
    /// @param evidence digest of a document; it should name the challenger, since a digest can be copied.
    event Challenged(uint256 indexed roundId, address indexed challenger, bytes32 evidence, uint128 bond);
    /// @param winner the challenger that is rewarded; zero if the result was upheld.
    event Resolved(uint256 indexed roundId, bool overturned, address indexed winner, uint256 reward);
    /// @param returned whether the bond was given back; otherwise it was slashed.
    event ChallengeClosed(uint256 indexed roundId, address indexed challenger, uint256 amount, bool returned);

    error NotArbiter(address caller);
    /// @dev What was shown is not what was recorded.
    error NotRecorded(uint256 roundId);
    error AlreadyChallenged(uint256 roundId, address challenger);
    error NotChallenger(uint256 roundId, address account);
    /// @dev The dispute is not decided yet.
    error ChallengeOpen(uint256 roundId, address challenger);
    /// @dev The two results are equal, or of different rounds, or not signed by the same verifier.
    error NoEquivocation();
    error AlreadySlashed(uint256 roundId, address account);

    /// @notice Disputes a recorded result with a bond of max(minimum bond, payout * challengeBondBps / 10000): from the
    /// caller's free stake if it never joined a verifier set and owes nothing, and what is missing from its tokens
    /// (which must be approved).
    /// @dev Anyone, once between two decisions, in CHALLENGE and in DISPUTED until the challenge window ends; also while
    /// paused. Copying somebody's evidence gains nothing unless the arbiter takes the copy for the original. 120k gas.
    function challenge(uint256 roundId, bytes32 evidence, Recorded calldata recorded) external;

    /// @notice Arbiter only, in DISPUTED: the round is cancelled, every signer owes `minimumVerifierStake`, and `winner`,
    /// one of the challengers, gets a tenth of what could be taken, and what was set aside.
    /// @dev For 160k gas with two signers. Signers may unbond before it; what is unbonding is taken all the same.
    function overturn(uint256 roundId, Recorded calldata recorded, address winner) external;

    /// @notice Arbiter only, in DISPUTED: every challenger loses its bond, and the result is open to challenge as before.
    /// @dev For 49k gas. Who challenges just before it loses its bond with the others.
    function uphold(uint256 roundId) external;

    /// @notice Ends one challenge after the dispute was decided, or after the round was settled because the arbiter was
    /// silent: gives the bond back, or slashes it. Anyone, once.
    /// @dev For 73k gas. Whoever sends it, the bond goes where it belongs.
    function closeChallenge(uint256 roundId, address challenger) external;

    /// @notice Takes stake of a verifier that signed two different results for one round; a tenth to the caller. What is
    /// not there to take is a debt. From then on it has no fee and no vote in this round.
    /// @dev Anyone, any time, once per round and verifier. Can be front-run for the tenth, which is only paid at once
    /// when the round's result cannot be challenged (yet or any more): until then it waits for a successful challenger.
    /// 130k gas.
    function slashEquivocation(
        Result calldata first,
        Signature calldata firstSignature,
        Result calldata second,
        Signature calldata secondSignature
    ) external;
}
