// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase} from "../src/types/Enums.sol";
import {Leaf} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev One honest round from opening to the last withdrawal: every phase, every token accounted for.
contract LifecycleTest is RoundTest {
    function test_honestRound() public {
        uint256 funds = token.balanceOf(PROPOSER);
        _open();
        vm.assertEq(token.balanceOf(PROPOSER), funds - 129 ether - 2 * KEEPER_REWARD, "escrow");
        _assertPhase(Phase.Commit);
        _commit(4);
        vm.assertEq(_locked(solvers[0]), 5 ether, "bond");

        vm.warp(_round().commitEnd);
        _assertPhase(Phase.Gap);
        _toReveal();
        _assertPhase(Phase.Reveal);
        _revealAll(4);
        _assertPhase(Phase.Reveal);
        _unseal();
        _assertPhase(Phase.Verify);

        Leaf[] memory rows = _rows();
        _record(rows, 98 ether, 100);
        _assertPhase(Phase.Challenge);
        vm.assertEq(lens.getProject(projectId).model, BASE, "head before settlement");
        vm.warp(_round().challengeEnd);
        _assertPhase(Phase.Settleable);
        rounds.settle(roundId, recorded);
        _assertPhase(Phase.Settled);
        vm.assertEq(lens.getProject(projectId).model, MODEL, "head after settlement");
        vm.assertEq(lens.getProject(projectId).activeRound, 0, "project free");
        vm.assertEq(_free(PROPOSER), 31 ether, "rest and unseal bond");

        for (uint256 i = 0; i < rows.length; ++i) {
            if (i != 3) rounds.claim(roundId, rows[i], _proof(rows, i));
        }
        vm.prank(STRANGER);
        rounds.slashInvalid(roundId, rows[3], _proof(rows, 3));
        vm.assertEq(_free(solvers[0]), SOLVER_STAKE + 60 ether, "reward");
        vm.assertEq(_free(verifiers[1]), VERIFIER_STAKE + 4 ether, "fee");
        vm.assertEq(_free(solvers[2]), SOLVER_STAKE - 1 ether, "bond of an excluded delta");
        vm.assertEq(_free(solvers[3]), SOLVER_STAKE - 5 ether, "bond of an invalid delta");
        vm.assertEq(_free(STRANGER), 0.5 ether, "reporter");
        vm.assertEq(_free(TREASURY), 5.4 ether, "treasury");

        vm.prank(solvers[0]);
        rounds.withdraw(60 ether, solvers[0]);
        vm.assertEq(token.balanceOf(solvers[0]), 60 ether, "paid");
    }
}
