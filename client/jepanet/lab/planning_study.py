"""Which planning cost ranks models sensibly: every cost and planner with the same models on the same tasks.

A cost is sensible if better predictors plan better under it. The rank correlation over models says whether;
the success rates say what a user of the model gets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.lab import setting as places
from jepanet.lab.arms import ARMS, BEST
from jepanet.lab.compare import Comparison, models_of, run
from jepanet.lab.keeping import just_kept, keep_json, kept_json, save_report
from jepanet.lab.measure import Figures
from jepanet.lab.reporting.report import Progress, mixed
from jepanet.lab.reporting.targets import without_model
from jepanet.lab.setting import Setting
from jepanet.learning.evaluation.proportion import Rate, shown, together
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.parallel import in_parallel
from jepanet.learning.planning.closed_loop import RATES, evaluate
from jepanet.learning.planning.costs import COSTS
from jepanet.learning.planning.planner import PLANNERS
from jepanet.learning.presets import preset
from jepanet.tensors import canonical_json

VERSION = 2
RECIPE, ROUNDS, EPISODES = "tworoom-anneal", 8, 10
COLUMNS = ("cost, planner", "federation", "best local", "mean local", "pooled", "random", "rank correlation")
"""Success rates in the same room / across rooms, each with its 95 % interval and number of episodes."""
_SEED = hashlib.sha256(b"laboratory planning study").digest()


@dataclass(frozen=True, slots=True)
class _Trial:
    comparison: Comparison
    seed: int
    cost: str
    planner: str
    data: Path
    out: Path

    @property
    def path(self) -> Path:
        keys = [self.comparison.key(arm, self.seed) for arm in self.comparison.arms]
        name = digest_of(canonical_json([VERSION, EPISODES, self.cost, self.planner, *keys])).hex()[:12]
        return self.out / "runs" / f"planning-{self.cost}-{self.planner}-s{self.seed}-{name}.json"


def conduct(
    out: Path, progress: Progress, *, seeds: tuple[int, ...] = (10,), workers: int = 2
) -> dict[str, object]:
    """Trains what is missing, plans with it, returns the table, also written as `study-planning.json`.

    Raises:
        Fatal: the simulator is missing, or a file cannot be written. Rejected: an arm ended with no model.
    """
    recipe = preset(RECIPE)
    setting = Setting(sites="tune", image=recipe.family.sizes.image)
    data = out / "study-planning-sites"
    places.build(data, setting, workers, partial(progress, "recording episodes"))
    arms = (ARMS[BEST], ARMS["local"], ARMS["pooled"])
    comparison = Comparison(recipe, arms, seeds, ROUNDS, setting)
    figures = run(comparison, data, out, workers, partial(progress, "training"))
    for arm, lost in without_model(figures).items():
        seed, reason = next(iter(lost.items()))
        raise Rejected(f"{arm}, seed {seed}, has no model to plan with: {reason}", reason="diverged")
    trials = [
        _Trial(comparison, seed, cost, planner, data, out)
        for seed in seeds
        for cost in COSTS
        for planner in PLANNERS
    ]
    todo = [trial for trial in trials if kept_json(trial.path, dict) is None]
    finished = len(trials) - len(todo)

    def ended(trial: _Trial, _: None) -> None:
        nonlocal finished
        finished += 1
        progress("planning", finished, len(trials), f"{trial.cost}, {trial.planner}")

    in_parallel(todo, _plan, workers, ended)
    results = {(trial.cost, trial.planner, trial.seed): just_kept(trial.path, dict) for trial in trials}
    errors = {
        (item["arm"], item["seed"]): [model["unseen"]["nmse"] for model in item["models"]] for item in figures
    }
    result = {
        "study": "planning",
        "question": "Which planning cost ranks models sensibly? Success in the same room / across rooms",
        "recipe": recipe.name,
        "rounds": ROUNDS,
        "episodes": EPISODES,
        "seeds": list(seeds),
        "columns": list(COLUMNS),
        "rows": [
            row(
                f"{cost}, {planner}",
                [(results[cost, planner, seed]["models"], _errors(errors, seed)) for seed in seeds],
            )
            for cost in COSTS
            for planner in PLANNERS
        ],
        "trials": [
            {"cost": cost, "planner": planner, "seed": seed, "rates": found["models"]}
            for (cost, planner, seed), found in results.items()
        ],
        "notes": mixed([*figures, *results.values()]),
    }
    save_report(out / "study-planning.json", result)
    return result


def _errors(errors: Mapping[tuple[str, int], list[float]], seed: int) -> list[float]:
    """Unseen errors in the order in which the models plan."""
    return [*errors[BEST, seed], *errors["local", seed], *errors["pooled", seed]]


def row(name: str, seeds: Sequence[tuple[Sequence[Figures], Sequence[float]]]) -> list[str]:
    """One line of the table from, for every seed, the rates of the models (federation, locals, pooled) and
    their errors."""
    parts: dict[str, list[tuple[Rate, Rate]]] = {title: [] for title in COLUMNS[1:-1]}
    correlations = []
    for rates, errors in seeds:
        both = [(Rate.from_json(item["same"]), Rate.from_json(item["cross"])) for item in rates]
        local = both[1:-1]
        parts["federation"].append(both[0])
        parts["best local"].append(max(local, key=_success))
        parts["mean local"] += local
        parts["pooled"].append(both[-1])
        parts["random"].append(
            (Rate.from_json(rates[0]["random_same"]), Rate.from_json(rates[0]["random_cross"]))
        )
        correlations.append(rank_correlation([-error for error in errors], [_success(item) for item in both]))
    known = [value for value in correlations if value is not None]
    cells = [" / ".join(shown(together(kind)) for kind in zip(*part, strict=True)) for part in parts.values()]
    return [name, *cells, f"{np.mean(known):+.2f}" if known else "-"]


def _success(rates: tuple[Rate, Rate]) -> float:
    return rates[0].rate + rates[1].rate


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rho, ties by their mean rank; None, unknown, where one of the two never changes."""
    one, two = (_ranks(np.asarray(values, dtype=np.float64)) for values in (first, second))
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    below = (values[None, :] < values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    ranks: np.ndarray = below + (equal - 1) / 2
    return ranks


def _plan(trial: _Trial) -> None:
    comparison = trial.comparison
    sites = places.load(trial.data, comparison.setting)
    play = places.play_of(comparison.setting.environment)
    found = []
    for arm in comparison.arms:
        for weights in models_of(comparison, arm, trial.seed, trial.out):
            each = [
                evaluate(
                    weights, comparison.recipe, play, site, episodes=EPISODES, seed=_SEED, cost=trial.cost,
                    planner=trial.planner, reference=sites.public,
                )
                for site in sites.unseen_sites
            ]  # fmt: skip
            found.append({name: together([getattr(item, name) for item in each]).to_json() for name in RATES})
    keep_json(trial.path, {"models": found, "made_on": surroundings()})
