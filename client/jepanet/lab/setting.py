"""What a comparison trains on and what it reports on: solvers' sites, unseen sites, public frames.

Of a simulator they are drawn and recorded here; of a package they are those of its datasets (`collected.py`).
Two sets of sites that share none but the public ones: hyperparameters are chosen on `tune`, results
reported on `report`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal
from jepanet.files import kept_digest
from jepanet.lab.collected import collected, probe_of, training_of
from jepanet.lab.defaults import SIMULATOR
from jepanet.learning.data.building.builder import record_all
from jepanet.learning.data.building.plan import PUBLIC, Environment, check_sizes
from jepanet.learning.data.building.recording import NumberedSite, Recording
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.simulators.goals import Play
from jepanet.learning.simulators.offer import HIDDEN_SITE, Task
from jepanet.learning.simulators.registry import SIMULATORS
from jepanet.learning.sources.registry import OFFERS, SOURCES, dataset_for
from jepanet.tensors import canonical_json

VERSION = 3
PROBE_EPISODES = 96
SITES = ("report", "tune")
_PUBLIC_SEED = hashlib.sha256(b"laboratory public sites").digest()
_FIRST_PUBLIC = 300
_FIRST_HOME = {"tune": 100, "report": 200}
_FIRST_HIDDEN = {"tune": 10, "report": 20}
"""Unseen sites are drawn, not designed: these numbers are used by no dataset that a network trains on."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a comparison takes place, and how much is recorded there.

    Episodes (of 32 frames with a simulator): per solver to train on and to report on, per unseen site.
    Of a package the last six fields are its dataset's, and not read.
    """

    environment: str = SIMULATOR
    sites: str = "report"
    solvers: int = 4
    training: int = 64
    own: int = 16
    unseen_sites: int = 2
    unseen: int = 60
    public_sites: int = 8
    public: int = 12
    """Per public site."""
    frames: int = 32
    image: int = 64

    def __post_init__(self) -> None:
        for what, known in (("environment", OFFERS), ("sites", SITES)):
            if getattr(self, what) not in known:
                raise Fatal(
                    f"no {what} called {getattr(self, what)!r}",
                    remedy=f"choose {' or '.join(known)}",
                    code=Exit.USAGE,
                )


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
    unseen_sites: tuple[NumberedSite, ...]
    unfamiliar: frozenset[int] = frozenset()
    """Numbers of the unseen sites that have what no training site has."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Every recording of a setting by file name, and its unseen sites."""

    recordings: dict[str, Recording]
    unseen: tuple[NumberedSite, ...]
    unfamiliar: frozenset[int] = frozenset()
    evaluation: str = "unseen.safetensors"
    """Which file holds the unseen sites."""


def environment_of(setting: Setting) -> Environment:
    """What the builder needs to know of a simulator or another source."""
    return OFFERS[setting.environment].load().environment


def task_of(setting: Setting) -> Task:
    """The simulator's folder, loaded."""
    return SIMULATORS[setting.environment].load()


def play_of(environment: str) -> Play:
    """How models act in a simulator.

    Raises:
        Fatal: it can only be recorded, or is no simulator (`USAGE`).
    """
    play = SIMULATORS[environment].load().play if environment in SIMULATORS else None
    if play is None:
        able = [item.title for item in SIMULATORS.values() if item.load().play is not None]
        raise Fatal(
            f"planning is measured in {' and '.join(able)} alone, not in {environment}",
            remedy="--control 0",
            code=Exit.USAGE,
        )
    return play


def check_fits(environment: str, recipe: Recipe) -> None:
    """Raises: Fatal (`USAGE`) when a recipe trains on another kind of data than there is."""
    there, wanted = OFFERS[environment].load().environment.schema, recipe.family.schema
    if there != wanted:
        able = [name for name, offer in OFFERS.items() if offer.load().environment.schema == wanted]
        raise Fatal(
            f"recipe {recipe.name} trains on {wanted.name}, and {environment} has {there.name}",
            remedy=f"--data {' or '.join(able)}" if able else "another --recipe",
            code=Exit.USAGE,
        )


def public_sizes(recipe: Recipe) -> tuple[int, int]:
    """Public sites, and episodes of each, in a network's dataset for this recipe."""
    found = dataset_for(recipe.name)
    usual = Parameters() if found is None else found[0].load().sizes[found[1].recipe]
    return usual.public_sites, usual.public_episodes


