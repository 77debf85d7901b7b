// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Sets of verifiers with a signature threshold.
/// @notice Members, threshold, cap and longest hold of a set never change, so joining it consents to exactly these. Its
/// creator is its curator: rounds are opened with it by the curator and by whom the curator admits, nobody else. A set
/// can be used once every member has joined, and until one leaves; rounds already open keep the members they started
/// with.
interface IVerifierSets {
    event VerifierSetCreated(
        uint256 indexed setId,
        address indexed creator,
        address[] members,
        uint32 threshold,
        uint128 cap,
        uint32 maxHold
    );
    event VerifierJoined(uint256 indexed setId, address indexed member);
    event VerifierLeft(uint256 indexed setId, address indexed member);
    event ProposerAdmitted(uint256 indexed setId, address indexed proposer, bool admitted);

    /// @dev A set has 1 to 32 members.
    error BadMemberCount(uint256 count);
    /// @dev Members must be strictly ascending and not zero.
    error MembersNotAscending(uint256 position);
    /// @dev The threshold must be more than half of the members and at most all of them.
    error BadThreshold(uint32 threshold, uint256 members);
    /// @dev A cap and a longest hold must be given.
    error BadLimits(uint128 cap, uint32 maxHold);
    error UnknownVerifierSet(uint256 setId);
    error NotMember(uint256 setId, address account);
    error NotCurator(uint256 setId, address account);
    error AlreadyJoined(uint256 setId, address account);
    error NotJoined(uint256 setId, address account);
    /// @dev Signatures of verifiers are recovered, so a contract (other than an EIP-7702 delegation) could never sign.
    error ContractCannotSign(address account);
    /// @dev At most 8 sets, counting those it left while a round of theirs is open.
    error TooManySets(address account);
    /// @dev Not every member of the set has joined.
    error VerifierSetInactive(uint256 setId);
    /// @dev The curator has not admitted this proposer.
    error NotAdmitted(uint256 setId, address proposer);
    /// @dev The round could hold the members for longer than they agreed to.
    error HoldTooLong(uint256 setId, uint256 duration, uint256 longest);
    /// @dev The escrow of the set's open rounds would exceed its cap.
    error CapExceeded(uint256 setId, uint256 escrow, uint256 cap);

    /// @notice Registers a set with the caller as curator; each member must then `join`.
    /// @param members strictly ascending.
    /// @param cap most escrow (budget + fee) of all its open rounds together.
    /// @param maxHold most seconds that one round may hold its members: all phases and the arbiter's time.
    /// @dev Anyone, any time, for 170k gas with three members. Binds nobody: members consent by joining.
    function createVerifierSet(address[] calldata members, uint32 threshold, uint128 cap, uint32 maxHold)
        external
        returns (uint256 setId);

    /// @notice Curator only: allows or forbids `proposer` to open rounds with the set. Open rounds go on.
    /// @dev Any time, for 53k gas. A proposer that is to be forbidden can open a round before it.
    function admit(uint256 setId, address proposer, bool admitted) external;

    /// @notice Members only: consents to verify for the rounds of the set. From now on the caller keeps
    /// `minimumVerifierStake` free.
    /// @dev Any time, for 65k gas. What it consents to cannot be changed before it lands.
    function join(uint256 setId) external;

    /// @notice Members that joined: withdraws the consent. No new round can use the set; open rounds still hold.
    /// @dev Any time, for 41k gas. A round that is opened before this call lands holds the caller for at most the set's
    /// `maxHold`.
    function leave(uint256 setId) external;
}
