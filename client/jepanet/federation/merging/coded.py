"""A merge whose update is coded: whoever holds a round's base needs the update alone, not the next model.

    step       = what `outer_step` adds to the base
    corrected  = step + carry * remainder          remainder: what the codes before left out, None for nothing
    update     = decode(encode(corrected))
    weights'   = base + update
    remainder' = corrected - update
    velocity'  = (momentum * velocity + update / lr) / (1 + momentum)

Error feedback on the way from the merger to everybody: Tang et al. 2019, DoubleSqueeze (arXiv:1905.05957).

The velocity never travels. With velocity v, merged delta d and momentum m, `outer_step` takes v' = m v + d
and step = lr (m v' + d). Put d = v' - m v into the step: step / lr = (1 + m) v' - m v, hence
v' = (m v + step / lr) / (1 + m). That is what stands above, with what was really added in place of what
should have been: a codec without loss gives the velocity of `outer_step` up to rounding, and with a lossy one
it is the velocity of the way that the weights went. Without momentum nothing ever reads it: there is none.

Each operation is one elementwise call whose float32 result is stored before the next, so all of it is
bit-exact on every CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import decode_parts, encode_parts, same_layout, schema_of
from jepanet.federation.merging.outer import outer_way
from jepanet.tensors import Arrays

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class CodedStep:
    """One outer step whose way is coded. Arrays are float32 by weight, in name order."""

    parts: Arrays
    """The update as its file holds it: for each weight `w` the parts of its codec as `w/part`."""
    remainder: Arrays | None
    """What the code left out; None where the rule carries nothing on."""
    weights: Arrays
    velocity: Arrays | None
    """None without momentum."""


def coded_step(
    base: Weights,
    delta: Weights,
    velocity: Weights | None,
    remainder: Weights | None,
    *,
    codec: str,
    carry_milli: int,
    lr_milli: int,
    momentum_milli: int,
) -> CodedStep:
    """The outer step of a merged delta, its way coded by `codec`; `remainder` is not read where carry is 0.

    Raises:
        ValueError: layouts differ, an unknown codec, or rates that `outer_step` refuses.
        Rejected: reason `non-finite`; the step, its code or what that leaves out left the range of float32.
    """
    lr, momentum = lr_milli / 1000, momentum_milli / 1000
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        corrected, _ = outer_way(base, delta, velocity, lr=lr, momentum=momentum)
        if carry_milli and remainder is not None:
            corrected = _with_remainder(corrected, remainder, carry_milli)
    _finite(corrected, "the step of the merge")
    parts = encode_parts(corrected, codec)
    update = decode_parts(parts, schema_of(base), codec)
    weights, after = apply_update(base, update, velocity, lr_milli=lr_milli, momentum_milli=momentum_milli)
    left = None
    if carry_milli:
        with np.errstate(over="ignore"):  # refused below: nobody could read such a remainder
            left = {name: np.asarray(np.subtract(corrected[name], update[name])) for name in sorted(base)}
        _finite(left, "what its code leaves out")
    return CodedStep(parts, left, weights, after)


def apply_update(
    base: Weights, update: Weights, velocity: Weights | None, *, lr_milli: int, momentum_milli: int
) -> tuple[Arrays, Arrays | None]:
    """New weights and velocity from a decoded update: all that one who follows computes.

    `velocity` None stands for zeros. The new one is None where momentum is 0.

    Raises:
        ValueError: layouts differ.
    """
    same_layout(base, update)
    with np.errstate(over="ignore", invalid="ignore"):  # such a model is found to measure nothing
        weights = {name: np.asarray(np.add(base[name], update[name])) for name in sorted(base)}
        if not momentum_milli:
            return weights, None
        if velocity is not None:
            same_layout(base, velocity)
        rate, mu = np.float32(lr_milli / 1000), np.float32(momentum_milli / 1000)
        whole = np.add(np.float32(1), mu)
        after: Arrays = {}
        for name in sorted(base):
            kept = np.zeros_like(base[name]) if velocity is None else np.array(velocity[name], copy=True)
            np.multiply(kept, mu, out=kept)
            np.add(kept, np.divide(update[name], rate), out=kept)
            np.divide(kept, whole, out=kept)
            after[name] = kept
    return weights, after


def _finite(arrays: Arrays, what: str) -> None:
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise Rejected(f"{what} is not finite: no file holds it", reason="non-finite")


def _with_remainder(step: Weights, remainder: Weights, carry_milli: int) -> Arrays:
    same_layout(step, remainder)
    share = np.float32(carry_milli / 1000)
    corrected: Arrays = {}
    for name in sorted(step):
        carried = np.asarray(np.multiply(remainder[name], share))
        corrected[name] = np.asarray(np.add(step[name], carried))
    return corrected
