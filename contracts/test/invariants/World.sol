// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CancelCause, Phase, Standing} from "../../src/types/Enums.sol";
import {Result, Signature} from "../../src/types/Round.sol";
import {vm} from "../Vm.sol";
import {Books} from "./Books.sol";
import {Committee, Plan, Run, Wiring} from "./Model.sol";

/// @dev Who takes part, what a round ought to be, and how a call is made: an oracle says beforehand whether it is due, and
/// the contract must agree.
abstract contract World is Books {
    uint256 internal constant CLAIM_TIME = 90 days;
    uint256 internal constant RELEASE_TIME = 14 days;
    uint256 internal constant RESOLVE = 3 days;
    uint256 internal constant MINIMUM_BOND = 1 ether;
    uint256 internal constant KEEPER = 0.25 ether;
    uint256 internal constant MAX_HOLD = 60 days;
    uint256 internal constant SETS = 2;
    uint256 internal constant PROJECTS = 4;
    uint256 internal constant NONE = type(uint256).max;

    Wiring internal w;
    bool internal paused;
    uint256 internal height = 1000;
    uint256 private dice;
    /// @dev The only project that opens rounds, 0 for all.
    uint256 internal focus;

    address[] internal solvers;
    address[] internal verifiers;
    uint256[] internal verifierKeys;
    address[2] internal proposers;
    mapping(address solver => uint256) internal solverKeys;
    bytes32[] internal listHashes;

    mapping(uint256 setId => Committee) internal committees;
    mapping(uint256 projectId => Plan) internal plans;
    mapping(uint256 roundId => Run) internal runs;
    uint256 public roundCount;
    mapping(uint256 roundId => mapping(address solver => Standing)) internal standings;
    /// @dev The newest round of a lane that an account committed in.
    mapping(uint256 lane => mapping(address solver => uint256)) internal lanes;

    // ---------------------------------------------------------------- chance

    function _seed(uint256 seed) internal {
        dice = seed;
        // In some runs one project has all the rounds, so that its lanes are used again.
        if (calls == 0 && _oneIn(3)) focus = 3;
        calls += 1;
    }

    function _word() internal returns (uint256) {
        dice = uint256(keccak256(abi.encode(dice)));
        return dice;
    }

    /// @dev Below `sides`.
    function _roll(uint256 sides) internal returns (uint256) {
        return _word() % sides;
    }

    function _oneIn(uint256 sides) internal returns (bool) {
        return _roll(sides) == 0;
    }

    function _someone() internal returns (address) {
        return accounts[_roll(accounts.length)];
    }

    function _solver() internal returns (address) {
        return solvers[_roll(solvers.length)];
    }

    function _verifier() internal returns (address) {
        return verifiers[_roll(verifiers.length)];
    }

    /// @dev Mostly `right`, seldom somebody else.
    function _mostly(address right) internal returns (address) {
        return _oneIn(8) ? _someone() : right;
    }

    /// @dev A block every twelve seconds.
    function _passTo(uint256 time) internal {
        height += (time - _now()) / 12 + 1;
        vm.warp(time);
        vm.roll(height);
        vm.prevrandao(_word());
    }

    // ---------------------------------------------------------------- calls

    /// @dev The contract does what is due, and refuses what is not for a reason of its own: no panic, no empty answer.
    function _try(string memory name, address from, bytes memory data, bool due) internal returns (bool) {
        vm.prank(from);
        (bool success, bytes memory answer) = address(w.rounds).call(data);
        if (success != due) {
            revert(string.concat(name, due ? " was refused: " : " was let through", vm.toString(answer)));
        }
        if (success) {
            _mark(name);
            return true;
        }
        require(answer.length >= 4 && bytes4(answer) != 0x4e487b71, string.concat(name, " panicked"));
        _markRefused(name);
        return false;
    }

    // ---------------------------------------------------------------- what ought to be

    function _revealStart(Run storage r) internal view returns (uint256) {
        return r.commitEnd + r.gap;
    }

    function _revealEnd(Run storage r) internal view returns (uint256) {
        return r.revealsClosed != 0 ? r.revealsClosed : _revealStart(r) + r.revealDuration;
    }

    function _phase(uint256 id) internal view returns (Phase) {
        Run storage r = runs[id];
        uint256 time = _now();
        if (r.commitEnd == 0) return Phase.None;
        if (r.settled) return Phase.Settled;
        if (r.cause != CancelCause.None) return Phase.Cancelled;
        if (r.recorded) {
            if (time >= (disputed[id] ? r.resolveEnd : r.challengeEnd)) return Phase.Settleable;
            return disputed[id] ? Phase.Disputed : Phase.Challenge;
        }
        if (time < r.commitEnd) return Phase.Commit;
        bool useless = r.commits == 0;
        if (!useless && time < _revealStart(r)) return Phase.Gap;
        if (!useless && time < _revealEnd(r)) return Phase.Reveal;
        if (useless || r.reveals == 0 || !r.unsealed) return Phase.Cancellable;
        return time >= _revealEnd(r) + r.verifyDuration ? Phase.Cancellable : Phase.Verify;
    }

    function _isOpen(uint256 id) internal view returns (bool) {
        return runs[id].commitEnd != 0 && !runs[id].settled && runs[id].cause == CancelCause.None;
    }

    function _isHeld(address account) internal view override returns (bool) {
        if (!holders[account].verifier) return false;
        for (uint256 id = 1; id <= SETS; ++id) {
            Committee storage set = committees[id];
            if (set.openRounds + set.holds != 0 && _seatOf(set, account) != NONE) return true;
        }
        return false;
    }

    function _seatOf(Committee storage set, address account) internal view returns (uint256) {
        for (uint256 i = 0; i < set.members.length; ++i) {
            if (set.members[i] == account) return i;
        }
        return NONE;
    }

    function _lane(Run storage r) internal view returns (uint256) {
        return r.project * 100 + r.number % 8;
    }

    function _digest(uint256 id, address solver) internal pure returns (bytes32) {
        return keccak256(abi.encode("delta", id, solver));
    }

    function _commitment(uint256 id, address solver) internal view returns (bytes32) {
        bytes32 digest = _digest(id, solver);
        return keccak256(abi.encode(block.chainid, address(w.rounds), id, solver, digest, digest));
    }

    function _sign(uint256 key, Result memory result) internal view returns (Signature memory) {
        return _compact(key, w.lens.hashResult(result));
    }

    function _compact(uint256 key, bytes32 hash) internal pure returns (Signature memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return Signature(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }
}
