"""Which windows of which episodes form a batch: one site a batch, every window before any twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.seeding import set_stream, stream_state
from jepanet.tensors import Arrays


@dataclass(slots=True)
class WindowSampler:
    """Draws (episode, first frame) pairs without replacement, all of one batch from the same site.

    One site a batch keeps appearance constant within it: otherwise what tells sites apart is static,
    perfectly predictable variance, and the encoder learns that instead of what moves. Sites take turns in
    proportion to their windows. All draws come from `generator` on the CPU; a batch that spans the end of
    a site's order takes the rest from its next order.
    """

    site: Sequence[int]
    """Site number of every episode."""
    length: int
    """Frames of every episode."""
    window: int
    generator: torch.Generator
    _episodes: list[Tensor] = field(init=False)
    _orders: list[Tensor] = field(init=False)
    _shares: Tensor = field(init=False)

    def __post_init__(self) -> None:
        if self.length < self.window:
            raise Rejected(
                f"episodes of {self.length} frames are shorter than the recipe's window of {self.window}",
                reason="shard-mismatch",
            )
        number = torch.tensor(self.site)
        self._episodes = [(number == site).nonzero().flatten() for site in sorted(set(self.site))]
        self._orders = [torch.empty(0, dtype=torch.int64) for _ in self._episodes]
        self._shares = torch.tensor([float(len(episodes)) for episodes in self._episodes])

    @property
    def starts(self) -> int:
        """Windows in one episode."""
        return self.length - self.window + 1

    @property
    def windows(self) -> int:
        """Different windows in all."""
        return len(self.site) * self.starts

    def position(self) -> Arrays:
        """The stream's state, and for every site `order.N`, int64: what is left of its present order."""
        orders = {f"order.{place}": order.numpy() for place, order in enumerate(self._orders)}
        return {"windows": stream_state(self.generator), **orders}

    def go_to(self, position: Arrays) -> None:
        """Goes on from a position. Raises: Rejected (`bad-position`) when it is none of these episodes."""
        names = {"windows", *(f"order.{place}" for place in range(len(self._orders)))}
        if set(position) != names:
            raise Rejected("a position has a stream, and an order for every site", reason="bad-position")
        orders = []
        for place, episodes in enumerate(self._episodes):
            order = position[f"order.{place}"]
            most = len(episodes) * self.starts
            whole = order.dtype == np.int64 and order.ndim == 1
            if not whole or ((order < 0) | (order >= most)).any():
                raise Rejected(f"the order of site {place} names other windows", reason="bad-position")
            orders.append(torch.from_numpy(order.copy()))
        set_stream(self.generator, position["windows"])
        self._orders = orders

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Episode numbers and frame indices of `count` windows: int64 [count] and [count, window]."""
        place = int(torch.multinomial(self._shares, 1, generator=self.generator))
        episodes, order = self._episodes[place], self._orders[place]
        while len(order) < count:
            order = torch.cat([order, torch.randperm(len(episodes) * self.starts, generator=self.generator)])
        flat, self._orders[place] = order[:count], order[count:]
        first = flat % self.starts
        return episodes[flat // self.starts], first.unsqueeze(1) + torch.arange(self.window)
