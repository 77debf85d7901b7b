// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Phase of a round at one instant. `libraries/Phases.sol` says when each holds.
enum Phase {
    /// There is no such round.
    None,
    /// Solvers train and commit.
    Commit,
    /// Commits are over: a shard is drawn and unsealed.
    Gap,
    /// Solvers reveal what they committed to.
    Reveal,
    /// Verifiers score and sign; their result can be recorded.
    Verify,
    /// A result is recorded and can be disputed.
    Challenge,
    /// It was disputed, and the arbiter has not decided.
    Disputed,
    /// The result stands, and nobody has settled yet.
    Settleable,
    /// Paid out of the escrow; an end.
    Settled,
    /// The round has failed, and nobody has cancelled it yet.
    Cancellable,
    /// An end without a result.
    Cancelled
}

/// @dev What a signed row says. `Fee` is not about a delta: it pays a verifier. `Excluded` costs a part of the bond;
/// `Spared` is not paid either, through no fault of its own, and has the whole bond back.
enum Verdict {
    /// Of no row.
    None,
    /// Merged; paid where its gain is positive.
    Accepted,
    /// Not merged and not paid, no fault proved: a part of the bond is lost.
    Excluded,
    /// A fault that anyone can recompute: the bond is lost.
    Invalid,
    /// Not about a delta: pays a verifier.
    Fee,
    /// Not merged and not paid, through no fault of its own: the whole bond returns.
    Spared
}

/// @dev What became of one address in one round. `Verifier` and `VerifierPaid` exclude every solver state.
enum Standing {
    /// Took no part.
    None,
    /// A solver that has not revealed.
    Committed,
    /// A solver whose bond is locked.
    Revealed,
    /// A solver that has its bond back, or what is left of it.
    Released,
    /// A solver that lost its bond.
    Slashed,
    /// A member of the round's set.
    Verifier,
    /// One that has claimed its fee.
    VerifierPaid
}

/// @dev Why a round was cancelled.
enum CancelCause {
    /// It was not.
    None,
    /// Nobody committed.
    NoCommits,
    /// The proposer did not unseal the drawn shard.
    NotUnsealed,
    /// Nobody revealed.
    NoReveals,
    /// No result was recorded in time.
    Expired,
    /// The arbiter overturned the result.
    Overturned
}

/// @dev Why a bond or stake was taken. `NotUnsealed` is the proposer's; `Excluded` is the part of a bond.
enum SlashCause {
    /// Nothing was.
    None,
    /// A solver committed and did not reveal.
    NotRevealed,
    /// A solver's delta has a fault that anyone can recompute.
    Invalid,
    /// A verifier signed two results of one round.
    Equivocation,
    /// A verifier signed a result that the arbiter overturned.
    Overturned,
    /// A challenger disputed a result that stood.
    ChallengeRejected,
    /// A proposer did not unseal the drawn shard.
    NotUnsealed,
    /// A solver's delta was excluded: the part of its bond that this costs.
    Excluded
}

/// @dev What a claim paid: a solver's reward, a verifier's fee, a share of a forfeited unseal bond.
enum ClaimKind {
    /// Of a solver, for gain.
    Reward,
    /// Of a verifier.
    Fee,
    /// Of a solver that revealed, out of a forfeited unseal bond.
    UnsealShare
}

/// @dev Whether a set could carry a round now, and if not, the first reason why not.
enum Readiness {
    /// It could.
    Ready,
    /// There is no such set.
    Unknown,
    /// A member has not joined.
    NotJoined,
    /// A member has less free stake than the minimum.
    StakeTooLow,
    /// The escrow of its open rounds would exceed its cap.
    CapExhausted
}
