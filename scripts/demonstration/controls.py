"""What the federation is held against: solvers who train alone, and one who has all their data.

Every control takes the steps that the federation takes: a solver alone as many as one solver in all rounds,
the pooled model as many as all of them together. Both begin from the same public warm start. A process of its
own at low priority trains them while the rounds are played; they are kept beside the dataset.

    python -m scripts.demonstration.controls PROJECT_FOLDER ROUNDS SOLVERS STEPS
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jepanet.cid import digest_file
from jepanet.files import keep, kept_digest
from jepanet.learning.data.shards import load_shard
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.seeding import derive

PATIENCE = 60.0
_SEED = b"jepanet demo: controls".ljust(32, b".")


class Controls:
    """The controls of one demo: started early, read at the end."""

    def __init__(self, data: Path, rounds: int, solvers: int, steps: int | None) -> None:
        project = data / "project"
        recipe = read_recipe((project / "recipe.json").read_bytes())
        arguments = [rounds, solvers, steps or recipe.inner_steps]
        names = [f"solver {number + 1} alone" for number in range(solvers)] + ["pooled data"]
        start = digest_file(project / "model.safetensors").hex()[:12]
        folder = data / "controls" / "-".join(map(str, [start, *arguments]))
        self.models = {name: folder / f"{name.replace(' ', '-')}.safetensors" for name in names}
        self._process: subprocess.Popen[bytes] | None = None
        if any(kept_digest(path) is None for path in self.models.values()):
            command = [sys.executable, "-m", __spec__.name, str(data), str(folder), *map(str, arguments)]
            self._process = subprocess.Popen(command)

    def wait(self) -> dict[str, Path]:
        """Model files by name: those that are ready at most `PATIENCE` seconds from now.

        On a busy machine the others are left out of the picture; the next demo trains them on.
        """
        if self._process is not None:
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.stop()
        return {name: path for name, path in self.models.items() if kept_digest(path) is not None}

    def stop(self) -> None:
        """Ends a training that nobody waits for any more."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def train_controls(data: Path, folder: Path, rounds: int, solvers: int, steps: int) -> None:
    """Trains every control whose file is missing or damaged."""
    from jepanet.learning.data.shards import joined
    from jepanet.learning.training.loop import train

    project = data / "project"
    recipe = read_recipe((project / "recipe.json").read_bytes())
    start = load_model(project / "model.safetensors", recipe).weights
    shards = [load_shard(path) for path in sorted(data.glob("training-*.safetensors"))]
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        (f"solver-{number + 1}-alone", shards[number % len(shards)], rounds * steps)
        for number in range(solvers)
    ]
    wanted.append(("pooled-data", joined(tuple(shards)), solvers * rounds * steps))
    for name, shard, count in wanted:
        path = folder / f"{name}.safetensors"
        if kept_digest(path) is None:
            made = train(
                start, shard, recipe, seed=derive(_SEED, name), steps=count,
                # The same share of the schedule as the federation passes through.
                total_steps=max(count, recipe.total_steps * count // (rounds * steps)),
            )  # fmt: skip
            keep(path, model_bytes(made.weights, ModelHeader.of(recipe, rounds)))


if __name__ == "__main__":
    os.nice(10)
    train_controls(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
