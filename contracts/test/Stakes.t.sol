// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {AccountView} from "../src/types/Views.sol";
import {Deployed} from "./Deployed.sol";
import {vm} from "./Vm.sol";

/// @dev Deposits, exits, holds and slashes; the partner stands for whoever locks and slashes.
contract StakesTest is Deployed {
    address internal immutable ALICE = _actor("alice");
    address internal immutable BOB = _actor("bob");

    function setUp() public {
        _deploy();
        _stake(ALICE, 2000 ether);
    }

    // ---------------------------------------------------------------- deposits

    function test_depositAddsFreeStake() public {
        _fund(BOB, 5 ether);
        vm.startPrank(BOB);
        token.approve(address(rounds), 5 ether);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IStakes.Staked(BOB, BOB, 5 ether);
        rounds.deposit(5 ether, BOB);
        vm.assertEq(lens.accountOf(BOB).free, 5 ether, "free");
        vm.assertEq(token.balanceOf(address(rounds)), 2005 ether, "tokens");
    }

    function test_depositOfNothing() public {
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakes.ZeroAmount.selector));
        rounds.deposit(0, ALICE);
    }

    function test_depositBeyond96Bits() public {
        vm.prank(ALICE);
        vm.expectRevert();
        rounds.deposit(uint256(type(uint96).max) + 1, ALICE);
    }

    function test_depositWithoutAllowance() public {
        vm.prank(BOB);
        vm.expectRevert();
        rounds.deposit(1, ALICE);
    }

    function test_pauseStopsDepositsNotExits() public {
        vm.prank(ALICE);
        rounds.requestUnbond(10 ether);
        vm.prank(OWNER);
        rounds.pause();
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        rounds.deposit(1, ALICE);
        rounds.requestUnbond(1 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        rounds.withdrawUnbonded(ALICE);
        vm.assertEq(token.balanceOf(ALICE), 11 ether, "out");
    }

    function test_depositWithPermit() public {
        address carol = _actor("carol");
        _fund(carol, 7 ether);
        (uint8 v, bytes32 r, bytes32 s) = _permit("carol", 7 ether);
        vm.prank(carol);
        rounds.depositWithPermit(7 ether, carol, type(uint256).max, v, r, s);
        vm.assertEq(lens.accountOf(carol).free, 7 ether, "free");
    }

    function test_depositWithPermitSubmittedBySomebodyElse() public {
        address carol = _actor("carol");
        _fund(carol, 7 ether);
        (uint8 v, bytes32 r, bytes32 s) = _permit("carol", 7 ether);
        IERC20Permit(address(token)).permit(carol, address(rounds), 7 ether, type(uint256).max, v, r, s);
        vm.prank(carol);
        rounds.depositWithPermit(7 ether, carol, type(uint256).max, v, r, s);
        vm.assertEq(lens.accountOf(carol).free, 7 ether, "free");
    }

    function test_depositWithSomebodyElsesPermit() public {
        _fund(_actor("carol"), 7 ether);
        (uint8 v, bytes32 r, bytes32 s) = _permit("carol", 7 ether);
        vm.prank(BOB);
        vm.expectRevert();
        rounds.depositWithPermit(7 ether, BOB, type(uint256).max, v, r, s);
    }

    // ---------------------------------------------------------------- exits

    function test_requestUnbond() public {
        uint64 availableAt = uint64(vm.getBlockTimestamp()) + UNBOND_DELAY;
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IStakes.UnbondRequested(ALICE, 300 ether, availableAt);
        vm.prank(ALICE);
        rounds.requestUnbond(300 ether);
        AccountView memory account = lens.accountOf(ALICE);
        vm.assertEq(account.free, 1700 ether, "free");
        vm.assertEq(account.unbonding, 300 ether, "unbonding");
        vm.assertEq(account.unbondAt, availableAt, "unbondAt");
    }

    function test_requestUnbondOfNothing() public {
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakes.ZeroAmount.selector));
        rounds.requestUnbond(0);
    }

    function test_requestUnbondBeyondFree() public {
        vm.prank(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IStakes.InsufficientStake.selector, ALICE, 2000 ether, 2000 ether + 1)
        );
        rounds.requestUnbond(2000 ether + 1);
    }

    function test_withdrawBeforeTheDelay() public {
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakes.NothingToWithdraw.selector));
        rounds.withdrawUnbonded(ALICE);
        rounds.requestUnbond(1 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY - 1);
        vm.expectRevert(abi.encodeWithSelector(IStakes.NothingToWithdraw.selector));
        rounds.withdrawUnbonded(ALICE);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IStakes.Withdrawn(ALICE, ALICE, 1 ether);
        rounds.withdrawUnbonded(ALICE);
        vm.assertEq(token.balanceOf(ALICE), 1 ether, "paid");
    }

    function test_laterRequestDoesNotDelayAnEarlierOne() public {
        vm.startPrank(ALICE);
        rounds.requestUnbond(10 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY - 1);
        rounds.requestUnbond(20 ether);
        vm.warp(vm.getBlockTimestamp() + 1);
        rounds.withdrawUnbonded(ALICE);
        vm.assertEq(token.balanceOf(ALICE), 10 ether, "first");
        vm.assertEq(lens.accountOf(ALICE).unbonding, 20 ether, "second waits");
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY - 1);
        rounds.withdrawUnbonded(ALICE);
        vm.assertEq(token.balanceOf(ALICE), 30 ether, "second");
    }

    function test_pendingRequestsAreBounded() public {
        vm.startPrank(ALICE);
        for (uint256 i = 0; i < 16; ++i) {
            rounds.requestUnbond(1 ether);
        }
        vm.expectRevert(abi.encodeWithSelector(IStakes.TooManyUnbondRequests.selector));
        rounds.requestUnbond(1 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        rounds.withdrawUnbonded(ALICE);
        vm.assertEq(token.balanceOf(ALICE), 16 ether, "all");
        rounds.requestUnbond(1 ether);
    }

    // ---------------------------------------------------------------- rounds only

    function test_onlyThePartnerMayTouchStake() public {
        bytes memory refusal = abi.encodeWithSelector(IStakes.NotPartner.selector, address(this));
        vm.expectRevert(refusal);
        rounds.lock(ALICE, 1);
        vm.expectRevert(refusal);
        rounds.unlock(ALICE, 1);
        vm.expectRevert(refusal);
        rounds.slashBond(ALICE, 1, BOB);
        vm.expectRevert(refusal);
        rounds.slashStake(ALICE, BOB);
        vm.expectRevert(refusal);
        rounds.hold(1);
        vm.expectRevert(refusal);
        rounds.releaseHold(1);
    }

    function test_lockAndUnlock() public {
        vm.startPrank(PARTNER);
        rounds.lock(ALICE, 1500 ether);
        vm.assertEq(lens.accountOf(ALICE).free, 500 ether, "free");
        vm.assertEq(lens.accountOf(ALICE).locked, 1500 ether, "locked");
        vm.expectRevert(
            abi.encodeWithSelector(IStakes.InsufficientStake.selector, ALICE, 500 ether, 500 ether + 1)
        );
        rounds.lock(ALICE, 500 ether + 1);
        rounds.unlock(ALICE, 1500 ether);
        vm.assertEq(lens.accountOf(ALICE).free, 2000 ether, "free again");
        vm.expectRevert();
        rounds.unlock(ALICE, 1);
    }

    function test_lockedStakeCannotLeave() public {
        vm.prank(PARTNER);
        rounds.lock(ALICE, 2000 ether);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InsufficientStake.selector, ALICE, 0, 1));
        rounds.requestUnbond(1);
    }

    function test_slashBondSplitsBetweenReporterAndTreasury() public {
        vm.startPrank(PARTNER);
        rounds.lock(ALICE, 100 ether);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IStakes.Slashed(ALICE, 100 ether, BOB);
        rounds.slashBond(ALICE, 100 ether, BOB);
        vm.assertEq(lens.accountOf(ALICE).locked, 0, "locked");
        vm.assertEq(lens.accountOf(ALICE).free, 1900 ether, "free untouched");
        vm.assertEq(lens.accountOf(BOB).free, 10 ether, "reporter");
        vm.assertEq(lens.accountOf(TREASURY).free, 90 ether, "treasury");
    }

    function test_slashBondNeverReachesOtherStake() public {
        vm.startPrank(PARTNER);
        rounds.lock(ALICE, 1 ether);
        vm.expectRevert();
        rounds.slashBond(ALICE, 1 ether + 1, BOB);
    }

    function test_slashStakeTakesTheMinimumFromFree() public {
        vm.prank(PARTNER);
        vm.assertEq(rounds.slashStake(ALICE, BOB), VERIFIER_STAKE, "taken");
        vm.assertEq(lens.accountOf(ALICE).free, 1000 ether, "free");
        vm.assertEq(lens.accountOf(BOB).free, 100 ether, "reporter");
    }

    function test_slashStakeReachesUnbondingNewestFirst() public {
        vm.startPrank(ALICE);
        rounds.requestUnbond(400 ether);
        rounds.requestUnbond(500 ether);
        rounds.requestUnbond(600 ether);
        vm.stopPrank();
        vm.prank(PARTNER);
        vm.assertEq(rounds.slashStake(ALICE, BOB), VERIFIER_STAKE, "taken");
        vm.assertEq(lens.accountOf(ALICE).free, 0, "free first");
        vm.assertEq(lens.accountOf(ALICE).unbonding, 1000 ether, "then unbonding");
        (uint128[] memory amounts,) = lens.unbondRequestsOf(ALICE);
        vm.assertEq(amounts.length, 3, "requests");
        vm.assertEq(amounts[0], 400 ether, "oldest");
        vm.assertEq(amounts[1], 500 ether, "middle");
        vm.assertEq(amounts[2], 100 ether, "newest");
    }

    function test_slashStakeRemovesWholeRequests() public {
        vm.startPrank(ALICE);
        rounds.requestUnbond(1200 ether);
        rounds.requestUnbond(300 ether);
        rounds.requestUnbond(500 ether);
        vm.stopPrank();
        vm.prank(PARTNER);
        rounds.slashStake(ALICE, BOB);
        (uint128[] memory amounts,) = lens.unbondRequestsOf(ALICE);
        vm.assertEq(amounts.length, 1, "requests");
        vm.assertEq(amounts[0], 1000 ether, "oldest");
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vm.prank(ALICE);
        rounds.withdrawUnbonded(ALICE);
        vm.assertEq(token.balanceOf(ALICE), 1000 ether, "rest leaves");
    }

    function test_slashStakeLeavesBondsAloneAndKeepsTheDebt() public {
        vm.startPrank(PARTNER);
        rounds.lock(ALICE, 1990 ether);
        vm.assertEq(rounds.slashStake(ALICE, BOB), 10 ether, "taken");
        vm.assertEq(lens.accountOf(ALICE).locked, 1990 ether, "locked");
        vm.assertEq(lens.accountOf(ALICE).debt, 990 ether, "debt");
        rounds.unlock(ALICE, 1990 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InDebt.selector, ALICE, 990 ether));
        rounds.lock(ALICE, 1);
        vm.stopPrank();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InDebt.selector, ALICE, 990 ether));
        rounds.withdraw(1, ALICE);
        vm.prank(BOB);
        vm.assertEq(rounds.collectDebt(ALICE), 990 ether, "collected");
        vm.assertEq(lens.accountOf(BOB).free, 100 ether, "a tenth of both");
        vm.assertEq(lens.withdrawable(ALICE), 1000 ether, "out of debt");
    }

    // ---------------------------------------------------------------- holds

    function _join() private returns (uint256 setId) {
        address[] memory members = new address[](1);
        members[0] = ALICE;
        setId = rounds.createVerifierSet(members, 1, 1000 ether, 100 days);
        vm.prank(ALICE);
        rounds.join(setId);
    }

    /// @dev A member of a set that it has not left keeps the minimum free.
    function test_joinedStakeStaysFree() public {
        uint256 setId = _join();
        vm.prank(PARTNER);
        rounds.lock(ALICE, 1000 ether);
        vm.prank(PARTNER);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, ALICE));
        rounds.lock(ALICE, 1);
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, ALICE));
        rounds.requestUnbond(1);
        vm.expectRevert(abi.encodeWithSelector(IStakes.VerifierMustUnbond.selector, ALICE));
        rounds.withdraw(1, ALICE);
        rounds.leave(setId);
        rounds.requestUnbond(1);
        vm.stopPrank();
    }

    function test_heldStakeCannotHideInBonds() public {
        uint256 setId = _join();
        vm.prank(PARTNER);
        rounds.hold(setId);
        vm.prank(ALICE);
        rounds.leave(setId);
        vm.startPrank(PARTNER);
        rounds.lock(ALICE, 1000 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, ALICE));
        rounds.lock(ALICE, 1);
        rounds.releaseHold(setId);
        rounds.lock(ALICE, 1);
        vm.stopPrank();
    }

    /// @dev What is unbonding is slashable too: only what would go below the minimum together is pinned.
    function test_unbondingStakeCountsForTheHold() public {
        uint256 setId = _join();
        vm.prank(PARTNER);
        rounds.hold(setId);
        vm.startPrank(ALICE);
        rounds.leave(setId);
        rounds.requestUnbond(400 ether);
        vm.stopPrank();
        vm.startPrank(PARTNER);
        rounds.lock(ALICE, 1000 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, ALICE));
        rounds.lock(ALICE, 1);
        vm.stopPrank();
        vm.assertEq(lens.accountOf(ALICE).free, 600 ether, "free and unbonding are the minimum");
    }

    /// @dev Out of debt is out of debt: every way is open again.
    function test_paidDebtOpensEveryWay() public {
        vm.startPrank(PARTNER);
        rounds.lock(ALICE, 1500 ether);
        rounds.slashStake(ALICE, BOB);
        rounds.unlock(ALICE, 1500 ether);
        vm.stopPrank();
        rounds.collectDebt(ALICE);
        vm.prank(PARTNER);
        rounds.lock(ALICE, 1 ether);
        vm.startPrank(ALICE);
        rounds.requestUnbond(1 ether);
        rounds.withdraw(1 ether, ALICE);
        vm.stopPrank();
    }

    function test_heldStakeCannotLeaveBelowTheMinimum() public {
        uint256 setId = _join();
        vm.prank(ALICE);
        rounds.requestUnbond(900 ether);
        vm.prank(PARTNER);
        rounds.hold(setId);
        vm.assertTrue(lens.accountOf(ALICE).held, "held");
        vm.startPrank(ALICE);
        rounds.leave(setId);
        rounds.requestUnbond(1100 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vm.assertEq(lens.withdrawable(ALICE), 1000 ether, "withdrawable");
        rounds.withdrawUnbonded(ALICE);
        vm.assertEq(token.balanceOf(ALICE), 1000 ether, "all above the minimum");
        vm.assertEq(lens.accountOf(ALICE).unbonding, 1000 ether, "the minimum stays");
        (uint128[] memory amounts,) = lens.unbondRequestsOf(ALICE);
        vm.assertEq(amounts.length, 1, "the rest of a partly paid request");
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, ALICE));
        rounds.withdrawUnbonded(ALICE);
        vm.stopPrank();
        vm.prank(PARTNER);
        vm.assertEq(rounds.slashStake(ALICE, BOB), VERIFIER_STAKE, "still slashable");
    }

    /// @dev What is left of a request that was paid in part stays the oldest.
    function test_restOfAPartlyPaidRequestKeepsItsPlace() public {
        uint256 setId = _join();
        vm.prank(PARTNER);
        rounds.hold(setId);
        vm.startPrank(ALICE);
        rounds.leave(setId);
        rounds.requestUnbond(1200 ether);
        uint256 first = vm.getBlockTimestamp() + UNBOND_DELAY;
        vm.warp(vm.getBlockTimestamp() + 1 days);
        rounds.requestUnbond(800 ether);
        vm.assertEq(lens.accountOf(ALICE).unbondAt, first, "the oldest request's");
        vm.warp(first);
        rounds.withdrawUnbonded(ALICE);
        (uint128[] memory amounts, uint64[] memory times) = lens.unbondRequestsOf(ALICE);
        vm.assertEq(amounts[0], 200 ether, "rest in front");
        vm.assertEq(times[0], first, "with its time");
        vm.assertEq(amounts[1], 800 ether, "second");
        vm.stopPrank();
    }

    function test_partnerEndsItsOwnHoldsOnly() public {
        uint256 setId = _join();
        vm.startPrank(PARTNER);
        vm.expectRevert(abi.encodeWithSelector(IStakes.ZeroAmount.selector));
        rounds.releaseHold(setId);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IStakes.SetHeld(setId, true);
        rounds.hold(setId);
        rounds.releaseHold(setId);
        vm.expectRevert(abi.encodeWithSelector(IStakes.ZeroAmount.selector));
        rounds.releaseHold(setId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.VerifierSetInactive.selector, 9));
        rounds.hold(9);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- fuzz

    /// @dev Whatever the order of requests, slashes and withdrawals, nothing appears and nothing is lost.
    function testFuzz_requestsSumUp(uint256[8] memory seeds) public {
        uint256 paid = 0;
        uint256 slashed = 0;
        for (uint256 i = 0; i < seeds.length; ++i) {
            uint256 free = lens.accountOf(ALICE).free;
            uint256 kind = seeds[i] % 4;
            if (kind == 0) {
                vm.prank(PARTNER);
                slashed += rounds.slashStake(ALICE, BOB);
            } else if (kind == 1) {
                vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY / 2);
            } else if (kind == 2 && free > 0 && lens.accountOf(ALICE).debt == 0) {
                vm.prank(ALICE);
                rounds.requestUnbond(_bound(seeds[i] >> 2, 1, free));
            } else {
                uint256 before = token.balanceOf(ALICE);
                vm.prank(ALICE);
                try rounds.withdrawUnbonded(ALICE) {} catch {}
                paid += token.balanceOf(ALICE) - before;
            }
            AccountView memory account = lens.accountOf(ALICE);
            (uint128[] memory amounts,) = lens.unbondRequestsOf(ALICE);
            uint256 pending = 0;
            for (uint256 j = 0; j < amounts.length; ++j) {
                pending += amounts[j];
            }
            vm.assertEq(account.unbonding, pending, "unbonding is the sum of the requests");
            vm.assertEq(account.free + pending + paid + slashed, 2000 ether, "conserved");
        }
    }

    function _permit(string memory name, uint256 amount) private view returns (uint8, bytes32, bytes32) {
        bytes32 permit =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 content = keccak256(
            abi.encode(permit, _actor(name), address(rounds), amount, uint256(0), type(uint256).max)
        );
        bytes32 domain = IERC20Permit(address(token)).DOMAIN_SEPARATOR();
        return vm.sign(_key(name), keccak256(abi.encodePacked(hex"1901", domain, content)));
    }
}
