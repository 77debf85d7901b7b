// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClaims} from "../interfaces/IClaims.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Results} from "../libraries/Results.sol";
import {CancelCause, Phase, SlashCause} from "../types/Enums.sol";
import {Configuration, Recorded} from "../types/Round.sol";
import {Ends} from "./Ends.sol";
import {Account, Challenge, State, Training, phaseOf, requirePhase, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title Disputes about recorded results. Linked library of `TrainingRounds`; see `IDisputes`.
library Disputes {
    using Members for bytes;

    function challenge(uint256 roundId, bytes32 evidence, Recorded calldata recorded) external {
        Training storage round = state().rounds[roundId];
        _requireChallengeable(roundId, round);
        _requireRecorded(roundId, round, recorded);
        Configuration memory c = ITrainingRounds(address(this)).configuration();
        Challenge storage mine = round.challenges[msg.sender];
        if (mine.bond != 0) revert IDisputes.AlreadyChallenged(roundId, msg.sender);
        uint256 bond = Math.max(c.minimumBond, uint256(recorded.payout) * c.challengeBondBps / 10_000);
        (mine.bond, mine.epoch) = (uint96(bond), round.dispute.epoch);
        round.dispute.challenges += 1;
        round.dispute.resolveEnd = uint40(block.timestamp + c.resolveDuration);
        if (!round.hot.has(HotWord.DISPUTED)) {
            round.hot = round.hot.with(HotWord.DISPUTED);
            _note(roundId, round, recorded.signers);
        }
        // A bond from outside, for whoever has no free stake: a pause must not stop challenges.
        Account storage stake = state().accounts[msg.sender];
        uint256 fromFree = stake.verifier || stake.debtor ? 0 : Math.min(stake.free, bond);
        if (bond != fromFree) {
            Stakes.pull(c.token, bond - fromFree);
            emit IStakes.Staked(msg.sender, msg.sender, bond - fromFree);
        }
        stake.free -= uint96(fromFree);
        stake.locked += uint96(bond);
        emit IDisputes.Challenged(roundId, msg.sender, evidence, uint128(bond));
    }

    function overturn(uint256 roundId, Recorded calldata recorded, address winner) external {
        Training storage round = state().rounds[roundId];
        Configuration memory c = _requireArbiter(roundId, round);
        _requireRecorded(roundId, round, recorded);
        Challenge storage won = round.challenges[winner];
        if (won.bond == 0 || won.epoch != round.dispute.epoch) {
            revert IDisputes.NotChallenger(roundId, winner);
        }
        uint32 guilty = recorded.signers & ~round.seats.slashed;
        round.seats.slashed |= guilty;
        bytes memory members = Members.load(state().sets[round.terms.verifierSet].blob);
        uint256 count = members.count();
        uint256 pot = round.dispute.pot;
        for (uint256 seat = 0; seat < count; ++seat) {
            if (guilty >> seat & 1 == 0) continue;
            address member = members.at(seat);
            uint256 taken = Stakes.take(member, c.minimumVerifierStake);
            uint256 reward = taken / Stakes.REPORTER_DIVISOR;
            pot += reward;
            Stakes.credit(c.treasury, taken - reward);
            if (taken != c.minimumVerifierStake) Stakes.owe(member, c.minimumVerifierStake - taken);
            emit IStakes.Slashed(member, taken, winner);
            emit IClaims.BondSlashed(roundId, member, taken, SlashCause.Overturned);
        }
        round.dispute.pot = 0;
        Stakes.credit(winner, pot);
        emit IDisputes.Resolved(roundId, true, winner, pot);
        Ends.cancel(roundId, round, CancelCause.Overturned, c.keeperReward);
    }

    function uphold(uint256 roundId) external {
        Training storage round = state().rounds[roundId];
        Configuration memory c = _requireArbiter(roundId, round);
        // Back to the challenge window, or past it: a weak challenge must not shield a result from a strong one.
        round.hot = round.hot.without(HotWord.DISPUTED);
        round.dispute.epoch += 1;
        Stakes.credit(c.treasury, round.dispute.pot);
        round.dispute.pot = 0;
        emit IDisputes.Resolved(roundId, false, address(0), 0);
    }

    function closeChallenge(uint256 roundId, address challenger) external {
        Training storage round = state().rounds[roundId];
        Challenge storage made = round.challenges[challenger];
        uint256 bond = made.bond;
        if (bond == 0) revert IDisputes.NotChallenger(roundId, challenger);
        bool lost = made.epoch != round.dispute.epoch;
        Hot hot = round.hot;
        if (!lost && !hot.has(HotWord.SETTLED) && !hot.has(HotWord.CANCELLED)) {
            revert IDisputes.ChallengeOpen(roundId, challenger);
        }
        (made.bond, made.epoch) = (0, 0);
        emit IDisputes.ChallengeClosed(roundId, challenger, bond, !lost);
        if (lost) {
            address treasury = ITrainingRounds(address(this)).configuration().treasury;
            emit IClaims.BondSlashed(roundId, challenger, bond, SlashCause.ChallengeRejected);
            Stakes.slashBond(challenger, bond, treasury, treasury);
        } else {
            Stakes.unlock(challenger, bond, 0, 0);
        }
    }

    /// @dev From now on the reporter's part of what the signers lose waits for the challenger.
    function _note(uint256 roundId, Training storage round, uint32 signers) private {
        State storage s = state();
        bytes memory members = Members.load(s.sets[round.terms.verifierSet].blob);
        uint256 count = members.count();
        for (uint256 seat = 0; seat < count; ++seat) {
            if (signers >> seat & 1 == 0) continue;
            Account storage stake = s.accounts[members.at(seat)];
            if (!Stakes.isDisputed(s.rounds[stake.dispute])) stake.dispute = uint32(roundId);
        }
    }

    function _requireChallengeable(uint256 roundId, Training storage round) private view {
        Phase current = phaseOf(round);
        bool open =
            current == Phase.Challenge || (current == Phase.Disputed && block.timestamp < round.terms.end);
        if (!open) revert IRounds.WrongPhase(roundId, current);
    }

    function _requireRecorded(uint256 roundId, Training storage round, Recorded calldata recorded)
        private
        view
    {
        if (Results.hash(recorded) != round.digest) revert IDisputes.NotRecorded(roundId);
    }

    function _requireArbiter(uint256 roundId, Training storage round)
        private
        view
        returns (Configuration memory c)
    {
        c = ITrainingRounds(address(this)).configuration();
        if (msg.sender != c.arbiter) revert IDisputes.NotArbiter(msg.sender);
        requirePhase(roundId, round, Phase.Disputed);
    }
}
