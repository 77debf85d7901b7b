// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClaims} from "../interfaces/IClaims.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Results} from "../libraries/Results.sol";
import {Standings} from "../libraries/Standings.sol";
import {CancelCause, ClaimKind, Phase, SlashCause, Standing, Verdict} from "../types/Enums.sol";
import {Leaf, ProvenLeaf, Recorded} from "../types/Round.sol";
import {Ends} from "./Ends.sol";
import {RoundBase} from "./RoundBase.sol";
import {Escrow, Seats, Training, phaseOf, requirePhase, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title Settling, cancelling, claims.
abstract contract Claims is RoundBase {
    using Members for bytes;
    using Standings for uint256;
    using Standings for Hot;

    // ---------------------------------------------------------------- ends

    /// @inheritdoc IClaims
    function settle(uint256 roundId, Recorded calldata recorded) external nonReentrant {
        Training storage round = state().rounds[roundId];
        requirePhase(roundId, round, Phase.Settleable);
        if (Results.hash(recorded) != round.digest) revert NotRecorded(roundId);
        Hot hot = round.hot;
        Escrow memory escrow = round.escrow;
        round.hot = hot.with(HotWord.SETTLED).without(HotWord.DISPUTED);
        round.terms.end = uint40(block.timestamp + Ends.CLAIM_DURATION);
        round.digest = recorded.root;
        round.pot.unclaimed = uint96(recorded.payout);
        uint256 returned = uint256(escrow.budget) + escrow.fee + escrow.unsealBond * HotWord.BOND_UNIT
            - recorded.payout;
        Stakes.credit(round.pot.proposer, returned);
        emit RoundSettled(roundId, recorded.model, returned);
        if (recorded.improvement > 0) {
            state().projects[hot.project()].model = recorded.model;
            emit ModelAdvanced(hot.project(), roundId, recorded.model);
        }
        Ends.free(round, hot, escrow);
        if (hot.has(HotWord.DISPUTED)) {
            // The arbiter was silent: what was set aside for a challenger has no other owner.
            Stakes.credit(TREASURY, round.dispute.pot);
            round.dispute.pot = 0;
        }
    }

    /// @inheritdoc IClaims
    function cancel(uint256 roundId) external nonReentrant {
        Training storage round = state().rounds[roundId];
        requirePhase(roundId, round, Phase.Cancellable);
        Hot hot = round.hot;
        CancelCause cause = CancelCause.Expired;
        if (hot.commits() == 0) cause = CancelCause.NoCommits;
        else if (hot.reveals() == 0) cause = CancelCause.NoReveals;
        else if (!hot.has(HotWord.UNSEALED)) cause = CancelCause.NotUnsealed;
        Ends.cancel(roundId, round, cause, KEEPER_REWARD);
    }

    // ---------------------------------------------------------------- claims

    /// @inheritdoc IClaims
    function claim(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external nonReentrant {
        Training storage round = state().rounds[roundId];
        (Hot hot, bytes32 root, uint256 unclaimed) = _claimable(roundId, round);
        (uint256 amount, bool done) = _claim(roundId, round, hot, root, unclaimed, leaf, proof);
        if (!done) {
            if (leaf.verdict == Verdict.Fee) revert NothingToClaim(roundId, leaf.account);
            revert NotRevealed(roundId, leaf.account);
        }
        if (amount != 0) round.pot.unclaimed = uint96(unclaimed - amount);
    }

    /// @inheritdoc IClaims
    function claimMany(uint256 roundId, ProvenLeaf[] calldata leaves) external nonReentrant {
        Training storage round = state().rounds[roundId];
        (Hot hot, bytes32 root, uint256 unclaimed) = _claimable(roundId, round);
        uint256 left = unclaimed;
        for (uint256 i = 0; i < leaves.length; ++i) {
            (uint256 amount,) =
                _claim(roundId, round, hot, root, left, leaves[i].leaf, leaves[i].proof);
            left -= amount;
        }
        if (left != unclaimed) round.pot.unclaimed = uint96(left);
    }

    function _claimable(uint256 roundId, Training storage round)
        private
        view
        returns (Hot hot, bytes32 root, uint256 unclaimed)
    {
        hot = round.hot;
        if (!hot.has(HotWord.SETTLED)) revert WrongPhase(roundId, phaseOf(round));
        uint256 claimEnd = round.terms.end;
        if (block.timestamp >= claimEnd) revert ClaimsEnded(roundId, uint64(claimEnd));
        return (hot, round.digest, round.pot.unclaimed);
    }

    /// @dev Pays at most `unclaimed`. Not done: the account has nothing (more) to claim by such a row.
    function _claim(
        uint256 roundId,
        Training storage round,
        Hot hot,
        bytes32 root,
        uint256 unclaimed,
        Leaf calldata leaf,
        bytes32[] calldata proof
    ) private returns (uint256 amount, bool done) {
        Ends.requireLeaf(roundId, root, leaf, proof);
        address account = leaf.account;
        Verdict verdict = leaf.verdict;
        amount = Math.min(leaf.amount, unclaimed);
        if (verdict == Verdict.Fee) return _claimFee(roundId, round, account, amount);
        if (verdict == Verdict.Excluded || verdict == Verdict.Spared) {
            if (leaf.amount != 0) revert ExcludedEarnsNothing(leaf.amount);
        } else if (verdict != Verdict.Accepted) {
            revert VerdictCannotClaim(verdict);
        }
        mapping(address => uint256) storage standings = state().standings[hot.lane()];
        if (standings[account].standingIn(hot.number()) != Standing.Revealed) return (0, false);
        standings[account] = Standings.marked(Standing.Released, hot.number());
        uint256 bond = hot.bond();
        if (verdict == Verdict.Excluded) {
            uint256 kept = bond * EXCLUDED_BPS / 10_000;
            if (kept != 0) {
                bond -= kept;
                emit BondSlashed(roundId, account, kept, SlashCause.Excluded);
                Stakes.slashBond(account, kept, TREASURY, TREASURY);
            }
        }
        emit Claimed(roundId, account, amount, ClaimKind.Reward);
        emit BondReleased(roundId, account, bond);
        Stakes.unlock(account, bond, amount);
        return (amount, true);
    }

    /// @dev A fee is for a verifier of the round that was not slashed in it, once; all fees together stay within the fee.
    function _claimFee(uint256 roundId, Training storage round, address account, uint256 amount)
        private
        returns (uint256, bool)
    {
        bytes memory members = Members.load(state().sets[round.terms.verifierSet].blob);
        uint256 seat = members.seatOf(account);
        if (seat == Members.NONE) return (0, false);
        Seats memory seats = round.seats;
        uint32 bit = uint32(1 << seat);
        if ((seats.slashed | seats.feesPaid) & bit != 0) return (0, false);
        amount = Math.min(amount, round.escrow.fee - seats.feesClaimed);
        seats.feesPaid |= bit;
        seats.feesClaimed += uint96(amount);
        round.seats = seats;
        emit Claimed(roundId, account, amount, ClaimKind.Fee);
        Stakes.credit(account, amount);
        return (amount, true);
    }
}
