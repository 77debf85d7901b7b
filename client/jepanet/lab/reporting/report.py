"""A whole comparison: data, runs, planning, tables, targets, JSON, Markdown and picture."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jepanet.lab import setting as places
from jepanet.lab.arms import CONTROLS, Arm
from jepanet.lab.compare import Comparison, run
from jepanet.lab.control import add_control
from jepanet.lab.defaults import SIMULATOR
from jepanet.lab.export import export
from jepanet.lab.keeping import save_report, save_text
from jepanet.lab.measure import Figures
from jepanet.lab.reporting.controls import PROBES_NOTE, controls, probes
from jepanet.lab.reporting.markdown import rendered
from jepanet.lab.reporting.targets import (
    by_arm,
    collapsed,
    empty_row,
    interval,
    measured,
    picked,
    targets,
    titled,
    value_of,
    without_model,
)
from jepanet.lab.setting import Setting
from jepanet.learning.evaluation.proportion import Rate, shown, together
from jepanet.learning.machine.surroundings import said
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.simulators.registry import SIMULATORS

Progress = Callable[[str, int, int, str], None]
"""(stage, finished, in all, what has just finished)."""
COLUMNS = (
    ("nmse", "unseen", "nmse", 4), ("skill", "unseen", "skill", 3), ("val_pred", "unseen", "val_pred", 4),
    ("next token", "unseen", "next_token", 4), ("told", "unseen", "told", 3),
    ("8 steps", "unseen", "rollout", 3), ("std", "unseen", "latent_std", 2), ("rank", "unseen", "rank", 2),
    ("SIGReg", "unseen", "sigreg", 1), ("probe R2", "unseen", "probe_r2", 4),
    ("score", "unseen", "score", 3),
    ("unfamiliar score", "unfamiliar", "score", 3), ("unfamiliar nmse", "unfamiliar", "nmse", 4),
    ("unfamiliar next token", "unfamiliar", "next_token", 4), ("unfamiliar told", "unfamiliar", "told", 3),
    ("own score", "own", "score", 3), ("own nmse", "own", "nmse", 4), ("own skill", "own", "skill", 3),
    ("own next token", "own", "next_token", 4), ("own told", "own", "told", 3),
)  # fmt: skip
"""(title, sites, metric, decimals); those that no run has are left out."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to compare."""

    recipe: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    rounds: int
    sites: str
    episodes: int
    """Training episodes of each solver."""
    unseen: int
    """Episodes of each unseen site."""
    control: int
    """Planning episodes of each kind; 0: none."""
    workers: int
    inner_steps: int | None = None
    environment: str = SIMULATOR
    """The simulator, or the package that the data are from."""
    solvers: int = 4
    export: Path | None = None
    """Folder that gets every model with its card; None: nothing is exported."""
    device: str = "cpu"


