"""What the image model trains on: images, and which of their tokens are seen and which are hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from jepanet.errors import Rejected
from jepanet.learning.data.placing import placed
from jepanet.learning.families.image.masks import draw_masks
from jepanet.learning.families.image.sizes import ImageSizes
from jepanet.learning.family import Batch, Batches
from jepanet.learning.seeding import set_stream, stream_state, torch_generator
from jepanet.tensors import Arrays

_STREAMS = ("images", "masks", "mirrors")


class ImageBatches:
    """Batches of `images` uint8 [B, 3, S, S], `context` int64 [B, C] and `targets` int64 [B, K] (`masks.py`).

    Every image is drawn before any is drawn twice; a batch that spans the end of an order takes the rest from
    the next. Order, masks and mirrors have a stream of random numbers each.
    """

    def __init__(self, sizes: ImageSizes, images: np.ndarray, seed: bytes) -> None:
        self._sizes = sizes
        self._images = torch.tensor(images)
        self._streams = {name: torch_generator(seed, name) for name in _STREAMS}
        self._order = torch.empty(0, dtype=torch.int64)

    @property
    def examples(self) -> int:
        return len(self._images)

    def __iter__(self) -> ImageBatches:
        return self

    def __next__(self) -> Batch:
        sizes, streams = self._sizes, self._streams
        while len(self._order) < sizes.images:
            more = torch.randperm(len(self._images), generator=streams["images"])
            self._order = torch.cat([self._order, more])
        chosen, self._order = self._order[: sizes.images], self._order[sizes.images :]
        images = self._images[chosen]
        if sizes.mirror:
            mirrored = (torch.rand(len(images), generator=streams["mirrors"]) < 0.5).nonzero().flatten()
            images[mirrored] = images[mirrored].flip(-1)
        drawn = draw_masks(sizes.masks, sizes.model.side, len(images), streams["masks"])
        tensors = {"images": images, "context": drawn.context, "targets": drawn.targets}
        return Batch(tensors, chosen.clone())

    def lie_on(self, device: str) -> None:
        self._images = placed(self._images, device)

    def position(self) -> Arrays:
        streams = {name: stream_state(generator) for name, generator in self._streams.items()}
        return {"order": self._order.numpy(), **streams}

    def go_to(self, position: Arrays) -> None:
        if set(position) != {"order", *_STREAMS}:
            raise Rejected("a position has an order and three streams", reason="bad-position")
        order = position["order"]
        whole = order.dtype == np.int64 and order.ndim == 1
        if not whole or ((order < 0) | (order >= len(self._images))).any():
            raise Rejected("the order names other images", reason="bad-position")
        for name, generator in self._streams.items():
            set_stream(generator, position[name])
        self._order = torch.from_numpy(order.copy())


if TYPE_CHECKING:

    def _conforms(batches: ImageBatches) -> Batches:
        return batches
