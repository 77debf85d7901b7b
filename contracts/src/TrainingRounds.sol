// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IProjectRegistry} from "./interfaces/IProjectRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingRounds} from "./interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "./interfaces/IVerifierSets.sol";
import {EvaluationShards} from "./libraries/EvaluationShards.sol";
import {Results} from "./libraries/Results.sol";
import {Standings} from "./libraries/Standings.sol";

/// @title TrainingRounds
/// @notice See `ITrainingRounds`. Holds the escrow of every round and the credits it turned into:
/// `token.balanceOf(this) == sum of credits + sum of escrows`. No function loops over solvers.
/// @dev Chapters: opening, solvers, verification, disputes, ends, claims, slashing, views, rules.
contract TrainingRounds is ITrainingRounds, Ownable2Step, Pausable, ReentrancyGuardTransient, EIP712 {
    using SafeERC20 for IERC20;
    using Standings for bytes32;

    enum Status {
        Open,
        Recorded,
        Disputed,
        Settled,
        Cancelled
    }

    /// @dev All that a reveal needs, and most of what a commit needs.
    struct Clock {
        uint40 commitEnd;
        uint40 revealEnd;
        uint32 gap;
        uint32 verifyDuration;
        uint32 commits;
        uint32 reveals;
        uint8 evaluationIndex;
        bool beaconDrawn;
        bool unsealed;
    }

    struct Terms {
        uint96 bond;
        uint32 maxSolvers;
        uint32 revealDuration;
        uint32 challengeDuration;
        uint32 slashed;
    }

    /// @dev Shares its slot with `openedAt`, so that recording a payout does not start from an empty slot.
    struct Pot {
        uint96 payout;
        uint96 claimed;
        uint40 openedAt;
    }

    struct Escrow {
        uint96 budget;
        uint96 fee;
        uint40 claimEnd;
    }

    struct Outcome {
        uint48 projectId;
        uint48 verifierSet;
        int64 improvement;
        uint40 challengeEnd;
        uint32 signers;
        uint8 threshold;
        uint8 cause;
        Status status;
    }

    struct Dispute {
        address challenger;
        uint40 resolveEnd;
    }

    struct Training {
        Clock clock;
        Terms terms;
        Pot pot;
        Outcome outcome;
        Escrow escrow;
        address proposer;
        uint96 unsealBond;
        Dispute dispute;
        uint96 feesClaimed;
        bytes32 spec;
        bytes32 base;
        bytes32 model;
        bytes32 root;
        bytes32 sheet;
        bytes32 shard;
    }

    /// @notice Longest single phase, which bounds how long anybody's stake can be held.
    uint256 public constant MAX_DURATION = 30 days;
    /// @notice Time to claim after a round was settled.
    uint256 public constant CLAIM_DURATION = 90 days;

    uint8 private constant CANCELLED_NO_COMMITS = uint8(CancelCause.NoCommits);
    uint8 private constant CANCELLED_NOT_UNSEALED = uint8(CancelCause.NotUnsealed);
    uint8 private constant CANCELLED_NO_REVEALS = uint8(CancelCause.NoReveals);
    uint8 private constant CANCELLED_EXPIRED = uint8(CancelCause.Expired);
    uint8 private constant CANCELLED_OVERTURNED = uint8(CancelCause.Overturned);

    uint8 private constant SLASHED_NOT_REVEALED = uint8(SlashCause.NotRevealed);
    uint8 private constant SLASHED_INVALID = uint8(SlashCause.Invalid);
    uint8 private constant SLASHED_EQUIVOCATION = uint8(SlashCause.Equivocation);
    uint8 private constant SLASHED_OVERTURNED = uint8(SlashCause.Overturned);
    uint8 private constant SLASHED_CHALLENGE_REJECTED = uint8(SlashCause.ChallengeRejected);
    uint8 private constant SLASHED_NOT_UNSEALED = uint8(SlashCause.NotUnsealed);

    IERC20 public immutable token;
    IStakeVault public immutable vault;
    IVerifierSets public immutable sets;
    IProjectRegistry public immutable registry;
    address public immutable arbiter;
    uint128 public immutable minimumBudget;
    uint128 public immutable minimumBond;
    uint32 public immutable minimumChallengeDuration;
    uint32 public immutable resolveDuration;
    uint16 public immutable challengeBondBps;

    /// @inheritdoc ITrainingRounds
    uint256 public roundCount;
    /// @inheritdoc ITrainingRounds
    mapping(address account => uint256) public creditOf;

    mapping(uint256 roundId => Training) private _rounds;
    mapping(uint256 roundId => mapping(address account => bytes32)) private _standings;

    /// @dev Vault and registry must have been deployed with this contract's address.
    constructor(Configuration memory c) Ownable(c.owner) EIP712("jepanet", "1") {
        if (c.arbiter == address(0)) revert ZeroAddress();
        if (
            c.vault.rounds() != address(this) || c.registry.rounds() != address(this)
                || address(c.vault.token()) != address(c.token)
                || address(c.registry.sets()) != address(c.sets) || c.minimumBudget == 0 || c.minimumBond == 0
                || c.minimumBond > type(uint96).max || c.minimumChallengeDuration == 0
                || c.minimumChallengeDuration > MAX_DURATION || c.resolveDuration == 0
                || c.resolveDuration > MAX_DURATION || c.challengeBondBps > 10_000
        ) revert BadConfiguration();
        token = c.token;
        vault = c.vault;
        sets = c.sets;
        registry = c.registry;
        arbiter = c.arbiter;
        minimumBudget = c.minimumBudget;
        minimumBond = c.minimumBond;
        minimumChallengeDuration = c.minimumChallengeDuration;
        resolveDuration = c.resolveDuration;
        challengeBondBps = c.challengeBondBps;
    }

    // ---------------------------------------------------------------- opening

    /// @inheritdoc ITrainingRounds
    function openRound(RoundParams calldata params)
        external
        nonReentrant
        whenNotPaused
        returns (uint256 roundId)
    {
        _checkParams(params);
        IProjectRegistry.Project memory project = registry.getProject(params.projectId);
        if (project.owner != msg.sender) revert NotProjectOwner(params.projectId, msg.sender);
        if (EvaluationShards.exhausted(project.usedShards, project.evaluationCount)) {
            revert NoShardsLeft(params.projectId);
        }
        if (!sets.isActive(project.verifierSet)) revert VerifierSetInactive(project.verifierSet);

        roundId = ++roundCount;
        uint64 commitEnd = uint64(block.timestamp) + params.commitDuration;
        _store(_rounds[roundId], params, project, commitEnd);
        emit RoundOpened(
            roundId,
            params.projectId,
            msg.sender,
            params,
            project.model,
            project.verifierSet,
            keccak256(abi.encode(block.prevrandao, roundId)),
            commitEnd
        );

        address[] memory members = sets.membersOf(project.verifierSet);
        for (uint256 i = 0; i < members.length; ++i) {
            _standings[roundId][members[i]] = Standings.verifier(i);
        }

        registry.begin(params.projectId, roundId);
        // Until no result of the round can be overturned any more.
        uint64 until = commitEnd + params.gap + params.revealDuration + params.verifyDuration
            + params.challengeDuration + resolveDuration;
        vault.hold(members, until);
        _pull(uint256(params.budget) + params.fee + params.unsealBond);
    }

    function _checkParams(RoundParams calldata params) private view {
        if (params.spec == 0) revert ZeroDigest();
        if (params.budget < minimumBudget) revert BudgetTooSmall(params.budget, minimumBudget);
        if (params.bond < minimumBond) revert BondTooSmall(params.bond, minimumBond);
        if (params.unsealBond < minimumBond) revert BondTooSmall(params.unsealBond, minimumBond);
        _checkAmount(params.bond);
        _checkAmount(params.unsealBond);
        _checkAmount(uint256(params.budget) + params.fee);
        _checkDuration(params.commitDuration, 1);
        _checkDuration(params.gap, 1);
        _checkDuration(params.revealDuration, 1);
        _checkDuration(params.verifyDuration, 1);
        _checkDuration(params.challengeDuration, minimumChallengeDuration);
    }

    function _store(
        Training storage round,
        RoundParams calldata params,
        IProjectRegistry.Project memory project,
        uint64 commitEnd
    ) private {
        round.clock = Clock({
            commitEnd: uint40(commitEnd),
            revealEnd: uint40(commitEnd + params.gap + params.revealDuration),
            gap: params.gap,
            verifyDuration: params.verifyDuration,
            commits: 0,
            reveals: 0,
            evaluationIndex: 0,
            beaconDrawn: false,
            unsealed: false
        });
        round.terms = Terms({
            bond: uint96(params.bond),
            maxSolvers: params.maxSolvers,
            revealDuration: params.revealDuration,
            challengeDuration: params.challengeDuration,
            slashed: 0
        });
        round.pot.openedAt = uint40(block.timestamp);
        round.escrow.budget = uint96(params.budget);
        round.escrow.fee = uint96(params.fee);
        round.outcome.projectId = uint48(params.projectId);
        round.outcome.verifierSet = uint48(project.verifierSet);
        round.outcome.threshold = uint8(sets.thresholdOf(project.verifierSet));
        round.proposer = msg.sender;
        round.unsealBond = uint96(params.unsealBond);
        round.spec = params.spec;
        round.base = project.model;
        round.model = project.model;
    }

    // ---------------------------------------------------------------- solvers

    /// @inheritdoc ITrainingRounds
    function commit(uint256 roundId, bytes32 commitment) external nonReentrant whenNotPaused {
        Training storage round = _rounds[roundId];
        Clock memory clock = round.clock;
        if (block.timestamp >= clock.commitEnd) revert WrongPhase(roundId, phase(roundId));
        if (!commitment.isCommitment()) revert BadCommitment(commitment);
        bytes32 standing = _standings[roundId][msg.sender];
        if (standing != Standings.NONE) {
            if (standing.isVerifier()) revert VerifierCannotCommit(roundId, msg.sender);
            revert AlreadyCommitted(roundId, msg.sender);
        }

        _standings[roundId][msg.sender] = commitment;
        Terms memory terms = round.terms;
        uint32 index = clock.commits;
        clock.commits = index + 1;
        emit Committed(roundId, msg.sender, commitment, index);
        if (clock.commits == terms.maxSolvers) {
            clock.commitEnd = uint40(block.timestamp);
            clock.revealEnd = clock.commitEnd + clock.gap + terms.revealDuration;
            emit CommitsClosed(roundId, uint64(block.timestamp));
        }
        round.clock = clock;
        vault.lock(msg.sender, terms.bond);
    }

    /// @inheritdoc ITrainingRounds
    function reveal(uint256 roundId, bytes32 digest, bytes32 salt) external nonReentrant {
        Clock memory clock = _rounds[roundId].clock;
        if (block.timestamp < uint256(clock.commitEnd) + clock.gap || block.timestamp >= clock.revealEnd) {
            revert WrongPhase(roundId, phase(roundId));
        }
        bytes32 expected =
            keccak256(abi.encode(block.chainid, address(this), roundId, msg.sender, digest, salt));
        bytes32 standing = _standings[roundId][msg.sender];
        if (standing != expected || !expected.isCommitment()) revert CommitmentMismatch(roundId, msg.sender);

        _standings[roundId][msg.sender] = Standings.REVEALED;
        clock.reveals += 1;
        emit Revealed(roundId, msg.sender, digest, salt);
        _storeReveals(roundId, clock);
    }

    /// @inheritdoc ITrainingRounds
    function unseal(uint256 roundId, bytes32 shard, bytes32 blinding, bytes32[] calldata proof)
        external
        nonReentrant
    {
        Training storage round = _rounds[roundId];
        Clock memory clock = round.clock;
        if (msg.sender != round.proposer) revert NotProposer(roundId, msg.sender);
        if (!clock.beaconDrawn) revert BeaconNotDrawn(roundId);
        if (clock.unsealed) revert AlreadyUnsealed(roundId);
        if (block.timestamp >= clock.revealEnd) revert WrongPhase(roundId, phase(roundId));
        uint32 index = clock.evaluationIndex;
        bytes32 evaluationRoot = registry.getProject(round.outcome.projectId).evaluationRoot;
        if (!MerkleProof.verifyCalldata(proof, evaluationRoot, EvaluationShards.leaf(index, shard, blinding)))
        {
            revert WrongShard(roundId, index);
        }

        clock.unsealed = true;
        round.shard = shard;
        emit ShardUnsealed(roundId, index, shard, blinding);
        _storeReveals(roundId, clock);
    }

    /// @dev Whichever comes last, the last reveal or the unsealing, closes the reveal phase.
    function _storeReveals(uint256 roundId, Clock memory clock) private {
        if (clock.unsealed && clock.reveals == clock.commits) {
            clock.revealEnd = uint40(block.timestamp);
            emit RevealsClosed(roundId, uint64(block.timestamp));
        }
        _rounds[roundId].clock = clock;
    }

    // ---------------------------------------------------------------- verification

    /// @inheritdoc ITrainingRounds
    /// @dev The caller can choose the block, by waiting or by reverting, only until somebody else calls: every solver and
    /// verifier has an interest in calling first. A drawn shard is burnt, so a proposer cannot draw again by not unsealing.
    function drawBeacon(uint256 roundId) external nonReentrant returns (uint32 index) {
        Training storage round = _rounds[roundId];
        Clock memory clock = round.clock;
        Phase current = phase(roundId);
        if (clock.beaconDrawn) revert BeaconAlreadyDrawn(roundId);
        if (current != Phase.Gap && current != Phase.Reveal) revert WrongPhase(roundId, current);
        // Whoever fills the last place must not learn the outcome in the same transaction, or it could revert and retry.
        if (block.timestamp <= clock.commitEnd) revert BeaconTooEarly(roundId);

        uint256 projectId = round.outcome.projectId;
        uint256 beacon =
            uint256(keccak256(abi.encode(block.prevrandao, blockhash(block.number - 1), roundId)));
        IProjectRegistry.Project memory project = registry.getProject(projectId);
        index = EvaluationShards.pick(project.usedShards, project.evaluationCount, beacon);
        round.clock.evaluationIndex = uint8(index);
        round.clock.beaconDrawn = true;
        emit BeaconDrawn(roundId, beacon, index);
        registry.useShard(projectId, index);
    }

    /// @inheritdoc ITrainingRounds
    function recordTraining(
        uint256 roundId,
        bytes32 root,
        bytes32 model,
        bytes32 sheet,
        uint128 payout,
        Attestation[] calldata attestations
    ) external nonReentrant {
        Phase current = phase(roundId);
        if (current != Phase.Verify) revert WrongPhase(roundId, current);
        if (root == 0 || model == 0 || sheet == 0) revert ZeroDigest();
        Training storage round = _rounds[roundId];
        Outcome memory outcome = round.outcome;
        Terms memory terms = round.terms;
        if (attestations.length < outcome.threshold) {
            revert NotEnoughAttestations(attestations.length, outcome.threshold);
        }
        outcome.signers =
            _signers(Result(roundId, root, model, sheet, payout, 0), attestations, terms.slashed);
        outcome.improvement = attestations[(attestations.length - 1) / 2].improvement;
        _checkOutcome(round, model, payout, outcome.improvement);

        outcome.challengeEnd = uint40(block.timestamp + terms.challengeDuration);
        outcome.status = Status.Recorded;
        round.outcome = outcome;
        round.pot.payout = uint96(payout);
        round.root = root;
        round.model = model;
        round.sheet = sheet;
        emit TrainingRecorded(roundId, root, model, sheet, payout, outcome.improvement, outcome.challengeEnd);
    }

    /// @dev Bitmap of the verifiers that signed `result`, each with its own improvement.
    function _signers(Result memory result, Attestation[] calldata attestations, uint32 slashed)
        private
        view
        returns (uint32 signers)
    {
        mapping(address account => bytes32) storage standings = _standings[result.roundId];
        result.improvement = type(int64).min;
        for (uint256 i = 0; i < attestations.length; ++i) {
            int64 improvement = attestations[i].improvement;
            if (improvement < result.improvement) revert AttestationsNotSorted(i);
            result.improvement = improvement;
            address signer = ECDSA.recoverCalldata(hashResult(result), attestations[i].signature);
            bytes32 standing = standings[signer];
            if (!standing.isVerifier()) revert NotVerifier(result.roundId, signer);
            uint32 bit = uint32(1 << standing.position());
            if (signers & bit != 0) revert DuplicateSigner(result.roundId, signer);
            if (slashed & bit != 0) revert SignerSlashed(result.roundId, signer);
            signers |= bit;
        }
    }

    /// @dev A result pays at most the escrow, and without improvement at most the verifiers' fee, on the unchanged base.
    function _checkOutcome(Training storage round, bytes32 model, uint256 payout, int64 improvement)
        private
        view
    {
        Escrow memory escrow = round.escrow;
        bool improved = improvement > 0;
        uint256 limit = improved ? uint256(escrow.budget) + escrow.fee : escrow.fee;
        if (payout > limit) revert PayoutTooLarge(payout, limit);
        if (improved == (model == round.base)) revert ModelContradictsImprovement(improvement);
    }

    // ---------------------------------------------------------------- disputes

    /// @inheritdoc ITrainingRounds
    function challenge(uint256 roundId, bytes32 evidence) external nonReentrant {
        _checkPhase(roundId, Phase.Challenge);
        Training storage round = _rounds[roundId];
        round.outcome.status = Status.Disputed;
        round.dispute = Dispute(msg.sender, uint40(block.timestamp + resolveDuration));
        emit Challenged(roundId, msg.sender, evidence);
        vault.lock(msg.sender, challengeBondOf(roundId));
    }

    /// @inheritdoc ITrainingRounds
    function resolve(uint256 roundId, bool overturn) external nonReentrant {
        if (msg.sender != arbiter) revert NotArbiter(msg.sender);
        _checkPhase(roundId, Phase.Disputed);
        Training storage round = _rounds[roundId];
        address challenger = round.dispute.challenger;
        uint256 bond = challengeBondOf(roundId);
        emit Resolved(roundId, overturn);
        if (!overturn) {
            // Back to the challenge window, or past it: a weak challenge must not shield a result from a strong one.
            round.outcome.status = Status.Recorded;
            emit BondSlashed(roundId, challenger, bond, SLASHED_CHALLENGE_REJECTED);
            vault.slashBond(challenger, bond, vault.treasury());
            return;
        }
        uint32 guilty = round.outcome.signers & ~round.terms.slashed;
        round.terms.slashed |= guilty;
        _cancel(roundId, CANCELLED_OVERTURNED);
        vault.unlock(challenger, bond);
        address[] memory members = sets.membersOf(round.outcome.verifierSet);
        for (uint256 i = 0; i < members.length; ++i) {
            if (guilty >> i & 1 == 0) continue;
            // At most 32 members, and a slash never fails.
            // slither-disable-next-line calls-loop
            uint256 taken = vault.slashStake(members[i], challenger);
            emit BondSlashed(roundId, members[i], taken, SLASHED_OVERTURNED);
        }
    }

    // ---------------------------------------------------------------- ends

    /// @inheritdoc ITrainingRounds
    function settle(uint256 roundId) external nonReentrant {
        _checkPhase(roundId, Phase.Settleable);
        Training storage round = _rounds[roundId];
        bool arbiterSilent = round.outcome.status == Status.Disputed;
        round.outcome.status = Status.Settled;
        round.escrow.claimEnd = uint40(block.timestamp + CLAIM_DURATION);
        uint256 returned =
            uint256(round.escrow.budget) + round.escrow.fee + round.unsealBond - round.pot.payout;
        creditOf[round.proposer] += returned;
        emit RoundSettled(roundId, round.model, returned);
        registry.finish(round.outcome.projectId, round.model);
        if (arbiterSilent) vault.unlock(round.dispute.challenger, challengeBondOf(roundId));
    }

    /// @inheritdoc ITrainingRounds
    function cancel(uint256 roundId) external nonReentrant {
        _checkPhase(roundId, Phase.Cancellable);
        Clock memory clock = _rounds[roundId].clock;
        uint8 cause = CANCELLED_EXPIRED;
        if (clock.commits == 0) cause = CANCELLED_NO_COMMITS;
        else if (clock.reveals == 0) cause = CANCELLED_NO_REVEALS;
        else if (!clock.unsealed) cause = CANCELLED_NOT_UNSEALED;
        _cancel(roundId, cause);
    }

    /// @dev The escrow returns to the proposer. An unseal bond it forfeited stays for the revealers, in equal shares; what
    /// does not divide returns too.
    function _cancel(uint256 roundId, uint8 cause) private {
        Training storage round = _rounds[roundId];
        round.outcome.status = Status.Cancelled;
        round.outcome.cause = cause;
        uint256 returned = uint256(round.escrow.budget) + round.escrow.fee;
        if (cause == CANCELLED_NOT_UNSEALED) {
            uint256 dust = round.unsealBond % round.clock.reveals;
            returned += dust;
            emit BondSlashed(roundId, round.proposer, round.unsealBond - dust, SLASHED_NOT_UNSEALED);
        } else {
            returned += round.unsealBond;
        }
        creditOf[round.proposer] += returned;
        emit RoundCancelled(roundId, cause);
        registry.finish(round.outcome.projectId, round.base);
    }

    // ---------------------------------------------------------------- claims

    /// @inheritdoc ITrainingRounds
    function claim(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external nonReentrant {
        Training storage round = _rounds[roundId];
        if (round.outcome.status != Status.Settled) revert WrongPhase(roundId, phase(roundId));
        uint256 claimEnd = round.escrow.claimEnd;
        if (block.timestamp >= claimEnd) revert ClaimsEnded(roundId, uint64(claimEnd));
        _checkLeaf(roundId, round.root, leaf, proof);

        Pot memory pot = round.pot;
        uint256 amount = Math.min(leaf.amount, pot.payout - pot.claimed);
        if (leaf.verdict == Verdict.Fee) {
            _claimFee(roundId, leaf.account, Math.min(amount, round.escrow.fee - round.feesClaimed));
            return;
        }
        if (leaf.verdict == Verdict.Excluded) {
            if (leaf.amount != 0) revert ExcludedEarnsNothing(leaf.amount);
        } else if (leaf.verdict != Verdict.Accepted) {
            revert VerdictCannotClaim(leaf.verdict);
        }
        _pay(roundId, pot, leaf.account, amount);
        _release(roundId, leaf.account);
    }

    /// @dev A fee is for a verifier of the round, once, and all fees together stay within the round's fee.
    function _claimFee(uint256 roundId, address account, uint256 amount) private {
        bytes32 standing = _standings[roundId][account];
        if (!standing.isUnpaidVerifier()) revert NothingToClaim(roundId, account);
        Training storage round = _rounds[roundId];
        _standings[roundId][account] = standing.paid();
        round.feesClaimed += uint96(amount);
        _pay(roundId, round.pot, account, amount);
    }

    function _pay(uint256 roundId, Pot memory pot, address account, uint256 amount) private {
        emit Claimed(roundId, account, amount);
        if (amount == 0) return;
        _rounds[roundId].pot.claimed = pot.claimed + uint96(amount);
        creditOf[account] += amount;
    }

    /// @inheritdoc ITrainingRounds
    function releaseBond(uint256 roundId) external nonReentrant {
        Phase current = phase(roundId);
        Training storage round = _rounds[roundId];
        if (current == Phase.Settled) {
            if (block.timestamp < round.escrow.claimEnd) revert ClaimsOpen(roundId, round.escrow.claimEnd);
        } else if (current != Phase.Cancelled) {
            revert WrongPhase(roundId, current);
        }
        if (round.outcome.cause == CANCELLED_NOT_UNSEALED) {
            uint256 share = round.unsealBond / round.clock.reveals;
            creditOf[msg.sender] += share;
            emit Claimed(roundId, msg.sender, share);
        }
        _release(roundId, msg.sender);
    }

    /// @dev Reverts unless the account revealed and its bond is still there.
    function _release(uint256 roundId, address account) private {
        if (_standings[roundId][account] != Standings.REVEALED) revert NotRevealed(roundId, account);
        _standings[roundId][account] = Standings.RELEASED;
        uint256 bond = _rounds[roundId].terms.bond;
        emit BondReleased(roundId, account, bond);
        vault.unlock(account, bond);
    }

    /// @inheritdoc ITrainingRounds
    function sweep(uint256 roundId) external nonReentrant {
        _checkPhase(roundId, Phase.Settled);
        Training storage round = _rounds[roundId];
        if (block.timestamp < round.escrow.claimEnd) revert ClaimsOpen(roundId, round.escrow.claimEnd);
        uint96 amount = round.pot.payout - round.pot.claimed;
        if (amount == 0) revert NothingToClaim(roundId, round.proposer);
        round.pot.claimed = round.pot.payout;
        creditOf[round.proposer] += amount;
        emit Swept(roundId, round.proposer, amount);
    }

    /// @inheritdoc ITrainingRounds
    function withdrawCredit() external nonReentrant {
        uint256 amount = creditOf[msg.sender];
        if (amount == 0) revert NoCredit(msg.sender);
        creditOf[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // ---------------------------------------------------------------- slashing

    /// @inheritdoc ITrainingRounds
    function slashNonReveal(uint256 roundId, address solver) external nonReentrant {
        if (block.timestamp < _rounds[roundId].clock.revealEnd) revert WrongPhase(roundId, phase(roundId));
        if (!_standings[roundId][solver].isCommitment()) revert NotUnrevealed(roundId, solver);
        _slashBond(roundId, solver, SLASHED_NOT_REVEALED);
    }

    /// @inheritdoc ITrainingRounds
    /// @dev A dishonest quorum can cost honest revealers their bonds this way, never more, and only after a challenge
    /// window in which anybody could have recomputed the verdicts.
    function slashInvalid(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof)
        external
        nonReentrant
    {
        _checkPhase(roundId, Phase.Settled);
        if (leaf.verdict != Verdict.Invalid) revert VerdictNotInvalid(leaf.verdict);
        _checkLeaf(roundId, _rounds[roundId].root, leaf, proof);
        if (_standings[roundId][leaf.account] != Standings.REVEALED) {
            revert NotRevealed(roundId, leaf.account);
        }
        _slashBond(roundId, leaf.account, SLASHED_INVALID);
    }

    /// @inheritdoc ITrainingRounds
    function slashEquivocation(
        Result calldata first,
        bytes calldata firstSignature,
        Result calldata second,
        bytes calldata secondSignature
    ) external nonReentrant {
        uint256 roundId = first.roundId;
        bytes32 firstHash = hashResult(first);
        bytes32 secondHash = hashResult(second);
        address signer = ECDSA.recoverCalldata(firstHash, firstSignature);
        if (
            roundId != second.roundId || firstHash == secondHash
                || signer != ECDSA.recoverCalldata(secondHash, secondSignature)
        ) revert NoEquivocation();
        bytes32 standing = _standings[roundId][signer];
        if (!standing.isVerifier()) revert NotVerifier(roundId, signer);
        Terms storage terms = _rounds[roundId].terms;
        uint32 bit = uint32(1 << standing.position());
        if (terms.slashed & bit != 0) revert AlreadySlashed(roundId, signer);
        terms.slashed |= bit;
        uint256 taken = vault.slashStake(signer, msg.sender);
        if (taken == 0) revert NothingToSlash(signer);
        emit BondSlashed(roundId, signer, taken, SLASHED_EQUIVOCATION);
    }

    function _slashBond(uint256 roundId, address solver, uint8 cause) private {
        _standings[roundId][solver] = Standings.SLASHED;
        uint256 bond = _rounds[roundId].terms.bond;
        emit BondSlashed(roundId, solver, bond, cause);
        vault.slashBond(solver, bond, msg.sender);
    }

    // ---------------------------------------------------------------- owner

    /// @inheritdoc ITrainingRounds
    function pause() external onlyOwner {
        _pause();
    }

    /// @inheritdoc ITrainingRounds
    function unpause() external onlyOwner {
        _unpause();
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc ITrainingRounds
    function phase(uint256 roundId) public view returns (Phase) {
        Training storage round = _rounds[roundId];
        Clock memory clock = round.clock;
        if (clock.commitEnd == 0) return Phase.None;
        Outcome memory outcome = round.outcome;
        Status status = outcome.status;
        if (status == Status.Settled) return Phase.Settled;
        if (status == Status.Cancelled) return Phase.Cancelled;
        if (status == Status.Disputed) {
            return block.timestamp < round.dispute.resolveEnd ? Phase.Disputed : Phase.Settleable;
        }
        if (status == Status.Recorded) {
            return block.timestamp < outcome.challengeEnd ? Phase.Challenge : Phase.Settleable;
        }
        if (block.timestamp < clock.commitEnd) return Phase.Commit;
        if (clock.commits == 0) return Phase.Cancellable;
        if (block.timestamp < uint256(clock.commitEnd) + clock.gap) return Phase.Gap;
        if (block.timestamp < clock.revealEnd) return Phase.Reveal;
        if (!clock.unsealed || clock.reveals == 0) return Phase.Cancellable;
        if (block.timestamp < uint256(clock.revealEnd) + clock.verifyDuration) return Phase.Verify;
        return Phase.Cancellable;
    }

    /// @inheritdoc ITrainingRounds
    function getRound(uint256 roundId) external view returns (Round memory view_) {
        Training storage round = _rounds[roundId];
        Clock memory clock = round.clock;
        Terms memory terms = round.terms;
        Outcome memory outcome = round.outcome;
        view_.proposer = round.proposer;
        view_.projectId = outcome.projectId;
        view_.spec = round.spec;
        view_.base = round.base;
        view_.budget = round.escrow.budget;
        view_.fee = round.escrow.fee;
        view_.bond = terms.bond;
        view_.unsealBond = round.unsealBond;
        view_.openedAt = round.pot.openedAt;
        view_.commitEnd = clock.commitEnd;
        view_.revealStart = uint64(clock.commitEnd) + clock.gap;
        view_.revealEnd = clock.revealEnd;
        view_.verifyEnd = uint64(clock.revealEnd) + clock.verifyDuration;
        view_.challengeEnd = outcome.challengeEnd;
        view_.maxSolvers = terms.maxSolvers;
        view_.commits = clock.commits;
        view_.reveals = clock.reveals;
        view_.beaconDrawn = clock.beaconDrawn;
        view_.evaluationIndex = clock.evaluationIndex;
        view_.unsealed = clock.unsealed;
        view_.shard = round.shard;
        view_.root = round.root;
        view_.model = round.model;
        view_.sheet = round.sheet;
        view_.payout = round.pot.payout;
        view_.improvement = outcome.improvement;
        view_.claimed = round.pot.claimed;
        view_.challenger = round.dispute.challenger;
        view_.phase = phase(roundId);
        view_.verifierSet = outcome.verifierSet;
        view_.threshold = outcome.threshold;
        view_.resolveEnd = round.dispute.resolveEnd;
        view_.claimEnd = round.escrow.claimEnd;
        view_.feesClaimed = round.feesClaimed;
        view_.signers = outcome.signers;
        view_.cause = outcome.cause;
    }

    /// @inheritdoc ITrainingRounds
    function commitmentOf(uint256 roundId, address account)
        external
        view
        returns (bytes32 commitment, uint8 standing)
    {
        bytes32 value = _standings[roundId][account];
        return (value.isCommitment() ? value : bytes32(0), uint8(value.standing()));
    }

    /// @inheritdoc ITrainingRounds
    function challengeBondOf(uint256 roundId) public view returns (uint256) {
        return Math.max(minimumBond, uint256(_rounds[roundId].pot.payout) * challengeBondBps / 10_000);
    }

    /// @inheritdoc ITrainingRounds
    function hashResult(Result memory result) public view returns (bytes32) {
        return _hashTypedDataV4(Results.structHash(result));
    }

    // ---------------------------------------------------------------- rules

    function _checkPhase(uint256 roundId, Phase expected) private view {
        Phase current = phase(roundId);
        if (current != expected) revert WrongPhase(roundId, current);
    }

    function _checkLeaf(uint256 roundId, bytes32 root, Leaf calldata leaf, bytes32[] calldata proof)
        private
        pure
    {
        if (!MerkleProof.verifyCalldata(proof, root, Results.leafHash(roundId, leaf))) {
            revert BadProof(roundId, leaf.account);
        }
    }

    function _checkAmount(uint256 amount) private pure {
        if (amount > type(uint96).max) revert AmountTooLarge(amount);
    }

    function _checkDuration(uint256 duration, uint256 minimum) private pure {
        if (duration < minimum || duration > MAX_DURATION) revert BadDuration(duration, minimum);
    }

    function _pull(uint256 amount) private {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert TokenTookFee(amount, received);
    }
}
