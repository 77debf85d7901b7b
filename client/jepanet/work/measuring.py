"""Measuring jobs: models on the same shards, and whether a device computes at all."""

from __future__ import annotations

from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.evaluation.metrics import encode, metrics_of
from jepanet.learning.evaluation.scorer import Scorer, scorer_of
from jepanet.learning.machine.device import probe
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.model_file import load_model
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.processes.together import check_devices
from jepanet.tensors import Arrays
from jepanet.work.requests.measuring import MeasuredModels, MeasureModels, ProbedDevice, ProbeDevice
from jepanet.work.requests.request import OnProgress, Progress
from jepanet.work.room import check_comparable, check_measurable
from jepanet.work.scoring import plain_metrics


def measure_models(request: MeasureModels, on_progress: OnProgress) -> MeasuredModels:
    """Held-out metrics of several models on the same shards, and their scores with the first one as the base.

    Raises:
        Rejected: a file does not fit the recipe, a shard cannot score (as `ScorerKind`), the first model is
            too weak a base, or a model's latents are not finite.
    """
    recipe = read_recipe(request.recipe.read_bytes())
    check_measurable(recipe, request.device, 2)
    shards = [load_shard(path) for path in request.shards]
    for shard in shards:
        check_comparable(recipe, shard)
    found: list[dict[str, float]] = []
    scorers: list[Scorer] = []
    for number, path in enumerate(request.models):
        weights = load_model(path, recipe).weights
        scorers = scorers or [scorer_of(weights, recipe, shard, device=request.device) for shard in shards]
        each = [
            _measured(weights, recipe, shard, scorer, request.device)
            for shard, scorer in zip(shards, scorers, strict=True)
        ]
        found.append({name: sum(item[name] for item in each) / len(each) for name in each[0]})
        on_progress(Progress(number + 1, len(request.models)))
    return MeasuredModels(tuple(found))


def _measured(weights: Arrays, recipe: Recipe, shard: Shard, scorer: Scorer, device: str) -> dict[str, float]:
    encoded = encode(weights, recipe, shard, device=device)
    score = scorer.gain_of(
        encoded
    ).score  # refuses latents that are not finite, of which there are no metrics
    return {**plain_metrics(metrics_of(encoded, shard, recipe)), "score": score}


def probe_device(request: ProbeDevice, on_progress: OnProgress) -> ProbedDevice:
    """Computes on a device. Raises: Fatal (exit code `CONFIG`) if that does not work, or not for all of the
    processes; it names the remedy."""
    made = probe(request.device)
    if request.processes > 1:
        check_devices(request.device, request.processes)
    return ProbedDevice(
        torch=made.torch,
        threads=made.threads,
        apart=made.apart,
        instructions=made.instructions,
        gpus=made.gpus,
        build=surroundings(),
    )
