// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Members of a verifier set, kept as the code of an account: one cold access whatever their number.
/// @dev The code is a STOP byte (it cannot be run) and 20 bytes for each member, in seat order.
library Members {
    uint256 internal constant NONE = type(uint256).max;

    error MembersNotStored();

    function store(address[] calldata members) internal returns (address blob) {
        bytes memory data = hex"00";
        for (uint256 i = 0; i < members.length; ++i) {
            data = abi.encodePacked(data, members[i]);
        }
        // PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: returns what follows as code.
        data = abi.encodePacked(hex"61", uint16(data.length), hex"80600a5f395ff3", data);
        assembly ("memory-safe") {
            blob := create(0, add(data, 32), mload(data))
        }
        if (blob == address(0)) revert MembersNotStored();
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
