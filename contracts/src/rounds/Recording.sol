// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IProjects} from "../interfaces/IProjects.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Results} from "../libraries/Results.sol";
import {Phase} from "../types/Enums.sol";
import {Attestation, Recorded, Result} from "../types/Round.sol";
import {RoundBase} from "./RoundBase.sol";
import {Escrow, Training, VerifierSet, requirePhase, state} from "./RoundStorage.sol";

/// @title Recording of signed results.
abstract contract Recording is RoundBase {
    using Members for bytes;

    /// @notice See `IRounds.recordTraining`.
    function recordTraining(
        uint256 roundId,
        bytes32 root,
        bytes32 model,
        bytes32 sheet,
        uint128 payout,
        bytes32 extension,
        Attestation[] calldata attestations
    ) external outsideCalls {
        Training storage round = state().rounds[roundId];
        requirePhase(roundId, round, Phase.Verify);
        if (root == 0 || model == 0 || sheet == 0) revert IProjects.ZeroDigest();
        Hot hot = round.hot;
        uint32 signers =
            _signers(Result(roundId, root, model, sheet, payout, 0, extension), attestations, round, hot);
        int64 improvement = attestations[(attestations.length - 1) / 2].improvement;
        _checkOutcome(round, hot, model, payout, improvement);

        uint40 challengeEnd = uint40(block.timestamp + round.terms.challengeDuration);
        round.terms.end = challengeEnd;
        round.hot = hot.with(HotWord.RECORDED);
        round.digest = Results.hash(Recorded(root, model, sheet, extension, payout, improvement, signers));
        emit IRounds.TrainingRecorded(
            roundId, root, model, sheet, payout, improvement, challengeEnd, extension, signers
        );
    }

    /// @dev Bitmap of the verifiers that signed `result`, each with its own improvement. Only who has something to lose
    /// counts: not slashed in this round, and the minimum in slashable stake now.
    function _signers(
        Result memory result,
        Attestation[] calldata attestations,
        Training storage round,
        Hot hot
    ) private view returns (uint32 signers) {
        VerifierSet storage set = state().sets[round.terms.verifierSet];
        if (attestations.length < set.threshold) {
            revert IRounds.NotEnoughAttestations(attestations.length, set.threshold);
        }
        bytes memory members = Members.load(set.blob);
        uint32 slashed = hot.has(HotWord.TAINTED) ? round.seats.slashed : 0;
        bytes32 domain = Results.domain(address(this));
        result.improvement = type(int64).min;
        for (uint256 i = 0; i < attestations.length; ++i) {
            Attestation calldata item = attestations[i];
            if (item.improvement < result.improvement) revert IRounds.AttestationsNotSorted(i);
            result.improvement = item.improvement;
            // What the third value says is in the error.
            // slither-disable-next-line unused-return
            (address signer, ECDSA.RecoverError error,) =
                ECDSA.tryRecover(Results.hash(result, domain), item.r, item.vs);
            if (error != ECDSA.RecoverError.NoError) revert IRounds.BadSignature();
            uint256 seat = members.seatOf(signer);
            if (seat == Members.NONE) revert IRounds.NotVerifier(result.roundId, signer);
            uint32 bit = uint32(1 << seat);
            if (signers & bit != 0) revert IRounds.DuplicateSigner(result.roundId, signer);
            if (slashed & bit != 0) revert IRounds.SignerSlashed(result.roundId, signer);
            if (_slashable(signer) < MINIMUM_VERIFIER_STAKE) {
                revert IRounds.SignerUnderStaked(result.roundId, signer);
            }
            signers |= bit;
        }
    }

    function _slashable(address account) private view returns (uint256) {
        uint256 free = state().accounts[account].free;
        return free < MINIMUM_VERIFIER_STAKE ? free + state().exits[account].unbonding : free;
    }

    /// @dev A result pays at most the escrow, and without improvement at most the verifiers' fee, on the unchanged base.
    function _checkOutcome(Training storage round, Hot hot, bytes32 model, uint256 payout, int64 improvement)
        private
        view
    {
        Escrow storage escrow = round.escrow;
        bool improved = improvement > 0;
        uint256 limit = improved ? uint256(escrow.budget) + escrow.fee : escrow.fee;
        if (payout > limit) revert IRounds.PayoutTooLarge(payout, limit);
        if (improved == (model == state().projects[hot.project()].model)) {
            revert IRounds.ModelContradictsImprovement(improvement);
        }
    }
}
