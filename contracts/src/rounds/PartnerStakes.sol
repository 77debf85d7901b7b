// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakes} from "../interfaces/IStakes.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../interfaces/IVerifierSets.sol";
import {Configuration} from "../types/Round.sol";
import {Account, VerifierSet, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title What the one further contract named at deployment may do with stakes. Linked library of `TrainingRounds`; see
/// `IStakes`. Its locks and holds are counted apart, so that it can undo its own and nobody else's.
library PartnerStakes {
    function lock(address account, uint256 amount) external {
        Configuration memory c = _requirePartner();
        Account storage holding = state().accounts[account];
        Account memory stake = holding;
        Stakes.requireLockable(account, stake, amount, c.minimumVerifierStake);
        Stakes.lock(holding, stake, amount);
        state().partnerLocked[account] += amount;
        emit IStakes.StakeLocked(account, amount);
    }

    function unlock(address account, uint256 amount) external {
        _requirePartner();
        _spend(account, amount);
        Stakes.unlock(account, amount, 0, 0);
        emit IStakes.StakeUnlocked(account, amount);
    }

    function slashBond(address account, uint256 amount, address reporter) external {
        Configuration memory c = _requirePartner();
        _spend(account, amount);
        Stakes.slashBond(account, amount, reporter, c.treasury);
    }

    function slashStake(address account, address reporter) external returns (uint256) {
        Configuration memory c = _requirePartner();
        return Stakes.slashStake(account, reporter, c.minimumVerifierStake, c.treasury);
    }

    function hold(uint256 setId) external {
        _requirePartner();
        VerifierSet storage set = state().sets[setId];
        if (set.count == 0 || set.joined != (uint256(1) << set.count) - 1) {
            revert IVerifierSets.VerifierSetInactive(setId);
        }
        set.openRounds += 1;
        state().partnerHolds[setId] += 1;
        emit IStakes.SetHeld(setId, true);
    }

    function releaseHold(uint256 setId) external {
        _requirePartner();
        uint256 holds = state().partnerHolds[setId];
        if (holds == 0) revert IStakes.ZeroAmount();
        state().partnerHolds[setId] = holds - 1;
        state().sets[setId].openRounds -= 1;
        emit IStakes.SetHeld(setId, false);
    }

    function _spend(address account, uint256 amount) private {
        uint256 locked = state().partnerLocked[account];
        if (locked < amount) revert IStakes.InsufficientStake(account, locked, amount);
        state().partnerLocked[account] = locked - amount;
    }

    function _requirePartner() private view returns (Configuration memory c) {
        c = ITrainingRounds(address(this)).configuration();
        if (msg.sender != c.partner) revert IStakes.NotPartner(msg.sender);
    }
}
