"""Emoji: one symbol a picture, in the styles of five free sets."""

from __future__ import annotations

from jepanet.learning.simulators.offer import UsualDataset
from jepanet.learning.sources.emoji.sets import RENDERER, RENDERER_VERSION, SETS
from jepanet.learning.sources.offer import Collection, Source


def _load() -> Collection:
    from jepanet.learning.sources.emoji.dataset import COLLECTION

    return COLLECTION


EMOJI = Source(
    name="emoji",
    title="Emoji",
    summary="Draw emoji of five free sets, of symbols of its own for every site.",
    environment=f"emoji of {', '.join(f'{item.name} {item.version}' for item in SETS)}, "
    f"drawn by {RENDERER} {RENDERER_VERSION}",
    licence="; ".join(f"{item.authors}: {item.licence}" for item in SETS),
    datasets=(UsualDataset("image-tiny"),),
    examples=("--out pictures --seed 7",),
    load=_load,
)
