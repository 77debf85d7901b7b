// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";

/// @title Randomness of past blocks, read from a header that is held against the chain.
library Headers {
    /// @dev Place of `prevRandao` (`mixHash`) in a header's RLP list, since the Merge.
    uint256 private constant PREV_RANDAO = 13;

    error MalformedHeader();

    /// @notice Hash of a past block; zero for blocks to come and for those out of reach: more than 256 blocks ago, or 8,191
    /// where EIP-2935 is live.
    function hashOf(uint256 blockNumber) internal view returns (bytes32) {
        return Blockhash.blockHash(blockNumber);
    }

    /// @notice `prevRandao` of a header. The caller has compared the header's hash with the chain's, so that its form is
    /// what clients of the chain agree on.
    function prevRandao(bytes calldata header) internal pure returns (bytes32 randomness) {
        uint256 at = _item(header, 0, true);
        for (uint256 i = 0; i < PREV_RANDAO; ++i) {
            at = _item(header, at, false);
        }
        if (at + 33 > header.length || uint8(header[at]) != 0xa0) revert MalformedHeader();
        return bytes32(header[at + 1:at + 33]);
    }

    /// @dev Where the item after the one at `at` begins, or with `enter` the first item of the list at `at`.
    function _item(bytes calldata header, uint256 at, bool enter) private pure returns (uint256) {
        if (at >= header.length) revert MalformedHeader();
        uint256 prefix = uint8(header[at]);
        if (enter != (prefix >= 0xc0)) revert MalformedHeader();
        if (prefix < 0x80) return at + 1;
        uint256 short = enter ? 0xc0 : 0x80;
        if (prefix < short + 56) return at + 1 + (enter ? 0 : prefix - short);
        uint256 width = prefix - short - 55;
        if (at + 1 + width > header.length) revert MalformedHeader();
        if (enter) return at + 1 + width;
        return at + 1 + width + uint256(bytes32(header[at + 1:at + 1 + width]) >> (256 - 8 * width));
    }
}
