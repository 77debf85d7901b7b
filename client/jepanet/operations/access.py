"""Open handles: the chain to read from, and a wallet that signs. Actions take them and leave them open.

A command holds them while it runs, a server for hours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jepanet.chain.contracts.all import Contracts, error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.sender import Sender
from jepanet.files import check_writable
from jepanet.operations.funds.unfinished import COMMANDS
from jepanet.settings.config import ChainSection, Config
from jepanet.settings.fees import fee_policy
from jepanet.settings.paths import Paths
from jepanet.settings.unlock import unlock
from jepanet.storage.held import held_error
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.storage.tracking import Tracking
from jepanet.work.worker import Worker


class OverEndpoints(Protocol):
    """Whoever has endpoints open, and sends through them."""

    @property
    def rpc(self) -> Rpc: ...

    @property
    def sender(self) -> Sender:
        """The only one of its wallet."""


@dataclass(frozen=True, slots=True)
class ChainAccess:
    """A chain that was checked: right chain id, code at every address.

    `confirmations`: blocks on top of one before what it holds is acted on.
    """

    rpc: Rpc
    deployment: Deployment
    contracts: Contracts
    confirmations: int

    @classmethod
    def of(cls, section: ChainSection, rpc: Rpc, deployment: Deployment) -> ChainAccess:
        """Over endpoints that are open and were checked."""
        configured = section.confirmations
        confirmations = deployment.confirmations if configured is None else configured
        return cls(rpc, deployment, Contracts.of(rpc, deployment), confirmations)


@dataclass(frozen=True, slots=True)
class SendingAccess:
    """The chain, and a sender whose intents survive the process: a command's, or a running node's."""

    chain: ChainAccess
    sender: Sender


@dataclass(frozen=True, slots=True)
class SigningAccess(SendingAccess):
    """The same with the unlocked wallet, which signs more than transactions."""

    wallet: Wallet


def load_deployment(file: Path) -> Deployment:
    """The contracts that a file names; whether a chain has them is not looked at. Raises: Fatal."""
    return Deployment.load(file)


@asynccontextmanager
async def open_chain(section: ChainSection) -> AsyncIterator[ChainAccess]:
    """Connects and checks.

    Raises:
        Fatal: wrong chain, missing contracts, unreadable deployment file.
        Transient: no endpoint answers (exit code `CHAIN_UNREACHABLE`).
    """
    deployment = Deployment.load(section.deployment)
    rpc = Rpc(section.endpoints, deployment.chain_id, section.timeout_seconds)
    try:
        await deployment.validate(rpc)
        yield ChainAccess.of(section, rpc, deployment)
    finally:
        await rpc.close()


@asynccontextmanager
async def open_worker(
    threads: int = 1, *, timeout: float | None = 3600.0, backbones: Path | None = None
) -> AsyncIterator[Worker]:
    """A process for heavy work; it starts with its first job. `timeout`: seconds a job may take, if any."""
    worker = Worker(threads=threads, job_timeout=timeout, backbones=() if backbones is None else (backbones,))
    try:
        yield worker
    finally:
        await worker.stop()


@contextmanager
def open_tracking(folder: Path) -> Iterator[Tracking]:
    """The tracking file of a training by hand, in a folder that is made if need be.

    Raises:
        Fatal: the folder cannot be written (exit code `CONFIG`); another process trains into it
            (`ALREADY_RUNNING`).
    """
    check_writable(folder)
    tracking = Tracking(folder / "tracking.sqlite")
    try:
        yield tracking
    finally:
        tracking.close()


@asynccontextmanager
async def open_signing(config: Config) -> AsyncIterator[SigningAccess]:
    """Connects with an unlocked wallet. Commands keep their own intents file beside the node's journal.

    Raises: as `open_chain`; Fatal for the wallet, when another command is sending (`ALREADY_RUNNING`), or in
        a restored folder that nobody released (`HELD`).
    """
    of_node = Paths(config.node.data_dir).journal
    if Journal.is_held(of_node):  # the other copy uses the same nonces
        raise held_error(of_node)
    wallet = unlock(config.wallet)
    async with open_chain(config.chain) as chain:
        config.node.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Journal.open(config.node.data_dir / COMMANDS) as journal:
            deployment = chain.deployment
            # With the block: a development chain that was started anew has the same contracts' addresses,
            # and nothing sent on the old one shall be offered there again.
            journal.bind(f"{deployment.chain_id}/{deployment.rounds}/{deployment.block_hash.hex()}")
            intents = JournalIntents(journal)
            sender = Sender(
                chain.rpc, wallet, intents, fee_policy(config.chain), confirmations=1,
                decoder=error_decoder(), burial=chain.confirmations + 1, poll=0.25, timeout=300.0,
            )  # fmt: skip
            yield SigningAccess(chain, sender, wallet)
