// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {DoubleEndedQueue} from "@openzeppelin/contracts/utils/structs/DoubleEndedQueue.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {Configuration} from "../types/Round.sol";
import {Account, Exit, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title How stake comes in and goes out. Linked library of `TrainingRounds`; see `IStakes`.
library Deposits {
    using SafeERC20 for IERC20;
    using DoubleEndedQueue for DoubleEndedQueue.Bytes32Deque;

    uint256 internal constant MAX_UNBOND_REQUESTS = 16;

    function deposit(uint256 amount, address account) external {
        _requireNotPaused();
        _deposit(amount, account);
    }

    function depositWithPermit(
        uint256 amount,
        address account,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        _requireNotPaused();
        // A permit can be front-run by anyone who saw it; then the allowance is there already. The token is called before
        // anything is written, under the reentrancy guard.
        // slither-disable-next-line reentrancy-benign,reentrancy-events
        try IERC20Permit(address(_configuration().token))
            .permit(msg.sender, address(this), amount, deadline, v, r, s) {}
            catch {}
        _deposit(amount, account);
    }

    function withdraw(uint256 amount, address to) external {
        if (amount == 0) revert IStakes.ZeroAmount();
        Account storage stake = state().accounts[msg.sender];
        if (stake.verifier) revert IStakes.VerifierMustUnbond(msg.sender);
        _requireNoDebt(stake);
        if (stake.free < amount) revert IStakes.InsufficientStake(msg.sender, stake.free, amount);
        stake.free -= uint96(amount);
        _send(to, amount);
    }

    function requestUnbond(uint256 amount) external {
        if (amount == 0) revert IStakes.ZeroAmount();
        Account storage stake = state().accounts[msg.sender];
        uint256 free = stake.free;
        if (free < amount) revert IStakes.InsufficientStake(msg.sender, free, amount);
        _requireNoDebt(stake);
        Configuration memory c = _configuration();
        if (stake.joined != 0 && free - amount < c.minimumVerifierStake) {
            revert IStakes.StakeHeld(msg.sender);
        }
        Exit storage exit = state().exits[msg.sender];
        if (exit.requests.length() == MAX_UNBOND_REQUESTS) revert IStakes.TooManyUnbondRequests();
        uint256 availableAt = block.timestamp + c.unbondDelay;
        stake.free = uint96(free - amount);
        exit.unbonding += uint128(amount);
        exit.requests.pushBack(Stakes.pack(amount, availableAt));
        emit IStakes.UnbondRequested(msg.sender, amount, uint64(availableAt));
    }

    function withdrawUnbonded(address to) external {
        Account storage stake = state().accounts[msg.sender];
        _requireNoDebt(stake);
        Exit storage exit = state().exits[msg.sender];
        uint256 allowed = exit.unbonding;
        if (Stakes.isHeld(msg.sender)) {
            uint256 spare = Math.saturatingSub(stake.free + allowed, _configuration().minimumVerifierStake);
            if (spare == 0 && allowed != 0) revert IStakes.StakeHeld(msg.sender);
            allowed = Math.min(allowed, spare);
        }
        uint256 amount = 0;
        // The requests add up to `unbonding`, which is not below `allowed`: there is a front as long as something is
        // allowed.
        while (amount < allowed) {
            (uint256 requested, uint256 availableAt) = Stakes.unpack(exit.requests.front());
            if (availableAt > block.timestamp) break;
            // slither-disable-next-line unused-return
            exit.requests.popFront();
            uint256 part = Math.min(requested, allowed - amount);
            amount += part;
            if (part < requested) exit.requests.pushFront(Stakes.pack(requested - part, availableAt));
        }
        if (amount == 0) revert IStakes.NothingToWithdraw();
        exit.unbonding -= uint128(amount);
        _send(to, amount);
    }

    function collectDebt(address account) external returns (uint256 taken) {
        Exit storage exit = state().exits[account];
        uint96 debt = exit.debt;
        if (debt == 0) revert IStakes.NoDebt(account);
        taken = Stakes.take(account, debt);
        if (taken == 0) revert IStakes.InsufficientStake(account, 0, debt);
        exit.debt = debt - uint96(taken);
        if (exit.debt == 0) state().accounts[account].debtor = false;
        emit IStakes.DebtChanged(account, exit.debt);
        Stakes.distribute(account, taken, msg.sender, _configuration().treasury);
    }

    function _deposit(uint256 amount, address account) private {
        if (amount == 0) revert IStakes.ZeroAmount();
        if (account == address(0)) revert IStakes.ZeroAddress();
        Stakes.pull(_configuration().token, amount);
        Stakes.credit(account, amount);
        emit IStakes.Staked(account, msg.sender, amount);
    }

    function _send(address to, uint256 amount) private {
        if (to == address(0)) revert IStakes.ZeroAddress();
        emit IStakes.Withdrawn(msg.sender, to, amount);
        _configuration().token.safeTransfer(to, amount);
    }

    function _requireNoDebt(Account storage stake) private view {
        if (stake.debtor) revert IStakes.InDebt(msg.sender, state().exits[msg.sender].debt);
    }

    /// @dev The core's, whose context this runs in.
    function _requireNotPaused() private view {
        if (ITrainingRounds(address(this)).paused()) revert Pausable.EnforcedPause();
    }

    function _configuration() private view returns (Configuration memory) {
        return ITrainingRounds(address(this)).configuration();
    }
}
