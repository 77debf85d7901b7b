// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Payouts} from "../src/libraries/Payouts.sol";

/// @dev That noise earns nothing.
contract RewardsProofs {
    /// @dev What lies within the margin of error is not paid.
    function check_noiseEarnsNothing(int64 gain, int64 error_, uint128 price, uint32 shrinkMilli)
        external
        pure
    {
        if (error_ < 0) return;
        int256 margin = int256(uint256(shrinkMilli)) * int256(error_) / 1000;
        if (gain > margin) return;
        assert(Payouts.earned(gain, error_, price, shrinkMilli) == 0);
    }
}
