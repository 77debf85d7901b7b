// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Integer rewards: an absolute price per unit of measured gain, capped by the budget.
/// @dev The same arithmetic runs off chain when a score sheet is built; shared vectors keep the two equal.
library Payouts {
    error NegativeStandardError(int64 standardError);

    /// @notice `price * max(0, gain - shrinkMilli * standardError / 1000)`, the division rounded down.
    /// @param gain measured gain in micro-nats.
    /// @param standardError of the gain, micro-nats, not negative.
    /// @param price token units per micro-nat.
    /// @param shrinkMilli how many thousandths of a standard error are taken off.
    function earned(int64 gain, int64 standardError, uint128 price, uint32 shrinkMilli)
        internal
        pure
        returns (uint128)
    {
        if (standardError < 0) revert NegativeStandardError(standardError);
        int256 margin = int256(uint256(shrinkMilli)) * int256(standardError) / 1000;
        int256 net = int256(gain) - margin;
        if (net <= 0) return 0;
        return SafeCast.toUint128(uint256(net) * price);
    }

    /// @notice A solver's part when everybody together earned `total` and `budget` is all there is, rounded down.
    function capped(uint128 amount, uint128 total, uint128 budget) internal pure returns (uint128) {
        if (total <= budget) return amount;
        return SafeCast.toUint128(Math.mulDiv(amount, budget, total));
    }
}
