// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev What commit and reveal need of a round, in one storage word. From the lowest bit: commits 16, reveals 16, places 16,
/// flags 8, number 16, project 32, length of REVEAL 24, gap 24, end of COMMIT 40, bond 64 (in 1e9 units).
type Hot is uint256;

using HotWord for Hot global;

/// @title Fields of the hot word.
library HotWord {
    uint256 internal constant DRAWN = 1;
    uint256 internal constant UNSEALED = 2;
    uint256 internal constant RECORDED = 4;
    uint256 internal constant DISPUTED = 8;
    uint256 internal constant SETTLED = 16;
    uint256 internal constant CANCELLED = 32;
    /// @dev Only accounts on the round's allow-list may commit.
    uint256 internal constant LISTED = 64;
    /// @dev Some verifier was slashed in this round, so that recording has to look who.
    uint256 internal constant TAINTED = 128;

    /// @dev Bonds are multiples of this many units of the token.
    uint256 internal constant BOND_UNIT = 1e9;

    uint256 private constant ONE_REVEAL = 1 << 16;
    uint256 private constant FLAGS = 48;
    uint256 private constant REVEAL_DURATION = 104;
    uint256 private constant COMMIT_END = 152;

    /// @dev Every argument fits its field: `Opening` checks.
    function make(
        uint256 projectId,
        uint256 number_,
        uint256 commitEnd_,
        uint256 gap_,
        uint256 revealDuration_,
        uint256 bond_,
        uint256 places_,
        uint256 flags
    ) internal pure returns (Hot) {
        return Hot.wrap(
            places_ << 32 | flags << FLAGS | number_ << 56 | projectId << 72 | revealDuration_
                << REVEAL_DURATION | gap_ << 128 | commitEnd_ << COMMIT_END | (bond_ / BOND_UNIT) << 192
        );
    }

    function commits(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) & 0xffff;
    }

    function reveals(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> 16 & 0xffff;
    }

    /// @notice Most commits.
    function places(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> 32 & 0xffff;
    }

    /// @notice Whether every commit was opened.
    function allRevealed(Hot hot) internal pure returns (bool) {
        return (Hot.unwrap(hot) ^ Hot.unwrap(hot) >> 16) & 0xffff == 0;
    }

    function has(Hot hot, uint256 flag) internal pure returns (bool) {
        return Hot.unwrap(hot) >> FLAGS & flag != 0;
    }

    /// @notice The round's place among those of its project, from 1.
    function number(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> 56 & 0xffff;
    }

    function project(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> 72 & 0xffffffff;
    }

    /// @notice Where standings in the round lie: by the project and the last three bits of the round's number, so that the
    /// rounds of a project take eight lanes in turn.
    function lane(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> 56 & 0xffffffff0007;
    }

    function gap(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> 128 & 0xffffff;
    }

    function commitEnd(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> COMMIT_END & 0xffffffffff;
    }

    function revealStart(Hot hot) internal pure returns (uint256) {
        unchecked {
            return commitEnd(hot) + gap(hot); // 40 and 24 bits
        }
    }

    /// @notice Whether `time` lies within REVEAL.
    function revealing(Hot hot, uint256 time) internal pure returns (bool) {
        unchecked {
            // Before REVEAL the difference wraps around.
            return time - commitEnd(hot) - gap(hot) < revealDuration(hot);
        }
    }

    function revealEnd(Hot hot) internal pure returns (uint256) {
        unchecked {
            return revealStart(hot) + revealDuration(hot);
        }
    }

    function revealDuration(Hot hot) internal pure returns (uint256) {
        return Hot.unwrap(hot) >> REVEAL_DURATION & 0xffffff;
    }

    /// @notice In units of the token.
    function bond(Hot hot) internal pure returns (uint256) {
        unchecked {
            return (Hot.unwrap(hot) >> 192) * BOND_UNIT; // 64 and 30 bits
        }
    }

    /// @dev The caller checked that a place is left, which is at most 65,535.
    function withCommit(Hot hot) internal pure returns (Hot) {
        unchecked {
            return Hot.wrap(Hot.unwrap(hot) + 1);
        }
    }

    /// @dev There are no more reveals than commits.
    function withReveal(Hot hot) internal pure returns (Hot) {
        unchecked {
            return Hot.wrap(Hot.unwrap(hot) + ONE_REVEAL);
        }
    }

    function with(Hot hot, uint256 flag) internal pure returns (Hot) {
        return Hot.wrap(Hot.unwrap(hot) | flag << FLAGS);
    }

    function without(Hot hot, uint256 flag) internal pure returns (Hot) {
        return Hot.wrap(Hot.unwrap(hot) & ~(flag << FLAGS));
    }

    function withCommitEnd(Hot hot, uint256 time) internal pure returns (Hot) {
        return Hot.wrap(Hot.unwrap(hot) & ~(uint256(0xffffffffff) << COMMIT_END) | time << COMMIT_END);
    }

    /// @dev `time` lies within REVEAL.
    function withRevealEnd(Hot hot, uint256 time) internal pure returns (Hot) {
        uint256 duration = time - revealStart(hot);
        return
            Hot.wrap(Hot.unwrap(hot) & ~(uint256(0xffffff) << REVEAL_DURATION) | duration << REVEAL_DURATION);
    }
}
