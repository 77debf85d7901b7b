// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClaims} from "../src/interfaces/IClaims.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {IVerifierSets} from "../src/interfaces/IVerifierSets.sol";
import {Phase, Readiness, Standing, Verdict} from "../src/types/Enums.sol";
import {Attestation, Leaf, Recorded, Result, RoundParams, Signature} from "../src/types/Round.sol";
import {BlockHeaders} from "./BlockHeaders.sol";
import {RoundTest} from "./RoundTest.sol";
import {SealedTree} from "./SealedTree.sol";
import {vm} from "./Vm.sol";

/// @dev One test for each attack that an audit of earlier contracts described; there, each of them succeeded.
contract AttacksTest is RoundTest {
    // ---------------------------------------------------------------- evaluation shards

    /// @dev Several leaves of one index under the root, chosen from after all reveals: only the leaf at its place counts.
    function test_attack_twoLeavesOfOneIndexUnderTheRoot() public {
        bytes32[] memory leaves = new bytes32[](8);
        for (uint32 i = 0; i < 4; ++i) {
            leaves[2 * i] = SealedTree.leaf(i);
            leaves[2 * i + 1] = keccak256(abi.encode(i, keccak256("variant"), bytes32(0)));
        }
        bytes32 root = SealedTree.rootOf(leaves);
        // Announced as four shards, or as eight: neither shows more than one leaf for an index.
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(PROPOSER);
            projectId = rounds.createProject("r", "d", BASE, root, i == 0 ? 4 : 8, setId, 0);
            _open();
            _commit(2);
            _toReveal();
            uint32 index = _draw();
            _revealAll(2);
            uint256 shown = 0;
            for (uint256 place = 0; place < 8; ++place) {
                bytes32[] memory proof = SealedTree.proofOf(leaves, place);
                for (uint256 variant = 0; variant < 2; ++variant) {
                    vm.prank(PROPOSER);
                    (bool done,) = address(rounds)
                        .call(
                            abi.encodeCall(
                                IRounds.unseal,
                                (
                                    roundId,
                                    variant == 0 ? SealedTree.shard(index) : keccak256("variant"),
                                    variant == 0 ? SealedTree.blinding(index) : bytes32(0),
                                    proof
                                )
                            )
                        );
                    if (done) ++shown;
                }
            }
            vm.assertLe(shown, 1, "one leaf for an index at most");
            vm.warp(_round().verifyEnd);
            rounds.cancel(roundId);
            for (uint256 j = 0; j < 2; ++j) {
                vm.prank(solvers[j]);
                rounds.releaseBond(roundId);
            }
        }
    }

    /// @dev The same data under every index would be the test set that everybody knows after one round.
    function test_attack_sameShardUnderEveryIndex() public {
        bytes32[] memory leaves = new bytes32[](4);
        for (uint32 i = 0; i < 4; ++i) {
            leaves[i] = keccak256(abi.encode(i, keccak256("the only shard"), bytes32(uint256(i))));
        }
        bytes32 root = SealedTree.rootOf(leaves);
        vm.prank(PROPOSER);
        projectId = rounds.createProject("r", "d", BASE, root, 4, setId, 0);
        for (uint256 i = 0; i < 2; ++i) {
            _open();
            _commit(1);
            _toReveal();
            uint32 index = _draw();
            bytes32[] memory proof = SealedTree.proofOf(leaves, index);
            if (i == 1) {
                vm.expectRevert(
                    abi.encodeWithSelector(
                        IRounds.ShardReused.selector, projectId, keccak256("the only shard")
                    )
                );
            }
            vm.prank(PROPOSER);
            rounds.unseal(roundId, keccak256("the only shard"), bytes32(uint256(index)), proof);
            _reveal(solvers[0]);
            vm.warp(_round().verifyEnd);
            rounds.cancel(roundId);
            vm.prank(solvers[0]);
            rounds.releaseBond(roundId);
        }
    }

    // ---------------------------------------------------------------- holds

    /// @dev A stranger cannot hold anybody: rounds with a set are its curator's, or of whom the curator admits.
    function test_attack_strangerHoldsEveryVerifier() public {
        _fund(STRANGER, 1000 ether);
        vm.startPrank(STRANGER);
        token.approve(address(rounds), type(uint256).max);
        RoundParams memory params = _params();
        params.projectId = _createProject(SHARDS, setId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.NotAdmitted.selector, setId, STRANGER));
        rounds.openRound(params);
        vm.stopPrank();
        vm.assertTrue(!lens.accountOf(verifiers[0]).held, "held");
        vm.prank(PROPOSER);
        rounds.admit(setId, STRANGER, true);
        vm.prank(STRANGER);
        rounds.openRound(params);
        vm.assertTrue(lens.accountOf(verifiers[0]).held, "held with consent");
    }

    /// @dev Long phases and no commit: everything, the hold included, ends with COMMIT.
    function test_attack_longPhasesAndCancel() public {
        RoundParams memory params = _params();
        (params.verifyDuration, params.challengeDuration) = (30 days, 30 days);
        _open(params);
        for (uint256 i = 0; i < verifiers.length; ++i) {
            vm.prank(verifiers[i]);
            rounds.leave(setId);
        }
        vm.prank(verifiers[0]);
        rounds.requestUnbond(VERIFIER_STAKE);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vm.startPrank(verifiers[0]);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, verifiers[0]));
        rounds.withdrawUnbonded(verifiers[0]);
        rounds.cancel(roundId);
        rounds.withdrawUnbonded(verifiers[0]);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(verifiers[0]), VERIFIER_STAKE, "out");
    }

    function test_attack_holdLongerThanAgreed() public {
        RoundParams memory params = _params();
        (params.commitDuration, params.gap, params.revealDuration) = (30 days, 30 days, 30 days);
        (params.verifyDuration, params.challengeDuration) = (30 days, 30 days);
        _open(params);
        vm.warp(_round().commitEnd);
        rounds.cancel(roundId);
        vm.prank(PROPOSER);
        setId = rounds.createVerifierSet(verifiers, 2, CAP, 150 days);
        for (uint256 i = 0; i < verifiers.length; ++i) {
            vm.prank(verifiers[i]);
            rounds.join(setId);
        }
        vm.startPrank(PROPOSER);
        params.projectId = _createProject(SHARDS, setId);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.HoldTooLong.selector, setId, 153 days, 150 days));
        rounds.openRound(params);
        vm.stopPrank();
    }

    /// @dev The end of one round must not free what another of the same set still holds.
    function test_attack_oneRoundsEndFreesAnothersHold() public {
        _open();
        uint256 first = roundId;
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, setId);
        RoundParams memory params = _params();
        params.commitDuration = 10 days;
        _open(params);
        vm.warp(lens.getRound(first).commitEnd);
        rounds.cancel(first);
        vm.assertTrue(lens.accountOf(verifiers[0]).held, "still held");
        vm.prank(PARTNER);
        vm.expectRevert();
        rounds.releaseHold(setId);
        vm.warp(_round().commitEnd);
        rounds.cancel(roundId);
        vm.assertTrue(!lens.accountOf(verifiers[0]).held, "free");
    }

    // ---------------------------------------------------------------- the beacon

    /// @dev Neither the parent's hash nor the caller's block enters the draw.
    function test_attack_grindTheParentsHash() public {
        _open();
        _commit(1);
        _toReveal();
        rounds.closeCommits(roundId);
        uint256 at = _round().beaconBlock;
        bytes memory header = BlockHeaders.encode(at, bytes32(uint256(5)));
        uint32 first = type(uint32).max;
        for (uint256 i = 0; i < 64; ++i) {
            vm.roll(at + 1 + i);
            vm.setBlockhash(at, keccak256(header));
            vm.setBlockhash(at + i, i == 0 ? keccak256(header) : keccak256(abi.encode("ground", i)));
            vm.prevrandao(i);
            (bool done, bytes memory answer) =
                address(this).call(abi.encodeCall(this.drawAndRevert, (header)));
            vm.assertTrue(!done, "reverted");
            uint32 index = abi.decode(answer, (uint32));
            if (first == type(uint32).max) first = index;
            vm.assertEq(index, first, "the same whoever draws, whenever");
        }
    }

    function drawAndRevert(bytes calldata header) external {
        uint32 index = rounds.drawBeacon(roundId, header);
        assembly ("memory-safe") {
            mstore(0, index)
            revert(0, 32)
        }
    }

    function test_attack_headerOfAnotherBlock() public {
        _open();
        _commit(1);
        _toReveal();
        rounds.closeCommits(roundId);
        uint256 at = _round().beaconBlock;
        bytes memory header = BlockHeaders.encode(at, bytes32(uint256(1)));
        bytes memory other = BlockHeaders.encode(at + 1, bytes32(uint256(2)));
        vm.roll(at + 2);
        vm.setBlockhash(at, keccak256(header));
        vm.setBlockhash(at + 1, keccak256(other));
        vm.expectRevert(abi.encodeWithSelector(IRounds.WrongHeader.selector, roundId, at));
        rounds.drawBeacon(roundId, other);
        header[100] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(IRounds.WrongHeader.selector, roundId, at));
        rounds.drawBeacon(roundId, header);
    }

    /// @dev A block out of reach is replaced, without a second reward; one within reach never is.
    function test_attack_waitForAnotherBlock() public {
        _open();
        _commit(1);
        _toReveal();
        rounds.closeCommits(roundId);
        uint256 at = _round().beaconBlock;
        vm.roll(at + 257);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.BeaconFixed(roundId, uint64(at + 257 + BEACON_DELAY), STRANGER, 0);
        vm.prank(STRANGER);
        rounds.drawBeacon(roundId, "");
        vm.assertEq(_free(STRANGER), 0, "no reward for waiting");
        vm.assertTrue(!_round().beaconDrawn, "not drawn");
        // Where EIP-2935 is live the same block is within reach.
        vm.etch(0x0000F90827F1C53a10cb7A02335B175320002935, hex"60005460005260206000f3");
        at = _round().beaconBlock;
        bytes memory header = BlockHeaders.encode(at, bytes32(uint256(7)));
        vm.store(0x0000F90827F1C53a10cb7A02335B175320002935, 0, keccak256(header));
        vm.roll(at + 5000);
        rounds.drawBeacon(roundId, header);
        vm.assertTrue(_round().beaconDrawn, "drawn");
    }

    // ---------------------------------------------------------------- stake

    /// @dev One stake secures no more escrow than the set declared.
    function test_attack_oneStakeForManyRounds() public {
        vm.prank(PROPOSER);
        setId = rounds.createVerifierSet(verifiers, 2, 300 ether, MAX_HOLD);
        for (uint256 i = 0; i < verifiers.length; ++i) {
            vm.prank(verifiers[i]);
            rounds.join(setId);
        }
        RoundParams memory params = _params();
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(PROPOSER);
            params.projectId = _createProject(SHARDS, setId);
            _open(params);
        }
        vm.assertEq(lens.getSet(setId).escrowAtRisk, 218 ether, "escrow at risk");
        vm.assertEq(lens.getSet(setId).stakeAtRisk, 3 * VERIFIER_STAKE, "stake at risk");
        vm.assertEq(uint256(lens.canOpen(setId, 109 ether)), uint256(Readiness.CapExhausted), "canOpen");
        vm.startPrank(PROPOSER);
        params.projectId = _createProject(SHARDS, setId);
        vm.expectRevert(
            abi.encodeWithSelector(IVerifierSets.CapExceeded.selector, setId, 327 ether, 300 ether)
        );
        rounds.openRound(params);
        vm.stopPrank();
        vm.warp(_round().commitEnd);
        rounds.cancel(roundId);
        _open(params);
    }

    /// @dev A verifier slashed to nothing elsewhere has no vote left.
    function test_attack_slashedVerifierSignsOn() public {
        _toVerify(4);
        vm.prank(PARTNER);
        rounds.slashStake(verifiers[0], STRANGER);
        Result memory result = _result(_rows(), 98 ether, 100);
        Attestation[] memory attestations = _attest(result, 2);
        vm.expectRevert(abi.encodeWithSelector(IRounds.SignerUnderStaked.selector, roundId, verifiers[0]));
        _submit(result, attestations);
    }

    function _equivocate(uint256 seat) private {
        Result memory first = _result(_rows(), 98 ether, 100);
        Result memory second = _result(_rows(), 97 ether, 100);
        rounds.slashEquivocation(first, _sign(keys[seat], first), second, _sign(keys[seat], second));
    }

    /// @dev One wei and a report by oneself do not buy off the rest.
    function test_attack_oneWeiBuysOffTheProof() public {
        _toVerify(4);
        vm.prank(PARTNER);
        rounds.slashStake(verifiers[0], STRANGER);
        _stake(verifiers[0], 1);
        vm.prank(verifiers[0]);
        _equivocate(0);
        vm.assertEq(lens.accountOf(verifiers[0]).debt, VERIFIER_STAKE - 1, "the debt stays");
        _stake(verifiers[0], 5000 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InDebt.selector, verifiers[0], VERIFIER_STAKE - 1));
        vm.prank(verifiers[0]);
        rounds.requestUnbond(1 ether);
        rounds.collectDebt(verifiers[0]);
        vm.assertEq(_free(verifiers[0]), 4000 ether + 1, "the whole minimum was taken");
        vm.expectRevert(abi.encodeWithSelector(IStakes.NoDebt.selector, verifiers[0]));
        rounds.collectDebt(verifiers[0]);
    }

    function test_attack_equivocatorKeepsItsFee() public {
        Leaf[] memory rows = _settled();
        _equivocate(0);
        bytes32[] memory proof = _proof(rows, 4);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NothingToClaim.selector, roundId, verifiers[0]));
        rounds.claim(roundId, rows[4], proof);
    }

    // ---------------------------------------------------------------- disputes

    function _challengeBy(address challenger) private {
        vm.prank(challenger);
        rounds.challenge(roundId, "evidence", recorded);
    }

    /// @dev Signers that report each other just before the decision leave the tenth to the challenger.
    function test_attack_signersReportEachOtherBeforeTheDecision() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        _challengeBy(CHALLENGER);
        vm.startPrank(verifiers[1]);
        _equivocateAs(0);
        vm.stopPrank();
        vm.startPrank(verifiers[0]);
        _equivocateAs(1);
        vm.stopPrank();
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        rounds.closeChallenge(roundId, CHALLENGER);
        vm.assertEq(_free(CHALLENGER), 300 ether, "bond and both tenths");
        vm.assertEq(_free(verifiers[0]) + _free(verifiers[1]), 0, "nothing for the signers");
    }

    /// @dev Nor do those that see the challenge coming, and report each other before it.
    function test_attack_signersReportEachOtherBeforeTheChallenge() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        for (uint256 i = 0; i < 2; ++i) {
            vm.startPrank(verifiers[1 - i]);
            _equivocateAs(i);
            vm.stopPrank();
        }
        vm.assertEq(_free(verifiers[0]) + _free(verifiers[1]), 0, "nothing for the signers");
        _challengeBy(CHALLENGER);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        rounds.closeChallenge(roundId, CHALLENGER);
        vm.assertEq(_free(CHALLENGER), 300 ether, "every signer's tenth");
    }

    /// @dev What waits for a challenger that never comes is the treasury's: nobody's report is worth a free round.
    function test_attack_tenthOfAnUnchallengedRoundStaysInTheContract() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        _equivocate(0);
        uint256 before = _free(TREASURY);
        _settle();
        vm.assertEq(_free(TREASURY) - before, VERIFIER_STAKE / 10, "swept at settling");
    }

    function _equivocateAs(uint256 seat) private {
        _equivocate(seat);
    }

    /// @dev A friend's early and weak challenge takes no turn from anybody.
    function test_attack_friendChallengesFirst() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        _challengeBy(solvers[0]);
        _challengeBy(CHALLENGER);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        rounds.closeChallenge(roundId, CHALLENGER);
        rounds.closeChallenge(roundId, solvers[0]);
        vm.assertEq(_free(CHALLENGER), 300 ether, "the tenths");
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE - 5 ether, "its bond only");
        vm.assertEq(_round().challenges, 2, "counted");
    }

    /// @dev A pause stops no challenge, not even of somebody without stake.
    function test_attack_pauseStopsChallenges() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.prank(OWNER);
        rounds.pause();
        _fund(STRANGER, 9.8 ether);
        vm.startPrank(STRANGER);
        token.approve(address(rounds), 9.8 ether);
        rounds.challenge(roundId, "evidence", recorded);
        vm.stopPrank();
        _assertPhase(Phase.Disputed);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, STRANGER);
        rounds.closeChallenge(roundId, STRANGER);
        vm.prank(STRANGER);
        rounds.withdraw(209.8 ether, STRANGER);
        vm.assertEq(token.balanceOf(STRANGER), 209.8 ether, "out");
    }

    /// @dev A pause in COMMIT does not leave the round to who was first; the clocks run on.
    function test_attack_pauseInCommitPicksTheWinner() public {
        _open();
        uint64 commitEnd = _round().commitEnd;
        _commit(1);
        vm.prank(OWNER);
        rounds.pause();
        bytes32 commitment = _commitment(solvers[1]);
        vm.prank(solvers[1]);
        rounds.commit(roundId, commitment);
        vm.assertEq(_round().commits, 2, "commits");
        vm.assertEq(_round().commitEnd, commitEnd, "clock");
        _toReveal();
        _unseal();
        _revealAll(2);
        _assertPhase(Phase.Verify);
    }

    // ---------------------------------------------------------------- phases and places

    function test_attack_revealBetweenTwoSlots() public {
        RoundParams memory params = _params();
        params.revealDuration = 1;
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(IRounds.BadDuration.selector, 1, MINIMUM_PHASE));
        rounds.openRound(params);
    }

    /// @dev Whoever takes every place in the block of the opening does not end COMMIT with it.
    function test_attack_everyPlaceInTheOpeningBlock() public {
        RoundParams memory params = _params();
        params.maxSolvers = 2;
        _open(params);
        uint64 half = uint64(vm.getBlockTimestamp()) + 30 minutes;
        _commit(2);
        vm.assertEq(_round().commitEnd, half, "half of COMMIT");
        _assertPhase(Phase.Commit);
        bytes32 commitment = _commitment(solvers[2]);
        vm.prank(solvers[2]);
        vm.expectRevert(abi.encodeWithSelector(IRounds.RoundFull.selector, roundId));
        rounds.commit(roundId, commitment);
        vm.warp(half);
        _assertPhase(Phase.Gap);
    }

    /// @dev A proposer may say who can take a place.
    function test_attack_strangersTakeListedPlaces() public {
        bytes32 a = keccak256(bytes.concat(keccak256(abi.encode(solvers[0]))));
        bytes32 b = keccak256(bytes.concat(keccak256(abi.encode(solvers[1]))));
        RoundParams memory params = _params();
        params.allowList = a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
        _open(params);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = b;
        bytes32 commitment = _commitment(solvers[2]);
        vm.startPrank(solvers[2]);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotListed.selector, roundId, solvers[2]));
        rounds.commit(roundId, commitment);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotListed.selector, roundId, solvers[2]));
        rounds.commitListed(roundId, commitment, proof);
        vm.stopPrank();
        commitment = _commitment(solvers[0]);
        vm.prank(solvers[0]);
        rounds.commitListed(roundId, commitment, proof);
        _assertStanding(solvers[0], Standing.Committed);
    }

    // ---------------------------------------------------------------- small ones

    function test_attack_withheldSheetReturnsToTheProposer() public {
        _settled();
        vm.warp(_round().claimEnd);
        uint256 before = _free(PROPOSER);
        rounds.sweep(roundId);
        vm.assertEq(_free(PROPOSER), before, "nothing for the proposer");
        vm.assertEq(_free(TREASURY), 98 ether, "all for the treasury");
    }

    /// @dev Who is excluded, and waits for the release of its whole bond, is claimed for by others, who are paid for it.
    function test_attack_excludedWaitsForTheRelease() public {
        Leaf[] memory rows = _settled();
        bytes32[] memory proof = _proof(rows, 2);
        uint256 before = _free(STRANGER);
        vm.prank(STRANGER);
        rounds.claim(roundId, rows[2], proof);
        vm.assertEq(_free(STRANGER) - before, 0.1 ether, "a tenth of what is kept");
        vm.warp(block.timestamp + 14 days);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, solvers[2]));
        vm.prank(solvers[2]);
        rounds.releaseBond(roundId);
    }

    function test_attack_contractJoinsAndNeverSigns() public {
        address[] memory members = new address[](1);
        members[0] = address(this);
        setId = rounds.createVerifierSet(members, 1, CAP, MAX_HOLD);
        vm.expectRevert(abi.encodeWithSelector(IVerifierSets.ContractCannotSign.selector, address(this)));
        rounds.join(setId);
        // An account that delegates (EIP-7702) still has its key.
        vm.etch(STRANGER, abi.encodePacked(hex"ef0100", address(this)));
        members[0] = STRANGER;
        setId = rounds.createVerifierSet(members, 1, CAP, MAX_HOLD);
        vm.prank(STRANGER);
        rounds.join(setId);
    }

    /// @dev All tokens here together stay below 2^96, so no unlock overflows.
    function test_attack_unlockOverflows() public {
        vm.prank(address(this));
        (bool minted,) = address(token)
            .call(abi.encodeWithSignature("mint(address,uint256)", STRANGER, uint256(type(uint96).max)));
        vm.assertTrue(minted, "minted");
        vm.startPrank(STRANGER);
        token.approve(address(rounds), type(uint256).max);
        uint256 held = token.balanceOf(address(rounds));
        vm.expectRevert(abi.encodeWithSelector(IStakes.AmountTooLarge.selector, held + type(uint96).max));
        rounds.deposit(type(uint96).max, STRANGER);
        rounds.deposit(type(uint96).max - held, STRANGER);
        vm.stopPrank();
    }

    function test_attack_oneUnitUnbondedStopsTheSet() public {
        vm.prank(verifiers[2]);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, verifiers[2]));
        rounds.requestUnbond(1);
        vm.assertEq(uint256(lens.canOpen(setId, 1)), uint256(Readiness.Ready), "ready");
        vm.prank(verifiers[2]);
        rounds.leave(setId);
        vm.assertEq(uint256(lens.canOpen(setId, 1)), uint256(Readiness.NotJoined), "seen");
    }

    function test_attack_renounceWhilePaused() public {
        vm.startPrank(OWNER);
        rounds.pause();
        (bool done, bytes memory answer) =
            address(rounds).call(abi.encodeWithSignature("renounceOwnership()"));
        vm.assertTrue(!done, "renounced");
        vm.assertEq(bytes32(answer), bytes32(ITrainingRounds.CannotRenounceWhilePaused.selector), "reason");
        rounds.unpause();
        (done,) = address(rounds).call(abi.encodeWithSignature("renounceOwnership()"));
        vm.assertTrue(done, "renounced while running");
        vm.stopPrank();
    }

    /// @dev The bond of an earlier round is not overwritten by a commit in the same lane.
    function test_attack_laterRoundOverwritesABond() public {
        for (uint256 i = 0; i < 8; ++i) {
            _open();
            if (i == 0) _commit(1);
            else vm.warp(vm.getBlockTimestamp() + 1);
            vm.warp(_round().revealEnd);
            rounds.cancel(roundId);
        }
        _open();
        bytes32 commitment = _commitment(solvers[0]);
        vm.prank(solvers[0]);
        vm.expectRevert(abi.encodeWithSelector(IRounds.ClaimFirst.selector, roundId, solvers[0]));
        rounds.commit(roundId, commitment);
        rounds.slashNonReveal(1, solvers[0]);
        vm.prank(solvers[0]);
        rounds.commit(roundId, commitment);
        _assertStanding(solvers[0], Standing.Committed);
    }

    /// @dev The partner undoes its own locks and holds, nobody else's.
    function test_attack_partnerUnlocksABond() public {
        _open();
        _commit(1);
        vm.startPrank(PARTNER);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InsufficientStake.selector, solvers[0], 0, 5 ether));
        rounds.unlock(solvers[0], 5 ether);
        rounds.lock(solvers[0], 2 ether);
        rounds.unlock(solvers[0], 2 ether);
        vm.expectRevert();
        rounds.slashBond(solvers[0], 1, PARTNER);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IStakes.NotPartner.selector, address(this)));
        rounds.lock(solvers[0], 1);
    }
}
