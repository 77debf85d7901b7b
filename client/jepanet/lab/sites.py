"""What a comparison trains on and what it reports on: solvers' sites, unseen sites, public frames.

Two sets of sites that share nothing: hyperparameters are chosen on `tune`, results reported on `report`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal
from jepanet.learning.data import Shard, load_shard
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.tworoom import record_all
from jepanet.learning.tworoom_simulator import ENVIRONMENT, Recording
from jepanet.learning.tworoom_sites import GREY, HIDDEN_SITE, Site, random_site, training_site
from jepanet.tensors import canonical_json

VERSION = 2
HOLD = 4
PROBE_EPISODES = 96
SITES = ("report", "tune")
_CONTRAST = 250
"""Least sum of absolute differences over the three channels; white and black differ by 765."""
_FIRST_HIDDEN = {"tune": 10, "report": 20}
"""Unseen sites are drawn, not designed: these numbers are used by no dataset that a network trains on."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Episodes of 32 frames: per solver to train on and to report on, per unseen site, public."""

    solvers: int = 4
    training: int = 64
    own: int = 16
    unseen_sites: int = 2
    unseen: int = 60
    public: int = 28
    frames: int = 32
    image: int = 64


@dataclass(frozen=True, slots=True)
class Sites:
    """The shards of one comparison. `own[i]` holds other episodes of the site of `training[i]`."""

    digest: str
    """Names every byte; results of other bytes are never reused."""
    training: tuple[Shard, ...]
    own: tuple[Shard, ...]
    unseen: Shard
    public: Shard
    probe: Shard
    unseen_sites: tuple[Site, ...]


def plan(which: str, sizes: Sizes) -> tuple[dict[str, Recording], tuple[Site, ...]]:
    """Every recording by file name, and the unseen sites.

    Raises:
        Fatal: `which` names no set of sites.
    """
    if which not in SITES:
        raise Fatal(f"no sites are called {which!r}", remedy=f"choose {' or '.join(SITES)}", code=Exit.USAGE)
    seed = hashlib.sha256(f"laboratory {which}".encode()).digest()
    draw = numpy_generator(seed, "sites")
    if which == "report":
        homes = [training_site(index, draw) for index in range(sizes.solvers)]
    else:
        homes = [distinct_site(100 + index, draw) for index in range(sizes.solvers)]
    first = HIDDEN_SITE + _FIRST_HIDDEN[which]
    unseen = tuple(
        replace(distinct_site(first + index, draw), policy="mixture") for index in range(sizes.unseen_sites)
    )
    wanted: list[tuple[str, tuple[Site, ...], int, int]] = [
        (f"training-{index}", (site,), sizes.training, sizes.frames) for index, site in enumerate(homes)
    ]
    wanted += [(f"own-{index}", (site,), sizes.own, sizes.frames) for index, site in enumerate(homes)]
    wanted += [
        ("unseen", unseen, sizes.unseen, sizes.frames),
        ("public", (GREY,), sizes.public, sizes.frames),
    ]
    wanted.append(("probe", (), PROBE_EPISODES, 4))
    recordings = {}
    for name, sites, episodes, frames in wanted:
        content = [VERSION, ENVIRONMENT, which, name, [asdict(site) for site in sites], asdict(sizes)]
        build = digest_of(canonical_json(content)).hex()
        file = f"{name}.safetensors"
        recordings[file] = Recording(
            name, derive(seed, name), sites, episodes, frames, sizes.image, HOLD, build
        )
    return recordings, unseen


def distinct_site(number: int, generator: np.random.Generator) -> Site:
    """A random site in which the agent stands out from background and wall alike.

    Where it does not, every model loses it, and a mean over sites measures nothing else.
    """
    while True:
        site = random_site(number, generator)
        agent = np.array(site.agent)
        if min(np.abs(agent - other).sum() for other in (site.background, site.wall)) >= _CONTRAST:
            return site


def build(
    folder: Path, which: str, sizes: Sizes, workers: int, progress: Callable[[int, int, str], None] | None
) -> None:
    """Records what is missing of a set of sites, with the real simulator.

    Raises:
        Fatal: the simulator is missing, or the folder cannot be written.
    """
    recordings, _ = plan(which, sizes)
    folder.mkdir(parents=True, exist_ok=True)
    record_all(recordings, folder, workers, progress)


def load(folder: Path, which: str, sizes: Sizes) -> Sites:
    """A built set of sites.

    Raises:
        Fatal, Rejected: a file is missing or no shard.
    """
    recordings, unseen = plan(which, sizes)
    shards = {name.removesuffix(".safetensors"): load_shard(folder / name) for name in recordings}
    builds = canonical_json([recording.build for recording in recordings.values()])
    return Sites(
        digest=digest_of(builds).hex(),
        training=tuple(shards[f"training-{index}"] for index in range(sizes.solvers)),
        own=tuple(shards[f"own-{index}"] for index in range(sizes.solvers)),
        unseen=shards["unseen"],
        public=shards["public"],
        probe=shards["probe"],
        unseen_sites=unseen,
    )


def joined(shards: tuple[Shard, ...]) -> Shard:
    """All episodes of several shards, as one."""
    frames, actions, state = (
        np.concatenate([getattr(shard, name) for shard in shards]) for name in ("frames", "actions", "state")
    )
    return Shard(frames, actions, state, sum((shard.site for shard in shards), ()))
