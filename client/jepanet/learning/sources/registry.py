"""All that datasets can be built from, by name: the simulators, and packages, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.learning.simulators.offer import UsualDataset
from jepanet.learning.simulators.registry import SIMULATORS
from jepanet.learning.sources.emoji import EMOJI
from jepanet.learning.sources.minigrid import MINIGRID
from jepanet.learning.sources.offer import Offer, Source
from jepanet.learning.sources.words import WORDS

SOURCES: Mapping[str, Source] = {source.name: source for source in (EMOJI, WORDS, MINIGRID)}
OFFERS: Mapping[str, Offer] = {**SIMULATORS, **SOURCES}


def built_from(environment: str) -> Offer | None:
    """What datasets were built from that say `environment`; None: nothing of ours."""
    return next((item for item in OFFERS.values() if item.environment == environment), None)


def dataset_for(recipe: str) -> tuple[Offer, UsualDataset] | None:
    """The offer and its dataset that the preset of that name trains on; None where no usual one is."""
    for offer in OFFERS.values():
        dataset = offer.dataset_for(recipe)
        if dataset is not None:
            return offer, dataset
    return None
