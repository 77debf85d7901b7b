// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IProjectRegistry} from "./IProjectRegistry.sol";
import {IStakeVault} from "./IStakeVault.sol";
import {IVerifierSets} from "./IVerifierSets.sol";

/// @title Training rounds: commit, unseal, reveal, record, challenge, settle, claim.
/// @notice Phases derive from `block.timestamp`; only terminal facts are stored, so no keeper is needed.
///
///   COMMIT --> GAP --> REVEAL --> VERIFY --recordTraining--> CHALLENGE --> SETTLEABLE --> SETTLED --> claims
///     | no commit        | no reveal,   | no result in time     | challenge      ^
///     |                  | not unsealed |                       v                | rejected, or arbiter silent
///     +------------------+--------------+--> CANCELLED <---- DISPUTED -----------+
///                                            overturned
///
/// A pause stops `openRound`, `commit` and deposits into the vault; every other function keeps working.
interface ITrainingRounds {
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

    /// @dev `Fee` is not about a delta: it pays a verifier of the round.
    enum Verdict {
        None,
        Accepted,
        Excluded,
        Invalid,
        Fee
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

    /// @dev Why a round was cancelled: the `cause` of `RoundCancelled` and of a round's view.
    enum CancelCause {
        None,
        NoCommits,
        NotUnsealed,
        NoReveals,
        Expired,
        Overturned
    }

    /// @dev Why a bond or stake was taken: the `cause` of `BondSlashed`. `NotUnsealed` is the proposer's.
    enum SlashCause {
        None,
        NotRevealed,
        Invalid,
        Equivocation,
        Overturned,
        ChallengeRejected,
        NotUnsealed
    }

    /// @param token the one ERC-20 of the deployment; must equal the vault's.
    /// @param arbiter resolves challenges. If it stays silent, results stand.
    /// @param owner may pause entries, nothing else.
    /// @param minimumBudget smallest reward budget of a round.
    /// @param minimumBond smallest solver bond, unseal bond and challenge bond.
    /// @param minimumChallengeDuration seconds, at least 1.
    /// @param resolveDuration seconds the arbiter has after a challenge.
    /// @param challengeBondBps challenge bond in basis points of the recorded payout.
    struct Configuration {
        IERC20 token;
        IStakeVault vault;
        IVerifierSets sets;
        IProjectRegistry registry;
        address arbiter;
        address owner;
        uint128 minimumBudget;
        uint128 minimumBond;
        uint32 minimumChallengeDuration;
        uint32 resolveDuration;
        uint16 challengeBondBps;
    }

    /// @param spec SHA-256 digest of the round's specification document.
    /// @param budget most that solvers can earn together.
    /// @param fee most that verifiers can earn together.
    /// @param bond stake each solver locks per commit.
    /// @param unsealBond lost to the revealers if the proposer does not unseal the drawn shard before the reveals end.
    /// @param commitDuration,gap,revealDuration,verifyDuration,challengeDuration seconds, each at most 30 days.
    /// @param maxSolvers the commit phase closes at once with this many commits; 0 means no cap.
    struct RoundParams {
        uint256 projectId;
        bytes32 spec;
        uint128 budget;
        uint128 fee;
        uint128 bond;
        uint128 unsealBond;
        uint32 commitDuration;
        uint32 gap;
        uint32 revealDuration;
        uint32 verifyDuration;
        uint32 challengeDuration;
        uint32 maxSolvers;
    }

    /// @notice One row of the signed result. Merkle leaf: `keccak256(bytes.concat(keccak256(abi.encode(uint256 roundId,
    /// address account, bytes32 digest, uint8 verdict, int64 gain, uint128 amount))))`, OpenZeppelin sorted pairs.
    struct Leaf {
        address account;
        bytes32 digest;
        Verdict verdict;
        int64 gain;
        uint128 amount;
    }

    /// @notice A verifier's own measured improvement and its EIP-712 signature over the `Result` that carries it.
    struct Attestation {
        int64 improvement;
        bytes signature;
    }

