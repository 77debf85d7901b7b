"""Names and shapes of the vision-language model's parameters, initial weights, change of frame; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt

import numpy as np

from jepanet.learning.families.vision_language.sizes import VisionLanguageModelSizes, VisionLanguageSizes
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

IMAGES, TEXTS, PREDICTOR = "encoder.images", "encoder.texts", "predictor"
HEADS = (f"{TEXTS}.head", f"{PREDICTOR}.head")
"""The last layers, whose outputs are compared."""
_ADDING = (".join", ".narrow")


def parameter_shapes(sizes: VisionLanguageModelSizes) -> Shapes:
    """Shape of every parameter, in ascending name order; all are float32."""
    seen, told, guessed, latent = sizes.width, sizes.text_width, sizes.predictor_width, sizes.latent
    layers: Shapes = {
        f"{IMAGES}.patch": (seen, 3 * sizes.patch**2),
        f"{IMAGES}.norm": (seen,),
        f"{TEXTS}.norm": (told,),
        f"{TEXTS}.head": (latent, told),
        f"{PREDICTOR}.norm": (guessed,),
        f"{PREDICTOR}.head": (latent, guessed),
    }
    layers |= block_layers(IMAGES, seen, sizes.depth) | block_layers(TEXTS, told, sizes.text_depth)
    layers |= block_layers(PREDICTOR, guessed, sizes.predictor_depth)
    for number in range(sizes.predictor_depth):
        look = f"{PREDICTOR}.looks.{number}"
        layers |= {f"{look}.before": (guessed,), f"{look}.ask": (guessed, guessed)}
        layers |= {f"{look}.offer": (2 * guessed, seen), f"{look}.join": (guessed, guessed)}
    shapes: Shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    for room, width, longest in ((TEXTS, told, sizes.answer), (PREDICTOR, guessed, sizes.query)):
        shapes |= {
            f"{room}.tokens.weight": (sizes.vocabulary, width),
            f"{room}.places.weight": (longest, width),
        }
    return {name: shapes[name] for name in sorted(shapes)}


def activations_of_a_scene(sizes: VisionLanguageSizes) -> int:
    """Numbers that one scene of a batch leaves for the backward pass, if its texts are as long as may be:
    the picture's encoder, the answers', the predictor with its looks, and how every question compares with
    every answer of the batch."""
    model, questions = sizes.model, sizes.questions
    seen = model.tokens * (model.depth * OF_A_BLOCK * model.width + 3 * model.width + 3 * model.patch**2)
    told = questions * model.answer * (model.text_depth * OF_A_BLOCK + 4) * model.text_width
    looks = model.predictor_depth * 2 * model.tokens * model.predictor_width
    asked = questions * model.query * (model.predictor_depth * (OF_A_BLOCK + 6) + 4) * model.predictor_width
    return seen + told + looks + asked + questions * (8 * model.latent + 6 * sizes.scenes * questions)


def multiplications(sizes: VisionLanguageSizes) -> int:
    """Of numbers, in one forward pass over a batch whose texts are as long as they may be; answers are read
    twice, once of them by the round's base."""
    model, questions = sizes.model, sizes.questions
    seen = 3 * model.patch**2 * model.width + block_multiplications(model.width, model.depth, model.tokens)
    told = block_multiplications(model.text_width, model.text_depth, model.answer)
    answers = 2 * questions * (model.answer * told + model.text_width * model.latent)
    wide = model.predictor_width
    words = block_multiplications(wide, model.predictor_depth, model.query)
    words += model.predictor_depth * (2 * wide**2 + 2 * model.tokens * wide)
    offered = model.predictor_depth * 2 * model.tokens * model.width * wide
    asked = questions * (model.query * words + wide * model.latent) + offered
    compared = questions**2 * sizes.scenes * model.latent
    return sizes.scenes * (model.tokens * seen + answers + asked + compared)


def init_weights(sizes: VisionLanguageModelSizes, seed: bytes) -> Arrays:
    """Weights before any training: uniform with deviation 1/sqrt(fan-in), of embeddings 1/sqrt(width), biases
    0, layer norms at identity; what adds to the tokens of block n is divided by sqrt(2n), as I-JEPA does.

    Drawn by numpy in name order, so the same seed gives the same bytes on every machine.
    """
    generator = numpy_generator(seed, "weights")
    weights: Arrays = {}
    for name, shape in parameter_shapes(sizes).items():
        layer, _, kind = name.rpartition(".")
        if kind == "bias" or layer.rpartition(".")[2] in NORMS:
            weights[name] = np.full(shape, 0.0 if kind == "bias" else 1.0, dtype=np.float32)
            continue
        scale = 1.0 / sqrt(prod(shape[1:]))
        if layer.endswith(_ADDING):
            scale /= sqrt(2.0 * (int(layer.split(".")[-2]) + 1))
        weights[name] = uniform(generator, shape, scale)
    return weights


def rotate_vision_language_model(weights: Mapping[str, np.ndarray], rotation: np.ndarray) -> Arrays:
    """The same model in another frame: embeddings z R in place of z, of answers and of predictions alike.

    Changes the two last layers alone. Computed in float64 and rounded to float32 once.

    Raises:
        ValueError: `rotation` is not orthogonal to 1e-6, or the weights are of no such model of its size.
    """
    size = len(rotation)
    if rotation.shape != (size, size) or not np.allclose(rotation.T @ rotation, np.eye(size), atol=1e-6):
        raise ValueError("a change of frame is a square orthogonal matrix")
    if any(np.shape(weights.get(f"{head}.bias", ())) != (size,) for head in HEADS):
        raise ValueError(
            f"these are not the weights of a vision-language model with {size} latent dimensions"
        )
    turned = {name: np.array(weights[name], copy=True) for name in sorted(weights)}
    for name in (f"{head}.{kind}" for head in HEADS for kind in ("weight", "bias")):
        turned[name] = (rotation.T @ weights[name].astype(np.float64)).astype(np.float32)
    return turned
