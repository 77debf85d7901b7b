"""Which shards a dataset has, and from which seeds, whatever simulator it is recorded with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.built import SEALED
from jepanet.learning.data import Shard
from jepanet.learning.parameters import PROBE_FRAMES, Parameters
from jepanet.learning.recording import Recording
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.tensors import canonical_json

PUBLIC, PROBE = "public.safetensors", "probe.safetensors"
Record = Callable[[Recording], Shard]
"""Plays a recording; a function of a module, since other processes import it by name."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The sites of a dataset: frozen dataclasses, each with a `number` of its own."""

    training: tuple[Any, ...]
    hidden: tuple[Any, ...]
    """Of the evaluation shards: nobody trains there."""
    public: tuple[Any, ...]
    """Of the warm start."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the builder needs to know of a simulator and its task."""

    name: str
    version: int
    """Raised whenever the same parameters and seed would give other bytes."""
    require: Callable[[], None]
    """Raises `Fatal` when the simulator is not installed."""
    sites: Callable[[np.random.Generator, Parameters], Layout]
    record: Record
    probe_site: int
    """Site number of probe frames, whose looks are random."""


def plan(
    environment: Environment, parameters: Parameters, seed: bytes, secret: bytes
) -> dict[str, Recording]:
    """Every shard of a dataset by file name, in a fixed order."""
    layout = environment.sites(numpy_generator(seed, "sites"), parameters)
    _check_apart(layout)
    per_site = parameters.evaluation_episodes // parameters.hidden_sites
    wanted: list[tuple[str, bytes, tuple[Any, ...], int, int]] = []
    for index in range(parameters.evaluation_shards):
        name = f"{SEALED}/shard-{index:03d}.safetensors"
        wanted.append((name, derive(secret, f"shard {index}"), layout.hidden, per_site, parameters.frames))
    for index, site in enumerate(layout.training):
        name = training_name(index)
        wanted.append((name, derive(seed, name), (site,), parameters.episodes, parameters.frames))
    public = derive(seed, "public")
    wanted.append((PUBLIC, public, layout.public, parameters.public_episodes, parameters.frames))
    groups = parameters.probe_frames // PROBE_FRAMES
    wanted.append((PROBE, derive(seed, "probe"), (), groups, PROBE_FRAMES))
    recordings: dict[str, Recording] = {}
    for name, shard_seed, sites, episodes, frames in wanted:
        build_id = hashlib.sha256(
            canonical_json(
                {
                    "builder": environment.version,
                    "environment": environment.name,
                    "name": name,
                    "seed": hashlib.sha256(shard_seed).hexdigest(),
                    "sites": [asdict(site) for site in sites],
                    "size": [episodes, frames, parameters.image, parameters.hold],
                }
            )
        ).hexdigest()
        recordings[name] = Recording(
            name, shard_seed, sites, episodes, frames, parameters.image, parameters.hold, build_id
        )
    return recordings


def _check_apart(layout: Layout) -> None:
    """Nobody may train where it is evaluated, nor on a site that differs from that in nothing but its number.

    Raises:
        Rejected: reason `bad-parameters`.
    """

    def looks(sites: tuple[Any, ...]) -> set[str]:
        return {str({**asdict(site), "number": 0}) for site in sites}

    open_to_all = (*layout.training, *layout.public)
    shared = {site.number for site in layout.hidden} & {site.number for site in open_to_all}
    if shared or looks(layout.hidden) & looks(open_to_all):
        raise Rejected("evaluation sites are among those of training or warm start", reason="bad-parameters")
    if len({site.number for site in layout.hidden}) != len(layout.hidden):
        raise Rejected("an evaluation site is there twice", reason="bad-parameters")


def training_name(index: int) -> str:
    """File name of training shard `index`."""
    return f"training-{index:02d}.safetensors"
