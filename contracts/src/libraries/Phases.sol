// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase} from "../types/Enums.sol";
import {Hot, HotWord} from "./Hot.sol";

/// @title The phase of a round at one instant: a function of stored facts and the time.
/// @dev `protocol.rounds.Round.phase` is the same rule; shared vectors compare them.
library Phases {
    /// @param verifyDuration seconds.
    /// @param challengeEnd once recorded.
    /// @param resolveEnd once disputed.
    function phase(Hot hot, uint256 verifyDuration, uint256 challengeEnd, uint256 resolveEnd, uint256 time)
        internal
        pure
        returns (Phase)
    {
        if (hot.commitEnd() == 0) return Phase.None;
        if (hot.has(HotWord.SETTLED)) return Phase.Settled;
        if (hot.has(HotWord.CANCELLED)) return Phase.Cancelled;
        if (hot.has(HotWord.DISPUTED)) return time < resolveEnd ? Phase.Disputed : Phase.Settleable;
        if (hot.has(HotWord.RECORDED)) return time < challengeEnd ? Phase.Challenge : Phase.Settleable;
        if (time < hot.commitEnd()) return Phase.Commit;
        if (hot.commits() == 0) return Phase.Cancellable;
        if (time < hot.revealStart()) return Phase.Gap;
        if (time < hot.revealEnd()) return Phase.Reveal;
        if (!hot.has(HotWord.UNSEALED) || hot.reveals() == 0) return Phase.Cancellable;
        return time < hot.revealEnd() + verifyDuration ? Phase.Verify : Phase.Cancellable;
    }
}
