// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Only a quorum can record, only what it signed, only within the escrow.
contract RecordingTest is RoundTest {
    ITrainingRounds.Result internal result;

    function setUp() public override {
        super.setUp();
        _toVerify(3);
        result = _result(_rows(), 98 ether, 100);
    }

    function _submit(ITrainingRounds.Attestation[] memory attestations) private {
        rounds.recordTraining(
            result.roundId, result.root, result.model, result.sheet, result.payout, attestations
        );
    }

    /// @dev Signatures of the first verifiers, one per improvement.
    function _measured(int64[3] memory improvements, uint256 count)
        private
        view
        returns (ITrainingRounds.Attestation[] memory attestations)
    {
        attestations = new ITrainingRounds.Attestation[](count);
        ITrainingRounds.Result memory own = result;
        for (uint256 i = 0; i < count; ++i) {
            own.improvement = improvements[i];
            attestations[i] = ITrainingRounds.Attestation(improvements[i], _sign(keys[i], own));
        }
    }

    function test_recordTraining() public {
        uint64 challengeEnd = uint64(vm.getBlockTimestamp()) + 1 days;
        ITrainingRounds.Attestation[] memory attestations = _measured([int64(90), 100, 130], 3);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit ITrainingRounds.TrainingRecorded(roundId, result.root, MODEL, SHEET, 98 ether, 100, challengeEnd);
        vm.prank(STRANGER);
        _submit(attestations);
        ITrainingRounds.Round memory round = _round();
        vm.assertEq(round.root, result.root, "root");
        vm.assertEq(round.model, MODEL, "model");
        vm.assertEq(round.base, BASE, "base");
        vm.assertEq(round.sheet, SHEET, "sheet");
        vm.assertEq(round.payout, 98 ether, "payout");
        vm.assertEq(round.improvement, int256(100), "median");
        vm.assertEq(round.challengeEnd, challengeEnd, "challengeEnd");
        vm.assertEq(round.signers, 7, "signers");
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingRounds.WrongPhase.selector, roundId, ITrainingRounds.Phase.Challenge
            )
        );
        _submit(attestations);
    }

    function test_lowerMedianOfTwo() public {
        _submit(_measured([int64(90), 130, 0], 2));
        vm.assertEq(_round().improvement, int256(90), "lower median");
        vm.assertEq(_round().signers, 3, "signers");
    }

    function test_onlyInVerify() public {
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, setId);
        _open();
        _commit(3);
        _toReveal();
        _unseal();
        _revealAll(2);
        result.roundId = roundId;
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        _expectWrongPhase(ITrainingRounds.Phase.Reveal);
        _submit(attestations);
        vm.warp(_round().verifyEnd);
        _expectWrongPhase(ITrainingRounds.Phase.Cancellable);
        _submit(attestations);
        vm.warp(_round().verifyEnd - 1);
        _submit(attestations);
    }

    function test_thresholdIsRequired() public {
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotEnoughAttestations.selector, 1, 2));
        _submit(attestations);
    }

    function test_oneVerifierIsNotTwo() public {
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        attestations[1] = attestations[0];
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.DuplicateSigner.selector, roundId, verifiers[0])
        );
        _submit(attestations);
    }

    /// @dev The twin signature (n - s, flipped v) would make one signer look like two submissions; it is refused.
    function test_malleableSignature() public {
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[0], rounds.hashResult(result));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        attestations[1].signature = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? 28 : 27);
        _expect(ECDSA.ECDSAInvalidSignatureS.selector);
        _submit(attestations);
        attestations[1].signature = hex"1234";
        _expect(ECDSA.ECDSAInvalidSignatureLength.selector);
        _submit(attestations);
    }

    function test_onlyVerifiersCount() public {
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        attestations[1].signature = _sign(_key("solver 0"), result);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.NotVerifier.selector, roundId, solvers[0]));
        _submit(attestations);
    }

    function test_attestationsAreSorted() public {
        ITrainingRounds.Attestation[] memory attestations = _measured([int64(90), 80, 100], 3);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.AttestationsNotSorted.selector, 1));
        _submit(attestations);
    }

    /// @dev A courier that changes any field breaks every signature.
    function testFuzz_courierCannotForge(uint8 field, uint256 noise) public {
        vm.assume(noise != 0);
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        field = field % 5;
        if (field == 0) result.root = bytes32(noise);
        if (field == 1) result.model = bytes32(noise);
        if (field == 2) result.sheet = bytes32(noise);
        if (field == 3) result.payout = uint128(_bound(noise, 0, 97 ether));
        if (field == 4) attestations[0].improvement = int64(uint64(_bound(noise, 1, 99)));
        _expect(ITrainingRounds.NotVerifier.selector);
        _submit(attestations);
    }

    function test_signaturesOfAnotherRound() public {
        result.roundId = roundId + 1;
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        result.roundId = roundId;
        _expect(ITrainingRounds.NotVerifier.selector);
        _submit(attestations);
    }

    function test_signaturesOfAnotherChain() public {
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        vm.chainId(chain);
        _expect(ITrainingRounds.NotVerifier.selector);
        _submit(attestations);
    }

    function test_digestsAreRequired() public {
        ITrainingRounds.Result memory good = result;
        for (uint256 i = 0; i < 3; ++i) {
            result = good;
            if (i == 0) result.root = 0;
            if (i == 1) result.model = 0;
            if (i == 2) result.sheet = 0;
            ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
            vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.ZeroDigest.selector));
            _submit(attestations);
        }
    }

    // ---------------------------------------------------------------- what a quorum may say

    function test_payoutWithinTheEscrow() public {
        result.payout = 109 ether + 1;
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingRounds.PayoutTooLarge.selector, 109 ether + 1, 109 ether)
        );
        _submit(attestations);
        result.payout = 109 ether;
        _submit(_attest(result, 2));
    }

    function test_withoutImprovementOnlyTheFee() public {
        (result.improvement, result.model) = (0, BASE);
        result.payout = 9 ether + 1;
        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.PayoutTooLarge.selector, 9 ether + 1, 9 ether));
        _submit(attestations);
        result.payout = 9 ether;
        _submit(_attest(result, 2));
        _settle();
        vm.assertEq(registry.getProject(projectId).model, BASE, "head");
    }

    function test_modelFollowsTheImprovement() public {
        result.payout = 0;
        int64[3] memory improvements = [int64(-5), 0, 5];
        for (uint256 i = 0; i < 3; ++i) {
            result.improvement = improvements[i];
            result.model = improvements[i] > 0 ? BASE : MODEL;
            ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
            vm.expectRevert(
                abi.encodeWithSelector(ITrainingRounds.ModelContradictsImprovement.selector, improvements[i])
            );
            _submit(attestations);
        }
    }

    function test_slashedSignerCountsNoMore() public {
        ITrainingRounds.Result memory other = result;
        other.sheet = keccak256("other sheet");
        bytes memory otherSignature = _sign(keys[1], other);
        other = result;
        other.sheet = keccak256("third sheet");
        bytes memory thirdSignature = _sign(keys[1], other);
        ITrainingRounds.Result memory second = result;
        second.sheet = keccak256("other sheet");
        rounds.slashEquivocation(second, otherSignature, other, thirdSignature);

        ITrainingRounds.Attestation[] memory attestations = _attest(result, 2);
        vm.expectRevert(abi.encodeWithSelector(ITrainingRounds.SignerSlashed.selector, roundId, verifiers[1]));
        _submit(attestations);
        ITrainingRounds.Attestation[] memory rest = new ITrainingRounds.Attestation[](2);
        rest[0] = attestations[0];
        rest[1] = ITrainingRounds.Attestation(result.improvement, _sign(keys[2], result));
        _submit(rest);
        vm.assertEq(_round().signers, 5, "signers");
    }

    /// @dev Any majority out of any set size; the recorded improvement is the lower median.
    function testFuzz_median(uint256 seed, uint256 size) public {
        size = _bound(size, 1, 9);
        (uint256 otherSet, uint256[] memory memberKeys, address[] memory members) =
            _createSet(size, uint32(size / 2 + 1));
        for (uint256 i = 0; i < size; ++i) {
            _stake(members[i], VERIFIER_STAKE);
        }
        vm.prank(PROPOSER);
        projectId = _createProject(SHARDS, otherSet);
        _toVerify(3);
        uint256 signing = _bound(seed, size / 2 + 1, size);
        ITrainingRounds.Attestation[] memory attestations = new ITrainingRounds.Attestation[](signing);
        result = _result(_rows(), 0, 1);
        int64 improvement = 0;
        int64 median = 0;
        ITrainingRounds.Result memory own = result;
        for (uint256 i = 0; i < signing; ++i) {
            improvement += int64(uint64(1 + uint256(keccak256(abi.encode(seed, i))) % 1000));
            own.improvement = improvement;
            attestations[i] = ITrainingRounds.Attestation(improvement, _sign(memberKeys[i], own));
            if (i == (signing - 1) / 2) median = improvement;
        }
        _submit(attestations);
        vm.assertEq(_round().improvement, int256(median), "median");
    }
}