    /// @notice EIP-712 struct that verifiers sign; domain name "jepanet", version "1", this chain, this contract.
    struct Result {
        uint256 roundId;
        bytes32 root;
        bytes32 model;
        bytes32 sheet;
        uint128 payout;
        int64 improvement;
    }

    /// @notice Everything about a round.
    /// @param base model the round started from.
    /// @param model the base until a result is recorded, then the recorded model.
    /// @param resolveEnd end of the arbiter's time, 0 if never challenged.
    /// @param claimEnd end of the claims, 0 until settled.
    /// @param feesClaimed the part of `claimed` that went to verifiers.
    /// @param signers bitmap of set positions whose signatures were accepted.
    /// @param cause why it was cancelled (see `RoundCancelled`), 0 otherwise.
    struct Round {
        address proposer;
        uint256 projectId;
        bytes32 spec;
        bytes32 base;
        uint128 budget;
        uint128 fee;
        uint128 bond;
        uint128 unsealBond;
        uint64 openedAt;
        uint64 commitEnd;
        uint64 revealStart;
        uint64 revealEnd;
        uint64 verifyEnd;
        uint64 challengeEnd;
        uint32 maxSolvers;
        uint32 commits;
        uint32 reveals;
        bool beaconDrawn;
        uint32 evaluationIndex;
        bool unsealed;
        bytes32 shard;
        bytes32 root;
        bytes32 model;
        bytes32 sheet;
        uint128 payout;
        int64 improvement;
        uint128 claimed;
        address challenger;
        Phase phase;
        uint256 verifierSet;
        uint32 threshold;
        uint64 resolveEnd;
        uint64 claimEnd;
        uint128 feesClaimed;
        uint32 signers;
        uint8 cause;
    }

    /// @param seed training randomness of the round.
    event RoundOpened(
        uint256 indexed roundId,
        uint256 indexed projectId,
        address indexed proposer,
        RoundParams params,
        bytes32 base,
        uint256 verifierSet,
        bytes32 seed,
        uint64 commitEnd
    );
    event Committed(uint256 indexed roundId, address indexed solver, bytes32 commitment, uint32 index);
    /// @dev Only when the last free place was taken before the deadline.
    event CommitsClosed(uint256 indexed roundId, uint64 at);
    event BeaconDrawn(uint256 indexed roundId, uint256 beacon, uint32 index);
    event ShardUnsealed(uint256 indexed roundId, uint32 index, bytes32 shard, bytes32 blinding);
    event Revealed(uint256 indexed roundId, address indexed solver, bytes32 digest, bytes32 salt);
    /// @dev Only when everything was revealed and unsealed before the deadline.
    event RevealsClosed(uint256 indexed roundId, uint64 at);
    event TrainingRecorded(
        uint256 indexed roundId,
        bytes32 root,
        bytes32 model,
        bytes32 sheet,
        uint128 payout,
        int64 improvement,
        uint64 challengeEnd
    );
    event Challenged(uint256 indexed roundId, address indexed challenger, bytes32 evidence);
    event Resolved(uint256 indexed roundId, bool overturned);
    /// @param returned what went back to the proposer's credit.
    event RoundSettled(uint256 indexed roundId, bytes32 model, uint256 returned);
    /// @param cause a `CancelCause`.
    event RoundCancelled(uint256 indexed roundId, uint8 cause);
    /// @dev Also for a revealer's share of a forfeited unseal bond.
    event Claimed(uint256 indexed roundId, address indexed account, uint256 amount);
    event BondReleased(uint256 indexed roundId, address indexed solver, uint256 amount);
    /// @param cause a `SlashCause`.
    event BondSlashed(uint256 indexed roundId, address indexed account, uint256 amount, uint8 cause);
    event Swept(uint256 indexed roundId, address indexed proposer, uint256 amount);
    event CreditWithdrawn(address indexed account, uint256 amount);

