// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClaims} from "../src/interfaces/IClaims.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {Phase, Standing, Verdict} from "../src/types/Enums.sol";
import {Leaf, Opening, ProvenLeaf, RoundParams, Signature, SignedCommit} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Commits, reveals and claims of many in one call: by signatures and salts, each once, none at another's cost.
contract BatchesTest is RoundTest {
    function _solverKey(uint256 i) private pure returns (uint256) {
        return _key(string.concat("solver ", vm.toString(i)));
    }

    /// @dev A commit of solver `i` in the round, signed by itself.
    function _signed(uint256 i) private view returns (SignedCommit memory) {
        return _signedBy(_solverKey(i), solvers[i]);
    }

    function _signedBy(uint256 key, address solver) private view returns (SignedCommit memory) {
        bytes32 commitment = _commitment(solver);
        Signature memory s = _compact(key, lens.hashCommit(roundId, commitment));
        return SignedCommit(solver, commitment, s.r, s.vs);
    }

    function _commits(uint256 count) private view returns (SignedCommit[] memory commits) {
        commits = new SignedCommit[](count);
        for (uint256 i = 0; i < count; ++i) {
            commits[i] = _signed(i);
        }
    }

    function _openings(uint256 count) private view returns (Opening[] memory openings) {
        openings = new Opening[](count);
        for (uint256 i = 0; i < count; ++i) {
            openings[i] = Opening(solvers[i], _digest(solvers[i]), _salt(solvers[i]));
        }
    }

    function _assertCommits(uint256 count) private view {
        vm.assertEq(_round().commits, count, "commits");
        for (uint256 i = 0; i < SOLVERS; ++i) {
            vm.assertEq(_locked(solvers[i]), i < count ? 5 ether : 0, "bond");
        }
    }

    // ---------------------------------------------------------------- commits

    function test_commitMany() public {
        _open();
        SignedCommit[] memory commits = _commits(3);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.Committed(roundId, solvers[0], commits[0].commitment, 0, 5 ether);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.Committed(roundId, solvers[1], commits[1].commitment, 1, 5 ether);
        vm.prank(STRANGER);
        rounds.commitMany(roundId, commits);
        _assertCommits(3);
        (bytes29 stored,) = lens.commitmentOf(roundId, solvers[2]);
        vm.assertEq(bytes32(stored), bytes32(bytes29(commits[2].commitment)), "commitment");
    }

    /// @dev Nobody's stake is locked by somebody else's signature.
    function test_attack_relayerForgesACommit() public {
        _open();
        SignedCommit[] memory commits = _commits(2);
        commits[1] = _signedBy(_solverKey(0), solvers[1]);
        rounds.commitMany(roundId, commits);
        _assertCommits(1);
        commits[0] = _signed(1);
        commits[0].commitment = keccak256("the relayer's own");
        rounds.commitMany(roundId, commits);
        _assertCommits(1);
        (commits[0].r, commits[0].vs) = (0, 0);
        rounds.commitMany(roundId, commits);
        _assertCommits(1);
    }

    /// @dev A signature is for one round of one contract on one chain, and counts once.
    function test_attack_relayerReplaysCommits() public {
        _open();
        SignedCommit[] memory commits = new SignedCommit[](2);
        (commits[0], commits[1]) = (_signed(0), _signed(0));
        rounds.commitMany(roundId, commits);
        _assertCommits(1);
        rounds.commitMany(roundId, commits);
        _assertCommits(1);
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, setId);
        _open();
        rounds.commitMany(roundId, commits);
        vm.assertEq(_round().commits, 0, "another round");
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        commits = _commits(2);
        vm.chainId(chain);
        rounds.commitMany(roundId, commits);
        vm.assertEq(_round().commits, 0, "another chain");
    }

    /// @dev One that cannot commit does not stop the others: too little stake, a debt, somebody's duty in another set.
    function test_attack_oneBadCommitSpoilsTheBatch() public {
        vm.prank(solvers[1]);
        rounds.withdraw(SOLVER_STAKE - 5 ether + 1, solvers[1]);
        vm.prank(PARTNER);
        rounds.slashStake(solvers[2], STRANGER);
        _stake(solvers[2], SOLVER_STAKE);
        address[] memory members = new address[](1);
        members[0] = _actor("lone verifier");
        _stake(members[0], VERIFIER_STAKE);
        vm.prank(PROPOSER);
        setId = rounds.createVerifierSet(members, 1, CAP, MAX_HOLD);
        vm.prank(members[0]);
        rounds.join(setId);
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, setId);
        _open();
        SignedCommit[] memory commits = new SignedCommit[](5);
        commits[0] = _signed(1);
        commits[1] = _signed(2);
        commits[2] = _signedBy(keys[1], verifiers[1]);
        commits[3] = _signed(0);
        commits[4] = _signed(3);
        rounds.commitMany(roundId, commits);
        vm.assertEq(_round().commits, 2, "the good ones");
        _assertStanding(solvers[0], Standing.Committed);
        _assertStanding(solvers[3], Standing.Committed);
    }

    /// @dev The bond of an earlier round is not overwritten by a relayed commit in its lane either.
    function test_attack_batchOverwritesABond() public {
        for (uint256 i = 0; i < 8; ++i) {
            _open();
            if (i == 0) _commit(1);
            vm.warp(_round().revealEnd);
            rounds.cancel(roundId);
        }
        _open();
        rounds.commitMany(roundId, _commits(2));
        vm.assertEq(_round().commits, 1, "the other one");
        vm.assertEq(_locked(solvers[0]), 5 ether, "the old bond");
        rounds.slashNonReveal(1, solvers[0]);
        vm.assertEq(_locked(solvers[0]), 0, "is still there to take");
    }

    function test_attack_batchBeyondThePlaces() public {
        RoundParams memory params = _params();
        params.maxSolvers = 2;
        _open(params);
        uint64 half = uint64(vm.getBlockTimestamp()) + 30 minutes;
        rounds.commitMany(roundId, _commits(4));
        _assertCommits(2);
        vm.assertEq(_round().commitEnd, half, "half of COMMIT");
        SignedCommit[] memory more = _commits(4);
        vm.expectRevert(abi.encodeWithSelector(IRounds.RoundFull.selector, roundId));
        rounds.commitMany(roundId, more);
        vm.warp(half);
        _expectWrongPhase(Phase.Gap);
        rounds.commitMany(roundId, more);
    }

    function test_attack_batchEvadesTheAllowList() public {
        RoundParams memory params = _params();
        params.allowList = keccak256("list");
        _open(params);
        SignedCommit[] memory commits = _commits(1);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotListed.selector, roundId, address(this)));
        rounds.commitMany(roundId, commits);
    }

    // ---------------------------------------------------------------- reveals

    function test_revealMany() public {
        _open();
        _commit(3);
        Opening[] memory openings = _openings(3);
        _expectWrongPhase(Phase.Commit);
        rounds.revealMany(roundId, openings);
        _toReveal();
        _unseal();
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.RevealsClosed(roundId, uint64(vm.getBlockTimestamp()));
        vm.prank(STRANGER);
        rounds.revealMany(roundId, openings);
        vm.assertEq(_round().reveals, 3, "reveals");
        _assertPhase(Phase.Verify);
    }

    /// @dev What was opened before is left out: nobody ends REVEAL for the others by repeating itself.
    function test_attack_repeatedRevealsCloseTheRound() public {
        _open();
        _commit(3);
        _toReveal();
        _unseal();
        Opening[] memory openings = new Opening[](3);
        for (uint256 i = 0; i < 3; ++i) {
            openings[i] = _openings(1)[0];
        }
        rounds.revealMany(roundId, openings);
        vm.assertEq(_round().reveals, 1, "once");
        rounds.revealMany(roundId, openings);
        vm.assertEq(_round().reveals, 1, "and once for all");
        _assertPhase(Phase.Reveal);
    }

    function test_revealManyNeedsTheSalts() public {
        _open();
        _commit(2);
        _toReveal();
        Opening[] memory openings = _openings(2);
        openings[1].salt = 0;
        vm.expectRevert(abi.encodeWithSelector(IRounds.CommitmentMismatch.selector, roundId, solvers[1]));
        rounds.revealMany(roundId, openings);
        vm.assertEq(_round().reveals, 0, "none");
    }

    // ---------------------------------------------------------------- claims

    function _proven(Leaf[] memory rows, uint256[4] memory which)
        private
        view
        returns (ProvenLeaf[] memory leaves)
    {
        leaves = new ProvenLeaf[](4);
        for (uint256 i = 0; i < 4; ++i) {
            leaves[i] = ProvenLeaf(rows[which[i]], _proof(rows, which[i]));
        }
    }

    function test_claimMany() public {
        Leaf[] memory rows = _settled();
        vm.prank(STRANGER);
        rounds.claimMany(roundId, _proven(rows, [uint256(0), 1, 2, 4]));
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE + 60 ether, "first");
        vm.assertEq(_free(solvers[1]), SOLVER_STAKE + 30 ether, "second");
        vm.assertEq(_free(solvers[2]), SOLVER_STAKE - 1 ether, "excluded");
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE + 4 ether, "fee");
        vm.assertEq(_round().unclaimed, 4 ether, "the other fee");
    }

    /// @dev Rows are paid once, in one batch or in several.
    function test_attack_claimsAreReplayed() public {
        Leaf[] memory rows = _settled();
        rounds.claimMany(roundId, _proven(rows, [uint256(0), 0, 4, 4]));
        rounds.claimMany(roundId, _proven(rows, [uint256(0), 4, 0, 4]));
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE + 60 ether, "reward");
        vm.assertEq(_free(verifiers[0]), VERIFIER_STAKE + 4 ether, "fee");
        vm.assertEq(_round().unclaimed, 34 ether, "unclaimed");
        bytes32[] memory proof = _proof(rows, 0);
        vm.expectRevert(abi.encodeWithSelector(IClaims.NotRevealed.selector, roundId, solvers[0]));
        rounds.claim(roundId, rows[0], proof);
    }

    /// @dev Together the rows of a batch get no more than the payout.
    function test_attack_batchBeyondThePayout() public {
        _toVerify(4);
        Leaf[] memory rows = _rows();
        rows[0].amount = 80 ether;
        rows[1].amount = 80 ether;
        _record(rows, 98 ether, 100);
        _settle();
        rounds.claimMany(roundId, _proven(rows, [uint256(0), 1, 0, 1]));
        vm.assertEq(_free(solvers[0]) + _free(solvers[1]), 2 * SOLVER_STAKE + 98 ether, "the payout");
        vm.assertEq(_round().unclaimed, 0, "nothing left");
    }

    function test_claimManyRefusals() public {
        _toVerify(4);
        Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        ProvenLeaf[] memory leaves = _proven(rows, [uint256(0), 1, 2, 3]);
        _expectWrongPhase(Phase.Challenge);
        rounds.claimMany(roundId, leaves);
        _settle();
        vm.expectRevert(abi.encodeWithSelector(IClaims.VerdictCannotClaim.selector, Verdict.Invalid));
        rounds.claimMany(roundId, leaves);
        leaves[3].leaf = _row(STRANGER, Verdict.Accepted, 1);
        vm.expectRevert(abi.encodeWithSelector(IClaims.BadProof.selector, roundId, STRANGER));
        rounds.claimMany(roundId, leaves);
        uint64 claimEnd = _round().claimEnd;
        vm.warp(claimEnd);
        vm.expectRevert(abi.encodeWithSelector(IClaims.ClaimsEnded.selector, roundId, claimEnd));
        rounds.claimMany(roundId, leaves);
    }
}
