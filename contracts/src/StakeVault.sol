// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {DoubleEndedQueue} from "@openzeppelin/contracts/utils/structs/DoubleEndedQueue.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @title StakeVault
/// @notice See `IStakeVault`. Slashed stake is credited to the treasury's and the reporter's free stake, so that a slash
/// moves no tokens and nobody can block it.
contract StakeVault is IStakeVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;
    using DoubleEndedQueue for DoubleEndedQueue.Bytes32Deque;

    /// @dev What a commit touches is one slot. A request is packed as amount << 64 | time of maturity.
    struct Holding {
        uint96 free;
        uint96 locked;
        uint64 heldUntil;
        uint128 unbonding;
        DoubleEndedQueue.Bytes32Deque requests;
    }

    /// @notice Most unbond requests an account may have pending, which bounds the loops over them.
    uint256 public constant MAX_UNBOND_REQUESTS = 16;
    /// @notice A reporter gets one part in this many.
    uint256 public constant REPORTER_DIVISOR = 10;

    IERC20 public immutable token;
    address public immutable rounds;
    address public immutable treasury;
    uint256 public immutable minimumVerifierStake;
    uint64 public immutable unbondDelay;

    mapping(address account => Holding) private _holdings;

    modifier onlyRounds() {
        _checkRounds();
        _;
    }

    /// @param rounds_ address at which the training rounds contract will be deployed; its constructor checks the pair.
    /// @param unbondDelay_ seconds between a request and its payment.
    constructor(
        IERC20 token_,
        address rounds_,
        address treasury_,
        uint256 minimumVerifierStake_,
        uint64 unbondDelay_
    ) {
        if (address(token_) == address(0) || rounds_ == address(0) || treasury_ == address(0)) {
            revert ZeroAddress();
        }
        if (minimumVerifierStake_ == 0) revert ZeroAmount();
        token = token_;
        rounds = rounds_;
        treasury = treasury_;
        minimumVerifierStake = minimumVerifierStake_.toUint96();
        unbondDelay = unbondDelay_;
    }

    // ---------------------------------------------------------------- participants

    /// @inheritdoc IStakeVault
    function deposit(uint256 amount) external nonReentrant {
        _deposit(amount);
    }

    /// @inheritdoc IStakeVault
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
    {
        // A permit can be front-run by anyone who saw it; then the allowance is there already. The token is called before
        // anything is written, under the reentrancy guard.
        // slither-disable-next-line reentrancy-benign
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {}
            catch {}
        _deposit(amount);
    }

    /// @inheritdoc IStakeVault
    function requestUnbond(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Holding storage holding = _holdings[msg.sender];
        uint256 free = holding.free;
        if (free < amount) revert InsufficientStake(msg.sender, free, amount);
        if (holding.requests.length() == MAX_UNBOND_REQUESTS) revert TooManyUnbondRequests();
        uint64 availableAt = uint64(block.timestamp) + unbondDelay;
        holding.free = uint96(free - amount);
        holding.unbonding += uint128(amount);
        holding.requests.pushBack(_pack(amount, availableAt));
        emit UnbondRequested(msg.sender, amount, availableAt);
    }

    /// @inheritdoc IStakeVault
    function withdrawUnbonded() external nonReentrant {
        Holding storage holding = _holdings[msg.sender];
        uint256 allowed = _withdrawable(holding);
        uint256 amount = 0;
        // The requests add up to `unbonding`, which is not below `allowed`: there is a front as long as something is allowed.
        while (amount < allowed) {
            (uint256 requested, uint64 availableAt) = _unpack(holding.requests.front());
            if (availableAt > block.timestamp) break;
            // slither-disable-next-line unused-return
            holding.requests.popFront();
            uint256 part = Math.min(requested, allowed - amount);
            amount += part;
            if (part < requested) holding.requests.pushFront(_pack(requested - part, availableAt));
        }
        if (amount == 0) {
            if (allowed == 0 && holding.unbonding != 0) revert StakeHeld(msg.sender, holding.heldUntil);
            revert NothingToWithdraw();
        }
        holding.unbonding -= uint128(amount);
        emit Withdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    function _deposit(uint256 amount) private {
        if (Pausable(rounds).paused()) revert EntriesPaused();
        if (amount == 0) revert ZeroAmount();
        _holdings[msg.sender].free += amount.toUint96();
        emit Staked(msg.sender, amount);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert TokenTookFee(amount, received);
    }

    /// @dev What may leave unbonding now: all of it, or during a hold only what exceeds the verifier's minimum.
    function _withdrawable(Holding storage holding) private view returns (uint256) {
        uint256 unbonding = holding.unbonding;
        if (block.timestamp >= holding.heldUntil) return unbonding;
        return Math.min(unbonding, Math.saturatingSub(holding.free + unbonding, minimumVerifierStake));
    }

    // ---------------------------------------------------------------- training rounds only

    /// @inheritdoc IStakeVault
    function lock(address account, uint256 amount) external onlyRounds {
        Holding storage holding = _holdings[account];
        (uint96 free, uint96 locked, uint64 heldUntil) = (holding.free, holding.locked, holding.heldUntil);
        if (free < amount) revert InsufficientStake(account, free, amount);
        // A verifier must not move its slashable stake out of reach by turning it into bonds.
        if (block.timestamp < heldUntil && free - amount + holding.unbonding < minimumVerifierStake) {
            revert StakeHeld(account, heldUntil);
        }
        (holding.free, holding.locked) = (free - uint96(amount), locked + uint96(amount));
    }

    /// @inheritdoc IStakeVault
    function unlock(address account, uint256 amount) external onlyRounds {
        Holding storage holding = _holdings[account];
        holding.locked -= amount.toUint96();
        holding.free += amount.toUint96();
    }

    /// @inheritdoc IStakeVault
    function slashBond(address account, uint256 amount, address reporter) external onlyRounds {
        _holdings[account].locked -= amount.toUint96();
        _distribute(account, amount, reporter);
    }

    /// @inheritdoc IStakeVault
    function slashStake(address account, address reporter) external onlyRounds returns (uint256 taken) {
        Holding storage holding = _holdings[account];
        uint256 free = holding.free;
        uint256 fromFree = Math.min(free, minimumVerifierStake);
        uint256 fromUnbonding = Math.min(holding.unbonding, minimumVerifierStake - fromFree);
        taken = fromFree + fromUnbonding;
        if (taken == 0) return 0;
        holding.free = uint96(free - fromFree);
        if (fromUnbonding != 0) _takeNewest(holding, fromUnbonding);
        _distribute(account, taken, reporter);
    }

    /// @inheritdoc IStakeVault
    function hold(address[] calldata accounts, uint64 until) external onlyRounds {
        for (uint256 i = 0; i < accounts.length; ++i) {
            Holding storage holding = _holdings[accounts[i]];
            if (holding.free < minimumVerifierStake) {
                revert InsufficientStake(accounts[i], holding.free, minimumVerifierStake);
            }
            if (holding.heldUntil < until) holding.heldUntil = until;
        }
    }

    function _takeNewest(Holding storage holding, uint256 amount) private {
        holding.unbonding -= uint128(amount);
        while (amount != 0) {
            (uint256 requested, uint64 availableAt) = _unpack(holding.requests.popBack());
            uint256 part = Math.min(requested, amount);
            amount -= part;
            if (part < requested) holding.requests.pushBack(_pack(requested - part, availableAt));
        }
    }

    function _distribute(address account, uint256 amount, address reporter) private {
        uint256 reward = amount / REPORTER_DIVISOR;
        _holdings[reporter].free += uint96(reward);
        _holdings[treasury].free += uint96(amount - reward);
        emit Slashed(account, amount, reporter);
    }

    function _checkRounds() private view {
        if (msg.sender != rounds) revert NotRounds(msg.sender);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IStakeVault
    function accountOf(address account) external view returns (Account memory) {
        Holding storage holding = _holdings[account];
        uint64 unbondAt = 0;
        if (!holding.requests.empty()) (, unbondAt) = _unpack(holding.requests.front());
        return Account({
            free: holding.free,
            locked: holding.locked,
            unbonding: holding.unbonding,
            unbondAt: unbondAt,
            heldUntil: holding.heldUntil
        });
    }

    /// @inheritdoc IStakeVault
    function unbondRequestsOf(address account)
        external
        view
        returns (uint128[] memory amounts, uint64[] memory availableAt)
    {
        DoubleEndedQueue.Bytes32Deque storage requests = _holdings[account].requests;
        uint256 count = requests.length();
        amounts = new uint128[](count);
        availableAt = new uint64[](count);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 amount, uint64 time) = _unpack(requests.at(i));
            (amounts[i], availableAt[i]) = (uint128(amount), time);
        }
    }

    function _pack(uint256 amount, uint64 availableAt) private pure returns (bytes32) {
        return bytes32(amount << 64 | availableAt);
    }

    function _unpack(bytes32 request) private pure returns (uint256 amount, uint64 availableAt) {
        return (uint256(request) >> 64, uint64(uint256(request)));
    }
}
