// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Constant data as the code of an account, behind a STOP byte, so that it cannot be run.
library Blob {
    error BlobNotStored();

    function store(bytes memory data) internal returns (address blob) {
        // PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: returns what follows as code.
        data = abi.encodePacked(hex"61", uint16(data.length + 1), hex"80600a5f395ff300", data);
        assembly ("memory-safe") {
            blob := create(0, add(data, 32), mload(data))
        }
        if (blob == address(0)) revert BlobNotStored();
    }
}
