// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Results} from "../libraries/Results.sol";
import {Configuration, Opening, ProvenLeaf, SignedCommit} from "../types/Round.sol";
import {Claimable, Payments} from "./Payments.sol";
import {Account, Place, Training, state} from "./RoundStorage.sol";
import {Refusal, Solves} from "./Solves.sol";
import {Stakes} from "./Stakes.sol";

/// @title Commits, reveals and claims of many, and commits from an allow-list. Linked library of `TrainingRounds`; see
/// `IRounds` and `IClaims`.
library Batches {
    function commitListed(uint256 roundId, bytes32 commitment, bytes32[] calldata proof) external {
        Training storage round = state().rounds[roundId];
        Hot hot = Solves.committable(roundId, round);
        if (!MerkleProof.verifyCalldata(proof, round.allowList, Results.listedHash(msg.sender))) {
            revert IRounds.NotListed(roundId, msg.sender);
        }
        uint256 minimum = ITrainingRounds(address(this)).configuration().minimumVerifierStake;
        round.hot = Solves.commit(roundId, round, hot, commitment, minimum);
    }

    function commitMany(uint256 roundId, SignedCommit[] calldata commits) external {
        Training storage round = state().rounds[roundId];
        Hot hot = Solves.committable(roundId, round);
        if (hot.has(HotWord.LISTED)) revert IRounds.NotListed(roundId, msg.sender);
        bytes32 domain = Results.domain(address(this));
        uint256 bond = hot.bond();
        for (uint256 i = 0; i < commits.length && hot.commits() != hot.places(); ++i) {
            SignedCommit calldata item = commits[i];
            bytes32 hash = Results.hash(roundId, item.commitment, domain);
            // slither-disable-next-line unused-return
            (address signer, ECDSA.RecoverError error,) = ECDSA.tryRecover(hash, item.r, item.vs);
            if (error != ECDSA.RecoverError.NoError || signer != item.solver) continue;
            Account storage holding = state().accounts[signer];
            Account memory stake = holding;
            // Verifiers' duties are looked up one by one: they commit themselves.
            if (stake.free < bond || stake.debtor || stake.verifier) continue;
            Place storage place = Solves.placeOf(hot, signer);
            if (Solves.refusal(round, hot, signer, place.word, false) != Refusal.None) continue;
            Stakes.lock(holding, stake, bond);
            hot = Solves.take(roundId, round, hot, place, signer, item.commitment);
        }
        round.hot = hot;
    }

    function revealMany(uint256 roundId, Opening[] calldata openings) external {
        Training storage round = state().rounds[roundId];
        Hot hot = Solves.revealable(roundId, round);
        for (uint256 i = 0; i < openings.length; ++i) {
            Opening calldata item = openings[i];
            if (Solves.reveal(roundId, hot, item.solver, item.digest, item.salt)) hot = hot.withReveal();
        }
        round.hot = Solves.closed(roundId, hot);
    }

    function claimMany(uint256 roundId, ProvenLeaf[] calldata leaves) external {
        Training storage round = state().rounds[roundId];
        Configuration memory c = ITrainingRounds(address(this)).configuration();
        Claimable memory from = Payments.claimable(roundId, round, c.excludedBps, c.treasury);
        for (uint256 i = 0; i < leaves.length; ++i) {
            // What was claimed before is left out.
            // slither-disable-next-line unused-return
            Payments.claim(roundId, round, from, leaves[i].leaf, leaves[i].proof);
        }
        round.pot.unclaimed = uint96(from.unclaimed);
    }
}
