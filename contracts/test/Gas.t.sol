// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase, Standing} from "../src/types/Enums.sol";
import {Leaf, Result} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

contract GasTest is RoundTest {
    function test_round() public {
        Leaf[] memory rows = _settled();
        for (uint256 i = 0; i < 3; ++i) {
            rounds.claim(roundId, rows[i], _proof(rows, i));
        }
        rounds.claim(roundId, rows[4], _proof(rows, 4));
        vm.assertEq(lens.accountOf(solvers[0]).free, SOLVER_STAKE + 60 ether, "free");
        vm.assertEq(lens.accountOf(solvers[0]).locked, 0, "locked");
        vm.assertEq(_round().unclaimed, 98 ether - 94 ether, "unclaimed");
        vm.assertEq(lens.getProject(projectId).model, MODEL, "model");
    }
}
