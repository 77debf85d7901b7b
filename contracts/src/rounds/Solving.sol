// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Members} from "../libraries/Members.sol";
import {Results} from "../libraries/Results.sol";
import {Standings} from "../libraries/Standings.sol";
import {Standing} from "../types/Enums.sol";
import {Opening as OpenCommitment, SignedCommit} from "../types/Round.sol";
import {RoundBase} from "./RoundBase.sol";
import {Account, State, Training, phaseOf, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title Commits and reveals. The round's hot word, the solver's standing and its account are all they touch.
abstract contract Solving is RoundBase {
    using Members for bytes;
    using Standings for uint256;
    using Standings for Hot;

    enum Refusal {
        None,
        Committed,
        ClaimFirst,
        Verifier
    }

    // ---------------------------------------------------------------- commit

    /// @inheritdoc IRounds
    function commit(uint256 roundId, bytes32 commitment) external nonReentrant {
        Training storage round = state().rounds[roundId];
        Hot hot = _openHot(roundId, round);
        if (hot.has(HotWord.LISTED)) revert NotListed(roundId, msg.sender);
        round.hot = _commit(roundId, round, hot, commitment);
    }

    /// @inheritdoc IRounds
    function commitListed(uint256 roundId, bytes32 commitment, bytes32[] calldata proof)
        external
        nonReentrant
    {
        Training storage round = state().rounds[roundId];
        Hot hot = _openHot(roundId, round);
        if (!MerkleProof.verifyCalldata(proof, round.allowList, Results.listedHash(msg.sender))) {
            revert NotListed(roundId, msg.sender);
        }
        round.hot = _commit(roundId, round, hot, commitment);
    }

    /// @inheritdoc IRounds
    function commitMany(uint256 roundId, SignedCommit[] calldata commits) external nonReentrant {
        Training storage round = state().rounds[roundId];
        Hot hot = _openHot(roundId, round);
        if (hot.has(HotWord.LISTED)) revert NotListed(roundId, msg.sender);
        bytes32 domain = Results.domain(address(this));
        for (uint256 i = 0; i < commits.length; ++i) {
            SignedCommit calldata item = commits[i];
            bytes32 hash = Results.hash(roundId, item.commitment, domain);
            (address signer, ECDSA.RecoverError error,) = ECDSA.tryRecover(hash, item.r, item.vs);
            if (error != ECDSA.RecoverError.NoError || signer != item.solver) continue;
            if (hot.commits() == hot.places()) break;
            if (_refusal(round, hot, signer) != Refusal.None) continue;
            Account storage stake = state().accounts[signer];
            if (stake.free < hot.bond() || stake.debtor || stake.verifier) continue;
            hot = _take(roundId, round, hot, signer, item.commitment);
        }
        round.hot = hot;
    }

    function _openHot(uint256 roundId, Training storage round) private view returns (Hot hot) {
        hot = round.hot;
        if (block.timestamp >= hot.commitEnd()) revert WrongPhase(roundId, phaseOf(round));
        if (hot.commits() == hot.places()) revert RoundFull(roundId);
    }

    function _commit(uint256 roundId, Training storage round, Hot hot, bytes32 commitment)
        private
        returns (Hot)
    {
        Refusal refusal = _refusal(round, hot, msg.sender);
        if (refusal == Refusal.Committed) revert AlreadyCommitted(roundId, msg.sender);
        if (refusal == Refusal.ClaimFirst) revert ClaimFirst(roundId, msg.sender);
        if (refusal == Refusal.Verifier) revert VerifierCannotCommit(roundId, msg.sender);
        return _take(roundId, round, hot, msg.sender, commitment);
    }

    /// @dev Takes the place: all was checked but the stake.
    function _take(uint256 roundId, Training storage round, Hot hot, address solver, bytes32 commitment)
        private
        returns (Hot)
    {
        state().standings[hot.lane()][solver] = Standings.committed(commitment, hot.number());
        uint256 bond = hot.bond();
        emit Committed(roundId, solver, commitment, uint32(hot.commits()), uint128(bond));
        Stakes.lock(solver, bond, MINIMUM_VERIFIER_STAKE);
        hot = hot.withCommit();
        if (hot.commits() == hot.places()) {
            // Not before half of COMMIT, so that nobody can take every place in the block of the opening.
            uint256 half = hot.commitEnd() - round.terms.commitDuration / 2;
            uint256 end = Math.max(block.timestamp, half);
            hot = hot.withCommitEnd(end);
            emit CommitsClosed(roundId, uint64(end));
        }
        return hot;
    }

    function _refusal(Training storage round, Hot hot, address solver) private view returns (Refusal) {
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

    // ---------------------------------------------------------------- reveal

    /// @inheritdoc IRounds
    function reveal(uint256 roundId, bytes32 digest, bytes32 salt) external nonReentrant {
        Training storage round = state().rounds[roundId];
        Hot hot = _revealHot(roundId, round);
        if (!_reveal(roundId, hot, msg.sender, digest, salt)) revert AlreadyRevealed(roundId, msg.sender);
        round.hot = _closed(roundId, hot.withReveal());
    }

    /// @inheritdoc IRounds
    function revealMany(uint256 roundId, OpenCommitment[] calldata openings) external nonReentrant {
        Training storage round = state().rounds[roundId];
        Hot hot = _revealHot(roundId, round);
        for (uint256 i = 0; i < openings.length; ++i) {
            OpenCommitment calldata item = openings[i];
            if (_reveal(roundId, hot, item.solver, item.digest, item.salt)) hot = hot.withReveal();
        }
        round.hot = _closed(roundId, hot);
    }

    function _revealHot(uint256 roundId, Training storage round) private view returns (Hot hot) {
        hot = round.hot;
        if (block.timestamp < hot.revealStart() || block.timestamp >= hot.revealEnd()) {
            revert WrongPhase(roundId, phaseOf(round));
        }
    }

    /// @dev False if it was opened before.
    function _reveal(uint256 roundId, Hot hot, address solver, bytes32 digest, bytes32 salt)
        private
        returns (bool)
    {
        mapping(address => uint256) storage standings = state().standings[hot.lane()];
        uint256 word = standings[solver];
        Standing standing = word.standingIn(hot.number());
        if (standing == Standing.Revealed) return false;
        bytes32 commitment =
            keccak256(abi.encode(block.chainid, address(this), roundId, solver, digest, salt));
        if (standing != Standing.Committed || !word.commitsTo(commitment)) {
            revert CommitmentMismatch(roundId, solver);
        }
        standings[solver] = Standings.marked(Standing.Revealed, hot.number());
        emit Revealed(roundId, solver, digest, salt);
        return true;
    }

    /// @dev Whichever comes last, the last reveal or the unsealing, ends REVEAL.
    function _closed(uint256 roundId, Hot hot) internal returns (Hot) {
        if (!hot.has(HotWord.UNSEALED) || hot.reveals() != hot.commits()) return hot;
        emit RevealsClosed(roundId, uint64(block.timestamp));
        return hot.withRevealEnd(block.timestamp);
    }
}
