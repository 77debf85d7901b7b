// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClaims} from "../src/interfaces/IClaims.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {CancelCause, ClaimKind, Phase, SlashCause, Standing, Verdict} from "../src/types/Enums.sol";
import {Leaf, Recorded, Result, RoundParams, Signature} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Settling, cancelling for every cause, claims, releases, sweeps: everybody gets out, nobody twice.
contract ClaimsTest is RoundTest {
    function _list(Leaf memory a, Leaf memory b) private pure returns (Leaf[] memory rows) {
        rows = new Leaf[](2);
        (rows[0], rows[1]) = (a, b);
    }

    /// @dev All stake of everybody.
    function _stakes() private view returns (uint256 sum) {
        address[5] memory others = [PROPOSER, STRANGER, CHALLENGER, TREASURY, address(this)];
        for (uint256 i = 0; i < 5; ++i) {
            sum += _free(others[i]) + _locked(others[i]);
        }
        for (uint256 i = 0; i < verifiers.length; ++i) {
            sum += _free(verifiers[i]) + _locked(verifiers[i]);
        }
        for (uint256 i = 0; i < solvers.length; ++i) {
            sum += _free(solvers[i]) + _locked(solvers[i]);
        }
    }

    function _settledWith(Leaf[] memory rows, uint128 payout) private {
        _toVerify(4);
        _record(rows, payout, 100);
        _settle();
    }

    // ---------------------------------------------------------------- settle

    function test_settle() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        _expectWrongPhase(Phase.Challenge);
        rounds.settle(roundId, recorded);
        vm.warp(_round().challengeEnd);
        recorded.model = keccak256("another model");
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotRecorded.selector, roundId));
        rounds.settle(roundId, recorded);
        recorded.model = MODEL;
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.RoundSettled(roundId, MODEL, 31 ether);
        rounds.settle(roundId, recorded);
        vm.assertEq(_round().claimEnd, vm.getBlockTimestamp() + 90 days, "claimEnd");
        _expectWrongPhase(Phase.Settled);
        rounds.settle(roundId, recorded);
        _expectWrongPhase(Phase.Settled);
        rounds.cancel(roundId);
    }

    function test_nextRoundStartsFromTheNewModel() public {
        _settled();
        _open();
        vm.assertEq(lens.getProject(projectId).model, MODEL, "base");
        vm.assertEq(lens.getProject(projectId).activeRound, roundId, "active");
        uint256[] memory ids = lens.roundsOf(projectId, 5);
        vm.assertEq(ids.length, 2, "rounds of the project");
        vm.assertEq(ids[0] * 10 + ids[1], 21, "newest first");
    }

    // ---------------------------------------------------------------- cancel

    function test_cancelOnlyWhenStuck() public {
        _open();
        _expectWrongPhase(Phase.Commit);
        rounds.cancel(roundId);
        _commit(1);
        vm.warp(_round().commitEnd);
        _expectWrongPhase(Phase.Gap);
        rounds.cancel(roundId);
        _toReveal();
        _expectWrongPhase(Phase.Reveal);
        rounds.cancel(roundId);
        _unseal();
        _reveal(solvers[0]);
        _expectWrongPhase(Phase.Verify);
        rounds.cancel(roundId);
    }

    function _cancelled(CancelCause cause, uint256 returned) private {
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.RoundCancelled(roundId, cause, returned);
        vm.prank(STRANGER);
        rounds.cancel(roundId);
        vm.assertEq(uint256(_round().cause), uint256(cause), "cause");
        vm.assertEq(_free(PROPOSER), returned, "returned");
        vm.assertEq(lens.getProject(projectId).activeRound, 0, "project free");
        vm.assertEq(lens.getProject(projectId).model, BASE, "head");
        _assertPhase(Phase.Cancelled);
        _expectWrongPhase(Phase.Cancelled);
        rounds.cancel(roundId);
    }

    function test_cancelWithoutCommits() public {
        _open();
        vm.warp(_round().commitEnd);
        _cancelled(CancelCause.NoCommits, 129 ether + 2 * KEEPER_REWARD);
    }

    function test_cancelNotUnsealed() public {
        _open();
        _commit(4);
        _toReveal();
        _revealAll(3);
        vm.warp(_round().revealEnd);
        uint256 dust = uint256(20 ether) % 3;
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondSlashed(roundId, PROPOSER, 20 ether - dust, SlashCause.NotUnsealed);
        _cancelled(CancelCause.NotUnsealed, 109 ether + dust + 2 * KEEPER_REWARD);

        uint256 share = uint256(20 ether) / 3;
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(true, true, true, true, address(rounds));
            emit IClaims.Claimed(roundId, solvers[i], share, ClaimKind.UnsealShare);
            vm.expectEmit(true, true, true, true, address(rounds));
            emit IClaims.BondReleased(roundId, solvers[i], 5 ether);
            vm.startPrank(solvers[i]);
            rounds.releaseBond(roundId);
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE + share, "bond and share");
            _expect(IClaims.NotRevealed.selector);
            rounds.releaseBond(roundId);
            rounds.withdraw(SOLVER_STAKE + share, solvers[i]);
            vm.stopPrank();
        }
        uint256 rest = _free(PROPOSER);
        vm.prank(PROPOSER);
        rounds.withdraw(rest, PROPOSER);
        rounds.slashNonReveal(roundId, solvers[3]);
        vm.assertEq(token.balanceOf(address(rounds)), _stakes(), "nothing is left behind");

        vm.startPrank(solvers[3]);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, solvers[3]));
        rounds.releaseBond(roundId);
    }

    function test_cancelWithoutReveals() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        vm.warp(_round().revealEnd);
        _cancelled(CancelCause.NoReveals, 129 ether);
    }

    function test_cancelWithoutRevealsOrUnseal() public {
        _open();
        _commit(2);
        vm.warp(_round().revealEnd);
        _cancelled(CancelCause.NoReveals, 129 ether + 2 * KEEPER_REWARD);
    }

    function test_cancelExpired() public {
        _toVerify(2);
        vm.warp(_round().verifyEnd);
        _cancelled(CancelCause.Expired, 129 ether);
        vm.prank(solvers[0]);
        rounds.releaseBond(roundId);
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE, "bond");
        vm.assertEq(_locked(solvers[0]), 0, "no share");
    }

    // ---------------------------------------------------------------- claim

    function test_claim() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.Claimed(roundId, solvers[0], 60 ether, ClaimKind.Reward);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondReleased(roundId, solvers[0], 5 ether);
        vm.prank(STRANGER);
        rounds.claim(roundId, rows[0], proof);
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE + 60 ether, "bond and reward");
        vm.assertEq(_locked(solvers[0]), 0, "unlocked");
        vm.assertEq(_round().unclaimed, 38 ether, "unclaimed");
        _assertStanding(solvers[0], Standing.Released);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, solvers[0]));
        rounds.claim(roundId, rows[0], proof);
    }

    function test_claimOnlyFromSettledRounds() public {
        _toVerify(4);
        Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        bytes32[] memory proof = _proof(rows, 0);
        _expectWrongPhase(Phase.Challenge);
        rounds.claim(roundId, rows[0], proof);
        vm.warp(_round().challengeEnd);
        _expectWrongPhase(Phase.Settleable);
        rounds.claim(roundId, rows[0], proof);
    }

    function test_claimNeedsTheSignedRow() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        bytes memory refusal = abi.encodeWithSelector(IClaims.BadProof.selector, roundId, solvers[0]);
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
        rows[0].verdict = Verdict.Excluded;
        vm.expectRevert(refusal);
        rounds.claim(roundId, rows[0], proof);
    }

    /// @dev A row of one round is no row of another.
    function test_rowOfAnotherRound() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        bytes32 root = recorded.root;
        _toVerify(3);
        Result memory result = _result(rows, 98 ether, 100);
        result.model = keccak256("model 2");
        result.root = root;
        _recordAs(result, 2);
        _settle();
        vm.expectRevert(abi.encodeWithSelector(IClaims.BadProof.selector, roundId, solvers[0]));
        rounds.claim(roundId, rows[0], proof);
    }

    function test_excludedLosesAPartOfItsBond() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 2);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondSlashed(roundId, solvers[2], 1 ether, SlashCause.Excluded);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondReleased(roundId, solvers[2], 4 ether);
        vm.prank(STRANGER);
        rounds.claim(roundId, rows[2], proof);
        vm.assertEq(_free(solvers[2]), SOLVER_STAKE - 1 ether, "a fifth is kept");
        vm.assertEq(_locked(solvers[2]), 0, "unlocked");
        vm.assertEq(_free(STRANGER), 0.1 ether, "a tenth of it for who showed the row");
        vm.assertEq(_free(TREASURY), 0.9 ether, "the rest by the treasury");
    }

    function test_sparedGetsTheWholeBond() public {
        Leaf[] memory rows = _list(_row(solvers[0], Verdict.Spared, 0), _row(solvers[1], Verdict.Spared, 1));
        _settledWith(rows, 10 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE, "bond");
        bytes32[] memory proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(IClaims.ExcludedEarnsNothing.selector, 1));
        rounds.claim(roundId, rows[1], proof);
    }

    function test_excludedWithAnAmount() public {
        Leaf[] memory rows = _list(_row(solvers[0], Verdict.Excluded, 1), _row(solvers[1], Verdict.None, 1));
        _settledWith(rows, 10 ether);
        bytes32[] memory proof = _proof(rows, 0);
        vm.expectRevert(abi.encodeWithSelector(IClaims.ExcludedEarnsNothing.selector, 1));
        rounds.claim(roundId, rows[0], proof);
        proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(IClaims.VerdictCannotClaim.selector, Verdict.None));
        rounds.claim(roundId, rows[1], proof);
    }

    function test_invalidCannotClaim() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 3);
        vm.expectRevert(abi.encodeWithSelector(IClaims.VerdictCannotClaim.selector, Verdict.Invalid));
        rounds.claim(roundId, rows[3], proof);
        vm.prank(solvers[3]);
        _expect(IClaims.ClaimsOpen.selector);
        rounds.releaseBond(roundId);
    }

    // ---------------------------------------------------------------- fees

    function test_feeOnce() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 4);
        rounds.claim(roundId, rows[4], proof);
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE + 4 ether, "fee");
        vm.assertEq(_round().feesClaimed, 4 ether, "feesClaimed");
        vm.expectRevert(abi.encodeWithSelector(IClaims.NothingToClaim.selector, roundId, verifiers[0]));
        rounds.claim(roundId, rows[4], proof);
    }

    function test_feeIsForVerifiersOnly() public {
        Leaf[] memory rows =
            _list(_row(solvers[0], Verdict.Fee, 4 ether), _row(STRANGER, Verdict.Fee, 4 ether));
        _settledWith(rows, 10 ether);
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] memory proof = _proof(rows, i);
            vm.expectRevert(abi.encodeWithSelector(IClaims.NothingToClaim.selector, roundId, rows[i].account));
            rounds.claim(roundId, rows[i], proof);
        }
    }

    function test_verifierIsNoSolver() public {
        Leaf[] memory rows =
            _list(_row(verifiers[0], Verdict.Accepted, 50 ether), _row(STRANGER, Verdict.Accepted, 50 ether));
        _settledWith(rows, 100 ether);
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] memory proof = _proof(rows, i);
            vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, rows[i].account));
            rounds.claim(roundId, rows[i], proof);
        }
    }

    /// @dev Verifiers cannot write themselves the solvers' budget.
    function test_feesStayWithinTheFee() public {
        Leaf[] memory rows =
            _list(_row(verifiers[0], Verdict.Fee, 6 ether), _row(verifiers[1], Verdict.Fee, 90 ether));
        _settledWith(rows, 109 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        rounds.claim(roundId, rows[1], _proof(rows, 1));
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE + 6 ether, "first");
        vm.assertEq(_free(verifiers[1]), VERIFIER_STAKE + 3 ether, "what is left of the fee");
    }

    /// @dev One account, several rows: only one of them counts.
    function test_twoRowsOfOneAccount() public {
        Leaf[] memory rows =
            _list(_row(solvers[0], Verdict.Accepted, 40 ether), _row(solvers[0], Verdict.Accepted, 50 ether));
        _settledWith(rows, 90 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        bytes32[] memory proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, solvers[0]));
        rounds.claim(roundId, rows[1], proof);
    }

    // ---------------------------------------------------------------- malformed results

    /// @dev Rows that promise more than the payout: it is all that is paid, and every bond still gets out.
    function test_rowsBeyondThePayout() public {
        Leaf[] memory rows =
            _list(_row(solvers[0], Verdict.Accepted, 80 ether), _row(solvers[1], Verdict.Accepted, 80 ether));
        _settledWith(rows, 100 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        rounds.claim(roundId, rows[1], _proof(rows, 1));
        vm.assertEq(_free(solvers[1]), SOLVER_STAKE + 20 ether, "what is left, and the bond");
        vm.assertEq(_round().unclaimed, 0, "unclaimed");
    }

    function test_hugeRow() public {
        Leaf[] memory rows = _list(
            _row(solvers[0], Verdict.Accepted, type(uint128).max),
            _row(verifiers[0], Verdict.Fee, type(uint128).max)
        );
        _settledWith(rows, 100 ether);
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        rounds.claim(roundId, rows[1], _proof(rows, 1));
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE + 100 ether, "all there is");
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE, "nothing left");
    }

    function test_unrevealedSolverCannotClaim() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        _reveal(solvers[0]);
        vm.warp(_round().revealEnd);
        Leaf[] memory rows =
            _list(_row(solvers[0], Verdict.Accepted, 1 ether), _row(solvers[1], Verdict.Accepted, 1 ether));
        _record(rows, 2 ether, 100);
        _settle();
        bytes32[] memory proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, solvers[1]));
        rounds.claim(roundId, rows[1], proof);
    }

    // ---------------------------------------------------------------- after the claims

    function test_sweep() public {
        Leaf[] memory rows = _settled();
        rounds.claim(roundId, rows[0], _proof(rows, 0));
        uint64 claimEnd = _round().claimEnd;
        vm.warp(claimEnd - 1);
        vm.expectRevert(abi.encodeWithSelector(IClaims.ClaimsOpen.selector, roundId, claimEnd));
        rounds.sweep(roundId);
        vm.warp(claimEnd);
        bytes32[] memory proof = _proof(rows, 1);
        vm.expectRevert(abi.encodeWithSelector(IClaims.ClaimsEnded.selector, roundId, claimEnd));
        rounds.claim(roundId, rows[1], proof);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.Swept(roundId, TREASURY, 38 ether);
        rounds.sweep(roundId);
        vm.assertEq(_free(PROPOSER), 31 ether, "not the proposer's");
        vm.assertEq(_free(TREASURY), 38 ether, "swept");
        vm.expectRevert(abi.encodeWithSelector(IClaims.NothingToClaim.selector, roundId, TREASURY));
        rounds.sweep(roundId);
    }

    function test_sweepOnlySettledRounds() public {
        _toVerify(2);
        _expectWrongPhase(Phase.Verify);
        rounds.sweep(roundId);
    }

    /// @dev A solver left out of the tree, and an account that never claims, wait two weeks for the bond.
    function test_releaseWithoutAClaim() public {
        _settled();
        uint64 from = uint64(vm.getBlockTimestamp()) + 14 days;
        vm.warp(from - 1);
        vm.prank(solvers[1]);
        vm.expectRevert(abi.encodeWithSelector(IClaims.ClaimsOpen.selector, roundId, from));
        rounds.releaseBond(roundId);
        vm.warp(from);
        vm.prank(solvers[1]);
        rounds.releaseBond(roundId);
        vm.assertEq(_free(solvers[1]), SOLVER_STAKE, "bond");
    }

    function test_releaseNotBefore() public {
        _toVerify(2);
        vm.prank(solvers[0]);
        _expectWrongPhase(Phase.Verify);
        rounds.releaseBond(roundId);
    }

    function test_returnedEscrowIsWithdrawnAtOnce() public {
        _settled();
        uint256 before = token.balanceOf(STRANGER);
        vm.assertEq(lens.withdrawable(PROPOSER), 31 ether, "withdrawable");
        vm.startPrank(PROPOSER);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IStakes.Withdrawn(PROPOSER, STRANGER, 31 ether);
        rounds.withdraw(31 ether, STRANGER);
        vm.assertEq(token.balanceOf(STRANGER), before + 31 ether, "paid");
        vm.expectRevert(abi.encodeWithSelector(IStakes.InsufficientStake.selector, PROPOSER, 0, 1));
        rounds.withdraw(1, STRANGER);
    }

    // ---------------------------------------------------------------- slashing solvers

    function test_slashNonReveal() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        _reveal(solvers[0]);
        _expectWrongPhase(Phase.Reveal);
        rounds.slashNonReveal(roundId, solvers[1]);
        vm.warp(_round().revealEnd);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondSlashed(roundId, solvers[1], 5 ether, SlashCause.NotRevealed);
        vm.prank(STRANGER);
        rounds.slashNonReveal(roundId, solvers[1]);
        vm.assertEq(_free(STRANGER), 0.5 ether, "reporter");
        vm.assertEq(_locked(solvers[1]), 0, "bond");
        _assertStanding(solvers[1], Standing.Slashed);
        address[4] memory others = [solvers[0], solvers[1], verifiers[0], STRANGER];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IClaims.NotUnrevealed.selector, roundId, others[i]));
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
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 3);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IClaims.BondSlashed(roundId, solvers[3], 5 ether, SlashCause.Invalid);
        vm.prank(STRANGER);
        rounds.slashInvalid(roundId, rows[3], proof);
        _assertStanding(solvers[3], Standing.Slashed);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, solvers[3]));
        rounds.slashInvalid(roundId, rows[3], proof);
        vm.warp(_round().claimEnd);
        vm.prank(solvers[3]);
        _expect(IClaims.NotRevealed.selector);
        rounds.releaseBond(roundId);
    }

    function test_slashInvalidNeedsASignedVerdict() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 0);
        vm.expectRevert(abi.encodeWithSelector(IClaims.VerdictNotInvalid.selector, Verdict.Accepted));
        rounds.slashInvalid(roundId, rows[0], proof);
        rows[0].verdict = Verdict.Invalid;
        vm.expectRevert(abi.encodeWithSelector(IClaims.BadProof.selector, roundId, solvers[0]));
        rounds.slashInvalid(roundId, rows[0], proof);
    }

    function test_slashInvalidOnlyAfterTheChallengeWindow() public {
        _toVerify(4);
        Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        bytes32[] memory proof = _proof(rows, 3);
        _expectWrongPhase(Phase.Challenge);
        rounds.slashInvalid(roundId, rows[3], proof);
    }

    /// @dev A dishonest quorum that calls everybody invalid costs each revealer one bond of this round, no other stake.
    function test_hostileVerdictsTakeOneBondEach() public {
        Leaf[] memory rows = new Leaf[](5);
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _row(solvers[i], Verdict.Invalid, 0);
        }
        rows[4] = _row(verifiers[2], Verdict.Invalid, 0);
        _settledWith(rows, 0);
        for (uint256 i = 0; i < 4; ++i) {
            rounds.slashInvalid(roundId, rows[i], _proof(rows, i));
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE - 5 ether, "the rest of the stake");
        }
        bytes32[] memory proof = _proof(rows, 4);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, verifiers[2]));
        rounds.slashInvalid(roundId, rows[4], proof);
    }

    // ---------------------------------------------------------------- fuzz

    /// @dev Whatever amounts a quorum signs, a round pays at most its payout and every bond gets out.
    function testFuzz_payoutsStayWithinTheEscrow(uint128[4] memory amounts, uint128 payout) public {
        payout = uint128(_bound(payout, 0, 109 ether));
        Leaf[] memory rows = new Leaf[](6);
        uint256 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _row(solvers[i], Verdict.Accepted, amounts[i]);
        }
        rows[4] = _row(verifiers[0], Verdict.Fee, amounts[0]);
        rows[5] = _row(verifiers[1], Verdict.Fee, amounts[1]);
        _settledWith(rows, payout);
        for (uint256 i = 0; i < 6; ++i) {
            rounds.claim(roundId, rows[i], _proof(rows, i));
            total += _free(rows[i].account) - (i < 4 ? SOLVER_STAKE : VERIFIER_STAKE);
            if (i < 4) vm.assertEq(_locked(solvers[i]), 0, "bond");
        }
        vm.assertLe(total, payout, "payouts");
        vm.assertLe(_round().feesClaimed, 9 ether, "fees");
        vm.assertEq(_round().unclaimed, payout - total, "unclaimed");
        vm.assertEq(token.balanceOf(address(rounds)), _stakes() + payout - total, "stakes and the rest");
    }

    /// @dev The unseal bond goes to the revealers without remainder, however many they are.
    function testFuzz_unsealBondShares(uint128 unsealBond, uint8 revealers) public {
        revealers = uint8(_bound(revealers, 1, 4));
        RoundParams memory params = _params();
        params.unsealBond = uint128(_bound(unsealBond, 1e9, 1000e9)) * 1e9;
        _open(params);
        _commit(4);
        _toReveal();
        _revealAll(revealers);
        vm.warp(_round().revealEnd);
        rounds.cancel(roundId);
        for (uint256 i = 0; i < revealers; ++i) {
            vm.startPrank(solvers[i]);
            rounds.releaseBond(roundId);
            vm.stopPrank();
        }
        vm.assertEq(token.balanceOf(address(rounds)), _stakes(), "all paid out");
    }
}
