"""Attacks on every family, and which a recipe is held against."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import numpy as np

from attacks.attempt import Attack, Attacks, Attempt, Parts, drawn_out, scaled
from jepanet.federation.judging.similarity import norm
from jepanet.learning.recipe import Recipe

OTHER_SEED = "honest, another seed"
SHARED: Attacks = {
    OTHER_SEED: lambda now: now.trained(),
    "nothing": lambda now: scaled(now.honest, 0.0),
    "noise of the honest norm": Attempt.noise,
    "sign flipped": lambda now: scaled(now.honest, -1.0),
    "honest x 1.25": lambda now: scaled(now.honest, 1.25),
    "honest x 1.9": lambda now: scaled(now.honest, 1.9),
    "honest x 3": lambda now: scaled(now.honest, 3.0),
    "lazy, a twentieth of the steps": Attempt.lazy,
    "lazy, drawn out to the honest norm": lambda now: drawn_out(now.lazy(), norm(now.honest)),
    "twice the steps": lambda now: now.trained(steps=2 * now.recipe.inner_steps),
    "last norm's gain zero": lambda now: now.moved(f"{now.parts.norm}weight", np.negative),
    "last norm's gain x 0.7": lambda now: now.moved(f"{now.parts.norm}weight", lambda gain: -0.3 * gain),
    "latents' layer + 3": lambda now: now.moved(f"{now.parts.head}bias", lambda bias: 0 * bias + 3.0),
    "latents' layer x 0.1": lambda now: now.moved(now.parts.head, lambda layer: -0.9 * layer),
    "latents' layer x 0.7": lambda now: now.moved(now.parts.head, lambda layer: -0.3 * layer),
    "trained on the sealed shard": lambda now: now.trained(shard=now.sealed),
}
COLLAPSE: Attacks = {
    "no regulariser": lambda now: now.trained(*now.parts.free),
    "no regulariser, a fifth of it": lambda now: scaled(now.trained(*now.parts.free), 0.2),
}


def _module(recipe: Recipe) -> ModuleType:
    return import_module(f"attacks.{recipe.family.name.replace('-', '_')}")


def parts_of(recipe: Recipe) -> Parts:
    """Raises: ModuleNotFoundError: the family has no file beside this one."""
    parts = _module(recipe).PARTS
    assert isinstance(parts, Parts)
    return parts


def attacks_on(recipe: Recipe) -> dict[str, Attack]:
    """By name: those of every family that this one has the parts for, then its own."""
    parts, own, names = parts_of(recipe), _module(recipe).OWN, recipe.family.parameter_shapes()
    found = {**SHARED, **(COLLAPSE if parts.free else {})}
    if f"{parts.head}bias" not in names:
        del found["latents' layer + 3"]
    if parts.head == parts.norm:  # the norm is the last layer: what changes one changes the other
        found = {name: attack for name, attack in found.items() if not name.startswith("latents' layer")}
    return {**found, **own}
