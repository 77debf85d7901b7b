// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../../src/interfaces/IRounds.sol";
import {CancelCause, Phase, Standing} from "../../src/types/Enums.sol";
import {Opening, Signature, SignedCommit} from "../../src/types/Round.sol";
import {MerkleTree} from "../MerkleTree.sol";
import {Run} from "./Model.sol";
import {World} from "./World.sol";

/// @dev Commits, reveals and the bonds of whoever did not reveal, one by one and in batches.
abstract contract SolverActs is World {
    // ---------------------------------------------------------------- commit

    /// @dev Whether a place is free for the account: it has none in this round, no bond in the lane, and no seat.
    function _admissible(uint256 id, address solver) internal view returns (bool) {
        Run storage r = runs[id];
        if (standings[id][solver] != Standing.None) return false;
        Standing before = standings[lanes[_lane(r)][solver]][solver];
        if (before == Standing.Committed || before == Standing.Revealed) return false;
        return !holders[solver].verifier || _seatOf(committees[r.set], solver) == NONE;
    }

    function _hasPlace(uint256 id) internal view returns (bool) {
        Run storage r = runs[id];
        return _phase(id) == Phase.Commit && r.commits < r.places && _now() < r.commitEnd;
    }

    function _takePlace(uint256 id, address solver) internal {
        Run storage r = runs[id];
        standings[id][solver] = Standing.Committed;
        uint256 lane = _lane(r);
        if (lanes[lane][solver] != 0) _mark("state: lane used again");
        lanes[lane][solver] = id;
        _lock(solver, r.bond);
        r.commits += 1;
        if (r.commits < r.places) return;
        uint256 half = r.commitEnd - r.commitDuration / 2;
        r.commitEnd = _now() > half ? _now() : half;
        _mark(_now() > half ? "state: full after half" : "state: full before half");
    }

    function _commit(uint256 id) internal {
        Run storage r = runs[id];
        address solver = _mostly(_withStanding(id, Standing.None));
        bytes32 commitment = _commitment(id, solver);
        bool due = _hasPlace(id) && _admissible(id, solver) && _mayLock(solver, r.bond);
        bool byList = _oneIn(16) ? !r.listed : r.listed;
        bytes memory data;
        if (byList) {
            // Listed are the first three solvers; seldom the proof is another's.
            uint256 own = _listPlace(solver);
            uint256 shown = own == NONE || _oneIn(16) ? _roll(3) : own;
            bytes32[] memory proof = MerkleTree.proof(listHashes, listHashes[shown]);
            data = abi.encodeCall(IRounds.commitListed, (id, commitment, proof));
            due = due && r.listed && own == shown;
        } else {
            data = abi.encodeCall(IRounds.commit, (id, commitment));
            due = due && !r.listed;
        }
        if (_try(byList ? "commitListed" : "commit", solver, data, due)) _takePlace(id, solver);
        else if (standings[lanes[_lane(r)][solver]][solver] == Standing.Revealed) _mark("state: claim first");
    }

    function _listPlace(address solver) private view returns (uint256) {
        for (uint256 i = 0; i < listHashes.length; ++i) {
            if (listHashes[i] == _listHash(solver)) return i;
        }
        return NONE;
    }

    function _listHash(address solver) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(solver))));
    }

    function _commitMany(uint256 id) internal {
        Run storage r = runs[id];
        uint256 count = _roll(5);
        SignedCommit[] memory items = new SignedCommit[](count);
        bool[] memory valid = new bool[](count);
        for (uint256 i = 0; i < count; ++i) {
            address solver = _solver();
            valid[i] = !_oneIn(6);
            bytes32 commitment = _commitment(id, solver);
            bytes32 hash = w.lens.hashCommit(valid[i] ? id : id + 1, commitment);
            Signature memory signature = _compact(solverKeys[solver], hash);
            items[i] = SignedCommit(solver, commitment, signature.r, signature.vs);
        }
        bytes memory data = abi.encodeCall(IRounds.commitMany, (id, items));
        if (!_try("commitMany", _someone(), data, _hasPlace(id) && !r.listed)) return;
        for (uint256 i = 0; i < count && r.commits < r.places; ++i) {
            address solver = items[i].solver;
            bool able = valid[i] && holders[solver].free >= r.bond && !_inDebt(solver);
            if (!able || holders[solver].verifier || !_admissible(id, solver)) continue;
            _takePlace(id, solver);
            _mark("state: committed by others");
        }
    }

    // ---------------------------------------------------------------- reveal

    function _opened(uint256 id, address solver) private {
        standings[id][solver] = Standing.Revealed;
        runs[id].reveals += 1;
    }

    /// @dev REVEAL ends with the last reveal or the unsealing, whichever comes last.
    function _closeReveals(uint256 id) internal {
        Run storage r = runs[id];
        if (!r.unsealed || r.reveals != r.commits) return;
        r.revealsClosed = _now();
        _mark("state: reveals closed early");
    }

    function _reveal(uint256 id) internal {
        address solver = _withStanding(id, Standing.Committed);
        bytes32 digest = _digest(id, solver);
        bytes32 salt = _oneIn(10) ? bytes32("another") : digest;
        bool due = _phase(id) == Phase.Reveal && standings[id][solver] == Standing.Committed && salt == digest;
        bytes memory data = abi.encodeCall(IRounds.reveal, (id, digest, salt));
        if (!_try("reveal", solver, data, due)) return;
        _opened(id, solver);
        _closeReveals(id);
    }

    function _revealMany(uint256 id) internal {
        uint256 count = _roll(6);
        Opening[] memory items = new Opening[](count);
        bool due = _phase(id) == Phase.Reveal;
        for (uint256 i = 0; i < count; ++i) {
            address solver = _solver();
            // Mostly one that has something to open.
            for (uint256 j = 0; j < 6 && standings[id][solver] != Standing.Committed; ++j) {
                solver = _solver();
            }
            bytes32 digest = _digest(id, solver);
            bool wrong = _oneIn(40);
            items[i] = Opening(solver, digest, wrong ? bytes32("another") : digest);
            Standing standing = standings[id][solver];
            // One that was opened before is left out, by whatever it is said to open.
            bool again = standing == Standing.Revealed;
            for (uint256 j = 0; j < i; ++j) {
                again = again || items[j].solver == solver;
            }
            due = due && (again || (standing == Standing.Committed && !wrong));
        }
        // Of no solver at all: only the time is looked at, which a round without commits has too.
        Run storage r = runs[id];
        if (count == 0) due = r.commitEnd != 0 && _now() >= _revealStart(r) && _now() < _revealEnd(r);
        bytes memory data = abi.encodeCall(IRounds.revealMany, (id, items));
        if (!_try("revealMany", _someone(), data, due)) return;
        for (uint256 i = 0; i < count; ++i) {
            if (standings[id][items[i].solver] == Standing.Committed) _opened(id, items[i].solver);
        }
        _closeReveals(id);
    }

    // ---------------------------------------------------------------- bonds without a claim

    function _slashNonReveal(uint256 id) internal {
        Run storage r = runs[id];
        address solver = _withStanding(id, Standing.Committed);
        address reporter = _someone();
        bool past = r.commitEnd != 0 && _now() >= _revealEnd(r);
        bool due = past && standings[id][solver] == Standing.Committed;
        bytes memory data = abi.encodeCall(w.rounds.slashNonReveal, (id, solver));
        if (!_try("slashNonReveal", reporter, data, due)) return;
        standings[id][solver] = Standing.Slashed;
        _slashBond(solver, r.bond, reporter);
    }

    function _releaseBond(uint256 id) internal {
        Run storage r = runs[id];
        address solver = _withStanding(id, Standing.Revealed);
        bool over = r.cause != CancelCause.None || (r.settled && _now() >= r.settledAt + RELEASE_TIME);
        bool due = over && standings[id][solver] == Standing.Revealed;
        if (!_try("releaseBond", solver, abi.encodeCall(w.rounds.releaseBond, (id)), due)) return;
        standings[id][solver] = Standing.Released;
        _unlock(solver, r.bond);
        if (r.settled) _mark("state: released unclaimed");
        if (r.cause != CancelCause.NotUnsealed) return;
        _pay(id, solver, r.unsealBond / r.reveals);
        _mark("state: unseal share");
    }

    /// @dev Somebody with this standing if there is one, else anybody.
    function _withStanding(uint256 id, Standing wanted) internal returns (address) {
        if (_oneIn(6)) return _someone();
        uint256 first = _roll(solvers.length);
        for (uint256 i = 0; i < solvers.length; ++i) {
            address solver = solvers[(first + i) % solvers.length];
            if (standings[id][solver] == wanted) return solver;
        }
        return solvers[first];
    }
}
