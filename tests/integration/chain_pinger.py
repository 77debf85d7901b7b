"""A tiny contract for tests: it emits as many events as asked and reverts in three ways.

Compiled with solcjs 0.8.37 --optimize from:

    // SPDX-License-Identifier: MIT
    pragma solidity ^0.8.30;

    contract Pinger {
        event Ping(uint256 indexed number, address indexed sender, bytes data);
        error TooSmall(uint256 number, uint256 minimum);
        error Odd();
        uint256 public minimum;
        uint256 public count;

        function ping(uint256 number, uint256 times) external {
            if (number < minimum) revert TooSmall(number, minimum);
            for (uint256 i = 0; i < times; ++i) {
                ++count;
                emit Ping(number + i, msg.sender, abi.encode(count));
            }
        }
        function raiseTo(uint256 value) external { minimum = value; }
        function text() external pure { revert("in words"); }
    }
"""

from __future__ import annotations

from typing import Any

PINGER_BYTECODE = bytes.fromhex(
    "6080604052348015600e575f5ffd5b506102898061001c5f395ff3fe608060405234801561000f575f5ffd5b50600436"
    "10610055575f3560e01c806306661abd14610059578063146475ee146100745780631c80426c146100895780631f1bd6"
    "921461009b57806352d6804d146100a3575b5f5ffd5b61006260015481565b60405190815260200160405180910390f3"
    "5b6100876100823660046101a2565b6100ab565b005b6100876100973660046101c2565b5f55565b61008761016f565b"
    "6100625f5481565b5f548210156100e3575f5460405163e94fe3af60e01b81526100da91849160040191825260208201"
    "5260400190565b60405180910390fd5b5f5b8181101561016a5760015f81546100fb906101ed565b909155503361010a"
    "8285610205565b7f5274c581c2e908275209d1f336f7e94f1aac6541bda57dc58f4507d14b1f15186001546040516020"
    "0161014091815260200190565b60408051601f198184030181529082905261015a9161021e565b60405180910390a360"
    "01016100e5565b505050565b60405162461bcd60e51b8152602060048201526008602482015267696e20776f72647360"
    "c01b60448201526064016100da565b5f5f604083850312156101b3575f5ffd5b50508035926020909101359150565b5f"
    "602082840312156101d2575f5ffd5b5035919050565b634e487b7160e01b5f52601160045260245ffd5b5f6001820161"
    "01fe576101fe6101d9565b5060010190565b80820180821115610218576102186101d9565b92915050565b602081525f"
    "82518060208401528060208501604085015e5f604082850101526040601f19601f8301168401019150509291505056fe"
    "a2646970667358221220b798de62787d2e30da62e9d972aebe45865627dbaa0ca3200c534061392eb08c64736f6c6343"
    "0008250033"
)

PINGER_ABI: list[dict[str, Any]] = [
    {"inputs": [], "name": "Odd", "type": "error"},
    {
        "inputs": [
            {"internalType": "uint256", "name": "number", "type": "uint256"},
            {"internalType": "uint256", "name": "minimum", "type": "uint256"},
        ],
        "name": "TooSmall",
        "type": "error",
    },
    {
        "anonymous": False,
        "inputs": [
            {"indexed": True, "internalType": "uint256", "name": "number", "type": "uint256"},
            {"indexed": True, "internalType": "address", "name": "sender", "type": "address"},
            {"indexed": False, "internalType": "bytes", "name": "data", "type": "bytes"},
        ],
        "name": "Ping",
        "type": "event",
    },
    {
        "inputs": [],
        "name": "count",
        "outputs": [{"internalType": "uint256", "name": "", "type": "uint256"}],
        "stateMutability": "view",
        "type": "function",
    },
    {
        "inputs": [],
        "name": "minimum",
        "outputs": [{"internalType": "uint256", "name": "", "type": "uint256"}],
        "stateMutability": "view",
        "type": "function",
    },
    {
        "inputs": [
            {"internalType": "uint256", "name": "number", "type": "uint256"},
            {"internalType": "uint256", "name": "times", "type": "uint256"},
        ],
        "name": "ping",
        "outputs": [],
        "stateMutability": "nonpayable",
        "type": "function",
    },
    {
        "inputs": [{"internalType": "uint256", "name": "value", "type": "uint256"}],
        "name": "raiseTo",
        "outputs": [],
        "stateMutability": "nonpayable",
        "type": "function",
    },
    {"inputs": [], "name": "text", "outputs": [], "stateMutability": "pure", "type": "function"},
]
