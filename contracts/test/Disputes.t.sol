// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClaims} from "../src/interfaces/IClaims.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {CancelCause, ClaimKind, Phase, SlashCause, Standing, Verdict} from "../src/types/Enums.sol";
import {Leaf, Recorded, Result, RoundParams, Signature} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Challenges, the arbiter, its silence, and the slashing of verifiers.
contract DisputesTest is RoundTest {
    Leaf[] internal rows;

    function setUp() public override {
        super.setUp();
        _toVerify(4);
        Leaf[] memory made = _rows();
        for (uint256 i = 0; i < made.length; ++i) {
            rows.push(made[i]);
        }
    }

    function _recordRows() private {
        _record(rows, 98 ether, 100);
    }

    function _challenge() private {
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence", recorded);
    }

    // ---------------------------------------------------------------- challenge

    function test_challenge() public {
        _recordRows();
        vm.assertEq(lens.challengeBondOf(recorded.payout), 9.8 ether, "a tenth of the payout");
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IDisputes.Challenged(roundId, CHALLENGER, "evidence", 9.8 ether);
        _challenge();
        _assertPhase(Phase.Disputed);
        vm.assertEq(_locked(CHALLENGER), 9.8 ether, "bond");
        vm.assertEq(lens.challengeOf(roundId, CHALLENGER), 9.8 ether, "challenge");
        vm.assertEq(_round().challenges, 1, "challenges");
        vm.assertEq(_round().resolveEnd, vm.getBlockTimestamp() + RESOLVE, "resolveEnd");
    }

    function test_challengeOnlyInTimeAndOnce() public {
        vm.startPrank(CHALLENGER);
        _expectWrongPhase(Phase.Verify);
        rounds.challenge(roundId, 0, recorded);
        vm.stopPrank();
        _recordRows();
        vm.warp(_round().challengeEnd);
        vm.startPrank(CHALLENGER);
        _expectWrongPhase(Phase.Settleable);
        rounds.challenge(roundId, 0, recorded);
        vm.warp(_round().challengeEnd - 1);
        rounds.challenge(roundId, 0, recorded);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.AlreadyChallenged.selector, roundId, CHALLENGER));
        rounds.challenge(roundId, 0, recorded);
        vm.warp(_round().challengeEnd);
        _expectWrongPhase(Phase.Disputed);
        rounds.challenge(roundId, 0, recorded);
    }

    function test_challengeNeedsABond() public {
        _recordRows();
        vm.prank(STRANGER);
        vm.expectRevert();
        rounds.challenge(roundId, 0, recorded);
    }

    function test_challengeNeedsWhatWasRecorded() public {
        _recordRows();
        recorded.payout = 0;
        vm.prank(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotRecorded.selector, roundId));
        rounds.challenge(roundId, 0, recorded);
    }

    function test_challengeBondHasAFloor() public {
        _record(rows, 0, 100);
        vm.assertEq(lens.challengeBondOf(recorded.payout), MINIMUM_BOND, "floor");
        _challenge();
        vm.assertEq(_locked(CHALLENGER), MINIMUM_BOND, "bond");
    }

    /// @dev A verifier's stake backs its duty: its bond comes from its tokens.
    function test_verifierChallengesWithTokens() public {
        _recordRows();
        _fund(verifiers[2], 9.8 ether);
        vm.startPrank(verifiers[2]);
        token.approve(address(rounds), 9.8 ether);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IStakes.Staked(verifiers[2], verifiers[2], 9.8 ether);
        rounds.challenge(roundId, "evidence", recorded);
        vm.stopPrank();
        vm.assertEq(_free(verifiers[2]), VERIFIER_STAKE, "stake");
        vm.assertEq(_locked(verifiers[2]), 9.8 ether, "bond");
        vm.assertEq(token.balanceOf(verifiers[2]), 0, "tokens");
    }

    /// @dev The arbiter's time counts from the newest challenge.
    function test_laterChallengeExtendsTheArbitersTime() public {
        RoundParams memory params = _params();
        params.challengeDuration = 5 days;
        vm.prank(PROPOSER);
        projectId = params.projectId = _createProject(SHARDS, setId);
        _open(params);
        _commit(4);
        _toReveal();
        _unseal();
        _revealAll(4);
        _recordRows();
        _challenge();
        vm.warp(vm.getBlockTimestamp() + RESOLVE - 1);
        vm.prank(solvers[0]);
        rounds.challenge(roundId, "more evidence", recorded);
        vm.assertEq(_round().resolveEnd, vm.getBlockTimestamp() + RESOLVE, "resolveEnd");
        vm.warp(vm.getBlockTimestamp() + 1);
        _assertPhase(Phase.Disputed);
    }

    // ---------------------------------------------------------------- resolve

    function test_onlyTheArbiterResolves() public {
        _recordRows();
        _challenge();
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotArbiter.selector, address(this)));
        rounds.overturn(roundId, recorded, CHALLENGER);
    }

    /// @dev The arbiter rewards a challenger of this dispute, nobody else.
    function test_winnerIsAChallenger() public {
        _recordRows();
        _challenge();
        vm.startPrank(ARBITER);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotChallenger.selector, roundId, STRANGER));
        rounds.overturn(roundId, recorded, STRANGER);
        rounds.uphold(roundId);
        vm.stopPrank();
        vm.prank(solvers[0]);
        rounds.challenge(roundId, "evidence", recorded);
        vm.startPrank(ARBITER);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotChallenger.selector, roundId, CHALLENGER));
        rounds.overturn(roundId, recorded, CHALLENGER);
        recorded.signers = 4;
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotRecorded.selector, roundId));
        rounds.overturn(roundId, recorded, solvers[0]);
        vm.stopPrank();
    }

    /// @dev A challenge's bond stays as long as the dispute is open.
    function test_challengeCannotBeTakenBack() public {
        _recordRows();
        _challenge();
        vm.expectRevert(abi.encodeWithSelector(IDisputes.ChallengeOpen.selector, roundId, CHALLENGER));
        rounds.closeChallenge(roundId, CHALLENGER);
        vm.warp(_round().resolveEnd);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.ChallengeOpen.selector, roundId, CHALLENGER));
        rounds.closeChallenge(roundId, CHALLENGER);
    }

    function test_resolveOnlyWhileDisputed() public {
        _recordRows();
        vm.prank(ARBITER);
        _expectWrongPhase(Phase.Challenge);
        rounds.overturn(roundId, recorded, CHALLENGER);
        _challenge();
        vm.warp(_round().resolveEnd);
        vm.prank(ARBITER);
        _expectWrongPhase(Phase.Settleable);
        rounds.overturn(roundId, recorded, CHALLENGER);
    }

    function test_overturned() public {
        _recordRows();
        _challenge();
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondSlashed(roundId, verifiers[0], VERIFIER_STAKE, SlashCause.Overturned);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IDisputes.Resolved(roundId, true, CHALLENGER, 200 ether);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.RoundCancelled(roundId, CancelCause.Overturned, 129 ether);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);

        _assertPhase(Phase.Cancelled);
        vm.assertEq(uint256(_round().cause), uint256(CancelCause.Overturned), "cause");
        vm.assertEq(lens.getProject(projectId).model, BASE, "base kept");
        vm.assertEq(lens.getProject(projectId).activeRound, 0, "project free");
        vm.assertEq(_free(PROPOSER), 129 ether, "escrow returns");
        vm.assertEq(_free(verifiers[0]), 0, "signer");
        vm.assertEq(_free(verifiers[1]), 0, "signer");
        vm.assertEq(_free(verifiers[2]), VERIFIER_STAKE, "not a signer");
        rounds.closeChallenge(roundId, CHALLENGER);
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
        rounds.overturn(roundId, recorded, CHALLENGER);
        bytes32[] memory proof = _proof(rows, 0);
        _expectWrongPhase(Phase.Cancelled);
        rounds.claim(roundId, rows[0], proof);
        bytes32[] memory invalid = _proof(rows, 3);
        _expectWrongPhase(Phase.Cancelled);
        rounds.slashInvalid(roundId, rows[3], invalid);
        _expectWrongPhase(Phase.Cancelled);
        rounds.settle(roundId, recorded);
    }

    /// @dev A signer already stripped of its stake elsewhere must not make an overturn impossible.
    function test_overturnedWithNothingLeftToSlash() public {
        _recordRows();
        vm.prank(PARTNER);
        rounds.slashStake(verifiers[0], STRANGER);
        _challenge();
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        _assertPhase(Phase.Cancelled);
        vm.assertEq(_free(verifiers[1]), 0, "the other signer");
        vm.assertEq(lens.accountOf(verifiers[0]).debt, VERIFIER_STAKE, "what was not there is owed");
    }

    function test_rejected() public {
        _recordRows();
        _challenge();
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IDisputes.Resolved(roundId, false, address(0), 0);
        vm.prank(ARBITER);
        rounds.uphold(roundId);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IDisputes.ChallengeClosed(roundId, CHALLENGER, 9.8 ether, false);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondSlashed(roundId, CHALLENGER, 9.8 ether, SlashCause.ChallengeRejected);
        rounds.closeChallenge(roundId, CHALLENGER);
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
        rounds.uphold(roundId);
        _assertPhase(Phase.Challenge);
        rounds.closeChallenge(roundId, CHALLENGER);
        _challenge();
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        _assertPhase(Phase.Cancelled);
    }

    function test_rejectedAfterTheWindowSettles() public {
        _recordRows();
        vm.warp(_round().challengeEnd - 1);
        _challenge();
        vm.warp(_round().challengeEnd + 1);
        _assertPhase(Phase.Disputed);
        vm.prank(ARBITER);
        rounds.uphold(roundId);
        _assertPhase(Phase.Settleable);
        rounds.settle(roundId, recorded);
        rounds.closeChallenge(roundId, CHALLENGER);
        vm.assertEq(_locked(CHALLENGER), 0, "lost");
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotChallenger.selector, roundId, CHALLENGER));
        rounds.closeChallenge(roundId, CHALLENGER);
    }

    function test_silentArbiter() public {
        _recordRows();
        _challenge();
        vm.warp(_round().resolveEnd - 1);
        _expectWrongPhase(Phase.Disputed);
        rounds.settle(roundId, recorded);
        vm.warp(_round().resolveEnd);
        rounds.settle(roundId, recorded);
        _assertPhase(Phase.Settled);
        rounds.closeChallenge(roundId, CHALLENGER);
        vm.assertEq(_free(CHALLENGER), 100 ether, "challenger refunded");
        vm.assertEq(lens.getProject(projectId).model, MODEL, "result stands");
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE, "verifiers untouched");
    }

    /// @dev The hold outlasts the last moment at which a signer can be slashed for the result.
    function test_verifiersCannotLeaveBeforeAnOverturn() public {
        vm.warp(_round().verifyEnd - 1);
        _recordRows();
        vm.startPrank(verifiers[0]);
        rounds.leave(setId);
        rounds.requestUnbond(VERIFIER_STAKE);
        vm.stopPrank();
        vm.warp(_round().challengeEnd - 1);
        _challenge();
        vm.warp(_round().resolveEnd - 1);
        vm.assertTrue(lens.accountOf(verifiers[0]).held, "held");
        vm.prank(verifiers[0]);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, verifiers[0]));
        rounds.withdrawUnbonded(verifiers[0]);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        vm.assertEq(lens.accountOf(verifiers[0]).unbonding, 0, "slashed while unbonding");
    }

    // ---------------------------------------------------------------- equivocation

    function _twoResults() private view returns (Result memory first, Result memory second) {
        first = _result(rows, 98 ether, 100);
        second = _result(rows, 97 ether, 100);
    }

    function test_slashEquivocation() public {
        (Result memory first, Result memory second) = _twoResults();
        Signature memory a = _sign(keys[2], first);
        Signature memory b = _sign(keys[2], second);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondSlashed(roundId, verifiers[2], VERIFIER_STAKE, SlashCause.Equivocation);
        vm.prank(STRANGER);
        rounds.slashEquivocation(first, a, second, b);
        vm.assertEq(_free(verifiers[2]), 0, "stake");
        vm.assertEq(_free(STRANGER), 100 ether, "reporter");
        vm.expectRevert(abi.encodeWithSelector(IDisputes.AlreadySlashed.selector, roundId, verifiers[2]));
        rounds.slashEquivocation(first, a, second, b);
    }

    function test_twoImprovementsAreTwoResults() public {
        (Result memory first,) = _twoResults();
        Result memory second = _result(rows, 98 ether, 101);
        rounds.slashEquivocation(first, _sign(keys[0], first), second, _sign(keys[0], second));
        vm.assertEq(_free(verifiers[0]), 0, "stake");
    }

    function test_noEquivocation() public {
        (Result memory first, Result memory second) = _twoResults();
        Signature memory a = _sign(keys[0], first);
        Signature memory b = _sign(keys[1], second);
        bytes memory refusal = abi.encodeWithSelector(IDisputes.NoEquivocation.selector);
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
        (Result memory first, Result memory second) = _twoResults();
        uint256 key = _key("solver 0");
        Signature memory a = _sign(key, first);
        Signature memory b = _sign(key, second);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotVerifier.selector, roundId, solvers[0]));
        rounds.slashEquivocation(first, a, second, b);
    }

    function test_equivocationWithoutStakeIsADebt() public {
        (Result memory first, Result memory second) = _twoResults();
        Signature memory a = _sign(keys[0], first);
        Signature memory b = _sign(keys[0], second);
        vm.prank(PARTNER);
        rounds.slashStake(verifiers[0], STRANGER);
        rounds.slashEquivocation(first, a, second, b);
        vm.assertEq(lens.accountOf(verifiers[0]).debt, VERIFIER_STAKE, "debt");
        _stake(verifiers[0], 300 ether);
        vm.prank(CHALLENGER);
        rounds.collectDebt(verifiers[0]);
        vm.assertEq(_free(verifiers[0]), 0, "later stake");
        vm.assertEq(_free(CHALLENGER), 130 ether, "a tenth");
        vm.assertEq(lens.accountOf(verifiers[0]).debt, VERIFIER_STAKE - 300 ether, "the rest");
    }

    /// @dev Equivocation and overturn together cost one minimum stake per round, not two.
    function test_noDoubleSlashInOneRound() public {
        _recordRows();
        (Result memory first, Result memory second) = _twoResults();
        rounds.slashEquivocation(first, _sign(keys[0], first), second, _sign(keys[0], second));
        _stake(verifiers[0], VERIFIER_STAKE);
        _challenge();
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE, "slashed once");
        vm.assertEq(_free(verifiers[1]), 0, "the other signer");
        Signature memory a = _sign(keys[1], first);
        Signature memory b = _sign(keys[1], second);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.AlreadySlashed.selector, roundId, verifiers[1]));
        rounds.slashEquivocation(first, a, second, b);
    }

    function test_equivocationAfterThePaidFee() public {
        _recordRows();
        _settle();
        rounds.claim(roundId, rows[4], _proof(rows, 4));
        _assertStanding(verifiers[0], Standing.VerifierPaid);
        (Result memory first, Result memory second) = _twoResults();
        rounds.slashEquivocation(first, _sign(keys[0], first), second, _sign(keys[0], second));
        vm.assertEq(_free(verifiers[0]), 4 ether, "the minimum was taken");
    }
}
