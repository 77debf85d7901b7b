// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ITrainingRounds} from "../src/interfaces/ITrainingRounds.sol";
import {EvaluationShards} from "../src/libraries/EvaluationShards.sol";
import {Payouts} from "../src/libraries/Payouts.sol";
import {Standings} from "../src/libraries/Standings.sol";
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

    function pick(uint256 used, uint32 count, uint256 beacon) external pure returns (uint32) {
        return EvaluationShards.pick(used, count, beacon);
    }
}

contract LibrariesTest {
    using Standings for bytes32;

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
            vm.expectRevert(abi.encodeWithSelector(EvaluationShards.NoUnusedShard.selector));
            libraries.pick(used, count, beacon);
            return;
        }
        uint32 index = libraries.pick(used, count, beacon);
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

    // ---------------------------------------------------------------- standings

    function testFuzz_everyValueHasOneMeaning(bytes32 value, uint8 place) public pure {
        uint256 position = place % 32;
        bytes32 verifier = Standings.verifier(position);
        vm.assertTrue(verifier.isVerifier() && verifier.isUnpaidVerifier(), "verifier");
        vm.assertTrue(verifier.paid().isVerifier() && !verifier.paid().isUnpaidVerifier(), "paid");
        vm.assertEq(verifier.position(), position, "position");
        vm.assertEq(verifier.paid().position(), position, "position when paid");
        if (value.isCommitment()) {
            vm.assertTrue(!value.isVerifier(), "a commitment is no verifier");
            vm.assertTrue(value.standing() == ITrainingRounds.Standing.Committed, "committed");
        }
    }
}
