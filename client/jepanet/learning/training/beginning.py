"""A training before its first step: what who trains and who audits both begin with."""

from __future__ import annotations

from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import torch_generator
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.guarding.regime import RegimeGate
from jepanet.learning.training.processes.holding import Alone
from jepanet.learning.training.resuming.state import TrainingState
from jepanet.learning.training.step.optimiser import AdamW
from jepanet.learning.training.step.precision import LossScale
from jepanet.learning.training.supply import Supply
from jepanet.tensors import Arrays


def begin(
    recipe: Recipe,
    weights: Arrays,
    supply: Supply,
    gate: DivergenceGate | RegimeGate,
    *,
    seed: bytes,
    frozen: tuple[str, ...],
    device: str,
    base: Arrays | None,
) -> TrainingState:
    """The state of a training from `weights`, whole in this process; `base` as in `Family.network`.

    Raises: as reading the supply does.
    """
    model = recipe.family.network(weights, device, base)
    trained = {name: item for name, item in model.named_parameters() if not name.startswith(frozen)}
    batches = supply.batches(recipe.family, seed, guarded=recipe.guard is not None)
    batches.lie_on(device)
    return TrainingState(
        model=model,
        holding=Alone(model, list(trained.values()), device),
        optimiser=AdamW(list(trained.values()), recipe.optimiser),
        trained=tuple(trained),
        batches=batches,
        streams={"directions": torch_generator(seed, "directions")},
        gate=gate,
        scale=LossScale.of(recipe.loop.precision),
        vocabulary=recipe.family.sizes.vocabulary,
    )
