// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Hot, HotWord} from "../libraries/Hot.sol";
import {RoundBase} from "./RoundBase.sol";
import {Training, state} from "./RoundStorage.sol";
import {Solves} from "./Solves.sol";

/// @title Commits and reveals. The round's hot word, the solver's standing and its account are all they touch.
abstract contract Solving is RoundBase {
    /// @notice See `IRounds.commit`.
    function commit(uint256 roundId, bytes32 commitment) external outsideCalls {
        Training storage round = state().rounds[roundId];
        Hot hot = Solves.committable(roundId, round);
        if (hot.has(HotWord.LISTED)) revert IRounds.NotListed(roundId, msg.sender);
        round.hot = Solves.commit(roundId, round, hot, commitment, MINIMUM_VERIFIER_STAKE);
    }

    /// @notice See `IRounds.reveal`.
    function reveal(uint256 roundId, bytes32 digest, bytes32 salt) external outsideCalls {
        Training storage round = state().rounds[roundId];
        Hot hot = Solves.revealable(roundId, round);
        if (!Solves.reveal(roundId, hot, msg.sender, digest, salt)) {
            revert IRounds.AlreadyRevealed(roundId, msg.sender);
        }
        hot = hot.withReveal();
        // A look here spares all but the last the call.
        round.hot = hot.allRevealed() ? Solves.closed(roundId, hot) : hot;
    }
}
