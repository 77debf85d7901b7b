// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev One honest round from opening to the last withdrawal: every phase, every token accounted for.
contract LifecycleTest is RoundTest {
    function test_honestRound() public {
        uint256 funds = token.balanceOf(PROPOSER);
        _open();
        vm.assertEq(token.balanceOf(PROPOSER), funds - 129 ether, "escrow");
        _assertPhase(ITrainingRounds.Phase.Commit);
        _commit(4);
        vm.assertEq(_locked(solvers[0]), 5 ether, "bond");

        vm.warp(_round().commitEnd);
        _assertPhase(ITrainingRounds.Phase.Gap);
        _toReveal();
        _assertPhase(ITrainingRounds.Phase.Reveal);
        _revealAll(4);
        _assertPhase(ITrainingRounds.Phase.Reveal);
        _unseal();
        _assertPhase(ITrainingRounds.Phase.Verify);

        ITrainingRounds.Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        _assertPhase(ITrainingRounds.Phase.Challenge);
        vm.assertEq(registry.getProject(projectId).model, BASE, "head before settlement");
        vm.warp(_round().challengeEnd);
        _assertPhase(ITrainingRounds.Phase.Settleable);
        rounds.settle(roundId);
        _assertPhase(ITrainingRounds.Phase.Settled);
        vm.assertEq(registry.getProject(projectId).model, MODEL, "head after settlement");
        vm.assertEq(registry.getProject(projectId).activeRound, 0, "project free");
        vm.assertEq(rounds.creditOf(PROPOSER), 31 ether, "rest and unseal bond");

        for (uint256 i = 0; i < rows.length; ++i) {
            if (i != 3) rounds.claim(roundId, rows[i], _proof(rows, i));
        }
        vm.prank(STRANGER);
        rounds.slashInvalid(roundId, rows[3], _proof(rows, 3));
        vm.assertEq(rounds.creditOf(solvers[0]), 60 ether, "reward");
        vm.assertEq(rounds.creditOf(verifiers[1]), 4 ether, "fee");
        vm.assertEq(_free(solvers[2]), SOLVER_STAKE, "bond of an excluded delta");
        vm.assertEq(_free(solvers[3]), SOLVER_STAKE - 5 ether, "bond of an invalid delta");
        vm.assertEq(_free(STRANGER), 0.5 ether, "reporter");
        vm.assertEq(_free(TREASURY), 4.5 ether, "treasury");

        vm.prank(solvers[0]);
        rounds.withdrawCredit();
        vm.assertEq(token.balanceOf(solvers[0]), 60 ether, "paid");
    }
}
