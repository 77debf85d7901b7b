// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClaims} from "../../src/interfaces/IClaims.sol";
import {Phase, Standing, Verdict} from "../../src/types/Enums.sol";
import {Leaf, ProvenLeaf, Recorded} from "../../src/types/Round.sol";
import {MerkleTree} from "../MerkleTree.sol";
import {DisputeActs} from "./DisputeActs.sol";
import {Run} from "./Model.sol";

/// @dev Settling, claims and sweeps.
abstract contract EndActs is DisputeActs {
    // ---------------------------------------------------------------- settle

    function _settle(uint256 id) internal {
        Run storage r = runs[id];
        (Recorded memory shown, bool right) = _shown(r);
        bool due = right && _phase(id) == Phase.Settleable;
        if (!_try("settle", _someone(), abi.encodeCall(IClaims.settle, (id, shown)), due)) return;
        if (disputed[id]) _mark("end: arbiter silent");
        if (r.result.improvement > 0) {
            plans[r.project].model = r.result.model;
            _mark("end: settled, improved");
        } else {
            _mark("end: settled, unchanged");
        }
        (r.settled, r.settledAt, r.unclaimed) = (true, _now(), r.result.payout);
        _pay(id, r.proposer, escrows[id] - r.unclaimed);
        _emptyPot(id, treasury);
        _free(id);
    }

    // ---------------------------------------------------------------- claims

    /// @dev A row, mostly one of the round's, with its proof, and whether the proof is right.
    function _proven(uint256 id) private returns (ProvenLeaf memory item, bool right) {
        Leaf[] storage rows = runs[id].rows;
        if (rows.length == 0) return (item, false);
        item.leaf = rows[_roll(rows.length)];
        item.proof = MerkleTree.proof(_hashes(id), _hash(id, item.leaf));
        right = !_oneIn(24);
        if (!right) item.leaf.amount += 1;
    }

    /// @dev Whether claims are open and the row is one that pays at all.
    function _claimable(uint256 id, Leaf memory row, bool right) private view returns (bool) {
        Run storage r = runs[id];
        if (!right || !r.settled || _now() >= r.settledAt + CLAIM_TIME) return false;
        if (row.verdict == Verdict.Accepted || row.verdict == Verdict.Fee) return true;
        return row.amount == 0 && (row.verdict == Verdict.Excluded || row.verdict == Verdict.Spared);
    }

    function _isOwed(uint256 id, Leaf memory row) private view returns (bool) {
        if (row.verdict != Verdict.Fee) return standings[id][row.account] == Standing.Revealed;
        uint256 seat = _seatOf(committees[runs[id].set], row.account);
        return seat != NONE && (runs[id].slashed | runs[id].feesPaid) >> seat & 1 == 0;
    }

    function _paid(uint256 id, Leaf memory row, address caller) private {
        Run storage r = runs[id];
        uint256 amount = row.amount < r.unclaimed ? row.amount : r.unclaimed;
        if (row.verdict == Verdict.Fee) {
            if (amount > r.fee - r.feesClaimed) amount = r.fee - r.feesClaimed;
            r.feesClaimed += amount;
            r.feesPaid |= uint256(1) << _seatOf(committees[r.set], row.account);
            _mark("state: fee paid");
        } else {
            standings[id][row.account] = Standing.Released;
            _unlock(row.account, r.bond);
            if (row.verdict == Verdict.Excluded) {
                uint256 kept = r.bond / 5;
                holders[row.account].free -= kept;
                holders[caller].free += kept / 10;
                holders[treasury].free += kept - kept / 10;
                _mark("state: excluded");
            }
        }
        if (amount < row.amount) _mark("state: claim cut short");
        r.unclaimed -= amount;
        _pay(id, row.account, amount);
    }

    function _claim(uint256 id) internal {
        (ProvenLeaf memory item, bool right) = _proven(id);
        bool due = _claimable(id, item.leaf, right) && _isOwed(id, item.leaf);
        bytes memory data = abi.encodeCall(IClaims.claim, (id, item.leaf, item.proof));
        address caller = _someone();
        if (_try("claim", caller, data, due)) _paid(id, item.leaf, caller);
    }

    function _claimMany(uint256 id) internal {
        Run storage r = runs[id];
        ProvenLeaf[] memory items = new ProvenLeaf[](_roll(5));
        bool due = r.settled && _now() < r.settledAt + CLAIM_TIME;
        for (uint256 i = 0; i < items.length; ++i) {
            bool right;
            (items[i], right) = _proven(id);
            due = due && _claimable(id, items[i].leaf, right);
        }
        bytes memory data = abi.encodeCall(IClaims.claimMany, (id, items));
        address caller = _someone();
        if (!_try("claimMany", caller, data, due)) return;
        for (uint256 i = 0; i < items.length; ++i) {
            if (_isOwed(id, items[i].leaf)) _paid(id, items[i].leaf, caller);
        }
    }

    function _slashInvalid(uint256 id) internal {
        Run storage r = runs[id];
        (ProvenLeaf memory item, bool right) = _proven(id);
        address account = item.leaf.account;
        bool due = right && r.settled && item.leaf.verdict == Verdict.Invalid;
        due = due && standings[id][account] == Standing.Revealed;
        address reporter = _someone();
        bytes memory data = abi.encodeCall(IClaims.slashInvalid, (id, item.leaf, item.proof));
        if (!_try("slashInvalid", reporter, data, due)) return;
        standings[id][account] = Standing.Slashed;
        _slashBond(account, r.bond, reporter);
    }

    function _sweep(uint256 id) internal {
        Run storage r = runs[id];
        bool due = r.settled && _now() >= r.settledAt + CLAIM_TIME && r.unclaimed != 0;
        if (!_try("sweep", _someone(), abi.encodeCall(IClaims.sweep, (id)), due)) return;
        _pay(id, treasury, r.unclaimed);
        r.unclaimed = 0;
    }
}
