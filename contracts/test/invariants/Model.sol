// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRoundLens} from "../../src/interfaces/IRoundLens.sol";
import {ITrainingRounds} from "../../src/interfaces/ITrainingRounds.sol";
import {CancelCause} from "../../src/types/Enums.sol";
import {Leaf, Recorded} from "../../src/types/Round.sol";

/// @dev What was deployed, and who holds its offices.
struct Wiring {
    IERC20 token;
    ITrainingRounds rounds;
    IRoundLens lens;
    address arbiter;
    address owner;
    address treasury;
    address partner;
}

/// @dev A verifier set. `seated`: members that have joined. `holds`: the partner's.
struct Committee {
    address curator;
    address[] members;
    uint256[] keys;
    uint256 cap;
    uint256 atRisk;
    uint256 openRounds;
    uint256 holds;
    uint256 seated;
    mapping(address member => bool) joined;
}

/// @dev A project. `active`: its open round, 0 without one. `seen`: shards that were unsealed.
struct Plan {
    address owner;
    uint256 set;
    uint32 shards;
    bytes32 model;
    uint256 used;
    uint256 rounds;
    uint256 active;
    bytes32[] leaves;
    mapping(bytes32 shard => bool) seen;
}

/// @dev A round. Times in seconds, bitmaps by seat; `slashes` counts the slashes of a seat, `openedAt` is a number of a call.
struct Run {
    uint256 project;
    uint256 number;
    uint256 set;
    address proposer;
    uint256 budget;
    uint256 fee;
    uint256 bond;
    uint256 unsealBond;
    bool listed;
    uint256 commitDuration;
    uint256 verifyDuration;
    uint256 challengeDuration;
    uint256 places;
    uint256 commitEnd;
    uint256 gap;
    uint256 revealDuration;
    uint256 revealsClosed;
    uint256 commits;
    uint256 reveals;
    uint256 beaconBlock;
    bool drawn;
    uint256 index;
    bool unsealed;
    bool recorded;
    uint256 challengeEnd;
    uint256 resolveEnd;
    uint256 epoch;
    uint256 challenges;
    bool settled;
    uint256 settledAt;
    CancelCause cause;
    uint256 unclaimed;
    uint256 feesClaimed;
    uint256 slashed;
    uint256 feesPaid;
    uint256 openedAt;
    Recorded result;
    Leaf[] rows;
    mapping(uint256 seat => uint256) slashes;
    mapping(address challenger => uint256) bonds;
    mapping(address challenger => uint256) epochs;
}
