"""Does VISReg keep a world model from collapsing as SIGReg with sketched moments does, from random weights?

    python benchmarks/regularisers.py FOLDER

FOLDER holds training shards (`training-*.safetensors`) of several sites at 32 pixels: the last is the unseen
one, the others are trained on, with recipe `tworoom-tiny` and other objectives. Printed, as mean over seeds:
variance and rank of the unseen site's latents, and the error of the next one relative to their variance.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import click
import numpy as np
import torch

from jepanet.learning.data.shards import load_shard
from jepanet.learning.evaluation.metrics import heldout_metrics
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.sizes import VISREG, Objective
from jepanet.learning.presets import preset
from jepanet.learning.training.loop import train

OBJECTIVES = {
    "SIGReg, weight 0.03, moments 40": Objective(),
    "VISReg, weight 1, scale 1 (as published)": Objective(weight=1.0, guard=1.0, kind=VISREG),
    "VISReg, weight 0.3, scale 4": Objective(weight=0.3, guard=4.0, kind=VISREG),
    "VISReg, weight 0.03, scale 40": Objective(weight=0.03, guard=40.0, kind=VISREG),
    "VISReg, weight 1, scale 40": Objective(weight=1.0, guard=40.0, kind=VISREG),
}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--steps", default=600, show_default=True)
@click.option("--seeds", default=3, show_default=True)
def main(folder: Path, steps: int, seeds: int) -> None:
    torch.set_num_threads(1)
    *training, unseen = [load_shard(path) for path in sorted(folder.glob("training-*.safetensors"))]
    recipe = preset("tworoom-tiny")
    assert isinstance(recipe.family, World)
    click.echo(f"{'objective':42} {'variance':>20} {'rank':>6} {'nmse':>20}")
    for name, objective in OBJECTIVES.items():
        trained = replace(
            recipe,
            family=replace(recipe.family, objective=objective),
            optimiser=replace(recipe.optimiser, learning_rate=recipe.warm_rate, cooldown=0.0),
        )
        found = []
        for number in range(seeds):
            seed = sha256(f"regularisers {number}".encode()).digest()
            weights = trained.family.initial_weights(seed)
            result = train(weights, training[number % len(training)], trained, seed=seed, steps=steps)
            found.append(heldout_metrics(result.weights, trained, unseen))
        variance, error = ([getattr(item, field) for item in found] for field in ("variance", "nmse"))
        rank = np.mean([item.rank for item in found])
        spans = [f"{np.mean(item):.3g} [{min(item):.2g}, {max(item):.2g}]" for item in (variance, error)]
        click.echo(f"{name:42} {spans[0]:>20} {rank:6.2f} {spans[1]:>20}")


if __name__ == "__main__":
    main()
