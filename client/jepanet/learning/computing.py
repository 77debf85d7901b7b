"""Operations that a recipe takes where it is trained or measured, from its sizes: before any is done.

Of matrix products and convolutions, an addition with every multiplication; estimates from above, as a batch
is counted as long and wide as it may be.
"""

from __future__ import annotations

from jepanet.learning.recipe import Recipe

TERA = 1e12
TRAINED = 6
"""Operations for each multiplication of a forward pass: an addition with it, and twice as much backwards."""
MEASURED = 2
LOOKED_AT = 256
"""Episodes of the public shard at most on which a base is scored before anybody trains from it."""
ON_CPU, ON_GPU = 60.0, 3e5
"""10^12 operations that a node takes upon itself of which its operator says nothing: 50 minutes of a core at
2e10 a second, or of a GPU at 1e14, so that it ends within the usual `worker.job_timeout_seconds`."""


def training_operations(recipe: Recipe, steps: int) -> int:
    """Of so many steps."""
    return TRAINED * recipe.family.multiplications() * recipe.loop.accumulate * steps


def measuring_operations(recipe: Recipe, episodes: int, models: int) -> int:
    """Of so many models on a shard of so many episodes, each as long as one that is trained on, at least."""
    sizes = recipe.family.sizes
    frames = episodes * sizes.window
    each = sizes.compared * frames or -(-recipe.family.multiplications() * frames // sizes.frames)
    return MEASURED * each * models


def looking_operations(recipe: Recipe) -> int:
    """Of the look at a base before a training, where the recipe asks for one (`Score.least`)."""
    return measuring_operations(recipe, LOOKED_AT, 1) if recipe.score.least else 0


def most_operations(device: str, told: float) -> float:
    """That a round may take: `told` 10^12 by the operator, or what is usual for the device."""
    return TERA * (told or (ON_CPU if device.startswith("cpu") else ON_GPU))
