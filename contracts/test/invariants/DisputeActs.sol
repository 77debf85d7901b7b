// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDisputes} from "../../src/interfaces/IDisputes.sol";
import {CancelCause, Phase} from "../../src/types/Enums.sol";
import {Recorded} from "../../src/types/Round.sol";
import {Run} from "./Model.sol";
import {VerifierActs} from "./VerifierActs.sol";

/// @dev Challenges by anybody, and what the arbiter makes of them.
abstract contract DisputeActs is VerifierActs {
    /// @dev What was recorded; seldom something else, which every call must refuse.
    function _shown(Run storage r) internal returns (Recorded memory shown, bool right) {
        shown = r.result;
        right = !_oneIn(12);
        if (!right) shown.signers ^= uint32(1 << _roll(3));
    }

    function _challenge(uint256 id) internal {
        Run storage r = runs[id];
        address challenger = _someone();
        (Recorded memory shown, bool right) = _shown(r);
        Phase phase = _phase(id);
        bool due = phase == Phase.Challenge || (phase == Phase.Disputed && _now() < r.challengeEnd);
        due = due && right && r.bonds[challenger] == 0;
        bytes memory data = abi.encodeCall(IDisputes.challenge, (id, "evidence", shown));
        if (!_try("challenge", challenger, data, due)) return;
        uint256 bond = uint256(r.result.payout) / 10;
        if (bond < MINIMUM_BOND) bond = MINIMUM_BOND;
        if (disputed[id]) _mark("state: several challengers");
        else _note(r);
        disputed[id] = true;
        (r.bonds[challenger], r.epochs[challenger]) = (bond, r.epoch);
        r.challenges += 1;
        r.resolveEnd = _now() + RESOLVE;
        _lockBond(challenger, bond);
    }

    /// @dev From free stake unless a duty or a debt forbids it; the rest from the challenger's tokens.
    function _lockBond(address challenger, uint256 bond) private {
        uint256 free = holders[challenger].free;
        if (holders[challenger].verifier || _inDebt(challenger)) free = 0;
        uint256 part = free < bond ? free : bond;
        holders[challenger].free -= part;
        holders[challenger].locked += bond;
        if (part < bond) _mark("state: bond from outside");
    }

    function _note(Run storage r) private {
        for (uint256 seat = 0; seat < 3; ++seat) {
            if (r.result.signers >> seat & 1 == 0) continue;
            Holder storage signer = holders[committees[r.set].members[seat]];
            if (!disputed[signer.noted]) signer.noted = _idOf(r);
        }
    }

    function _idOf(Run storage r) private view returns (uint256) {
        return plans[r.project].active;
    }

    function _uphold(uint256 id) internal {
        Run storage r = runs[id];
        address from = _mostly(w.arbiter);
        bool due = from == w.arbiter && _phase(id) == Phase.Disputed;
        if (!_try("uphold", from, abi.encodeCall(IDisputes.uphold, (id)), due)) return;
        disputed[id] = false;
        r.epoch += 1;
        _emptyPot(id, treasury);
    }

    function _overturn(uint256 id) internal {
        Run storage r = runs[id];
        address from = _mostly(w.arbiter);
        address winner = _challenger(r);
        (Recorded memory shown, bool right) = _shown(r);
        bool due = from == w.arbiter && right && _phase(id) == Phase.Disputed;
        due = due && r.bonds[winner] != 0 && r.epochs[winner] == r.epoch;
        bytes memory data = abi.encodeCall(IDisputes.overturn, (id, shown, winner));
        if (!_try("overturn", from, data, due)) return;
        _slashSigners(id);
        _emptyPot(id, winner);
        _ended(id, CancelCause.Overturned, "end: overturned");
    }

    /// @dev Every signer that was not slashed in this round before; the tenths wait for the winner.
    function _slashSigners(uint256 id) private {
        Run storage r = runs[id];
        for (uint256 seat = 0; seat < 3; ++seat) {
            if (r.result.signers >> seat & 1 == 0 || r.slashed >> seat & 1 == 1) continue;
            r.slashed |= uint256(1) << seat;
            r.slashes[seat] += 1;
            uint256 taken = _slashMinimum(committees[r.set].members[seat]);
            _setAside(id, taken / 10);
            holders[treasury].free += taken - taken / 10;
        }
    }

    function _challenger(Run storage r) private returns (address) {
        uint256 first = _roll(accounts.length);
        if (_oneIn(8)) return accounts[first];
        for (uint256 i = 0; i < accounts.length; ++i) {
            address account = accounts[(first + i) % accounts.length];
            if (r.bonds[account] != 0) return account;
        }
        return accounts[first];
    }

    function _closeChallenge(uint256 id) internal {
        Run storage r = runs[id];
        address challenger = _challenger(r);
        uint256 bond = r.bonds[challenger];
        bool lost = r.epochs[challenger] != r.epoch;
        bool due = bond != 0 && (lost || !_isOpen(id));
        bytes memory data = abi.encodeCall(IDisputes.closeChallenge, (id, challenger));
        if (!_try("closeChallenge", _someone(), data, due)) return;
        r.bonds[challenger] = 0;
        r.epochs[challenger] = 0;
        _mark(lost ? "state: challenge lost" : "state: challenge returned");
        if (lost) _slashBond(challenger, bond, treasury);
        else _unlock(challenger, bond);
    }
}
