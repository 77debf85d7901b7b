// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Standing} from "../src/types/Enums.sol";
import {Hot, HotWord} from "../src/libraries/Hot.sol";
import {Headers} from "../src/libraries/Headers.sol";
import {Payouts} from "../src/libraries/Payouts.sol";
import {ShardTree} from "../src/libraries/ShardTree.sol";
import {Standings} from "../src/libraries/Standings.sol";
import {BlockHeaders} from "./BlockHeaders.sol";
import {SealedTree} from "./SealedTree.sol";
import {vm} from "./Vm.sol";

/// @dev Gives the internal functions a call frame in which they can revert.
contract Libraries {
    function earned(int64 gain, int64 standardError, uint128 price, uint32 shrinkMilli)
        external
        pure
        returns (uint128)
    {
        return Payouts.earned(gain, standardError, price, shrinkMilli);
    }

    function capped(uint128 amount, uint128 total, uint128 budget) external pure returns (uint128) {
        return Payouts.capped(amount, total, budget);
    }

    function holds(bytes32 root, uint256 count, uint256 index, bytes32 leaf, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return ShardTree.holds(root, count, index, leaf, proof);
    }

    function prevRandao(bytes calldata header) external pure returns (bytes32) {
        return Headers.prevRandao(header);
    }

    function pick(uint256 used, uint32 count, uint256 beacon) external pure returns (uint256) {
        return ShardTree.pick(used, count, beacon);
    }
}

