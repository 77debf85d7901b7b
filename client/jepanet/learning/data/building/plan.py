"""Which shards a dataset has, and from which seeds, whatever it is made from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.building.recording import NumberedSite, Recording
from jepanet.learning.data.on_disk import SEALED
from jepanet.learning.data.schemas.episodes import EPISODES, MIN_FRAMES
from jepanet.learning.data.schemas.schema import DataSchema
from jepanet.learning.data.shards import MAX_EPISODES, MAX_SHARD_BYTES, Shard
from jepanet.learning.data.sizes import PROBE_FRAMES, Counts
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.tensors import canonical_json

MB = 10**6
_HEADER = 4096
"""Bytes of a shard's file beside its arrays, at most."""
PUBLIC, PROBE = "public.safetensors", "probe.safetensors"
DrawnSite = Callable[[int, np.random.Generator], NumberedSite]
"""(index among the sites of its kind, generator) -> a site."""
Record = Callable[[Recording], Shard]
"""Makes the shard; a function or a class of a module, since other processes import it by name."""
EpisodeSize = Callable[[Recording, int], int]
"""(recording, frames) -> bytes of one episode of so many frames, with its site's number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The sites of a dataset, each with a number of its own."""

    training: tuple[NumberedSite, ...]
    hidden: tuple[NumberedSite, ...]
    """Of the evaluation shards: nobody trains there."""
    public: tuple[NumberedSite, ...]
    """Of the warm start."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the builder needs to know of a simulator and its task, or of another source."""

    name: str
    version: int
    """Raised whenever the same parameters and seed would give other bytes."""
    require: Callable[[], None]
    """Raises `Fatal` when the simulator, or the package that is read, is not installed."""
    sites: Callable[[np.random.Generator, Any], Layout]
    """(generator, parameters of its own kind) -> the sites."""
    record: Record
    probe_site: int
    """Site number of probe frames, whose looks are random."""
    episode_size: EpisodeSize
    schema: DataSchema = EPISODES
    licence: str = ""
    """Of what is built from, as the manifest repeats it."""


def recorded_size(*, actions: int, state: int) -> EpisodeSize:
    """Of episodes that are played: pixels, so many numbers in an action and in a state, the site's number."""

    def size(recording: Recording, frames: int) -> int:
        return frames * 3 * recording.image**2 + 4 * ((frames - 1) * actions + frames * state + 1)

    return size


def layout_of(
    training: DrawnSite, hidden: DrawnSite, public: DrawnSite
) -> Callable[[np.random.Generator, Counts], Layout]:
    """Draws the sites of a dataset in this order, on which its bytes depend."""

    def sites(generator: np.random.Generator, parameters: Counts) -> Layout:
        return Layout(
            tuple(training(index, generator) for index in range(parameters.training_sites)),
            tuple(hidden(index, generator) for index in range(parameters.hidden_sites)),
            tuple(public(index, generator) for index in range(parameters.public_sites)),
        )

    return sites


def plan(environment: Environment, parameters: Counts, seed: bytes, secret: bytes) -> dict[str, Recording]:
    """Every shard of a dataset by file name, in a fixed order."""
    layout = environment.sites(numpy_generator(seed, "sites"), parameters)
    _check_apart(layout)
    per_site = parameters.evaluation_episodes // parameters.hidden_sites
    wanted: list[tuple[str, bytes, tuple[NumberedSite, ...], int, int]] = []
    for index in range(parameters.evaluation_shards):
        name = sealed_name(index)
        wanted.append((name, derive(secret, f"shard {index}"), layout.hidden, per_site, parameters.frames))
    for index, site in enumerate(layout.training):
        name = training_name(index)
        wanted.append((name, derive(seed, name), (site,), parameters.episodes, parameters.frames))
    public = derive(seed, "public")
    wanted.append((PUBLIC, public, layout.public, parameters.public_episodes, parameters.frames))
    if parameters.probe_frames:
        long = min(PROBE_FRAMES, parameters.frames)
        wanted.append((PROBE, derive(seed, "probe"), (), parameters.probe_frames // long, long))
    own = parameters.own()
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
                    "size": [episodes, frames, parameters.image, parameters.hold, *([own] if own else ())],
                }
            )
        ).hexdigest()
        recordings[name] = Recording(
            name, shard_seed, sites, episodes, frames, parameters.image, parameters.hold, build_id, own
        )
    return recordings


def shard_size(environment: Environment, recording: Recording) -> int:
    """Bytes of a recording's file, rounded up."""
    return _HEADER + _episodes(recording) * environment.episode_size(recording, recording.frames)


def check_sizes(environment: Environment, recordings: Mapping[str, Recording]) -> None:
    """Every file must be one that nodes accept: known from the sizes, before anything is recorded.

    Raises:
        Fatal: `USAGE`, naming what would fit.
    """
    for name, recording in recordings.items():
        episodes, room = _episodes(recording), MAX_SHARD_BYTES - _HEADER
        most = min(MAX_EPISODES, room // environment.episode_size(recording, recording.frames))
        if episodes <= most:
            continue
        frames = recording.frames
        while frames and episodes * environment.episode_size(recording, frames) > room:
            frames -= 1
        unit = environment.schema.unit
        fits = [f"{most} {unit}s" + (f" of {recording.frames} frames" if recording.frames > 1 else "")]
        if frames >= MIN_FRAMES and episodes <= MAX_EPISODES:
            fits.append(f"{episodes} episodes of {frames} frames")
        raise Fatal(
            f"{name} would have {shard_size(environment, recording) / MB:,.0f} MB and {episodes} {unit}s; a "
            f"shard has at most {MAX_SHARD_BYTES / MB:,.0f} MB and {MAX_EPISODES} {unit}s",
            remedy=(f"at {recording.image} pixels " if recording.image else "")
            + f"{' or '.join(fits)} fit: {_size_of(name, most, recording)}",
            code=Exit.USAGE,
        )


def _size_of(name: str, most: int, recording: Recording) -> str:
    """Which size of a dataset decides a file, and its largest value."""
    per_site = most // max(1, len(recording.sites))
    if name.startswith(f"{SEALED}/"):
        return f"evaluation_episodes={per_site * len(recording.sites)} or less"
    if name == PROBE:
        return f"probe_frames={most * recording.frames} or less"
    return f"{'public_episodes' if name == PUBLIC else 'episodes'}={per_site} or less"


def _episodes(recording: Recording) -> int:
    return recording.episodes * max(1, len(recording.sites))


def sealed_name(index: int) -> str:
    """File name of sealed shard `index`, below the dataset's folder."""
    return f"{SEALED}/shard-{index:03d}.safetensors"


def sealed_index(name: str) -> int | None:
    """The number of the evaluation shard that a file of this name holds; None: another one."""
    found = re.fullmatch(rf"{SEALED}/shard-(\d{{3}})\.safetensors", name)
    return None if found is None else int(found[1])


def _check_apart(layout: Layout) -> None:
    """Nobody may train where it is evaluated, nor on a site that differs from that in nothing but its number.

    Raises:
        Rejected: reason `bad-parameters`.
    """

    def looks(sites: tuple[NumberedSite, ...]) -> set[str]:
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
