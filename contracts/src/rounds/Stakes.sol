// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DoubleEndedQueue} from "@openzeppelin/contracts/utils/structs/DoubleEndedQueue.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {HotWord} from "../libraries/Hot.sol";
import {Account, Dispute, Exit, State, Training, state} from "./RoundStorage.sol";

/// @title Accounting of stake: internal, for the core and its libraries.
/// @dev `token.balanceOf(this) >= sum of free + locked + unbonding of all accounts + escrows + pots of disputes`, which
/// `pull` keeps below 2^96, so that no sum of stake overflows and no release or slash can fail. A slash moves no tokens.
library Stakes {
    using SafeERC20 for IERC20;
    using DoubleEndedQueue for DoubleEndedQueue.Bytes32Deque;

    /// @notice A reporter gets one part in this many.
    uint256 internal constant REPORTER_DIVISOR = 10;

    /// @notice Takes tokens of the caller; all that is held stays within 96 bits.
    function pull(IERC20 token, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 held = token.balanceOf(address(this));
        if (held < before || held - before != amount) {
            revert IStakes.TokenTookFee(amount, held < before ? 0 : held - before);
        }
        if (held > type(uint96).max) revert IStakes.AmountTooLarge(held);
    }

    /// @notice Reverts unless `amount` of the account's free stake may be locked. A verifier must not move its slashable
    /// stake out of reach like this.
    function requireLockable(address account, Account memory stake, uint256 amount, uint256 minimum)
        internal
        view
    {
        if (stake.free < amount) revert IStakes.InsufficientStake(account, stake.free, amount);
        if (stake.debtor) revert IStakes.InDebt(account, state().exits[account].debt);
        if (stake.verifier) checkDuty(account, stake, amount, minimum);
    }

    /// @notice Turns free into locked stake.
    /// @param stake what `holding` holds.
    function lock(Account storage holding, Account memory stake, uint256 amount) internal {
        _write(holding, stake.free - uint96(amount), stake.locked + uint96(amount));
    }

    /// @notice Reverts if a verifier may not part with `amount` of its free stake.
    function checkDuty(address account, Account memory stake, uint256 amount, uint256 minimum) internal view {
        uint256 rest = stake.free - amount;
        if (rest >= minimum) return;
        bool pinned =
            stake.joined != 0 || (rest + state().exits[account].unbonding < minimum && isHeld(account));
        if (pinned) revert IStakes.StakeHeld(account);
    }

    /// @notice Ends a bond: `amount` of locked stake, of which `kept` is not given back, and adds `reward`.
    function unlock(address account, uint256 amount, uint256 kept, uint256 reward) internal {
        Account storage holding = state().accounts[account];
        uint96 free = holding.free + uint96(amount - kept + reward);
        _write(holding, free, holding.locked - uint96(amount));
    }

    function credit(address account, uint256 amount) internal {
        state().accounts[account].free += uint96(amount);
    }

    /// @notice Takes a bond from locked stake.
    function slashBond(address account, uint256 amount, address reporter, address treasury) internal {
        state().accounts[account].locked -= uint96(amount);
        distribute(account, amount, reporter, treasury);
    }

    /// @notice Takes `minimum` from free, then from unbonding stake (newest request first), never from locked stake, which
    /// belongs to other bonds. What is not there becomes a debt.
    function slashStake(address account, address reporter, uint256 minimum, address treasury)
        internal
        returns (uint256 taken)
    {
        taken = take(account, minimum);
        if (taken != minimum) owe(account, minimum - taken);
        distribute(account, taken, reporter, treasury);
    }

    /// @dev At most all tokens there can be: debts of many rounds add up, and none may make the next slash fail.
    function owe(address account, uint256 amount) internal {
        Exit storage exit = state().exits[account];
        exit.debt = uint96(Math.min(exit.debt + amount, type(uint96).max));
        state().accounts[account].debtor = true;
        emit IStakes.DebtChanged(account, exit.debt);
    }

    /// @notice Takes up to `amount` of slashable stake and leaves it to the caller of this function to pass it on.
    function take(address account, uint256 amount) internal returns (uint256) {
        Account storage holding = state().accounts[account];
        Exit storage exit = state().exits[account];
        uint256 fromFree = Math.min(holding.free, amount);
        uint256 fromUnbonding = Math.min(exit.unbonding, amount - fromFree);
        holding.free -= uint96(fromFree);
        exit.unbonding -= uint128(fromUnbonding);
        for (uint256 left = fromUnbonding; left != 0;) {
            (uint256 requested, uint256 availableAt) = unpack(exit.requests.popBack());
            uint256 part = Math.min(requested, left);
            left -= part;
            if (part < requested) exit.requests.pushBack(pack(requested - part, availableAt));
        }
        return fromFree + fromUnbonding;
    }

    /// @notice Passes on what was taken. While a round is disputed in which the account signed, the reporter's part waits
    /// for that round's challenger, so that signers gain nothing by reporting each other.
    function distribute(address account, uint256 amount, address reporter, address treasury) internal {
        Training storage disputed = state().rounds[state().accounts[account].dispute];
        if (isDisputed(disputed)) return setAside(disputed, account, amount, reporter, treasury);
        if (amount == 0) return;
        uint256 reward = amount / REPORTER_DIVISOR;
        credit(reporter, reward);
        credit(treasury, amount - reward);
        emit IStakes.Slashed(account, amount, reporter);
    }

    /// @notice The same, and the reporter's part waits for whoever challenges `round` with success.
    function setAside(
        Training storage round,
        address account,
        uint256 amount,
        address reporter,
        address treasury
    ) internal {
        if (amount == 0) return;
        uint256 reward = amount / REPORTER_DIVISOR;
        round.dispute.pot += uint96(reward);
        credit(treasury, amount - reward);
        emit IStakes.Slashed(account, amount, reporter);
    }

    function isDisputed(Training storage round) internal view returns (bool) {
        // A settled or cancelled round has lost the flag, or its pot was emptied with it.
        return round.hot.has(HotWord.DISPUTED);
    }

    /// @notice Whether an open round of one of its sets pins the account's stake.
    function isHeld(address account) internal view returns (bool) {
        State storage s = state();
        for (uint256 ids = s.memberships[account]; ids != 0; ids >>= 32) {
            if (s.sets[ids & 0xffffffff].openRounds != 0) return true;
        }
        return false;
    }

    /// @dev Both amounts in one write, which leaves the rest of the slot as it is. The compiler would write twice.
    function _write(Account storage holding, uint96 free, uint96 locked) private {
        uint256 amounts = uint256(locked) << 96 | free;
        assembly ("memory-safe") {
            sstore(holding.slot, or(shl(192, shr(192, sload(holding.slot))), amounts))
        }
    }

    function pack(uint256 amount, uint256 availableAt) internal pure returns (bytes32) {
        return bytes32(amount << 64 | availableAt);
    }

    function unpack(bytes32 request) internal pure returns (uint256 amount, uint256 availableAt) {
        return (uint256(request) >> 64, uint64(uint256(request)));
    }
}
