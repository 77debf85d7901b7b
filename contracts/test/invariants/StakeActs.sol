// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakes} from "../../src/interfaces/IStakes.sol";
import {IVerifierSets} from "../../src/interfaces/IVerifierSets.sol";
import {EndActs} from "./EndActs.sol";
import {Committee} from "./Model.sol";

/// @dev Stake on its way in and out, memberships, the partner contract and the owner.
abstract contract StakeActs is EndActs {
    // ---------------------------------------------------------------- participants

    function _deposit() internal {
        (address payer, address account) = (_someone(), _someone());
        uint256 amount = _oneIn(12) ? 0 : 1 + _roll(400 ether);
        _depositFor(payer, _oneIn(16) ? address(0) : account, amount);
    }

    function _depositFor(address payer, address account, uint256 amount) internal {
        bool due = !paused && amount != 0 && account != address(0);
        if (_try("deposit", payer, abi.encodeCall(IStakes.deposit, (amount, account)), due)) {
            holders[account].free += amount;
        }
    }

    /// @dev A part of what there is; seldom nothing or too much.
    function _part(uint256 whole) private returns (uint256) {
        uint256 how = _roll(10);
        if (how == 0) return 0;
        if (how == 1) return whole + 1;
        return how < 4 || whole == 0 ? whole : 1 + _roll(whole);
    }

    function _withdraw() internal {
        address account = _someone();
        Holder storage holder = holders[account];
        uint256 amount = _part(holder.free);
        address to = _oneIn(10) ? address(0) : _someone();
        bool due = amount != 0 && amount <= holder.free && !holder.verifier && to != address(0);
        due = due && !_inDebt(account);
        if (_try("withdraw", account, abi.encodeCall(IStakes.withdraw, (amount, to)), due)) {
            holder.free -= amount;
        }
    }

    function _requestUnbond() internal {
        address account = _oneIn(2) ? _verifier() : _someone();
        uint256 free = holders[account].free;
        uint256 spare = free > MINIMUM ? free - MINIMUM : free;
        _unbond(account, _part(_oneIn(3) ? free : spare / 4));
    }

    function _unbond(address account, uint256 amount) internal {
        Holder storage holder = holders[account];
        bool due = amount != 0 && amount <= holder.free && !_inDebt(account);
        due = due && (holder.joined == 0 || holder.free - amount >= MINIMUM);
        due = due && holder.requests.length < 16;
        if (!_try("requestUnbond", account, abi.encodeCall(IStakes.requestUnbond, (amount)), due)) return;
        holder.free -= amount;
        holder.requests.push(Request(amount, _now() + UNBOND_DELAY));
        if (holder.requests.length > 1) _mark("state: several requests");
    }

    /// @dev What has matured, oldest first, as far as a held verifier keeps the minimum.
    function _matured(address account) private view returns (uint256 amount) {
        Request[] storage requests = holders[account].requests;
        for (uint256 i = 0; i < requests.length; ++i) {
            if (requests[i].at <= _now()) amount += requests[i].amount;
        }
        if (!_isHeld(account)) return amount;
        uint256 slashable = _slashable(account);
        uint256 spare = slashable > MINIMUM ? slashable - MINIMUM : 0;
        return amount < spare ? amount : spare;
    }

    function _withdrawUnbonded() internal {
        _payOut(_oneIn(2) ? _verifier() : _someone());
    }

    function _payOut(address account) internal {
        Request[] storage requests = holders[account].requests;
        address to = _oneIn(16) ? address(0) : _someone();
        uint256 amount = _inDebt(account) || to == address(0) ? 0 : _matured(account);
        bytes memory data = abi.encodeCall(IStakes.withdrawUnbonded, (to));
        if (!_try("withdrawUnbonded", account, data, amount != 0)) return;
        while (amount != 0) {
            uint256 part = requests[0].amount < amount ? requests[0].amount : amount;
            amount -= part;
            requests[0].amount -= part;
            if (requests[0].amount != 0) return _mark("state: request cut in two");
            for (uint256 i = 1; i < requests.length; ++i) {
                requests[i - 1] = requests[i];
            }
            requests.pop();
        }
    }

    function _collectDebt() internal {
        address debtor = _oneIn(4) ? _someone() : _verifier();
        _collect(debtor, _someone());
    }

    function _collect(address debtor, address collector) internal {
        Holder storage holder = holders[debtor];
        bool due = holder.debt != 0 && _slashable(debtor) != 0;
        if (!_try("collectDebt", collector, abi.encodeCall(IStakes.collectDebt, (debtor)), due)) return;
        uint256 taken = _take(debtor, holder.debt);
        holder.debt -= taken;
        _share(debtor, taken, collector);
    }

    // ---------------------------------------------------------------- sets

    function _join() internal {
        (uint256 setId, address account) = (1 + _roll(SETS), _mostly(_verifier()));
        Committee storage set = committees[setId];
        bool due = _seatOf(set, account) != NONE && !set.joined[account];
        if (_try("join", account, abi.encodeCall(IVerifierSets.join, (setId)), due)) _joined(set, account);
    }

    function _joined(Committee storage set, address account) internal {
        set.joined[account] = true;
        set.seated += 1;
        holders[account].joined += 1;
        holders[account].verifier = true;
    }

    function _leave() internal {
        (uint256 setId, address account) = (1 + _roll(SETS), _mostly(_verifier()));
        Committee storage set = committees[setId];
        bool due = set.joined[account];
        if (!_try("leave", account, abi.encodeCall(IVerifierSets.leave, (setId)), due)) return;
        _left(set, account);
    }

    function _left(Committee storage set, address account) internal {
        set.joined[account] = false;
        set.seated -= 1;
        holders[account].joined -= 1;
        if (set.openRounds != 0) _mark("state: left while held");
    }

    // ---------------------------------------------------------------- the partner

    function _partner() internal {
        address from = _mostly(w.partner);
        address account = _someone();
        uint256 which = _roll(5);
        if (which == 0) return _partnerLock(from, account);
        if (which == 1) return _partnerUnlock(from, account);
        if (which == 2) return _partnerSlash(from, account);
        if (which == 3) return _partnerHold(from, 1 + _roll(SETS));
        if (from != w.partner || _oneIn(3)) _partnerSlashStake(from, _verifier());
    }

    function _partnerLock(address from, address account) private {
        uint256 amount = _part(holders[account].free) / (_oneIn(2) ? 1 : 8);
        bool due = from == w.partner && _mayLock(account, amount);
        if (!_try("lock", from, abi.encodeCall(IStakes.lock, (account, amount)), due)) return;
        _lock(account, amount);
        holders[account].partner += amount;
    }

    function _partnerUnlock(address from, address account) private {
        uint256 amount = _part(holders[account].partner);
        bool due = from == w.partner && amount <= holders[account].partner;
        if (!_try("unlock", from, abi.encodeCall(IStakes.unlock, (account, amount)), due)) return;
        _unlock(account, amount);
        holders[account].partner -= amount;
    }

    function _partnerSlash(address from, address account) private {
        uint256 amount = _part(holders[account].partner);
        address reporter = _someone();
        bool due = from == w.partner && amount <= holders[account].partner;
        bytes memory data = abi.encodeCall(IStakes.slashBond, (account, amount, reporter));
        if (!_try("slashBond", from, data, due)) return;
        holders[account].partner -= amount;
        _slashBond(account, amount, reporter);
    }

    function _partnerSlashStake(address from, address account) private {
        address reporter = _someone();
        bytes memory data = abi.encodeCall(IStakes.slashStake, (account, reporter));
        if (!_try("slashStake", from, data, from == w.partner)) return;
        _share(account, _slashMinimum(account), reporter);
    }

    function _partnerHold(address from, uint256 setId) private {
        Committee storage set = committees[setId];
        if (_oneIn(2) && set.holds < 3) {
            bool due = from == w.partner && set.seated == set.members.length;
            if (_try("hold", from, abi.encodeCall(IStakes.hold, (setId)), due)) set.holds += 1;
            return;
        }
        bool held = from == w.partner && set.holds != 0;
        if (_try("releaseHold", from, abi.encodeCall(IStakes.releaseHold, (setId)), held)) set.holds -= 1;
    }

    // ---------------------------------------------------------------- the owner

    /// @dev Mostly running: a paused system reaches nothing new.
    function _pauseOrNot() internal {
        address from = _mostly(w.owner);
        bool due = from == w.owner;
        if (paused || _oneIn(4)) {
            if (_try("unpause", from, abi.encodeCall(w.rounds.unpause, ()), due && paused)) paused = false;
        } else if (_try("pause", from, abi.encodeCall(w.rounds.pause, ()), due)) {
            paused = true;
        }
    }
}
