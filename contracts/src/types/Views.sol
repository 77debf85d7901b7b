// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CancelCause, Phase} from "./Enums.sol";

/// @notice Everything about a round that storage holds; what it does not hold (spec, base, recorded model and sheet,
/// improvement) is in `RoundOpened` and `TrainingRecorded`.
/// @param number its place among the project's rounds, from 1.
/// @param digest the spec until a result is recorded, then the hash of the `Recorded`, then the root once settled.
/// @param beaconBlock the block whose randomness draws, 0 until COMMIT was closed by a call.
/// @param unclaimed what is left of the payout, 0 until settled.
/// @param challenges how many challenges were ever made.
/// @param slashed,feesPaid bitmaps of seats.
/// @param resolveEnd end of the arbiter's time, 0 if never challenged.
/// @param claimEnd end of the claims, 0 until settled.
struct RoundView {
    address proposer;
    uint256 projectId;
    uint32 number;
    uint256 verifierSet;
    uint32 threshold;
    bytes32 seed;
    bytes32 digest;
    uint128 budget;
    uint128 fee;
    uint128 bond;
    uint128 unsealBond;
    uint64 commitEnd;
    uint64 revealStart;
    uint64 revealEnd;
    uint64 verifyEnd;
    uint64 challengeEnd;
    uint64 resolveEnd;
    uint64 claimEnd;
    uint32 maxSolvers;
    uint32 commits;
    uint32 reveals;
    uint64 beaconBlock;
    bool beaconDrawn;
    uint32 evaluationIndex;
    bool unsealed;
    bool recorded;
    uint32 challenges;
    uint128 unclaimed;
    uint128 feesClaimed;
    uint32 slashed;
    uint32 feesPaid;
    bytes32 allowList;
    CancelCause cause;
    Phase phase;
}

/// @notice A project. `usedShards`: bitmap of unsealed shards. `activeRound`: 0 without an open round. `rounds`: opened so
/// far. `lastRound`: the newest one's id.
struct ProjectView {
    address owner;
    uint32 evaluationCount;
    uint256 verifierSet;
    bytes32 recipe;
    bytes32 dataset;
    bytes32 model;
    bytes32 evaluationRoot;
    bytes32 metadata;
    uint256 usedShards;
    uint256 activeRound;
    uint32 rounds;
    uint256 lastRound;
}

/// @notice A participant's stake.
/// @param free backs new bonds; rewards and returned escrows arrive here.
/// @param locked backs bonds of rounds, challenges and the partner.
/// @param unbonding sum of pending requests, still slashable.
/// @param debt what slashes could not take yet; nothing leaves before it is paid.
/// @param unbondAt when the oldest request matures, 0 without one.
/// @param joined sets it has joined and not left.
/// @param held whether an open round of some set pins `minimumVerifierStake` of it.
/// @param verifier whether it ever joined a set, so that its free stake leaves by unbonding only.
struct AccountView {
    uint128 free;
    uint128 locked;
    uint128 unbonding;
    uint128 debt;
    uint64 unbondAt;
    uint32 joined;
    bool held;
    bool verifier;
}

/// @notice A verifier set.
/// @param curator opens rounds with it and admits others who may.
/// @param joined bitmap of seats that have joined.
/// @param openRounds rounds (and partner's holds) that hold its members now.
/// @param cap most escrow (budget + fee) of all open rounds together.
/// @param escrowAtRisk budget + fee of its open rounds.
/// @param stakeAtRisk what one slash of every member could take now.
/// @param maxHold most seconds that one round may hold its members.
struct SetView {
    address curator;
    address[] members;
    uint32 threshold;
    uint32 joined;
    uint32 openRounds;
    uint128 cap;
    uint128 escrowAtRisk;
    uint128 stakeAtRisk;
    uint32 maxHold;
}