def compare(request: Request, out: Path, progress: Progress) -> dict[str, object]:
    """Runs what is missing below `out` and returns the report, also written as `report.json`.

    Raises:
        Fatal: recipe, arms or folder cannot be used, or nobody can plan in the environment.
    """
    began = time.monotonic()
    if request.control:
        places.play_of(request.environment)
    recipe = _recipe(request)
    places.check_fits(request.environment, recipe)
    public_sites, public = places.public_sizes(recipe)
    setting = Setting(
        request.environment,
        request.sites,
        solvers=request.solvers,
        training=request.episodes,
        own=max(4, request.episodes // (4 if request.environment in SIMULATORS else 8)),
        unseen=request.unseen,
        image=recipe.family.sizes.image,
        public_sites=public_sites,
        public=public,
    )
    measures = (request.sites, request.episodes, request.unseen, recipe.family.sizes.image)
    data = out / "-".join(map(str, (request.environment, *measures)))
    places.build(data, setting, request.workers, partial(progress, "recording episodes"))
    recorded = time.monotonic()
    comparison = Comparison(
        recipe, request.arms, request.seeds, request.rounds, setting, device=request.device
    )
    figures = run(comparison, data, out, request.workers, partial(progress, "training"))
    trained = time.monotonic()
    if request.control:
        figures = add_control(
            comparison, figures, data, out, request.control, request.workers, partial(progress, "planning")
        )
    shown = present(figures)
    report: dict[str, Any] = {
        "recipe": recipe.name,
        "recipe_digest": recipe.digest().hex(),
        "family": recipe.family.name,
        "inner_steps": recipe.inner_steps,
        "rounds": request.rounds,
        "setting": asdict(setting),
        "seeds": list(request.seeds),
        "arms": {arm.name: {**arm.to_json(), "what": CONTROLS.get(arm.name, "")} for arm in request.arms},
        "table": {
            "columns": titles(shown, bool(request.control)),
            "rows": rows(figures, bool(request.control)),
        },
        "controls": controls(figures),
        "probes": {**probes(figures), "note": PROBES_NOTE},
        # Chosen for the simulators' worlds.
        "targets": [target.to_json() for target in targets(figures) if request.environment in SIMULATORS],
        "notes": notes(figures),
        "runs": list(figures),
        "seconds": {
            "record": round(recorded - began, 1),
            "train": round(trained - recorded, 1),
            "all": round(time.monotonic() - began, 1),
        },
    }
    undrawn = _undrawn(figures, out / "comparison.png")
    report["notes"] += [] if undrawn is None else [undrawn]
    report["exported"] = export(comparison, figures, out, request.export) if request.export else []
    save_report(out / "report.json", report)
    save_text(out / "report.md", rendered(report), report)
    return report


def _undrawn(figures: Sequence[Figures], path: Path) -> str | None:
    """Draws the picture; why there is none, if there is none. The table does not depend on it."""
    try:
        # Imported here: matplotlib reads its settings then, and refuses a backend it does not know.
        from jepanet.lab.reporting.figures import draw

        draw(figures, path)
    except Exception as error:  # whatever a drawing library raises, hours of training are not lost by it
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return f"no picture: {why}. Its figures are in the report; call again once that is mended"
    return None


def rows(figures: Sequence[Figures], control: bool) -> list[list[str]]:
    """One row an arm; for the local arm one for the mean of its models and one for the best of them.

    Runs without a model are in no mean (`notes` says why they have none).
    """
    table, shown = [], present(figures)
    for name, runs in titled(figures):
        if not runs:
            table.append(empty_row(name, titles(shown, control)))
            continue
        for pick, title in (("mean", name), ("best", f"{name}, best one")):
            if pick == "best" and len(next(iter(runs.values()))["models"]) == 1:
                continue
            row = [title]
            for _, where, metric, digits in shown:
                if pick == "best" and where == "own":
                    row.append("-")  # one solver's site, where the other rows have the mean of all
                    continue
                if not all(measured(run, where, metric) for run in runs.values()):
                    row.append("-")
                    continue
                values = [_value(run, where, metric, pick) for run in runs.values()]
                mean, half = interval(values)
                row.append(f"{mean:.{digits}f}" + ("" if half is None else f" ±{half:.{digits}f}"))
            drifts = [
                (model["drift"].get("rms"), model["drift"].get("max"), model["drift"].get("trace"))
                for run in runs.values()
                for model in picked(run, pick)
                if "rms" in model["drift"]
            ]
            row += [f"{np.mean(column):.0f}" for column in zip(*drifts, strict=True)] if drifts else ["-"] * 3
            if control:
                row += [_success(runs, kind, pick) for kind in ("same", "cross")]
            table.append(row)
    return table


def present(figures: Sequence[Figures]) -> list[tuple[str, str, str, int]]:
    """Those of `COLUMNS` that any run has; all, where no run has a model."""
    found = [run for runs in by_arm(figures).values() for run in runs.values()]
    return [item for item in COLUMNS if not found or any(measured(run, item[1], item[2]) for run in found)]


def titles(shown: Sequence[tuple[str, str, str, int]], control: bool) -> list[str]:
    """Of the columns of `rows`."""
    named = ["arm", *(title for title, *_ in shown), "drift rms", "max", "trace (saturates)"]
    return named + (["same room", "cross room"] if control else [])


def _value(run: Figures, where: str, metric: str, pick: str) -> float:
    if metric == "rollout":
        return float(np.mean([model[where]["rollout"][-1] for model in picked(run, pick)]))
    return value_of(run, where, metric, pick)


def _success(runs: Mapping[int, Figures], kind: str, pick: str) -> str:
    """The share of planning episodes that succeeded, over seeds and models: with its interval and number."""
    found: list[Rate] = []
    for item in runs.values():
        rates = [Rate.from_json(model[kind]) for model in item.get("control", ())]
        found += [max(rates, key=lambda one: one.rate)] if pick == "best" and rates else rates
    return shown(together(found)) if found else "-"


def notes(figures: Sequence[Figures]) -> list[str]:
    """What the table must not hide: arms whose latents have collapsed, and runs without a model."""
    found = []
    for name, runs in by_arm(figures).items():
        if any(collapsed(run) for run in runs.values()):
            models = [model["unseen"] for item in runs.values() for model in item["models"]]
            rank = min(float(model["rank"]) for model in models)
            spread = min(float(model["latent_std"]) for model in models)
            found.append(
                f"{name}: collapsed (least effective rank {rank:.2f}, least latent standard deviation "
                f"{spread:.3f}): its prediction error says nothing"
            )
    for item in figures:
        found += [
            f"{item['arm']}, seed {item['seed']}: the training of solver {one['solver'] + 1} was aborted in "
            f"round {one['round']}, and the others went on ({one['why']})"
            for one in item.get("aborted", ())
        ]
    for name, seeds in without_model(figures).items():
        reasons = "; ".join(f"seed {seed}: {reason}" for seed, reason in seeds.items())
        found.append(f"{name}: no model in {len(seeds)} of its runs, which its row leaves out ({reasons})")
    return found + mixed(figures)


def mixed(figures: Sequence[Figures]) -> list[str]:
    """A note where figures in one table were made on different builds or processors, which differ in their
    last digits and, over many steps of training, in more."""
    kinds = Counter(
        said(item[name])
        for item in figures
        for name in ("made_on", "control_made_on")
        if item.get(name) is not None
    )
    if len(kinds) < 2:
        return []
    return [
        "made on several builds or processors, between which figures differ: "
        + "; ".join(f"{count} on {kind}" for kind, count in sorted(kinds.items()))
    ]


def _recipe(request: Request) -> Recipe:
    recipe = recipe_named(request.recipe)
    return replace(recipe, inner_steps=request.inner_steps) if request.inner_steps else recipe
