"""Names and shapes of the image model's parameters, and its initial weights; numpy alone."""

from __future__ import annotations

from jepanet.learning.families.image.sizes import ImageModelSizes, ImageSizes
from jepanet.learning.family import Shapes
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.transformer.shapes import (
    OF_A_BLOCK,
    begun,
    block_layers,
    block_multiplications,
    uniform,
)
from jepanet.tensors import Arrays

_HIDDEN = "predictor.hidden"


def parameter_shapes(sizes: ImageModelSizes) -> Shapes:
    """Shape of every parameter, in ascending name order; all are float32."""
    wide, narrow, latent = sizes.width, sizes.predictor_width, sizes.latent
    layers: Shapes = {
        "encoder.patch": (wide, 3 * sizes.patch**2),
        "encoder.norm": (wide,),
        "encoder.head": (latent, wide),
        "predictor.enter": (narrow, latent),
        "predictor.norm": (narrow,),
        "predictor.leave": (latent, narrow),
    }
    for room, width, depth in (("encoder", wide, sizes.depth), ("predictor", narrow, sizes.predictor_depth)):
        layers |= block_layers(room, width, depth)
    shapes: Shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()} | {_HIDDEN: (narrow,)}
    return {name: shapes[name] for name in sorted(shapes)}


def activations_of_an_image(image: ImageSizes) -> int:
    """Numbers that one image of a batch leaves for the backward pass, if every place is seen and hidden: its
    patches, two passes of the encoder, one of the predictor over both kinds of places, and the objective."""
    sizes, objective = image.model, image.objective
    whole = sizes.depth * OF_A_BLOCK * sizes.width + 3 * sizes.width + 3 * sizes.patch**2
    guessed = (sizes.predictor_depth * OF_A_BLOCK + 3) * sizes.predictor_width
    seen = sizes.tokens * (2 * whole + 2 * guessed + 12 * sizes.latent)
    drawn = min(objective.tokens, sizes.tokens)
    return seen + 3 * drawn * objective.directions * (objective.knots + 1)


def multiplications(image: ImageSizes) -> int:
    """Of numbers, in one forward pass over a batch, if every place is seen and hidden: encoders read images
    whole, that of the round's base too, and what is seen of them; the predictor both kinds of places."""
    sizes, objective = image.model, image.objective
    encoded, guessed = _passes(sizes)
    drawn = min(objective.tokens, sizes.tokens) * sizes.latent * objective.directions
    return image.images * (3 * encoded + guessed + drawn)


def compared_multiplications(image: ImageSizes) -> int:
    """The same of one image in a comparison: it is read whole once, and guessed in every draw of masks."""
    encoded, guessed = _passes(image.model)
    return encoded + image.draws * (encoded + guessed)


def _passes(sizes: ImageModelSizes) -> tuple[int, int]:
    """Multiplications of the encoder and of the predictor for one image."""
    encoded = 3 * sizes.patch**2 * sizes.width + sizes.width * sizes.latent
    encoded += block_multiplications(sizes.width, sizes.depth, sizes.tokens)
    places = 2 * sizes.tokens
    guessed = block_multiplications(sizes.predictor_width, sizes.predictor_depth, places)
    guessed += 2 * sizes.predictor_width * sizes.latent
    return sizes.tokens * encoded, places * guessed


def init_weights(sizes: ImageModelSizes, seed: bytes) -> Arrays:
    """Weights before any training, as `transformer.shapes.begun` says.

    Drawn by numpy in name order, so the same seed gives the same bytes on every machine.
    """
    generator = numpy_generator(seed, "weights")
    weights: Arrays = {}
    for name, shape in parameter_shapes(sizes).items():
        layer, _, kind = name.rpartition(".")
        if name == _HIDDEN:
            weights[name] = uniform(generator, shape, 0.02)
        else:
            weights[name] = begun(generator, layer, kind, shape)
    return weights
