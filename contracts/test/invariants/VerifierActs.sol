// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDisputes} from "../../src/interfaces/IDisputes.sol";
import {IRounds} from "../../src/interfaces/IRounds.sol";
import {Phase, Standing, Verdict} from "../../src/types/Enums.sol";
import {Attestation, Leaf, Recorded, Result, Signature} from "../../src/types/Round.sol";
import {MerkleTree} from "../MerkleTree.sol";
import {Committee, Run} from "./Model.sol";
import {ProposerActs} from "./ProposerActs.sol";

/// @dev Verifiers are hostile: their rows have nothing to do with the payout they sign, they call whomever they like
/// invalid, and they sign twice.
abstract contract VerifierActs is ProposerActs {
    // ---------------------------------------------------------------- record

    function _addRows(uint256 id) private {
        Run storage r = runs[id];
        delete r.rows;
        for (uint256 i = 0; i < solvers.length; ++i) {
            // Seldom a row about somebody who did not reveal.
            if (standings[id][solvers[i]] != Standing.Revealed && !_oneIn(12)) continue;
            if (_oneIn(20)) continue;
            _addRow(r, id, solvers[i], _verdict());
            if (_oneIn(12)) _addRow(r, id, solvers[i], _verdict());
        }
        address[] storage members = committees[r.set].members;
        for (uint256 i = 0; i < members.length; ++i) {
            if (!_oneIn(3)) _addRow(r, id, members[i], Verdict.Fee);
        }
        if (r.rows.length == 0 || _oneIn(12)) _addRow(r, id, _someone(), Verdict.Fee);
    }

    function _verdict() private returns (Verdict) {
        if (_oneIn(2)) return Verdict.Accepted;
        uint256 rest = _roll(7);
        if (rest < 2) return Verdict.Excluded;
        if (rest < 4) return Verdict.Spared;
        return rest < 6 ? Verdict.Invalid : Verdict.None;
    }

    function _addRow(Run storage r, uint256 id, address account, Verdict verdict) private {
        bool pays = verdict == Verdict.Accepted || verdict == Verdict.Fee || _oneIn(20);
        uint256 amount = pays ? _roll((verdict == Verdict.Fee ? r.fee : r.budget) + 1) : 0;
        r.rows
            .push(Leaf(account, _digest(id, account), verdict, int64(int256(r.rows.length)), uint128(amount)));
    }

    function _hash(uint256 id, Leaf memory row) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(id, row))));
    }

    function _hashes(uint256 id) internal view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](runs[id].rows.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = _hash(id, runs[id].rows[i]);
        }
    }

    /// @dev Signatures of `count` seats from `first` on (the set has three), and whether the contract has to take them.
    function _signatures(Run storage r, Result memory result, uint256 count, uint256 first)
        private
        returns (Attestation[] memory signed, uint256 signers, bool due)
    {
        Committee storage set = committees[r.set];
        signed = new Attestation[](count);
        due = count >= 2;
        int64 measured = result.improvement;
        for (uint256 i = 0; i < count; ++i) {
            uint256 seat = (first + i) % 3;
            uint256 key = set.keys[seat];
            address signer = set.members[seat];
            if (_oneIn(30)) key = solverKeys[solvers[0]];
            due = due && key == set.keys[seat] && signers >> seat & 1 == 0 && r.slashed >> seat & 1 == 0;
            if (_slashable(signer) < MINIMUM) {
                due = false;
                _mark("state: signer short of stake");
            }
            signers |= uint256(1) << seat;
            if (_oneIn(3)) result.improvement += int64(int256(_roll(5)));
            else if (_oneIn(30)) result.improvement -= 1;
            due = due && (i == 0 || result.improvement >= signed[i - 1].improvement);
            Signature memory signature = _sign(key, result);
            signed[i] = Attestation(result.improvement, signature.r, signature.vs);
        }
        result.improvement = count == 0 ? measured : signed[(count - 1) / 2].improvement;
    }

    function _record(uint256 id) internal {
        Run storage r = runs[id];
        if (r.commitEnd == 0 || r.recorded) return _recordAgain(id);
        _addRows(id);
        bool improved = !_oneIn(3);
        Result memory result;
        result.roundId = id;
        result.root = MerkleTree.root(_hashes(id));
        result.model = improved ? keccak256(abi.encode("model", id)) : plans[r.project].model;
        result.sheet = "sheet";
        uint256 limit = improved ? r.budget + r.fee : r.fee;
        result.payout = uint128(_oneIn(16) ? limit + 1 : _roll(limit + 1));
        result.improvement = improved ? int64(int256(1 + _roll(100))) : -int64(int256(_roll(100)));
        if (_oneIn(16)) result.sheet = 0;
        uint256 count = _oneIn(16) ? _roll(2) : 2 + _roll(2);
        if (count == 3 && _oneIn(16)) count = 4;
        _recordSigned(id, result, count);
    }

    function _recordSigned(uint256 id, Result memory result, uint256 count) private {
        Run storage r = runs[id];
        (Attestation[] memory signed, uint256 signers, bool due) = _signatures(r, result, count, _roll(3));
        due = due && _phase(id) == Phase.Verify && result.sheet != 0;
        bool improved = result.improvement > 0;
        due = due && result.payout <= (improved ? r.budget + r.fee : r.fee);
        due = due && improved == (result.model != plans[r.project].model);
        bytes memory data = abi.encodeCall(
            IRounds.recordTraining,
            (id, result.root, result.model, result.sheet, result.payout, result.extension, signed)
        );
        if (!_try("recordTraining", _someone(), data, due)) return;
        r.recorded = true;
        r.challengeEnd = _now() + r.challengeDuration;
        r.result = Recorded(
            result.root,
            result.model,
            result.sheet,
            result.extension,
            result.payout,
            result.improvement,
            uint32(signers)
        );
    }

    /// @dev No round, or one that has its result: any quorum's signature comes too late.
    function _recordAgain(uint256 id) private {
        Run storage r = runs[id];
        Result memory result = Result(id, "root", "another", "sheet", 0, 1, 0);
        Attestation[] memory signed = new Attestation[](3);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 set = r.set == 0 ? 1 : r.set;
            Signature memory signature = _sign(committees[set].keys[i], result);
            signed[i] = Attestation(1, signature.r, signature.vs);
        }
        bytes memory data = abi.encodeCall(
            IRounds.recordTraining, (id, "root", "another", "sheet", uint128(0), bytes32(0), signed)
        );
        _try("recordTraining", _someone(), data, false);
    }

    // ---------------------------------------------------------------- equivocation

    function _equivocate(uint256 id) internal {
        Run storage r = runs[id];
        uint256 place = _roll(verifiers.length);
        uint256 key = _oneIn(12) ? solverKeys[solvers[0]] : verifierKeys[place];
        address guilty = key == verifierKeys[place] ? verifiers[place] : solvers[0];
        Result memory first = Result(id, "a", "b", "c", 1, 1, 0);
        Result memory second = Result(id, "a", "b", "c", 1, 1, "another");
        uint256 slip = _roll(12);
        if (slip == 0) second.extension = 0;
        if (slip == 1) second.roundId = id + 1;
        uint256 otherKey = slip == 2 ? verifierKeys[(place + 1) % verifiers.length] : key;
        uint256 seat = _seatOf(committees[r.set], guilty);
        bool due = slip > 2 && r.commitEnd != 0 && seat != NONE;
        due = due && r.slashed >> (seat & 31) & 1 == 0;
        bytes memory data = abi.encodeCall(
            IDisputes.slashEquivocation, (first, _sign(key, first), second, _sign(otherKey, second))
        );
        address reporter = _someone();
        if (!_try("slashEquivocation", reporter, data, due)) return;
        r.slashed |= uint256(1) << seat;
        r.slashes[seat] += 1;
        uint256 taken = _slashMinimum(guilty);
        if (_phase(id) != Phase.Challenge) return _share(guilty, taken, reporter);
        // Nobody knows yet whose it is: a challenger's, if one comes.
        _setAside(id, taken / 10);
        holders[treasury].free += taken - taken / 10;
        _mark("state: reported before");
    }
}
