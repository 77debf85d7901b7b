// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IVerifierSets} from "./interfaces/IVerifierSets.sol";

/// @title VerifierSets
/// @notice See `IVerifierSets`.
contract VerifierSets is IVerifierSets {
    struct VerifierSet {
        address[] members;
        uint32 threshold;
        uint32 joined;
    }

    /// @notice Most members of a set, which bounds every loop over verifiers.
    uint256 public constant MAX_MEMBERS = 32;

    /// @notice Sets registered so far; ids count from 1.
    uint256 public setCount;

    mapping(uint256 setId => VerifierSet) private _sets;
    /// @dev Position + 1; 0 for everybody else.
    mapping(uint256 setId => mapping(address account => uint256)) private _places;
    mapping(uint256 setId => mapping(address account => bool)) private _consents;

    /// @inheritdoc IVerifierSets
    function createVerifierSet(address[] calldata members, uint32 threshold)
        external
        returns (uint256 setId)
    {
        uint256 count = members.length;
        if (count == 0 || count > MAX_MEMBERS) revert BadMemberCount(count);
        if (uint256(threshold) * 2 <= count || threshold > count) revert BadThreshold(threshold, count);
        setId = ++setCount;
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            address member = members[i];
            if (member <= previous) revert MembersNotAscending(i);
            previous = member;
            _places[setId][member] = i + 1;
        }
        _sets[setId].members = members;
        _sets[setId].threshold = threshold;
        emit VerifierSetCreated(setId, msg.sender, members, threshold);
    }

    /// @inheritdoc IVerifierSets
    function join(uint256 setId) external {
        if (_places[setId][msg.sender] == 0) revert NotMember(setId, msg.sender);
        if (_consents[setId][msg.sender]) revert AlreadyJoined(setId, msg.sender);
        _consents[setId][msg.sender] = true;
        _sets[setId].joined += 1;
        emit VerifierJoined(setId, msg.sender);
    }

    /// @inheritdoc IVerifierSets
    function leave(uint256 setId) external {
        if (!_consents[setId][msg.sender]) revert NotJoined(setId, msg.sender);
        _consents[setId][msg.sender] = false;
        _sets[setId].joined -= 1;
        emit VerifierLeft(setId, msg.sender);
    }

    /// @inheritdoc IVerifierSets
    function isActive(uint256 setId) external view returns (bool) {
        uint256 count = _sets[setId].members.length;
        return count != 0 && _sets[setId].joined == count;
    }

    /// @inheritdoc IVerifierSets
    function membersOf(uint256 setId) external view returns (address[] memory) {
        return _sets[setId].members;
    }

    /// @inheritdoc IVerifierSets
    function thresholdOf(uint256 setId) external view returns (uint32) {
        return _sets[setId].threshold;
    }

    /// @inheritdoc IVerifierSets
    function indexOf(uint256 setId, address member) external view returns (uint256) {
        uint256 place = _places[setId][member];
        if (place == 0) revert NotMember(setId, member);
        return place - 1;
    }

    /// @inheritdoc IVerifierSets
    function hasJoined(uint256 setId, address member) external view returns (bool) {
        return _consents[setId][member];
    }
}
