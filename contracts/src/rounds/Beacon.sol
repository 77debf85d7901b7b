// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Headers} from "../libraries/Headers.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {ShardTree} from "../libraries/ShardTree.sol";
import {Phase} from "../types/Enums.sol";
import {RoundBase} from "./RoundBase.sol";
import {Project, Training, phaseOf, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title The draw of the evaluation shard, by the randomness of a block that was fixed before anybody knew it.
abstract contract Beacon is RoundBase {
    /// @inheritdoc IRounds
    function closeCommits(uint256 roundId) external nonReentrant {
        Training storage round = state().rounds[roundId];
        _requireDrawable(roundId, round);
        if (round.terms.beaconBlock != 0) revert BeaconAlreadyFixed(roundId);
        _fix(roundId, round, KEEPER_REWARD);
        Stakes.credit(msg.sender, KEEPER_REWARD);
    }

    /// @inheritdoc IRounds
    function drawBeacon(uint256 roundId, bytes calldata header) external nonReentrant returns (uint32 index) {
        Training storage round = state().rounds[roundId];
        Hot hot = _requireDrawable(roundId, round);
        if (hot.has(HotWord.DRAWN)) revert BeaconAlreadyDrawn(roundId);
        uint256 at = round.terms.beaconBlock;
        if (at == 0) revert BeaconNotFixed(roundId);
        if (block.number <= at) revert BeaconTooEarly(roundId, at);
        bytes32 expected = Headers.hashOf(at);
        if (expected == 0) {
            _fix(roundId, round, 0);
            return 0;
        }
        if (keccak256(header) != expected) revert WrongHeader(roundId, at);
        uint256 beacon = uint256(keccak256(abi.encode(Headers.prevRandao(header), roundId)));
        Project storage project = state().projects[hot.project()];
        index = uint32(ShardTree.pick(project.usedShards, uint256(project.lastShard) + 1, beacon));
        round.terms.evaluationIndex = uint8(index);
        round.hot = hot.with(HotWord.DRAWN);
        emit BeaconDrawn(roundId, beacon, index, msg.sender, uint128(KEEPER_REWARD));
        Stakes.credit(msg.sender, KEEPER_REWARD);
    }

    function _fix(uint256 roundId, Training storage round, uint256 reward) private {
        uint256 at = block.number + BEACON_DELAY;
        round.terms.beaconBlock = uint40(at);
        emit BeaconFixed(roundId, uint64(at), msg.sender, uint128(reward));
    }

    function _requireDrawable(uint256 roundId, Training storage round) private view returns (Hot) {
        Phase current = phaseOf(round);
        if (current != Phase.Gap && current != Phase.Reveal) revert WrongPhase(roundId, current);
        return round.hot;
    }
}
