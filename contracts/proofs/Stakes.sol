// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, state} from "../src/rounds/RoundStorage.sol";
import {Stakes} from "../src/rounds/Stakes.sol";
import {Hot, HotWord} from "../src/libraries/Hot.sol";

/// @dev That stake is moved and never made, and that duty binds.
contract StakesProofs {
    function _total(address account) private view returns (uint256) {
        Account storage stake = state().accounts[account];
        return uint256(stake.free) + stake.locked;
    }

    /// @dev The reward comes from an escrow, what is kept goes to whoever keeps it.
    function check_unlockConserves(
        address account,
        uint96 free,
        uint96 locked,
        uint96 amount,
        uint96 kept,
        uint96 reward
    ) external {
        Account storage stake = state().accounts[account];
        (stake.free, stake.locked) = (free, locked);
        // All tokens together are less than 2^96, and a bond is locked.
        if (amount > locked || kept > amount || uint256(amount) + reward > type(uint96).max) return;
        Stakes.unlock(account, amount, kept, reward);
        assert(stake.locked == locked - amount);
        assert(stake.free == uint256(free) + amount - kept + reward);
    }

    /// @dev What is taken is shared between reporter and treasury, or set aside for a challenger; nothing is made or lost.
    function check_slashBondConserves(
        address account,
        address reporter,
        address treasury,
        uint96 free,
        uint96 locked,
        uint96 amount,
        bool disputed,
        uint32 roundId
    ) external {
        if (account == reporter || account == treasury || reporter == treasury) return;
        Account storage stake = state().accounts[account];
        (stake.free, stake.locked, stake.dispute) = (free, locked, roundId);
        if (disputed) state().rounds[roundId].hot = Hot.wrap(0).with(HotWord.DISPUTED);
        if (amount > locked) return;
        Stakes.slashBond(account, amount, reporter, treasury);
        uint256 pot = state().rounds[roundId].dispute.pot;
        assert(stake.free == free && stake.locked == locked - amount);
        assert(_total(reporter) + _total(treasury) + pot == amount);
        assert(disputed ? _total(reporter) == 0 : pot == 0);
    }

    /// @dev Neither the partner nor a commit can take a held verifier's slashable stake below the minimum, nor the free
    /// stake of one that has joined.
    function check_heldCannotLockBelowTheMinimum(
        address account,
        uint96 free,
        uint96 unbonding,
        bool joined,
        uint96 amount,
        uint96 minimum,
        uint32 setId
    ) external {
        if (setId == 0) return;
        Account storage stake = state().accounts[account];
        (stake.free, stake.joined, stake.verifier) = (free, joined ? 1 : 0, true);
        state().exits[account].unbonding = unbonding;
        state().memberships[account] = setId;
        state().sets[setId].openRounds = 1;
        Account memory held = stake;
        Stakes.requireLockable(account, held, amount, minimum);
        Stakes.lock(stake, held, amount);
        assert(stake.free == free - amount && stake.locked == amount);
        assert(uint256(stake.free) + unbonding >= minimum);
        if (joined) assert(stake.free >= minimum);
    }
}
