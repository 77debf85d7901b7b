"""Pairs of words: what a shard of one site, of an evaluation or of everybody holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.plan import Environment, Layout, sealed_index
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE, PROBE_SITE
from jepanet.learning.sources.offer import Collection
from jepanet.learning.sources.words import WORDS
from jepanet.learning.sources.words.domains import (
    EVALUATED,
    TRAINED,
    UNSEEN,
    Site,
    hidden_pool,
    own_domain,
    public_pool,
    shares,
    training_pool,
)
from jepanet.learning.sources.words.vocabulary import encoded
from jepanet.learning.sources.words.wordnet import Meaning, require

BUILDER_VERSION = 1
"""Raised whenever the same parameters and seed would give other bytes."""
DESCRIPTION, NAME = 24, 8
"""Tokens of the longest: meanings with a longer description or name are left out."""
SMALL = Parameters(
    episodes=2000,
    public_sites=len(TRAINED),
    public_episodes=700,
    evaluation_shards=4,
    evaluation_episodes=165 * len(EVALUATED),
    hidden_sites=len(EVALUATED),
)
"""For recipe `language-tiny`: an evaluation shard so large that an honest delta is many standard errors."""
_PROBE = Site(PROBE_SITE, TRAINED[0], 0, 1)


def sites(generator: np.random.Generator, parameters: Parameters) -> Layout:
    """The sites of a dataset. Nothing of them is random: a seed chooses among their meanings."""
    for name, there in (("hidden_sites", len(EVALUATED)), ("public_sites", len(TRAINED))):
        if getattr(parameters, name) > there:
            raise Fatal(
                f"words have {there} domains for {name}, not {getattr(parameters, name)}",
                remedy=f"--size {name}={there} or less",
                code=Exit.USAGE,
            )
    return Layout(
        training=tuple(
            Site(index, own_domain(index), index, parameters.training_sites)
            for index in range(parameters.training_sites)
        ),
        # The part of a hidden site is that of the shard which is drawn from it: here it is none of them, or
        # the site would be taken for one that is trained on where there are as many shards as sites.
        hidden=tuple(
            Site(
                HIDDEN_SITE + index,
                EVALUATED[index],
                parameters.evaluation_shards,
                parameters.evaluation_shards,
            )
            for index in range(parameters.hidden_sites)
        ),
        public=tuple(
            Site(GREY_SITE + index, TRAINED[index], 0, 1) for index in range(parameters.public_sites)
        ),
    )


def record(recording: Recording) -> Shard:
    """The shard of a recording: drawn from what its sites have, none of it twice.

    Raises:
        Fatal: a site has less than is wanted (`USAGE`), or the package is missing (`DATASET`).
    """
    generator = numpy_generator(recording.seed, "pairs")
    given = cast("tuple[Site, ...]", recording.sites) or (_PROBE,)
    parts = [_of_site(site, recording, generator) for site in given]
    first, second = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    numbers = tuple(site.number for site, part in zip(given, parts, strict=True) for _ in part[0])
    header = {"environment": WORDS.environment, "name": recording.name, "build": recording.build}
    return Shard(PAIRS, {"first": first, "second": second}, numbers, header)


def _of_site(
    site: Site, recording: Recording, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    wanted, shard = recording.episodes, sealed_index(recording.name)
    if shard is not None:
        return _drawn(hidden_pool(replace(site, index=shard)), wanted, "evaluation_episodes", generator)
    if site.number < HIDDEN_SITE:
        parts = [
            _drawn(training_pool(site, domain), count, "episodes", generator)
            for domain, count in shares(site, wanted).items()
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    return _drawn(public_pool(site.domain), wanted, "public_episodes", generator)


def _drawn(
    pool: Sequence[Meaning], wanted: int, size: str, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Descriptions uint16 [wanted, L1] and names uint16 [wanted, L2], in a random order, none twice."""
    first, fits = encoded([item.description for item in pool], DESCRIPTION)
    second, named = encoded([item.name for item in pool], NAME)
    able = np.flatnonzero(fits & named)
    if len(able) < wanted:
        raise Fatal(
            f"a site has {len(able)} pairs that fit, and {wanted} are wanted",
            remedy=f"a smaller --size {size}",
            code=Exit.USAGE,
        )
    chosen = generator.permutation(able)[:wanted]
    return first[chosen], second[chosen]


def _episode_size(recording: Recording, frames: int) -> int:
    return 2 * (DESCRIPTION + NAME) + 4


COLLECTION = Collection(
    environment=Environment(
        name=WORDS.environment,
        version=BUILDER_VERSION,
        require=require,
        sites=sites,
        record=record,
        probe_site=PROBE_SITE,
        episode_size=_episode_size,
        schema=PAIRS,
        licence=WORDS.licence,
    ),
    sizes={WORDS.datasets[0].recipe: SMALL},
    unfamiliar=lambda site: site.domain == UNSEEN,
)
