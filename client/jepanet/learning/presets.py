"""The recipes that ship with this package, by name."""

from __future__ import annotations

from jepanet.errors import Rejected
from jepanet.learning.families.registry import family_kind
from jepanet.learning.family import Family
from jepanet.learning.recipe import Gates, Optimiser, Recipe


def _family(name: str, **changes: object) -> Family:
    """A family at its usual sizes but for `changes`; in a nested object only what is named changes."""
    kind = family_kind(name)
    fields = kind().fields()
    for field, value in changes.items():
        usual = fields[field]
        fields[field] = {**usual, **value} if isinstance(usual, dict) and isinstance(value, dict) else value
    return kind.read(fields)


PRESETS: dict[str, Recipe] = {
    # For networks, where every round must gain: a low rate that cools down at the end of every round.
    "tworoom": Recipe(
        _family("world"),
        "tworoom",
        optimiser=Optimiser(learning_rate=1e-3, cooldown=0.6),
        # The start's variance is 0.85 on hidden sites: a bound close below it would hold honest first rounds.
        gates=Gates(healthy_variance=0.7),
        inner_steps=160,
        total_steps=2560,
        warm_steps=1200,
    ),
    # For whole schedules that are judged at their end alone, as in the laboratory: its first rounds, at a
    # high rate, raise the error that its last ones lower, and a network would merge none of them.
    "tworoom-anneal": Recipe(
        _family("world"), "tworoom-anneal", optimiser=Optimiser(learning_rate=4e-3), warm_steps=1200
    ),
    # PushT moves in five dimensions, of which most rest until the agent touches the block. After the long
    # start four solvers' sites add less than a sealed shard can tell from nothing: this one leaves them more.
    "pusht": Recipe(
        _family("world"),
        "pusht",
        optimiser=Optimiser(learning_rate=5e-4, cooldown=0.6),
        gates=Gates(healthy_variance=0.7),
        inner_steps=160,
        total_steps=2560,
        warm_steps=300,
    ),
    "pusht-anneal": Recipe(
        _family("world"),
        "pusht-anneal",
        optimiser=Optimiser(learning_rate=4e-3),
        warm_steps=1200,
        total_steps=1280,
    ),
    # 32-pixel frames, half the batch, a lower rate: 160 steps take about three seconds on one core.
    # The gates are wider because a young model's variance and rank still move on sites it never saw.
    "tworoom-small": Recipe(
        _family("world", model={"image": 32}, windows=11, window=6, hues=False),
        "tworoom-small",
        optimiser=Optimiser(learning_rate=1e-3, cooldown=0.6),
        gates=Gates(variance_floor=0.8, sigreg_log=0.25, rank_ratio=0.8, healthy_variance=0.4),
        inner_steps=160,
        total_steps=1280,
        warm_steps=600,
        warm_rate=3e-3,
        # A round turns its frame by 30 degrees; turning it back costs so small a model rank, which a state
        # guard then holds against the merge. Here alignment is a backstop.
        align_above=60.0,
    ),
    # The same model at a size for tests: it trains in a second and is not meant to be good.
    "tworoom-tiny": Recipe(
        _family(
            "world",
            model={"image": 32, "latent": 12, "channels": [4, 6, 8], "hidden": 24, "predictor": 32},
            windows=8,
            hues=False,
        ),
        "tworoom-tiny",
        optimiser=Optimiser(learning_rate=1e-3, cooldown=0.6),
        gates=Gates(
            variance_floor=0.3, variance_cap=4.0, sigreg_log=2.0, rank_ratio=0.3, healthy_variance=0.0
        ),
        inner_steps=10,
        total_steps=100,
        warm_steps=60,
    ),
}


def preset(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        Rejected: no such preset.
    """
    if name not in PRESETS:
        raise Rejected(f"no recipe is called {name[:40]!r}; known: {', '.join(PRESETS)}", reason="bad-recipe")
    return PRESETS[name]
