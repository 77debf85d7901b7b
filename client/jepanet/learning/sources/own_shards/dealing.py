"""Which of a proposer's own things lie in which shard: sealed, public, or of a training site.

    each content once ─▶ sealed: things that no other resembles, as many of every file, in shards of one size
                         public: a fifth          training: the rest, mixed, dealt evenly to the sites

With sealed files their things alone are sealed, and what resembles one that is not is left out. The order is
a secret of the proposer. Sites mix all files: a site of one sort of things alone teaches what harms others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.plan import PUBLIC, sealed_name, training_name
from jepanet.learning.data.scorable import LEAST_EPISODES_OF_A_SITE
from jepanet.learning.data.sizes import Counts
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE
from jepanet.learning.sources.own_shards.likeness import Looks, joined_looks
from jepanet.records.marks import Range

_SHARE = 5
_MOST = 10_000
"""Things in a shard that is dealt."""
MAX_FILES = 16
"""That are sealed from: each is a site of the evaluation."""
Place = tuple[int, int]
"""(number of a file, row in it)."""


@dataclass(frozen=True, slots=True)
class OwnSizes(Counts):
    """Sizes of a dataset of one's own things."""

    image: Annotated[int, Range(0, 512), "side of a picture in pixels; 0 where there is none"] = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a proposer asks for."""

    sites: int
    """That train, a shard each."""
    rounds: int
    """Each uses up a sealed shard."""
    each: int | None
    """Things in a sealed shard; None: what a fifth gives, or as few as the recipe scores on."""


@dataclass(frozen=True, slots=True)
class Deal:
    """`rows`: (site, place) of every thing, by the name of its shard; `left_out`: things in none of them."""

    sizes: OwnSizes
    rows: Mapping[str, tuple[tuple[int, Place], ...]]
    left_out: int


def dealt(
    shared: Sequence[Looks],
    sealed: Sequence[Looks],
    wanted: Wanted,
    recipe: Recipe,
    secret: bytes,
    image: int,
) -> Deal:
    """Deals the things of all files; `sealed`: of those that nobody else has, whose numbers follow those of
    `shared`. `image`: side of their pictures.

    Raises:
        Fatal: there are too few for the recipe (exit code `DATASET`), or too many files (`USAGE`).
    """
    generator = numpy_generator(secret, "deal")
    once, looks = _once(shared)
    pools = _pools(once, looks, sealed, len(shared))
    if len(pools) > MAX_FILES:
        raise Fatal(
            f"{len(pools)} files are more than the {MAX_FILES} that one dataset seals from",
            remedy="make fewer, larger shards",
            code=Exit.USAGE,
        )
    need = _Need(wanted, recipe, len(pools), bool(sealed))
    each = need.of_a_sealed_shard(len(once), [len(pool) for pool in pools])
    taken = [_shuffled(pool, generator)[: each // len(pools) * wanted.rounds] for pool in pools]
    held = {place for pool in taken for place in pool}
    left = _shuffled([place for place in once if place not in held], generator)
    public, episodes = need.of_open_shards(len(once), len(left), each)
    rows: dict[str, tuple[tuple[int, Place], ...]] = {}
    for index in range(wanted.rounds):
        rows[sealed_name(index)] = tuple(
            (HIDDEN_SITE + site, place)
            for site, pool in enumerate(taken)
            for place in pool[index :: wanted.rounds]
        )
    rows[PUBLIC] = tuple((GREY_SITE, place) for place in left[:public])
    for site in range(wanted.sites):
        own = left[public + site :: wanted.sites][:episodes]
        rows[training_name(site)] = tuple((site, place) for place in own)
    sizes = OwnSizes(
        training_sites=wanted.sites,
        episodes=episodes,
        public_sites=1,
        public_episodes=public,
        evaluation_shards=wanted.rounds,
        evaluation_episodes=each,
        hidden_sites=len(pools),
        image=image,
    )
    there = sum(map(len, shared)) + sum(map(len, sealed))
    return Deal(sizes, rows, there - sum(map(len, rows.values())))


def _once(files: Sequence[Looks], first: int = 0) -> tuple[list[Place], Looks]:
    """The first place of every content, and its look; `first`: the number of the first file."""
    found: dict[bytes, tuple[int, Place]] = {}
    places = [(first + number, row) for number, looks in enumerate(files) for row in range(len(looks))]
    whole = joined_looks(files)
    for index, place in enumerate(places):
        found.setdefault(whole.contents[index], (index, place))
    return [place for _, place in found.values()], whole.chosen([index for index, _ in found.values()])


def _pools(once: list[Place], looks: Looks, sealed: Sequence[Looks], first: int) -> list[list[Place]]:
    """What may be sealed of every file: what is nearly the same as nothing else."""
    if sealed:
        apart, theirs = _once(sealed, first)
        alone = (theirs.counted_in(theirs) == 1) & (theirs.counted_in(looks) == 0)
        files = list(range(first, first + len(sealed)))
    else:
        apart, alone = once, looks.counted_in(looks) == 1
        files = sorted({number for number, _ in once})
    able = [place for place, taken in zip(apart, alone.tolist(), strict=True) if taken]
    return [[place for place in able if place[0] == number] for number in files]


def _shuffled(places: Sequence[Place], generator: np.random.Generator) -> list[Place]:
    return [places[index] for index in generator.permutation(len(places)).tolist()]


@dataclass(frozen=True, slots=True)
class _Need:
    """How many things a recipe needs where."""

    wanted: Wanted
    recipe: Recipe
    files: int
    """That are sealed from."""
    apart: bool

    @property
    def sealed(self) -> int:
        """Fewest things of a sealed shard: as many of every file."""
        least = max(self.recipe.score.minimum_episodes, LEAST_EPISODES_OF_A_SITE * self.files, 4)
        return -(-least // self.files) * self.files

    @property
    def open(self) -> int:
        """Fewest things of a training shard and of the public one: what one step of training reads."""
        return self.recipe.family.sizes.frames

    def of_a_sealed_shard(self, there: int, pools: Sequence[int]) -> int:
        """Raises: Fatal: too few things (`DATASET`), or fewer asked for than can be scored on (`USAGE`)."""
        most = min(pools) // self.wanted.rounds * self.files
        # No file is sealed by more than a half of it where the recipe does not need that.
        fifth = min(there // _SHARE // self.wanted.rounds, most // 2)
        usual = most if self.apart else max(self.sealed, fifth)
        each = min(usual if self.wanted.each is None else self.wanted.each, _MOST)
        each -= each % self.files
        if each < self.sealed and self.wanted.each is not None:
            raise Fatal(
                f"--each {self.wanted.each} is too few: recipe {self.recipe.name!r} scores on {self.sealed} "
                "or more",
                remedy=f"--each {self.sealed} or more",
                code=Exit.USAGE,
            )
        if max(each, self.sealed) > most:
            raise self._too_few(there, max(each, self.sealed), min(pools) * self.files)
        return each

    def of_open_shards(self, there: int, left: int, each: int) -> tuple[int, int]:
        """Things of the public shard, and of a training shard. Raises: Fatal, as above."""
        for public in (min(max(self.open, there // _SHARE), _MOST), self.open):
            episodes = min((left - public) // self.wanted.sites, _MOST)
            if episodes >= self.open:
                return public, episodes
        raise self._too_few(there, each)

    def _too_few(self, there: int, each: int, alone: int | None = None) -> Fatal:
        """`each`: things of a sealed shard; `alone`: there are to be sealed, where these are what lacks."""
        unit, rounds, sites = self.recipe.family.schema.unit, self.wanted.rounds, self.wanted.sites
        why = (
            f"recipe {self.recipe.name!r} wants {rounds * each:,} {unit}s for {rounds} sealed shards of "
            f"{each}, and {(sites + 1) * self.open:,} for {sites} training shards and a public one of "
            f"{self.open}; there are {there:,} that differ"
        )
        if alone is not None:
            why += f", and {alone:,} to seal that resemble no other"
        return Fatal(
            why,
            remedy=f"more {unit}s, --rounds or --sites with a smaller N, or a recipe file with another "
            "score.minimum_episodes",
            code=Exit.DATASET,
        )
