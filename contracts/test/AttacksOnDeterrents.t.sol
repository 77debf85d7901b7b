// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IRoundLens} from "../src/interfaces/IRoundLens.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {Phase, Verdict} from "../src/types/Enums.sol";
import {Configuration, Leaf, Result, RoundParams, Signature, SignedCommit} from "../src/types/Round.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Attacks on what signers of a false result lose, and on what their challenger gets. Here a token of which few units
/// are worth much less than a stake, as tokens of large supply are.
contract AttacksOnDeterrentsTest is RoundTest {
    uint96 private constant HUGE_STAKE = 1e28;

    function setUp() public override {
        _deploy();
        Configuration memory c =
            _configuration(_create("DevToken", abi.encode(address(this), uint256(type(uint96).max))));
        token = c.token;
        c.minimumVerifierStake = HUGE_STAKE;
        rounds = ITrainingRounds(_create("TrainingRounds", abi.encode(c)));
        lens = IRoundLens(_create("RoundLens", abi.encode(rounds)));
        _prepare();
        for (uint256 i = 0; i < verifiers.length; ++i) {
            _stake(verifiers[i], HUGE_STAKE);
        }
    }

    /// @dev Rounds that ended without a commit: each is a place for one equivocation of each verifier.
    function _emptyRounds(uint256 count) private returns (uint256 first) {
        first = roundId + 1;
        for (uint256 i = 0; i < count; ++i) {
            _open();
            vm.warp(_round().commitEnd);
            rounds.cancel(roundId);
        }
    }

    function _equivocate(uint256 round, uint256 seat, address reporter) private {
        Result memory first = _result(_rows(), 98 ether, 100);
        first.roundId = round;
        Result memory second = _result(_rows(), 97 ether, 100);
        second.roundId = round;
        Signature memory a = _sign(keys[seat], first);
        Signature memory b = _sign(keys[seat], second);
        vm.prank(reporter);
        rounds.slashEquivocation(first, a, second, b);
    }

    /// @dev Signers that pile up debts beyond what a balance can be do not make the decision against them fail.
    function test_attack_debtsPileUpUntilNoResultCanBeOverturned() public {
        uint256 first = _emptyRounds(8);
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        for (uint256 i = 0; i < 8; ++i) {
            _equivocate(first + i, 0, STRANGER);
        }
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence", recorded);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        _assertPhase(Phase.Cancelled);
        vm.assertEq(lens.accountOf(verifiers[0]).debt, type(uint96).max, "no more than all tokens there are");
    }

    /// @dev Open: signers that lose their stake by another round's proof before anybody challenges leave the challenger
    /// nothing, and the tenth is their friend's.
    function test_attack_signersReportEachOtherInAnotherRound() public {
        uint256 first = _emptyRounds(1);
        _toVerify(4);
        _record(_rows(), 98 ether, 100);
        uint256 before = _free(CHALLENGER);
        _equivocate(first, 0, STRANGER);
        _equivocate(first, 1, STRANGER);
        vm.prank(CHALLENGER);
        rounds.challenge(roundId, "evidence", recorded);
        vm.prank(ARBITER);
        rounds.overturn(roundId, recorded, CHALLENGER);
        rounds.closeChallenge(roundId, CHALLENGER);
        vm.assertEq(
            _free(CHALLENGER) - before, 2 * VERIFIER_STAKE / 10, "of what lay beside, the challenger's"
        );
        vm.assertEq(_free(STRANGER), HUGE_STAKE / 5, "the friend's");
    }
}

