"""The recipe of a model of others, and the weights that it begins with."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.errors import Rejected
from jepanet.learning.family import check_weights
from jepanet.learning.pretrained.architecture import model_tree, refused
from jepanet.learning.pretrained.folder import Pretrained
from jepanet.learning.recipe import SCHEMA, Recipe
from jepanet.learning.recipe_reader import written_recipe
from jepanet.tensors import Arrays


@dataclass(frozen=True, slots=True)
class Adapting:
    """Adapters in place of a backbone's own weights; None: as the family has it."""

    rank: int
    alpha: float | None = None
    targets: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a recipe says that a folder does not."""

    name: str
    context: int
    latent: int
    border: int | None = None


def recipe_from(place: Pretrained, wanted: Wanted) -> Recipe:
    """A recipe by which the whole model is trained on.

    Raises:
        Fatal: no architecture that a recipe builds, or a number out of its bounds (exit code `CONFIG`).
    """
    model = model_tree(
        place.config(), context=wanted.context, latent=wanted.latent, border=wanted.border
    )  # fmt: skip
    return _read({**_usual(wanted.name), "model": model})


def adapted(recipe: Recipe, backbone: str, adapting: Adapting) -> Recipe:
    """The recipe that trains adapters beside the backbone whose file has the digest `backbone`.

    Raises:
        Fatal: the architecture has no such layers (exit code `CONFIG`).
    """
    model = recipe.family.fields()["model"]
    kind = model.get("kind") if isinstance(model, dict) else None
    given = adapting.targets or _TARGETS.get(str(kind), ())
    adapters = {
        "backbone": backbone,
        "rank": adapting.rank,
        "alpha": 2.0 * adapting.rank if adapting.alpha is None else adapting.alpha,
        "targets": sorted(given),
    }
    tree = {**_usual(recipe.name), "model": model, "adapters": adapters}
    tree["optimiser"] = {"learning_rate": 1e-3, "cooldown": 0.6}
    tree["gates"] = {**_GATES, "rank_ratio": _RANK_OF_ADAPTERS}
    return _read({**tree, "warm_steps": 100, "warm_rate": 1e-3})


def beginning(recipe: Recipe, weights: Arrays) -> Arrays:
    """Weights by their names in `transformers`, as a model of the recipe.

    Raises:
        Fatal: they are not those of its architecture, or hold NaN or infinity (exit code `CONFIG`).
    """
    named = {f"encoder.{name}": weights[name] for name in sorted(weights)}
    try:
        check_weights(named, recipe.family, what="its weights")
    except Rejected as error:
        raise refused(error.message, "take the model from its maker again") from error
    return named


_RANK_OF_ADAPTERS = 0.45
"""Adapters change latents along few directions, and honest work draws their effective rank together: alone in
a round to 0.51 of the base's, beside a random backbone. What harms texts is stopped by the floor of variance
and as harm, whatever its rank (docs/reports/families.md)."""
_GATES = {
    "variance_floor": 0.5,
    "variance_ceiling": 1.3,
    "sigreg_log": 2.0,
    "rank_ratio": 0.8,
    "healthy_variance": 0.05,
    "longest": 1.0,
}
_TARGETS = {
    "llama": ("q_proj", "v_proj"),
    "qwen2": ("q_proj", "v_proj"),
    "gpt_neox": ("query_key_value",),
    "gpt2": ("c_attn",),
}


def _usual(name: str) -> dict[str, object]:
    """What recipes begin with that train a model on: to be changed for one's own data."""
    return {
        "schema": SCHEMA,
        "family": "backbone",
        "name": name,
        "align_above": 180.0,
        "optimiser": {"learning_rate": 1e-4, "cooldown": 0.6},
        "objective": {"match": 0.1},
        "score": {"kind": "next-token", "match": 0.4, "minimum_episodes": 200},
        "gates": _GATES,
    }


def _read(tree: dict[str, object]) -> Recipe:
    try:
        return written_recipe(tree)
    except Rejected as error:
        raise refused(error.message, error.remedy or "choose another model, or other options") from error
