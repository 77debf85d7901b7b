// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IClaims} from "../interfaces/IClaims.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {Results} from "../libraries/Results.sol";
import {CancelCause, SlashCause} from "../types/Enums.sol";
import {Leaf} from "../types/Round.sol";
import {Escrow, Project, Training, VerifierSet, state} from "./RoundStorage.sol";
import {Stakes} from "./Stakes.sol";

/// @title What the end of a round frees: internal, for the core and its libraries.
library Ends {
    /// @notice Time to claim after a round was settled.
    uint256 internal constant CLAIM_DURATION = 90 days;
    /// @notice After this long a bond of a settled round is released without a claim.
    uint256 internal constant RELEASE_DELAY = 14 days;

    /// @notice Cancels the round. The escrow returns to the proposer, less an unseal bond it forfeited, which stays for the
    /// revealers in equal shares (what does not divide returns too).
    function cancel(uint256 roundId, Training storage round, CancelCause cause, uint256 keeperReward)
        internal
    {
        Hot hot = round.hot;
        Escrow memory escrow = round.escrow;
        round.hot = hot.with(HotWord.CANCELLED).without(HotWord.DISPUTED);
        round.terms.cause = cause;
        uint256 returned = uint256(escrow.budget) + escrow.fee;
        uint256 unsealBond = escrow.unsealBond * HotWord.BOND_UNIT;
        address proposer = round.pot.proposer;
        if (cause == CancelCause.NotUnsealed) {
            uint256 dust = unsealBond % hot.reveals();
            returned += dust;
            emit IClaims.BondSlashed(roundId, proposer, unsealBond - dust, SlashCause.NotUnsealed);
        } else {
            returned += unsealBond;
        }
        if (round.terms.beaconBlock == 0) returned += keeperReward;
        if (!hot.has(HotWord.DRAWN)) returned += keeperReward;
        Stakes.credit(proposer, returned);
        emit IClaims.RoundCancelled(roundId, cause, returned);
        free(round, hot, escrow);
    }

    /// @notice Frees project and verifiers.
    function free(Training storage round, Hot hot, Escrow memory escrow) internal {
        state().projects[hot.project()].busy = false;
        VerifierSet storage set = state().sets[round.terms.verifierSet];
        (set.openRounds, set.escrow) = (set.openRounds - 1, set.escrow - escrow.budget - escrow.fee);
    }

    function requireLeaf(uint256 roundId, bytes32 root, Leaf calldata leaf, bytes32[] calldata proof)
        internal
        pure
    {
        if (!MerkleProof.verifyCalldata(proof, root, Results.leafHash(roundId, leaf))) {
            revert IClaims.BadProof(roundId, leaf.account);
        }
    }
}
