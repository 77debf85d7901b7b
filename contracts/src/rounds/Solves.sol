// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Standings} from "../libraries/Standings.sol";
import {Standing} from "../types/Enums.sol";
import {State, Training, phaseOf, state} from "./RoundStorage.sol";
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
    using Standings for Hot;

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
        Refusal reason = refusal(round, hot, msg.sender);
        if (reason == Refusal.Committed) revert IRounds.AlreadyCommitted(roundId, msg.sender);
        if (reason == Refusal.ClaimFirst) revert IRounds.ClaimFirst(roundId, msg.sender);
        if (reason == Refusal.Verifier) revert IRounds.VerifierCannotCommit(roundId, msg.sender);
        return take(roundId, round, hot, msg.sender, commitment, minimumStake);
    }

    /// @notice Takes a place: all was checked but the stake.
    function take(
        uint256 roundId,
        Training storage round,
        Hot hot,
        address solver,
        bytes32 commitment,
        uint256 minimumStake
    ) internal returns (Hot) {
        state().standings[hot.lane()][solver] = Standings.committed(commitment, hot.number());
        uint256 bond = hot.bond();
        emit IRounds.Committed(roundId, solver, commitment, uint32(hot.commits()), uint128(bond));
        Stakes.lock(solver, bond, minimumStake);
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

    function refusal(Training storage round, Hot hot, address solver) internal view returns (Refusal) {
        State storage s = state();
        uint256 word = s.standings[hot.lane()][solver];
        if (word.standingIn(hot.number()) != Standing.None) return Refusal.Committed;
        if (word.bonded()) return Refusal.ClaimFirst;
        // Only who ever joined a set can be a verifier of this round.
        if (s.accounts[solver].verifier) {
            bytes memory members = Members.load(s.sets[round.terms.verifierSet].blob);
            if (members.seatOf(solver) != Members.NONE) return Refusal.Verifier;
        }
        return Refusal.None;
    }

    /// @notice The hot word of a round in REVEAL.
    function revealable(uint256 roundId, Training storage round) internal view returns (Hot hot) {
        hot = round.hot;
        if (block.timestamp < hot.revealStart() || block.timestamp >= hot.revealEnd()) {
            revert IRounds.WrongPhase(roundId, phaseOf(round));
        }
    }

    /// @notice Opens a commitment; false if it was open before.
    function reveal(uint256 roundId, Hot hot, address solver, bytes32 digest, bytes32 salt)
        internal
        returns (bool)
    {
        mapping(address => uint256) storage standings = state().standings[hot.lane()];
        uint256 word = standings[solver];
        Standing standing = word.standingIn(hot.number());
        if (standing == Standing.Revealed) return false;
        bytes32 commitment =
            keccak256(abi.encode(block.chainid, address(this), roundId, solver, digest, salt));
        if (standing != Standing.Committed || !word.commitsTo(commitment)) {
            revert IRounds.CommitmentMismatch(roundId, solver);
        }
        standings[solver] = Standings.marked(Standing.Revealed, hot.number());
        emit IRounds.Revealed(roundId, solver, digest, salt);
        return true;
    }

    /// @notice Whichever comes last, the last reveal or the unsealing, ends REVEAL.
    function closed(uint256 roundId, Hot hot) internal returns (Hot) {
        if (!hot.has(HotWord.UNSEALED) || hot.reveals() != hot.commits()) return hot;
        emit IRounds.RevealsClosed(roundId, uint64(block.timestamp));
        return hot.withRevealEnd(block.timestamp);
    }
}
