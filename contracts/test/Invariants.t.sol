// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {Deployed} from "./Deployed.sol";
import {RoundActors} from "./RoundActors.sol";
import {vm} from "./Vm.sol";

/// @dev Every token is accounted for, whatever happens. The handler calls only what is due: any revert fails the run.
contract InvariantsTest is Deployed {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    RoundActors internal actors;

    function setUp() public {
        _deploy();
        actors = new RoundActors(
            RoundActors.Wiring(token, vault, sets, registry, rounds, ARBITER, OWNER, TREASURY)
        );
        _fund(address(actors), 100_000_000 ether);
        actors.begin();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = RoundActors.step.selector;
        selectors[1] = RoundActors.stepAgain.selector;
        selectors[2] = RoundActors.stepFurther.selector;
        selectors[3] = RoundActors.stepOn.selector;
        selectors[4] = RoundActors.deposit.selector;
        selectors[5] = RoundActors.requestUnbond.selector;
        selectors[6] = RoundActors.withdrawUnbonded.selector;
        selectors[7] = RoundActors.pauseOrNot.selector;
        selectors[8] = RoundActors.claim.selector;
        targets[0] = FuzzSelector(address(actors), selectors);
    }

    // ---------------------------------------------------------------- what always holds

    /// @dev Vault: tokens == sum of free + locked + unbonding.
    function _vaultBalance() private view {
        uint256 sum = 0;
        for (uint256 i = 0; i < actors.accountCount(); ++i) {
            IStakeVault.Account memory account = vault.accountOf(actors.accounts(i));
            sum += uint256(account.free) + account.locked + account.unbonding;
        }
        vm.assertEq(token.balanceOf(address(vault)), sum, "vault: balance == stakes");
    }

    /// @dev Vault: sum of locked == sum of the bonds that rounds hold.
    function _lockedIsHeld() private view {
        uint256 locked = 0;
        for (uint256 i = 0; i < actors.accountCount(); ++i) {
            locked += vault.accountOf(actors.accounts(i)).locked;
        }
        vm.assertEq(locked, actors.heldBonds(), "vault: locked == held bonds");
    }

    /// @dev Rounds: tokens == sum of credits + sum of escrows.
    function _roundsBalance() private view {
        uint256 sum = 0;
        for (uint256 i = 0; i < actors.accountCount(); ++i) {
            sum += rounds.creditOf(actors.accounts(i));
        }
        for (uint256 i = 0; i < actors.roundCount(); ++i) {
            sum += actors.escrowOf(actors.roundIds(i));
        }
        vm.assertEq(token.balanceOf(address(rounds)), sum, "rounds: balance == credits + escrows");
    }

    /// @dev Rounds: what a round paid never exceeds what was recorded, nor its escrow; fees stay within the fee.
    function _payoutsWithinEscrow() private view {
        for (uint256 i = 0; i < actors.roundCount(); ++i) {
            uint256 roundId = actors.roundIds(i);
            ITrainingRounds.Round memory round = rounds.getRound(roundId);
            vm.assertLe(round.payout, uint256(round.budget) + round.fee, "payout <= escrow");
            vm.assertEq(actors.paidOut(roundId), round.claimed, "paid == claimed");
            vm.assertLe(round.claimed, round.payout, "claimed <= payout");
            vm.assertLe(round.feesClaimed, round.fee, "fees <= fee");
            vm.assertLe(actors.sharesPaid(roundId), round.unsealBond, "shares <= unseal bond");
        }
    }

    /// @dev A project is never stuck in a round that has ended.
    function _projectsAreFree() private view {
        for (uint256 projectId = 1; projectId <= 2; ++projectId) {
            uint256 active = registry.getProject(projectId).activeRound;
            if (active == 0) continue;
            ITrainingRounds.Phase phase = rounds.phase(active);
            bool ended = phase == ITrainingRounds.Phase.Settled || phase == ITrainingRounds.Phase.Cancelled;
            vm.assertTrue(!ended, "an ended round frees its project");
        }
    }

    function invariant_books() public view {
        _vaultBalance();
        _lockedIsHeld();
        _roundsBalance();
        _payoutsWithinEscrow();
        _projectsAreFree();
    }

    // ---------------------------------------------------------------- the checks are not vacuous

    /// @dev A long guided walk takes every path at least once and keeps the books straight all the way.
    function test_everyPathIsTaken() public {
        for (uint256 i = 0; i < 2500; ++i) {
            actors.step(uint256(keccak256(abi.encode("walk", i))));
            if (i % 50 == 0) invariant_books();
        }
        invariant_books();
        string[30] memory paths = [
            "open",
            "commit",
            "closed early",
            "draw",
            "unseal",
            "reveal",
            "record",
            "no improvement",
            "challenge",
            "reject",
            "overturn",
            "arbiter silent",
            "settle",
            "cancel 1",
            "cancel 2",
            "cancel 3",
            "cancel 4",
            "claim",
            "claim cut short",
            "fee claim",
            "release",
            "late release",
            "unseal share",
            "slashInvalid",
            "slashNonReveal",
            "equivocation",
            "sweep",
            "withdrawCredit",
            "requestUnbond",
            "withdrawUnbonded"
        ];
        for (uint256 i = 0; i < paths.length; ++i) {
            vm.assertGt(actors.taken(bytes32(bytes(paths[i]))), 0, paths[i]);
        }
    }
}
