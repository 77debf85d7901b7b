"""Finds actions that bring a latent world near a goal: sample, roll out, keep the best, sample again.

    noise ─▶ N x S action sequences ─▶ world model, H steps ─▶ cost ─▶ elites ─▶ mean, deviation ─┐
      ▲                                                                                            │
      └──────────────────────────────── iterations ◀───────────────────────────────────────────────┘

`cem` is the cross-entropy method (Rubinstein 1999; for latent models Hafner et al. 2019, arXiv:1811.04551).
`icem` adds what Pinneri et al. 2020, arXiv:2008.06389, found to save most samples: noise that is correlated
in time, elites remembered between iterations and between steps, the mean among the samples of the last
iteration, fewer samples in later iterations, and the best sequence acted upon instead of the mean.

All N problems are solved side by side: one call of the model serves every sample of every problem.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from jepanet.errors import Rejected

World = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(latents before and now [M, D], actions before and now [M, A]) -> next latents [M, D]."""
Cost = Callable[[Tensor], Tensor]
"""Imagined latents [N, S, H, D] of S sequences for each of N problems -> cost [N, S], lower is better."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Sizes of the search. Actions lie in [-1, 1] in every dimension."""

    horizon: int = 5
    """H: actions in a sequence."""
    samples: int = 128
    """S: sequences of the first iteration."""
    iterations: int = 4
    elites: int = 16
    deviation: float = 0.7
    """Standard deviation of the first iteration's actions."""
    exponent: float = 0.0
    """Power spectrum of the noise is frequency ** -exponent; 0 is white noise."""
    decay: float = 1.0
    """Every iteration has this many times fewer samples than the one before, at least 2 x elites."""
    remembered: int = 0
    """Elites that take part again in the next iteration, and shifted by one action in the next step."""
    momentum: float = 0.1
    """Share of the old mean and deviation in the new."""
    best: bool = False
    """Act on the best sequence found, not on the mean; the mean is then a sample of the last iteration."""

    def __post_init__(self) -> None:
        whole = (self.horizon, self.samples, self.iterations, self.elites)
        if min(whole) < 1 or self.elites > self.samples or not 0 <= self.remembered <= self.elites:
            raise ValueError("a planner needs 1 <= elites <= samples and 0 <= remembered <= elites")
        if self.decay < 1.0 or self.deviation <= 0.0 or not 0.0 <= self.momentum < 1.0:
            raise ValueError("a planner needs decay >= 1, deviation > 0 and momentum in [0, 1)")


PLANNERS: dict[str, Planner] = {
    "cem": Planner(),
    "icem": Planner(horizon=10, exponent=2.0, decay=1.25, remembered=5, best=True),
}


def planner_named(name: str) -> Planner:
    """A planner by name.

    Raises:
        Rejected: no such planner (`unknown-planner`).
    """
    if name not in PLANNERS:
        known = ", ".join(PLANNERS)
        raise Rejected(f"no planner is called {name[:40]!r}; known: {known}", reason="unknown-planner")
    return PLANNERS[name]


@dataclass(frozen=True, slots=True)
class Situation:
    """Where N problems stand: latents [N, D] of the last two frames, the action [N, A] held between them."""

    before: Tensor
    now: Tensor
    acted: Tensor

    def select(self, kept: Tensor) -> Situation:
        """The problems at indices `kept`."""
        return Situation(self.before[kept], self.now[kept], self.acted[kept])


@dataclass(frozen=True, slots=True)
class Plan:
    """actions: the sequence to act on [N, H, A]; cost: what the model expects of it [N]; mean: [N, H, A];
    elites: best first [N, K, H, A], K the planner's `remembered`."""

    actions: Tensor
    cost: Tensor
    mean: Tensor
    elites: Tensor

    def select(self, kept: Tensor) -> Plan:
        """The problems at indices `kept`."""
        return Plan(self.actions[kept], self.cost[kept], self.mean[kept], self.elites[kept])


