"""The emoji dataset: its sites, how its shards are drawn, and its usual sizes.

Every training site has symbols of its own in all styles but the last: sites of one style each would train
what the others must then undo. Evaluation has a site for every style, on symbols that nobody trains on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.plan import Environment, Layout
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE, PROBE_SITE
from jepanet.learning.sources.emoji import EMOJI
from jepanet.learning.sources.emoji.drawing import draw_placement, picture
from jepanet.learning.sources.emoji.packages import read_categories, read_drawings, require_packages
from jepanet.learning.sources.emoji.sets import SETS, UNSEEN
from jepanet.learning.sources.emoji.symbols import PUBLIC, SEALED, TRAINING, common_symbols, part_of_symbols
from jepanet.learning.sources.offer import Collection

BUILDER_VERSION = 1
"""Raised whenever the same parameters and seed would give other bytes."""
_SEEN = tuple(range(UNSEEN))
_EVERY = tuple(range(len(SETS)))


TINY = Parameters(
    episodes=1260,
    public_sites=1,
    public_episodes=1680,
    evaluation_episodes=250,
    hidden_sites=len(SETS),
    image=48,
)
"""For recipe `image-tiny`: pictures, where others have episodes."""


@dataclass(frozen=True, slots=True)
class EmojiSite:
    """Share number `share` of `shares` of a part of the symbols, in some styles (places in `SETS`)."""

    number: int
    part: str
    styles: tuple[int, ...]
    share: int = 0
    shares: int = 1


_PROBE = EmojiSite(PROBE_SITE, PUBLIC, _SEEN)


def _sites(generator: np.random.Generator, parameters: Parameters) -> Layout:
    """Nothing is drawn: who has which symbols is the same in every dataset of as many sites.

    Raises:
        Fatal: more hidden sites than styles (`USAGE`).
    """
    hidden, public = parameters.hidden_sites, parameters.public_sites
    if hidden > len(SETS):
        raise Fatal(
            f"emoji have {len(SETS)} styles for the hidden sites, of which {hidden} are wanted",
            remedy=f"--size hidden_sites={len(SETS)} or less",
            code=Exit.USAGE,
        )
    return Layout(
        training=tuple(
            EmojiSite(index, TRAINING, _SEEN, index, parameters.training_sites)
            for index in range(parameters.training_sites)
        ),
        hidden=tuple(
            EmojiSite(HIDDEN_SITE + index, SEALED, _EVERY[index::hidden]) for index in range(hidden)
        ),
        public=tuple(EmojiSite(GREY_SITE + index, PUBLIC, _SEEN, index, public) for index in range(public)),
    )


def record(recording: Recording) -> Shard:
    """Draws every picture of a shard. labels: category and symbol.

    Every pair of a symbol and a style of a site is shown before any is shown again, in another placement.
    """
    sets = [read_drawings(item) for item in SETS]
    symbols = common_symbols(sets, read_categories())
    sites = cast("tuple[EmojiSite, ...]", recording.sites) or (_PROBE,)
    shown = {site.number: _order(site, len(symbols), recording.episodes, recording.seed) for site in sites}
    images, labels, numbers = list[np.ndarray](), list[tuple[int, int]](), list[int]()
    for turn in range(recording.episodes):
        for site in sites:
            place, style = shown[site.number][turn]
            symbol, category = symbols[place]
            drawing = sets[style].find(symbol)
            assert drawing is not None, "common symbols have a drawing in every set"
            generator = numpy_generator(recording.seed, f"picture {len(images)}")
            images.append(picture(drawing, draw_placement(generator), recording.image))
            labels.append((category, place))
            numbers.append(site.number)
    header = {"environment": EMOJI.environment, "name": recording.name, "build": recording.build}
    arrays = {"images": np.stack(images), "labels": np.array(labels, dtype=np.int32)}
    return Shard(IMAGES, arrays, tuple(numbers), header)


def _order(site: EmojiSite, symbols: int, times: int, seed: bytes) -> list[tuple[int, int]]:
    """(place of a symbol, style) of so many pictures of a site."""
    places = part_of_symbols(symbols, site.part, site.share, site.shares)
    pairs = [(place, style) for place in places for style in site.styles]
    generator, order = numpy_generator(seed, f"order of site {site.number}"), list[int]()
    while len(order) < times:
        order += generator.permutation(len(pairs)).tolist()
    return [pairs[index] for index in order[:times]]


def _episode_size(recording: Recording, frames: int) -> int:
    """Pixels, two labels and the site's number of one picture, whatever number of frames others have."""
    return 3 * recording.image**2 + 12


COLLECTION = Collection(
    environment=Environment(
        name=EMOJI.environment,
        version=BUILDER_VERSION,
        require=require_packages,
        sites=_sites,
        record=record,
        probe_site=PROBE_SITE,
        episode_size=_episode_size,
        schema=IMAGES,
        licence=EMOJI.licence,
    ),
    sizes={EMOJI.datasets[0].recipe: TINY},
    unfamiliar=lambda site: site.styles == (UNSEEN,),
)
