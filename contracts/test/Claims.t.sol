// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Settling, cancelling for every cause, claims, releases, sweeps: everybody gets out, nobody twice.
contract ClaimsTest is RoundTest {
    function _list(ITrainingRounds.Leaf memory a, ITrainingRounds.Leaf memory b)
        private
        pure
        returns (ITrainingRounds.Leaf[] memory rows)
    {
        rows = new ITrainingRounds.Leaf[](2);
        (rows[0], rows[1]) = (a, b);
    }

    function _settledWith(ITrainingRounds.Leaf[] memory rows, uint128 payout) private {
        _toVerify(4);
        _record(rows, payout, 100);
        _settle();
    }

    // ---------------------------------------------------------------- settle

    function test_settle() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        _expectWrongPhase(ITrainingRounds.Phase.Challenge);
        rounds.settle(roundId);
        vm.warp(_round().challengeEnd);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.RoundSettled(roundId, MODEL, 31 ether);
        rounds.settle(roundId);
        vm.assertEq(_round().claimEnd, vm.getBlockTimestamp() + 90 days, "claimEnd");
        _expectWrongPhase(ITrainingRounds.Phase.Settled);
        rounds.settle(roundId);
        _expectWrongPhase(ITrainingRounds.Phase.Settled);
        rounds.cancel(roundId);
    }

    function test_nextRoundStartsFromTheNewModel() public {
        _settled();
        _open();
        vm.assertEq(_round().base, MODEL, "base");
    }

    // ---------------------------------------------------------------- cancel

    function test_cancelOnlyWhenStuck() public {
        _open();
        _expectWrongPhase(ITrainingRounds.Phase.Commit);
        rounds.cancel(roundId);
        _commit(1);
        vm.warp(_round().commitEnd);
        _expectWrongPhase(ITrainingRounds.Phase.Gap);
        rounds.cancel(roundId);
        _toReveal();
        _expectWrongPhase(ITrainingRounds.Phase.Reveal);
        rounds.cancel(roundId);
        _unseal();
        _reveal(solvers[0]);
        _expectWrongPhase(ITrainingRounds.Phase.Verify);
        rounds.cancel(roundId);
    }

    function _cancelled(uint8 cause, uint256 returned) private {
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.RoundCancelled(roundId, cause);
        vm.prank(STRANGER);
        rounds.cancel(roundId);
        vm.assertEq(_round().cause, cause, "cause");
        vm.assertEq(rounds.creditOf(PROPOSER), returned, "returned");
        vm.assertEq(registry.getProject(projectId).activeRound, 0, "project free");
        vm.assertEq(registry.getProject(projectId).model, BASE, "head");
        _assertPhase(ITrainingRounds.Phase.Cancelled);
        _expectWrongPhase(ITrainingRounds.Phase.Cancelled);
        rounds.cancel(roundId);
    }

    function test_cancelWithoutCommits() public {
        _open();
        vm.warp(_round().commitEnd);
        _cancelled(1, 129 ether);
    }

    function test_cancelNotUnsealed() public {
        _open();
        _commit(4);
        _toReveal();
        _revealAll(3);
        vm.warp(_round().revealEnd);
        uint256 dust = uint256(20 ether) % 3;
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BondSlashed(roundId, PROPOSER, 20 ether - dust, 6);
        _cancelled(2, 109 ether + dust);

        uint256 share = uint256(20 ether) / 3;
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(true, true, true, true, address(rounds));
            emit ITrainingRounds.Claimed(roundId, solvers[i], share);
            vm.expectEmit(true, true, true, true, address(rounds));
            emit ITrainingRounds.BondReleased(roundId, solvers[i], 5 ether);
            vm.startPrank(solvers[i]);
            rounds.releaseBond(roundId);
            vm.assertEq(rounds.creditOf(solvers[i]), share, "share");
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE, "bond");
            _expect(ITrainingRounds.NotRevealed.selector);
            rounds.releaseBond(roundId);
            rounds.withdrawCredit();
            vm.stopPrank();
        }
        vm.prank(PROPOSER);
        rounds.withdrawCredit();
        vm.assertEq(token.balanceOf(address(rounds)), 0, "nothing is left behind");

        vm.startPrank(solvers[3]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotRevealed.selector, roundId, solvers[3]));
        rounds.releaseBond(roundId);
    }

    function test_cancelWithoutReveals() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        vm.warp(_round().revealEnd);
        _cancelled(3, 129 ether);
    }

    function test_cancelWithoutRevealsOrUnseal() public {
        _open();
        _commit(2);
        vm.warp(_round().revealEnd);
        _cancelled(3, 129 ether);
    }

    function test_cancelExpired() public {
        _toVerify(2);
        vm.warp(_round().verifyEnd);
        _cancelled(4, 129 ether);
        vm.prank(solvers[0]);
        rounds.releaseBond(roundId);
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE, "bond");
        vm.assertEq(rounds.creditOf(solvers[0]), 0, "no share");
    }

    // ---------------------------------------------------------------- claim

    function test_claim() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.Claimed(roundId, solvers[0], 60 ether);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BondReleased(roundId, solvers[0], 5 ether);
        vm.prank(STRANGER);
        rounds.claim(roundId, rows[0], proof);
        vm.assertEq(rounds.creditOf(solvers[0]), 60 ether, "credit");
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE, "bond");
        vm.assertEq(_round().claimed, 60 ether, "claimed");
        _assertStanding(solvers[0], ITrainingRounds.Standing.Released);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotRevealed.selector, roundId, solvers[0]));
        rounds.claim(roundId, rows[0], proof);
    }

    function test_claimOnlyFromSettledRounds() public {
        _toVerify(4);
        ITrainingRounds.Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        bytes32[] memory proof = _proof(rows, 0);
        _expectWrongPhase(ITrainingRounds.Phase.Challenge);
        rounds.claim(roundId, rows[0], proof);
        vm.warp(_round().challengeEnd);
        _expectWrongPhase(ITrainingRounds.Phase.Settleable);
        rounds.claim(roundId, rows[0], proof);
    }

    function test_claimNeedsTheSignedRow() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        bytes memory refusal = abi.encodeWithSelector(ITrainingRounds.BadProof.selector, roundId, solvers[0]);
        rows[0].amount += 1;
        vm.expectRevert(refusal);
        rounds.claim(roundId, rows[0], proof);
        rows[0].amount -= 1;
        rows[0].digest = keccak256("other");
        vm.expectRevert(refusal);
        rounds.claim(roundId, rows[0], proof);
        rows[0].digest = _digest(solvers[0]);
        rows[0].gain += 1;
        vm.expectRevert(refusal);
        rounds.claim(roundId, rows[0], proof);
        rows[0].gain -= 1;
        rows[0].verdict = ITrainingRounds.Verdict.Excluded;
        vm.expectRevert(refusal);
        rounds.claim(roundId, rows[0], proof);
    }

    /// @dev A row of one round is no row of another.
    function test_rowOfAnotherRound() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        bytes32 root = _round().root;
        _toVerify(3);
        ITrainingRounds.Result memory result = _result(rows, 98 ether, 100);
        result.model = keccak256("model 2");
        result.root = root;
        rounds.recordTraining(roundId, root, result.model, SHEET, 98 ether, _attest(result, 2));
        _settle();
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.BadProof.selector, roundId, solvers[0]));
        rounds.claim(roundId, rows[0], proof);
    }

    function test_excludedGetsTheBondOnly() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        rounds.claim(roundId, rows[2], _proof(rows, 2));
        vm.assertEq(rounds.creditOf(solvers[2]), 0, "credit");
        vm.assertEq(_free(solvers[2]), SOLVER_STAKE, "bond");
    }

    function test_excludedWithAnAmount() public {
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(solvers[0], ITrainingRounds.Verdict.Excluded, 1),
            _row(solvers[1], ITrainingRounds.Verdict.None, 1)
        );
        _settledWith(rows, 10 ether);
        bytes32[] memory proof = _proof(rows, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.ExcludedEarnsNothing.selector, 1));
        rounds.claim(roundId, rows[0], proof);
        proof = _proof(rows, 1);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.VerdictCannotClaim.selector, ITrainingRounds.Verdict.None)
        );
        rounds.claim(roundId, rows[1], proof);
    }

    function test_invalidCannotClaim() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 3);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingRounds.VerdictCannotClaim.selector, ITrainingRounds.Verdict.Invalid
            )
        );
        rounds.claim(roundId, rows[3], proof);
        vm.prank(solvers[3]);
        _expect(ITrainingRounds.ClaimsOpen.selector);
        rounds.releaseBond(roundId);
    }

    // ---------------------------------------------------------------- fees

    function test_feeOnce() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 4);
        rounds.claim(roundId, rows[4], proof);
        vm.assertEq(rounds.creditOf(verifiers[0]), 4 ether, "fee");
        vm.assertEq(_round().feesClaimed, 4 ether, "feesClaimed");
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.NothingToClaim.selector, roundId, verifiers[0])
        );
        rounds.claim(roundId, rows[4], proof);
    }

    function test_feeIsForVerifiersOnly() public {
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(solvers[0], ITrainingRounds.Verdict.Fee, 4 ether),
            _row(STRANGER, ITrainingRounds.Verdict.Fee, 4 ether)
        );
        _settledWith(rows, 10 ether);
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] memory proof = _proof(rows, i);
            vm.expectRevert(
                abi.encodeWithSelector(ITrainingRounds.NothingToClaim.selector, roundId, rows[i].account)
            );
            rounds.claim(roundId, rows[i], proof);
        }
    }

    function test_verifierIsNoSolver() public {
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(verifiers[0], ITrainingRounds.Verdict.Accepted, 50 ether),
            _row(STRANGER, ITrainingRounds.Verdict.Accepted, 50 ether)
        );
        _settledWith(rows, 100 ether);
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] memory proof = _proof(rows, i);
            vm.expectRevert(
                abi.encodeWithSelector(ITrainingRounds.NotRevealed.selector, roundId, rows[i].account)
            );
            rounds.claim(roundId, rows[i], proof);
        }
    }

    /// @dev Verifiers cannot write themselves the solvers' budget.
    function test_feesStayWithinTheFee() public {
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(verifiers[0], ITrainingRounds.Verdict.Fee, 6 ether),
            _row(verifiers[1], ITrainingRounds.Verdict.Fee, 90 ether)
        );
        _settledWith(rows, 109 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        rounds.claim(roundId, rows[1], _proof(rows, 1));
        vm.assertEq(rounds.creditOf(verifiers[0]), 6 ether, "first");
        vm.assertEq(rounds.creditOf(verifiers[1]), 3 ether, "what is left of the fee");
    }

    /// @dev One account, several rows: only one of them counts.
    function test_twoRowsOfOneAccount() public {
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(solvers[0], ITrainingRounds.Verdict.Accepted, 40 ether),
            _row(solvers[0], ITrainingRounds.Verdict.Accepted, 50 ether)
        );
        _settledWith(rows, 90 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        bytes32[] memory proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotRevealed.selector, roundId, solvers[0]));
        rounds.claim(roundId, rows[1], proof);
    }

    // ---------------------------------------------------------------- malformed results

    /// @dev Rows that promise more than the payout: it is all that is paid, and every bond still gets out.
    function test_rowsBeyondThePayout() public {
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(solvers[0], ITrainingRounds.Verdict.Accepted, 80 ether),
            _row(solvers[1], ITrainingRounds.Verdict.Accepted, 80 ether)
        );
        _settledWith(rows, 100 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        rounds.claim(roundId, rows[1], _proof(rows, 1));
        vm.assertEq(rounds.creditOf(solvers[1]), 20 ether, "what is left");
        vm.assertEq(_free(solvers[1]), SOLVER_STAKE, "bond");
        vm.assertEq(_round().claimed, 100 ether, "claimed");
    }

    function test_hugeRow() public {
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(solvers[0], ITrainingRounds.Verdict.Accepted, type(uint128).max),
            _row(verifiers[0], ITrainingRounds.Verdict.Fee, type(uint128).max)
        );
        _settledWith(rows, 100 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        rounds.claim(roundId, rows[1], _proof(rows, 1));
        vm.assertEq(rounds.creditOf(solvers[0]), 100 ether, "all there is");
        vm.assertEq(rounds.creditOf(verifiers[0]), 0, "nothing left");
    }

    function test_unrevealedSolverCannotClaim() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        _reveal(solvers[0]);
        vm.warp(_round().revealEnd);
        ITrainingRounds.Leaf[] memory rows = _list(
            _row(solvers[0], ITrainingRounds.Verdict.Accepted, 1 ether),
            _row(solvers[1], ITrainingRounds.Verdict.Accepted, 1 ether)
        );
        _record(rows, 2 ether, 100);
        _settle();
        bytes32[] memory proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotRevealed.selector, roundId, solvers[1]));
        rounds.claim(roundId, rows[1], proof);
    }

    // ---------------------------------------------------------------- after the claims

    function test_sweep() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        uint64 claimEnd = _round().claimEnd;
        vm.warp(claimEnd - 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.ClaimsOpen.selector, roundId, claimEnd));
        rounds.sweep(roundId);
        vm.warp(claimEnd);
        bytes32[] memory proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.ClaimsEnded.selector, roundId, claimEnd));
        rounds.claim(roundId, rows[1], proof);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.Swept(roundId, PROPOSER, 38 ether);
        rounds.sweep(roundId);
        vm.assertEq(rounds.creditOf(PROPOSER), 31 ether + 38 ether, "swept");
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NothingToClaim.selector, roundId, PROPOSER));
        rounds.sweep(roundId);
    }

    function test_sweepOnlySettledRounds() public {
        _toVerify(2);
        _expectWrongPhase(ITrainingRounds.Phase.Verify);
        rounds.sweep(roundId);
    }

    function test_releaseAfterTheClaims() public {
        _settled();
        vm.warp(_round().claimEnd);
        vm.prank(solvers[1]);
        rounds.releaseBond(roundId);
        vm.assertEq(_free(solvers[1]), SOLVER_STAKE, "bond");
        vm.assertEq(rounds.creditOf(solvers[1]), 0, "too late for the reward");
    }

    function test_releaseNotBefore() public {
        _toVerify(2);
        vm.prank(solvers[0]);
        _expectWrongPhase(ITrainingRounds.Phase.Verify);
        rounds.releaseBond(roundId);
    }

    function test_withdrawCredit() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NoCredit.selector, address(this)));
        rounds.withdrawCredit();
        _settled();
        uint256 before = token.balanceOf(PROPOSER);
        vm.startPrank(PROPOSER);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.CreditWithdrawn(PROPOSER, 31 ether);
        rounds.withdrawCredit();
        vm.assertEq(token.balanceOf(PROPOSER), before + 31 ether, "paid");
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NoCredit.selector, PROPOSER));
        rounds.withdrawCredit();
    }

    // ---------------------------------------------------------------- slashing solvers

    function test_slashNonReveal() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        _reveal(solvers[0]);
        _expectWrongPhase(ITrainingRounds.Phase.Reveal);
        rounds.slashNonReveal(roundId, solvers[1]);
        vm.warp(_round().revealEnd);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BondSlashed(roundId, solvers[1], 5 ether, 1);
        vm.prank(STRANGER);
        rounds.slashNonReveal(roundId, solvers[1]);
        vm.assertEq(_free(STRANGER), 0.5 ether, "reporter");
        vm.assertEq(_locked(solvers[1]), 0, "bond");
        _assertStanding(solvers[1], ITrainingRounds.Standing.Slashed);
        address[4] memory others = [solvers[0], solvers[1], verifiers[0], STRANGER];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(ITrainingRounds.NotUnrevealed.selector, roundId, others[i])
            );
            rounds.slashNonReveal(roundId, others[i]);
        }
    }

    function test_slashNonRevealInACancelledRound() public {
        _open();
        _commit(2);
        vm.warp(_round().revealEnd);
        rounds.cancel(roundId);
        rounds.slashNonReveal(roundId, solvers[0]);
        vm.assertEq(_locked(solvers[0]), 0, "bond");
    }

    function test_slashInvalid() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 3);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BondSlashed(roundId, solvers[3], 5 ether, 2);
        vm.prank(STRANGER);
        rounds.slashInvalid(roundId, rows[3], proof);
        _assertStanding(solvers[3], ITrainingRounds.Standing.Slashed);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotRevealed.selector, roundId, solvers[3]));
        rounds.slashInvalid(roundId, rows[3], proof);
        vm.warp(_round().claimEnd);
        vm.prank(solvers[3]);
        _expect(ITrainingRounds.NotRevealed.selector);
        rounds.releaseBond(roundId);
    }

    function test_slashInvalidNeedsASignedVerdict() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingRounds.VerdictNotInvalid.selector, ITrainingRounds.Verdict.Accepted
            )
        );
        rounds.slashInvalid(roundId, rows[0], proof);
        rows[0].verdict = ITrainingRounds.Verdict.Invalid;
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.BadProof.selector, roundId, solvers[0]));
        rounds.slashInvalid(roundId, rows[0], proof);
    }

    function test_slashInvalidOnlyAfterTheChallengeWindow() public {
        _toVerify(4);
        ITrainingRounds.Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        bytes32[] memory proof = _proof(rows, 3);
        _expectWrongPhase(ITrainingRounds.Phase.Challenge);
        rounds.slashInvalid(roundId, rows[3], proof);
    }

    /// @dev A dishonest quorum that calls everybody invalid costs each revealer one bond of this round, no other stake.
    function test_hostileVerdictsTakeOneBondEach() public {
        ITrainingRounds.Leaf[] memory rows = new ITrainingRounds.Leaf[](5);
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _row(solvers[i], ITrainingRounds.Verdict.Invalid, 0);
        }
        rows[4] = _row(verifiers[2], ITrainingRounds.Verdict.Invalid, 0);
        _settledWith(rows, 0);
        for (uint256 i = 0; i < 4; ++i) {
            rounds.slashInvalid(roundId, rows[i], _proof(rows, i));
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE - 5 ether, "the rest of the stake");
        }
        bytes32[] memory proof = _proof(rows, 4);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotRevealed.selector, roundId, verifiers[2]));
        rounds.slashInvalid(roundId, rows[4], proof);
    }

    // ---------------------------------------------------------------- fuzz

    /// @dev Whatever amounts a quorum signs, a round pays at most its payout and every bond gets out.
    function testFuzz_payoutsStayWithinTheEscrow(uint128[4] memory amounts, uint128 payout) public {
        payout = uint128(_bound(payout, 0, 109 ether));
        ITrainingRounds.Leaf[] memory rows = new ITrainingRounds.Leaf[](6);
        uint256 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _row(solvers[i], ITrainingRounds.Verdict.Accepted, amounts[i]);
        }
        rows[4] = _row(verifiers[0], ITrainingRounds.Verdict.Fee, amounts[0]);
        rows[5] = _row(verifiers[1], ITrainingRounds.Verdict.Fee, amounts[1]);
        _settledWith(rows, payout);
        for (uint256 i = 0; i < 6; ++i) {
            rounds.claim(roundId, rows[i], _proof(rows, i));
            total += rounds.creditOf(rows[i].account);
            if (i < 4) vm.assertEq(_free(solvers[i]), SOLVER_STAKE, "bond");
        }
        vm.assertLe(total, payout, "payouts");
        vm.assertLe(_round().feesClaimed, 9 ether, "fees");
        vm.assertEq(_round().claimed, total, "claimed");
        vm.assertEq(
            token.balanceOf(address(rounds)),
            rounds.creditOf(PROPOSER) + total + payout - total,
            "credits and the unclaimed rest"
        );
    }

    /// @dev The unseal bond goes to the revealers without remainder, however many they are.
    function testFuzz_unsealBondShares(uint128 unsealBond, uint8 revealers) public {
        revealers = uint8(_bound(revealers, 1, 4));
        ITrainingRounds.RoundParams memory params = _params();
        params.unsealBond = uint128(_bound(unsealBond, 1 ether, 1000 ether));
        _open(params);
        _commit(4);
        _toReveal();
        _revealAll(revealers);
        vm.warp(_round().revealEnd);
        rounds.cancel(roundId);
        for (uint256 i = 0; i < revealers; ++i) {
            vm.startPrank(solvers[i]);
            rounds.releaseBond(roundId);
            rounds.withdrawCredit();
            vm.stopPrank();
        }
        vm.prank(PROPOSER);
        rounds.withdrawCredit();
        vm.assertEq(token.balanceOf(address(rounds)), 0, "all paid out");
    }
}