def plan(setting: Setting) -> Planned:
    """What a setting is made of. Raises: Fatal or Rejected as `collected`."""
    if setting.environment in SOURCES:
        found = collected(
            setting.environment, setting.sites, SITES, solvers=setting.solvers,
            episodes=setting.training + setting.own, unseen=setting.unseen, image=setting.image,
        )  # fmt: skip
        return Planned(found.recordings, found.unseen, found.unfamiliar, found.evaluation)
    task, which = task_of(setting), setting.sites
    seed = hashlib.sha256(f"laboratory {which}".encode()).digest()
    draw = numpy_generator(seed, "sites")
    # Homes and unseen sites come from one distribution: what is asked is how sites add up, not how far a
    # model carries to looks that none of them has.
    homes = [task.drawn_site(_FIRST_HOME[which] + index, draw) for index in range(setting.solvers)]
    first = HIDDEN_SITE + _FIRST_HIDDEN[which]
    unseen = tuple(
        replace(task.drawn_site(first + index, draw), policy="mixture")
        for index in range(setting.unseen_sites)
    )
    open_to_all = numpy_generator(_PUBLIC_SEED, "public sites")
    public = (
        task.grey_site,
        *(task.drawn_site(_FIRST_PUBLIC + index, open_to_all) for index in range(setting.public_sites - 1)),
    )
    wanted: list[tuple[str, tuple[NumberedSite, ...], int, int]] = [
        (f"training-{index}", (site,), setting.training, setting.frames) for index, site in enumerate(homes)
    ]
    wanted += [(f"own-{index}", (site,), setting.own, setting.frames) for index, site in enumerate(homes)]
    wanted += [
        ("unseen", unseen, setting.unseen, setting.frames),
        ("public", public, setting.public, setting.frames),
        ("probe", (), PROBE_EPISODES, 4),
    ]
    recordings = {}
    for name, sites, episodes, frames in wanted:
        content = [VERSION, task.environment.name, which, name, [asdict(site) for site in sites],
                   episodes, frames, setting.image, task.hold]  # fmt: skip
        build = digest_of(canonical_json(content)).hex()
        recordings[f"{name}.safetensors"] = Recording(
            name, derive(seed, name), sites, episodes, frames, setting.image, task.hold, build
        )
    return Planned(recordings, unseen)


def build(
    folder: Path, setting: Setting, workers: int, progress: Callable[[int, int, str], None] | None
) -> None:
    """Records what is missing of a setting, with the real simulator or package.

    Raises:
        Fatal: that is missing, or the folder cannot be written.
    """
    environment = environment_of(setting)
    environment.require()
    recordings = plan(setting).recordings
    check_sizes(environment, recordings)
    try:
        for path in {(folder / name).parent for name in recordings}:
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(
            f"{folder} cannot be made: {error.strerror}", remedy="choose another --out", code=Exit.USAGE
        ) from error
    record_all(environment, recordings, folder, workers, progress)


def load(folder: Path, setting: Setting) -> Sites:
    """A built setting.

    Raises:
        Fatal: a file is missing or damaged. Rejected: it is no shard.
    """
    planned = plan(setting)
    digest = content(folder, setting)
    shards = {name: load_shard(folder / name) for name in planned.recordings}
    if setting.environment in SOURCES:
        training, own = training_of(shards, setting.own)
        probe = probe_of(shards)
    else:
        training, own = (
            tuple(shards[f"{name}-{index}.safetensors"] for index in range(setting.solvers))
            for name in ("training", "own")
        )
        probe = shards["probe.safetensors"]
    return Sites(
        digest=digest,
        training=training,
        own=own,
        unseen=shards[planned.evaluation],
        public=shards[PUBLIC],
        probe=probe,
        unseen_sites=planned.unseen,
        unfamiliar=planned.unfamiliar,
    )


def content(folder: Path, setting: Setting) -> str:
    """Names every byte of a built setting.

    Raises:
        Fatal: a file is missing or damaged.
    """
    digests = {name: kept_digest(folder / name) for name in plan(setting).recordings}
    for name, digest in digests.items():
        if digest is None:
            raise Fatal(
                f"{folder / name} is missing or damaged",
                remedy="run the same command again: it is recorded anew",
                code=Exit.DATASET,
            )
    return digest_of(canonical_json({name: (digest or b"").hex() for name, digest in digests.items()})).hex()
