// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IClaims} from "../interfaces/IClaims.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Standings} from "../libraries/Standings.sol";
import {ClaimKind, SlashCause, Standing, Verdict} from "../types/Enums.sol";
import {Leaf} from "../types/Round.sol";
import {Ends} from "./Ends.sol";
import {Place, Seats, Training, phaseOf, state} from "./RoundStorage.sol";
import {Solves} from "./Solves.sol";
import {Stakes} from "./Stakes.sol";

/// @dev What claims need to know of a settled round.
struct Claimable {
    Hot hot;
    bytes32 root;
    uint256 unclaimed;
    uint256 excludedBps;
    address treasury;
}

/// @title One claim: internal, for the core and for batches.
library Payments {
    using Members for bytes;

    function claimable(uint256 roundId, Training storage round, uint256 excludedBps, address treasury)
        internal
        view
        returns (Claimable memory)
    {
        Hot hot = round.hot;
        if (!hot.has(HotWord.SETTLED)) revert IRounds.WrongPhase(roundId, phaseOf(round));
        uint256 claimEnd = round.terms.end;
        if (block.timestamp >= claimEnd) revert IClaims.ClaimsEnded(roundId, uint64(claimEnd));
        return Claimable(hot, round.digest, round.pot.unclaimed, excludedBps, treasury);
    }

    /// @notice Pays what a row owes, at most what is unclaimed. Not done: the account has nothing (more) to claim by it.
    function claim(
        uint256 roundId,
        Training storage round,
        Claimable memory from,
        Leaf calldata leaf,
        bytes32[] calldata proof
    ) internal returns (bool done) {
        Ends.requireLeaf(roundId, from.root, leaf, proof);
        address account = leaf.account;
        Verdict verdict = leaf.verdict;
        uint256 amount = Math.min(leaf.amount, from.unclaimed);
        if (verdict != Verdict.Accepted) {
            if (verdict == Verdict.Fee) return _claimFee(roundId, round, from, account, amount);
            if (verdict != Verdict.Excluded && verdict != Verdict.Spared) {
                revert IClaims.VerdictCannotClaim(verdict);
            }
            if (leaf.amount != 0) revert IClaims.ExcludedEarnsNothing(leaf.amount);
        }
        Hot hot = from.hot;
        Place storage place = Solves.placeOf(hot, account);
        if (place.word != Standings.marked(Standing.Revealed, hot.number())) return false;
        place.word = Standings.marked(Standing.Released, hot.number());
        uint256 bond = hot.bond();
        uint256 kept = 0;
        if (verdict == Verdict.Excluded) {
            kept = bond * from.excludedBps / 10_000;
            emit IClaims.BondSlashed(roundId, account, kept, SlashCause.Excluded);
            // Who is excluded would wait for the release of its whole bond: others are paid for showing its row.
            emit IStakes.Slashed(account, kept, msg.sender);
            uint256 reward = kept / Stakes.REPORTER_DIVISOR;
            Stakes.credit(msg.sender, reward);
            Stakes.credit(from.treasury, kept - reward);
        }
        emit IClaims.Claimed(roundId, account, amount, ClaimKind.Reward);
        emit IClaims.BondReleased(roundId, account, bond - kept);
        Stakes.unlock(account, bond, kept, amount);
        from.unclaimed -= amount;
        return true;
    }

    /// @dev A fee is for a verifier of the round that was not slashed in it, once; all fees together stay within the fee.
    function _claimFee(
        uint256 roundId,
        Training storage round,
        Claimable memory from,
        address account,
        uint256 amount
    ) private returns (bool) {
        bytes memory members = Members.load(state().sets[round.terms.verifierSet].blob);
        uint256 seat = members.seatOf(account);
        if (seat == Members.NONE) return false;
        Seats memory seats = round.seats;
        uint32 bit = uint32(1 << seat);
        if ((seats.slashed | seats.feesPaid) & bit != 0) return false;
        amount = Math.min(amount, round.escrow.fee - seats.feesClaimed);
        seats.feesPaid |= bit;
        seats.feesClaimed += uint96(amount);
        round.seats = seats;
        emit IClaims.Claimed(roundId, account, amount, ClaimKind.Fee);
        Stakes.credit(account, amount);
        from.unclaimed -= amount;
        return true;
    }
}
