// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Verdict} from "./Enums.sol";

/// @notice What is fixed for good at deployment. Amounts in units of the token, durations in seconds.
/// @param token moves exactly the amount asked for, has no hooks and at least 9 decimals (bonds count in 1e9 units).
/// @param owner the first owner: may pause deposits and openings, nothing else.
/// @param treasury receives slashed stake and unclaimed rewards, as free stake.
/// @param arbiter decides disputes: an account, or a contract that counts a committee's signatures. If it stays silent,
/// results stand.
/// @param partner one further contract that may lock, unlock, slash and hold stake; zero for none.
/// @param minimumBudget smallest reward budget of a round.
/// @param minimumBond smallest solver bond, unseal bond and challenge bond.
/// @param minimumVerifierStake what each verifier of a set puts up, and the most that one slash takes.
/// @param keeperReward paid once to whoever closes COMMIT and once to whoever draws; escrowed by the proposer.
/// @param unbondDelay between a verifier's request and its payment.
/// @param minimumPhaseDuration shortest COMMIT, GAP, REVEAL and VERIFY.
/// @param minimumChallengeDuration shortest CHALLENGE.
/// @param resolveDuration the arbiter's time after the newest challenge.
/// @param beaconDelay blocks between the closing of COMMIT and the block whose randomness draws the shard.
/// @param challengeBondBps challenge bond in basis points of the recorded payout.
/// @param excludedBps what an excluded delta loses of its bond, in basis points.
struct Configuration {
    IERC20 token;
    address owner;
    address treasury;
    address arbiter;
    address partner;
    uint96 minimumBudget;
    uint96 minimumBond;
    uint96 minimumVerifierStake;
    uint96 keeperReward;
    uint32 unbondDelay;
    uint32 minimumPhaseDuration;
    uint32 minimumChallengeDuration;
    uint32 resolveDuration;
    uint16 beaconDelay;
    uint16 challengeBondBps;
    uint16 excludedBps;
}

/// @param spec SHA-256 digest of the round's specification document.
/// @param budget most that solvers can earn together.
/// @param fee most that verifiers can earn together.
/// @param bond stake each solver locks per commit; a multiple of 1e9.
/// @param unsealBond lost to the revealers if the proposer does not unseal the drawn shard in time; a multiple of 1e9.
/// @param commitDuration,gap,revealDuration,verifyDuration,challengeDuration seconds, each at most 30 days.
/// @param maxSolvers with this many commits COMMIT ends, though not before half of it; 0 means 65,535.
/// @param extension digest of a document that extends the terms; 0 for none. Not read by the contracts.
/// @param allowList Merkle root over the accounts that may commit (`keccak256(bytes.concat(keccak256(abi.encode(address
/// account))))`, sorted pairs); 0 admits everybody.
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
    bytes32 extension;
    bytes32 allowList;
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

/// @notice A row with its Merkle proof, for claims in batches.
struct ProvenLeaf {
    Leaf leaf;
    bytes32[] proof;
}

/// @notice EIP-712 struct that verifiers sign; domain name "jepanet", version "1", this chain, this contract.
/// @param extension digest of a document that extends the result; 0 for none. Not read by the contracts.
struct Result {
    uint256 roundId;
    bytes32 root;
    bytes32 model;
    bytes32 sheet;
    uint128 payout;
    int64 improvement;
    bytes32 extension;
}

/// @notice A verifier's own measured improvement and its compact (ERC-2098) signature over the `Result` that carries it.
struct Attestation {
    int64 improvement;
    bytes32 r;
    bytes32 vs;
}

/// @notice A compact (ERC-2098) signature.
struct Signature {
    bytes32 r;
    bytes32 vs;
}

/// @notice A recorded result. Storage holds `keccak256(abi.encode(Recorded))` until it is settled, so that whoever
/// settles, challenges or resolves shows it again; every field is in `TrainingRecorded`.
/// @param improvement the lower median of the attestations.
/// @param signers bitmap of seats whose signatures were accepted.
struct Recorded {
    bytes32 root;
    bytes32 model;
    bytes32 sheet;
    bytes32 extension;
    uint128 payout;
    int64 improvement;
    uint32 signers;
}

/// @notice A commit that somebody else sends; signed as EIP-712 `Commit(uint256 roundId,bytes32 commitment)`.
struct SignedCommit {
    address solver;
    bytes32 commitment;
    bytes32 r;
    bytes32 vs;
}

/// @notice What opens a commitment. Whoever knows the salt may send it.
struct Opening {
    address solver;
    bytes32 digest;
    bytes32 salt;
}
