// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Phase of a round at one instant. `libraries/Phases.sol` says when each holds.
enum Phase {
    None,
    Commit,
    Gap,
    Reveal,
    Verify,
    Challenge,
    Disputed,
    Settleable,
    Settled,
    Cancellable,
    Cancelled
}

/// @dev What a signed row says. `Fee` is not about a delta: it pays a verifier. `Excluded` costs a part of the bond;
/// `Spared` is not paid either, through no fault of its own, and has the whole bond back.
enum Verdict {
    None,
    Accepted,
    Excluded,
    Invalid,
    Fee,
    Spared
}

/// @dev What became of one address in one round. `Verifier` and `VerifierPaid` exclude every solver state.
enum Standing {
    None,
    Committed,
    Revealed,
    Released,
    Slashed,
    Verifier,
    VerifierPaid
}

/// @dev Why a round was cancelled.
enum CancelCause {
    None,
    NoCommits,
    NotUnsealed,
    NoReveals,
    Expired,
    Overturned
}

/// @dev Why a bond or stake was taken. `NotUnsealed` is the proposer's; `Excluded` is the part of a bond.
enum SlashCause {
    None,
    NotRevealed,
    Invalid,
    Equivocation,
    Overturned,
    ChallengeRejected,
    NotUnsealed,
    Excluded
}

/// @dev What a claim paid: a solver's reward, a verifier's fee, a share of a forfeited unseal bond.
enum ClaimKind {
    Reward,
    Fee,
    UnsealShare
}

/// @dev Whether a set could carry a round now, and if not, the first reason why not.
enum Readiness {
    Ready,
    Unknown,
    NotJoined,
    StakeTooLow,
    CapExhausted
}
