// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierSets} from "../../src/interfaces/IVerifierSets.sol";
import {Phase} from "../../src/types/Enums.sol";
import {Checks} from "./Checks.sol";
import {Committee, Run} from "./Model.sol";

/// @dev What to try next, and the passing of time.
abstract contract Guide is Checks {
    function _stakes() internal {
        uint256 which = _roll(11);
        if (which == 0) return _deposit();
        if (which == 1) return _withdraw();
        if (which < 4) return _requestUnbond();
        if (which < 6) return _withdrawUnbonded();
        if (which == 6) return _collectDebt();
        if (which == 7) return _oneIn(20) ? _exit() : _oneIn(4) ? _leave() : _join();
        if (which == 8 && _oneIn(3)) return _pauseOrNot();
        _partner();
    }

    /// @dev A verifier that leaves all its sets with everything it has, its open rounds or not.
    function _exit() private {
        address account = _verifier();
        for (uint256 setId = 1; setId <= SETS; ++setId) {
            bytes memory data = abi.encodeCall(IVerifierSets.leave, (setId));
            Committee storage set = committees[setId];
            if (_try("leave", account, data, set.joined[account])) _left(set, account);
        }
        _unbond(account, holders[account].free / 3);
        _unbond(account, holders[account].free);
        _passTo(_now() + UNBOND_DELAY + _roll(2) - 1);
        _payOut(account);
    }

    /// @dev Opens a round, its set made ready first.
    function _restore() internal {
        if (paused) _pauseOrNot();
        if (_oneIn(5)) return _open();
        for (uint256 i = 0; i < verifiers.length; ++i) {
            address account = verifiers[i];
            uint256 needed = MINIMUM + holders[account].debt;
            if (holders[account].free < needed) {
                _depositFor(account, account, needed - holders[account].free);
            }
            if (_inDebt(account) && !paused) _collect(account, _someone());
        }
        for (uint256 setId = 1; setId <= SETS; ++setId) {
            Committee storage set = committees[setId];
            for (uint256 i = 0; i < 3; ++i) {
                if (set.joined[set.members[i]]) continue;
                bytes memory data = abi.encodeCall(IVerifierSets.join, (setId));
                if (_try("join", set.members[i], data, true)) _joined(set, set.members[i]);
            }
        }
        _open();
    }

    /// @dev What the phase of a round asks for. Time passes when the round whose phase ends first has had enough.
    function _next(uint256 id) internal {
        Phase phase = _phase(id);
        if (_deadline(id) != 0 && _hasEnough(runs[id], phase)) {
            if (id == _first() || _oneIn(6)) return _toDeadline(id);
            return _about(id, _roll(22));
        }
        if (phase == Phase.Commit) return _about(id, _oneIn(3) ? 1 : 0);
        if (phase == Phase.Gap) return _draws(id);
        if (phase == Phase.Reveal) {
            return !runs[id].unsealed && _oneIn(2) ? _draws(id) : _about(id, 2 + _roll(2));
        }
        if (phase == Phase.Verify) return _record(id);
        if (phase == Phase.Challenge || phase == Phase.Disputed) return _about(id, 8 + _roll(5));
        if (phase == Phase.Settleable) return _settle(id);
        if (phase == Phase.Cancellable) return _cancel(id);
        if (_oneIn(_first() == 0 ? 8 : 80)) return _toDeadline(id);
        if (phase == Phase.Cancelled) return _about(id, _oneIn(4) ? 11 : 17 + _roll(3));
        _about(id, _oneIn(8) ? 11 : 14 + _roll(7));
    }

    function _hasEnough(Run storage r, Phase phase) private returns (bool) {
        if (phase == Phase.Commit) return r.commits > 1 ? _oneIn(2) : _oneIn(r.commits == 1 ? 5 : 16);
        if (phase == Phase.Gap) return r.unsealed || _oneIn(8);
        if (phase == Phase.Challenge) return !_oneIn(3);
        return _oneIn(12);
    }

    /// @dev The open round whose phase ends first.
    function _first() internal view returns (uint256 id) {
        uint256 sooner = NONE;
        for (uint256 i = 1; i <= PROJECTS; ++i) {
            uint256 time = _deadline(plans[i].active);
            if (time == 0 || time >= sooner) continue;
            (sooner, id) = (time, plans[i].active);
        }
    }

    /// @dev The next step of the draw.
    function _draws(uint256 id) private {
        Run storage r = runs[id];
        if (r.beaconBlock == 0) return _closeCommits(id);
        if (height <= r.beaconBlock) return _oneIn(8) ? _draw(id) : _later();
        r.drawn ? _unseal(id) : _draw(id);
    }

    /// @dev One of 22 calls about a round.
    function _about(uint256 id, uint256 which) internal {
        if (which == 0) return _commit(id);
        if (which == 1) return _commitMany(id);
        if (which == 2) return _reveal(id);
        if (which == 3) return _revealMany(id);
        if (which == 4) return _closeCommits(id);
        if (which == 5) return _draw(id);
        if (which == 6) return _unseal(id);
        if (which == 7) return _record(id);
        if (which == 8 || which == 9) return _challenge(id);
        if (which == 10) return _uphold(id);
        if (which == 11) return _closeChallenge(id);
        if (which == 12) return _oneIn(3) ? _equivocate(id) : _overturn(id);
        if (which == 13) return _settle(id);
        if (which == 14) return _claim(id);
        if (which == 15) return _claimMany(id);
        if (which == 16) return _slashInvalid(id);
        if (which == 17) return _slashNonReveal(id);
        if (which < 20) return _releaseBond(id);
        if (which == 20) return _sweep(id);
        _cancel(id);
    }

    // ---------------------------------------------------------------- time

    /// @dev To the first deadline of all open rounds, so that every phase is entered at its first second; seldom to that of
    /// an ended round, which lies far ahead.
    function _toDeadline(uint256 id) private {
        uint256 next = NONE;
        Run storage r = runs[id];
        if (r.settled && _oneIn(2)) {
            if (_oneIn(2)) next = _sooner(next, r.settledAt + RELEASE_TIME);
            next = _sooner(next, r.settledAt + CLAIM_TIME);
        }
        next = _sooner(next, _deadline(_first()));
        if (next == NONE) return _later();
        _mark("time: next deadline");
        _passTo(_oneIn(4) && next - 1 > _now() ? next - 1 : next);
    }

    /// @dev When the round's phase ends by time, 0 if it does not.
    function _deadline(uint256 id) private view returns (uint256) {
        Run storage r = runs[id];
        Phase phase = _phase(id);
        if (phase == Phase.Commit) return r.commitEnd;
        if (phase == Phase.Gap) return _revealStart(r);
        if (phase == Phase.Reveal) return _revealEnd(r);
        if (phase == Phase.Verify) return _revealEnd(r) + r.verifyDuration;
        if (phase == Phase.Challenge) return r.challengeEnd;
        return phase == Phase.Disputed ? r.resolveEnd : 0;
    }

    function _sooner(uint256 next, uint256 time) private view returns (uint256) {
        return time > _now() && time < next ? time : next;
    }

    function _later() private {
        _mark("time: later");
        _passTo(_now() + 1 + _roll(_oneIn(150) ? 8 days : 40));
    }
}
