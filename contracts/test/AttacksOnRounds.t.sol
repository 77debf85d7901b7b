// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IClaims} from "../src/interfaces/IClaims.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {CancelCause, Phase, Readiness, Verdict} from "../src/types/Enums.sol";
import {Configuration, Leaf, Result, RoundParams, Signature} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev More attacks of the audit, on duties that last over a round and on what its end leaves to whom.
contract AttacksOnRoundsTest is RoundTest {
    // ---------------------------------------------------------------- holds

    /// @dev From the first commit on a hold lasts beyond COMMIT, until the round has its end.
    function test_attack_verifierLeavesAfterTheFirstCommit() public {
        _open();
        _commit(1);
        vm.startPrank(verifiers[0]);
        rounds.leave(setId);
        rounds.requestUnbond(VERIFIER_STAKE);
        vm.stopPrank();
        vm.warp(_round().commitEnd);
        _expectWrongPhase(Phase.Gap);
        rounds.cancel(roundId);
        vm.assertTrue(lens.accountOf(verifiers[0]).held, "held");
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vm.prank(verifiers[0]);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, verifiers[0]));
        rounds.withdrawUnbonded(verifiers[0]);
        rounds.cancel(roundId);
        vm.prank(verifiers[0]);
        rounds.withdrawUnbonded(verifiers[0]);
    }

    /// @dev Every set that a verifier joined is looked up, the newest and the oldest, also once it left it.
    function test_attack_holdHiddenBehindAnotherSet() public {
        _open();
        _commit(1);
        vm.prank(verifiers[0]);
        rounds.leave(setId);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 other = _joinAnother();
            vm.prank(verifiers[0]);
            rounds.leave(other);
        }
        _assertPinned(verifiers[0]);
    }

    function test_attack_holdHiddenBehindAnEarlierSet() public {
        uint256 newest = _joinAnother();
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, newest);
        _open();
        _commit(1);
        vm.startPrank(verifiers[0]);
        rounds.leave(setId);
        rounds.leave(newest);
        vm.stopPrank();
        _assertPinned(verifiers[0]);
    }

    function _joinAnother() private returns (uint256 other) {
        vm.prank(PROPOSER);
        other = rounds.createVerifierSet(verifiers, 2, CAP, MAX_HOLD);
        for (uint256 i = 0; i < verifiers.length; ++i) {
            vm.prank(verifiers[i]);
            rounds.join(other);
        }
    }

    function _assertPinned(address verifier) private {
        vm.startPrank(verifier);
        rounds.requestUnbond(VERIFIER_STAKE);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, verifier));
        rounds.withdrawUnbonded(verifier);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- shards

    /// @dev A draw uses no shard up: rounds that end before the unsealing can be repeated for ever.
    function test_attack_drawsBurnEveryShard() public {
        for (uint256 i = 0; i <= SHARDS; ++i) {
            _open();
            _commit(1);
            _toReveal();
            _draw();
            vm.warp(_round().revealEnd);
            rounds.cancel(roundId);
            rounds.slashNonReveal(roundId, solvers[0]);
        }
        vm.assertEq(lens.getProject(projectId).usedShards, 0, "none used");
        _open();
    }

    // ---------------------------------------------------------------- debts

    /// @dev A debt keeps its owner out of every duty: as a verifier and as a solver.
    function test_attack_debtorGoesOn() public {
        vm.prank(PARTNER);
        rounds.slashStake(solvers[0], STRANGER);
        _stake(solvers[0], SOLVER_STAKE);
        _open();
        bytes32 commitment = _commitment(solvers[0]);
        uint256 debt = VERIFIER_STAKE - SOLVER_STAKE;
        vm.prank(solvers[0]);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InDebt.selector, solvers[0], debt));
        rounds.commit(roundId, commitment);
        vm.warp(_round().commitEnd);
        rounds.cancel(roundId);

        vm.prank(PARTNER);
        rounds.slashStake(verifiers[0], STRANGER);
        vm.prank(PARTNER);
        rounds.slashStake(verifiers[0], STRANGER);
        _stake(verifiers[0], 2 * VERIFIER_STAKE);
        vm.assertEq(uint256(lens.canOpen(setId, 1)), uint256(Readiness.StakeTooLow), "seen");
        RoundParams memory params = _params();
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InDebt.selector, verifiers[0], VERIFIER_STAKE));
        rounds.openRound(params);
    }

    // ---------------------------------------------------------------- disputes

    function _disputed() private {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence", recorded);
    }

    function _equivocate(uint256 seat) private {
        Result memory first = _result(_rows(), 98 ether, 100);
        Result memory second = _result(_rows(), 97 ether, 100);
        Signature memory a = _sign(keys[seat], first);
        Signature memory b = _sign(keys[seat], second);
        vm.prank(STRANGER);
        rounds.slashEquivocation(first, a, second, b);
    }

    /// @dev Wherever a signer of the disputed round loses its stake, the tenth is the challenger's.
    function test_attack_signersLoseTheirStakeElsewhere() public {
        _disputed();
        vm.startPrank(PARTNER);
        rounds.slashStake(verifiers[0], STRANGER);
        rounds.slashStake(verifiers[2], STRANGER);
        vm.stopPrank();
        vm.assertEq(_free(STRANGER), 100 ether, "of who did not sign");
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        rounds.closeChallenge(roundId, CHALLENGER);
        vm.assertEq(_free(CHALLENGER), 300 ether, "both tenths");
        vm.assertEq(lens.accountOf(verifiers[0]).debt, VERIFIER_STAKE, "and this round's slash is owed");
    }

    /// @dev What was set aside goes to the treasury if the result stands: a bought challenge brings no tenth back.
    function test_attack_friendlyChallengeSavesTheTenth() public {
        _disputed();
        _equivocate(0);
        vm.prank(ARBITER);
        rounds.uphold(roundId);
        vm.assertEq(_free(STRANGER) + _free(CHALLENGER), 90.2 ether, "nothing for reporter or challenger");
        vm.assertEq(_free(TREASURY), VERIFIER_STAKE, "all of it");
        // Once: the next decision finds an empty pot.
        vm.startPrank(solvers[0]);
        rounds.challenge(roundId, "evidence", recorded);
        vm.stopPrank();
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, solvers[0]);
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE - 5 ether - 9.8 ether + 100 ether, "one tenth");
    }

    function test_attack_silentArbiterSavesTheTenth() public {
        _disputed();
        _equivocate(0);
        vm.warp(_round().resolveEnd);
        rounds.settle(roundId, recorded);
        vm.assertEq(_free(TREASURY), VERIFIER_STAKE, "all of it");
        vm.assertEq(_free(STRANGER), 0, "nothing for the reporter");
        // From now on a reporter has its tenth again.
        _equivocate(1);
        vm.assertEq(_free(STRANGER), 100 ether, "the reporter's");
    }

    // ---------------------------------------------------------------- phases and places

    /// @dev No phase can be made so short that no honest transaction falls into it.
    function test_attack_phasesOfOneSecond() public {
        for (uint256 i = 0; i < 4; ++i) {
            RoundParams memory params = _params();
            if (i == 0) params.commitDuration = 1;
            if (i == 1) params.gap = 1;
            if (i == 2) params.revealDuration = 1;
            if (i == 3) params.verifyDuration = 1;
            vm.prank(PROPOSER);
            vm.expectRevert(abi.encodeWithSelector(IRounds.BadDuration.selector, 1, MINIMUM_PHASE));
            rounds.openRound(params);
        }
    }

    /// @dev Places taken by deltas that are excluded cost a part of each bond.
    function test_attack_junkTakesPlacesAtNoLoss() public {
        _toVerify(4);
        Leaf[] memory rows = new Leaf[](4);
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _row(solvers[i], Verdict.Excluded, 0);
        }
        _record(rows, 0, 100);
        _settle();
        for (uint256 i = 0; i < 4; ++i) {
            rounds.claim(roundId, rows[i], _proof(rows, i));
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE - 1 ether, "a fifth of its bond");
        }
        vm.assertEq(_free(TREASURY), 3.6 ether, "the treasury's, but for the tenths of who showed the rows");
    }

    // ---------------------------------------------------------------- what a round's end leaves

    /// @dev A sheet that cannot be had is as wrong as a false one: it is challenged, overturned, and everybody gets out.
    function test_attack_withheldSheetIsOverturned() public {
        _disputed();
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        vm.assertEq(uint256(_round().cause), uint256(CancelCause.Overturned), "cause");
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(solvers[i]);
            rounds.releaseBond(roundId);
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE, "bond");
        }
        vm.assertEq(_free(verifiers[0]) + _free(verifiers[1]), 0, "the signers' stake");
    }

    /// @dev A revealed solver that no row names has its bond after two weeks, not after ninety days.
    function test_attack_solverLeftOutOfTheTree() public {
        _toVerify(4);
        Leaf[] memory rows = new Leaf[](2);
        rows[0] = _row(solvers[0], Verdict.Accepted, 60 ether);
        rows[1] = _row(solvers[1], Verdict.Accepted, 30 ether);
        _record(rows, 98 ether, 100);
        _settle();
        uint64 from = uint64(vm.getBlockTimestamp()) + 14 days;
        vm.startPrank(solvers[3]);
        vm.expectRevert(abi.encodeWithSelector(IClaims.ClaimsOpen.selector, roundId, from));
        rounds.releaseBond(roundId);
        vm.warp(from);
        rounds.releaseBond(roundId);
        rounds.withdraw(SOLVER_STAKE, solvers[3]);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(solvers[3]), SOLVER_STAKE, "out");
        vm.assertEq(_free(solvers[3]), 0, "all of it");
    }

    /// @dev Neither a delay that traps stake, nor none, nor amounts that no balance can hold.
    function test_attack_deploymentThatTrapsStake() public {
        bytes memory refusal = abi.encodeWithSelector(ITrainingRounds.BadConfiguration.selector);
        IERC20 huge = IERC20(_create("DevToken", abi.encode(address(this), uint256(type(uint96).max) + 1)));
        for (uint256 i = 0; i < 4; ++i) {
            Configuration memory c = _configuration(address(token));
            if (i == 0) c.unbondDelay = type(uint32).max;
            if (i == 1) c.unbondDelay = 0;
            if (i == 2) c.minimumBudget = 0;
            if (i == 3) c.token = huge;
            _refusesToDeploy("TrainingRounds", abi.encode(c), refusal);
        }
        Configuration memory most =
            _configuration(_create("DevToken", abi.encode(address(this), uint256(type(uint96).max))));
        _create("TrainingRounds", abi.encode(most));
    }
}
