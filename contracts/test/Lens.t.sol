// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Readiness, Standing} from "../src/types/Enums.sol";
import {RoundView} from "../src/types/Views.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev What the lens says of facts that other tests do not tell apart: every id and every amount here is another number.
contract LensTest is RoundTest {
    function setUp() public override {
        super.setUp();
        // Projects 2 and 3 of the set 1, rounds 1 and 2 of project 3.
        vm.startPrank(PROPOSER);
        _createProject(SHARDS, setId);
        projectId = _createProject(SHARDS, setId);
        vm.stopPrank();
        _open();
        vm.warp(_round().commitEnd);
        rounds.cancel(roundId);
        _open();
    }

    function test_idsOfARound() public view {
        RoundView memory round = _round();
        vm.assertEq(roundId, 2, "round");
        vm.assertEq(round.projectId, 3, "project");
        vm.assertEq(round.verifierSet, setId, "set");
        vm.assertEq(round.number, 2, "number");
        vm.assertEq(lens.setCount(), 1, "sets");
        vm.assertEq(lens.projectCount(), 3, "projects");
        vm.assertEq(lens.roundCount(), 2, "rounds");
    }

    function test_roundsOfAProject() public view {
        vm.assertEq(lens.roundsOf(3, 1).length, 1, "at most so many");
        vm.assertEq(lens.roundsOf(3, 1)[0], 2, "the newest");
        vm.assertEq(lens.roundsOf(3, 9).length, 2, "all");
        vm.assertEq(lens.roundsOf(2, 9).length, 0, "none");
    }

    function test_membersThatHaveNotJoined() public {
        vm.prank(PROPOSER);
        uint256 other = rounds.createVerifierSet(verifiers, 2, CAP, MAX_HOLD);
        vm.prank(verifiers[1]);
        rounds.join(other);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(lens.hasJoined(other, verifiers[i]), i == 1, "joined");
            vm.assertTrue(lens.hasJoined(setId, verifiers[i]), "the first set");
        }
        vm.assertTrue(!lens.hasJoined(other, STRANGER), "no member");
    }

    /// @dev What one slash of every member takes: of each at most the minimum, and what is unbonding counts.
    function test_stakeAtRisk() public {
        _stake(verifiers[0], 500 ether);
        vm.assertEq(lens.getSet(setId).stakeAtRisk, 3 * VERIFIER_STAKE, "at most the minimum of each");
        vm.startPrank(verifiers[1]);
        rounds.leave(setId);
        rounds.requestUnbond(400 ether);
        vm.stopPrank();
        vm.assertEq(lens.getSet(setId).stakeAtRisk, 3 * VERIFIER_STAKE, "unbonding");
        vm.prank(PARTNER);
        rounds.slashStake(verifiers[2], STRANGER);
        vm.assertEq(lens.getSet(setId).stakeAtRisk, 2 * VERIFIER_STAKE, "slashed");
    }

    function test_canOpen() public {
        vm.assertEq(
            uint256(lens.canOpen(setId, CAP)), uint256(Readiness.CapExhausted), "beside the open round"
        );
        vm.assertEq(
            uint256(lens.canOpen(setId, CAP - 109 ether)), uint256(Readiness.Ready), "all that is left"
        );
        vm.prank(PARTNER);
        rounds.slashStake(verifiers[2], STRANGER);
        vm.assertEq(uint256(lens.canOpen(setId, 1)), uint256(Readiness.StakeTooLow), "stake");
    }

    function test_standingsOfTheRoundOnly() public {
        _commit(1);
        _assertStanding(solvers[0], Standing.Committed);
        (, Standing before) = lens.commitmentOf(1, solvers[0]);
        vm.assertEq(uint256(before), uint256(Standing.None), "not of the round before");
        (, Standing unknown) = lens.commitmentOf(9, verifiers[0]);
        vm.assertEq(uint256(unknown), uint256(Standing.None), "no such round");
    }

    /// @dev Anybody reads any slot, and nothing else happens.
    function test_extsloadOnlyReads() public {
        bytes32[] memory slots = new bytes32[](2);
        slots[0] = bytes32(uint256(0x10000));
        slots[1] = bytes32(type(uint256).max);
        vm.prank(STRANGER);
        bytes32[] memory words = rounds.extsload(slots);
        vm.assertEq(uint256(words[0]), 2 << 64 | 3 << 32 | 1, "rounds, projects, sets");
        vm.assertEq(words[1], bytes32(0), "never written");
        vm.assertEq(rounds.extsload(new bytes32[](0)).length, 0, "none");
        test_idsOfARound();
    }
}
