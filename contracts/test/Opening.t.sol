// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IProjectRegistry} from "../src/interfaces/IProjectRegistry.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev What it takes to open a round, and what a deployment refuses.
contract OpeningTest is RoundTest {
    ITrainingRounds.RoundParams internal params;

    function setUp() public override {
        super.setUp();
        params = _params();
    }

    function _refused(bytes memory refusal) private {
        vm.prank(PROPOSER);
        vm.expectRevert(refusal);
        rounds.openRound(params);
    }

    // ---------------------------------------------------------------- what is stored and announced

    function test_openRound() public {
        vm.prevrandao(77);
        uint64 commitEnd = uint64(vm.getBlockTimestamp()) + 1 hours;
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.RoundOpened(
            1,
            projectId,
            PROPOSER,
            params,
            BASE,
            setId,
            keccak256(abi.encode(uint256(77), uint256(1))),
            commitEnd
        );
        _open(params);
        ITrainingRounds.Round memory round = _round();
        vm.assertEq(round.proposer, PROPOSER, "proposer");
        vm.assertEq(round.projectId, projectId, "project");
        vm.assertEq(round.spec, SPEC, "spec");
        vm.assertEq(round.base, BASE, "base");
        vm.assertEq(round.model, BASE, "model");
        vm.assertEq(round.budget, 100 ether, "budget");
        vm.assertEq(round.fee, 9 ether, "fee");
        vm.assertEq(round.bond, 5 ether, "bond");
        vm.assertEq(round.unsealBond, 20 ether, "unsealBond");
        vm.assertEq(round.openedAt, commitEnd - 1 hours, "openedAt");
        vm.assertEq(round.commitEnd, commitEnd, "commitEnd");
        vm.assertEq(round.revealStart, commitEnd + 60, "revealStart");
        vm.assertEq(round.revealEnd, commitEnd + 60 + 1 hours, "revealEnd");
        vm.assertEq(round.verifyEnd, commitEnd + 60 + 3 hours, "verifyEnd");
        vm.assertEq(round.verifierSet, setId, "set");
        vm.assertEq(round.threshold, 2, "threshold");
        vm.assertEq(registry.getProject(projectId).activeRound, 1, "active");
        vm.assertEq(token.balanceOf(address(rounds)), 129 ether, "escrow");
        for (uint256 i = 0; i < verifiers.length; ++i) {
            _assertStanding(verifiers[i], ITrainingRounds.Standing.Verifier);
            vm.assertEq(
                vault.accountOf(verifiers[i]).heldUntil,
                round.verifyEnd + 1 days + RESOLVE,
                "held until no result can be overturned"
            );
        }
    }

    function test_unknownRound() public view {
        vm.assertEq(uint256(rounds.phase(9)), uint256(ITrainingRounds.Phase.None), "phase");
        vm.assertEq(rounds.getRound(9).proposer, address(0), "round");
    }

    // ---------------------------------------------------------------- who and when

    function test_onlyTheProjectOwner() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotProjectOwner.selector, projectId, STRANGER));
        rounds.openRound(params);
        params.projectId = 9;
        _refused(abi.encodeWithSelector(ITrainingRounds.NotProjectOwner.selector, 9, PROPOSER));
    }

    function test_oneRoundAtATime() public {
        _open();
        _refused(abi.encodeWithSelector(IProjectRegistry.ProjectBusy.selector, projectId, 1));
    }

    function test_everyVerifierMustConsent() public {
        vm.prank(verifiers[1]);
        sets.leave(setId);
        _refused(abi.encodeWithSelector(ITrainingRounds.VerifierSetInactive.selector, setId));
    }

    function test_everyVerifierMustBeStaked() public {
        vm.prank(verifiers[2]);
        vault.requestUnbond(1);
        _refused(
            abi.encodeWithSelector(
                IStakeVault.InsufficientStake.selector, verifiers[2], VERIFIER_STAKE - 1, VERIFIER_STAKE
            )
        );
    }

    function test_escrowMustBeApproved() public {
        vm.startPrank(PROPOSER);
        token.approve(address(rounds), 129 ether - 1);
        vm.expectRevert();
        rounds.openRound(params);
        token.approve(address(rounds), 129 ether);
        rounds.openRound(params);
    }

    function test_shardsRunOut() public {
        vm.prank(PROPOSER);
        params.projectId = _createProject(1, setId);
        vm.prank(address(rounds));
        registry.useShard(params.projectId, 0);
        _refused(abi.encodeWithSelector(ITrainingRounds.NoShardsLeft.selector, params.projectId));
    }

    function test_allOf256ShardsRunOut() public {
        vm.prank(PROPOSER);
        params.projectId = _createProject(256, setId);
        vm.startPrank(address(rounds));
        for (uint32 i = 0; i < 255; ++i) {
            registry.useShard(params.projectId, i);
        }
        vm.stopPrank();
        _open(params);
        _commit(1);
        _toReveal();
        vm.assertEq(rounds.drawBeacon(roundId), 255, "the last one left");
        vm.warp(_round().revealEnd);
        rounds.cancel(roundId);
        _refused(abi.encodeWithSelector(ITrainingRounds.NoShardsLeft.selector, params.projectId));
    }

    // ---------------------------------------------------------------- bounds

    function test_specIsRequired() public {
        params.spec = 0;
        _refused(abi.encodeWithSelector(ITrainingRounds.ZeroDigest.selector));
    }

    function test_minimums() public {
        params.budget = MINIMUM_BUDGET - 1;
        _refused(
            abi.encodeWithSelector(
                ITrainingRounds.BudgetTooSmall.selector, MINIMUM_BUDGET - 1, MINIMUM_BUDGET
            )
        );
        params = _params();
        params.bond = MINIMUM_BOND - 1;
        _refused(
            abi.encodeWithSelector(ITrainingRounds.BondTooSmall.selector, MINIMUM_BOND - 1, MINIMUM_BOND)
        );
        params = _params();
        params.unsealBond = MINIMUM_BOND - 1;
        _refused(
            abi.encodeWithSelector(ITrainingRounds.BondTooSmall.selector, MINIMUM_BOND - 1, MINIMUM_BOND)
        );
        params = _params();
        (params.budget, params.bond, params.unsealBond, params.fee) =
        (MINIMUM_BUDGET, MINIMUM_BOND, MINIMUM_BOND, 0);
        _open(params);
    }

    function test_amountsFit96Bits() public {
        uint128 most = type(uint96).max;
        params.bond = most + 1;
        _refused(abi.encodeWithSelector(ITrainingRounds.AmountTooLarge.selector, most + 1));
        params = _params();
        params.unsealBond = most + 1;
        _refused(abi.encodeWithSelector(ITrainingRounds.AmountTooLarge.selector, most + 1));
        params = _params();
        (params.budget, params.fee) = (most, 1);
        _refused(abi.encodeWithSelector(ITrainingRounds.AmountTooLarge.selector, most + 1));
        (params.budget, params.fee) = (type(uint128).max, type(uint128).max);
        _refused(
            abi.encodeWithSelector(ITrainingRounds.AmountTooLarge.selector, uint256(type(uint128).max) * 2)
        );
    }

    function testFuzz_durations(uint32 duration, uint8 which) public {
        which = which % 5;
        duration = uint32(_bound(duration, 0, 40 days));
        if (which == 0) params.commitDuration = duration;
        if (which == 1) params.gap = duration;
        if (which == 2) params.revealDuration = duration;
        if (which == 3) params.verifyDuration = duration;
        if (which == 4) params.challengeDuration = duration;
        uint256 minimum = which == 4 ? MINIMUM_CHALLENGE : 1;
        if (duration < minimum || duration > 30 days) {
            _refused(abi.encodeWithSelector(ITrainingRounds.BadDuration.selector, duration, minimum));
        } else {
            _open(params);
        }
    }

    function test_durationsAtTheirEdges() public {
        params.commitDuration = 0;
        _refused(abi.encodeWithSelector(ITrainingRounds.BadDuration.selector, 0, 1));
        params = _params();
        params.gap = 0;
        _refused(abi.encodeWithSelector(ITrainingRounds.BadDuration.selector, 0, 1));
        params = _params();
        params.revealDuration = 30 days + 1;
        _refused(abi.encodeWithSelector(ITrainingRounds.BadDuration.selector, 30 days + 1, 1));
        params = _params();
        params.verifyDuration = 0;
        _refused(abi.encodeWithSelector(ITrainingRounds.BadDuration.selector, 0, 1));
        params = _params();
        params.challengeDuration = MINIMUM_CHALLENGE - 1;
        _refused(
            abi.encodeWithSelector(
                ITrainingRounds.BadDuration.selector, MINIMUM_CHALLENGE - 1, MINIMUM_CHALLENGE
            )
        );
        params = _params();
        (params.commitDuration, params.gap, params.revealDuration, params.verifyDuration) = (1, 1, 1, 1);
        params.challengeDuration = MINIMUM_CHALLENGE;
        _open(params);
    }

    // ---------------------------------------------------------------- pause

    function test_pauseStopsEntriesOnly() public {
        _toVerify(3);
        vm.prank(OWNER);
        rounds.pause();
        bytes memory refusal = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        _refused(refusal);
        vm.prank(solvers[3]);
        vm.expectRevert(refusal);
        rounds.commit(roundId, keccak256("late"));

        ITrainingRounds.Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence");
        vm.prank(ARBITER);
        rounds.resolve(roundId, false);
        _settle();
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        vm.prank(solvers[0]);
        rounds.withdrawCredit();
        vm.warp(_round().claimEnd);
        rounds.sweep(roundId);
        vm.prank(solvers[1]);
        rounds.releaseBond(roundId);

        vm.prank(OWNER);
        rounds.unpause();
        _open();
    }

    function test_pausedRoundCanBeRevealedUnsealedAndCancelled() public {
        _open();
        _commit(2);
        vm.prank(OWNER);
        rounds.pause();
        _toReveal();
        _reveal(solvers[0]);
        _unseal();
        vm.warp(_round().verifyEnd);
        rounds.slashNonReveal(roundId, solvers[1]);
        rounds.cancel(roundId);
        vm.prank(solvers[0]);
        rounds.releaseBond(roundId);
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE, "out");
    }

    function test_onlyTheOwnerPauses() public {
        bytes memory refusal =
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this));
        vm.expectRevert(refusal);
        rounds.pause();
        vm.expectRevert(refusal);
        rounds.unpause();
    }

    // ---------------------------------------------------------------- deployment

    function test_badConfigurations() public {
        for (uint256 i = 0; i < 12; ++i) {
            address here = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
            address vaultToken = i == 0 ? address(sets) : address(token);
            address vaultRounds = i == 1 ? STRANGER : here;
            address registryRounds = i == 2 ? STRANGER : here;
            vault = IStakeVault(
                _create(
                    "StakeVault", abi.encode(vaultToken, vaultRounds, TREASURY, VERIFIER_STAKE, UNBOND_DELAY)
                )
            );
            registry = IProjectRegistry(
                _create("ProjectRegistry", abi.encode(i == 3 ? STRANGER : address(sets), registryRounds))
            );
            ITrainingRounds.Configuration memory c = _configuration(address(token));
            if (i == 4) c.minimumBudget = 0;
            if (i == 5) c.minimumBond = 0;
            if (i == 6) c.minimumBond = uint128(type(uint96).max) + 1;
            if (i == 7) c.minimumChallengeDuration = 0;
            if (i == 8) c.minimumChallengeDuration = 30 days + 1;
            if (i == 9) c.resolveDuration = 0;
            if (i == 10) c.resolveDuration = 30 days + 1;
            if (i == 11) c.challengeBondBps = 10_001;
            bytes memory refusal = abi.encodeWithSelector(ITrainingRounds.BadConfiguration.selector);
            _refusesToDeploy("TrainingRounds", abi.encode(c), refusal);
        }
    }

    function test_arbiterIsRequired() public {
        ITrainingRounds.Configuration memory c = _configuration(address(token));
        c.arbiter = address(0);
        bytes memory refusal = abi.encodeWithSelector(ITrainingRounds.ZeroAddress.selector);
        _refusesToDeploy("TrainingRounds", abi.encode(c), refusal);
    }
}
