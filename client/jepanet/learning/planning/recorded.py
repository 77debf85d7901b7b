"""Whether a model is good for acting, told from recorded episodes alone: no simulator, no robot.

    frames t-1, t of an episode, and the frame at t+H as a goal
      ├─▶ plan towards the goal's latent ─▶ how near it the model believes to come; its actions
      └─▶ the recorded actions and those of other episodes: which does the model believe lead there?

Nobody acts, so that no success is measured. What a plan is believed to reach is the model's own imagination,
which a plan exploits: beside it stands what the recorded actions are believed to reach, which really led to
the goal. Whether these are told from actions of other moments is what a model cannot talk itself into.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.proportion import Rate
from jepanet.learning.evaluation.statistics import floored_ratio
from jepanet.learning.family import PlanningNetwork, check_weights, planning_network
from jepanet.learning.machine.determinism import deterministic
from jepanet.learning.planning.costs import cost_rule, distance_to
from jepanet.learning.planning.planner import Situation, imagine, plan, planner_named
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import numpy_generator, torch_generator
from jepanet.tensors import Arrays

AHEAD, GOALS, CHOICES = 5, 64, 16
"""Frames between start and goal; problems; sequences of actions among which the recorded one is."""
_PLANNER = "icem"


@dataclass(frozen=True, slots=True)
class GoalReaching:
    """Over all problems. Distances are squared, in latent space, as shares of that from start to goal: sums
    over problems, tending to 1 for latents that never change."""

    problems: int
    ahead: int
    planned: float
    """Left to the goal after the planned actions, as the model imagines it."""
    recorded: float
    """After the recorded actions, which really led there."""
    others: float
    """After actions that were recorded at other moments."""
    told: Rate
    """Problems in which the recorded actions are imagined to lead nearer the goal than those of each of
    `choices` - 1 other moments."""
    choices: int
    action_error: float
    """Mean squared difference of planned and recorded actions, as a share of that between recorded ones of
    other moments and these: 1 is no better than a stranger's actions."""


def goal_reaching(
    weights: Arrays,
    recipe: Recipe,
    shard: Shard,
    *,
    seed: bytes,
    ahead: int = AHEAD,
    goals: int = GOALS,
    device: str = "cpu",
) -> GoalReaching:
    """Plans `goals` problems of recorded episodes, drawn by `seed`, all side by side.

    Raises:
        Rejected: weights or shard do not fit the recipe; its family cannot plan (`no-planning`); episodes too
            short or too few (`shard-mismatch`); latents that are not finite (`non-finite`).
    """
    family = recipe.family
    check_weights(weights, family)
    family.check_shard(shard)
    starts = shard.length - 1 - ahead
    if ahead < 1 or starts < 1 or shard.episodes * starts < CHOICES:
        raise Rejected(
            f"{shard.episodes} episodes of {shard.length} frames have no {CHOICES} goals {ahead} ahead",
            reason="shard-mismatch",
        )
    drawn = numpy_generator(seed, "goals").permutation(shard.episodes * starts)[: max(goals, CHOICES)]
    episode, now = drawn // starts, drawn % starts + 1
    with deterministic(), torch.inference_mode():
        model = planning_network(family, weights, device)
        before, here, goal = (_encoded(model, shard, episode, now + step) for step in (-1, 0, ahead))
        recorded = _actions(shard, episode, now, ahead)
        situation = Situation(before, here, _actions(shard, episode, now - 1, 1)[:, 0])
        cost = distance_to(goal, cost_rule("final"))
        found = plan(
            model.step, situation, cost, replace(planner_named(_PLANNER), horizon=ahead),
            torch_generator(seed, "planning"),
        )  # fmt: skip
        choices = _choices(recorded, numpy_generator(seed, "choices"))
        left = cost(imagine(model.step, situation, choices)).double().numpy()
        planned = cost(imagine(model.step, situation, found.actions.unsqueeze(1)))[:, 0].double().numpy()
        way = (goal - here).double().square().sum(dim=1).numpy()
    if not all(np.isfinite(item).all() for item in (left, planned, way)):
        raise Rejected("the model's imagination holds NaN or infinity", reason="non-finite")
    apart = (choices[:, 1:] - recorded.unsqueeze(1)).double().square().mean().item()
    error = (found.actions - recorded).double().square().mean().item()
    return GoalReaching(
        problems=len(drawn),
        ahead=ahead,
        planned=floored_ratio(float(planned.sum()), float(way.sum())),
        recorded=floored_ratio(float(left[:, 0].sum()), float(way.sum())),
        others=floored_ratio(float(left[:, 1:].mean(axis=1).sum()), float(way.sum())),
        told=Rate(len(drawn), int((left[:, 0] < left[:, 1:].min(axis=1)).sum())),
        choices=CHOICES,
        action_error=floored_ratio(error, apart),
    )


def _encoded(model: PlanningNetwork, shard: Shard, episode: np.ndarray, moment: np.ndarray) -> Tensor:
    """Latents float32 [N, D], a few frames at a time."""
    frames = [shard.frames[row, column] for row, column in zip(episode, moment, strict=True)]
    parts = [torch.tensor(np.stack(frames[first : first + 16])) for first in range(0, len(frames), 16)]
    return torch.cat([model.latents(part) for part in parts])


def _actions(shard: Shard, episode: np.ndarray, first: np.ndarray, count: int) -> Tensor:
    """float32 [N, count, A]: what was done from moment `first` on."""
    return torch.tensor(shard.actions[episode[:, None], first[:, None] + np.arange(count)])


def _choices(recorded: Tensor, generator: np.random.Generator) -> Tensor:
    """[N, CHOICES, H, A]: each problem's own actions first, then those of others, none of them twice."""
    count = len(recorded)
    others = [generator.permutation(count - 1)[: CHOICES - 1] + 1 for _ in range(count)]
    rows = (np.arange(count)[:, None] + np.stack(others)) % count
    return torch.cat([recorded.unsqueeze(1), recorded[torch.from_numpy(rows)]], dim=1)
