// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Stakes of every participant, in one ERC-20 token.
/// @notice A stake is `free` (usable as bond), `locked` (backing bonds of rounds) or `unbonding` (on its way out, still
/// slashable). Only the training rounds contract, fixed at deployment, may lock, unlock, hold or slash.
/// @dev The token must move exactly the amount asked for; a deposit that arrives short is refused. Amounts fit in 96 bits.
interface IStakeVault {
    /// @param free stake that can back new bonds.
    /// @param locked stake backing bonds of rounds, including challenge bonds.
    /// @param unbonding sum of all pending unbond requests.
    /// @param unbondAt time at which the oldest pending request matures, 0 without one.
    /// @param heldUntil while a round pins this account as verifier, its slashable stake (free + unbonding) cannot drop
    /// below `minimumVerifierStake` by anything the account does itself.
    struct Account {
        uint128 free;
        uint128 locked;
        uint128 unbonding;
        uint64 unbondAt;
        uint64 heldUntil;
    }

    event Staked(address indexed account, uint256 amount);
    event UnbondRequested(address indexed account, uint256 amount, uint64 availableAt);
    event Withdrawn(address indexed account, uint256 amount);
    event Slashed(address indexed account, uint256 amount, address indexed reporter);

    /// @dev A constructor argument that must not be zero was zero.
    error ZeroAddress();
    /// @dev An amount of zero does nothing and is refused.
    error ZeroAmount();
    /// @dev The caller is not the training rounds contract.
    error NotRounds(address caller);
    /// @dev Entries are paused; exits are not.
    error EntriesPaused();
    /// @dev The token delivered another amount than was asked for (a fee on transfer, for example).
    error TokenTookFee(uint256 asked, uint256 received);
    /// @dev `account` has less free stake than needed.
    error InsufficientStake(address account, uint256 available, uint256 needed);
    /// @dev The stake backs a verifier duty until `until`.
    error StakeHeld(address account, uint64 until);
    /// @dev At most `MAX_UNBOND_REQUESTS` requests may be pending: withdraw the matured ones first.
    error TooManyUnbondRequests();
    /// @dev No unbond request has matured.
    error NothingToWithdraw();

    // ---------------------------------------------------------------- participants

    /// @notice Adds `amount` (which must be approved) to the caller's free stake. Stopped by a pause.
    function deposit(uint256 amount) external;

    /// @notice Like `deposit`, with an ERC-2612 permit. A permit that somebody already submitted does no harm.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Moves free stake into unbonding. Every request matures on its own, `unbondDelay` after it was made.
    function requestUnbond(uint256 amount) external;

    /// @notice Pays out every matured request of the caller, as far as a verifier's hold allows.
    function withdrawUnbonded() external;

    // ---------------------------------------------------------------- training rounds only

    /// @notice Turns free stake into locked stake.
    function lock(address account, uint256 amount) external;

    /// @notice Turns locked stake back into free stake.
    function unlock(address account, uint256 amount) external;

    /// @notice Takes a bond from locked stake: 10 % to the reporter's free stake, the rest to the treasury's.
    function slashBond(address account, uint256 amount, address reporter) external;

    /// @notice Takes up to `minimumVerifierStake` from free, then from unbonding stake (newest request first); never from
    /// locked stake, which belongs to other bonds. Split like `slashBond`.
    /// @return taken what was there to take, possibly nothing: a slash must never fail for want of stake.
    function slashStake(address account, address reporter) external returns (uint256 taken);

    /// @notice Requires `minimumVerifierStake` of free stake from each account and holds it at least until `until`.
    function hold(address[] calldata accounts, uint64 until) external;

    // ---------------------------------------------------------------- views

    function accountOf(address account) external view returns (Account memory);
    /// @notice Pending unbond requests of `account`, oldest first.
    function unbondRequestsOf(address account)
        external
        view
        returns (uint128[] memory amounts, uint64[] memory availableAt);
    function token() external view returns (IERC20);
    function rounds() external view returns (address);
    function treasury() external view returns (address);
    function minimumVerifierStake() external view returns (uint256);
    function unbondDelay() external view returns (uint64);
}
