"""One model in the hands of several processes, whole on each (DDP); `sharded.py` holds a part of it on each.

A step's batch is that of the recipe, whatever their number; each process computes some of its rows, and the
loss of all (`pooling.py`). What they do is one training, so they are held to one loss in every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from jepanet.learning.family import Batch, Terms
from jepanet.learning.pooling import Lot, part_of
from jepanet.learning.training.processes.holding import Holding
from jepanet.learning.training.processes.together import Together, rows_of


class Loss(nn.Module):
    """The loss of a network as a module's forward, around which DDP and FSDP2 do their work."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, stream: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        network: Any = self.network
        terms: Terms = network.loss(batch, stream)
        return terms.loss, dict(terms.parts)


class Several:
    """What both ways of holding a model have in common."""

    def __init__(self, network: nn.Module, together: Together, device: str) -> None:
        self._together, self._device = together, device
        self._parameters = dict(network.named_parameters())

    @property
    def speaks(self) -> bool:
        return self._together.speaks

    def terms_of(self, loss: nn.Module, batch: Batch, stream: torch.Generator) -> Terms:
        examples, together = len(batch.examples), self._together
        first, behind = rows_of(examples, together.rank, together.count)
        mine = batch.rows(first, behind)
        with part_of(Lot(behind - first, examples, first, together.gather)):
            total, parts = loss(mine.to(self._device), stream)
        return Terms(total, parts)

    def backward(self, loss: Tensor) -> None:
        torch.autograd.backward(loss)

    def agree(self, what: str, data: bytes) -> None:
        self._together.agree(what, data)


class Replicated(Several):
    """Each process has the whole model and its moments; gradients are averaged (DDP)."""

    def __init__(self, network: nn.Module, trained: Sequence[str], together: Together, device: str) -> None:
        super().__init__(network, together, device)
        self._network = Loss(network)
        self._trained = [self._parameters[name] for name in trained]
        # Without the flag, gradients are put in another order after the first step, and so summed in another:
        # a training that is taken up would end in other bytes than one that was not interrupted.
        self._averaged = DistributedDataParallel(self._network, find_unused_parameters=True)

    def terms(self, batch: Batch, stream: torch.Generator) -> Terms:
        return self.terms_of(self._averaged if torch.is_grad_enabled() else self._network, batch, stream)

    def adding(self, last: bool) -> AbstractContextManager[object]:
        return nullcontext() if last else self._averaged.no_sync()

    def gradients(self) -> list[Tensor]:
        return [taken(item) for item in self._trained]

    def norm(self, here: Tensor) -> Tensor:
        return here

    def everywhere(self, true: bool) -> bool:
        return true

    def weights(self) -> dict[str, Tensor]:
        return dict(self._parameters)

    def whole(self, items: Sequence[Tensor]) -> list[Tensor]:
        return list(items)


def taken(parameter: Tensor) -> Tensor:
    """The gradient of a parameter, which then has none."""
    gradient, parameter.grad = parameter.grad, None
    if gradient is None:
        raise RuntimeError("a trained parameter has no part in the loss")
    return gradient


if TYPE_CHECKING:

    def _conforms(one: Replicated) -> Holding:
        return one
