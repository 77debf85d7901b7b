// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase} from "../types/Enums.sol";
import {Attestation, Opening, RoundParams, SignedCommit} from "../types/Round.sol";

/// @title Rounds from opening to record.
/// @notice Phases derive from `block.timestamp`; only terminal facts are stored, so no keeper is needed for time to pass.
///
///   COMMIT --> GAP --> REVEAL --> VERIFY --recordTraining--> CHALLENGE --> SETTLEABLE --> SETTLED --> claims
///     | no commit        | no reveal,   | no result in time     | challenge      ^
///     |                  | not unsealed |                       v                | upheld, or arbiter silent
///     +------------------+--------------+--> CANCELLED <---- DISPUTED -----------+
///                                            overturned
///
/// The evaluation shard is drawn by the randomness of a block that nobody could choose: closing COMMIT (`closeCommits`,
/// anyone, from the end of COMMIT on) fixes the block `beaconDelay` blocks later, and `drawBeacon` shows that block's
/// header.
interface IRounds {
    /// @param base model the round starts from.
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
    /// @param bond what was locked of the solver's free stake.
    event Committed(
        uint256 indexed roundId, address indexed solver, bytes32 commitment, uint32 index, uint128 bond
    );
    /// @dev Only when the last place was taken before the deadline.
    /// @param at the new end of COMMIT: now, or half of COMMIT if that is later.
    event CommitsClosed(uint256 indexed roundId, uint64 at);
    /// @param blockNumber the block whose randomness draws the shard.
    /// @param reward what the caller got as free stake; 0 when a missed block was replaced.
    event BeaconFixed(uint256 indexed roundId, uint64 blockNumber, address indexed keeper, uint128 reward);
    /// @param beacon `keccak256(abi.encode(bytes32 prevRandao, uint256 roundId))`.
    event BeaconDrawn(
        uint256 indexed roundId, uint256 beacon, uint32 index, address indexed keeper, uint128 reward
    );
    event ShardUnsealed(uint256 indexed roundId, uint32 index, bytes32 shard, bytes32 blinding);
    event Revealed(uint256 indexed roundId, address indexed solver, bytes32 digest, bytes32 salt);
    /// @dev Only when everything was revealed and unsealed before the deadline.
    event RevealsClosed(uint256 indexed roundId, uint64 at);
    /// @dev All fields of the `Recorded` that later calls show again.
    event TrainingRecorded(
        uint256 indexed roundId,
        bytes32 root,
        bytes32 model,
        bytes32 sheet,
        uint128 payout,
        int64 improvement,
        uint64 challengeEnd,
        bytes32 extension,
        uint32 signers
    );

    error NotProjectOwner(uint256 projectId, address caller);
    error NotProposer(uint256 roundId, address caller);
    /// @dev One round at a time: `roundId` is still open.
    error ProjectBusy(uint256 projectId, uint256 roundId);
    /// @dev A project has at most 65,535 rounds.
    error TooManyRounds(uint256 projectId);
    /// @dev The round is in another phase than the call needs.
    error WrongPhase(uint256 roundId, Phase phase);
    error BudgetTooSmall(uint256 budget, uint256 minimum);
    error BondTooSmall(uint256 bond, uint256 minimum);
    /// @dev Bonds are multiples of 1e9 units.
    error BondTooFine(uint256 bond);
    /// @dev A duration is below its minimum or above 30 days.
    error BadDuration(uint256 duration, uint256 minimum);
    /// @dev At most 65,535.
    error TooManySolvers(uint256 count);
    /// @dev Every place is taken.
    error RoundFull(uint256 roundId);
    /// @dev Every evaluation shard of the project has been used.
    error NoShardsLeft(uint256 projectId);
    error AlreadyCommitted(uint256 roundId, address account);
    error VerifierCannotCommit(uint256 roundId, address account);
    /// @dev The account's bond of an earlier round of the project is still there: claim, release or report it first.
    error ClaimFirst(uint256 roundId, address account);
    /// @dev The round has an allow-list and the account is not shown to be on it.
    error NotListed(uint256 roundId, address account);
    error BeaconAlreadyFixed(uint256 roundId);
    error BeaconNotFixed(uint256 roundId);
    error BeaconAlreadyDrawn(uint256 roundId);
    /// @dev The block whose randomness draws is not over yet.
    error BeaconTooEarly(uint256 roundId, uint256 blockNumber);
    error BeaconNotDrawn(uint256 roundId);
    /// @dev Not the RLP of that block's header.
    error WrongHeader(uint256 roundId, uint256 blockNumber);
    error AlreadyUnsealed(uint256 roundId);
    error WrongShard(uint256 roundId, uint32 index);
    /// @dev The same data was unsealed in an earlier round of the project.
    error ShardReused(uint256 projectId, bytes32 shard);
    error AlreadyRevealed(uint256 roundId, address solver);
    error CommitmentMismatch(uint256 roundId, address solver);
    error NotEnoughAttestations(uint256 given, uint256 needed);
    /// @dev Attestations must be sorted by improvement, ascending.
    error AttestationsNotSorted(uint256 position);
    error BadSignature();
    error NotVerifier(uint256 roundId, address signer);
    error DuplicateSigner(uint256 roundId, address signer);
    /// @dev The signer was slashed in this round; its signature no longer counts.
    error SignerSlashed(uint256 roundId, address signer);
    /// @dev The signer has less slashable stake than the minimum; its signature does not count.
    error SignerUnderStaked(uint256 roundId, address signer);
    error PayoutTooLarge(uint256 payout, uint256 limit);
    /// @dev Without a positive improvement the model stays at the base, and with one it moves.
    error ModelContradictsImprovement(int64 improvement);

