// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Challenges, the arbiter, its silence, and the slashing of verifiers.
contract DisputesTest is RoundTest {
    ITrainingRounds.Leaf[] internal rows;

    function setUp() public override {
        super.setUp();
        _toVerify(4);
        ITrainingRounds.Leaf[] memory made = _rows();
        for (uint256 i = 0; i < made.length; ++i) {
            rows.push(made[i]);
        }
    }

    function _recordRows() private {
        _record(rows, 98 ether, 100);
    }

    function _challenge() private {
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence");
    }

    // ---------------------------------------------------------------- challenge

    function test_challenge() public {
        _recordRows();
        vm.assertEq(rounds.challengeBondOf(roundId), 9.8 ether, "a tenth of the payout");
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.Challenged(roundId, CHALLENGER, "evidence");
        _challenge();
        _assertPhase(ITrainingRounds.Phase.Disputed);
        vm.assertEq(_locked(CHALLENGER), 9.8 ether, "bond");
        vm.assertEq(_round().challenger, CHALLENGER, "challenger");
        vm.assertEq(_round().resolveEnd, vm.getBlockTimestamp() + RESOLVE, "resolveEnd");
    }

    function test_challengeOnlyInTimeAndOnce() public {
        vm.startPrank(CHALLENGER);
        _expectWrongPhase(ITrainingRounds.Phase.Verify);
        rounds.challenge(roundId, 0);
        vm.stopPrank();
        _recordRows();
        vm.warp(_round().challengeEnd);
        vm.startPrank(CHALLENGER);
        _expectWrongPhase(ITrainingRounds.Phase.Settleable);
        rounds.challenge(roundId, 0);
        vm.warp(_round().challengeEnd - 1);
        rounds.challenge(roundId, 0);
        _expectWrongPhase(ITrainingRounds.Phase.Disputed);
        rounds.challenge(roundId, 0);
    }

    function test_challengeNeedsABond() public {
        _recordRows();
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, STRANGER, 0, 9.8 ether)
        );
        rounds.challenge(roundId, 0);
    }

    function test_challengeBondHasAFloor() public {
        _record(rows, 0, 100);
        vm.assertEq(rounds.challengeBondOf(roundId), MINIMUM_BOND, "floor");
    }

    // ---------------------------------------------------------------- resolve

    function test_onlyTheArbiterResolves() public {
        _recordRows();
        _challenge();
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotArbiter.selector, address(this)));
        rounds.resolve(roundId, true);
    }

    function test_resolveOnlyWhileDisputed() public {
        _recordRows();
        vm.prank(ARBITER);
        _expectWrongPhase(ITrainingRounds.Phase.Challenge);
        rounds.resolve(roundId, true);
        _challenge();
        vm.warp(_round().resolveEnd);
        vm.prank(ARBITER);
        _expectWrongPhase(ITrainingRounds.Phase.Settleable);
        rounds.resolve(roundId, true);
    }

    function test_overturned() public {
        _recordRows();
        _challenge();
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.Resolved(roundId, true);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.RoundCancelled(roundId, 5);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BondSlashed(roundId, verifiers[0], VERIFIER_STAKE, 4);
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);

        _assertPhase(ITrainingRounds.Phase.Cancelled);
        vm.assertEq(_round().cause, 5, "cause");
        vm.assertEq(registry.getProject(projectId).model, BASE, "base kept");
        vm.assertEq(registry.getProject(projectId).activeRound, 0, "project free");
        vm.assertEq(rounds.creditOf(PROPOSER), 129 ether, "escrow returns");
        vm.assertEq(_free(verifiers[0]), 0, "signer");
        vm.assertEq(_free(verifiers[1]), 0, "signer");
        vm.assertEq(_free(verifiers[2]), VERIFIER_STAKE, "not a signer");
        vm.assertEq(_locked(CHALLENGER), 0, "challenger's bond");
        vm.assertEq(_free(CHALLENGER), 300 ether, "and a tenth of two stakes");
        vm.assertEq(_free(TREASURY), 1800 ether, "treasury");
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(solvers[i]);
            rounds.releaseBond(roundId);
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE, "even of a delta called invalid");
        }
    }

    function test_nothingCanBeClaimedFromAnOverturnedRound() public {
        _recordRows();
        _challenge();
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);
        bytes32[] memory proof = _proof(rows, 0);
        _expectWrongPhase(ITrainingRounds.Phase.Cancelled);
        rounds.claim(roundId, rows[0], proof);
        bytes32[] memory invalid = _proof(rows, 3);
        _expectWrongPhase(ITrainingRounds.Phase.Cancelled);
        rounds.slashInvalid(roundId, rows[3], invalid);
        _expectWrongPhase(ITrainingRounds.Phase.Cancelled);
        rounds.settle(roundId);
    }

    /// @dev A signer already stripped of its stake elsewhere must not make an overturn impossible.
    function test_overturnedWithNothingLeftToSlash() public {
        _recordRows();
        vm.startPrank(address(rounds));
        vault.slashStake(verifiers[0], STRANGER);
        vm.stopPrank();
        _challenge();
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);
        _assertPhase(ITrainingRounds.Phase.Cancelled);
        vm.assertEq(_free(verifiers[1]), 0, "the other signer");
    }

    function test_rejected() public {
        _recordRows();
        _challenge();
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.Resolved(roundId, false);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BondSlashed(roundId, CHALLENGER, 9.8 ether, 5);
        vm.prank(ARBITER);
        rounds.resolve(roundId, false);
        vm.assertEq(_locked(CHALLENGER), 0, "bond lost");
        vm.assertEq(_free(CHALLENGER), 90.2 ether, "rest kept");
        vm.assertEq(_free(TREASURY), 9.8 ether, "all to the treasury");
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE, "verifiers untouched");
    }

    /// @dev A weak challenge, even a bought one, must not use up the only chance.
    function test_rejectedResultCanBeChallengedAgain() public {
        _recordRows();
        _challenge();
        vm.prank(ARBITER);
        rounds.resolve(roundId, false);
        _assertPhase(ITrainingRounds.Phase.Challenge);
        _challenge();
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);
        _assertPhase(ITrainingRounds.Phase.Cancelled);
    }

    function test_rejectedAfterTheWindowSettles() public {
        _recordRows();
        vm.warp(_round().challengeEnd - 1);
        _challenge();
        vm.warp(_round().challengeEnd + 1);
        _assertPhase(ITrainingRounds.Phase.Disputed);
        vm.prank(ARBITER);
        rounds.resolve(roundId, false);
        _assertPhase(ITrainingRounds.Phase.Settleable);
        rounds.settle(roundId);
        vm.assertEq(_locked(CHALLENGER), 0, "not unlocked twice");
    }

    function test_silentArbiter() public {
        _recordRows();
        _challenge();
        vm.warp(_round().resolveEnd - 1);
        _expectWrongPhase(ITrainingRounds.Phase.Disputed);
        rounds.settle(roundId);
        vm.warp(_round().resolveEnd);
        rounds.settle(roundId);
        _assertPhase(ITrainingRounds.Phase.Settled);
        vm.assertEq(_free(CHALLENGER), 100 ether, "challenger refunded");
        vm.assertEq(registry.getProject(projectId).model, MODEL, "result stands");
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE, "verifiers untouched");
    }

    /// @dev The hold outlasts the last moment at which a signer can be slashed for the result.
    function test_verifiersCannotLeaveBeforeAnOverturn() public {
        vm.warp(_round().verifyEnd - 1);
        _recordRows();
        vm.startPrank(verifiers[0]);
        vault.requestUnbond(VERIFIER_STAKE);
        vm.stopPrank();
        vm.warp(_round().challengeEnd - 1);
        _challenge();
        vm.warp(_round().resolveEnd - 1);
        vm.assertGt(vault.accountOf(verifiers[0]).heldUntil, vm.getBlockTimestamp(), "held");
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);
        vm.assertEq(vault.accountOf(verifiers[0]).unbonding, 0, "slashed while unbonding");
    }

    // ---------------------------------------------------------------- equivocation

    function _twoResults()
        private
        view
        returns (ITrainingRounds.Result memory first, ITrainingRounds.Result memory second)
    {
        first = _result(rows, 98 ether, 100);
        second = _result(rows, 97 ether, 100);
    }

    function test_slashEquivocation() public {
        (ITrainingRounds.Result memory first, ITrainingRounds.Result memory second) = _twoResults();
        bytes memory a = _sign(keys[2], first);
        bytes memory b = _sign(keys[2], second);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BondSlashed(roundId, verifiers[2], VERIFIER_STAKE, 3);
        vm.prank(STRANGER);
        rounds.slashEquivocation(first, a, second, b);
        vm.assertEq(_free(verifiers[2]), 0, "stake");
        vm.assertEq(_free(STRANGER), 100 ether, "reporter");
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.AlreadySlashed.selector, roundId, verifiers[2])
        );
        rounds.slashEquivocation(first, a, second, b);
    }

    function test_twoImprovementsAreTwoResults() public {
        (ITrainingRounds.Result memory first,) = _twoResults();
        ITrainingRounds.Result memory second = _result(rows, 98 ether, 101);
        rounds.slashEquivocation(first, _sign(keys[0], first), second, _sign(keys[0], second));
        vm.assertEq(_free(verifiers[0]), 0, "stake");
    }

    function test_noEquivocation() public {
        (ITrainingRounds.Result memory first, ITrainingRounds.Result memory second) = _twoResults();
        bytes memory a = _sign(keys[0], first);
        bytes memory b = _sign(keys[1], second);
        bytes memory refusal = abi.encodeWithSelector(ITrainingRounds.NoEquivocation.selector);
        vm.expectRevert(refusal);
        rounds.slashEquivocation(first, a, first, a);
        vm.expectRevert(refusal);
        rounds.slashEquivocation(first, a, second, b);
        // Two rounds may well have two results.
        second.roundId = roundId + 1;
        b = _sign(keys[0], second);
        vm.expectRevert(refusal);
        rounds.slashEquivocation(first, a, second, b);
    }

    function test_equivocationOfAStranger() public {
        (ITrainingRounds.Result memory first, ITrainingRounds.Result memory second) = _twoResults();
        uint256 key = _key("solver 0");
        bytes memory a = _sign(key, first);
        bytes memory b = _sign(key, second);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotVerifier.selector, roundId, solvers[0]));
        rounds.slashEquivocation(first, a, second, b);
    }

    function test_equivocationWithoutStakeKeepsTheProof() public {
        (ITrainingRounds.Result memory first, ITrainingRounds.Result memory second) = _twoResults();
        bytes memory a = _sign(keys[0], first);
        bytes memory b = _sign(keys[0], second);
        vm.prank(address(rounds));
        vault.slashStake(verifiers[0], STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NothingToSlash.selector, verifiers[0]));
        rounds.slashEquivocation(first, a, second, b);
        _stake(verifiers[0], 300 ether);
        rounds.slashEquivocation(first, a, second, b);
        vm.assertEq(_free(verifiers[0]), 0, "later stake");
    }

    /// @dev Equivocation and overturn together cost one minimum stake per round, not two.
    function test_noDoubleSlashInOneRound() public {
        _recordRows();
        (ITrainingRounds.Result memory first, ITrainingRounds.Result memory second) = _twoResults();
        rounds.slashEquivocation(first, _sign(keys[0], first), second, _sign(keys[0], second));
        _stake(verifiers[0], VERIFIER_STAKE);
        _challenge();
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE, "slashed once");
        vm.assertEq(_free(verifiers[1]), 0, "the other signer");
        bytes memory a = _sign(keys[1], first);
        bytes memory b = _sign(keys[1], second);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.AlreadySlashed.selector, roundId, verifiers[1])
        );
        rounds.slashEquivocation(first, a, second, b);
    }

    function test_equivocationAfterThePaidFee() public {
        _recordRows();
        _settle();
        rounds.claim(roundId, rows[4], _proof(rows, 4));
        _assertStanding(verifiers[0], ITrainingRounds.Standing.VerifierPaid);
        (ITrainingRounds.Result memory first, ITrainingRounds.Result memory second) = _twoResults();
        rounds.slashEquivocation(first, _sign(keys[0], first), second, _sign(keys[0], second));
        vm.assertEq(_free(verifiers[0]), 0, "stake");
    }
}
