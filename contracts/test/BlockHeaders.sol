// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

/// @dev Headers as Ethereum's clients encode them since Prague, with made-up contents.
library BlockHeaders {
    function encode(uint256 number, bytes32 prevRandao) internal pure returns (bytes memory) {
        bytes[] memory fields = new bytes[](21);
        for (uint256 i = 0; i < 6; ++i) {
            fields[i] = RLP.encode(keccak256(abi.encode(number, i)));
        }
        fields[2] = RLP.encode(address(uint160(number + 1)));
        bytes memory bloom = new bytes(256);
        bloom[number % 256] = 0x11;
        fields[6] = RLP.encode(bloom);
        fields[7] = RLP.encode(uint256(0));
        fields[8] = RLP.encode(number);
        fields[9] = RLP.encode(uint256(36_000_000));
        fields[10] = RLP.encode(uint256(0));
        fields[11] = RLP.encode(uint256(1_800_000_000) + number);
        fields[12] = RLP.encode(abi.encodePacked("somebody's block"));
        fields[13] = RLP.encode(prevRandao);
        fields[14] = RLP.encode(abi.encodePacked(uint64(0)));
        fields[15] = RLP.encode(uint256(7));
        for (uint256 i = 16; i < 21; ++i) {
            fields[i] = i == 17 || i == 18 ? RLP.encode(uint256(i)) : RLP.encode(keccak256(abi.encode(i)));
        }
        return RLP.encode(fields);
    }
}
