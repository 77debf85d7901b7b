"""Handles as commands open them, from their options: actions get them open, and print nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jepanet.operations.access import ChainAccess
    from jepanet.operations.reading.history import History
    from jepanet.operations.reading.library import Library
    from jepanet.settings.config import Observer, WorkerSection


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `library_options` were given: a folder, peers to ask for what it lacks, or nobody."""

    folder: Path
    peers: tuple[str, ...]
    offline: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What looking at rounds takes."""

    chain: ChainAccess
    history: History
    library: Library


@asynccontextmanager
async def open_data(inputs: Inputs, deployment: Path | None, config: Path | None) -> AsyncIterator[Library]:
    """A library for data alone, without a chain: in the network of a deployment's file, or of a node's
    configuration, whose blob store is then looked into first.

    Raises: Fatal for either file.
    """
    from jepanet.operations.access import load_deployment
    from jepanet.operations.reading.library import open_library
    from jepanet.settings.config import load_config
    from jepanet.settings.paths import Paths

    node = load_config(config) if config is not None else None
    file = node.chain.deployment if node is not None and deployment is None else deployment
    async with open_library(
        None if file is None else load_deployment(file),
        inputs.folder,
        peers=inputs.peers or (() if node is None else node.p2p.bootstrap),
        offline=inputs.offline,
        store=None if node is None else Paths(node.node.data_dir).blobs,
    ) as library:
        yield library


def worker_of(config: Path | None) -> WorkerSection:
    """What a node's configuration says of its worker; None: what every one says that says nothing.

    Raises: Fatal for the file.
    """
    from jepanet.settings.config import WorkerSection, load_config

    return WorkerSection() if config is None else load_config(config).worker


@asynccontextmanager
async def open_reading(where: Observer, inputs: Inputs, project: int | None = None) -> AsyncIterator[Reading]:
    """Chain, history and library; the latter two do nothing before they are asked. The history keeps ended
    rounds of `project` alone, where one is given.

    Raises: as `open_chain`.
    """
    from jepanet.operations.access import open_chain
    from jepanet.operations.reading.history import open_history
    from jepanet.operations.reading.library import open_library
    from jepanet.types import ProjectId

    peers = inputs.peers or where.p2p.bootstrap
    async with (
        open_chain(where.chain) as chain,
        open_history(chain, None if project is None else ProjectId(project)) as history,
        open_library(chain.deployment, inputs.folder, peers=peers, offline=inputs.offline) as library,
    ):
        yield Reading(chain, history, library)
