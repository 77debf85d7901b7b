// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Token for development networks: worthless, mintable by its owner.
contract DevToken is ERC20Permit, Ownable {
    /// @param holder owns the contract and receives `supply`.
    constructor(address holder, uint256 supply)
        ERC20("jepanet development token", "DEV")
        ERC20Permit("jepanet development token")
        Ownable(holder)
    {
        _mint(holder, supply);
    }

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}
