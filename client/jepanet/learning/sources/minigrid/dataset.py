"""Scenes of MiniGrid: what a shard of one site, of an evaluation or of everybody holds.

Most scenes of a training site are of its own task, some of every other: a site of one task alone teaches what
harms the others. Evaluation has a site for each of these tasks, and one for a task that nobody trains on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

import numpy as np

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.building.plan import Environment, Layout
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.schemas.questions import QUESTIONS as SCHEMA
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.sizes import Counts
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE, PROBE_SITE
from jepanet.learning.sources.minigrid import MINIGRID
from jepanet.learning.sources.minigrid.questions import ANSWER, QUERY, QUESTIONS, asked
from jepanet.learning.sources.minigrid.worlds import CELLS, View, require, world
from jepanet.learning.sources.offer import Collection
from jepanet.records.marks import Range

BUILDER_VERSION = 2
"""Raised whenever the same parameters and seed would give other bytes."""
TRAINED = ("fetch", "doors", "near", "unlock")
UNSEEN = "playground"
EVALUATED = (*TRAINED, UNSEEN)
OWN, OTHER = 7, 1
"""Shares of a training site's own task and of each other one."""
_TRIES = 2000
"""Of one scene, until something is seen that the shard does not show yet."""


@dataclass(frozen=True, slots=True)
class Scenes(Counts):
    """Sizes of a dataset of scenes."""

    image: Annotated[int, Range(28, 448), "side of a picture in pixels; a multiple of 7"] = 56

    def __post_init__(self) -> None:
        Counts.__post_init__(self)
        if self.image % CELLS:
            raise Rejected(f"dataset parameter image must be a multiple of {CELLS}", reason="bad-parameters")


TINY = Scenes(
    episodes=2000,
    public_sites=len(TRAINED),
    public_episodes=600,
    evaluation_shards=6,
    evaluation_episodes=200 * len(EVALUATED),
    hidden_sites=len(EVALUATED),
)
LARGE = Scenes(
    episodes=3000,
    public_sites=len(TRAINED),
    public_episodes=750,
    evaluation_shards=8,
    evaluation_episodes=400 * len(EVALUATED),
    hidden_sites=len(EVALUATED),
    image=224,
)


@dataclass(frozen=True, slots=True)
class SceneSite:
    """A source of scenes."""

    number: int
    task: str
    """Its own one."""
    mixed: bool = False
    """Whether others are there as well."""
    sealed: bool = False


def sites(generator: np.random.Generator, parameters: Counts) -> Layout:
    """Nothing of them is random: a seed chooses among their scenes.

    Raises:
        Fatal: more sites of a kind than there are tasks (`USAGE`).
    """
    for name, there in (("hidden_sites", len(EVALUATED)), ("public_sites", len(TRAINED))):
        if getattr(parameters, name) > there:
            raise Fatal(
                f"minigrid has {there} tasks for {name}, not {getattr(parameters, name)}",
                remedy=f"--size {name}={there} or less",
                code=Exit.USAGE,
            )
    return Layout(
        training=tuple(
            SceneSite(index, TRAINED[index % len(TRAINED)], mixed=True)
            for index in range(parameters.training_sites)
        ),
        hidden=tuple(
            SceneSite(HIDDEN_SITE + index, EVALUATED[index], sealed=True)
            for index in range(parameters.hidden_sites)
        ),
        public=tuple(
            SceneSite(GREY_SITE + index, TRAINED[index]) for index in range(parameters.public_sites)
        ),
    )


def tasks_of(site: SceneSite, scenes: int) -> list[str]:
    """The task of every scene of a site."""
    if not site.mixed:
        return [site.task] * scenes
    turn = [site.task] * OWN + [task for task in TRAINED if task != site.task for _ in range(OTHER)]
    return [turn[number % len(turn)] for number in range(scenes)]


def record(recording: Recording) -> Shard:
    """Draws every scene of a shard; no two show the same picture.

    Raises:
        Fatal: a task shows no more than others that the shard has already (`USAGE`).
    """
    given = cast("tuple[SceneSite, ...]", recording.sites)
    each = [tasks_of(site, recording.episodes) for site in given]
    worlds = {task: world(task) for task in sorted({task for tasks in each for task in tasks})}
    shown = set[bytes]()
    pictures, queries, answers = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
    numbers = list[int]()
    for turn in range(recording.episodes):
        for site, tasks in zip(given, each, strict=True):
            generator = numpy_generator(recording.seed, f"scene {len(pictures)}")
            for _ in range(_TRIES):
                view: View = worlds[tasks[turn]](int(generator.integers(1 << 31)), recording.image // CELLS)
                content = view.picture.tobytes()
                if view.things and content not in shown:
                    break
            else:
                raise Fatal(
                    f"task {tasks[turn]} shows nothing after {len(shown)} scenes that {recording.name} lacks",
                    remedy="fewer --size episodes, public_episodes or evaluation_episodes",
                    code=Exit.USAGE,
                )
            shown.add(content)
            query, answer = asked(view, generator)
            pictures.append(view.picture)
            queries.append(query)
            answers.append(answer)
            numbers.append(site.number)
    arrays = {"images": np.stack(pictures), "queries": np.stack(queries), "answers": np.stack(answers)}
    return Shard(SCHEMA, arrays, tuple(numbers), recording.header(MINIGRID.environment))


def _episode_size(recording: Recording, frames: int) -> int:
    return 3 * recording.image**2 + 2 * QUESTIONS * (QUERY + ANSWER) + 4


COLLECTION = Collection(
    environment=Environment(
        name=MINIGRID.environment,
        version=BUILDER_VERSION,
        require=require,
        sites=sites,
        record=record,
        probe_site=PROBE_SITE,
        episode_size=_episode_size,
        schema=SCHEMA,
        licence=MINIGRID.licence,
    ),
    sizes={dataset.recipe: sizes for dataset, sizes in zip(MINIGRID.datasets, (TINY, LARGE), strict=True)},
)
