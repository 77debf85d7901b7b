// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DoubleEndedQueue} from "@openzeppelin/contracts/utils/structs/DoubleEndedQueue.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {Hot} from "../libraries/Hot.sol";
import {Phases} from "../libraries/Phases.sol";
import {CancelCause, Phase} from "../types/Enums.sol";

/// @dev One slot: what a commit or a claim moves.
/// @param joined sets joined and not left.
/// @param verifier whether it ever joined one.
/// @param debtor whether it owes what a slash could not take.
/// @param dispute a round that was disputed in which it signed: the newest that was noted.
struct Account {
    uint96 free;
    uint96 locked;
    uint8 joined;
    bool verifier;
    bool debtor;
    uint32 dispute;
}

/// @dev A verifier's way out. A request is packed as amount << 64 | time of maturity.
struct Exit {
    uint128 unbonding;
    uint96 debt;
    DoubleEndedQueue.Bytes32Deque requests;
}

/// @param blob members, see `Members`.
/// @param openRounds rounds and partner's holds that hold the members now.
/// @param joined bitmap of seats.
/// @param escrow budget + fee of its open rounds.
struct VerifierSet {
    address blob;
    uint32 openRounds;
    uint32 joined;
    uint8 threshold;
    uint8 count;
    uint96 cap;
    uint96 escrow;
    uint32 maxHold;
    address curator;
    mapping(address proposer => bool) admitted;
}

/// @param lastShard number of evaluation shards, less one.
/// @param busy whether `lastRound` is open.
struct Project {
    address owner;
    uint32 verifierSet;
    uint32 lastRound;
    uint16 rounds;
    uint8 lastShard;
    bool busy;
    bytes32 model;
    uint256 usedShards;
    bytes32 evaluationRoot;
    bytes32 recipe;
    bytes32 dataset;
    bytes32 metadata;
    mapping(bytes32 shard => bool) shards;
}

/// @dev One slot. `end`: end of CHALLENGE once recorded, end of the claims once settled. `previous`: the project's round
/// before this one.
struct Terms {
    uint24 commitDuration;
    uint24 verifyDuration;
    uint24 challengeDuration;
    uint32 verifierSet;
    uint40 beaconBlock;
    uint40 end;
    uint8 evaluationIndex;
    CancelCause cause;
    uint32 previous;
}

/// @dev One slot, fixed at opening. `unsealBond` in units of 1e9.
struct Escrow {
    uint96 budget;
    uint96 fee;
    uint64 unsealBond;
}

/// @dev One slot. `unclaimed`: what is left of the payout once settled.
struct Pot {
    address proposer;
    uint96 unclaimed;
}

/// @dev One slot, of the verifiers: bitmaps of seats.
struct Seats {
    uint32 slashed;
    uint32 feesPaid;
    uint96 feesClaimed;
}

/// @dev One slot. `epoch`: decisions against the challengers so far. `pot`: reporters' tenths set aside.
struct Dispute {
    uint40 resolveEnd;
    uint32 epoch;
    uint32 challenges;
    uint96 pot;
}

/// @dev `epoch` of the dispute in which it was made.
struct Challenge {
    uint96 bond;
    uint32 epoch;
}

/// @dev `digest`: the spec, from recording on the hash of the `Recorded`, from settling on its root. Begun non-zero, so
/// that recording does not pay for a fresh slot.
struct Training {
    Hot hot;
    Terms terms;
    Escrow escrow;
    Pot pot;
    bytes32 digest;
    bytes32 seed;
    bytes32 allowList;
    Seats seats;
    Dispute dispute;
    mapping(address challenger => Challenge) challenges;
}

/// @dev See `Standings`. A struct, so that its slot is computed once for reading and writing.
struct Place {
    uint256 word;
}

/// @dev Counts of what was made; ids begin at 1.
struct Counts {
    uint32 sets;
    uint32 projects;
    uint32 rounds;
}

struct State {
    Counts counts;
    mapping(address account => Account) accounts;
    mapping(address account => Exit) exits;
    /// @dev Ids of at most 8 sets, 32 bits each: those joined, and those left while their rounds are open.
    mapping(address account => uint256) memberships;
    mapping(address account => uint256) partnerLocked;
    mapping(uint256 setId => uint256) partnerHolds;
    mapping(uint256 setId => VerifierSet) sets;
    mapping(uint256 projectId => Project) projects;
    mapping(uint256 roundId => Training) rounds;
    /// @dev See `Standings`; by `HotWord.lane` above the account's 160 bits, so that one hash finds the word.
    mapping(uint256 laneAndAccount => Place) standings;
}

/// @dev Behind the few slots that the compiler numbers from 0 on (owner, pause), and a short number: a hash would be copied
/// from the code wherever it is used, for 40 gas. Everything else in storage lies at hashes.
uint256 constant STATE_SLOT = 0x10000;

/// @dev The state of the contract in whose context this runs: of `TrainingRounds`, also in its linked libraries.
function state() pure returns (State storage s) {
    uint256 slot = STATE_SLOT; // static analysis does not follow a constant into assembly
    assembly {
        s.slot := slot
    }
}

/// @notice The phase of a round now.
function phaseOf(Training storage round) view returns (Phase) {
    Terms storage terms = round.terms;
    return Phases.phase(round.hot, terms.verifyDuration, terms.end, round.dispute.resolveEnd, block.timestamp);
}

/// @notice Reverts unless the round is in `expected`.
function requirePhase(uint256 roundId, Training storage round, Phase expected) view {
    Phase current = phaseOf(round);
    if (current != expected) revert IRounds.WrongPhase(roundId, current);
}
