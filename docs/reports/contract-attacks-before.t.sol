// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Each test passes when its attack SUCCEEDS. For the contracts of commit d9784f8, four of them, before the audit:
/// see contract-audit.md beside this file.
contract AttacksBeforeTest is RoundTest {
    // 1: two leaves of one index
    function test_attack_twoLeavesOfOneIndexUnderTheRoot() public {
        delete shardLeaves;
        for (uint32 i = 0; i < 4; ++i) {
            (bytes32 s, bytes32 b) = _shard(i);
            shardLeaves.push(keccak256(abi.encode(i, s, b)));
            shardLeaves.push(keccak256(abi.encode(i, keccak256("variant"), bytes32(0))));
        }
        vm.prank(PROPOSER);
        projectId = _createProject(4, setId);
        _open();
        _commit(2);
        _toReveal();
        uint32 index = rounds.drawBeacon(roundId);
        _revealAll(2);
        bytes32 variant = keccak256(abi.encode(index, keccak256("variant"), bytes32(0)));
        bytes32[] memory proof = MerkleTree.proof(shardLeaves, variant);
        vm.prank(PROPOSER);
        rounds.unseal(roundId, keccak256("variant"), 0, proof);
        vm.assertEq(_round().shard, keccak256("variant"), "chosen after all reveals");
    }

    // 2: the same shard twice
    function test_attack_sameShardUnderEveryIndex() public {
        delete shardLeaves;
        for (uint32 i = 0; i < 4; ++i) {
            shardLeaves.push(keccak256(abi.encode(i, keccak256("only"), bytes32(uint256(i)))));
        }
        vm.prank(PROPOSER);
        projectId = _createProject(4, setId);
        for (uint256 i = 0; i < 2; ++i) {
            _open();
            _commit(1);
            _toReveal();
            uint32 index = rounds.drawBeacon(roundId);
            bytes32[] memory proof = MerkleTree.proof(shardLeaves, shardLeaves[index]);
            vm.prank(PROPOSER);
            rounds.unseal(roundId, keccak256("only"), bytes32(uint256(index)), proof);
            _reveal(solvers[0]);
            vm.warp(_round().verifyEnd);
            rounds.cancel(roundId);
            vm.prank(solvers[0]);
            rounds.releaseBond(roundId);
        }
    }

    // 3: a stranger holds everybody
    function test_attack_strangerHoldsEveryVerifier() public {
        _fund(STRANGER, 1000 ether);
        vm.startPrank(STRANGER);
        token.approve(address(rounds), type(uint256).max);
        ITrainingRounds.RoundParams memory p = _params();
        p.projectId = _createProject(SHARDS, setId);
        p.commitDuration = 1;
        (p.gap, p.revealDuration, p.verifyDuration, p.challengeDuration) =
        (30 days, 30 days, 30 days, 30 days);
        uint256 id = rounds.openRound(p);
        vm.warp(vm.getBlockTimestamp() + 1);
        rounds.cancel(id);
        rounds.withdrawCredit();
        vm.stopPrank();
        vm.assertEq(token.balanceOf(STRANGER), 1000 ether, "everything back");
        vm.assertGt(
            vault.accountOf(verifiers[0]).heldUntil, vm.getBlockTimestamp() + 119 days, "held for months"
        );
    }

    // 4: the caller or the parent's proposer chooses the draw
    function test_attack_grindTheParentsHash() public {
        _open();
        _commit(1);
        _toReveal();
        vm.prevrandao(5);
        vm.roll(2000);
        for (uint256 i = 0; i < 200; ++i) {
            vm.setBlockhash(1999, keccak256(abi.encode(i)));
            uint256 beacon = uint256(keccak256(abi.encode(uint256(5), keccak256(abi.encode(i)), roundId)));
            if (beacon % SHARDS != 6) continue;
            vm.assertEq(rounds.drawBeacon(roundId), 6, "the shard that the block's proposer wanted");
            return;
        }
        revert("not ground");
    }

    // 5: five frauds on one stake
    function test_attack_oneStakeForManyRounds() public {
        for (uint256 i = 0; i < 5; ++i) {
            vm.prank(PROPOSER);
            projectId = _createProject(SHARDS, setId);
            _open();
        }
    }

    // 6: slashed to nothing and signing on
    function test_attack_slashedVerifierSignsOn() public {
        _toVerify(4);
        vm.prank(address(rounds));
        vault.slashStake(verifiers[0], STRANGER);
        _record(_rows(), 98 ether, 100);
        vm.assertEq(_round().signers, 3, "counted");
    }

    function _equivocate(uint256 seat) private {
        ITrainingRounds.Result memory a = _result(_rows(), 98 ether, 100);
        ITrainingRounds.Result memory b = _result(_rows(), 97 ether, 100);
        rounds.slashEquivocation(a, _sign(keys[seat], a), b, _sign(keys[seat], b));
    }

    // 7
    function test_attack_oneWeiBuysOffTheProof() public {
        _toVerify(4);
        vm.prank(address(rounds));
        vault.slashStake(verifiers[0], STRANGER);
        _stake(verifiers[0], 1);
        _equivocate(0);
        _stake(verifiers[0], 5000 ether);
        ITrainingRounds.Result memory a = _result(_rows(), 98 ether, 100);
        ITrainingRounds.Result memory b = _result(_rows(), 97 ether, 100);
        bytes memory sa = _sign(keys[0], a);
        bytes memory sb = _sign(keys[0], b);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.AlreadySlashed.selector, roundId, verifiers[0])
        );
        rounds.slashEquivocation(a, sa, b, sb);
        vm.assertEq(_free(verifiers[0]), 5000 ether, "safe for ever");
    }

    function test_attack_equivocatorKeepsItsFee() public {
        ITrainingRounds.Leaf[] memory rows = _settled();
        _equivocate(0);
        rounds.claim(roundId, rows[4], _proof(rows, 4));
        vm.assertEq(rounds.creditOf(verifiers[0]), 4 ether, "paid");
    }

    // 8
    function test_attack_signersReportEachOtherBeforeTheDecision() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence");
        vm.startPrank(STRANGER);
        _equivocate(0);
        _equivocate(1);
        vm.stopPrank();
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);
        vm.assertEq(_free(CHALLENGER), 100 ether, "its bond, nothing else");
        vm.assertEq(_free(STRANGER), 200 ether, "the signers' friend has the tenth");
    }

    function test_attack_friendChallengesFirst() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.prank(solvers[0]);
        rounds.challenge(roundId, "weak");
        vm.prank(CHALLENGER);
        _expectWrongPhase(ITrainingRounds.Phase.Disputed);
        rounds.challenge(roundId, "evidence");
    }

    // 9
    function test_attack_pauseStopsChallenges() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.prank(OWNER);
        rounds.pause();
        _fund(STRANGER, 10 ether);
        vm.startPrank(STRANGER);
        token.approve(address(vault), 10 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.EntriesPaused.selector));
        vault.deposit(10 ether);
        vm.stopPrank();
        _settle();
    }

    function test_attack_pauseInCommitPicksTheWinner() public {
        _open();
        _commit(1);
        vm.prank(OWNER);
        rounds.pause();
        bytes32 commitment = _commitment(solvers[1]);
        vm.prank(solvers[1]);
        vm.expectRevert();
        rounds.commit(roundId, commitment);
    }

    // 10
    function test_attack_revealBetweenTwoSlots() public {
        ITrainingRounds.RoundParams memory p = _params();
        p.revealDuration = 1;
        _open(p);
    }

    // 11
    function test_attack_everyPlaceInTheOpeningBlock() public {
        ITrainingRounds.RoundParams memory p = _params();
        p.maxSolvers = 2;
        _open(p);
        _commit(2);
        _assertPhase(ITrainingRounds.Phase.Gap);
    }

    // 12
    function test_attack_withheldSheetReturnsToTheProposer() public {
        _settled();
        vm.warp(_round().claimEnd);
        rounds.sweep(roundId);
        vm.assertEq(rounds.creditOf(PROPOSER), 129 ether, "budget, fee and bond");
    }

    // 13
    function test_attack_contractJoinsAndNeverSigns() public {
        address[] memory members = new address[](1);
        members[0] = address(this);
        uint256 id = sets.createVerifierSet(members, 1);
        sets.join(id);
        vm.assertTrue(sets.isActive(id), "active, and never able to sign");
    }

    function test_attack_unlockOverflows() public {
        vm.prank(address(this));
        (bool minted,) = address(token)
            .call(abi.encodeWithSignature("mint(address,uint256)", STRANGER, uint256(type(uint96).max)));
        vm.assertTrue(minted, "minted");
        vm.startPrank(STRANGER);
        token.approve(address(vault), type(uint256).max);
        vault.deposit(10 ether);
        vm.stopPrank();
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.startPrank(STRANGER);
        rounds.challenge(roundId, "evidence");
        uint256 free = vault.accountOf(STRANGER).free;
        vault.deposit(type(uint96).max - 10 ether);
        free;
        vm.stopPrank();
        token;
        _fund(STRANGER, 10 ether);
        vm.startPrank(STRANGER);
        vault.deposit(9.8 ether);
        vm.stopPrank();
        vm.prank(ARBITER);
        vm.expectRevert();
        rounds.resolve(roundId, true);
        vm.warp(_round().resolveEnd);
        vm.expectRevert();
        rounds.settle(roundId);
    }

    function test_attack_oneUnitUnbondedStopsTheSet() public {
        vm.prank(verifiers[2]);
        vault.requestUnbond(1);
        vm.assertTrue(sets.isActive(setId), "active");
        ITrainingRounds.RoundParams memory p = _params();
        vm.prank(PROPOSER);
        vm.expectRevert();
        rounds.openRound(p);
    }

    function test_attack_renounceWhilePaused() public {
        vm.startPrank(OWNER);
        rounds.pause();
        (bool done,) = address(rounds).call(abi.encodeWithSignature("renounceOwnership()"));
        vm.assertTrue(done, "paused for ever");
        vm.stopPrank();
    }

    // 3: long phases, cancelled at once: the hold stays
    function test_attack_longPhasesAndCancel() public {
        ITrainingRounds.RoundParams memory p = _params();
        (p.verifyDuration, p.challengeDuration) = (30 days, 30 days);
        _open(p);
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(verifiers[i]);
            sets.leave(setId);
        }
        vm.prank(verifiers[0]);
        vault.requestUnbond(VERIFIER_STAKE);
        vm.warp(_round().commitEnd);
        rounds.cancel(roundId);
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        vm.prank(verifiers[0]);
        vm.expectRevert();
        vault.withdrawUnbonded();
    }

    // 3: nothing bounds a hold
    function test_attack_holdLongerThanAgreed() public {
        ITrainingRounds.RoundParams memory p = _params();
        (p.commitDuration, p.gap, p.revealDuration) = (30 days, 30 days, 30 days);
        (p.verifyDuration, p.challengeDuration) = (30 days, 30 days);
        _open(p);
        vm.assertGt(vault.accountOf(verifiers[0]).heldUntil, vm.getBlockTimestamp() + 150 days, "no bound");
    }

    // 4: who calls draws, looks, and takes it back
    function test_attack_drawOrRevert() public {
        _open();
        _commit(1);
        _toReveal();
        for (uint256 i = 1; i < 200; ++i) {
            vm.roll(2000 + i);
            vm.prevrandao(i);
            vm.setBlockhash(1999 + i, keccak256(abi.encode("honest", i)));
            (bool done,) = address(this).call(abi.encodeCall(this.drawOnly, (3)));
            if (done) return;
        }
        revert("never");
    }

    function drawOnly(uint32 wanted) external {
        require(rounds.drawBeacon(roundId) == wanted, "not mine");
    }

    // 11 (and 4): a draw burns the shard, whatever becomes of the round
    function test_attack_drawsBurnEveryShard() public {
        for (uint256 i = 0; i < SHARDS; ++i) {
            _open();
            _commit(1);
            _toReveal();
            vm.roll(3000 + i);
            rounds.drawBeacon(roundId);
            vm.warp(_round().revealEnd);
            rounds.cancel(roundId);
            rounds.slashNonReveal(roundId, solvers[0]);
        }
        ITrainingRounds.RoundParams memory p = _params();
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NoShardsLeft.selector, projectId));
        rounds.openRound(p);
    }

    // 7: what was slashed away is forgotten: with new stake everything goes on
    function test_attack_debtorGoesOn() public {
        vm.prank(address(rounds));
        vault.slashStake(verifiers[0], STRANGER);
        _stake(verifiers[0], VERIFIER_STAKE);
        _open();
    }

    // 8: slashed elsewhere while disputed: the friend has the tenth
    function test_attack_signersLoseTheirStakeElsewhere() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence");
        vm.prank(address(rounds));
        vault.slashStake(verifiers[0], STRANGER);
        vm.prank(ARBITER);
        rounds.resolve(roundId, true);
        vm.assertEq(_free(STRANGER), 100 ether, "the friend's");
        vm.assertEq(_free(CHALLENGER), 200 ether, "one tenth of two");
    }

    // 10
    function test_attack_phasesOfOneSecond() public {
        ITrainingRounds.RoundParams memory p = _params();
        (p.commitDuration, p.gap, p.revealDuration, p.verifyDuration) = (1, 1, 1, 1);
        _open(p);
    }

    // 11: places taken by junk at no loss
    function test_attack_junkTakesPlacesAtNoLoss() public {
        _toVerify(4);
        ITrainingRounds.Leaf[] memory rows = new ITrainingRounds.Leaf[](4);
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _row(solvers[i], ITrainingRounds.Verdict.Excluded, 0);
        }
        _record(rows, 0, 100);
        _settle();
        for (uint256 i = 0; i < 4; ++i) {
            rounds.claim(roundId, rows[i], _proof(rows, i));
            vm.assertEq(_free(solvers[i]), SOLVER_STAKE, "all of it back");
        }
    }

    // 13: ninety days
    function test_attack_solverLeftOutOfTheTree() public {
        _toVerify(4);
        ITrainingRounds.Leaf[] memory rows = new ITrainingRounds.Leaf[](2);
        rows[0] = _row(solvers[0], ITrainingRounds.Verdict.Accepted, 60 ether);
        rows[1] = _row(solvers[1], ITrainingRounds.Verdict.Accepted, 30 ether);
        _record(rows, 98 ether, 100);
        _settle();
        vm.warp(vm.getBlockTimestamp() + 89 days);
        vm.prank(solvers[3]);
        vm.expectRevert();
        rounds.releaseBond(roundId);
    }

    // 13: a vault that never pays out, and one that pays at once
    function test_attack_deploymentThatTrapsStake() public {
        _create("StakeVault", abi.encode(token, address(1), TREASURY, VERIFIER_STAKE, type(uint64).max));
        _create("StakeVault", abi.encode(token, address(1), TREASURY, VERIFIER_STAKE, uint64(0)));
    }

    // events: a second reveal is told as a false one
    function test_attack_secondRevealLooksFalse() public {
        _open();
        _commit(2);
        _toReveal();
        _reveal(solvers[0]);
        vm.prank(solvers[0]);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.CommitmentMismatch.selector, roundId, solvers[0])
        );
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
    }
}
