// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IClaims} from "../src/interfaces/IClaims.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {Verdict} from "../src/types/Enums.sol";
import {Attestation, Leaf, Result, RoundParams, Signature} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev A token that can take a fee and that calls its recipient or sender back in the middle of a transfer.
contract HostileToken is ERC20("hostile", "BAD") {
    uint256 public fee;
    mapping(address account => bool) public hooked;

    constructor(address holder) {
        _mint(holder, 1_000_000_000 ether);
    }

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function setHooked(address account) external {
        hooked[account] = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (fee != 0 && from != address(0) && value >= fee) super._update(to, address(0xdead), fee);
        if (hooked[to]) Thief(to).tokensMoved();
        else if (hooked[from]) Thief(from).tokensMoved();
    }
}

/// @dev Re-enters with prepared calls while its own transfer is under way, and keeps the answers.
contract Thief {
    address private immutable _target;
    bytes[] private _calls;
    bytes[] public answers;
    bool private _inside;

    constructor(address target) {
        _target = target;
    }

    function prepare(bytes calldata call) external {
        _calls.push(call);
    }

    function tokensMoved() external {
        if (_inside) return;
        _inside = true;
        for (uint256 i = 0; i < _calls.length; ++i) {
            (bool success, bytes memory answer) = _target.call(_calls[i]);
            answers.push(success ? bytes("success") : answer);
        }
        _inside = false;
    }

    function act(address target, bytes calldata call) external {
        (bool success, bytes memory answer) = target.call(call);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

contract HostileTokensTest is RoundTest {
    HostileToken internal bad;
    bytes32 internal constant GUARDED =
        keccak256(abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));

    function setUp() public override {
        bad = new HostileToken(address(this));
        token = IERC20(address(bad));
        _deployAround(address(bad));
        _prepare();
    }

    function test_feeOnDepositIsRefused() public {
        _fund(STRANGER, 10 ether);
        bad.setFee(1 ether);
        vm.startPrank(STRANGER);
        token.approve(address(rounds), 10 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakes.TokenTookFee.selector, 10 ether, 9 ether));
        rounds.deposit(10 ether, STRANGER);
    }

    function test_feeOnEscrowIsRefused() public {
        bad.setFee(1 ether);
        RoundParams memory params = _params();
        vm.prank(PROPOSER);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakes.TokenTookFee.selector, 129 ether + 2 * KEEPER_REWARD, 128 ether + 2 * KEEPER_REWARD
            )
        );
        rounds.openRound(params);
    }

    function _assertAllGuarded(Thief thief, uint256 count) private view {
        for (uint256 i = 0; i < count; ++i) {
            vm.assertEq(keccak256(thief.answers(i)), GUARDED, vm.toString(i));
        }
    }

    function test_reentryDuringWithdrawal() public {
        Thief thief = new Thief(address(rounds));
        _fund(address(thief), 10 ether);
        thief.act(address(token), abi.encodeCall(IERC20.approve, (address(rounds), 20 ether)));
        thief.act(address(rounds), abi.encodeCall(IStakes.deposit, (10 ether, address(thief))));
        thief.act(address(rounds), abi.encodeCall(IStakes.requestUnbond, (4 ether)));
        thief.act(address(rounds), abi.encodeCall(IStakes.requestUnbond, (5 ether)));
        vm.warp(vm.getBlockTimestamp() + UNBOND_DELAY);
        thief.prepare(abi.encodeCall(IStakes.withdrawUnbonded, (address(thief))));
        thief.prepare(abi.encodeCall(IStakes.withdraw, (1 ether, address(thief))));
        thief.prepare(abi.encodeCall(IStakes.deposit, (1 ether, address(thief))));
        thief.prepare(abi.encodeCall(IStakes.depositWithPermit, (1 ether, address(thief), 0, 0, 0, 0)));
        thief.prepare(abi.encodeCall(IStakes.collectDebt, (address(thief))));
        bad.setHooked(address(thief));
        thief.act(address(rounds), abi.encodeCall(IStakes.withdrawUnbonded, (address(thief))));
        _assertAllGuarded(thief, 5);
        vm.assertEq(token.balanceOf(address(thief)), 9 ether, "once");
    }

    /// @dev The thief is proposer and solver, so that every function is open to it while its credit is being paid.
    function test_reentryDuringPayout() public {
        Thief thief = new Thief(address(rounds));
        vm.prank(address(thief));
        projectId = _createProject(SHARDS, setId);
        vm.prank(PROPOSER);
        rounds.admit(setId, address(thief), true);
        _fund(address(thief), 300 ether);
        thief.act(address(token), abi.encodeCall(IERC20.approve, (address(rounds), 300 ether)));
        thief.act(address(rounds), abi.encodeCall(IRounds.openRound, (_params())));
        roundId = lens.roundCount();
        vm.warp(_round().commitEnd);
        rounds.cancel(roundId);
        vm.assertEq(_free(address(thief)), 129 ether + 2 * KEEPER_REWARD, "credit");

        bytes32[] memory none = new bytes32[](0);
        Leaf memory row = _row(address(thief), Verdict.Accepted, 1);
        Result memory result;
        Signature memory none2;
        thief.prepare(abi.encodeCall(IStakes.withdraw, (129 ether, address(thief))));
        thief.prepare(abi.encodeCall(IRounds.openRound, (_params())));
        thief.prepare(abi.encodeCall(IRounds.commit, (roundId, keccak256("c"))));
        thief.prepare(abi.encodeCall(IRounds.reveal, (roundId, 0, 0)));
        thief.prepare(abi.encodeCall(IRounds.unseal, (roundId, 0, 0, none)));
        thief.prepare(abi.encodeCall(IRounds.drawBeacon, (roundId, "")));
        thief.prepare(abi.encodeCall(IDisputes.challenge, (roundId, 0, recorded)));
        thief.prepare(abi.encodeCall(IDisputes.overturn, (roundId, recorded, STRANGER)));
        thief.prepare(abi.encodeCall(IClaims.settle, (roundId, recorded)));
        thief.prepare(abi.encodeCall(IClaims.cancel, (roundId)));
        thief.prepare(abi.encodeCall(IClaims.slashNonReveal, (roundId, STRANGER)));
        thief.prepare(abi.encodeCall(IClaims.slashInvalid, (roundId, row, none)));
        thief.prepare(abi.encodeCall(IDisputes.slashEquivocation, (result, none2, result, none2)));
        thief.prepare(abi.encodeCall(IClaims.claim, (roundId, row, none)));
        thief.prepare(abi.encodeCall(IClaims.releaseBond, (roundId)));
        thief.prepare(abi.encodeCall(IClaims.sweep, (roundId)));
        thief.prepare(abi.encodeCall(IRounds.recordTraining, (roundId, 0, 0, 0, 0, 0, new Attestation[](0))));
        bad.setHooked(address(thief));
        thief.act(address(rounds), abi.encodeCall(IStakes.withdraw, (129 ether, address(thief))));
        _assertAllGuarded(thief, 17);
        vm.assertEq(token.balanceOf(address(thief)), 300 ether - 2 * KEEPER_REWARD, "once");
        vm.assertEq(_free(address(thief)), 2 * KEEPER_REWARD, "the rest");
    }

    function test_reentryWhileTheEscrowIsPulled() public {
        Thief thief = new Thief(address(rounds));
        vm.prank(address(thief));
        projectId = _createProject(SHARDS, setId);
        vm.prank(PROPOSER);
        rounds.admit(setId, address(thief), true);
        _fund(address(thief), 300 ether);
        thief.act(address(token), abi.encodeCall(IERC20.approve, (address(rounds), 300 ether)));
        thief.prepare(abi.encodeCall(IClaims.cancel, (1)));
        bad.setHooked(address(thief));
        thief.act(address(rounds), abi.encodeCall(IRounds.openRound, (_params())));
        _assertAllGuarded(thief, 1);
    }
}
