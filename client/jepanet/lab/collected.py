"""What a comparison on a package of pictures or texts takes from it: the shards of one of its datasets.

Sites, their parts and their seeds are those of `jepanet dataset build`. What a solver's site has is drawn
once and divided into what it trains on and what its own figures are of, so that the two share nothing where a
source repeats nothing. Each set of sites has an evaluation shard of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np

from jepanet.learning.data.building.plan import PROBE, PUBLIC, plan, sealed_name, training_name
from jepanet.learning.data.building.recording import NumberedSite, Recording
from jepanet.learning.data.schemas.schema import DataSchema
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.sizes import Counts
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.sources.offer import Offer
from jepanet.learning.sources.registry import OFFERS, SOURCES, dataset_for

_PROBED = 96
"""Episodes that frames of reference are compared on where a dataset has no probe."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The recordings of one comparison by file name, and what its sites are."""

    recordings: dict[str, Recording]
    unseen: tuple[NumberedSite, ...]
    unfamiliar: frozenset[int]
    """Numbers of the unseen sites that have what no training site has."""
    evaluation: str
    """Which file holds the unseen sites."""


def offer_for(name: str, schema: DataSchema) -> Offer | None:
    """What a recipe is compared on: what its preset is made for, or the first offer with data of its kind."""
    found = dataset_for(name)
    if found is not None:
        return found[0]
    offers = [item for item in OFFERS.values() if item.load().environment.schema == schema]
    return next((item for item in offers if item.trains(name)), offers[0] if offers else None)


def usual_sizes(source: str) -> Counts:
    """Of the usual dataset of a source."""
    offer = SOURCES[source]
    return offer.load().sizes[offer.datasets[0].recipe]


def collected(
    source: str, which: str, sets: tuple[str, ...], *, solvers: int, episodes: int, unseen: int, image: int
) -> Collected:
    """`episodes`: of a solver, to train on and to report on; `unseen`: of each unseen site; `image`: the side
    of pictures, where there are any.

    `which`: one of the `sets` of sites.

    Raises:
        Fatal: the source has not so many sites (`USAGE`). Rejected (`bad-parameters`).
    """
    collection, usual = SOURCES[source].load(), usual_sizes(source)
    parameters = replace(
        usual,
        training_sites=solvers,
        episodes=episodes,
        # As many shares as there are solvers would let a hidden site look like a training site, but for its
        # number, where sites are a share of so many.
        evaluation_shards=len(sets) + (solvers == len(sets)),
        evaluation_episodes=unseen * usual.hidden_sites,
    )
    if "image" in {item.name for item in fields(usual)}:
        parameters = replace(parameters, **{"image": image or usual.image})
    seed = hashlib.sha256(f"laboratory {which}".encode()).digest()
    recordings = plan(collection.environment, parameters, seed, derive(seed, "unseen"))
    evaluation = sealed_name(sets.index(which))
    for name in [sealed_name(index) for index in range(parameters.evaluation_shards)]:
        if name != evaluation:
            del recordings[name]
    sites = recordings[evaluation].sites
    strange = frozenset(site.number for site in sites if collection.unfamiliar(site))
    return Collected(recordings, sites, strange, evaluation)


def divided(shard: Shard, own: int, name: str) -> tuple[Shard, Shard]:
    """What a solver trains on, and `own` other episodes of its site."""
    generator = numpy_generator(hashlib.sha256(b"laboratory own episodes").digest(), name)
    taken = np.zeros(shard.episodes, dtype=bool)
    taken[generator.permutation(shard.episodes)[:own]] = True
    return shard.chosen(~taken), shard.chosen(taken)


def probe_of(shards: dict[str, Shard]) -> Shard:
    """What frames of reference are compared on: the dataset's probe, or some of its public shard."""
    if PROBE in shards:
        return shards[PROBE]
    public = shards[PUBLIC]
    return public.chosen(np.arange(public.episodes) < _PROBED)


def training_of(shards: dict[str, Shard], own: int) -> tuple[tuple[Shard, ...], tuple[Shard, ...]]:
    """The training shards and the own ones of all solvers, in order."""
    names = [training_name(index) for index in range(len(shards))]
    parts = [divided(shards[name], own, name) for name in names if name in shards]
    return tuple(part[0] for part in parts), tuple(part[1] for part in parts)
