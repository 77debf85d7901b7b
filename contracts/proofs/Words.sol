// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hot, HotWord} from "../src/libraries/Hot.sol";
import {Members} from "../src/libraries/Members.sol";
import {Standings} from "../src/libraries/Standings.sol";
import {Place} from "../src/rounds/RoundStorage.sol";
import {Solves} from "../src/rounds/Solves.sol";
import {Standing} from "../src/types/Enums.sol";

/// @dev What storage words say: no field reaches into another, no standing of one round passes for one of another.
contract WordsProofs {
    using Standings for uint256;

    // ---------------------------------------------------------------- standings

    function check_commitmentIsKept(bytes32 commitment, uint16 number, uint16 other) external pure {
        uint256 word = Standings.committed(commitment, number);
        assert(word.standingIn(number) == Standing.Committed);
        if (other != number) assert(word.standingIn(other) == Standing.None);
        assert(word.bonded());
        assert(bytes29(bytes32(word)) == bytes29(commitment));
    }

    function check_markIsKept(uint8 mark, uint16 number, uint16 other) external pure {
        if (mark > uint8(type(Standing).max)) return;
        Standing standing = Standing(mark);
        uint256 word = Standings.marked(standing, number);
        assert(word.standingIn(number) == standing);
        if (other != number) assert(word.standingIn(other) == Standing.None);
        assert(word.bonded() == (standing == Standing.Committed || standing == Standing.Revealed));
    }

    /// @dev Of two states of a solver, a word is one: another round, standing or commitment is another word.
    function check_statesAreDisjoint(bytes32 a, uint16 m, bytes32 b, uint16 n, uint8 mark) external pure {
        if (mark > uint8(type(Standing).max)) return;
        if (Standings.committed(a, m) == Standings.committed(b, n)) {
            assert(m == n && bytes29(a) == bytes29(b));
        }
        uint256 word = Standings.marked(Standing(mark), n);
        if (mark != uint8(Standing.Committed)) assert(Standings.committed(a, m) != word);
        if (Standings.marked(Standing.Slashed, m) == word) {
            assert(m == n && mark == uint8(Standing.Slashed));
        }
    }

    /// @dev A word is overwritten only by a round of the same lane, and of the same account: places do not meet.
    function check_placesAreDisjoint(Hot a, address one, Hot b, address other) external view {
        bool same = a.project() == b.project() && a.number() % 8 == b.number() % 8;
        assert((a.lane() == b.lane()) == same);
        assert((_slot(a, one) == _slot(b, other)) == (same && one == other));
    }

    function _slot(Hot hot, address account) private view returns (uint256 slot) {
        Place storage place = Solves.placeOf(hot, account);
        assembly ("memory-safe") {
            slot := place.slot
        }
    }

    // ---------------------------------------------------------------- the hot word

    function check_hotWordIsReadBack(
        uint32 project,
        uint16 number,
        uint40 commitEnd,
        uint24 gap,
        uint24 reveal,
        uint96 bond,
        uint16 places,
        uint8 flags
    ) external pure {
        uint256 units = bond / HotWord.BOND_UNIT;
        if (units > type(uint64).max) return;
        Hot hot = HotWord.make(project, number, commitEnd, gap, reveal, bond, places, flags);
        assert(hot.project() == project && hot.number() == number && hot.places() == places);
        assert(hot.commitEnd() == commitEnd && hot.gap() == gap);
        assert(hot.revealEnd() == uint256(commitEnd) + gap + reveal);
        assert(Hot.unwrap(hot) >> 192 == units);
        assert(hot.commits() == 0 && hot.reveals() == 0);
        for (uint256 bit = 1; bit < 256; bit <<= 1) {
            assert(hot.has(bit) == (flags & bit != 0));
        }
    }

    function check_countsDoNotSpill(Hot hot) external pure {
        if (hot.commits() >= hot.places() || hot.reveals() >= hot.commits()) return;
        Hot more = hot.withCommit();
        assert(more.commits() == hot.commits() + 1);
        assert(Hot.unwrap(more) >> 16 == Hot.unwrap(hot) >> 16);
        more = hot.withReveal();
        assert(more.reveals() == hot.reveals() + 1 && more.commits() == hot.commits());
        assert(Hot.unwrap(more) >> 32 == Hot.unwrap(hot) >> 32);
    }

    /// @dev What REVEAL asks of the word, said by its ends and counts.
    function check_revealIsItsWindow(Hot hot, uint40 time) external pure {
        assert(hot.revealing(time) == (time >= hot.revealStart() && time < hot.revealEnd()));
        assert(hot.revealStart() == hot.commitEnd() + hot.gap());
        assert(hot.allRevealed() == (hot.reveals() == hot.commits()));
    }

    function check_flagsDoNotSpill(Hot hot, uint8 flag, uint8 other) external pure {
        if (flag & other != 0) return;
        uint256 rest = ~(uint256(flag) << 48);
        Hot set = hot.with(flag);
        assert(set.has(other) == hot.has(other) && (flag == 0 || set.has(flag)));
        assert(Hot.unwrap(set) & rest == Hot.unwrap(hot) & rest);
        Hot unset = hot.without(flag);
        assert(unset.has(other) == hot.has(other) && !unset.has(flag));
        assert(Hot.unwrap(unset) & rest == Hot.unwrap(hot) & rest);
    }

    function check_endsDoNotSpill(Hot hot, uint40 time) external pure {
        Hot moved = hot.withCommitEnd(time);
        assert(moved.commitEnd() == time && moved.gap() == hot.gap());
        assert(moved.revealEnd() - moved.revealStart() == hot.revealEnd() - hot.revealStart());
        assert(Hot.unwrap(moved) << 104 == Hot.unwrap(hot) << 104);
        assert(Hot.unwrap(moved) >> 192 == Hot.unwrap(hot) >> 192);
        if (time < hot.revealStart() || time >= hot.revealEnd()) return;
        Hot closed = hot.withRevealEnd(time);
        assert(closed.revealEnd() == time && closed.revealStart() == hot.revealStart());
        assert(Hot.unwrap(closed) << 152 == Hot.unwrap(hot) << 152);
        assert(Hot.unwrap(closed) >> 128 == Hot.unwrap(hot) >> 128);
    }

    // ---------------------------------------------------------------- seats

    /// @dev In a set of four, in ascending order as sets are created: each member has its own seat, nobody else has one.
    function check_seats(address a, address b, address c, address d, address account) external pure {
        if (a >= b || b >= c || c >= d) return;
        bytes memory data = abi.encodePacked(hex"00", a, b, c, d);
        assert(Members.count(data) == 4);
        assert(Members.at(data, 0) == a && Members.seatOf(data, a) == 0);
        assert(Members.at(data, 1) == b && Members.seatOf(data, b) == 1);
        assert(Members.at(data, 2) == c && Members.seatOf(data, c) == 2);
        assert(Members.at(data, 3) == d && Members.seatOf(data, d) == 3);
        bool member = account == a || account == b || account == c || account == d;
        assert((Members.seatOf(data, account) != Members.NONE) == member);
    }

    /// @dev One bit for each seat of the largest set, as the bitmaps of verifiers make them.
    function check_marksOfSeats(uint8 seat, uint8 other, uint32 marks) external pure {
        if (seat >= 32 || other >= 32 || seat == other) return;
        uint32 bit = uint32(1 << seat);
        assert(bit != 0 && (marks | bit) & bit != 0);
        assert((marks | bit) >> other & 1 == marks >> other & 1);
    }
}