/// @dev What a pause, a partner, a constructor or a withheld sheet still can do: each is said in docs/threat-model.md.
contract BoundsOfGuaranteesTest is RoundTest {
    /// @dev Libraries run for the core alone, so that nobody writes into their own storage, and deployments can share them.
    function test_attack_librariesAreCalledDirectly() public {
        string[8] memory names =
            ["Admission", "Batches", "Deposits", "Disputes", "PartnerStakes", "Projects", "Releases", "Sets"];
        for (uint256 i = 0; i < names.length; ++i) {
            address library_ = _create(names[i], "");
            string memory artifact = vm.readFile(string.concat("out/", names[i], ".sol/", names[i], ".json"));
            string[] memory signatures = vm.parseJsonKeys(artifact, ".methodIdentifiers");
            vm.assertTrue(signatures.length != 0, names[i]);
            for (uint256 j = 0; j < signatures.length; ++j) {
                bytes memory key = bytes(string.concat(".methodIdentifiers.['", signatures[j], "']"));
                bytes memory selector =
                    vm.parseBytes(string.concat("0x", vm.parseJsonString(artifact, string(key))));
                (bool done, bytes memory answer) = library_.call(bytes.concat(selector, new bytes(1024)));
                vm.assertTrue(!done && answer.length == 0, signatures[j]);
            }
        }
    }

    /// @dev Two cores with the same libraries share no state.
    function test_attack_twoDeploymentsShareLibraries() public {
        ITrainingRounds other =
            ITrainingRounds(_create("TrainingRounds", abi.encode(_configuration(address(token)))));
        IRoundLens view_ = IRoundLens(_create("RoundLens", abi.encode(other)));
        vm.assertEq(view_.accountOf(solvers[0]).free, 0, "stake of the other deployment");
        vm.assertEq(view_.setCount(), 0, "sets of the other deployment");
        vm.prank(solvers[0]);
        vm.expectRevert(
            abi.encodeWithSelector(IStakes.InsufficientStake.selector, solvers[0], 0, SOLVER_STAKE)
        );
        other.withdraw(SOLVER_STAKE, solvers[0]);
    }

    /// @dev Open: commits go on in a pause, deposits do not, so that who has no free stake is shut out of a round.
    function test_attack_pauseShutsOutWhoHasNoStake() public {
        _open();
        vm.prank(OWNER);
        rounds.pause();
        _fund(STRANGER, 5 ether);
        vm.startPrank(STRANGER);
        token.approve(address(rounds), 5 ether);
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        rounds.deposit(5 ether, STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IStakes.InsufficientStake.selector, STRANGER, 0, 5 ether));
        rounds.commit(roundId, "commitment");
        vm.stopPrank();
        _commit(1);
    }

    /// @dev Open: code that is still being created has none, so that a contract can join. It never signs, as an account
    /// can choose to.
    function test_attack_contractJoinsWhileItIsCreated() public {
        address member = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        address[] memory members = new address[](1);
        members[0] = member;
        uint256 id = rounds.createVerifierSet(members, 1, CAP, MAX_HOLD);
        vm.assertEq(address(new Joiner(rounds, id)), member, "foreseen");
        vm.assertTrue(member.code.length != 0 && lens.hasJoined(id, member), "joined");
    }

    /// @dev Open: the longest hold that members agreed to binds rounds, not the partner.
    function test_attack_partnerHoldsBeyondTheLongestHold() public {
        vm.prank(PARTNER);
        rounds.hold(setId);
        vm.startPrank(verifiers[0]);
        rounds.leave(setId);
        rounds.requestUnbond(VERIFIER_STAKE);
        vm.warp(block.timestamp + MAX_HOLD + UNBOND_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IStakes.StakeHeld.selector, verifiers[0]));
        rounds.withdrawUnbonded(verifiers[0]);
        vm.stopPrank();
    }

    /// @dev A row that nobody can show keeps a solver out of the project eight rounds later, for 14 days at most.
    function test_attack_withheldSheetKeepsASolverOutOfALaterRound() public {
        _toVerify(1);
        Leaf[] memory rows = new Leaf[](1);
        rows[0] = _row(verifiers[0], Verdict.Fee, 1 ether);
        _record(rows, 1 ether, 0);
        _settle();
        uint256 first = roundId;
        uint256 settledAt = block.timestamp;
        for (uint256 i = 0; i < 7; ++i) {
            _open();
            vm.warp(_round().commitEnd);
            rounds.cancel(roundId);
        }
        RoundParams memory params = _params();
        params.commitDuration = 30 days;
        _open(params);
        bytes32 commitment = _commitment(solvers[0]);
        vm.prank(solvers[0]);
        vm.expectRevert(abi.encodeWithSelector(IRounds.ClaimFirst.selector, roundId, solvers[0]));
        rounds.commit(roundId, commitment);
        vm.warp(settledAt + 14 days);
        vm.startPrank(solvers[0]);
        rounds.releaseBond(first);
        rounds.commit(roundId, commitment);
        vm.stopPrank();
    }

    /// @dev Open: a relayer may keep a signed commit until COMMIT is nearly over; who signed and went away loses its bond.
    function test_attack_relayerCommitsWhenTheSolverIsGone() public {
        address solver = _actor("solver 0");
        _open();
        bytes32 commitment = _commitment(solver);
        Signature memory signature = _compact(_key("solver 0"), lens.hashCommit(roundId, commitment));
        SignedCommit[] memory commits = new SignedCommit[](1);
        commits[0] = SignedCommit(solver, commitment, signature.r, signature.vs);
        vm.warp(_round().commitEnd - 1);
        vm.prank(STRANGER);
        rounds.commitMany(roundId, commits);
        vm.warp(_round().revealEnd);
        vm.prank(STRANGER);
        rounds.slashNonReveal(roundId, solver);
        vm.assertEq(_free(solver), SOLVER_STAKE - 5 ether, "the bond is gone");
        vm.assertEq(_free(STRANGER), 0.5 ether, "a tenth of it is the relayer's");
    }
}

/// @dev Joins before it has code.
contract Joiner {
    constructor(ITrainingRounds rounds, uint256 setId) {
        rounds.join(setId);
    }
}
