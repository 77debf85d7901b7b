// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {Deployed} from "./Deployed.sol";
import {vm} from "./Vm.sol";

/// @dev Deposits, exits, holds and slashes; the rounds contract is played by `prank`.
contract StakeVaultTest is Deployed {
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
        token.approve(address(vault), 5 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IStakeVault.Staked(BOB, 5 ether);
        vault.deposit(5 ether);
        vm.assertEq(vault.accountOf(BOB).free, 5 ether, "free");
        vm.assertEq(token.balanceOf(address(vault)), 2005 ether, "tokens");
    }

    function test_depositOfNothing() public {
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        vault.deposit(0);
    }

    function test_depositBeyond96Bits() public {
        vm.prank(ALICE);
        vm.expectRevert();
        vault.deposit(uint256(type(uint96).max) + 1);
    }

    function test_depositWithoutAllowance() public {
        vm.prank(BOB);
        vm.expectRevert();
        vault.deposit(1);
    }

    function test_pauseStopsDepositsNotExits() public {
        vm.prank(ALICE);
        vault.requestUnbond(10 ether);
        vm.prank(OWNER);
        rounds.pause();
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.EntriesPaused.selector));
        vault.deposit(1);
        vault.requestUnbond(1 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 11 ether, "out");
    }

    function test_depositWithPermit() public {
        address carol = _actor("carol");
        _fund(carol, 7 ether);
        (uint8 v, bytes32 r, bytes32 s) = _permit("carol", 7 ether);
        vm.prank(carol);
        vault.depositWithPermit(7 ether, type(uint256).max, v, r, s);
        vm.assertEq(vault.accountOf(carol).free, 7 ether, "free");
    }

    function test_depositWithPermitSubmittedBySomebodyElse() public {
        address carol = _actor("carol");
        _fund(carol, 7 ether);
        (uint8 v, bytes32 r, bytes32 s) = _permit("carol", 7 ether);
        IERC20Permit(address(token)).permit(carol, address(vault), 7 ether, type(uint256).max, v, r, s);
        vm.prank(carol);
        vault.depositWithPermit(7 ether, type(uint256).max, v, r, s);
        vm.assertEq(vault.accountOf(carol).free, 7 ether, "free");
    }

    function test_depositWithSomebodyElsesPermit() public {
        _fund(_actor("carol"), 7 ether);
        (uint8 v, bytes32 r, bytes32 s) = _permit("carol", 7 ether);
        vm.prank(BOB);
        vm.expectRevert();
        vault.depositWithPermit(7 ether, type(uint256).max, v, r, s);
    }

    // ---------------------------------------------------------------- exits

    function test_requestUnbond() public {
        uint64 availableAt = uint64(vm.getBlockTimestamp()) + UNBOND_DELAY;
        vm.expectEmit(true, true, true, true, address(vault));
        emit IStakeVault.UnbondRequested(ALICE, 300 ether, availableAt);
        vm.prank(ALICE);
        vault.requestUnbond(300 ether);
        IStakeVault.Account memory account = vault.accountOf(ALICE);
        vm.assertEq(account.free, 1700 ether, "free");
        vm.assertEq(account.unbonding, 300 ether, "unbonding");
        vm.assertEq(account.unbondAt, availableAt, "unbondAt");
    }

    function test_requestUnbondOfNothing() public {
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        vault.requestUnbond(0);
    }

    function test_requestUnbondBeyondFree() public {
        vm.prank(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, ALICE, 2000 ether, 2000 ether + 1)
        );
        vault.requestUnbond(2000 ether + 1);
    }

    function test_withdrawBeforeTheDelay() public {
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingToWithdraw.selector));
        vault.withdrawUnbonded();
        vault.requestUnbond(1 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY - 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingToWithdraw.selector));
        vault.withdrawUnbonded();
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IStakeVault.Withdrawn(ALICE, 1 ether);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 1 ether, "paid");
    }

    function test_laterRequestDoesNotDelayAnEarlierOne() public {
        vm.startPrank(ALICE);
        vault.requestUnbond(10 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY - 1);
        vault.requestUnbond(20 ether);
        vm.warp(vm.getBlockTimestamp() + 1);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 10 ether, "first");
        vm.assertEq(vault.accountOf(ALICE).unbonding, 20 ether, "second waits");
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY - 1);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 30 ether, "second");
    }

    function test_pendingRequestsAreBounded() public {
        vm.startPrank(ALICE);
        for (uint256 i = 0; i < 16; ++i) {
            vault.requestUnbond(1 ether);
        }
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.TooManyUnbondRequests.selector));
        vault.requestUnbond(1 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 16 ether, "all");
        vault.requestUnbond(1 ether);
    }

    // ---------------------------------------------------------------- rounds only

    function test_onlyRoundsMayTouchStake() public {
        address[] memory accounts = new address[](1);
        bytes memory refusal = abi.encodeWithSelector(IStakeVault.NotRounds.selector, address(this));
        vm.expectRevert(refusal);
        vault.lock(ALICE, 1);
        vm.expectRevert(refusal);
        vault.unlock(ALICE, 1);
        vm.expectRevert(refusal);
        vault.slashBond(ALICE, 1, BOB);
        vm.expectRevert(refusal);
        vault.slashStake(ALICE, BOB);
        vm.expectRevert(refusal);
        vault.hold(accounts, 1);
    }

    function test_lockAndUnlock() public {
        vm.startPrank(address(rounds));
        vault.lock(ALICE, 1500 ether);
        vm.assertEq(vault.accountOf(ALICE).free, 500 ether, "free");
        vm.assertEq(vault.accountOf(ALICE).locked, 1500 ether, "locked");
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, ALICE, 500 ether, 500 ether + 1)
        );
        vault.lock(ALICE, 500 ether + 1);
        vault.unlock(ALICE, 1500 ether);
        vm.assertEq(vault.accountOf(ALICE).free, 2000 ether, "free again");
        vm.expectRevert();
        vault.unlock(ALICE, 1);
    }

    function test_lockedStakeCannotLeave() public {
        vm.prank(address(rounds));
        vault.lock(ALICE, 2000 ether);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, ALICE, 0, 1));
        vault.requestUnbond(1);
    }

    function test_slashBondSplitsBetweenReporterAndTreasury() public {
        vm.startPrank(address(rounds));
        vault.lock(ALICE, 100 ether);
        vm.expectEmit(true, true, true, true, address(vault));
        emit IStakeVault.Slashed(ALICE, 100 ether, BOB);
        vault.slashBond(ALICE, 100 ether, BOB);
        vm.assertEq(vault.accountOf(ALICE).locked, 0, "locked");
        vm.assertEq(vault.accountOf(ALICE).free, 1900 ether, "free untouched");
        vm.assertEq(vault.accountOf(BOB).free, 10 ether, "reporter");
        vm.assertEq(vault.accountOf(TREASURY).free, 90 ether, "treasury");
    }

    function test_slashBondNeverReachesOtherStake() public {
        vm.startPrank(address(rounds));
        vault.lock(ALICE, 1 ether);
        vm.expectRevert();
        vault.slashBond(ALICE, 1 ether + 1, BOB);
    }

    function test_slashStakeTakesTheMinimumFromFree() public {
        vm.prank(address(rounds));
        vm.assertEq(vault.slashStake(ALICE, BOB), VERIFIER_STAKE, "taken");
        vm.assertEq(vault.accountOf(ALICE).free, 1000 ether, "free");
        vm.assertEq(vault.accountOf(BOB).free, 100 ether, "reporter");
    }

    function test_slashStakeReachesUnbondingNewestFirst() public {
        vm.startPrank(ALICE);
        vault.requestUnbond(400 ether);
        vault.requestUnbond(500 ether);
        vault.requestUnbond(600 ether);
        vm.stopPrank();
        vm.prank(address(rounds));
        vm.assertEq(vault.slashStake(ALICE, BOB), VERIFIER_STAKE, "taken");
        vm.assertEq(vault.accountOf(ALICE).free, 0, "free first");
        vm.assertEq(vault.accountOf(ALICE).unbonding, 1000 ether, "then unbonding");
        (uint128[] memory amounts,) = vault.unbondRequestsOf(ALICE);
        vm.assertEq(amounts.length, 3, "requests");
        vm.assertEq(amounts[0], 400 ether, "oldest");
        vm.assertEq(amounts[1], 500 ether, "middle");
        vm.assertEq(amounts[2], 100 ether, "newest");
    }

    function test_slashStakeRemovesWholeRequests() public {
        vm.startPrank(ALICE);
        vault.requestUnbond(1200 ether);
        vault.requestUnbond(300 ether);
        vault.requestUnbond(500 ether);
        vm.stopPrank();
        vm.prank(address(rounds));
        vault.slashStake(ALICE, BOB);
        (uint128[] memory amounts,) = vault.unbondRequestsOf(ALICE);
        vm.assertEq(amounts.length, 1, "requests");
        vm.assertEq(amounts[0], 1000 ether, "oldest");
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vm.prank(ALICE);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 1000 ether, "rest leaves");
    }

    function test_slashStakeLeavesBondsAloneAndTakesWhatIsThere() public {
        vm.startPrank(address(rounds));
        vault.lock(ALICE, 1990 ether);
        vm.assertEq(vault.slashStake(ALICE, BOB), 10 ether, "taken");
        vm.assertEq(vault.accountOf(ALICE).locked, 1990 ether, "locked");
        vm.assertEq(vault.slashStake(ALICE, BOB), 0, "nothing left");
        vault.unlock(ALICE, 1990 ether);
    }

    // ---------------------------------------------------------------- holds

    function test_holdNeedsTheMinimum() public {
        _stake(BOB, VERIFIER_STAKE - 1);
        vm.prank(address(rounds));
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeVault.InsufficientStake.selector, BOB, VERIFIER_STAKE - 1, VERIFIER_STAKE
            )
        );
        vault.hold(_list(BOB), uint64(vm.getBlockTimestamp()) + 1);
    }

    function test_holdKeepsTheLatestEnd() public {
        uint64 soon = uint64(vm.getBlockTimestamp()) + 1 hours;
        vm.startPrank(address(rounds));
        vault.hold(_list(ALICE), soon + 1);
        vault.hold(_list(ALICE), soon);
        vm.assertEq(vault.accountOf(ALICE).heldUntil, soon + 1, "heldUntil");
    }

    function test_heldStakeCannotHideInBonds() public {
        uint64 until = uint64(vm.getBlockTimestamp()) + 1 hours;
        vm.startPrank(address(rounds));
        vault.hold(_list(ALICE), until);
        vault.lock(ALICE, 1000 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeHeld.selector, ALICE, until));
        vault.lock(ALICE, 1);
        vm.warp(until);
        vault.lock(ALICE, 1);
    }

    function test_heldStakeCannotLeaveBelowTheMinimum() public {
        vm.prank(ALICE);
        vault.requestUnbond(900 ether);
        uint64 until = uint64(vm.getBlockTimestamp()) + 30 days;
        vm.prank(address(rounds));
        vault.hold(_list(ALICE), until);
        vm.prank(ALICE);
        vault.requestUnbond(1100 ether);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);

        vm.startPrank(ALICE);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 1000 ether, "all above the minimum");
        vm.assertEq(vault.accountOf(ALICE).unbonding, 1000 ether, "the minimum stays");
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeHeld.selector, ALICE, until));
        vault.withdrawUnbonded();
        vm.stopPrank();

        vm.prank(address(rounds));
        vm.assertEq(vault.slashStake(ALICE, BOB), VERIFIER_STAKE, "still slashable");
    }

    function test_holdEnds() public {
        uint64 until = uint64(vm.getBlockTimestamp()) + 30 days;
        vm.prank(address(rounds));
        vault.hold(_list(ALICE), until);
        vm.startPrank(ALICE);
        vault.requestUnbond(2000 ether);
        vm.warp(until);
        vault.withdrawUnbonded();
        vm.assertEq(token.balanceOf(ALICE), 2000 ether, "all");
    }

    // ---------------------------------------------------------------- deployment

    function test_constructorRefusesZeroes() public {
        bytes memory zero = abi.encodeWithSelector(IStakeVault.ZeroAddress.selector);
        _refusesToDeploy("StakeVault", abi.encode(address(0), ALICE, ALICE, 1, 1), zero);
        _refusesToDeploy("StakeVault", abi.encode(token, address(0), ALICE, 1, 1), zero);
        _refusesToDeploy("StakeVault", abi.encode(token, ALICE, address(0), 1, 1), zero);
        _refusesToDeploy(
            "StakeVault",
            abi.encode(token, ALICE, ALICE, 0, 1),
            abi.encodeWithSelector(IStakeVault.ZeroAmount.selector)
        );
    }

    // ---------------------------------------------------------------- fuzz

    /// @dev Whatever the order of requests, slashes and withdrawals, nothing appears and nothing is lost.
    function testFuzz_requestsSumUp(uint256[8] memory seeds) public {
        uint256 paid = 0;
        uint256 slashed = 0;
        for (uint256 i = 0; i < seeds.length; ++i) {
            uint256 free = vault.accountOf(ALICE).free;
            uint256 kind = seeds[i] % 4;
            if (kind == 0) {
                vm.prank(address(rounds));
                slashed += vault.slashStake(ALICE, BOB);
            } else if (kind == 1) {
                vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY / 2);
            } else if (kind == 2 && free > 0) {
                vm.prank(ALICE);
                vault.requestUnbond(_bound(seeds[i] >> 2, 1, free));
            } else {
                uint256 before = token.balanceOf(ALICE);
                vm.prank(ALICE);
                try vault.withdrawUnbonded() {} catch {}
                paid += token.balanceOf(ALICE) - before;
            }
            IStakeVault.Account memory account = vault.accountOf(ALICE);
            (uint128[] memory amounts,) = vault.unbondRequestsOf(ALICE);
            uint256 pending = 0;
            for (uint256 j = 0; j < amounts.length; ++j) {
                pending += amounts[j];
            }
            vm.assertEq(account.unbonding, pending, "unbonding is the sum of the requests");
            vm.assertEq(account.free + pending + paid + slashed, 2000 ether, "conserved");
        }
    }

    function _list(address account) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }

    function _permit(string memory name, uint256 amount) private view returns (uint8, bytes32, bytes32) {
        bytes32 permit =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 content = keccak256(
            abi.encode(permit, _actor(name), address(vault), amount, uint256(0), type(uint256).max)
        );
        bytes32 domain = IERC20Permit(address(token)).DOMAIN_SEPARATOR();
        return vm.sign(_key(name), keccak256(abi.encodePacked(hex"1901", domain, content)));
    }
}
