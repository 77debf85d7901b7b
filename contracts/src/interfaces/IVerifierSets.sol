// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Sets of verifiers with a signature threshold.
/// @notice Members and threshold of a set never change. A set can be used once every member has consented, and until one
/// leaves; rounds already open keep the members they started with.
interface IVerifierSets {
    event VerifierSetCreated(
        uint256 indexed setId, address indexed creator, address[] members, uint32 threshold
    );
    event VerifierJoined(uint256 indexed setId, address indexed member);
    event VerifierLeft(uint256 indexed setId, address indexed member);

    /// @dev A set has 1 to 32 members.
    error BadMemberCount(uint256 count);
    /// @dev Members must be strictly ascending and not zero.
    error MembersNotAscending(uint256 position);
    /// @dev The threshold must be more than half of the members and at most all of them.
    error BadThreshold(uint32 threshold, uint256 members);
    error UnknownSet(uint256 setId);
    error NotMember(uint256 setId, address account);
    error AlreadyJoined(uint256 setId, address account);
    error NotJoined(uint256 setId, address account);

    /// @notice Registers a set; each member must then `join`.
    function createVerifierSet(address[] calldata members, uint32 threshold) external returns (uint256 setId);

    /// @notice The caller consents to verify for the rounds of any project that names the set; its stake is held meanwhile.
    function join(uint256 setId) external;

    /// @notice The caller withdraws its consent: no new round can use the set until the caller joins again.
    function leave(uint256 setId) external;

    /// @notice Whether every member has joined.
    function isActive(uint256 setId) external view returns (bool);
    /// @notice Members in ascending order; empty for an unknown set.
    function membersOf(uint256 setId) external view returns (address[] memory);
    /// @notice Signatures needed; 0 for an unknown set.
    function thresholdOf(uint256 setId) external view returns (uint32);
    /// @notice Position of `member`; reverts with `NotMember` for anybody else.
    function indexOf(uint256 setId, address member) external view returns (uint256);
    function hasJoined(uint256 setId, address member) external view returns (bool);
}
