"""What a comparison does where only some of it is asked for: by its recipe, its data, or a size by name."""

from __future__ import annotations

from dataclasses import replace

from jepanet.errors import Exit, Fatal
from jepanet.lab.collected import offer_for, usual_sizes
from jepanet.lab.defaults import COMPARISONS, PACKAGE_ARMS, Defaults
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.simulators.registry import SIMULATORS
from jepanet.learning.sources.registry import OFFERS


def defaults_for(size: str | None, recipe: str | None, data: str | None) -> Defaults:
    """The defaults named `size`, or those for a recipe and its data; with that recipe and data in any case.

    Raises:
        Fatal: there is no such recipe, or nothing is known that it could train on (`USAGE`).
    """
    if data is not None and data not in OFFERS:
        raise Fatal(f"no data are called {data!r}", remedy=f"--data {' or '.join(OFFERS)}", code=Exit.USAGE)
    if size is not None:
        base = COMPARISONS[size]
    elif recipe is None and data is None:
        base = COMPARISONS["full"]
    else:
        base = _for_data(data or _data_of(str(recipe)))
    return replace(base, recipe=recipe or base.recipe, simulator=data or base.simulator)


def _data_of(recipe: str) -> str:
    chosen = recipe_named(recipe)
    offer = offer_for(chosen.name, chosen.family.schema)
    if offer is None:
        raise Fatal(
            f"nothing is known that recipe {chosen.name} could be compared on: it trains on "
            f"{chosen.family.schema.name}",
            remedy=f"--data {' or '.join(OFFERS)}",
            code=Exit.USAGE,
        )
    return offer.name


def _for_data(data: str) -> Defaults:
    known = next((item for item in COMPARISONS.values() if item.simulator == data), None)
    if known is not None:
        return known
    if data in SIMULATORS:
        return replace(COMPARISONS["full"], recipe=OFFERS[data].datasets[0].recipe, control=0, simulator=data)
    sizes = usual_sizes(data)
    return Defaults(
        OFFERS[data].datasets[0].recipe, 3, "0,1,2", episodes=sizes.episodes,
        unseen=max(4, sizes.evaluation_episodes // sizes.hidden_sites), control=0, simulator=data,
        arms=PACKAGE_ARMS,
    )  # fmt: skip
