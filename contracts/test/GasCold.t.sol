// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Leaf, Result, RoundParams, Signature} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev What the calls cost that not every round makes, intrinsic gas included; the interfaces name these figures:
/// `JEPANET_BYTECODE=release forge test --isolate --match-contract GasColdTest -vv`.
contract GasColdTest is RoundTest {
    event log_named_uint(string key, uint256 value);

    function _cost(string memory call_) private {
        emit log_named_uint(call_, vm.lastCallGas().gasTotalUsed);
    }

    function test_endsWithoutAResult() public {
        _open();
        _commit(3);
        _toReveal();
        _revealAll(2);
        vm.warp(_round().revealEnd);
        rounds.slashNonReveal(roundId, solvers[2]);
        _cost("slashNonReveal");
        rounds.cancel(roundId);
        _cost("cancel");
        vm.prank(solvers[0]);
        rounds.releaseBond(roundId);
        _cost("releaseBond");
    }

    function test_ends() public {
        Leaf[] memory rows = _settled();
        rounds.slashInvalid(roundId, rows[3], _proof(rows, 3));
        _cost("slashInvalid");
        rounds.claim(roundId, rows[2], _proof(rows, 2));
        _cost("claim (excluded)");
        vm.warp(_round().claimEnd);
        rounds.sweep(roundId);
        _cost("sweep");
    }

    function test_disputes() public {
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        vm.startPrank(CHALLENGER);
        rounds.challenge(roundId, keccak256("evidence"), recorded);
        _cost("challenge");
        vm.stopPrank();
        vm.prank(ARBITER);
        rounds.uphold(roundId);
        _cost("uphold");
        rounds.closeChallenge(roundId, CHALLENGER);
        _cost("closeChallenge");
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, keccak256("evidence"), recorded);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        _cost("overturn (2 signers)");
    }

    function test_equivocation() public {
        _toVerify(4);
        Result memory first = _result(_rows(), 98 ether, 100);
        Result memory second = _result(_rows(), 97 ether, 100);
        Signature memory a = _sign(keys[0], first);
        Signature memory b = _sign(keys[0], second);
        rounds.slashEquivocation(first, a, second, b);
        _cost("slashEquivocation");
    }

    function test_stakes() public {
        vm.prank(verifiers[0]);
        rounds.leave(setId);
        _cost("leave");
        vm.prank(verifiers[0]);
        rounds.requestUnbond(VERIFIER_STAKE);
        _cost("requestUnbond");
        vm.warp(block.timestamp + UNBOND_DELAY);
        vm.prank(verifiers[0]);
        rounds.withdrawUnbonded(verifiers[0]);
        _cost("withdrawUnbonded");
        vm.startPrank(PARTNER);
        rounds.lock(solvers[0], 10 ether);
        _cost("lock");
        rounds.unlock(solvers[0], 4 ether);
        _cost("unlock");
        rounds.slashBond(solvers[0], 6 ether, STRANGER);
        _cost("slashBond");
        rounds.slashStake(solvers[1], STRANGER);
        _cost("slashStake");
        vm.stopPrank();
        _stake(solvers[1], SOLVER_STAKE);
        rounds.collectDebt(solvers[1]);
        _cost("collectDebt");
        vm.prank(PROPOSER);
        rounds.admit(setId, STRANGER, true);
        _cost("admit");
    }

    function test_holdsAndLists() public {
        vm.startPrank(PARTNER);
        rounds.hold(setId);
        _cost("hold");
        rounds.releaseHold(setId);
        _cost("releaseHold");
        vm.stopPrank();
        RoundParams memory params = _params();
        params.allowList = keccak256(bytes.concat(keccak256(abi.encode(solvers[0]))));
        _open(params);
        bytes32 commitment = _commitment(solvers[0]);
        vm.prank(solvers[0]);
        rounds.commitListed(roundId, commitment, new bytes32[](0));
        _cost("commitListed");
        vm.startPrank(OWNER);
        rounds.pause();
        _cost("pause");
        rounds.unpause();
        _cost("unpause");
        vm.stopPrank();
    }
}
