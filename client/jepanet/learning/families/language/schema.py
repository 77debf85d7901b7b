"""Names and shapes of the language model's parameters, initial weights, change of frame; numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np

from jepanet.learning.families.language.sizes import LanguageModelSizes, LanguageSizes
from jepanet.learning.family import Shapes
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.transformer.shapes import (
    NORMS,
    OF_A_BLOCK,
    block_layers,
    block_multiplications,
    uniform,
)
from jepanet.tensors import Arrays

TOKENS, PLACES, PROJECTION = "encoder.tokens.weight", "encoder.places.weight", "projection.weight"
_DEVIATION = 0.02


def parameter_shapes(sizes: LanguageModelSizes) -> Shapes:
    """Shape of every parameter, in ascending name order; all are float32."""
    width = sizes.width
    layers: Shapes = {"encoder.norm": (width,)}
    layers |= block_layers("encoder", width, sizes.depth)
    shapes: Shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    shapes |= {
        TOKENS: (sizes.vocabulary, width),
        PLACES: (sizes.context + 1, width),
        PROJECTION: (sizes.latent, width),
    }
    return {name: shapes[name] for name in sorted(shapes)}


def activations_of_a_text(language: LanguageSizes) -> int:
    """Numbers that one text of a batch leaves for the backward pass, if it is as long as texts may be: states
    of every block, scores of every token, and how it compares with the texts of the other pairs."""
    sizes = language.model
    states = (sizes.depth * OF_A_BLOCK + 4) * sizes.width + 3 * sizes.vocabulary
    return (sizes.context + 1) * states + 4 * sizes.latent + 4 * language.pairs


def multiplications(language: LanguageSizes) -> int:
    """Of numbers, in one forward pass over a batch of texts as long as they may be."""
    sizes, texts = language.model, 2 * language.pairs
    each = block_multiplications(sizes.width, sizes.depth, sizes.context + 1) + sizes.vocabulary * sizes.width
    compared = sizes.latent * (sizes.width + language.pairs)
    return texts * ((sizes.context + 1) * each + compared)


def init_weights(sizes: LanguageModelSizes, seed: bytes) -> Arrays:
    """Weights before any training: uniform of deviation 0.02 (Radford et al. 2019), less by sqrt(2 depth) for
    what adds to the tokens; biases zero, layer norms at identity, the projection of deviation 1/sqrt(width).

    Drawn by numpy in name order, so the same seed gives the same bytes on every machine.
    """
    generator = numpy_generator(seed, "weights")
    weights: Arrays = {}
    for name, shape in parameter_shapes(sizes).items():
        layer, _, kind = name.rpartition(".")
        if kind == "bias" or layer.rpartition(".")[2] in NORMS:
            weights[name] = np.full(shape, 0.0 if kind == "bias" else 1.0, dtype=np.float32)
            continue
        deviation = 1.0 / sqrt(sizes.width) if name == PROJECTION else _DEVIATION
        if layer.endswith((".join", ".narrow")):
            deviation /= sqrt(2.0 * sizes.depth)
        weights[name] = uniform(generator, shape, deviation)
    return weights


def rotate_language_model(weights: Mapping[str, np.ndarray], rotation: np.ndarray) -> Arrays:
    """The same model in another frame: latents z R in place of z, the same next tokens.

    Changes the projection alone. Computed in float64 and rounded to float32 once.

    Raises:
        ValueError: `rotation` is not orthogonal to 1e-6, or the weights are of no language model of its size.
    """
    size = len(rotation)
    if rotation.shape != (size, size) or not np.allclose(rotation.T @ rotation, np.eye(size), atol=1e-6):
        raise ValueError("a change of frame is a square orthogonal matrix")
    if PROJECTION not in weights or len(weights[PROJECTION]) != size:
        raise ValueError(f"these are not the weights of a language model with {size} latent dimensions")
    turned = {name: np.array(weights[name], copy=True) for name in sorted(weights)}
    turned[PROJECTION] = (rotation.T @ weights[PROJECTION].astype(np.float64)).astype(np.float32)
    return turned
