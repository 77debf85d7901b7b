// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IProjects} from "../src/interfaces/IProjects.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {Phase, Standing} from "../src/types/Enums.sol";
import {Configuration, Leaf, RoundParams} from "../src/types/Round.sol";
import {RoundView} from "../src/types/Views.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev What it takes to open a round, and what a deployment refuses.
contract OpeningTest is RoundTest {
    /// @dev Of `RoundStorage.State.projects`.
    uint256 private constant PROJECTS_SLOT = 0x10000 + 7;

    RoundParams internal params;

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
        emit IRounds.RoundOpened(
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
        RoundView memory round = _round();
        vm.assertEq(round.proposer, PROPOSER, "proposer");
        vm.assertEq(round.projectId, projectId, "project");
        vm.assertEq(round.digest, SPEC, "spec");
        vm.assertEq(round.seed, keccak256(abi.encode(uint256(77), uint256(1))), "seed");
        vm.assertEq(round.number, 1, "number");
        vm.assertEq(round.budget, 100 ether, "budget");
        vm.assertEq(round.fee, 9 ether, "fee");
        vm.assertEq(round.bond, 5 ether, "bond");
        vm.assertEq(round.unsealBond, 20 ether, "unsealBond");
        vm.assertEq(round.commitEnd, commitEnd, "commitEnd");
        vm.assertEq(round.revealStart, commitEnd + 60, "revealStart");
        vm.assertEq(round.revealEnd, commitEnd + 60 + 1 hours, "revealEnd");
        vm.assertEq(round.verifyEnd, commitEnd + 60 + 3 hours, "verifyEnd");
        vm.assertEq(round.verifierSet, setId, "set");
        vm.assertEq(round.threshold, 2, "threshold");
        vm.assertEq(lens.getProject(projectId).activeRound, 1, "active");
        vm.assertEq(
            token.balanceOf(address(rounds)),
            129 ether + 2 * KEEPER_REWARD + 3 * VERIFIER_STAKE + 4 * SOLVER_STAKE + 100 ether,
            "escrow"
        );
        for (uint256 i = 0; i < verifiers.length; ++i) {
            _assertStanding(verifiers[i], Standing.Verifier);
            vm.assertTrue(lens.accountOf(verifiers[i]).held, "held");
        }
    }

    function test_unknownRound() public view {
        vm.assertEq(uint256(lens.phase(9)), uint256(Phase.None), "phase");
        vm.assertEq(lens.getRound(9).proposer, address(0), "round");
    }

    // ---------------------------------------------------------------- who and when

    function test_onlyTheProjectOwner() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotProjectOwner.selector, projectId, STRANGER));
        rounds.openRound(params);
        params.projectId = 9;
        _refused(abi.encodeWithSelector(IRounds.NotProjectOwner.selector, 9, PROPOSER));
    }

    function test_oneRoundAtATime() public {
        _open();
        _refused(abi.encodeWithSelector(IRounds.ProjectBusy.selector, projectId, 1));
    }

    function test_everyVerifierMustConsent() public {
        vm.prank(verifiers[1]);
        rounds.leave(setId);
        _refused(abi.encodeWithSelector(IVerifierSets.VerifierSetInactive.selector, setId));
    }

    function test_everyVerifierMustBeStaked() public {
        vm.prank(verifiers[2]);
        rounds.leave(setId);
        vm.prank(verifiers[2]);
        rounds.requestUnbond(1);
        vm.prank(verifiers[2]);
        rounds.join(setId);
        _refused(
            abi.encodeWithSelector(
                IStakes.InsufficientStake.selector, verifiers[2], VERIFIER_STAKE - 1, VERIFIER_STAKE
            )
        );
    }

    function test_escrowMustBeApproved() public {
        vm.startPrank(PROPOSER);
        token.approve(address(rounds), 129 ether + 2 * KEEPER_REWARD - 1);
        vm.expectRevert();
        rounds.openRound(params);
        token.approve(address(rounds), 129 ether + 2 * KEEPER_REWARD);
        rounds.openRound(params);
    }

    function test_allOf256ShardsRunOut() public {
        vm.prank(PROPOSER);
        projectId = _createProject(256, setId);
        uint256 slot = uint256(keccak256(abi.encode(projectId, PROJECTS_SLOT))) + 2;
        vm.store(address(rounds), bytes32(slot), bytes32(type(uint256).max >> 1));
        vm.assertEq(lens.getProject(projectId).usedShards, type(uint256).max >> 1, "the slot");
        _open();
        _commit(1);
        _toReveal();
        _unseal();
        vm.assertEq(_round().evaluationIndex, 255, "the last one left");
        vm.warp(_round().revealEnd);
        rounds.cancel(roundId);
        params.projectId = projectId;
        _refused(abi.encodeWithSelector(IRounds.NoShardsLeft.selector, projectId));
    }

    // ---------------------------------------------------------------- bounds

    function test_specIsRequired() public {
        params.spec = 0;
        _refused(abi.encodeWithSelector(IProjects.ZeroDigest.selector));
    }

    function test_minimums() public {
        params.budget = MINIMUM_BUDGET - 1;
        _refused(abi.encodeWithSelector(IRounds.BudgetTooSmall.selector, MINIMUM_BUDGET - 1, MINIMUM_BUDGET));
        params = _params();
        params.bond = MINIMUM_BOND - 1;
        _refused(abi.encodeWithSelector(IRounds.BondTooSmall.selector, MINIMUM_BOND - 1, MINIMUM_BOND));
        params = _params();
        params.unsealBond = MINIMUM_BOND - 1;
        _refused(abi.encodeWithSelector(IRounds.BondTooSmall.selector, MINIMUM_BOND - 1, MINIMUM_BOND));
        params = _params();
        (params.budget, params.bond, params.unsealBond, params.fee) =
        (MINIMUM_BUDGET, MINIMUM_BOND, MINIMUM_BOND, 0);
        _open(params);
    }

    function test_amountsFit96Bits() public {
        uint128 most = type(uint96).max;
        params.bond = (uint128(type(uint64).max) + 1) * 1e9;
        _refused(abi.encodeWithSelector(IStakes.AmountTooLarge.selector, params.bond));
        params = _params();
        params.unsealBond = (uint128(type(uint64).max) + 1) * 1e9;
        _refused(abi.encodeWithSelector(IStakes.AmountTooLarge.selector, params.unsealBond));
        params = _params();
        params.bond += 1;
        _refused(abi.encodeWithSelector(IRounds.BondTooFine.selector, params.bond));
        params = _params();
        (params.budget, params.fee) = (most, 1);
        _refused(abi.encodeWithSelector(IStakes.AmountTooLarge.selector, most + 1));
        (params.budget, params.fee) = (type(uint128).max, type(uint128).max);
        _refused(abi.encodeWithSelector(IStakes.AmountTooLarge.selector, uint256(type(uint128).max) * 2));
    }

    function testFuzz_durations(uint32 duration, uint8 which) public {
        which = which % 5;
        duration = uint32(_bound(duration, 0, 40 days));
        if (which == 0) params.commitDuration = duration;
        if (which == 1) params.gap = duration;
        if (which == 2) params.revealDuration = duration;
        if (which == 3) params.verifyDuration = duration;
        if (which == 4) params.challengeDuration = duration;
        uint256 minimum = which == 4 ? MINIMUM_CHALLENGE : MINIMUM_PHASE;
        if (duration < minimum || duration > 30 days) {
            _refused(abi.encodeWithSelector(IRounds.BadDuration.selector, duration, minimum));
        } else {
            _open(params);
        }
    }

    function test_durationsAtTheirEdges() public {
        params.commitDuration = MINIMUM_PHASE - 1;
        _refused(abi.encodeWithSelector(IRounds.BadDuration.selector, MINIMUM_PHASE - 1, MINIMUM_PHASE));
        params = _params();
        params.gap = MINIMUM_PHASE - 1;
        _refused(abi.encodeWithSelector(IRounds.BadDuration.selector, MINIMUM_PHASE - 1, MINIMUM_PHASE));
        params = _params();
        params.revealDuration = 30 days + 1;
        _refused(abi.encodeWithSelector(IRounds.BadDuration.selector, 30 days + 1, MINIMUM_PHASE));
        params = _params();
        params.verifyDuration = MINIMUM_PHASE - 1;
        _refused(abi.encodeWithSelector(IRounds.BadDuration.selector, MINIMUM_PHASE - 1, MINIMUM_PHASE));
        params = _params();
        params.challengeDuration = MINIMUM_CHALLENGE - 1;
        _refused(
            abi.encodeWithSelector(IRounds.BadDuration.selector, MINIMUM_CHALLENGE - 1, MINIMUM_CHALLENGE)
        );
        params = _params();
        (params.commitDuration, params.gap) = (MINIMUM_PHASE, MINIMUM_PHASE);
        (params.revealDuration, params.verifyDuration) = (MINIMUM_PHASE, MINIMUM_PHASE);
        params.challengeDuration = MINIMUM_CHALLENGE;
        _open(params);
    }

    function test_placesFitTheirField() public {
        params.maxSolvers = 65_536;
        _refused(abi.encodeWithSelector(IRounds.TooManySolvers.selector, 65_536));
        params.maxSolvers = 65_535;
        _open(params);
        vm.assertEq(_round().maxSolvers, 65_535, "most");
    }

    /// @dev A number beyond its field would be another round's.
    function test_roundsOfAProjectRunOut() public {
        uint256 slot = uint256(keccak256(abi.encode(projectId, PROJECTS_SLOT)));
        bytes32[] memory slots = new bytes32[](1);
        slots[0] = bytes32(slot);
        bytes32 word = rounds.extsload(slots)[0];
        vm.store(address(rounds), slots[0], word | bytes32(uint256(type(uint16).max) << 224));
        vm.assertEq(lens.getProject(projectId).rounds, type(uint16).max, "the field");
        _refused(abi.encodeWithSelector(IRounds.TooManyRounds.selector, projectId));
    }

    // ---------------------------------------------------------------- pause

    function test_pauseStopsEntriesOnly() public {
        _toVerify(3);
        vm.prank(OWNER);
        rounds.pause();
        bytes memory refusal = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        _refused(refusal);
        vm.expectRevert(refusal);
        rounds.deposit(1 ether, STRANGER);

        Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence", recorded);
        vm.prank(ARBITER);
        rounds.uphold(roundId);
        rounds.closeChallenge(roundId, CHALLENGER);
        _settle();
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        vm.prank(solvers[0]);
        rounds.withdraw(60 ether, solvers[0]);
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
        bytes memory refusal = abi.encodeWithSelector(ITrainingRounds.BadConfiguration.selector);
        for (uint256 i = 0; i < 17; ++i) {
            Configuration memory c = _configuration(address(token));
            if (i == 0) c.minimumBudget = 0;
            if (i == 1) c.minimumBond = 0;
            if (i == 2) c.minimumVerifierStake = 0;
            if (i == 3) c.unbondDelay = 0;
            if (i == 4) c.unbondDelay = 365 days + 1;
            if (i == 5) c.minimumPhaseDuration = 0;
            if (i == 6) c.minimumPhaseDuration = 30 days + 1;
            if (i == 7) c.minimumChallengeDuration = 0;
            if (i == 8) c.minimumChallengeDuration = 30 days + 1;
            if (i == 9) c.resolveDuration = 0;
            if (i == 10) c.resolveDuration = 30 days + 1;
            if (i == 11) c.beaconDelay = 1;
            if (i == 12) c.beaconDelay = 4097;
            if (i == 13) c.challengeBondBps = 10_001;
            if (i == 14) c.excludedBps = 10_001;
            if (i == 15) c.keeperReward = 0;
            if (i == 16) c.minimumBond = type(uint96).max;
            bytes memory arguments = abi.encode(c);
            if (i < 15) _refusesToDeploy("TrainingRounds", arguments, refusal);
            else _create("TrainingRounds", arguments);
        }
    }

    function test_unknownFunctionIsRefused() public {
        (bool done, bytes memory answer) = address(rounds).call(hex"12345678");
        vm.assertTrue(!done, "refused");
        bytes memory refusal =
            abi.encodeWithSelector(ITrainingRounds.UnknownFunction.selector, bytes4(0x12345678));
        vm.assertEq(keccak256(answer), keccak256(refusal), "by name");
    }

    function test_officesAreRequired() public {
        bytes memory refusal = abi.encodeWithSelector(IStakes.ZeroAddress.selector);
        for (uint256 i = 0; i < 3; ++i) {
            Configuration memory c = _configuration(address(token));
            if (i == 0) c.arbiter = address(0);
            if (i == 1) c.treasury = address(0);
            if (i == 2) c.token = IERC20(address(0));
            _refusesToDeploy("TrainingRounds", abi.encode(c), refusal);
        }
    }
}
