"""Names and shapes of the world model's parameters, and its initial weights; numpy alone.

A node can so check a model or delta before any process imports torch.
"""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from jepanet.learning.families.world.sizes import ModelSizes, WorldSizes
from jepanet.learning.family import Shapes
from jepanet.learning.seeding import numpy_generator
from jepanet.tensors import Arrays

PATCH = 4
"""Side and stride of the first convolution; the two after it halve the grid."""
KERNEL = 3


def parameter_shapes(sizes: ModelSizes) -> Shapes:
    """Shape of every parameter, in ascending name order; all are float32."""
    one, two, three = sizes.channels
    cells = (sizes.image // (4 * PATCH)) ** 2
    width = sizes.predictor
    shapes = {
        "encoder.patch": (one, 3, PATCH, PATCH),
        "encoder.second": (two, one, KERNEL, KERNEL),
        "encoder.third": (three, two, KERNEL, KERNEL),
        "encoder.project": (sizes.hidden, three * cells),
        "encoder.norm": (sizes.hidden,),
        "encoder.head": (sizes.latent, sizes.hidden),
        "predictor.enter": (width, 2 * (sizes.latent + sizes.actions)),
        "predictor.middle": (width, width),
        "predictor.leave": (sizes.latent, width),
    }
    both = {f"{name}.weight": shape for name, shape in shapes.items()}
    both |= {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
    return {name: both[name] for name in sorted(both)}


def multiplications(sizes: ModelSizes, *, frames: int, guesses: int) -> int:
    """Of numbers, in a forward pass that encodes so many frames and predicts so many of them."""
    side = sizes.image // PATCH
    places = {"encoder.patch": side**2, "encoder.second": (side // 2) ** 2, "encoder.third": (side // 4) ** 2}
    total = 0
    for name, shape in parameter_shapes(sizes).items():
        layer, _, kind = name.rpartition(".")
        if kind == "weight":
            total += prod(shape) * places.get(layer, 1) * (guesses if "predictor" in layer else frames)
    return total


def activations_of_a_frame(world: WorldSizes) -> int:
    """Numbers that one frame of a batch leaves for the backward pass: frames before and after their colours
    are drawn, what goes into and comes out of every layer, projections and their waves."""
    sizes, objective = world.model, world.objective
    cells = [(sizes.image // (PATCH << level)) ** 2 for level in range(3)]
    grids = sum(2 * channels * number for channels, number in zip(sizes.channels, cells, strict=True))
    heads = 3 * sizes.hidden + 6 * sizes.latent + 4 * sizes.predictor + 2 * sizes.actions
    return 2 * 3 * sizes.image**2 + grids + heads + 3 * objective.directions * (objective.knots + 1)


def init_weights(sizes: ModelSizes, seed: bytes) -> Arrays:
    """Weights before any training: uniform in +-1/sqrt(fan-in), layer norm at identity.

    Drawn by numpy in name order, so the same seed gives the same bytes on every machine.
    """
    generator = numpy_generator(seed, "weights")
    shapes = parameter_shapes(sizes)
    weights: Arrays = {}
    for name, shape in shapes.items():
        layer, _, kind = name.rpartition(".")
        if layer == "encoder.norm":
            weights[name] = np.full(shape, 1.0 if kind == "weight" else 0.0, dtype=np.float32)
            continue
        bound = 1.0 / sqrt(prod(shapes[f"{layer}.weight"][1:]))
        weights[name] = (bound * (2.0 * generator.random(shape) - 1.0)).astype(np.float32)
    return weights
