"""`jepanet node release`: what the operator says of the other copy, held against what the chain knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.contracts.lens import Lens
from jepanet.chain.endpoints.requests import ChainReader
from jepanet.chain.following.earlier_logs import read_earlier_log
from jepanet.chain.keys.wallet_files import find_wallet
from jepanet.chain.sending.nonce_evidence import everyone
from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.operations.access import ChainAccess
from jepanet.operations.backups.manifest import COMMANDS
from jepanet.operations.views.backups import Released
from jepanet.p2p.host import P2PNode
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """A restored folder: its journal, the transactions of its commands if there are any, and its wallet."""

    journal: Journal
    commands: Journal | None
    wallet: Address


@contextmanager
def open_copy(config: Config) -> Iterator[HeldCopy]:
    """Raises: Fatal: the node runs (exit code `ALREADY_RUNNING`), or there is no journal (`NOT_FOUND`)."""
    paths = Paths(config.node.data_dir)
    if not paths.journal.is_file():
        raise Fatal(
            f"there is no journal in {paths.root}: nothing was restored there",
            remedy="check node.data_dir",
            code=Exit.NOT_FOUND,
        )
    wallet = find_wallet(config.wallet.directory, config.wallet.address).address
    sent = paths.root / COMMANDS
    with ExitStack() as opened:
        journal = opened.enter_context(Journal.open(paths.journal, read_earlier_log))
        yield HeldCopy(journal, opened.enter_context(Journal.open(sent)) if sent.is_file() else None, wallet)


async def release(copy: HeldCopy, chain: ChainAccess, *, moved: bool) -> Released:
    """Lets a restored node start.

    Args:
        moved: the other copy was stopped before the backup was made, and has not run since. Else it is lost,
            and what it signed last is not known: nothing is signed for the rounds that there are now.

    Raises:
        Fatal: the folder is not held (exit code `USAGE`), or what the chain or the backup says contradicts
            `moved` (`REJECTED`).
        Transient: no endpoint answers.
    """
    hold = copy.journal.hold()
    if hold is None:
        raise Fatal(
            f"{copy.journal.database.path.parent} is not held: it was not restored, or was released before",
            remedy="jepanet node run --config FILE",
            code=Exit.USAGE,
        )
    deployment = chain.deployment
    copy.journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
    unknown = await _unknown(copy, chain)
    remedy = "stop that node and make another backup; if it is gone, release this one with --lost"
    if moved and not hold.stopped:
        raise Fatal(
            "the node ran while this backup was made, so it may have signed and sealed more since",
            remedy=remedy,
            code=Exit.REJECTED,
        )
    if moved and unknown:
        raise Fatal(
            f"the chain has {unknown} transactions of {copy.wallet} that this folder does not know: the "
            "other copy ran after the backup was made, or something else uses the wallet",
            remedy=remedy,
            code=Exit.REJECTED,
        )
    last = None if moved else await newest_round(chain.rpc.readers(), chain.deployment)
    copy.journal.release(signs_after=last)
    return Released(copy.wallet, unknown, last)


async def newest_round(readers: Sequence[ChainReader], deployment: Deployment) -> int:
    """The highest number of a round that any endpoint knows: by one that lags behind, this node would sign
    again for a round that the lost one signed for.

    Raises: Transient: no endpoint answers.
    """
    return max(await everyone(readers, lambda reader: Lens(reader, deployment.lens).round_count("latest")))


async def expect_no_twin(network: P2PNode, addresses: tuple[str, ...], peer: str) -> None:
    """Dials the addresses at which this node says it is reached: it does not run, so nobody answers there.

    Raises: Fatal: somebody with this node's network key does (exit code `ALREADY_RUNNING`).
    """
    for address in addresses:
        try:
            await network.connect(f"{address}/p2p/{peer}")
        except (JepanetError, TimeoutError):
            continue
        raise Fatal(
            f"a node with this one's network key answers at {address}: the other copy runs",
            remedy="stop it for good, then call again",
            code=Exit.ALREADY_RUNNING,
        )


async def _unknown(copy: HeldCopy, chain: ChainAccess) -> int:
    """Transactions of the wallet beyond the last nonce that this folder has signed."""
    stores = [JournalIntents(item) for item in (copy.journal, copy.commands) if item is not None]
    nonces = [intent.nonce for store in stores for intent in store.intents(copy.wallet)]
    readers = chain.rpc.readers()
    sent = await everyone(readers, lambda reader: reader.transaction_count(copy.wallet, "pending"))
    return max(0, max(sent) - max(nonces, default=-1) - 1)
