"""Where the contracts are: a small JSON file that a network shares."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jepanet.addresses import checksum_address
from jepanet.chain.contracts.wiring import miswired
from jepanet.chain.endpoints.failover import ChainReader, Rpc
from jepanet.errors import Exit, Fatal, Transient
from jepanet.files import write_atomically
from jepanet.telemetry import get_logger
from jepanet.texts import read_json
from jepanet.types import Address, BlockRef

log = get_logger("chain")

SCHEMA = "jepanet/deployment/2"
_MAX_FILE = 1 << 16
_LOOKS, _PAUSE = 4, 0.25
_CONTRACTS = ("token", "rounds", "lens")


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
    rounds: Address
    lens: Address
    confirmations: int

    @property
    def anchor(self) -> BlockRef:
        """The block a `Follower` starts from."""
        return BlockRef(self.block_number, self.block_hash, self.block_timestamp)

    @property
    def followed(self) -> tuple[Address, ...]:
        """Contracts whose events are facts of the protocol."""
        return (self.rounds,)

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
            return cls._parse(cast(Mapping[str, Any], document))  # what it is not raises there
        except (ValueError, KeyError, TypeError) as error:
            raise Fatal(
                f"{path} is not a deployment file: {error}",
                remedy="get it from the network again, or use the version of jepanet it was written by",
                code=Exit.CONFIG,
            ) from error

    @classmethod
    def _parse(cls, document: Mapping[str, Any]) -> Deployment:
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}, this version speaks {SCHEMA!r} only")
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
        """Checks that the endpoints serve this chain and block, that every contract has code there, and that
        token, rounds and lens were made for each other.

        One endpoint that holds the deployment is enough, whatever the others say. Those that have not
        reached its block yet are behind, not elsewhere: they say nothing against it.

        Raises:
            Fatal: every endpoint shows another chain or fork (Exit.WRONG_CHAIN), no code at an address, or
                contracts that do not belong together (Exit.CONFIG).
            Transient: no endpoint answers, or not all that would have to agree on a fault.
        """
        if rpc.chain_id != self.chain_id:
            raise Fatal(
                f"the deployment is on chain {self.chain_id}, the endpoints are configured for chain "
                f"{rpc.chain_id}",
                remedy="use the endpoints and the deployment file of one network",
                code=Exit.WRONG_CHAIN,
            )
        await rpc.check()
        for left in reversed(range(_LOOKS)):
            try:
                await self._look(rpc)
            except Transient:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                return

    async def _look(self, rpc: Rpc) -> None:
        faults: list[Fatal] = []
        silent: Transient | None = None
        behind = False
        for reader in rpc.readers():
            try:
                fault = await self._fault(reader)
            except Unreached:
                behind = True
            except Transient as error:
                silent = error
            else:
                if fault is None:
                    return
                log.warning("deployment.missed", why=str(fault))
                faults.append(fault)
        if behind:
            return
        if silent is None:
            raise faults[0]
        if not faults:
            raise silent
        raise Transient(
            f"{faults[0].message}; another endpoint does not answer: {silent.message}",
            remedy=faults[0].remedy,
            code=faults[0].code,
        )

    async def _fault(self, reader: ChainReader) -> Fatal | None:
        """What one endpoint shows against the deployment. Raises: Unreached; Transient (no answer)."""
        head = await reader.head()
        if head.ref.number < self.block_number:
            raise Unreached(f"the endpoint is at block {head.ref.number}")
        anchor = await reader.header(self.block_number)
        if anchor is None:
            raise Unreached(f"the endpoint does not have block {self.block_number}")
        if anchor.ref.hash != self.block_hash:
            return Fatal(
                f"block {self.block_number} of chain {self.chain_id} is 0x{anchor.ref.hash.hex()}, and 0x"
                f"{self.block_hash.hex()} in the deployment file",
                remedy="the chain was replaced or the file was altered: get the file from the network again",
                code=Exit.WRONG_CHAIN,
            )
        # On a named block: `latest` may be answered by another machine behind the same address, that lags.
        missing = [
            f"{name} ({getattr(self, name)})"
            for name in _CONTRACTS
            if not await reader.code(getattr(self, name), head.ref.hash)
        ]
        if missing:
            return Fatal(
                f"chain {self.chain_id} has no contract for: {', '.join(missing)}",
                remedy="the chain was replaced or the file is of another network: use the right file",
                code=Exit.CONFIG,
            )
        wrong = await miswired(reader, head.ref.hash, token=self.token, rounds=self.rounds, lens=self.lens)
        if wrong is None:
            return None
        return Fatal(
            f"the contracts of the deployment file do not belong together: {wrong}",
            remedy="get the file from the network again: its addresses were mixed up or altered",
            code=Exit.CONFIG,
        )


class Unreached(Transient):
    """An endpoint has not come to the deployment's block yet."""


def _address(name: str, value: object) -> Address:
    try:
        return checksum_address(str(value))
    except ValueError as error:
        raise ValueError(f"contracts.{name}: {error}") from error


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is not a natural number")
    return value
