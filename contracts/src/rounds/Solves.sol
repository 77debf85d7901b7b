// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Results} from "../libraries/Results.sol";
import {Standings} from "../libraries/Standings.sol";
import {Standing} from "../types/Enums.sol";
import {Account, Place, Training, phaseOf, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @dev Why an account cannot commit.
enum Refusal {
    None,
    Committed,
    ClaimFirst,
    Verifier
}

/// @title One commit, one reveal: internal, for the core and for batches.
library Solves {
    using Members for bytes;
    using Standings for uint256;

    /// @notice The hot word of a round that takes commits.
    function committable(uint256 roundId, Training storage round) internal view returns (Hot hot) {
        hot = round.hot;
        if (block.timestamp >= hot.commitEnd()) revert IRounds.WrongPhase(roundId, phaseOf(round));
        if (hot.commits() == hot.places()) revert IRounds.RoundFull(roundId);
    }

    /// @notice Commits for the caller.
    function commit(
        uint256 roundId,
        Training storage round,
        Hot hot,
        bytes32 commitment,
        uint256 minimumStake
    ) internal returns (Hot) {
        Account storage holding = state().accounts[msg.sender];
        Account memory stake = holding;
        Place storage place = placeOf(hot, msg.sender);
        Refusal reason = refusal(round, hot, msg.sender, place.word, stake.verifier);
        if (reason == Refusal.Committed) revert IRounds.AlreadyCommitted(roundId, msg.sender);
        if (reason == Refusal.ClaimFirst) revert IRounds.ClaimFirst(roundId, msg.sender);
        if (reason == Refusal.Verifier) revert IRounds.VerifierCannotCommit(roundId, msg.sender);
        uint256 bond = hot.bond();
        Stakes.requireLockable(msg.sender, stake, bond, minimumStake);
        Stakes.lock(holding, stake, bond);
        return take(roundId, round, hot, place, msg.sender, commitment);
    }

    /// @notice Takes a place for a bond that was locked.
    function take(
        uint256 roundId,
        Training storage round,
        Hot hot,
        Place storage place,
        address solver,
        bytes32 commitment
    ) internal returns (Hot) {
        place.word = Standings.committed(commitment, hot.number());
        emit IRounds.Committed(roundId, solver, commitment, uint32(hot.commits()), uint128(hot.bond()));
        hot = hot.withCommit();
        if (hot.commits() == hot.places()) {
            // Not before half of COMMIT, so that nobody can end it in the block of the opening.
            uint256 half = hot.commitEnd() - round.terms.commitDuration / 2;
            uint256 end = Math.max(block.timestamp, half);
            hot = hot.withCommitEnd(end);
            emit IRounds.CommitsClosed(roundId, uint64(end));
        }
        return hot;
    }

    /// @param word the solver's, in the round's lane.
    /// @param verifier whether the solver ever joined a set: nobody else can be a verifier of this round.
    function refusal(Training storage round, Hot hot, address solver, uint256 word, bool verifier)
        internal
        view
        returns (Refusal)
    {
        if (word.standingIn(hot.number()) != Standing.None) return Refusal.Committed;
        if (word.bonded()) return Refusal.ClaimFirst;
        if (verifier) {
            bytes memory members = Members.load(state().sets[round.terms.verifierSet].blob);
            if (members.seatOf(solver) != Members.NONE) return Refusal.Verifier;
        }
        return Refusal.None;
    }

    /// @notice The hot word of a round in REVEAL.
    function revealable(uint256 roundId, Training storage round) internal view returns (Hot hot) {
        hot = round.hot;
        if (!hot.revealing(block.timestamp)) revert IRounds.WrongPhase(roundId, phaseOf(round));
    }

    /// @notice Opens a commitment; false if it was open before.
    function reveal(uint256 roundId, Hot hot, address solver, bytes32 digest, bytes32 salt)
        internal
        returns (bool opened)
    {
        Place storage place = placeOf(hot, solver);
        uint256 number = hot.number();
        uint256 word = place.word;
        uint256 revealed = Standings.marked(Standing.Revealed, number);
        // The one word that a commit with this commitment in this round leaves.
        opened = word == Standings.committed(Results.commitment(roundId, solver, digest, salt), number);
        if (opened) {
            place.word = revealed;
            emit IRounds.Revealed(roundId, solver, digest, salt);
        } else if (word != revealed) {
            revert IRounds.CommitmentMismatch(roundId, solver);
        }
    }

    /// @notice Whichever comes last, the last reveal or the unsealing, ends REVEAL.
    function closed(uint256 roundId, Hot hot) internal returns (Hot) {
        if (hot.allRevealed() && hot.has(HotWord.UNSEALED)) {
            emit IRounds.RevealsClosed(roundId, uint64(block.timestamp));
            hot = hot.withRevealEnd(block.timestamp);
        }
        return hot;
    }

    /// @notice Where an account's word lies.
    function placeOf(Hot hot, address account) internal view returns (Place storage) {
        return state().standings[hot.lane() << 160 | uint160(account)];
    }
}
