// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {vm} from "../Vm.sol";

/// @dev What every account ought to have by the rules of `IStakes`: plain sums, kept beside the contract and without its
/// code, so that an error of the contract's arithmetic is not repeated here.
abstract contract Books {
    struct Request {
        uint256 amount;
        uint256 at;
    }

    /// @param partner part of `locked` that the partner locked.
    /// @param noted the disputed round whose challenger the reporter's part of a slash waits for.
    /// @param slashedAt number of the call that last took stake beyond a bond, 0 for never.
    /// @param joined number of sets.
    struct Holder {
        uint256 free;
        uint256 locked;
        uint256 debt;
        uint256 partner;
        uint256 noted;
        uint256 slashedAt;
        uint256 joined;
        bool verifier;
        Request[] requests;
    }

    uint256 internal constant MINIMUM = 1000 ether;
    uint256 internal constant UNBOND_DELAY = 7 days;

    address internal treasury;
    /// @notice Everybody who can hold stake.
    address[] public accounts;
    mapping(address account => Holder) internal holders;
    mapping(uint256 roundId => bool) internal disputed;
    /// @dev Reporters' tenths set aside for a challenger.
    mapping(uint256 roundId => uint256) internal pots;
    /// @dev What a round still holds of its proposer's tokens.
    mapping(uint256 roundId => uint256) internal escrows;
    uint256 internal allPots;
    uint256 internal allEscrows;

    /// @notice Calls of the handler so far.
    uint256 public calls;
    /// @dev How often something happened, and how often an undue call was refused.
    mapping(bytes32 name => uint256) public done;
    mapping(bytes32 name => uint256) public refused;
    mapping(bytes32 name => bool) private listed;
    string[] internal names;

    function _mark(string memory name) internal {
        done[_listed(name)] += 1;
    }

    function _markRefused(string memory name) internal {
        refused[_listed(name)] += 1;
    }

    function _listed(string memory name) private returns (bytes32 key) {
        key = bytes32(bytes(name));
        if (!listed[key]) names.push(name);
        listed[key] = true;
    }

    /// @notice One line of `name=done/refused;` for all names.
    function histogram() external view returns (string memory line) {
        for (uint256 i = 0; i < names.length; ++i) {
            bytes32 key = bytes32(bytes(names[i]));
            line = string.concat(
                line, names[i], "=", vm.toString(done[key]), "/", vm.toString(refused[key]), ";"
            );
        }
    }

    // ---------------------------------------------------------------- movements

    function _unbonding(address account) internal view returns (uint256 sum) {
        Request[] storage requests = holders[account].requests;
        for (uint256 i = 0; i < requests.length; ++i) {
            sum += requests[i].amount;
        }
    }

    function _slashable(address account) internal view returns (uint256) {
        return holders[account].free + _unbonding(account);
    }

    /// @dev From a round's escrow to somebody's free stake.
    function _pay(uint256 roundId, address account, uint256 amount) internal {
        escrows[roundId] -= amount;
        allEscrows -= amount;
        holders[account].free += amount;
    }

    function _escrow(uint256 roundId, uint256 amount) internal {
        escrows[roundId] += amount;
        allEscrows += amount;
    }

    function _lock(address account, uint256 amount) internal {
        holders[account].free -= amount;
        holders[account].locked += amount;
    }

    function _unlock(address account, uint256 amount) internal {
        holders[account].free += amount;
        holders[account].locked -= amount;
    }

    function _emptyPot(uint256 roundId, address to) internal {
        if (pots[roundId] != 0 && to != treasury) _mark("state: pot paid");
        holders[to].free += pots[roundId];
        allPots -= pots[roundId];
        pots[roundId] = 0;
    }

    function _setAside(uint256 roundId, uint256 amount) internal {
        pots[roundId] += amount;
        allPots += amount;
    }

    /// @dev A tenth to the reporter, or to the pot of a dispute; the rest to the treasury.
    function _share(address account, uint256 amount, address reporter) internal {
        uint256 tenth = amount / 10;
        uint256 noted = holders[account].noted;
        if (noted != 0 && disputed[noted]) _setAside(noted, tenth);
        else holders[reporter].free += tenth;
        holders[treasury].free += amount - tenth;
    }

    /// @dev A whole bond, which is locked.
    function _slashBond(address account, uint256 amount, address reporter) internal {
        holders[account].locked -= amount;
        _share(account, amount, reporter);
    }

    /// @dev Up to `amount`: free stake, then the newest requests.
    function _take(address account, uint256 amount) internal returns (uint256 taken) {
        Holder storage holder = holders[account];
        holder.slashedAt = calls;
        taken = holder.free < amount ? holder.free : amount;
        holder.free -= taken;
        while (taken < amount && holder.requests.length != 0) {
            Request storage newest = holder.requests[holder.requests.length - 1];
            if (newest.amount > amount - taken) {
                newest.amount -= amount - taken;
                return amount;
            }
            taken += newest.amount;
            holder.requests.pop();
        }
    }

    /// @dev A verifier's stake: what is not there is owed.
    function _slashMinimum(address account) internal returns (uint256 taken) {
        taken = _take(account, MINIMUM);
        if (taken == MINIMUM) return taken;
        holders[account].debt += MINIMUM - taken;
        _mark("state: debt made");
    }

    // ---------------------------------------------------------------- what may be done

    function _now() internal view returns (uint256) {
        return block.timestamp;
    }

    function _inDebt(address account) internal view returns (bool) {
        return holders[account].debt != 0;
    }

    /// @dev Whether rounds or the partner hold the account now.
    function _isHeld(address account) internal view virtual returns (bool);

    /// @dev A verifier keeps the minimum free while it has joined, and free or unbonding while it is held.
    function _mayLock(address account, uint256 amount) internal view returns (bool) {
        Holder storage holder = holders[account];
        if (holder.free < amount || _inDebt(account)) return false;
        if (!holder.verifier || holder.free - amount >= MINIMUM) return true;
        if (holder.joined != 0) return false;
        return _slashable(account) - amount >= MINIMUM || !_isHeld(account);
    }
}
