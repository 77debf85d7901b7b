"""Names and shapes of the world model's parameters, and its initial weights; numpy alone.

A node can so check a model or delta before any process imports torch.
"""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from jepanet.learning.families.world.sizes import ModelSizes, WorldSizes
from jepanet.learning.family import Shapes
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.transformer.shapes import (
    GATED,
    OF_A_BLOCK,
    begun,
    block_layers,
    conditioned_layers,
    uniform,
)
from jepanet.tensors import Arrays

PATCH = 4
"""Side and stride of the first convolution; the two after it halve the grid."""
KERNEL = 3
_MOMENTS = "predictor.moments"
"""What a predictor of transformer blocks adds to the earlier latent and to the later one."""


def parameter_shapes(sizes: ModelSizes) -> Shapes:
    """Shape of every parameter, in ascending name order; all are float32."""
    layers = {**_encoder(sizes), **_predictor(sizes)}
    shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    if sizes.transformer:
        shapes[_MOMENTS] = (2, sizes.transformer.width)
    return {name: shapes[name] for name in sorted(shapes)}


def _encoder(sizes: ModelSizes) -> Shapes:
    """Shape of the weight of every layer."""
    ends: Shapes = {"encoder.head": (sizes.latent, sizes.hidden)}
    if sizes.vit:
        width = sizes.vit.width
        ends |= {"encoder.patch": (width, 3 * sizes.vit.patch**2), "encoder.norm": (width,)}
        ends |= {"encoder.project": (sizes.hidden, width)}
        return ends | block_layers("encoder", width, sizes.vit.depth)
    one, two, three = sizes.channels
    cells = (sizes.image // (4 * PATCH)) ** 2
    return ends | {
        "encoder.patch": (one, 3, PATCH, PATCH),
        "encoder.second": (two, one, KERNEL, KERNEL),
        "encoder.third": (three, two, KERNEL, KERNEL),
        "encoder.project": (sizes.hidden, three * cells),
        "encoder.norm": (sizes.hidden,),
    }


def _predictor(sizes: ModelSizes) -> Shapes:
    """Shape of the weight of every layer."""
    inner, hidden = sizes.transformer, sizes.predictor
    if inner is None:
        return {
            "predictor.enter": (hidden, 2 * (sizes.latent + sizes.actions)),
            "predictor.middle": (hidden, hidden),
            "predictor.leave": (sizes.latent, hidden),
        }
    width = inner.width
    return {
        "predictor.enter": (width, sizes.latent),
        "predictor.act": (4 * width, sizes.actions),
        "predictor.condition": (width, 4 * width),
        "predictor.norm": (width,),
        "predictor.leave": (sizes.latent, width),
        **conditioned_layers("predictor", width, inner.heads * inner.head, hidden, inner.depth),
    }


def multiplications(sizes: ModelSizes, *, frames: int, guesses: int) -> int:
    """Of numbers, in a forward pass that encodes so many frames and predicts so many of them."""
    side = sizes.image // PATCH
    places = {"encoder.patch": side**2, "encoder.second": (side // 2) ** 2, "encoder.third": (side // 4) ** 2}
    total = 0
    for name, shape in parameter_shapes(sizes).items():
        layer, _, kind = name.rpartition(".")
        if kind == "weight":
            times = places.get(layer, 1)
            if sizes.vit and layer.startswith(("encoder.patch", "encoder.blocks")):
                times = sizes.side**2
            if sizes.transformer and layer.startswith("predictor") and layer != "predictor.leave":
                times = 2
            total += prod(shape) * times * (guesses if "predictor" in layer else frames)
    if sizes.vit:  # every token attends to every other
        total += frames * sizes.vit.depth * 2 * sizes.vit.width * sizes.side**4
    return total


def activations_of_a_frame(world: WorldSizes) -> int:
    """Numbers that one frame of a batch leaves for the backward pass: frames before and after their colours
    are drawn, what goes into and comes out of every layer, projections and their waves."""
    sizes, objective, vit, inner = world.model, world.objective, world.model.vit, world.model.transformer
    if vit:
        tokens = (vit.depth * OF_A_BLOCK + 4) * vit.width
        encoded = 3 * sizes.image**2 + sizes.side**2 * tokens
    else:
        cells = [(sizes.image // (PATCH << level)) ** 2 for level in range(3)]
        encoded = sum(2 * channels * number for channels, number in zip(sizes.channels, cells, strict=True))
    guessed = 4 * sizes.predictor
    if inner:
        block = 26 * inner.width + 5 * inner.heads * inner.head + 3 * sizes.predictor
        guessed = 2 * (inner.depth * block + 16 * inner.width)
    heads = 3 * sizes.hidden + 6 * sizes.latent + guessed + 2 * sizes.actions
    return 2 * 3 * sizes.image**2 + encoded + heads + 3 * objective.directions * (objective.knots + 1)


def widest_of_a_frame(sizes: ModelSizes) -> int:
    """Numbers that one frame takes, with the widest layer that it goes through, where nothing is kept."""
    if sizes.vit:
        return 2 * (3 * sizes.image**2 + 8 * sizes.vit.width * sizes.side**2)
    return 2 * sizes.image**2 * (3 + sizes.channels[0] // PATCH**2)


def init_weights(sizes: ModelSizes, seed: bytes) -> Arrays:
    """Weights before any training: uniform in +-1/sqrt(fan-in), layer norm at identity; of transformers as
    `transformer.shapes.begun` says.

    Drawn by numpy in name order, so the same seed gives the same bytes on every machine.
    """
    generator = numpy_generator(seed, "weights")
    shapes = parameter_shapes(sizes)
    weights: Arrays = {}
    for name, shape in shapes.items():
        layer, _, kind = name.rpartition(".")
        if name == _MOMENTS:
            weights[name] = uniform(generator, shape, GATED)
        elif sizes.transformer if layer.startswith("predictor") else sizes.vit:
            weights[name] = begun(generator, layer, kind, shape)
        elif layer == "encoder.norm":
            weights[name] = np.full(shape, 1.0 if kind == "weight" else 0.0, dtype=np.float32)
        else:
            bound = 1.0 / sqrt(prod(shapes[f"{layer}.weight"][1:]))
            weights[name] = (bound * (2.0 * generator.random(shape) - 1.0)).astype(np.float32)
    return weights
