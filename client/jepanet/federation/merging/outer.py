"""The outer step of DiLoCo (Douillard et al. 2023, arXiv:2311.08105): Nesterov momentum on the mean delta.

The sign, stated once: a delta is local - base, the direction training moved in, and it is ADDED. (DiLoCo
writes the outer gradient base - local and subtracts it; the result is the same.)

    velocity' = momentum * velocity + delta
    weights'  = base + lr * (momentum * velocity' + delta)

With lr 1 and momentum 0, weights' = base + delta: plain federated averaging.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jepanet.federation.deltas.delta import same_layout
from jepanet.tensors import Arrays


def outer_step(
    base: Mapping[str, np.ndarray],
    delta: Mapping[str, np.ndarray],
    velocity: Mapping[str, np.ndarray] | None,
    *,
    lr: float,
    momentum: float,
) -> tuple[Arrays, Arrays]:
    """New weights and new velocity, float32, in name order; `velocity` None stands for zeros (first round).

    Bit-exact on every CPU: lr and momentum are rounded to float32 once, and each operation above is one
    elementwise call whose float32 result is stored before the next, so nothing can be fused or reordered.

    Raises:
        ValueError: layouts differ, lr is not positive, or momentum is not in [0, 1).
    """
    steps, after = outer_way(base, delta, velocity, lr=lr, momentum=momentum)
    for name, step in steps.items():
        np.add(base[name], step, out=step)
    return steps, after


def outer_way(
    base: Mapping[str, np.ndarray],
    delta: Mapping[str, np.ndarray],
    velocity: Mapping[str, np.ndarray] | None,
    *,
    lr: float,
    momentum: float,
) -> tuple[Arrays, Arrays]:
    """What `outer_step` adds to the base, lr * (momentum * velocity' + delta), and its new velocity.

    Raises: as `outer_step`.
    """
    if not lr > 0 or not 0 <= momentum < 1:
        raise ValueError(f"outer step needs lr > 0 and 0 <= momentum < 1, not {lr} and {momentum}")
    same_layout(base, delta)
    if velocity is not None:
        same_layout(base, velocity)
    rate, mu = np.float32(lr), np.float32(momentum)
    steps: Arrays = {}
    after: Arrays = {}
    for name in sorted(base):
        v = np.zeros_like(base[name]) if velocity is None else np.array(velocity[name], copy=True)
        np.multiply(v, mu, out=v)
        np.add(v, delta[name], out=v)
        step = np.array(v, copy=True)
        np.multiply(step, mu, out=step)
        np.add(step, delta[name], out=step)
        np.multiply(step, rate, out=step)
        steps[name], after[name] = step, v
    return steps, after