    error ZeroAddress();
    /// @dev A deployment parameter makes no sense: token, rounds address or bound disagree.
    error BadConfiguration();
    error NotProjectOwner(uint256 projectId, address caller);
    error NotProposer(uint256 roundId, address caller);
    error NotArbiter(address caller);
    /// @dev The round is in another phase than the call needs.
    error WrongPhase(uint256 roundId, Phase phase);
    error BudgetTooSmall(uint256 budget, uint256 minimum);
    error BondTooSmall(uint256 bond, uint256 minimum);
    /// @dev Amounts must fit in 96 bits.
    error AmountTooLarge(uint256 amount);
    /// @dev A duration is below its minimum or above 30 days.
    error BadDuration(uint256 duration, uint256 minimum);
    error ZeroDigest();
    /// @dev Not every member of the verifier set has joined.
    error VerifierSetInactive(uint256 setId);
    /// @dev Every evaluation shard of the project has been drawn.
    error NoShardsLeft(uint256 projectId);
    error TokenTookFee(uint256 asked, uint256 received);
    /// @dev Values below 256 mark states and cannot be commitments.
    error BadCommitment(bytes32 commitment);
    error AlreadyCommitted(uint256 roundId, address account);
    error VerifierCannotCommit(uint256 roundId, address account);
    error BeaconAlreadyDrawn(uint256 roundId);
    /// @dev The beacon is drawn in a later second than the one in which the commits closed.
    error BeaconTooEarly(uint256 roundId);
    error BeaconNotDrawn(uint256 roundId);
    error AlreadyUnsealed(uint256 roundId);
    error WrongShard(uint256 roundId, uint32 index);
    error CommitmentMismatch(uint256 roundId, address solver);
    error NotEnoughAttestations(uint256 given, uint256 needed);
    /// @dev Attestations must be sorted by improvement, ascending.
    error AttestationsNotSorted(uint256 position);
    error NotVerifier(uint256 roundId, address signer);
    error DuplicateSigner(uint256 roundId, address signer);
    /// @dev The signer was already slashed in this round; its signature no longer counts.
    error SignerSlashed(uint256 roundId, address signer);
    error PayoutTooLarge(uint256 payout, uint256 limit);
    /// @dev Without a positive improvement the model stays at the base, and with one it moves.
    error ModelContradictsImprovement(int64 improvement);
    /// @dev The two results are equal, or of different rounds, or not signed by the same verifier.
    error NoEquivocation();
    error AlreadySlashed(uint256 roundId, address account);
    /// @dev The verifier has no slashable stake now; the proof stays good for later.
    error NothingToSlash(address account);
    error NotUnrevealed(uint256 roundId, address account);
    error NotRevealed(uint256 roundId, address account);
    error BadProof(uint256 roundId, address account);
    error VerdictCannotClaim(Verdict verdict);
    error VerdictNotInvalid(Verdict verdict);
    /// @dev An excluded delta earns nothing: the signed row is malformed.
    error ExcludedEarnsNothing(uint256 amount);
    error NothingToClaim(uint256 roundId, address account);
    error ClaimsOpen(uint256 roundId, uint64 until);
    error ClaimsEnded(uint256 roundId, uint64 closedAt);
    error NoCredit(address account);

    // ---------------------------------------------------------------- proposer

    /// @notice Opens a round of the caller's project and pulls budget + fee + unseal bond from its allowance.
    /// @dev Holds the stake of every verifier of the project's set until the latest time at which it can be overturned.
    function openRound(RoundParams calldata params) external returns (uint256 roundId);

    /// @notice Publishes the drawn evaluation shard, with proof against the project's root; before the reveals end.
    function unseal(uint256 roundId, bytes32 shard, bytes32 blinding, bytes32[] calldata proof) external;

    // ---------------------------------------------------------------- solvers

    /// @notice Commits to a delta and locks the round's bond from the caller's free stake.
    /// @param commitment `keccak256(abi.encode(block.chainid, address(this), roundId, msg.sender, digest, salt))`.
    function commit(uint256 roundId, bytes32 commitment) external;

