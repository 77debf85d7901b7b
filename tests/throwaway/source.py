"""Where Echo's pairs come from: a number, counted on, and its name. No two shards have a number in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from jepanet.learning.data.building.plan import Environment, layout_of
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.sizes import Counts
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE, UsualDataset
from jepanet.learning.sources.offer import Collection, Source
from jepanet.records.marks import Range

NAME = "echo 1"
LICENCE = "CC0-1.0"


@dataclass(frozen=True, slots=True)
class EchoSizes(Counts):
    """Of an Echo dataset."""

    tokens: Annotated[int, Range(2, 12), "of a description at most"] = 6


@dataclass(frozen=True, slots=True)
class Site:
    """One way of counting."""

    number: int
    stride: int


def _site(first: int, least: int = 1) -> Callable[[int, np.random.Generator], Site]:
    return lambda index, generator: Site(first + index, least + int(generator.integers(3)))


def record(recording: Recording) -> Shard:
    """Every site's pairs in turn; what it draws follows from the recording's seed."""
    draw, tokens, size = numpy_generator(recording.seed, "numbers"), recording.own["tokens"], 23
    order = [site for _ in range(recording.episodes) for site in recording.sites]
    numbers = draw.permutation(1000)[: len(order)]
    first, second = np.zeros((len(order), tokens), np.uint16), np.zeros((len(order), 3), np.uint16)
    for row, (site, number) in enumerate(zip(order, numbers.tolist(), strict=True)):
        length = int(draw.integers(2, tokens + 1))
        first[row, :length] = 1 + (number + site.stride * np.arange(length)) % size
        second[row] = (1 + number % size, 1 + number // size % size, 1 + number // size**2)
    sites = tuple(site.number for site in order)
    return Shard(PAIRS, {"first": first, "second": second}, sites, recording.header(NAME))


def _size(recording: Recording, frames: int) -> int:
    return 2 * (recording.own["tokens"] + 3) + 4


def _load() -> Collection:
    environment = Environment(
        name=NAME,
        version=1,
        require=lambda: None,
        sites=layout_of(_site(0), _site(HIDDEN_SITE, least=4), _site(GREY_SITE)),
        record=record,
        probe_site=0,
        episode_size=_size,
        schema=PAIRS,
        licence=LICENCE,
    )
    return Collection(environment, {"echo": EchoSizes(training_sites=3, evaluation_shards=2)})


SOURCE = Source(
    name="echo",
    title="Echo",
    summary="Count.",
    environment=NAME,
    licence=LICENCE,
    datasets=(UsualDataset("echo"),),
    examples=("--out data --seed 7",),
    load=_load,
)
