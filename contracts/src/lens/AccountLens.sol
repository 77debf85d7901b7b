// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundLens} from "../interfaces/IRoundLens.sol";
import {Members} from "../libraries/Members.sol";
import {Account, Exit, VerifierSet, state} from "../rounds/RoundStorage.sol";
import {Readiness} from "../types/Enums.sol";
import {AccountView, SetView} from "../types/Views.sol";
import {Reader} from "./Reader.sol";

/// @title Accounts and verifier sets, as `RoundStorage` lays them out.
abstract contract AccountLens is Reader {
    using Members for bytes;

    /// @dev Where `DoubleEndedQueue` has its elements, from the slot of an `Exit`.
    uint256 private constant REQUESTS = 2;

    // ---------------------------------------------------------------- accounts

    /// @inheritdoc IRoundLens
    function accountOf(address account) public view returns (AccountView memory view_) {
        uint256 word = _word(_accountSlot(account));
        uint256[] memory exit = _words(_exitSlot(account), 2);
        view_.free = uint128(_field(word, 0, 96));
        view_.locked = uint128(_field(word, 96, 96));
        view_.joined = uint32(_field(word, 192, 8));
        view_.verifier = _field(word, 200, 8) != 0;
        view_.unbonding = uint128(_field(exit[0], 0, 128));
        view_.debt = uint128(_field(exit[0], 128, 96));
        view_.held = _isHeld(account);
        (uint256 begin, uint256 end) = (_field(exit[1], 0, 128), _field(exit[1], 128, 128));
        if (begin != end) view_.unbondAt = uint64(_request(account, begin));
    }

    /// @inheritdoc IRoundLens
    function withdrawable(address account) external view returns (uint256 amount) {
        AccountView memory stake = accountOf(account);
        if (stake.debt != 0) return 0;
        if (!stake.verifier) amount = stake.free;
        (uint128[] memory amounts, uint64[] memory availableAt) = unbondRequestsOf(account);
        uint256 mature = 0;
        for (uint256 i = 0; i < amounts.length && availableAt[i] <= block.timestamp; ++i) {
            mature += amounts[i];
        }
        if (stake.held) {
            uint256 minimum = rounds.configuration().minimumVerifierStake;
            uint256 slashable = uint256(stake.free) + stake.unbonding;
            uint256 spare = slashable > minimum ? slashable - minimum : 0;
            if (mature > spare) mature = spare;
        }
        // A solver that also asked to unbond has two calls to make; the larger one is told.
        if (mature > amount) amount = mature;
    }

    /// @inheritdoc IRoundLens
    function unbondRequestsOf(address account)
        public
        view
        returns (uint128[] memory amounts, uint64[] memory availableAt)
    {
        uint256 ends = _word(_exitSlot(account) + 1);
        (uint256 begin, uint256 end) = (_field(ends, 0, 128), _field(ends, 128, 128));
        uint256 count;
        unchecked {
            count = uint128(end - begin);
        }
        amounts = new uint128[](count);
        availableAt = new uint64[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 at;
            unchecked {
                at = uint128(begin + i);
            }
            uint256 request = _request(account, at);
            (amounts[i], availableAt[i]) = (uint128(request >> 64), uint64(request));
        }
    }

    /// @inheritdoc IRoundLens
    function setsOf(address account) public view returns (uint256[] memory setIds) {
        uint256 packed = uint256(_word(_membershipsSlot(account)));
        uint256 count = 0;
        for (uint256 ids = packed; ids != 0; ids >>= 32) {
            ++count;
        }
        setIds = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            setIds[i] = _field(packed, 32 * i, 32);
        }
    }

    function _isHeld(address account) private view returns (bool) {
        uint256[] memory setIds = setsOf(account);
        for (uint256 i = 0; i < setIds.length; ++i) {
            if (_field(_word(_setSlot(setIds[i])), 160, 32) != 0) return true;
        }
        return false;
    }

    function _request(address account, uint256 at) private view returns (uint256) {
        return _word(uint256(keccak256(abi.encode(at, _exitSlot(account) + REQUESTS))));
    }

    // ---------------------------------------------------------------- sets

    /// @inheritdoc IRoundLens
    function getSet(uint256 setId) public view returns (SetView memory view_) {
        uint256[] memory words = _words(_setSlot(setId), 3);
        bytes memory members = Members.load(address(uint160(words[0])));
        uint256 count = members.count();
        view_.curator = address(uint160(words[2]));
        view_.members = new address[](count);
        view_.openRounds = uint32(_field(words[0], 160, 32));
        view_.joined = uint32(_field(words[0], 192, 32));
        view_.threshold = uint32(_field(words[0], 224, 8));
        view_.cap = uint128(_field(words[1], 0, 96));
        view_.escrowAtRisk = uint128(_field(words[1], 96, 96));
        view_.maxHold = uint32(_field(words[1], 192, 32));
        uint256 minimum = rounds.configuration().minimumVerifierStake;
        for (uint256 seat = 0; seat < count; ++seat) {
            address member = members.at(seat);
            view_.members[seat] = member;
            uint256 slashable =
                _field(_word(_accountSlot(member)), 0, 96) + _field(_word(_exitSlot(member)), 0, 128);
            view_.stakeAtRisk += uint128(slashable < minimum ? slashable : minimum);
        }
    }

    /// @inheritdoc IRoundLens
    function canOpen(uint256 setId, uint256 escrow) external view returns (Readiness) {
        SetView memory set = getSet(setId);
        uint256 count = set.members.length;
        if (count == 0) return Readiness.Unknown;
        if (set.joined != (uint256(1) << count) - 1) return Readiness.NotJoined;
        uint256 minimum = rounds.configuration().minimumVerifierStake;
        for (uint256 seat = 0; seat < count; ++seat) {
            uint256 word = _word(_accountSlot(set.members[seat]));
            if (_field(word, 0, 96) < minimum || _field(word, 208, 8) != 0) return Readiness.StakeTooLow;
        }
        return escrow + set.escrowAtRisk > set.cap ? Readiness.CapExhausted : Readiness.Ready;
    }

    /// @inheritdoc IRoundLens
    function isAdmitted(uint256 setId, address proposer) external view returns (bool) {
        uint256 slot = _setSlot(setId);
        if (address(uint160(_word(slot + 2))) == proposer) return true;
        return _word(uint256(keccak256(abi.encode(proposer, slot + 3)))) != 0;
    }

    /// @inheritdoc IRoundLens
    function hasJoined(uint256 setId, address member) external view returns (bool) {
        uint256 word = _word(_setSlot(setId));
        uint256 seat = Members.load(address(uint160(word))).seatOf(member);
        return seat != Members.NONE && word >> (192 + seat) & 1 != 0;
    }

    // ---------------------------------------------------------------- slots

    function _accountSlot(address account) internal view returns (uint256 slot) {
        Account storage found = state().accounts[account];
        assembly ("memory-safe") {
            slot := found.slot
        }
    }

    function _exitSlot(address account) internal view returns (uint256 slot) {
        Exit storage found = state().exits[account];
        assembly ("memory-safe") {
            slot := found.slot
        }
    }

    function _setSlot(uint256 setId) internal view returns (uint256 slot) {
        VerifierSet storage found = state().sets[setId];
        assembly ("memory-safe") {
            slot := found.slot
        }
    }

    function _membershipsSlot(address account) private view returns (uint256) {
        mapping(address => uint256) storage found = state().memberships;
        uint256 base;
        assembly ("memory-safe") {
            base := found.slot
        }
        return uint256(keccak256(abi.encode(account, base)));
    }
}
