// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRoundLens} from "../interfaces/IRoundLens.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Phases} from "../libraries/Phases.sol";
import {Results} from "../libraries/Results.sol";
import {Standings} from "../libraries/Standings.sol";
import {Place, Project, STATE_SLOT, Training, state} from "../rounds/RoundStorage.sol";
import {CancelCause, Phase, Standing} from "../types/Enums.sol";
import {Configuration, Recorded, Result} from "../types/Round.sol";
import {ProjectView, RoundView} from "../types/Views.sol";
import {AccountLens} from "./AccountLens.sol";
import {Reader} from "./Reader.sol";

/// @title RoundLens
/// @notice See `IRoundLens`. Reads the core's storage through `extsload`; slots and fields are those of `RoundStorage`.
contract RoundLens is AccountLens {
    using Members for bytes;
    using Standings for uint256;

    constructor(ITrainingRounds rounds_) Reader(rounds_) {}

    /// @inheritdoc IRoundLens
    function setCount() external view returns (uint256) {
        return _field(_counts(), 0, 32);
    }

    /// @inheritdoc IRoundLens
    function projectCount() external view returns (uint256) {
        return _field(_counts(), 32, 32);
    }

    /// @inheritdoc IRoundLens
    function roundCount() external view returns (uint256) {
        return _field(_counts(), 64, 32);
    }

    // ---------------------------------------------------------------- rounds

    /// @inheritdoc IRoundLens
    function phase(uint256 roundId) external view returns (Phase) {
        uint256[] memory words = _words(_roundSlot(roundId), 9);
        return _phase(words);
    }

    /// @inheritdoc IRoundLens
    function getRound(uint256 roundId) external view returns (RoundView memory view_) {
        uint256[] memory words = _words(_roundSlot(roundId), 9);
        Hot hot = Hot.wrap(words[0]);
        _readHot(view_, hot);
        _readTerms(view_, words[1], hot);
        view_.budget = uint128(_field(words[2], 0, 96));
        view_.fee = uint128(_field(words[2], 96, 96));
        view_.unsealBond = uint128(_field(words[2], 192, 64) * HotWord.BOND_UNIT);
        view_.proposer = address(uint160(words[3]));
        view_.unclaimed = uint128(words[3] >> 160);
        view_.digest = bytes32(words[4]);
        view_.seed = bytes32(words[5]);
        view_.allowList = bytes32(words[6]);
        view_.slashed = uint32(_field(words[7], 0, 32));
        view_.feesPaid = uint32(_field(words[7], 32, 32));
        view_.feesClaimed = uint128(_field(words[7], 64, 96));
        view_.resolveEnd = uint64(_field(words[8], 0, 40));
        view_.challenges = uint32(_field(words[8], 72, 32));
        view_.threshold = uint32(_field(_word(_setSlot(view_.verifierSet)), 224, 8));
        view_.phase = _phase(words);
    }

    function _readHot(RoundView memory view_, Hot hot) private pure {
        view_.projectId = hot.project();
        view_.number = uint32(hot.number());
        view_.bond = uint128(hot.bond());
        view_.commitEnd = uint64(hot.commitEnd());
        view_.revealStart = uint64(hot.revealStart());
        view_.revealEnd = uint64(hot.revealEnd());
        view_.maxSolvers = uint32(hot.places());
        view_.commits = uint32(hot.commits());
        view_.reveals = uint32(hot.reveals());
        view_.beaconDrawn = hot.has(HotWord.DRAWN);
        view_.unsealed = hot.has(HotWord.UNSEALED);
        view_.recorded = hot.has(HotWord.RECORDED);
    }

    function _readTerms(RoundView memory view_, uint256 word, Hot hot) private pure {
        view_.verifyEnd = uint64(hot.revealEnd() + _field(word, 24, 24));
        view_.verifierSet = _field(word, 72, 32);
        view_.beaconBlock = uint64(_field(word, 104, 40));
        uint64 end = uint64(_field(word, 144, 40));
        if (hot.has(HotWord.SETTLED)) view_.claimEnd = end;
        else view_.challengeEnd = end;
        view_.evaluationIndex = uint32(_field(word, 184, 8));
        view_.cause = CancelCause(_field(word, 192, 8));
    }

    function _phase(uint256[] memory words) private view returns (Phase) {
        return Phases.phase(
            Hot.wrap(words[0]),
            _field(words[1], 24, 24),
            _field(words[1], 144, 40),
            _field(words[8], 0, 40),
            block.timestamp
        );
    }

    /// @inheritdoc IRoundLens
    function commitmentOf(uint256 roundId, address account)
        external
        view
        returns (bytes29 commitment, Standing standing)
    {
        uint256[] memory words = _words(_roundSlot(roundId), 8);
        Hot hot = Hot.wrap(words[0]);
        if (hot.commitEnd() == 0) return (0, Standing.None);
        uint256 word = _word(_standingSlot(hot.lane(), account));
        standing = word.standingIn(hot.number());
        if (standing == Standing.Committed) commitment = bytes29(bytes32(word));
        if (standing != Standing.None) return (commitment, standing);
        uint256 set = _word(_setSlot(_field(words[1], 72, 32)));
        uint256 seat = Members.load(address(uint160(set))).seatOf(account);
        if (seat == Members.NONE) return (0, Standing.None);
        bool paid = words[7] >> (32 + seat) & 1 != 0;
        return (0, paid ? Standing.VerifierPaid : Standing.Verifier);
    }

    /// @inheritdoc IRoundLens
    function challengeOf(uint256 roundId, address challenger) external view returns (uint256) {
        return _field(_word(uint256(keccak256(abi.encode(challenger, _roundSlot(roundId) + 9)))), 0, 96);
    }

    /// @inheritdoc IRoundLens
    function challengeBondOf(uint128 payout) external view returns (uint256) {
        Configuration memory c = rounds.configuration();
        return Math.max(c.minimumBond, uint256(payout) * c.challengeBondBps / 10_000);
    }

    /// @inheritdoc IRoundLens
    function isRecorded(uint256 roundId, Recorded calldata recorded) external view returns (bool) {
        return bytes32(_word(_roundSlot(roundId) + 4)) == Results.hash(recorded);
    }

    /// @inheritdoc IRoundLens
    function hashResult(Result calldata result) external view returns (bytes32) {
        return Results.hash(result, Results.domain(address(rounds)));
    }

    /// @inheritdoc IRoundLens
    function hashCommit(uint256 roundId, bytes32 commitment) external view returns (bytes32) {
        return Results.hash(roundId, commitment, Results.domain(address(rounds)));
    }

    // ---------------------------------------------------------------- projects

    /// @inheritdoc IRoundLens
    function getProject(uint256 projectId) external view returns (ProjectView memory view_) {
        uint256[] memory words = _words(_projectSlot(projectId), 7);
        view_.owner = address(uint160(words[0]));
        if (view_.owner == address(0)) return view_;
        view_.verifierSet = _field(words[0], 160, 32);
        view_.lastRound = _field(words[0], 192, 32);
        view_.rounds = uint32(_field(words[0], 224, 16));
        view_.evaluationCount = uint32(_field(words[0], 240, 8) + 1);
        if (_field(words[0], 248, 8) != 0) view_.activeRound = view_.lastRound;
        view_.model = bytes32(words[1]);
        view_.usedShards = words[2];
        view_.evaluationRoot = bytes32(words[3]);
        view_.recipe = bytes32(words[4]);
        view_.dataset = bytes32(words[5]);
        view_.metadata = bytes32(words[6]);
    }

    /// @inheritdoc IRoundLens
    function isShardUsed(uint256 projectId, bytes32 shard) external view returns (bool) {
        return _word(uint256(keccak256(abi.encode(shard, _projectSlot(projectId) + 7)))) != 0;
    }

    /// @inheritdoc IRoundLens
    function roundsOf(uint256 projectId, uint256 limit) external view returns (uint256[] memory roundIds) {
        uint256 project = _word(_projectSlot(projectId));
        uint256 count = Math.min(_field(project, 224, 16), limit);
        roundIds = new uint256[](count);
        uint256 roundId = _field(project, 192, 32);
        for (uint256 i = 0; i < count; ++i) {
            roundIds[i] = roundId;
            roundId = _field(_word(_roundSlot(roundId) + 1), 200, 32);
        }
    }

    // ---------------------------------------------------------------- slots

    /// @dev The first word of the state.
    function _counts() private view returns (uint256) {
        return _word(STATE_SLOT);
    }

    function _roundSlot(uint256 roundId) private view returns (uint256 slot) {
        Training storage found = state().rounds[roundId];
        assembly ("memory-safe") {
            slot := found.slot
        }
    }

    function _projectSlot(uint256 projectId) private view returns (uint256 slot) {
        Project storage found = state().projects[projectId];
        assembly ("memory-safe") {
            slot := found.slot
        }
    }

    function _standingSlot(uint256 lane, address account) private view returns (uint256 slot) {
        Place storage found = state().standings[lane << 160 | uint160(account)];
        assembly ("memory-safe") {
            slot := found.slot
        }
    }
}