    // ---------------------------------------------------------------- proposer

    /// @notice Opens a round of the caller's project; pulls budget + fee + unseal bond + 2 keeper rewards.
    /// @dev The project's owner, while no other round of the project is open, unless paused; the set's curator must be
    /// the owner or have admitted it. Requires every member's `minimumVerifierStake` to be free and holds it until the
    /// round is settled or cancelled; without a commit that is the end of COMMIT. Can be made to fail by a member that
    /// leaves just before, or by a round that uses up the set's cap. 240k gas with three members.
    function openRound(RoundParams calldata params) external returns (uint256 roundId);

    /// @notice Publishes the drawn evaluation shard with its path in the project's tree, and uses it up.
    /// @dev The proposer, from the draw until the reveals end, for 79k to 97k gas. If it does not, its unseal bond goes
    /// to the revealers. Nothing can be gained by sending something before it.
    function unseal(uint256 roundId, bytes32 shard, bytes32 blinding, bytes32[] calldata proof) external;

    // ---------------------------------------------------------------- solvers

    /// @notice Commits to a delta and locks the round's bond from the caller's free stake.
    /// @param commitment `keccak256(abi.encode(block.chainid, address(this), roundId, msg.sender, digest, salt))`; its
    /// first 29 bytes are stored.
    /// @dev Anyone but the round's verifiers, once, in COMMIT, also while paused. Whoever sees it cannot use it: the hash
    /// binds the sender. Places can be taken before it where `maxSolvers` is set. 42k gas, 59k the first eight times in a
    /// project.
    function commit(uint256 roundId, bytes32 commitment) external;

    /// @notice `commit` in a round with an allow-list.
    /// @param proof that the caller is on it.
    /// @dev As `commit`, for accounts on the list only; 70k gas the first time, and 500 for each level of the list.
    function commitListed(uint256 roundId, bytes32 commitment, bytes32[] calldata proof) external;

    /// @notice Commits of others, each signed by its solver; those that cannot be made (committed already, too little
    /// stake, a bad signature, a bond to claim first, an account that ever joined a verifier set) are left out. Not in
    /// rounds with an allow-list.
    /// @dev Anyone, in COMMIT. Costs the sender gas (21k or 38k each in batches of forty) and gives it nothing but the
    /// choice of order. A commit of the same solver before it leaves that one out.
    function commitMany(uint256 roundId, SignedCommit[] calldata commits) external;

    /// @notice Opens the caller's commitment. The bond stays locked until the round is settled or cancelled.
    /// @dev The solver, in REVEAL, for 35k gas; others that know the salt by `revealMany`. Send it only once the end of
    /// COMMIT is final: it publishes digest and salt. Whoever sees it can send it first, which opens the same commitment.
    function reveal(uint256 roundId, bytes32 digest, bytes32 salt) external;

    /// @notice Opens commitments of others; those already open are left out, a wrong one refuses the batch.
    /// @dev Anyone that knows the salts, in REVEAL, for 10k gas each in batches of forty.
    function revealMany(uint256 roundId, Opening[] calldata openings) external;

    // ---------------------------------------------------------------- the beacon

    /// @notice Fixes the block whose randomness draws: `beaconDelay` blocks from now. Pays the caller the keeper reward.
    /// @dev Anyone, once, in GAP or REVEAL, for 48k to 65k gas. The caller chooses a block whose randomness nobody knows
    /// yet. Can be front-run for the reward.
    function closeCommits(uint256 roundId) external;

    /// @notice Draws an unused evaluation shard and pays the caller the keeper reward. If the block can no longer be
    /// looked up (256 blocks; 8,191 where EIP-2935 is live), fixes a new one instead and pays nothing.
    /// @param header RLP of the header of the fixed block; not read if the block is out of reach.
    /// @dev Anyone, in GAP or REVEAL, for 64k to 69k gas. The caller chooses nothing. Can be front-run for the reward.
    function drawBeacon(uint256 roundId, bytes calldata header) external returns (uint32 index);

    // ---------------------------------------------------------------- verification

    /// @notice Records the signed result. Anyone may submit it in VERIFY: authority is in the signatures.
    /// @param attestations sorted by improvement; the (lower) median is recorded.
    /// @dev Whoever submits first chooses which signatures (at least the threshold) are in it; a signer that is slashed
    /// before it makes it fail. 82k gas with three signatures.
    function recordTraining(
        uint256 roundId,
        bytes32 root,
        bytes32 model,
        bytes32 sheet,
        uint128 payout,
        bytes32 extension,
        Attestation[] calldata attestations
    ) external;
}
