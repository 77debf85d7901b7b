// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClaims} from "../interfaces/IClaims.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IProjects} from "../interfaces/IProjects.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Results} from "../libraries/Results.sol";
import {Phase, Verdict} from "../types/Enums.sol";
import {Leaf, Recorded} from "../types/Round.sol";
import {Ends} from "./Ends.sol";
import {Claimable, Payments} from "./Payments.sol";
import {RoundBase} from "./RoundBase.sol";
import {Escrow, Training, requirePhase, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title Settling and claims.
abstract contract Claims is RoundBase {
    /// @notice See `IClaims.settle`.
    function settle(uint256 roundId, Recorded calldata recorded) external outsideCalls {
        Training storage round = state().rounds[roundId];
        requirePhase(roundId, round, Phase.Settleable);
        if (Results.hash(recorded) != round.digest) revert IDisputes.NotRecorded(roundId);
        Hot hot = round.hot;
        Escrow memory escrow = round.escrow;
        round.hot = hot.with(HotWord.SETTLED).without(HotWord.DISPUTED);
        round.terms.end = uint40(block.timestamp + Ends.CLAIM_DURATION);
        round.digest = recorded.root;
        round.pot.unclaimed = uint96(recorded.payout);
        uint256 returned =
            uint256(escrow.budget) + escrow.fee + escrow.unsealBond * HotWord.BOND_UNIT - recorded.payout;
        Stakes.credit(round.pot.proposer, returned);
        emit IClaims.RoundSettled(roundId, recorded.model, returned);
        if (recorded.improvement > 0) {
            state().projects[hot.project()].model = recorded.model;
            emit IProjects.ModelAdvanced(hot.project(), roundId, recorded.model);
        }
        Ends.free(round, hot, escrow);
        if (hot.has(HotWord.DISPUTED | HotWord.TAINTED)) {
            // Nobody challenged, or the arbiter was silent: what was set aside for a challenger has no other owner.
            Stakes.credit(TREASURY, round.dispute.pot);
            round.dispute.pot = 0;
        }
    }

    /// @notice See `IClaims.claim`.
    function claim(uint256 roundId, Leaf calldata leaf, bytes32[] calldata proof) external outsideCalls {
        Training storage round = state().rounds[roundId];
        Claimable memory from = Payments.claimable(roundId, round, EXCLUDED_BPS, TREASURY);
        if (!Payments.claim(roundId, round, from, leaf, proof)) {
            if (leaf.verdict == Verdict.Fee) revert IClaims.NothingToClaim(roundId, leaf.account);
            revert IClaims.NotRevealed(roundId, leaf.account);
        }
        round.pot.unclaimed = uint96(from.unclaimed);
    }
}
