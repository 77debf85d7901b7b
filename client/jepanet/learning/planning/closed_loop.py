"""Whether a model is good for acting: latent planning in a closed loop with a real simulator.

    frame ─▶ encoder ─▶ plan towards the goal picture's latent ─▶ first action, held ─▶ simulator ─▶ frame

Starts and goals follow from a seed alone, so every model faces the same. A task is solved when the agent
comes within the environment's own radius of its goal at any simulator step of 12 actions. The
model sees pictures, its own actions and the picture of the goal: no position, and nothing of the evaluated
site that was recorded before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.data.building.recording import NumberedSite
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.proportion import Rate
from jepanet.learning.family import PlanningNetwork, check_weights, planning_network
from jepanet.learning.machine.determinism import deterministic
from jepanet.learning.planning.costs import CostRule, cost_rule, distance_to
from jepanet.learning.planning.planner import Plan, Planner, Situation, plan, planner_named
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import numpy_generator, torch_generator
from jepanet.learning.simulators.goals import Place, Play
from jepanet.tensors import Arrays

KINDS = ("same", "cross")
"""Goal in the agent's room; goal in the other room."""
RATES = ("same", "cross", "random_same", "random_cross")
"""Of a `ControlResult`."""
ACTIONS = 12
REACH = 0.8
"""A goal's way, through a door if need be, is at most this share of what the agent can travel."""
_BLOCK = 64
_METRIC_FRAMES = 2048

