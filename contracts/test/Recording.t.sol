// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProjects} from "../src/interfaces/IProjects.sol";
import {IRounds} from "../src/interfaces/IRounds.sol";
import {Phase} from "../src/types/Enums.sol";
import {Attestation, Recorded, Result, Signature} from "../src/types/Round.sol";
import {RoundView} from "../src/types/Views.sol";
import {RoundTest} from "./RoundTest.sol";
import {vm} from "./Vm.sol";

/// @dev Only a quorum can record, only what it signed, only within the escrow.
contract RecordingTest is RoundTest {
    Result internal result;

    function setUp() public override {
        super.setUp();
        _toVerify(3);
        result = _result(_rows(), 98 ether, 100);
    }

    function _submit(Attestation[] memory attestations) private {
        _submit(result, attestations);
    }

    /// @dev Signatures of the first verifiers, one per improvement.
    function _measured(int64[3] memory improvements, uint256 count)
        private
        view
        returns (Attestation[] memory attestations)
    {
        attestations = new Attestation[](count);
        Result memory own = result;
        for (uint256 i = 0; i < count; ++i) {
            own.improvement = improvements[i];
            attestations[i] = _attestation(keys[i], own);
        }
    }

    function test_recordTraining() public {
        uint64 challengeEnd = uint64(vm.getBlockTimestamp()) + 1 days;
        Attestation[] memory attestations = _measured([int64(90), 100, 130], 3);
        vm.expectEmit(true, true, true, true, address(rounds));
        emit IRounds.TrainingRecorded(roundId, result.root, MODEL, SHEET, 98 ether, 100, challengeEnd, 0, 7);
        vm.prank(STRANGER);
        _submit(attestations);
        RoundView memory round = _round();
        vm.assertTrue(round.recorded, "recorded");
        Recorded memory expected = Recorded(result.root, MODEL, SHEET, 0, 98 ether, 100, 7);
        vm.assertEq(round.digest, keccak256(abi.encode(expected)), "digest");
        vm.assertTrue(lens.isRecorded(roundId, expected), "isRecorded");
        expected.signers = 3;
        vm.assertTrue(!lens.isRecorded(roundId, expected), "other signers");
        vm.assertEq(round.challengeEnd, challengeEnd, "challengeEnd");
        vm.expectRevert(abi.encodeWithSelector(IRounds.WrongPhase.selector, roundId, Phase.Challenge));
        _submit(attestations);
    }

    function test_lowerMedianOfTwo() public {
        _submit(_measured([int64(90), 130, 0], 2));
        Recorded memory expected = Recorded(result.root, MODEL, SHEET, 0, 98 ether, 90, 3);
        vm.assertTrue(lens.isRecorded(roundId, expected), "lower median");
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
        Attestation[] memory attestations = _attest(result, 2);
        _expectWrongPhase(Phase.Reveal);
        _submit(attestations);
        vm.warp(_round().verifyEnd);
        _expectWrongPhase(Phase.Cancellable);
        _submit(attestations);
        vm.warp(_round().verifyEnd - 1);
        _submit(attestations);
    }

    function test_thresholdIsRequired() public {
        Attestation[] memory attestations = _attest(result, 1);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotEnoughAttestations.selector, 1, 2));
        _submit(attestations);
    }

    function test_oneVerifierIsNotTwo() public {
        Attestation[] memory attestations = _attest(result, 2);
        attestations[1] = attestations[0];
        vm.expectRevert(abi.encodeWithSelector(IRounds.DuplicateSigner.selector, roundId, verifiers[0]));
        _submit(attestations);
    }

    /// @dev The twin signature (n - s, flipped v) would make one signer look like two submissions; it is refused.
    function test_malleableSignature() public {
        Attestation[] memory attestations = _attest(result, 2);
        Signature memory signature = _sign(keys[0], result);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        uint256 s = uint256(signature.vs) << 1 >> 1;
        // A compact signature has no room for a high s: its top bit is the parity.
        attestations[1].vs = bytes32((order - s) ^ (uint256(signature.vs) >> 255 ^ 1) << 255);
        vm.expectRevert();
        _submit(attestations);
        (attestations[1].r, attestations[1].vs) = (0, 0);
        vm.expectRevert(abi.encodeWithSelector(IRounds.BadSignature.selector));
        _submit(attestations);
    }

    function test_onlyVerifiersCount() public {
        Attestation[] memory attestations = _attest(result, 2);
        attestations[1] = _attestation(_key("solver 0"), result);
        vm.expectRevert(abi.encodeWithSelector(IRounds.NotVerifier.selector, roundId, solvers[0]));
        _submit(attestations);
    }

    function test_attestationsAreSorted() public {
        Attestation[] memory attestations = _measured([int64(90), 80, 100], 3);
        vm.expectRevert(abi.encodeWithSelector(IRounds.AttestationsNotSorted.selector, 1));
        _submit(attestations);
    }

    /// @dev A courier that changes any field breaks every signature.
    function testFuzz_courierCannotForge(uint8 field, uint256 noise) public {
        vm.assume(noise != 0);
        Attestation[] memory attestations = _attest(result, 2);
        field = field % 6;
        if (field == 0) result.root = bytes32(noise);
        if (field == 1) result.model = bytes32(noise);
        if (field == 2) result.sheet = bytes32(noise);
        if (field == 3) result.payout = uint128(_bound(noise, 0, 97 ether));
        if (field == 5) result.extension = bytes32(noise);
        if (field == 4) attestations[0].improvement = int64(uint64(_bound(noise, 1, 99)));
        _expect(IRounds.NotVerifier.selector);
        _submit(attestations);
    }

    function test_signaturesOfAnotherRound() public {
        result.roundId = roundId + 1;
        Attestation[] memory attestations = _attest(result, 2);
        result.roundId = roundId;
        _expect(IRounds.NotVerifier.selector);
        _submit(attestations);
    }

    function test_signaturesOfAnotherChain() public {
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        Attestation[] memory attestations = _attest(result, 2);
        vm.chainId(chain);
        _expect(IRounds.NotVerifier.selector);
        _submit(attestations);
    }

    function test_digestsAreRequired() public {
        Result memory good = result;
        for (uint256 i = 0; i < 3; ++i) {
            result = good;
            if (i == 0) result.root = 0;
            if (i == 1) result.model = 0;
            if (i == 2) result.sheet = 0;
            Attestation[] memory attestations = _attest(result, 2);
            vm.expectRevert(abi.encodeWithSelector(IProjects.ZeroDigest.selector));
            _submit(attestations);
        }
    }

    // ---------------------------------------------------------------- what a quorum may say

    function test_payoutWithinTheEscrow() public {
        result.payout = 109 ether + 1;
        Attestation[] memory attestations = _attest(result, 2);
        vm.expectRevert(abi.encodeWithSelector(IRounds.PayoutTooLarge.selector, 109 ether + 1, 109 ether));
        _submit(attestations);
        result.payout = 109 ether;
        _submit(_attest(result, 2));
    }

    function test_withoutImprovementOnlyTheFee() public {
        (result.improvement, result.model) = (0, BASE);
        result.payout = 9 ether + 1;
        Attestation[] memory attestations = _attest(result, 2);
        vm.expectRevert(abi.encodeWithSelector(IRounds.PayoutTooLarge.selector, 9 ether + 1, 9 ether));
        _submit(attestations);
        result.payout = 9 ether;
        _recordAs(result, 2);
        _settle();
        vm.assertEq(lens.getProject(projectId).model, BASE, "head");
    }

    function test_modelFollowsTheImprovement() public {
        result.payout = 0;
        int64[3] memory improvements = [int64(-5), 0, 5];
        for (uint256 i = 0; i < 3; ++i) {
            result.improvement = improvements[i];
            result.model = improvements[i] > 0 ? BASE : MODEL;
            Attestation[] memory attestations = _attest(result, 2);
            vm.expectRevert(
                abi.encodeWithSelector(IRounds.ModelContradictsImprovement.selector, improvements[i])
            );
            _submit(attestations);
        }
    }

    function test_slashedSignerCountsNoMore() public {
        Result memory other = result;
        other.sheet = keccak256("other sheet");
        Signature memory otherSignature = _sign(keys[1], other);
        other = result;
        other.sheet = keccak256("third sheet");
        Signature memory thirdSignature = _sign(keys[1], other);
        Result memory second = result;
        second.sheet = keccak256("other sheet");
        rounds.slashEquivocation(second, otherSignature, other, thirdSignature);

        Attestation[] memory attestations = _attest(result, 2);
        vm.expectRevert(abi.encodeWithSelector(IRounds.SignerSlashed.selector, roundId, verifiers[1]));
        _submit(attestations);
        Attestation[] memory rest = new Attestation[](2);
        rest[0] = attestations[0];
        rest[1] = _attestation(keys[2], result);
        _submit(rest);
        vm.assertTrue(
            lens.isRecorded(roundId, Recorded(result.root, MODEL, SHEET, 0, 98 ether, 100, 5)), "signers"
        );
    }

    /// @dev What a result is extended by is signed with it, and shown again with it.
    function test_extensionIsBound() public {
        result.extension = keccak256("audits");
        _submit(_attest(result, 2));
        bytes32 none = 0;
        Recorded memory expected = Recorded(result.root, MODEL, SHEET, result.extension, 98 ether, 100, 3);
        vm.assertTrue(lens.isRecorded(roundId, expected), "recorded");
        expected.extension = none;
        vm.assertTrue(!lens.isRecorded(roundId, expected), "not without it");
    }

    /// @dev Stake on its way out can still be slashed: its owner's signature counts as long as it is the minimum.
    function test_unbondingStakeCounts() public {
        vm.startPrank(verifiers[0]);
        rounds.leave(setId);
        rounds.requestUnbond(VERIFIER_STAKE);
        vm.stopPrank();
        vm.assertEq(_free(verifiers[0]), 0, "nothing free");
        _submit(_attest(result, 2));
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
        Attestation[] memory attestations = new Attestation[](signing);
        result = _result(_rows(), 0, 1);
        int64 improvement = 0;
        int64 median = 0;
        Result memory own = result;
        for (uint256 i = 0; i < signing; ++i) {
            improvement += int64(uint64(1 + uint256(keccak256(abi.encode(seed, i))) % 1000));
            own.improvement = improvement;
            attestations[i] = _attestation(memberKeys[i], own);
            if (i == (signing - 1) / 2) median = improvement;
        }
        _submit(attestations);
        uint32 signers = uint32((1 << signing) - 1);
        vm.assertTrue(
            lens.isRecorded(roundId, Recorded(result.root, MODEL, SHEET, 0, 0, median, signers)), "median"
        );
    }
}
