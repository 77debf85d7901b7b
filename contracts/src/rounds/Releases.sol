// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IClaims} from "../interfaces/IClaims.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Results} from "../libraries/Results.sol";
import {Standings} from "../libraries/Standings.sol";
import {CancelCause, ClaimKind, Phase, SlashCause, Standing, Verdict} from "../types/Enums.sol";
import {Configuration, Leaf, Result, Signature} from "../types/Round.sol";
import {Ends} from "./Ends.sol";
import {Place, Training, phaseOf, requirePhase, state} from "./RoundStorage.sol";
import {Solves} from "./Solves.sol";
import {Stakes} from "./Stakes.sol";

/// @title Cancelling, and bonds that are lost or come back without a claim. Linked library of `TrainingRounds`; see `IClaims`.
library Releases {
    using Members for bytes;
    using Standings for uint256;

    function cancel(uint256 roundId) external {
        Training storage round = state().rounds[roundId];
        requirePhase(roundId, round, Phase.Cancellable);
        Hot hot = round.hot;
        CancelCause cause = CancelCause.Expired;
        if (hot.commits() == 0) cause = CancelCause.NoCommits;
        else if (hot.reveals() == 0) cause = CancelCause.NoReveals;
        else if (!hot.has(HotWord.UNSEALED)) cause = CancelCause.NotUnsealed;
        Ends.cancel(roundId, round, cause, ITrainingRounds(address(this)).configuration().keeperReward);
    }

    function releaseBond(uint256 roundId) external {
        Training storage round = state().rounds[roundId];
        Phase current = phaseOf(round);
        if (current == Phase.Settled) {
            uint256 from = round.terms.end - Ends.CLAIM_DURATION + Ends.RELEASE_DELAY;
            if (block.timestamp < from) revert IClaims.ClaimsOpen(roundId, uint64(from));
        } else if (current != Phase.Cancelled) {
            revert IRounds.WrongPhase(roundId, current);
        }
        Hot hot = round.hot;
        _move(roundId, hot, msg.sender, Standing.Revealed, Standing.Released);
        uint256 share = 0;
        if (round.terms.cause == CancelCause.NotUnsealed) {
            share = round.escrow.unsealBond * HotWord.BOND_UNIT / hot.reveals();
            emit IClaims.Claimed(roundId, msg.sender, share, ClaimKind.UnsealShare);
        }
        emit IClaims.BondReleased(roundId, msg.sender, hot.bond());
        Stakes.unlock(msg.sender, hot.bond(), 0, share);
    }

    function sweep(uint256 roundId) external {
        Training storage round = state().rounds[roundId];
        requirePhase(roundId, round, Phase.Settled);
        if (block.timestamp < round.terms.end) revert IClaims.ClaimsOpen(roundId, round.terms.end);
        address treasury = ITrainingRounds(address(this)).configuration().treasury;
        uint96 amount = round.pot.unclaimed;
        if (amount == 0) revert IClaims.NothingToClaim(roundId, treasury);
        round.pot.unclaimed = 0;
        emit IClaims.Swept(roundId, treasury, amount);
        Stakes.credit(treasury, amount);
    }

    function slashNonReveal(uint256 roundId, address solver) external {
        Training storage round = state().rounds[roundId];
        Hot hot = round.hot;
        if (hot.commitEnd() == 0 || block.timestamp < hot.revealEnd()) {
            revert IRounds.WrongPhase(roundId, phaseOf(round));
        }
        _move(roundId, hot, solver, Standing.Committed, Standing.Slashed);
        _slash(roundId, hot, solver, SlashCause.NotRevealed);
    }

    function slashInvalid(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external {
        Training storage round = state().rounds[roundId];
        requirePhase(roundId, round, Phase.Settled);
        if (leaf.verdict != Verdict.Invalid) revert IClaims.VerdictNotInvalid(leaf.verdict);
        Ends.requireLeaf(roundId, round.digest, leaf, proof);
        Hot hot = round.hot;
        _move(roundId, hot, leaf.account, Standing.Revealed, Standing.Slashed);
        _slash(roundId, hot, leaf.account, SlashCause.Invalid);
    }

    function slashEquivocation(
        Result calldata first,
        Signature calldata firstSignature,
        Result calldata second,
        Signature calldata secondSignature
    ) external {
        uint256 roundId = first.roundId;
        bytes32 domain = Results.domain(address(this));
        bytes32 firstHash = Results.hash(first, domain);
        bytes32 secondHash = Results.hash(second, domain);
        address signer = ECDSA.recover(firstHash, firstSignature.r, firstSignature.vs);
        if (
            roundId != second.roundId || firstHash == secondHash
                || signer != ECDSA.recover(secondHash, secondSignature.r, secondSignature.vs)
        ) revert IDisputes.NoEquivocation();
        Training storage round = state().rounds[roundId];
        uint256 seat = Members.load(state().sets[round.terms.verifierSet].blob).seatOf(signer);
        if (seat == Members.NONE) revert IRounds.NotVerifier(roundId, signer);
        uint32 bit = uint32(1 << seat);
        if (round.seats.slashed & bit != 0) revert IDisputes.AlreadySlashed(roundId, signer);
        round.seats.slashed |= bit;
        round.hot = round.hot.with(HotWord.TAINTED);
        Configuration memory c = ITrainingRounds(address(this)).configuration();
        uint256 taken = Stakes.take(signer, c.minimumVerifierStake);
        if (taken != c.minimumVerifierStake) Stakes.owe(signer, c.minimumVerifierStake - taken);
        // While the result can be challenged the reporter's part waits for a challenger, as it does in a dispute: signers
        // that see a challenge coming gain nothing by reporting each other first.
        if (phaseOf(round) == Phase.Challenge) {
            Stakes.setAside(round, signer, taken, msg.sender, c.treasury);
        } else {
            Stakes.distribute(signer, taken, msg.sender, c.treasury);
        }
        emit IClaims.BondSlashed(roundId, signer, taken, SlashCause.Equivocation);
    }

    /// @dev Reverts unless the solver stands at `from` in this round.
    function _move(uint256 roundId, Hot hot, address solver, Standing from, Standing to) private {
        Place storage place = Solves.placeOf(hot, solver);
        if (place.word.standingIn(hot.number()) != from) {
            if (from == Standing.Committed) revert IClaims.NotUnrevealed(roundId, solver);
            revert IClaims.NotRevealed(roundId, solver);
        }
        place.word = Standings.marked(to, hot.number());
    }

    function _slash(uint256 roundId, Hot hot, address solver, SlashCause cause) private {
        emit IClaims.BondSlashed(roundId, solver, hot.bond(), cause);
        address treasury = ITrainingRounds(address(this)).configuration().treasury;
        Stakes.slashBond(solver, hot.bond(), msg.sender, treasury);
    }
}
