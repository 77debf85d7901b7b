"""Which recordings a site has, and which stretches of them a shard.

    recordings ─▶ a fifth evaluated, a fifth public, the rest dealt to the training sites, in a random order
    recording  ─▶ stretches of as many frames as an episode has, one after the other
    evaluation shard i of n: stretches i, i + n, i + 2n, ... of the evaluated recordings

Recordings of one folder show one robot, so that a site differs from another in what was recorded, not in how
it looks. Nobody trains on a recording that is evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.plan import Layout
from jepanet.learning.data.inside import refusal
from jepanet.learning.data.scorable import LEAST_EPISODES_OF_A_SITE
from jepanet.learning.data.sizes import PROBE_FRAMES, Parameters
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE
from jepanet.learning.sources.lerobot.episodes import Recorded

_SHARE = 5
_SHARDS, _STRETCHES = 8, 16
"""Most evaluation shards where nothing else is asked for, and stretches that each of them is to have."""
_PROBE_EPISODES = 96


@dataclass(frozen=True, slots=True)
class Site:
    """Some recordings. `shards`: over how many shards their stretches are dealt."""

    number: int
    recordings: tuple[int, ...]
    shards: int = 1


def dealt(recordings: int, parameters: Parameters, generator: np.random.Generator) -> Layout:
    """The sites of a dataset of so many recordings.

    Raises:
        Fatal: there are too few for so many sites (exit code `USAGE`).
    """
    wanted = parameters.training_sites + parameters.hidden_sites + parameters.public_sites
    if recordings < wanted:
        raise Fatal(
            f"{recordings} recordings are too few for {wanted} sites, of which each has one at least",
            remedy="--size training_sites=N with a smaller N, or a folder with more recordings",
            code=Exit.USAGE,
        )
    order = generator.permutation(recordings).tolist()
    hidden = max(parameters.hidden_sites, recordings // _SHARE)
    public = max(parameters.public_sites, recordings // _SHARE)
    while recordings - hidden - public < parameters.training_sites:
        hidden, public = max(parameters.hidden_sites, hidden - 1), max(parameters.public_sites, public - 1)

    def among(given: Sequence[int], sites: int, first: int, shards: int = 1) -> tuple[Site, ...]:
        return tuple(Site(first + place, tuple(given[place::sites]), shards) for place in range(sites))

    return Layout(
        training=among(order[hidden + public :], parameters.training_sites, 0),
        hidden=among(order[:hidden], parameters.hidden_sites, HIDDEN_SITE, parameters.evaluation_shards),
        public=among(order[hidden : hidden + public], parameters.public_sites, GREY_SITE),
    )


def stretches(site: Site, recordings: Sequence[Recorded], rows: int, shard: int = 0) -> list[tuple[int, int]]:
    """(recording, its first row) of every stretch of `rows` rows that shard number `shard` may have."""
    found = [
        (number, first)
        for number in site.recordings
        for first in range(0, recordings[number].length - rows + 1, rows)
    ]
    return found[shard :: site.shards]


def usual_sizes(recordings: Sequence[Recorded], given: dict[str, int], seed: bytes) -> Parameters:
    """Sizes that use what there is, with those that were asked for.

    Raises:
        Fatal: too few or too short recordings (`DATASET`), or sizes that cannot be (`USAGE`).
        Rejected: a size that is unknown or out of bounds (`bad-parameters`).
    """
    usual = {"training_sites": 4, "hidden_sites": 1, "public_sites": 1, "frames": 16, "hold": 1}
    first = Parameters.from_json({**usual, **given})
    layout = dealt(len(recordings), first, numpy_generator(seed, "sites"))
    rows = first.frames * first.hold

    def least(sites: Sequence[object]) -> int:
        return min(len(stretches(site, recordings, rows)) for site in sites if isinstance(site, Site))

    hidden = least([Site(site.number, site.recordings) for site in layout.hidden if isinstance(site, Site)])
    shards = given.get("evaluation_shards", max(1, min(_SHARDS, hidden // _STRETCHES)))
    each, public = hidden // shards, least(layout.public)
    sizes = {
        "episodes": least(layout.training),
        "public_episodes": public,
        "evaluation_shards": shards,
        "evaluation_episodes": each * first.hidden_sites,
        "probe_frames": PROBE_FRAMES * min(_PROBE_EPISODES, public),
    }
    if min(sizes["episodes"], public) < 1 or each < max(4, LEAST_EPISODES_OF_A_SITE):
        raise refusal(
            f"{len(recordings)} recordings have too few stretches of {first.frames} frames {first.hold} rows "
            f"apart: {sizes['episodes']} at a training site, {public} public, {each} in an evaluation shard",
            "--size frames=N or hold=N with a smaller N, or a folder with more recordings",
        )
    return Parameters.from_json({**usual, **sizes, **given})
