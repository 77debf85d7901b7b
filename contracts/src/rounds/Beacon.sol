// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Headers} from "../libraries/Headers.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {ShardTree} from "../libraries/ShardTree.sol";
import {Draws} from "./Draws.sol";
import {RoundBase} from "./RoundBase.sol";
import {Project, Training, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title The draw of the evaluation shard, by the randomness of a block that was fixed before anybody knew it.
abstract contract Beacon is RoundBase {
    /// @notice See `IRounds.drawBeacon`.
    function drawBeacon(uint256 roundId, bytes calldata header) external nonReentrant returns (uint32 index) {
        Training storage round = state().rounds[roundId];
        Draws.requireDrawable(roundId, round);
        Hot hot = round.hot;
        if (hot.has(HotWord.DRAWN)) revert IRounds.BeaconAlreadyDrawn(roundId);
        uint256 at = round.terms.beaconBlock;
        if (at == 0) revert IRounds.BeaconNotFixed(roundId);
        if (block.number <= at) revert IRounds.BeaconTooEarly(roundId, at);
        bytes32 expected = Headers.hashOf(at);
        if (expected == 0) {
            Draws.fix(roundId, round, BEACON_DELAY, 0);
            return 0;
        }
        if (keccak256(header) != expected) revert IRounds.WrongHeader(roundId, at);
        uint256 beacon = uint256(keccak256(abi.encode(Headers.prevRandao(header), roundId)));
        Project storage project = state().projects[hot.project()];
        index = uint32(ShardTree.pick(project.usedShards, uint256(project.lastShard) + 1, beacon));
        round.terms.evaluationIndex = uint8(index);
        round.hot = hot.with(HotWord.DRAWN);
        emit IRounds.BeaconDrawn(roundId, beacon, index, msg.sender, uint128(KEEPER_REWARD));
        Stakes.credit(msg.sender, KEEPER_REWARD);
    }
}