contract LibrariesTest {
    using Standings for uint256;

    Libraries internal libraries;

    function setUp() public {
        libraries = new Libraries();
    }

    // ---------------------------------------------------------------- payouts

    function test_earnedRefusesWhatItCannotMean() public {
        vm.expectRevert(abi.encodeWithSelector(Payouts.NegativeStandardError.selector, -1));
        libraries.earned(5, -1, 1, 1000);
        vm.expectPartialRevert(SafeCast.SafeCastOverflowedUintDowncast.selector);
        libraries.earned(2, 0, type(uint128).max, 0);
    }

    function testFuzz_earned(int64 gain, uint32 standardError, uint64 price, uint32 shrinkMilli) public view {
        int256 net = int256(gain) - int256(uint256(standardError) * shrinkMilli / 1000);
        uint256 expected = net > 0 ? uint256(net) * price : 0;
        vm.assertEq(
            libraries.earned(gain, int64(uint64(standardError)), price, shrinkMilli), expected, "earned"
        );
    }

    function testFuzz_noiseIsNotPaid(int64 gain, uint128 price, uint32 shrinkMilli) public view {
        int64 least = gain > 0 ? int64(0) : gain;
        vm.assertEq(libraries.earned(least, 0, price, shrinkMilli), 0, "nothing for harm");
    }

    /// @dev Parts of a capped budget never exceed it, whatever was earned.
    function testFuzz_cappedSum(uint96[5] memory amounts, uint96 budget) public view {
        uint128 total = 0;
        for (uint256 i = 0; i < 5; ++i) {
            total += amounts[i];
        }
        uint256 paid = 0;
        for (uint256 i = 0; i < 5; ++i) {
            uint128 part = libraries.capped(amounts[i], total, budget);
            vm.assertLe(part, amounts[i], "never more than earned");
            paid += part;
        }
        vm.assertLe(paid, budget > total ? total : budget, "within the budget");
    }

    // ---------------------------------------------------------------- evaluation shards

    function testFuzz_pickIsAnUnusedShard(uint256 used, uint32 count, uint256 beacon) public {
        count = 1 + count % 256;
        uint256 all = count == 256 ? type(uint256).max : (1 << count) - 1;
        used &= all;
        if (used == all) {
            vm.expectRevert(abi.encodeWithSelector(ShardTree.NoUnusedShard.selector));
            libraries.pick(used, count, beacon);
            return;
        }
        uint256 index = libraries.pick(used, count, beacon);
        vm.assertTrue(index < count, "in range");
        vm.assertEq(used >> index & 1, 0, "unused");
        uint256 rank = 0;
        uint256 open = 0;
        for (uint256 i = 0; i < count; ++i) {
            if (used >> i & 1 == 1) continue;
            ++open;
            if (i < index) ++rank;
        }
        vm.assertEq(rank, beacon % open, "rank");
    }

    /// @dev A full bitmap has 256 bits, one more than a byte can count.
    function test_all256ShardsAreThere() public view {
        for (uint256 i = 0; i < 256; i += 15) {
            vm.assertEq(libraries.pick(0, 256, 256 * 7 + i), i, "the one of this rank");
        }
    }

    /// @dev For every size and place: the leaf at its place, and neither another leaf nor another place nor a longer path.
    function testFuzz_oneLeafForEachPlace(uint32 count, uint32 index, uint32 other) public view {
        count = 1 + count % 256;
        (index, other) = (index % count, other % count);
        bytes32 root = SealedTree.root(count);
        bytes32[] memory proof = SealedTree.proof(count, index);
        vm.assertTrue(libraries.holds(root, count, index, SealedTree.leaf(index), proof), "at its place");
        if (other != index) {
            vm.assertTrue(!libraries.holds(root, count, index, SealedTree.leaf(other), proof), "leaf");
            vm.assertTrue(!libraries.holds(root, count, other, SealedTree.leaf(index), proof), "place");
            bytes32[] memory its = SealedTree.proof(count, other);
            vm.assertTrue(!libraries.holds(root, count, index, SealedTree.leaf(other), its), "path");
        }
        vm.assertTrue(!libraries.holds(root, count, index + 256, SealedTree.leaf(index), proof), "beyond");
        bytes32[] memory longer = new bytes32[](proof.length + 1);
        for (uint256 i = 0; i < proof.length; ++i) {
            longer[i] = proof[i];
        }
        vm.assertTrue(!libraries.holds(root, count, index, SealedTree.leaf(index), longer), "longer");
        if (proof.length == 0) return;
        bytes32[] memory shorter = new bytes32[](proof.length - 1);
        for (uint256 i = 1; i < proof.length; ++i) {
            shorter[i - 1] = proof[i];
        }
        bytes32 inner = index & 1 == 0
            ? keccak256(abi.encode(SealedTree.leaf(index), proof[0]))
            : keccak256(abi.encode(proof[0], SealedTree.leaf(index)));
        vm.assertTrue(!libraries.holds(root, count, index >> 1, inner, shorter), "a node for a leaf");
    }

    // ---------------------------------------------------------------- headers

    /// @dev The same answer as OpenZeppelin's reader of headers.
    function testFuzz_prevRandao(uint256 number, bytes32 randao) public view {
        bytes memory header = BlockHeaders.encode(number % type(uint64).max, randao);
        vm.assertEq(libraries.prevRandao(header), randao, "own");
        vm.assertEq(BlockHeader.getPrevRandao(header), randao, "library's");
    }

    function testFuzz_junkIsNoHeader(bytes calldata junk) public {
        vm.assume(junk.length < 33 || uint8(junk[0]) < 0xc0);
        vm.expectRevert();
        libraries.prevRandao(junk);
    }

    // ---------------------------------------------------------------- words

    function testFuzz_hotWord(
        uint32 project,
        uint16 number,
        uint40 end,
        uint24 gap,
        uint24 length,
        uint64 bond
    ) public pure {
        Hot hot = HotWord.make(project, number, end, gap, length, uint256(bond) * 1e9, 3, HotWord.LISTED);
        hot = hot.withCommit().withCommit().withReveal().with(HotWord.DRAWN);
        vm.assertEq(hot.project(), project, "project");
        vm.assertEq(hot.number(), number, "number");
        vm.assertEq(hot.commitEnd(), end, "commitEnd");
        vm.assertEq(hot.revealStart(), uint256(end) + gap, "revealStart");
        vm.assertEq(hot.revealEnd(), uint256(end) + gap + length, "revealEnd");
        vm.assertEq(hot.bond(), uint256(bond) * 1e9, "bond");
        vm.assertEq(hot.commits() * 100 + hot.reveals() * 10 + hot.places(), 213, "counts");
        vm.assertTrue(hot.has(HotWord.DRAWN) && hot.has(HotWord.LISTED), "flags");
        vm.assertTrue(
            !hot.has(HotWord.UNSEALED) && !hot.without(HotWord.DRAWN).has(HotWord.DRAWN), "no flags"
        );
    }

    function testFuzz_standingWord(bytes32 commitment, bytes32 other, uint16 number, uint16 later)
        public
        pure
    {
        uint256 word = Standings.committed(commitment, number);
        vm.assertTrue(word.standingIn(number) == Standing.Committed && word.bonded(), "committed");
        bool same = word == Standings.committed(other, number);
        vm.assertEq(same, bytes29(other) == bytes29(commitment), "of no other commitment");
        for (uint256 bit = 0; bit < 256; ++bit) {
            same = word == Standings.committed(commitment ^ bytes32(1 << bit), number);
            vm.assertEq(same, bit < 24, "every stored bit counts");
        }
        if (later != number) vm.assertTrue(word.standingIn(later) == Standing.None, "of its round only");
        for (uint256 i = 2; i < 5; ++i) {
            uint256 marked = Standings.marked(Standing(i), number);
            vm.assertTrue(marked.standingIn(number) == Standing(i), "marked");
            vm.assertEq(marked.bonded(), i == 2, "only a revealed bond is there");
        }
    }
}
