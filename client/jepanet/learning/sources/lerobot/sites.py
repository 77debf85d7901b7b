"""Which recordings a site has, and which stretches of them a shard.

    recordings ─▶ a fifth evaluated, a fifth public, the rest dealt to the training sites, in a random order
    with a sealed folder: its recordings are evaluated, and the others are public or trained on
    recording  ─▶ stretches of as many frames as an episode has, one after the other
    evaluation shard i of n: stretches i, i + n, i + 2n, ... of the evaluated recordings

Recordings of one folder show one robot, so that a site differs from another in what was recorded, not in how
it looks. Nobody trains on a recording that is evaluated, and none is dealt that repeats another.

The order is a secret of the proposer: by a public one whoever has the folder knew at once what is sealed.
Whoever has all of it finds out even so, since what is in no public shard is left; a sealed folder that nobody
else has is what helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Some recordings. `shards`: over how many shards their stretches are dealt; `sealed`: digest, in hex, of
    the sealed folder that they are from, empty where they are from the other one."""

    number: int
    recordings: tuple[int, ...]
    shards: int = 1
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class Dealt:
    """What is dealt: numbers of the recordings of a folder, without those that repeat others, and of those
    of a sealed folder with its digest; empty where there is none."""

    shared: tuple[int, ...]
    apart: tuple[int, ...] = ()
    digest: str = ""


def dealt(given: Dealt, parameters: Parameters, secret: bytes) -> Layout:
    """The sites of a dataset, in the order that follows from a secret of 32 bytes.

    Raises:
        Fatal: there are too few recordings for so many sites (exit code `USAGE`).
    """
    generator = numpy_generator(secret, "recordings")
    sites, hidden_sites = parameters.training_sites + parameters.public_sites, parameters.hidden_sites
    _check_enough(len(given.shared), sites if given.digest else sites + hidden_sites)
    order = [given.shared[place] for place in generator.permutation(len(given.shared)).tolist()]
    if given.digest:
        _check_enough(len(given.apart), hidden_sites)
        sealed = [given.apart[place] for place in generator.permutation(len(given.apart)).tolist()]
    else:
        there = max(hidden_sites, min(len(order) // _SHARE, len(order) - sites))
        sealed, order = order[:there], order[there:]
    public = max(parameters.public_sites, len(given.shared) // _SHARE)
    public = max(parameters.public_sites, min(public, len(order) - parameters.training_sites))

    def among(
        numbers: Sequence[int], sites: int, first: int, shards: int = 1, of: str = ""
    ) -> tuple[Site, ...]:
        return tuple(Site(first + place, tuple(numbers[place::sites]), shards, of) for place in range(sites))

    return Layout(
        training=among(order[public:], parameters.training_sites, 0),
        hidden=among(sealed, hidden_sites, HIDDEN_SITE, parameters.evaluation_shards, given.digest),
        public=among(order[:public], parameters.public_sites, GREY_SITE),
    )


def _check_enough(recordings: int, wanted: int) -> None:
    if recordings < wanted:
        raise Fatal(
            f"{recordings} recordings are too few for {wanted} sites, of which each has one at least",
            remedy="--size training_sites=N with a smaller N, or a folder with more recordings",
            code=Exit.USAGE,
        )


def stretches(site: Site, recordings: Sequence[Recorded], rows: int, shard: int = 0) -> list[tuple[int, int]]:
    """(recording, its first row) of every stretch of `rows` rows that shard number `shard` may have."""
    found = [
        (number, first)
        for number in site.recordings
        for first in range(0, recordings[number].length - rows + 1, rows)
    ]
    return found[shard :: site.shards]


def usual_sizes(
    shared: Sequence[Recorded],
    apart: Sequence[Recorded],
    among: Dealt,
    given: dict[str, int],
    secret: bytes,
) -> Parameters:
    """Sizes that use what there is, with those that were asked for; `apart`: of the sealed folder.

    Raises:
        Fatal: too few or too short recordings (`DATASET`), or sizes that cannot be (`USAGE`).
        Rejected: a size that is unknown or out of bounds (`bad-parameters`).
    """
    usual = {"training_sites": 4, "hidden_sites": 1, "public_sites": 1, "frames": 16, "hold": 1}
    first = Parameters.from_json({**usual, **given})
    layout = dealt(among, first, secret)
    rows = first.frames * first.hold

    def least(sites: Sequence[object], recordings: Sequence[Recorded] = shared) -> int:
        return min(len(stretches(site, recordings, rows)) for site in sites if isinstance(site, Site))

    whole = [Site(site.number, site.recordings) for site in layout.hidden if isinstance(site, Site)]
    hidden = least(whole, apart if among.digest else shared)
    shards = given.get("evaluation_shards", max(1, min(_SHARDS, hidden // _STRETCHES)))
    each, public = hidden // shards, least(layout.public)
    sizes = {
        "episodes": least(layout.training),
        "public_episodes": public,
        "evaluation_shards": shards,
        "evaluation_episodes": each * first.hidden_sites,
        "probe_frames": PROBE_FRAMES * min(_PROBE_EPISODES, public),
    }
    recordings = len(shared) + len(apart)
    if min(sizes["episodes"], public) < 1 or each < max(4, LEAST_EPISODES_OF_A_SITE):
        raise refusal(
            f"{recordings} recordings have too few stretches of {first.frames} frames {first.hold} rows "
            f"apart: {sizes['episodes']} at a training site, {public} public, {each} in an evaluation shard",
            "--size frames=N or hold=N with a smaller N, or a folder with more recordings",
        )
    return Parameters.from_json({**usual, **sizes, **given})
