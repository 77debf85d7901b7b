"""Evaluating jobs: a model on recorded episodes, without a simulator."""

from __future__ import annotations

from jepanet.learning.data.shards import load_shard
from jepanet.learning.model_file import load_model
from jepanet.learning.planning.recorded import CHOICES, GoalReaching, goal_reaching
from jepanet.learning.planning.rollout import Rollout, rollout
from jepanet.learning.recipe_reader import read_recipe
from jepanet.work.requests.evaluating import EvaluatedModel, EvaluateModel
from jepanet.work.requests.request import OnProgress, Progress
from jepanet.work.room import check_comparable, check_measurable


def evaluate_model(request: EvaluateModel, on_progress: OnProgress) -> EvaluatedModel:
    """Each shard by itself.

    Raises:
        Rejected: a file does not fit the recipe, or as `rollout` and `goal_reaching`.
    """
    recipe = read_recipe(request.recipe.read_bytes())
    check_measurable(recipe, request.device, 1)
    weights = load_model(request.model, recipe).weights
    ahead: list[Rollout] = []
    goals: list[GoalReaching] = []
    for number, path in enumerate(request.shards):
        shard = load_shard(path)
        recipe.family.check_shard(shard)
        check_comparable(recipe, shard)
        ahead.append(rollout(weights, recipe, shard, steps=request.steps, device=request.device))
        goals.append(
            goal_reaching(
                weights,
                recipe,
                shard,
                seed=request.seed,
                ahead=request.ahead,
                goals=request.goals,
                device=request.device,
            )
        )
        on_progress(Progress(number + 1, len(request.shards)))
    return EvaluatedModel(
        nmse=tuple(item.nmse for item in ahead),
        skill=tuple(item.skill for item in ahead),
        planned=tuple(item.planned for item in goals),
        recorded=tuple(item.recorded for item in goals),
        others=tuple(item.others for item in goals),
        action_error=tuple(item.action_error for item in goals),
        told=tuple(item.told.successes for item in goals),
        problems=tuple(item.problems for item in goals),
        choices=CHOICES,
    )
