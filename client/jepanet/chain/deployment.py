"""Where the contracts are: a small JSON file that a network shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jepanet.chain.rpc import Rpc
from jepanet.errors import Exit, Fatal
from jepanet.files import write_atomically
from jepanet.protocol.fields import checksum_address
from jepanet.texts import read_json
from jepanet.types import Address, BlockRef

SCHEMA = "jepanet/deployment/1"
_MAX_FILE = 1 << 16
_CONTRACTS = ("token", "vault", "verifier_sets", "registry", "rounds")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts of one network. The block is where following starts: nothing happened before it.

    `confirmations`: how many blocks deep a block must be before nodes act on it.
    """

    chain_id: int
    block_number: int
    block_hash: bytes
    block_timestamp: int
    token: Address
    vault: Address
    verifier_sets: Address
    registry: Address
    rounds: Address
    confirmations: int

    @property
    def anchor(self) -> BlockRef:
        """The block a `Follower` starts from."""
        return BlockRef(self.block_number, self.block_hash, self.block_timestamp)

    @property
    def followed(self) -> tuple[Address, ...]:
        """Contracts whose events are protocol inputs."""
        return (self.verifier_sets, self.registry, self.rounds)

    def save(self, path: Path) -> None:
        """Writes the JSON file at once or not at all."""
        document = {
            "schema": SCHEMA,
            "chain_id": self.chain_id,
            "block": {
                "number": self.block_number,
                "hash": "0x" + self.block_hash.hex(),
                "timestamp": self.block_timestamp,
            },
            "contracts": {name: getattr(self, name) for name in _CONTRACTS},
            "confirmations": self.confirmations,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(document, indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Reads and checks the form of a deployment file.

        Raises:
            Fatal: it is missing or is not one (Exit.CONFIG).
        """
        document = read_json(
            path,
            "deployment file",
            max_bytes=_MAX_FILE,
            absent="get it from the network you join, or deploy with `jepanet devnet`",
        )
        try:
            return cls._parse(document)
        except (ValueError, KeyError, TypeError) as error:
            raise Fatal(
                f"{path} is not a deployment file: {error}", remedy="restore it", code=Exit.CONFIG
            ) from error

    @classmethod
    def _parse(cls, document: Mapping[str, Any]) -> Deployment:
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}, not {SCHEMA!r}")
        block = document["block"]
        addresses = {name: _address(name, document["contracts"][name]) for name in _CONTRACTS}
        block_hash = bytes.fromhex(str(block["hash"]).removeprefix("0x"))
        if len(block_hash) != 32:
            raise ValueError("block.hash has 32 bytes")
        return cls(
            chain_id=_count("chain_id", document["chain_id"]),
            block_number=_count("block.number", block["number"]),
            block_hash=block_hash,
            block_timestamp=_count("block.timestamp", block["timestamp"]),
            confirmations=_count("confirmations", document["confirmations"]),
            **addresses,
        )

    async def validate(self, rpc: Rpc) -> None:
        """Checks that the endpoints serve this chain and block, and that every contract has code there.

        An endpoint that has not reached the block yet is believed: it is behind, not elsewhere.

        Raises:
            Fatal: another chain or fork (Exit.WRONG_CHAIN), or no code at an address (Exit.CONFIG).
            Transient: no endpoint answers.
        """
        if rpc.chain_id != self.chain_id:
            raise Fatal(
                f"the deployment is on chain {self.chain_id}, the endpoints are configured for chain "
                f"{rpc.chain_id}",
                remedy="use the endpoints and the deployment file of one network",
                code=Exit.WRONG_CHAIN,
            )
        await rpc.check()
        anchor = await rpc.header(self.block_number)
        if anchor is not None and anchor.ref.hash != self.block_hash:
            raise Fatal(
                f"block {self.block_number} of chain {self.chain_id} is 0x{anchor.ref.hash.hex()}, and 0x"
                f"{self.block_hash.hex()} in the deployment file",
                remedy="the chain was replaced or the file was altered: get the file from the network again",
                code=Exit.WRONG_CHAIN,
            )
        missing = [
            f"{name} ({getattr(self, name)})"
            for name in _CONTRACTS
            if not await rpc.code(getattr(self, name), "latest")
        ]
        if missing:
            raise Fatal(
                f"chain {self.chain_id} has no contract for: {', '.join(missing)}",
                remedy="the chain was replaced or the file is of another network: use the right file",
                code=Exit.CONFIG,
            )


def _address(name: str, value: Any) -> Address:
    try:
        return checksum_address(str(value))
    except ValueError as error:
        raise ValueError(f"contracts.{name}: {error}") from error


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is not a natural number")
    return value
