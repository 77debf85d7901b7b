"""From a configuration to open handles: chain, contracts, a sender that remembers. Used by every command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.contracts.all import Contracts, error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.intents import Intent
from jepanet.chain.sending.sender import Sender
from jepanet.settings.config import Config, Observer, load_config
from jepanet.settings.fees import fee_policy
from jepanet.settings.observer_config import load_observer
from jepanet.settings.unlock import unlock
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents


@dataclass(frozen=True, slots=True)
class ChainAccess:
    """The chain of a configuration, checked: right chain id, code at every address."""

    config: Config | Observer
    rpc: Rpc
    deployment: Deployment
    contracts: Contracts

    @property
    def confirmations(self) -> int:
        """Blocks on top of one before what it holds is acted on."""
        configured = self.config.chain.confirmations
        return self.deployment.confirmations if configured is None else configured


@dataclass(frozen=True, slots=True)
class SigningAccess:
    """The chain, an unlocked wallet, and a sender whose intents survive the command."""

    chain: ChainAccess
    wallet: Wallet
    sender: Sender
    data_dir: Path


@asynccontextmanager
async def open_chain(config: Config | Observer | Path) -> AsyncIterator[ChainAccess]:
    """Connects and checks.

    Raises:
        Fatal: wrong chain, missing contracts, unreadable deployment file.
        Transient: no endpoint answers (exit code `CHAIN_UNREACHABLE`).
    """
    config = load_observer(config) if isinstance(config, Path) else config
    deployment = Deployment.load(config.chain.deployment)
    rpc = Rpc(config.chain.endpoints, deployment.chain_id, config.chain.timeout_seconds)
    try:
        await deployment.validate(rpc)
        yield ChainAccess(config, rpc, deployment, Contracts.of(rpc, deployment))
    finally:
        await rpc.close()


@asynccontextmanager
async def open_signing(config_path: Path) -> AsyncIterator[SigningAccess]:
    """Connects with an unlocked wallet. Commands keep their own intents file beside the node's journal.

    Raises: as `open_chain`; Fatal for the wallet, or when another command is sending (`ALREADY_RUNNING`).
    """
    config = load_config(config_path)
    wallet = unlock(config.wallet)
    async with open_chain(config) as chain:
        config.node.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Journal.open(config.node.data_dir / "commands.sqlite") as journal:
            deployment = chain.deployment
            # With the block: a development chain that was started anew has the same contracts' addresses,
            # and nothing sent on the old one shall be offered there again.
            journal.bind(f"{deployment.chain_id}/{deployment.rounds}/{deployment.block_hash.hex()}")
            intents = JournalIntents(journal, Intent)
            sender = Sender(
                chain.rpc, wallet, intents, fee_policy(config.chain), confirmations=1,
                decoder=error_decoder(), burial=chain.confirmations + 1, poll=0.25, timeout=300.0,
            )  # fmt: skip
            yield SigningAccess(chain, wallet, sender, config.node.data_dir)
