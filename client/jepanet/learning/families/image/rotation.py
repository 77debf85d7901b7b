"""The image model in another frame: its tokens turned by any orthogonal matrix, its predictions the same."""

from __future__ import annotations

import numpy as np

from jepanet.learning.family import Weights
from jepanet.tensors import Arrays

_OUT = ("encoder.head", "predictor.leave")
_IN = "predictor.enter.weight"


def rotate_image_model(weights: Weights, rotation: np.ndarray) -> Arrays:
    """The same model in another frame: encode'(x) = encode(x) R, predict'(z R) = predict(z) R.

    Changes the encoder's last layer, the predictor's first and its last; every other tensor is copied.
    Computed in float64 and rounded to float32 once.

    Raises:
        ValueError: `rotation` is not orthogonal to 1e-6, or the weights are not an image model's of its size.
    """
    size = len(rotation)
    if rotation.shape != (size, size) or not np.allclose(rotation.T @ rotation, np.eye(size), atol=1e-6):
        raise ValueError("a change of frame is a square orthogonal matrix")
    shapes = {name: np.shape(weights.get(name, ())) for name in (*(f"{layer}.bias" for layer in _OUT), _IN)}
    if any(shapes[f"{layer}.bias"] != (size,) for layer in _OUT) or shapes[_IN][1:] != (size,):
        raise ValueError(
            f"these are not the weights of an image model with {size} latent dimensions: {shapes}"
        )
    turned = {name: np.array(weights[name], copy=True) for name in sorted(weights)}
    for name in (f"{layer}.{kind}" for layer in _OUT for kind in ("weight", "bias")):
        turned[name] = (rotation.T @ weights[name].astype(np.float64)).astype(np.float32)
    turned[_IN] = (weights[_IN].astype(np.float64) @ rotation).astype(np.float32)
    return turned
