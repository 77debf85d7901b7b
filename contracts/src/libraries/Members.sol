// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Blob} from "./Blob.sol";

/// @title Members of a verifier set, kept as the code of an account: one cold access whatever their number.
/// @dev The code is a STOP byte (it cannot be run) and 20 bytes for each member, in seat order.
library Members {
    uint256 internal constant NONE = type(uint256).max;

    function store(address[] calldata members) internal returns (address blob) {
        bytes memory data = "";
        for (uint256 i = 0; i < members.length; ++i) {
            data = abi.encodePacked(data, members[i]);
        }
        return Blob.store(data);
    }

    /// @dev The whole blob, STOP byte included.
    function load(address blob) internal view returns (bytes memory data) {
        return blob.code;
    }

    function count(bytes memory data) internal pure returns (uint256) {
        return data.length / 20;
    }

    function at(bytes memory data, uint256 seat) internal pure returns (address member) {
        assembly ("memory-safe") {
            member := shr(96, mload(add(data, add(33, mul(seat, 20)))))
        }
    }

    /// @notice Seat of an account, `NONE` for everybody else.
    function seatOf(bytes memory data, address account) internal pure returns (uint256) {
        uint256 members = count(data);
        for (uint256 seat = 0; seat < members; ++seat) {
            if (at(data, seat) == account) return seat;
        }
        return NONE;
    }
}
