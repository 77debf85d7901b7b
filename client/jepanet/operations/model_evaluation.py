"""`jepanet model evaluate`: a model on recorded episodes, for which no simulator is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.seeding import seed_in_words
from jepanet.operations.views.training import ModelOnEpisodes
from jepanet.work.requests.evaluating import EvaluateModel
from jepanet.work.worker import Worker


async def evaluate_on_episodes(
    worker: Worker,
    recipe: str,
    model: Path,
    shards: Sequence[Path],
    *,
    seed: str,
    steps: int,
    ahead: int,
    goals: int,
    device: str,
) -> tuple[ModelOnEpisodes, ...]:
    """Each shard by itself, in the order given. `recipe`: a preset's name or a recipe file.

    Raises:
        Fatal: no such recipe (exit code `USAGE`).
        Rejected: a file does not fit the recipe, its family cannot plan, or episodes are too short or few.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "recipe.json"
        path.write_bytes(recipe_named(recipe).to_bytes())
        drawn = seed_in_words("evaluation", seed)
        found = await worker.run(
            EvaluateModel(path, model, tuple(shards), drawn, steps, ahead, goals, device)
        )
    return tuple(
        ModelOnEpisodes(
            shard=shard,
            nmse=found.nmse[place],
            skill=found.skill[place],
            left_planned=found.planned[place],
            left_recorded=found.recorded[place],
            left_others=found.others[place],
            action_error=found.action_error[place],
            told=found.told[place],
            problems=found.problems[place],
            choices=found.choices,
        )
        for place, shard in enumerate(shards)
    )
