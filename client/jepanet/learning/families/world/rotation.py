"""The world model in another frame: its latents turned by any orthogonal matrix, its predictions the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jepanet.tensors import Arrays

HEAD = ("encoder.head.weight", "encoder.head.bias")
ENTER = "predictor.enter.weight"
LEAVE = ("predictor.leave.weight", "predictor.leave.bias")


def rotate_world_model(weights: Mapping[str, np.ndarray], rotation: np.ndarray) -> Arrays:
    """The same world model in another frame: encode'(x) = encode(x) R, predict'(z R, a) = predict(z, a) R.

    Changes the encoder's last layer, the predictor's first (whose columns are one latent in a transformer,
    else two latents, then two actions) and its last; every other tensor is copied. Computed in float64 and
    rounded to float32 once.

    Raises:
        ValueError: `rotation` is not orthogonal to 1e-6, or the weights are not a world model's of its size.
    """
    size = len(rotation)
    if rotation.shape != (size, size) or not np.allclose(rotation.T @ rotation, np.eye(size), atol=1e-6):
        raise ValueError("a change of frame is a square orthogonal matrix")
    shapes = {name: weights[name].shape if name in weights else () for name in (*HEAD, ENTER, *LEAVE)}
    if any(shapes[name][:1] != (size,) for name in (*HEAD, *LEAVE)) or not (
        len(shapes[ENTER]) == 2 and (shapes[ENTER][1] == size or shapes[ENTER][1] > 2 * size)
    ):
        raise ValueError(
            f"these are not the weights of a world model with {size} latent dimensions: {shapes}"
        )
    turned = {name: np.array(weights[name], copy=True) for name in sorted(weights)}
    for name in (*HEAD, *LEAVE):
        turned[name] = (rotation.T @ weights[name].astype(np.float64)).astype(np.float32)
    columns = weights[ENTER].astype(np.float64)
    for first in (0, size)[: columns.shape[1] // size]:
        turned[ENTER][:, first : first + size] = columns[:, first : first + size] @ rotation
    return turned
