// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierSets} from "../interfaces/IVerifierSets.sol";
import {Members} from "../libraries/Members.sol";
import {Account, State, VerifierSet, state} from "./RoundStorage.sol";

/// @title Verifier sets. Linked library of `TrainingRounds`; see `IVerifierSets`.
library Sets {
    using Members for bytes;

    uint256 internal constant MAX_MEMBERS = 32;
    uint256 internal constant MAX_SETS = 8;
    uint256 private constant ID_BITS = 32;

    function createVerifierSet(address[] calldata members, uint32 threshold, uint128 cap, uint32 maxHold)
        external
        returns (uint256 setId)
    {
        uint256 count = members.length;
        if (count == 0 || count > MAX_MEMBERS) revert IVerifierSets.BadMemberCount(count);
        if (uint256(threshold) * 2 <= count || threshold > count) {
            revert IVerifierSets.BadThreshold(threshold, count);
        }
        if (cap == 0 || cap > type(uint96).max || maxHold == 0) {
            revert IVerifierSets.BadLimits(cap, maxHold);
        }
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            if (members[i] <= previous) revert IVerifierSets.MembersNotAscending(i);
            previous = members[i];
        }
        State storage s = state();
        s.counts.sets += 1;
        setId = s.counts.sets;
        VerifierSet storage set = s.sets[setId];
        set.blob = Members.store(members);
        (set.threshold, set.count) = (uint8(threshold), uint8(count));
        (set.cap, set.maxHold, set.curator) = (uint96(cap), maxHold, msg.sender);
        emit IVerifierSets.VerifierSetCreated(setId, msg.sender, members, threshold, cap, maxHold);
    }

    function admit(uint256 setId, address proposer, bool admitted) external {
        VerifierSet storage set = state().sets[setId];
        if (set.curator != msg.sender) revert IVerifierSets.NotCurator(setId, msg.sender);
        set.admitted[proposer] = admitted;
        emit IVerifierSets.ProposerAdmitted(setId, proposer, admitted);
    }

    function join(uint256 setId) external {
        (VerifierSet storage set, uint32 bit) = _seat(setId);
        if (set.joined & bit != 0) revert IVerifierSets.AlreadyJoined(setId, msg.sender);
        if (!_canSign(msg.sender)) revert IVerifierSets.ContractCannotSign(msg.sender);
        set.joined |= bit;
        Account storage stake = state().accounts[msg.sender];
        (stake.joined, stake.verifier) = (stake.joined + 1, true);
        _remember(setId);
        emit IVerifierSets.VerifierJoined(setId, msg.sender);
    }

    function leave(uint256 setId) external {
        (VerifierSet storage set, uint32 bit) = _seat(setId);
        if (set.joined & bit == 0) revert IVerifierSets.NotJoined(setId, msg.sender);
        set.joined &= ~bit;
        state().accounts[msg.sender].joined -= 1;
        emit IVerifierSets.VerifierLeft(setId, msg.sender);
    }

    function _seat(uint256 setId) private view returns (VerifierSet storage set, uint32 bit) {
        set = state().sets[setId];
        if (set.count == 0) revert IVerifierSets.UnknownVerifierSet(setId);
        uint256 seat = Members.load(set.blob).seatOf(msg.sender);
        if (seat == Members.NONE) revert IVerifierSets.NotMember(setId, msg.sender);
        bit = uint32(1 << seat);
    }

    /// @dev Adds the set to those that exits look up, and drops those that can no longer hold the caller: left, and
    /// without an open round.
    function _remember(uint256 setId) private {
        State storage s = state();
        uint256 kept = setId;
        uint256 count = 1;
        for (uint256 ids = s.memberships[msg.sender]; ids != 0; ids >>= ID_BITS) {
            uint256 id = ids & type(uint32).max;
            VerifierSet storage set = s.sets[id];
            bool joined = set.joined >> Members.load(set.blob).seatOf(msg.sender) & 1 != 0;
            if (id == setId || (!joined && set.openRounds == 0)) continue;
            if (count == MAX_SETS) revert IVerifierSets.TooManySets(msg.sender);
            kept = kept << ID_BITS | id;
            ++count;
        }
        s.memberships[msg.sender] = kept;
    }

    /// @dev Signatures are recovered: a contract has none. An account that delegates (EIP-7702) keeps its key.
    function _canSign(address account) private view returns (bool) {
        bytes memory code = account.code;
        return code.length == 0 || (code.length == 23 && bytes3(code) == 0xef0100);
    }
}