@torch.inference_mode()
def plan(
    world: World,
    situation: Situation,
    cost: Cost,
    planner: Planner,
    generator: torch.Generator,
    previous: Plan | None = None,
) -> Plan:
    """Plans for every problem of `situation`; `previous` is the plan whose first action was just taken."""
    problems, dimensions = situation.acted.shape
    shape = (problems, planner.horizon, dimensions)
    mean = situation.now.new_zeros(shape)
    elites = situation.now.new_zeros((problems, 0, *shape[1:]))
    if previous is not None:
        mean, elites = _shifted(previous.mean), _shifted(previous.elites)
    deviation = torch.full_like(mean, planner.deviation)
    found = mean
    found_cost = situation.now.new_full((problems,), torch.inf)
    for iteration in range(planner.iterations):
        count = max(int(planner.samples / planner.decay**iteration), 2 * planner.elites)
        noise = coloured_noise((problems, count), planner.horizon, dimensions, planner.exponent, generator)
        drawn = [(mean.unsqueeze(1) + deviation.unsqueeze(1) * noise).clamp(-1.0, 1.0), elites]
        if planner.best and iteration == planner.iterations - 1:
            drawn.append(mean.unsqueeze(1))
        actions = torch.cat(drawn, dim=1)
        costs = cost(imagine(world, situation, actions))
        # NaN would win every comparison it takes part in.
        costs = torch.nan_to_num(costs, nan=torch.inf)
        ranked, order = torch.topk(costs, min(planner.elites, costs.shape[1]), dim=1, largest=False)
        chosen = torch.gather(actions, 1, order[..., None, None].expand(-1, -1, *shape[1:]))
        better = ranked[:, 0] < found_cost
        found = torch.where(better[:, None, None], chosen[:, 0], found)
        found_cost = torch.where(better, ranked[:, 0], found_cost)
        elites = chosen[:, : planner.remembered]
        old = planner.momentum
        mean = old * mean + (1.0 - old) * chosen.mean(dim=1)
        deviation = old * deviation + (1.0 - old) * chosen.std(dim=1, correction=0)
    return Plan(found if planner.best else mean, found_cost, mean, elites)


def imagine(world: World, situation: Situation, actions: Tensor) -> Tensor:
    """Latents [N, S, H, D] that follow from `situation` under actions [N, S, H, A]."""
    problems, samples, horizon, dimensions = actions.shape

    def spread(values: Tensor) -> Tensor:
        return values.unsqueeze(1).expand(-1, samples, -1).reshape(problems * samples, -1)

    before, now, acted = spread(situation.before), spread(situation.now), spread(situation.acted)
    flat = actions.reshape(problems * samples, horizon, dimensions)
    seen = []
    for step in range(horizon):
        before, now, acted = now, world(before, now, acted, flat[:, step]), flat[:, step]
        seen.append(now)
    return torch.stack(seen, dim=1).view(problems, samples, horizon, -1)


def coloured_noise(
    lead: tuple[int, ...], length: int, dimensions: int, exponent: float, generator: torch.Generator
) -> Tensor:
    """Gaussian noise float32 [*lead, length, dimensions] of unit variance, correlated along `length`.

    Its power falls as frequency ** -exponent (Timmer & König 1995); the lowest frequency stands in for zero,
    so that a sequence may keep one direction all along.
    """
    if exponent == 0.0 or length == 1:
        return torch.randn((*lead, length, dimensions), generator=generator)
    frequency = torch.fft.rfftfreq(length)
    frequency[0] = frequency[1]
    amplitude = frequency ** (-exponent / 2.0)
    parts = torch.randn((2, *lead, dimensions, len(frequency)), generator=generator) * amplitude
    parts[1, ..., 0] = 0.0  # a real signal has real ends of its spectrum
    # Each of those ends then carries its whole power in one part instead of two.
    parts[0, ..., 0] *= 2.0**0.5
    power = 2.0 * amplitude.square()
    power[1:] *= 2.0
    if length % 2 == 0:
        parts[1, ..., -1] = 0.0
        parts[0, ..., -1] *= 2.0**0.5
        power[-1] /= 2.0
    signal: Tensor = torch.fft.irfft(torch.complex(parts[0], parts[1]), n=length)
    signal *= length / power.sum().sqrt()
    return signal.transpose(-1, -2).contiguous()


def _shifted(actions: Tensor) -> Tensor:
    """Sequences [..., H, A] one action later; the last action is held once more."""
    return torch.cat([actions[..., 1:, :], actions[..., -1:, :]], dim=-2)
