// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Commit, beacon, unseal, reveal: every refusal and every attack on the order of things.
contract SolvingTest is RoundTest {
    // ---------------------------------------------------------------- commit

    function test_commit() public {
        _open();
        bytes32 commitment = _commitment(solvers[0]);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.Committed(roundId, solvers[0], commitment, 0);
        _commit(1);
        (bytes32 stored, uint8 standing) = rounds.commitmentOf(roundId, solvers[0]);
        vm.assertEq(stored, commitment, "commitment");
        vm.assertEq(standing, uint256(ITrainingRounds.Standing.Committed), "standing");
        vm.assertEq(_locked(solvers[0]), 5 ether, "bond");
        vm.assertEq(_round().commits, 1, "commits");
    }

    function test_commitOnlyInTime() public {
        bytes32 commitment = keccak256("c");
        vm.startPrank(solvers[0]);
        roundId = 1;
        _expectWrongPhase(ITrainingRounds.Phase.None);
        rounds.commit(1, commitment);
        vm.stopPrank();
        _open();
        vm.warp(_round().commitEnd);
        vm.prank(solvers[0]);
        _expectWrongPhase(ITrainingRounds.Phase.Cancellable);
        rounds.commit(roundId, commitment);
    }

    function test_commitAtTheLastSecond() public {
        _open();
        vm.warp(_round().commitEnd - 1);
        _commit(1);
    }

    function test_commitOncePerAddress() public {
        _open();
        _commit(1);
        vm.prank(solvers[0]);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.AlreadyCommitted.selector, roundId, solvers[0])
        );
        rounds.commit(roundId, keccak256("second thoughts"));
    }

    function test_verifierCannotCommit() public {
        _open();
        _stake(verifiers[0], 50 ether);
        vm.prank(verifiers[0]);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.VerifierCannotCommit.selector, roundId, verifiers[0])
        );
        rounds.commit(roundId, keccak256("own delta"));
    }

    function test_commitNeedsFreeStake() public {
        _open();
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, STRANGER, 0, 5 ether));
        rounds.commit(roundId, keccak256("c"));
    }

    /// @dev Values that mean a state must never be accepted as commitments.
    function testFuzz_commitmentIsNoMark(uint8 mark) public {
        _open();
        vm.prank(solvers[0]);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.BadCommitment.selector, bytes32(uint256(mark)))
        );
        rounds.commit(roundId, bytes32(uint256(mark)));
    }

    function test_lastPlaceClosesTheCommits() public {
        ITrainingRounds.RoundParams memory params = _params();
        params.maxSolvers = 2;
        _open(params);
        vm.warp(vm.getBlockTimestamp() + 100);
        uint64 time = uint64(vm.getBlockTimestamp());
        _commit(1);
        _assertPhase(ITrainingRounds.Phase.Commit);
        bytes32 commitment = _commitment(solvers[1]);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.CommitsClosed(roundId, time);
        vm.prank(solvers[1]);
        rounds.commit(roundId, commitment);
        _assertPhase(ITrainingRounds.Phase.Gap);
        vm.assertEq(_round().commitEnd, time, "commitEnd");
        vm.assertEq(_round().revealStart, time + 60, "revealStart");
        vm.assertEq(_round().revealEnd, time + 60 + 1 hours, "revealEnd");
        vm.assertEq(_round().verifyEnd, time + 60 + 3 hours, "verifyEnd");
        vm.prank(solvers[2]);
        _expectWrongPhase(ITrainingRounds.Phase.Gap);
        rounds.commit(roundId, commitment);
    }

    // ---------------------------------------------------------------- beacon

    function test_drawBeacon() public {
        _open();
        _commit(1);
        vm.warp(_round().commitEnd + 1);
        vm.prevrandao(123);
        vm.roll(2000);
        vm.setBlockhash(1999, bytes32(uint256(456)));
        uint256 beacon = uint256(keccak256(abi.encode(uint256(123), uint256(456), roundId)));
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.BeaconDrawn(roundId, beacon, uint32(beacon % SHARDS));
        vm.prank(STRANGER);
        uint32 index = rounds.drawBeacon(roundId);
        vm.assertEq(_round().evaluationIndex, index, "index");
        vm.assertEq(registry.getProject(projectId).usedShards, 1 << index, "burnt");
    }

    function test_beaconNotBeforeCommitsClosed() public {
        _open();
        _commit(1);
        _expectWrongPhase(ITrainingRounds.Phase.Commit);
        rounds.drawBeacon(roundId);
    }

    function test_beaconNeedsACommit() public {
        _open();
        vm.warp(_round().commitEnd + 1);
        _expectWrongPhase(ITrainingRounds.Phase.Cancellable);
        rounds.drawBeacon(roundId);
    }

    /// @dev The one who fills the last place must not see the draw and take the commit back in the same transaction.
    function test_beaconNotInTheSecondOfTheClose() public {
        ITrainingRounds.RoundParams memory params = _params();
        params.maxSolvers = 1;
        _open(params);
        _commit(1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.BeaconTooEarly.selector, roundId));
        rounds.drawBeacon(roundId);
        vm.warp(vm.getBlockTimestamp() + 1);
        rounds.drawBeacon(roundId);
    }

    function test_beaconOnce() public {
        _open();
        _commit(1);
        _toReveal();
        rounds.drawBeacon(roundId);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.BeaconAlreadyDrawn.selector, roundId));
        rounds.drawBeacon(roundId);
    }

    function test_beaconNotAfterTheReveals() public {
        _open();
        _commit(1);
        vm.warp(_round().revealEnd);
        _expectWrongPhase(ITrainingRounds.Phase.Cancellable);
        rounds.drawBeacon(roundId);
    }

    /// @dev A proposer that dislikes the draw and lets the round lapse has burnt the shard.
    function test_noSecondDrawOfTheSameShard() public {
        uint256 seen = 0;
        for (uint256 i = 0; i < SHARDS; ++i) {
            _open();
            _commit(1);
            _toReveal();
            vm.prevrandao(i * 31);
            uint256 bit = 1 << rounds.drawBeacon(roundId);
            vm.assertEq(seen & bit, 0, "drawn before");
            seen |= bit;
            vm.warp(_round().revealEnd);
            rounds.cancel(roundId);
            rounds.slashNonReveal(roundId, solvers[0]);
        }
        vm.assertEq(seen, (1 << SHARDS) - 1, "all drawn");
    }

    // ---------------------------------------------------------------- unseal

    function test_unseal() public {
        _open();
        _commit(1);
        vm.warp(_round().commitEnd + 1);
        _assertPhase(ITrainingRounds.Phase.Gap);
        uint32 index = rounds.drawBeacon(roundId);
        (bytes32 shard, bytes32 blinding) = _shard(index);
        bytes32[] memory proof = MerkleTree.proof(shardLeaves, shardLeaves[index]);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.ShardUnsealed(roundId, index, shard, blinding);
        vm.prank(PROPOSER);
        rounds.unseal(roundId, shard, blinding, proof);
        vm.assertTrue(_round().unsealed, "unsealed");
        vm.assertEq(_round().shard, shard, "shard");
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.AlreadyUnsealed.selector, roundId));
        rounds.unseal(roundId, shard, blinding, proof);
    }

    function test_unsealRefusals() public {
        _open();
        _commit(1);
        _toReveal();
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.BeaconNotDrawn.selector, roundId));
        rounds.unseal(roundId, 0, 0, new bytes32[](0));
        uint32 index = rounds.drawBeacon(roundId);
        (bytes32 shard, bytes32 blinding) = _shard(index);
        bytes32[] memory proof = MerkleTree.proof(shardLeaves, shardLeaves[index]);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotProposer.selector, roundId, STRANGER));
        rounds.unseal(roundId, shard, blinding, proof);

        vm.startPrank(PROPOSER);
        bytes memory wrong = abi.encodeWithSelector(ITrainingRounds.WrongShard.selector, roundId, index);
        vm.expectRevert(wrong);
        rounds.unseal(roundId, shard, keccak256("other blinding"), proof);
        vm.expectRevert(wrong);
        rounds.unseal(roundId, keccak256("other shard"), blinding, proof);
        // A shard of the project, but not the drawn one.
        (bytes32 other, bytes32 otherBlinding) = _shard((index + 1) % SHARDS);
        bytes32[] memory otherProof = MerkleTree.proof(shardLeaves, shardLeaves[(index + 1) % SHARDS]);
        vm.expectRevert(wrong);
        rounds.unseal(roundId, other, otherBlinding, otherProof);

        vm.warp(_round().revealEnd);
        _expectWrongPhase(ITrainingRounds.Phase.Cancellable);
        rounds.unseal(roundId, shard, blinding, proof);
    }

    // ---------------------------------------------------------------- reveal

    function test_reveal() public {
        _open();
        _commit(2);
        _toReveal();
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.Revealed(roundId, solvers[0], _digest(solvers[0]), _salt(solvers[0]));
        _reveal(solvers[0]);
        _assertStanding(solvers[0], ITrainingRounds.Standing.Revealed);
        vm.assertEq(_locked(solvers[0]), 5 ether, "the bond stays");
        vm.assertEq(_round().reveals, 1, "reveals");
    }

    function test_revealOnlyInTime() public {
        _open();
        _commit(1);
        vm.prank(solvers[0]);
        _expectWrongPhase(ITrainingRounds.Phase.Commit);
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
        vm.warp(_round().revealStart - 1);
        vm.prank(solvers[0]);
        _expectWrongPhase(ITrainingRounds.Phase.Gap);
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
        vm.warp(_round().revealEnd);
        vm.prank(solvers[0]);
        _expectWrongPhase(ITrainingRounds.Phase.Cancellable);
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
    }

    function test_revealOnce() public {
        _open();
        _commit(2);
        _toReveal();
        _reveal(solvers[0]);
        vm.prank(solvers[0]);
        _expect(ITrainingRounds.CommitmentMismatch.selector);
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
    }

    function test_revealOfAnotherDelta() public {
        _open();
        _commit(1);
        _toReveal();
        vm.startPrank(solvers[0]);
        _expect(ITrainingRounds.CommitmentMismatch.selector);
        rounds.reveal(roundId, keccak256("better delta"), _salt(solvers[0]));
        _expect(ITrainingRounds.CommitmentMismatch.selector);
        rounds.reveal(roundId, _digest(solvers[0]), keccak256("other salt"));
    }

    function test_revealWithoutCommit() public {
        _open();
        _commit(1);
        _toReveal();
        vm.prank(STRANGER);
        _expect(ITrainingRounds.CommitmentMismatch.selector);
        rounds.reveal(roundId, _digest(STRANGER), _salt(STRANGER));
    }

    /// @dev Copying a commitment from the mempool is useless: it opens for its author only.
    function testFuzz_copiedCommitmentCannotBeOpened(bytes32 digest, bytes32 salt) public {
        _open();
        bytes32 commitment =
            keccak256(abi.encode(block.chainid, address(rounds), roundId, solvers[0], digest, salt));
        vm.prank(solvers[1]);
        rounds.commit(roundId, commitment);
        vm.prank(solvers[0]);
        rounds.commit(roundId, commitment);
        _toReveal();
        vm.prank(solvers[0]);
        rounds.reveal(roundId, digest, salt);
        vm.prank(solvers[1]);
        _expect(ITrainingRounds.CommitmentMismatch.selector);
        rounds.reveal(roundId, digest, salt);
    }

    /// @dev A commitment made for another chain, contract or round does not open here.
    function testFuzz_commitmentIsBoundToItsPlace(uint64 chain, address other, uint256 otherRound) public {
        _open();
        (bytes32 digest, bytes32 salt) = (keccak256("d"), keccak256("s"));
        vm.assume(chain != block.chainid && other != address(rounds) && otherRound != roundId);
        bytes32[3] memory foreign = [
            keccak256(abi.encode(uint256(chain), address(rounds), roundId, solvers[0], digest, salt)),
            keccak256(abi.encode(block.chainid, other, roundId, solvers[1], digest, salt)),
            keccak256(abi.encode(block.chainid, address(rounds), otherRound, solvers[2], digest, salt))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(solvers[i]);
            rounds.commit(roundId, foreign[i]);
        }
        _toReveal();
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(solvers[i]);
            _expect(ITrainingRounds.CommitmentMismatch.selector);
            rounds.reveal(roundId, digest, salt);
        }
    }

    // ---------------------------------------------------------------- early close of the reveals

    function test_lastRevealClosesWhenUnsealed() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        _reveal(solvers[0]);
        _assertPhase(ITrainingRounds.Phase.Reveal);
        vm.warp(vm.getBlockTimestamp() + 5);
        uint64 time = uint64(vm.getBlockTimestamp());
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.RevealsClosed(roundId, time);
        _reveal(solvers[1]);
        _assertPhase(ITrainingRounds.Phase.Verify);
        vm.assertEq(_round().verifyEnd, time + 2 hours, "verifyEnd");
    }

    function test_unsealClosesWhenAllRevealed() public {
        _open();
        _commit(2);
        _toReveal();
        _revealAll(2);
        _assertPhase(ITrainingRounds.Phase.Reveal);
        _unseal();
        _assertPhase(ITrainingRounds.Phase.Verify);
    }

    function test_revealsStayOpenForTheMissing() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        _reveal(solvers[0]);
        vm.warp(_round().revealEnd - 1);
        _assertPhase(ITrainingRounds.Phase.Reveal);
        vm.warp(_round().revealEnd);
        _assertPhase(ITrainingRounds.Phase.Verify);
    }
}
