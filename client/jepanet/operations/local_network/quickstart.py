"""A local network made ready to run, step by step: what an earlier call did is kept, and nothing replaced.

chain        anvil with the contracts            DIR/devnet
nodes        a wallet, a key and a node.toml     DIR/aggregator, DIR/coordinator, DIR/proposer, DIR/solver-1 …
data         what the recipe trains on           DIR/dataset
funds        ether and tokens for every wallet, and the coordinator's stake
project      the first model trained, the sealed shards registered, the coordinator's seat taken
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from filelock import FileLock, Timeout

from jepanet.errors import Exit, Fatal
from jepanet.files import check_writable
from jepanet.operations import devnet
from jepanet.operations.access import open_chain, open_signing, open_worker
from jepanet.operations.datasets import build_dataset, seed_of
from jepanet.operations.funds.stake import balances, deposit
from jepanet.operations.funds.verifier_sets import join_set
from jepanet.operations.local_network.nodes import (
    DATASET_FOLDER,
    config_file,
    config_of,
    wallet_of,
    write_nodes,
)
from jepanet.operations.local_network.plan import LOCK, Plan, Wanted, check_folder, finished, planned
from jepanet.operations.projects.create import create_project
from jepanet.operations.projects.draft import ProjectDraft, draft_project
from jepanet.operations.views.local import Devnet, LocalNetwork, LocalNode
from jepanet.settings.config import Config
from jepanet.settings.paths import make_private
from jepanet.types import Role

CHAIN_FOLDER: Final = "devnet"
_CHAIN_ID, _BLOCK_TIME = 31337, 1.0
_TOKENS, _ETHER, _STAKE = 2000, 10, 200
"""What each wallet gets, and what the coordinator deposits; whole ones."""
_TOKEN = 10**18


class Tell(Protocol):
    """Who hears how far it is."""

    def step(self, what: str) -> None:
        """A step begins, and the one before it is done."""

    def progress(self, done: int, total: int) -> None:
        """How much of it is done."""


def quickstart(folder: Path, wanted: Wanted, tell: Tell, known_in: Path | None = None) -> LocalNetwork:
    """Makes the network of `folder`, or what is left to make of it, and has its chain run; `known_in` as for
    `planned`.

    Raises:
        Fatal: as `planned`; another call is at work there (exit code `ALREADY_RUNNING`); its chain was lost
            (`DAMAGED`) or cannot be started.
    """
    check_folder(folder)
    check_writable(folder)
    make_private(folder)
    with _held(folder):
        plan = planned(folder, wanted, known_in)
        tell.step("local chain with the contracts")
        chain = asyncio.run(_chain(folder, plan))
        if plan.project:
            asyncio.run(_check_kept(folder, plan))
        else:
            plan = _made(folder, plan, chain, tell)
    return _shown(folder, plan, chain)


def _made(folder: Path, plan: Plan, chain: Devnet, tell: Tell) -> Plan:
    # What takes long is called outside asyncio, where a Ctrl-C ends it at once.
    tell.step("wallets, keys and configurations")
    write_nodes(folder, plan, chain)
    data = folder / DATASET_FOLDER
    tell.step(f"data for recipe {plan.recipe}, from {plan.source}")
    build_dataset(
        plan.source, data, seed_of("0"), {}, recipe=plan.recipe, workers=2, evaluation_seed=None,
        progress=lambda done, total, _: tell.progress(done, total),
    )  # fmt: skip
    configs = {name: config_of(folder, name) for name, _ in plan.cast}
    coordinator = configs[Role.COORDINATOR.value]
    tell.step("ether and tokens for every wallet, the coordinator's stake")
    asyncio.run(_fund(folder, tuple(configs.values())))
    asyncio.run(_stake(coordinator))
    tell.step("project: the first model trained, the sealed shards registered")
    draft = draft_project(
        data,
        recipe=plan.recipe,
        name=None,
        verifier_set=None,
        verifiers=[wallet_of(coordinator)],
        threshold=1,
    )
    project = asyncio.run(_project(draft, configs[Role.PROPOSER.value], coordinator, tell))
    return finished(folder, plan, project)


async def _project(draft: ProjectDraft, proposer: Config, coordinator: Config, tell: Tell) -> int:
    async with open_signing(proposer) as access, open_worker() as worker:
        made = await create_project(
            access, worker, draft, proposer.proposer, lambda at: tell.progress(at.step, at.steps)
        )
    async with open_signing(coordinator) as access:
        await join_set(access, made.set)
    return made.project


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise Fatal(
            f"another call is making the network in {folder}",
            remedy="wait until it has ended",
            code=Exit.ALREADY_RUNNING,
        ) from None


async def _chain(folder: Path, plan: Plan) -> Devnet:
    try:
        return await devnet.running(
            folder / CHAIN_FOLDER, port=plan.chain_port, chain_id=_CHAIN_ID, block_time=_BLOCK_TIME
        )
    except Fatal as error:
        if error.code is not Exit.PORT_IN_USE:
            raise
        raise Fatal(
            error.message,
            remedy="stop what listens there: the nodes of this network look for its chain on that port",
            code=error.code,
        ) from error


async def _check_kept(folder: Path, plan: Plan) -> None:
    """Raises: Fatal: the chain goes on from before the project was registered (exit code `DAMAGED`)."""
    async with open_chain(config_of(folder, Role.AGGREGATOR.value).chain) as chain:
        if await chain.contracts.lens.project_count("latest") >= plan.project:
            return
    raise Fatal(
        f"the chain in {folder} has lost project {plan.project}: anvil was killed before it wrote its state",
        remedy="remove the folder and call again; `jepanet devnet down` ends a chain so that it is kept",
        code=Exit.DAMAGED,
    )


async def _fund(folder: Path, configs: tuple[Config, ...]) -> None:
    """Those wallets that lack ether or have never had tokens."""
    lacking = []
    async with open_chain(config_of(folder, Role.AGGREGATOR.value).chain) as chain:
        for config in configs:
            has = await balances(chain, wallet_of(config))
            if not has.native or not (has.tokens or has.stake_free or has.stake_locked):
                lacking.append(has.address)
    if lacking:
        await devnet.fund(folder / CHAIN_FOLDER, tuple(lacking), tokens=_TOKENS, ether=_ETHER)


async def _stake(coordinator: Config) -> None:
    async with open_signing(coordinator) as access:
        has = await balances(access.chain, access.wallet.address)
        if (lacks := _STAKE * _TOKEN - has.stake_free - has.stake_locked) > 0:
            await deposit(access, lacks)


def _shown(folder: Path, plan: Plan, chain: Devnet) -> LocalNetwork:
    nodes = tuple(
        LocalNode(name, wallet_of(config_of(folder, name)), config_file(folder, name), ports.rpc)
        for (name, _), ports in zip(plan.cast, plan.ports, strict=True)
    )
    said = config_of(folder, Role.PROPOSER.value).proposer
    windows = {
        "commit": said.commit_seconds,
        "gap": said.gap_seconds,
        "reveal": said.reveal_seconds,
        "verify": said.verify_seconds,
        "challenge": said.challenge_seconds,
    }
    return LocalNetwork(folder, plan.recipe, plan.rounds, plan.project, windows, chain, nodes)