    /// @notice Opens the caller's commitment. The bond stays locked until the round is settled or cancelled.
    function reveal(uint256 roundId, bytes32 digest, bytes32 salt) external;

    /// @notice Frees the caller's bond in a cancelled round, or after the claims of a settled one have ended. In a round
    /// that was not unsealed it also credits the caller's share of the unseal bond.
    function releaseBond(uint256 roundId) external;

    // ---------------------------------------------------------------- verification

    /// @notice Records the randomness that picks an unused evaluation shard; anyone, after commits closed.
    function drawBeacon(uint256 roundId) external returns (uint32 index);

    /// @notice Records the signed result. Anyone may submit it: authority is in the signatures.
    /// @param attestations sorted by improvement; the (lower) median is recorded.
    function recordTraining(
        uint256 roundId,
        bytes32 root,
        bytes32 model,
        bytes32 sheet,
        uint128 payout,
        Attestation[] calldata attestations
    ) external;

    /// @notice Disputes a recorded result; locks max(minimum bond, payout * bps / 10000) of the caller's free stake.
    function challenge(uint256 roundId, bytes32 evidence) external;

    /// @notice Arbiter only, and about the result rather than the evidence: a last-minute challenge may be a poor one.
    /// Overturned: the round is cancelled, the signers lose stake, the challenger gets its bond back
    /// and a reporter's part. Rejected: the challenger loses its bond and the result is open to challenge as before.
    function resolve(uint256 roundId, bool overturn) external;

    // ---------------------------------------------------------------- ends, open to anyone

    function settle(uint256 roundId) external;
    function cancel(uint256 roundId) external;

    /// @notice Takes the bond of a solver that did not reveal; 10 % to the caller.
    function slashNonReveal(uint256 roundId, address solver) external;

    /// @notice Takes the bond of a solver whose delta a settled result calls invalid; 10 % to the caller.
    function slashInvalid(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external;

    /// @notice Takes stake of a verifier that signed two different results for one round; 10 % to the caller.
    function slashEquivocation(
        Result calldata first,
        bytes calldata firstSignature,
        Result calldata second,
        bytes calldata secondSignature
    ) external;

    /// @notice Credits what a settled result owes to `leaf.account` and frees its bond; anyone may call for anyone.
    /// @dev Pays at most what is left of the recorded payout, so that a malformed result cannot keep a bond locked.
    function claim(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external;

    /// @notice After the claims have ended, credits what nobody claimed to the proposer.
    function sweep(uint256 roundId) external;

    /// @notice Pays out the caller's credit.
    function withdrawCredit() external;

    // ---------------------------------------------------------------- owner

    function pause() external;
    function unpause() external;

    // ---------------------------------------------------------------- views

    function phase(uint256 roundId) external view returns (Phase);
    function getRound(uint256 roundId) external view returns (Round memory);
    /// @return commitment the hash while it is unopened, 0 otherwise.
    /// @return standing a `Standing`.
    function commitmentOf(uint256 roundId, address account)
        external
        view
        returns (bytes32 commitment, uint8 standing);
    function creditOf(address account) external view returns (uint256);
    function roundCount() external view returns (uint256);
    /// @notice Bond that a challenge of the recorded result needs now.
    function challengeBondOf(uint256 roundId) external view returns (uint256);
    /// @notice EIP-712 digest that a verifier signs.
    function hashResult(Result calldata result) external view returns (bytes32);
    function token() external view returns (IERC20);
    function vault() external view returns (IStakeVault);
    function sets() external view returns (IVerifierSets);
    function registry() external view returns (IProjectRegistry);
    function arbiter() external view returns (address);
    function minimumBudget() external view returns (uint128);
    function minimumBond() external view returns (uint128);
    function minimumChallengeDuration() external view returns (uint32);
    function resolveDuration() external view returns (uint32);
    function challengeBondBps() external view returns (uint16);
}
