// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../src/interfaces/IRounds.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {Phase, Standing} from "../src/types/Enums.sol";
import {RoundParams} from "../src/types/Round.sol";
import {BlockHeaders} from "./BlockHeaders.sol";
import {RoundTest} from "./RoundTest.sol";
import {SealedTree} from "./SealedTree.sol";
import {vm} from "./Vm.sol";

/// @dev Commit, beacon, unseal, reveal: every refusal and every attack on the order of things.
contract SolvingTest is RoundTest {
    // ---------------------------------------------------------------- commit

    function test_commit() public {
        _open();
        bytes32 commitment = _commitment(solvers[0]);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.Committed(roundId, solvers[0], commitment, 0, 5 ether);
        _commit(1);
        (bytes29 stored, Standing standing) = lens.commitmentOf(roundId, solvers[0]);
        vm.assertEq(bytes32(stored), bytes32(bytes29(commitment)), "commitment");
        vm.assertEq(uint256(standing), uint256(Standing.Committed), "standing");
        vm.assertEq(_locked(solvers[0]), 5 ether, "bond");
        vm.assertEq(_round().commits, 1, "commits");
        commitment = _commitment(solvers[1]);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.Committed(roundId, solvers[1], commitment, 1, 5 ether);
        vm.prank(solvers[1]);
        rounds.commit(roundId, commitment);
    }

    function test_commitOnlyInTime() public {
        bytes32 commitment = keccak256("c");
        vm.startPrank(solvers[0]);
        roundId = 1;
        _expectWrongPhase(Phase.None);
        rounds.commit(1, commitment);
        vm.stopPrank();
        _open();
        vm.warp(_round().commitEnd);
        vm.prank(solvers[0]);
        _expectWrongPhase(Phase.Cancellable);
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
        vm.expectRevert(abi.encodeWithSelector(IRounds.AlreadyCommitted.selector, roundId, solvers[0]));
        rounds.commit(roundId, keccak256("second thoughts"));
    }

    function test_verifierCannotCommit() public {
        _open();
        _stake(verifiers[0], 50 ether);
        vm.prank(verifiers[0]);
        vm.expectRevert(abi.encodeWithSelector(IRounds.VerifierCannotCommit.selector, roundId, verifiers[0]));
        rounds.commit(roundId, keccak256("own delta"));
    }

    function test_commitNeedsFreeStake() public {
        _open();
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InsufficientStake.selector, STRANGER, 0, 5 ether));
        rounds.commit(roundId, keccak256("c"));
    }

    /// @dev What a state reads as is a commitment like any other: the standing is not part of it.
    function testFuzz_commitmentIsNoMark(uint24 mark) public {
        _open();
        vm.prank(solvers[0]);
        rounds.commit(roundId, bytes32(uint256(mark)));
        _assertStanding(solvers[0], Standing.Committed);
        vm.prank(solvers[0]);
        vm.expectRevert(abi.encodeWithSelector(IRounds.AlreadyCommitted.selector, roundId, solvers[0]));
        rounds.commit(roundId, bytes32(uint256(mark)));
    }

    function test_lastPlaceClosesTheCommits() public {
        RoundParams memory params = _params();
        params.maxSolvers = 2;
        _open(params);
        vm.warp(vm.getBlockTimestamp() + 40 minutes);
        uint64 time = uint64(vm.getBlockTimestamp());
        _commit(1);
        _assertPhase(Phase.Commit);
        bytes32 commitment = _commitment(solvers[1]);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.CommitsClosed(roundId, time);
        vm.prank(solvers[1]);
        rounds.commit(roundId, commitment);
        _assertPhase(Phase.Gap);
        vm.assertEq(_round().commitEnd, time, "commitEnd");
        vm.assertEq(_round().revealStart, time + 60, "revealStart");
        vm.assertEq(_round().revealEnd, time + 60 + 1 hours, "revealEnd");
        vm.assertEq(_round().verifyEnd, time + 60 + 3 hours, "verifyEnd");
        vm.prank(solvers[2]);
        _expectWrongPhase(Phase.Gap);
        rounds.commit(roundId, commitment);
    }

    // ---------------------------------------------------------------- beacon

    function test_drawBeacon() public {
        _open();
        _commit(1);
        vm.warp(_round().commitEnd);
        vm.roll(2000);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.BeaconFixed(roundId, 2000 + BEACON_DELAY, STRANGER, KEEPER_REWARD);
        vm.prank(STRANGER);
        rounds.closeCommits(roundId);
        uint256 at = 2000 + BEACON_DELAY;
        vm.assertEq(_round().beaconBlock, at, "block");
        bytes memory header = BlockHeaders.encode(at, bytes32(uint256(123)));
        vm.roll(at + 1);
        vm.setBlockhash(at, keccak256(header));
        uint256 beacon = uint256(keccak256(abi.encode(uint256(123), roundId)));
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.BeaconDrawn(roundId, beacon, uint32(beacon % SHARDS), STRANGER, KEEPER_REWARD);
        vm.prank(STRANGER);
        uint32 index = rounds.drawBeacon(roundId, header);
        vm.assertEq(_round().evaluationIndex, index, "index");
        vm.assertEq(lens.getProject(projectId).usedShards, 0, "not burnt by the draw");
        vm.assertEq(_free(STRANGER), 2 * KEEPER_REWARD, "paid for both");
    }

    function test_beaconNotBeforeCommitsClosed() public {
        _open();
        _commit(1);
        _expectWrongPhase(Phase.Commit);
        rounds.closeCommits(roundId);
        _expectWrongPhase(Phase.Commit);
        rounds.drawBeacon(roundId, "");
    }

    function test_beaconNeedsACommit() public {
        _open();
        vm.warp(_round().commitEnd);
        _expectWrongPhase(Phase.Cancellable);
        rounds.closeCommits(roundId);
    }

    function test_beaconNeedsItsBlock() public {
        _open();
        _commit(1);
        _toReveal();
        vm.expectRevert(abi.encodeWithSelector(IRounds.BeaconNotFixed.selector, roundId));
        rounds.drawBeacon(roundId, "");
        rounds.closeCommits(roundId);
        vm.expectRevert(abi.encodeWithSelector(IRounds.BeaconAlreadyFixed.selector, roundId));
        rounds.closeCommits(roundId);
        uint256 at = _round().beaconBlock;
        vm.roll(at);
        vm.expectRevert(abi.encodeWithSelector(IRounds.BeaconTooEarly.selector, roundId, at));
        rounds.drawBeacon(roundId, "");
    }

    function test_beaconOnce() public {
        _open();
        _commit(1);
        _toReveal();
        _draw();
        vm.expectRevert(abi.encodeWithSelector(IRounds.BeaconAlreadyDrawn.selector, roundId));
        rounds.drawBeacon(roundId, "");
        vm.expectRevert(abi.encodeWithSelector(IRounds.BeaconAlreadyFixed.selector, roundId));
        rounds.closeCommits(roundId);
    }

    function test_beaconNotAfterTheReveals() public {
        _open();
        _commit(1);
        vm.warp(_round().revealEnd);
        _expectWrongPhase(Phase.Cancellable);
        rounds.closeCommits(roundId);
        _expectWrongPhase(Phase.Cancellable);
        rounds.drawBeacon(roundId, "");
    }

    /// @dev A shard counts as used once unsealed, and is never drawn again.
    function test_noSecondDrawOfAnUnsealedShard() public {
        uint256 seen = 0;
        for (uint256 i = 0; i < SHARDS; ++i) {
            _open();
            _commit(1);
            _toReveal();
            _unseal();
            uint256 bit = 1 << _round().evaluationIndex;
            vm.assertEq(seen & bit, 0, "drawn before");
            seen |= bit;
            vm.assertEq(lens.getProject(projectId).usedShards, seen, "used");
            vm.warp(_round().revealEnd);
            rounds.cancel(roundId);
            rounds.slashNonReveal(roundId, solvers[0]);
        }
        vm.assertEq(seen, (1 << SHARDS) - 1, "all drawn");
        RoundParams memory params = _params();
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NoShardsLeft.selector, projectId));
        rounds.openRound(params);
    }

    // ---------------------------------------------------------------- unseal

    function test_unseal() public {
        _open();
        _commit(1);
        vm.warp(_round().commitEnd + 1);
        _assertPhase(Phase.Gap);
        uint32 index = _draw();
        (bytes32 shard, bytes32 blinding) = _shard(index);
        bytes32[] memory proof = SealedTree.proof(SHARDS, index);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.ShardUnsealed(roundId, index, shard, blinding);
        vm.prank(PROPOSER);
        rounds.unseal(roundId, shard, blinding, proof);
        vm.assertTrue(_round().unsealed, "unsealed");
        vm.assertTrue(lens.isShardUsed(projectId, shard), "shard");
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(IRounds.AlreadyUnsealed.selector, roundId));
        rounds.unseal(roundId, shard, blinding, proof);
    }

    function test_unsealRefusals() public {
        _open();
        _commit(1);
        _toReveal();
        vm.prank(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(IRounds.BeaconNotDrawn.selector, roundId));
        rounds.unseal(roundId, 0, 0, new bytes32[](0));
        uint32 index = _draw();
        (bytes32 shard, bytes32 blinding) = _shard(index);
        bytes32[] memory proof = SealedTree.proof(SHARDS, index);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotProposer.selector, roundId, STRANGER));
        rounds.unseal(roundId, shard, blinding, proof);

        vm.startPrank(PROPOSER);
        bytes memory wrong = abi.encodeWithSelector(IRounds.WrongShard.selector, roundId, index);
        vm.expectRevert(wrong);
        rounds.unseal(roundId, shard, keccak256("other blinding"), proof);
        vm.expectRevert(wrong);
        rounds.unseal(roundId, keccak256("other shard"), blinding, proof);
        // A shard of the project, but not the drawn one.
        (bytes32 other, bytes32 otherBlinding) = _shard((index + 1) % SHARDS);
        bytes32[] memory otherProof = SealedTree.proof(SHARDS, (index + 1) % SHARDS);
        vm.expectRevert(wrong);
        rounds.unseal(roundId, other, otherBlinding, otherProof);

        vm.warp(_round().revealEnd);
        _expectWrongPhase(Phase.Cancellable);
        rounds.unseal(roundId, shard, blinding, proof);
    }

    // ---------------------------------------------------------------- reveal

    function test_reveal() public {
        _open();
        _commit(2);
        _toReveal();
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.Revealed(roundId, solvers[0], _digest(solvers[0]), _salt(solvers[0]));
        _reveal(solvers[0]);
        _assertStanding(solvers[0], Standing.Revealed);
        vm.assertEq(_locked(solvers[0]), 5 ether, "the bond stays");
        vm.assertEq(_round().reveals, 1, "reveals");
    }

    function test_revealOnlyInTime() public {
        _open();
        _commit(1);
        vm.prank(solvers[0]);
        _expectWrongPhase(Phase.Commit);
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
        vm.warp(_round().revealStart - 1);
        vm.prank(solvers[0]);
        _expectWrongPhase(Phase.Gap);
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
        vm.warp(_round().revealEnd);
        vm.prank(solvers[0]);
        _expectWrongPhase(Phase.Cancellable);
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
    }

    function test_revealOnce() public {
        _open();
        _commit(2);
        _toReveal();
        _reveal(solvers[0]);
        vm.prank(solvers[0]);
        vm.expectRevert(abi.encodeWithSelector(IRounds.AlreadyRevealed.selector, roundId, solvers[0]));
        rounds.reveal(roundId, _digest(solvers[0]), _salt(solvers[0]));
    }

    function test_revealOfAnotherDelta() public {
        _open();
        _commit(1);
        _toReveal();
        vm.startPrank(solvers[0]);
        _expect(IRounds.CommitmentMismatch.selector);
        rounds.reveal(roundId, keccak256("better delta"), _salt(solvers[0]));
        _expect(IRounds.CommitmentMismatch.selector);
        rounds.reveal(roundId, _digest(solvers[0]), keccak256("other salt"));
    }

    function test_revealWithoutCommit() public {
        _open();
        _commit(1);
        _toReveal();
        vm.prank(STRANGER);
        _expect(IRounds.CommitmentMismatch.selector);
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
        _expect(IRounds.CommitmentMismatch.selector);
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
            _expect(IRounds.CommitmentMismatch.selector);
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
        _assertPhase(Phase.Reveal);
        vm.warp(vm.getBlockTimestamp() + 5);
        uint64 time = uint64(vm.getBlockTimestamp());
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.RevealsClosed(roundId, time);
        _reveal(solvers[1]);
        _assertPhase(Phase.Verify);
        vm.assertEq(_round().verifyEnd, time + 2 hours, "verifyEnd");
    }

    function test_unsealClosesWhenAllRevealed() public {
        _open();
        _commit(2);
        _toReveal();
        _revealAll(2);
        _assertPhase(Phase.Reveal);
        _unseal();
        _assertPhase(Phase.Verify);
    }

    function test_revealsStayOpenForTheMissing() public {
        _open();
        _commit(2);
        _toReveal();
        _unseal();
        _reveal(solvers[0]);
        vm.warp(_round().revealEnd - 1);
        _assertPhase(Phase.Reveal);
        vm.warp(_round().revealEnd);
        _assertPhase(Phase.Verify);
    }
}