Policy = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(task numbers [n], positions [n, 2]) -> actions float32 [n, 2]; called once per action."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """start, goal: float32 [N, 2] (x, y) in screen pixels; kind: index into `KINDS` [N]."""

    start: np.ndarray
    goal: np.ndarray
    kind: np.ndarray


@dataclass(frozen=True, slots=True)
class ControlResult:
    """Success by kind of task, and that of uniformly random actions on the same tasks.

    actions: mean number of actions to success, by kind; None where nothing succeeded.
    """

    same: Rate
    cross: Rate
    random_same: Rate
    random_cross: Rate
    actions: dict[str, float | None]

    def to_json(self) -> dict[str, object]:
        return {name: getattr(self, name).to_json() for name in RATES} | {"actions": self.actions}


def evaluate(
    weights: Arrays,
    recipe: Recipe,
    simulator: Play,
    site: NumberedSite,
    *,
    episodes: int = 50,
    seed: bytes,
    cost: str = "sum",
    planner: str | Planner = "icem",
    reference: Shard | None = None,
    hold: int = 4,
) -> ControlResult:
    """Plans `episodes` tasks of each kind at `site` of a simulator with a model, all side by side.

    `hold` is the dataset's. Costs with a metric of their own are fitted on `reference`: frames and states
    of sites the model's owner holds, not of `site`.

    Raises:
        Rejected: weights or shard do not fit; the family cannot plan (`no-planning`); unknown cost or
            planner; `no-reference` when the cost needs one; `leaked-site` when the reference is of the
            evaluated site; `no-tasks`.
        Fatal: the simulator is not installed (`DATASET`).
    """
    check_weights(weights, recipe.family)
    rule = cost_rule(cost)
    chosen = planner_named(planner) if isinstance(planner, str) else planner
    tasks = draw_tasks(simulator, site, episodes, seed, hold)
    with deterministic(), torch.inference_mode():
        model = planning_network(recipe.family, weights)
        matrix = _fitted(model, recipe, rule, reference, site)
        room = simulator.enter(site, recipe.family.sizes.image, hold)
        policy = _LatentPolicy(model, room, tasks, rule, matrix, chosen, torch_generator(seed, "planning"))
        planned = play(room, tasks, policy, simulator.radius)
        idle = play(room, tasks, random_policy(seed), simulator.radius)
    rates = [_rates(tasks, arrival) for arrival in (planned, idle)]
    means = {
        kind: float(solved.mean()) if len(solved := planned[(tasks.kind == index) & (planned > 0)]) else None
        for index, kind in enumerate(KINDS)
    }
    return ControlResult(*rates[0], *rates[1], actions=means)


def draw_tasks(simulator: Play, site: NumberedSite, episodes: int, seed: bytes, hold: int = 4) -> Tasks:
    """`episodes` reachable tasks of each kind; the same for every model.

    Raises:
        Rejected: the site has no doors, or hardly any goal of a kind is within reach (`no-tasks`).
    """
    generator = numpy_generator(seed, "tasks")
    budget = REACH * ACTIONS * hold * simulator.speed(site)
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[], []]
    for _ in range(1000 * episodes):
        start, goal = simulator.position(site, generator), simulator.position(site, generator)
        kind, travel = simulator.way(site, start, goal)
        near = float(np.linalg.norm(goal - start)) < simulator.least_distance
        if near or travel > budget or len(found[kind]) == episodes:
            continue
        found[kind].append((start, goal))
        if all(len(tasks) == episodes for tasks in found):
            break
    else:
        raise Rejected(f"site {site.number} has too few reachable goals", reason="no-tasks")
    starts, goals = (np.stack([task[end] for tasks in found for task in tasks]) for end in (0, 1))
    return Tasks(starts, goals, np.repeat([0, 1], episodes))


def play(room: Place, tasks: Tasks, policy: Policy, radius: float) -> np.ndarray:
    """The number of actions, from 1, after which every task was solved: int64 [N], 0 where it was not."""
    position = tasks.start.copy()
    arrival = np.zeros(len(position), dtype=np.int64)
    for moment in range(1, ACTIONS + 1):
        active = np.flatnonzero(arrival == 0)
        if not len(active):
            break
        for task, action in zip(active, policy(active, position[active]), strict=True):
            passed = room.act(position[task], action)
            position[task] = passed[-1]
            if np.linalg.norm(passed - tasks.goal[task], axis=1).min() < radius:
                arrival[task] = moment
    return arrival


def random_policy(seed: bytes) -> Policy:
    """Uniform actions in [-1, 1]."""
    generator = numpy_generator(seed, "random actions")

    def act(active: np.ndarray, _: np.ndarray) -> np.ndarray:
        return generator.uniform(-1.0, 1.0, (len(active), 2)).astype(np.float32)

    return act


@dataclass(slots=True)
class _LatentPolicy:
    """Plans for all active tasks in one search; one picture per task and action."""

    model: PlanningNetwork
    room: Place
    tasks: Tasks
    rule: CostRule
    matrix: Tensor | None
    planner: Planner
    generator: torch.Generator
    _goal: Tensor = field(init=False)
    _active: np.ndarray = field(init=False)
    _situation: Situation | None = None
    _plan: Plan | None = None

    def __post_init__(self) -> None:
        self._goal = self._encode(self.tasks.goal)
        self._active = np.arange(len(self.tasks.goal))

    def __call__(self, active: np.ndarray, positions: np.ndarray) -> np.ndarray:
        kept = torch.from_numpy(np.searchsorted(self._active, active))
        now = self._encode(positions)
        if self._situation is None or self._plan is None:
            # Nothing came before the first frame: it stands still.
            situation, previous = Situation(now, now, now.new_zeros(len(now), 2)), None
        else:
            previous = self._plan.select(kept)
            situation = Situation(self._situation.now[kept], now, previous.actions[:, 0])
        cost = distance_to(self._goal[torch.from_numpy(active)], self.rule, self.matrix)
        found = plan(self.model.step, situation, cost, self.planner, self.generator, previous)
        self._active, self._situation, self._plan = active, situation, found
        return found.actions[:, 0].numpy()

    def _encode(self, positions: np.ndarray) -> Tensor:
        return encode_frames(self.model, [self.room.picture(position) for position in positions])


def encode_frames(model: PlanningNetwork, frames: Sequence[np.ndarray]) -> Tensor:
    """Latents float32 [N, D] of uint8 frames [3, S, S]."""
    parts = [torch.tensor(np.stack(frames[at : at + _BLOCK])) for at in range(0, len(frames), _BLOCK)]
    return torch.cat([model.latents(part) for part in parts])


def _fitted(
    model: PlanningNetwork, recipe: Recipe, rule: CostRule, reference: Shard | None, site: NumberedSite
) -> Tensor | None:
    if rule.metric is None:
        return None
    if reference is None:
        raise Rejected("this planning cost needs reference frames to be fitted on", reason="no-reference")
    if site.number in reference.site:
        raise Rejected("reference frames must not be of the evaluated site", reason="leaked-site")
    recipe.family.check_shard(reference)
    count = reference.episodes * reference.length
    every = slice(None, None, max(1, count // _METRIC_FRAMES))
    latents = encode_frames(model, list(reference.frames.reshape(-1, *reference.frames.shape[2:])[every]))
    state = reference.state.reshape(count, -1)[every].astype(np.float64)
    return torch.tensor(rule.metric(latents.numpy().astype(np.float64), state), dtype=torch.float32)


def _rates(tasks: Tasks, arrival: np.ndarray) -> tuple[Rate, Rate]:
    solved = [arrival[tasks.kind == index] > 0 for index in range(len(KINDS))]
    same, cross = (Rate(len(kind), int(kind.sum())) for kind in solved)
    return same, cross
