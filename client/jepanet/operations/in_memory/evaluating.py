"""What a model or a delta is worth on a shard: the recipe's own score, as rounds measure it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike

from jepanet.errors import Exit, Fatal
from jepanet.federation.deltas.delta import at_share
from jepanet.learning.data.shards import Shard
from jepanet.operations.in_memory.models import Model
from jepanet.operations.in_memory.shards import shard_given
from jepanet.operations.in_memory.training import Delta
from jepanet.tensors import Arrays


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on one shard.

    score: by the recipe's own measure, in `unit`; 0 is a guess that knows nothing of the data. gain: over
    the base, with its standard error, within 10 either way; both 0 for a model that is its own base.
    per_site: gain by the number of a site. metrics: held-out metrics by name.
    """

    score: float
    unit: str
    gain: float
    stderr: float
    per_site: Mapping[int, float]
    metrics: Mapping[str, float]


def evaluate(
    measured: Model | Delta,
    shard: str | PathLike[str] | Shard,
    *,
    base: Model | None = None,
    solvers: int = 1,
    device: str = "cpu",
    backbones: str | PathLike[str] | None = None,
) -> Evaluation:
    """Measures a model, or a model with a delta, on a shard that it was not trained on, in this process.

    base: what a model's gain is measured over, of the same recipe; default: itself. A delta's is its own.
    solvers: a round of so many measures a delta at its share, base + delta / solvers.
    backbones: as `train`.

    Raises:
        Fatal: no such shard (exit code `NOT_FOUND`); a base or a number of solvers that does not go with
            what is measured (`USAGE`).
        Rejected: the shard does not fit the recipe or cannot measure, there is no room
            (`too-little-memory`), or the base is too weak to measure against (`weak-base`, `dead-base`,
            `non-finite`).
        Transient: the backbone is in no folder.
    """
    from jepanet.learning.evaluation.metrics import encode, metrics_of
    from jepanet.learning.evaluation.scorer import scorer_of
    from jepanet.operations.in_memory.beside import backbones_beside
    from jepanet.work.room import check_comparable, check_measurable
    from jepanet.work.scoring import plain_metrics

    against, weights = _measured(measured, base, solvers)
    recipe, data = against.recipe, shard_given(shard)
    check_measurable(recipe, device, 2)
    check_comparable(recipe, data)
    with backbones_beside(backbones):
        scorer = scorer_of(against.weights, recipe, data, device=device)
        encoded = encode(weights, recipe, data, device=device)
    gain = scorer.gain_of(encoded)
    metrics = plain_metrics(metrics_of(encoded, data, recipe))
    return Evaluation(gain.score, scorer.unit, gain.mean, gain.stderr, gain.per_site, metrics)


def _measured(measured: Model | Delta, base: Model | None, solvers: int) -> tuple[Model, Arrays]:
    """The base, and the weights whose gain over it is asked for."""
    if isinstance(measured, Delta):
        if base is not None:
            raise Fatal("a delta has its base with it", remedy="leave base out", code=Exit.USAGE)
        if solvers < 1:
            raise Fatal(f"{solvers} solvers are none", remedy="name one or more", code=Exit.USAGE)
        return measured.base, at_share(measured.base.weights, measured.changes, solvers)
    if solvers != 1:
        raise Fatal(
            "a model is nobody's share", remedy="measure a delta, or leave solvers out", code=Exit.USAGE
        )
    against = measured if base is None else base
    if against.recipe.digest() != measured.recipe.digest():
        raise Fatal(
            "base and model are of different recipes", remedy="take a base of its recipe", code=Exit.USAGE
        )
    return against, measured.weights
