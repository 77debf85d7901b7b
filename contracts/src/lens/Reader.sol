// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundLens} from "../interfaces/IRoundLens.sol";
import {ITrainingRounds} from "../interfaces/ITrainingRounds.sol";

/// @title Words of the core's storage, and fields within them.
abstract contract Reader is IRoundLens {
    /// @inheritdoc IRoundLens
    ITrainingRounds public immutable override rounds;

    constructor(ITrainingRounds rounds_) {
        rounds = rounds_;
    }

    /// @dev `count` words from `slot` on.
    function _words(uint256 slot, uint256 count) internal view returns (uint256[] memory words) {
        bytes32[] memory slots = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            slots[i] = bytes32(slot + i);
        }
        // slither-disable-next-line calls-loop
        bytes32[] memory found = rounds.extsload(slots);
        assembly ("memory-safe") {
            words := found
        }
    }

    function _word(uint256 slot) internal view returns (uint256) {
        return _words(slot, 1)[0];
    }

    /// @dev Fields of a storage word are counted from its lowest bit.
    function _field(uint256 word, uint256 offset, uint256 bits) internal pure returns (uint256) {
        return word >> offset & (uint256(1) << bits) - 1;
    }
}
