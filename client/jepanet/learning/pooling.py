"""Means over a batch whose rows lie in several processes.

A statistic of a batch (its mean prediction error, the moments that a regulariser holds in place) is one of
all its rows. Where each process has a part of them, a family says `pooled(mean)` of what it averages, and
gets the mean over all rows, on every process the same; its gradient reaches the rows of every process. A
regulariser of the rows at hand alone would be another one, and nothing would say so.

    loss(batch) on one process                 the mean itself: nothing is computed
    loss(rows of the batch) on each of n       sum over processes of (rows here / all rows) x mean of them

A gradient through `pooled` is the sum of what every process asks for, since each has a part of whatever was
computed from the mean (deviations from it, for example). Gradients of parameters are averaged afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Lot:
    """What part of a batch is here."""

    here: int
    """Examples on this process, at least one."""
    examples: int
    """On all of them."""
    first: int
    """How many of them come before the first that is here."""
    gather: Callable[[Tensor], list[Tensor]]
    """What every process has in place of a tensor, in their order; the same list on each."""


_LOT: ContextVar[Lot | None] = ContextVar("lot", default=None)


@contextmanager
def part_of(lot: Lot) -> Iterator[None]:
    """Whatever is pooled inside is the mean over `lot`."""
    token = _LOT.set(lot)
    try:
        yield
    finally:
        _LOT.reset(token)


def pooled(mean: Tensor) -> Tensor:
    """The mean over all rows of a batch, of the mean over those that are here.

    Every example has as many rows as any other. On one process it is `mean` itself.
    """
    lot = _LOT.get()
    if lot is None:
        return mean
    summed: Tensor = _Summed.apply(mean * (lot.here / lot.examples), lot)  # type: ignore[no-untyped-call]
    return summed


def pooled_rows(rows: int) -> int:
    """How many rows all processes have, of which `rows` are here."""
    lot = _LOT.get()
    return rows if lot is None else rows * lot.examples // lot.here


def all_rows(rows: Tensor) -> Tensor:
    """The rows [B x K, ...] of a batch of B, K an example, of those that are here: what is compared or put in
    order with every other.

    On one process they are `rows` itself.
    """
    lot = _LOT.get()
    if lot is None:
        return rows
    each = rows.shape[0] // lot.here
    placed = rows.new_zeros((each * lot.examples, *rows.shape[1:]))
    placed[each * lot.first : each * (lot.first + lot.here)] = rows
    summed: Tensor = _Summed.apply(placed, lot)  # type: ignore[no-untyped-call]
    return summed


class _Summed(torch.autograd.Function):
    """Sum over processes, in their order: the same bits on each of them."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, lot: Lot) -> Tensor:
        ctx.lot = lot
        return _summed(part, lot)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _summed(gradients[0], ctx.lot), None


def _summed(part: Tensor, lot: Lot) -> Tensor:
    first, *others = lot.gather(part.contiguous())
    total = first.clone()
    for item in others:
        total += item
    return total
