"""Models of a comparison as files named by their digests, each with a card.

    FOLDER/  models.json  CID.safetensors  CID.md  ...

A model is what `jepanet model export` writes: weights without what only merging needs. Sections of cards
follow Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jepanet.cid import digest_of, to_cid
from jepanet.files import check_writable, write_atomically
from jepanet.lab.arms import CONTROLS, Arm
from jepanet.lab.compare import Comparison, models_of
from jepanet.lab.measure import Figures
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.sources.registry import OFFERS

INDEX = "models.json"


def export(
    comparison: Comparison, figures: Sequence[Figures], out: Path, folder: Path
) -> list[dict[str, Any]]:
    """Writes every model of every finished run with its card; what the index says of each of them.

    Raises:
        Fatal: the folder cannot be made or written.
    """
    check_writable(folder)
    arms, recipe = {arm.name: arm for arm in comparison.arms}, comparison.recipe
    index: list[dict[str, Any]] = []
    for run in figures:
        if not run["models"]:
            continue
        weights = models_of(comparison, arms[run["arm"]], run["seed"], out)
        for model, found in zip(run["models"], weights, strict=True):
            data = model_bytes(found, ModelHeader.of(recipe, comparison.rounds))
            name = to_cid(digest_of(data))
            entry = {
                "arm": run["arm"],
                "seed": run["seed"],
                "solver": model["solver"],
                "model": name,
                "file": f"{name}.safetensors",
                "card": f"{name}.md",
                "bytes": len(data),
            }
            write_atomically(folder / entry["file"], data)
            text = card(comparison, arms[run["arm"]], run, model, entry)
            write_atomically(folder / entry["card"], text.encode())
            index.append(entry)
    write_atomically(folder / "recipe.json", recipe.to_bytes())
    # Last: what it names is there.
    write_atomically(folder / INDEX, (json.dumps(index, indent=1) + "\n").encode())
    return index


def card(comparison: Comparison, arm: Arm, run: Figures, model: Figures, entry: dict[str, Any]) -> str:
    """The card of one model, as Markdown."""
    recipe, setting = comparison.recipe, comparison.setting
    family, sizes = recipe.family.description, recipe.family.sizes
    offer, unit = OFFERS[setting.environment], recipe.family.schema.unit
    whose = "all solvers" if model["solver"] is None else f"solver {model['solver'] + 1} alone"
    licence = offer.load().environment.licence
    lines = [
        f"# {family.title}: arm {arm.name}, seed {run['seed']}",
        "",
        f"- model: `{entry['model']}`, of {whose}",
        f"- recipe `{recipe.name}` `{to_cid(recipe.digest(), 'dag-json')}` (`recipe.json` beside this file): "
        f"{family.kind}, {recipe.parameters():,} float32 parameters, "
        + (f"{sizes.image}-pixel pictures, " if sizes.image else "")
        + (f"{sizes.vocabulary:,} tokens, " if sizes.vocabulary is not None else "")
        + f"{sizes.latent} latent dimensions",
        f"- {_way(comparison, arm)}",
        "",
        "## Use",
        "",
        f"{family.use.format(environment=f'`{offer.environment}`')} It was trained on that alone, in a "
        "laboratory without a network; nobody was paid for it, and nothing is known of it elsewhere.",
        "",
        "## Measured",
        "",
        f"On sites `{setting.sites}`; nobody trained on the unseen ones. No figure counts alone: the error "
        "falls when the rank falls.",
        "",
        "| metric | unseen | own |",
        "|---|---:|---:|",
        *(
            f"| {name} | {_shown(value)} | {_shown(model['own'].get(name))} |"
            for name, value in model["unseen"].items()
        ),
        "",
        *(
            [
                "Probes: "
                + ", ".join(f"{name} {_shown(value)}" for name, value in model["probes"].items())
                + ".",
                "",
            ]
            if model.get("probes")
            else []
        ),
        "## Data",
        "",
        f"`{offer.environment}`: {setting.training} {unit}s for each of {setting.solvers} solvers; all bytes "
        f"are named by `{run['data']}`." + (f" Licence: {licence}." if licence else ""),
        "",
        "## Repeat it",
        "",
        "Every figure and every byte follows from recipe, arm, seed and these data, on one build and "
        "processor: "
        + ", ".join(f"{name} {value}" for name, value in run["made_on"].items())
        + f"; trained on `{comparison.device}`.",
        "",
        "```",
        f"jepanet lab compare --recipe recipe.json --arms {arm.name} --seeds {run['seed']} "
        f"--rounds {comparison.rounds} --sites {setting.sites} --episodes {setting.training} "
        f"--unseen {setting.unseen} --data {setting.environment} --export models",
        "```",
        "",
    ]
    return "\n".join(lines)


def _way(comparison: Comparison, arm: Arm) -> str:
    """How the arm's models came about, in a sentence."""
    recipe, solvers = arm.recipe(comparison.recipe), comparison.setting.solvers
    begins = arm.start(comparison.recipe).warm_steps
    start = f"a public start of {begins:,} steps" if begins else "random weights"
    if arm.own_start:
        start = "random weights of every solver's own"
    said = CONTROLS.get(arm.name, "an arm of its own")
    if arm.scheme == "start":
        return f"{said}: {start}"
    rounds = comparison.rounds * arm.split
    return f"{said}: {rounds} rounds of {recipe.inner_steps} steps for {solvers} solvers, from {start}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return f"{value:.4f}" if isinstance(value, int | float) else ""
