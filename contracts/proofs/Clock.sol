// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hot, HotWord} from "../src/libraries/Hot.sol";
import {Phases} from "../src/libraries/Phases.sol";
import {Phase} from "../src/types/Enums.sol";

/// @dev The phase function against what each phase means. Every check says for each phase of its kind of round when it holds;
/// as no two of these can hold at once, a round is in a phase exactly when what it means holds.
contract ClockProofs {
    /// @dev Ended, or never opened: neither time nor anything else matters.
    function check_phaseOfEnded(Hot hot, uint24 verify, uint40 challengeEnd, uint40 resolveEnd, uint40 time)
        external
        pure
    {
        bool exists = hot.commitEnd() != 0;
        bool settled = hot.has(HotWord.SETTLED);
        bool cancelled = hot.has(HotWord.CANCELLED);
        if (exists && !settled && !cancelled) return;
        Phase phase = Phases.phase(hot, verify, challengeEnd, resolveEnd, time);
        if (!exists) assert(phase == Phase.None);
        else assert(phase == (settled ? Phase.Settled : Phase.Cancelled));
    }

    /// @dev Recorded: disputed or not, until the one time or the other.
    function check_phaseOfRecorded(
        Hot hot,
        uint24 verify,
        uint40 challengeEnd,
        uint40 resolveEnd,
        uint40 time
    ) external pure {
        if (hot.commitEnd() == 0 || hot.has(HotWord.SETTLED | HotWord.CANCELLED)) return;
        bool disputed = hot.has(HotWord.DISPUTED);
        if (!disputed && !hot.has(HotWord.RECORDED)) return;
        Phase phase = Phases.phase(hot, verify, challengeEnd, resolveEnd, time);
        if (time >= (disputed ? resolveEnd : challengeEnd)) assert(phase == Phase.Settleable);
        else assert(phase == (disputed ? Phase.Disputed : Phase.Challenge));
    }

    function _underWay(Hot hot) private pure returns (bool) {
        uint256 flags = HotWord.SETTLED | HotWord.CANCELLED | HotWord.DISPUTED | HotWord.RECORDED;
        return hot.commitEnd() != 0 && !hot.has(flags);
    }

    /// @dev Without a commit there is nothing after COMMIT.
    function check_phaseOfEmpty(Hot hot, uint24 verify, uint40 challengeEnd, uint40 resolveEnd, uint40 time)
        external
        pure
    {
        if (!_underWay(hot) || hot.commits() != 0) return;
        Phase phase = Phases.phase(hot, verify, challengeEnd, resolveEnd, time);
        assert(phase == (time < hot.commitEnd() ? Phase.Commit : Phase.Cancellable));
    }

    /// @dev With commits, each phase lasts from the end of the one before to its own.
    function check_phaseUntilReveals(
        Hot hot,
        uint24 verify,
        uint40 challengeEnd,
        uint40 resolveEnd,
        uint40 time
    ) external pure {
        uint256 end = hot.revealEnd();
        if (!_underWay(hot) || hot.commits() == 0 || time >= end) return;
        Phase phase = Phases.phase(hot, verify, challengeEnd, resolveEnd, time);
        if (phase == Phase.Commit) assert(time < hot.commitEnd());
        else if (phase == Phase.Gap) assert(time >= hot.commitEnd() && time < hot.commitEnd() + hot.gap());
        else assert(phase == Phase.Reveal && time >= hot.commitEnd() + hot.gap());
    }

    /// @dev After REVEAL it is measured if there is something to measure and to measure it on, or it is over.
    function check_phaseAfterReveals(
        Hot hot,
        uint24 verify,
        uint40 challengeEnd,
        uint40 resolveEnd,
        uint40 time
    ) external pure {
        uint256 end = hot.revealEnd();
        if (!_underWay(hot) || hot.commits() == 0 || time < end) return;
        Phase phase = Phases.phase(hot, verify, challengeEnd, resolveEnd, time);
        bool measurable = hot.reveals() != 0 && hot.has(HotWord.UNSEALED);
        if (phase == Phase.Verify) assert(measurable && time < end + verify);
        else assert(phase == Phase.Cancellable && (!measurable || time >= end + verify));
    }
}
