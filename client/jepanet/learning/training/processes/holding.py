"""How a training holds its model: all of it in this process, or together with others (`several.py`).

The loop knows this contract alone. It draws whole batches and gets their loss and mean gradient, whoever
computed which rows; what it keeps for every parameter is as large as that parameter is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from jepanet.learning.family import Batch, Network, Terms


class Holding(Protocol):
    """One process' hold of a model in training. Of several, all call the same things in the same order."""

    @property
    def speaks(self) -> bool:
        """Whether this process writes and tells for all."""

    def terms(self, batch: Batch, stream: torch.Generator) -> Terms:
        """Loss of a whole batch, which lies on the CPU."""

    def adding(self, last: bool) -> AbstractContextManager[object]:
        """Around forward and backward of each of a step's batches; `last` where the gradient is due after."""

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of `loss` to the step's."""

    def gradients(self) -> list[Tensor]:
        """What was added since the last call, of the trained parameters: of each the part that is here."""

    def norm(self, here: Tensor) -> Tensor:
        """The L2 norm of gradients, of which the part that is here has the norm `here`."""

    def everywhere(self, true: bool) -> bool:
        """Whether it is true on all processes."""

    def weights(self) -> dict[str, Tensor]:
        """Every parameter, whole."""

    def whole(self, items: Sequence[Tensor]) -> list[Tensor]:
        """Tensors like the trained parameters, whole, of the parts that are here."""

    def agree(self, what: str, data: bytes) -> None:
        """Raises: Rejected (`processes-differ`) where processes have different `data`."""


class Alone:
    """All of the model is here, and nobody else trains it."""

    speaks = True

    def __init__(self, network: Network, trained: Sequence[Tensor], device: str) -> None:
        self._network, self._trained, self._device = network, list(trained), device
        self._gradients: list[Tensor] = []

    def terms(self, batch: Batch, stream: torch.Generator) -> Terms:
        return self._network.loss(batch.to(self._device), stream)

    def adding(self, last: bool) -> AbstractContextManager[object]:
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        found = [
            laid_out(*pair)
            for pair in zip(torch.autograd.grad(loss, self._trained), self._trained, strict=True)
        ]
        if self._gradients:
            torch._foreach_add_(self._gradients, found)
        else:
            self._gradients = found

    def gradients(self) -> list[Tensor]:
        found, self._gradients = self._gradients, []
        return found

    def norm(self, here: Tensor) -> Tensor:
        return here

    def everywhere(self, true: bool) -> bool:
        return true

    def weights(self) -> dict[str, Tensor]:
        return dict(self._network.named_parameters())

    def whole(self, items: Sequence[Tensor]) -> list[Tensor]:
        return list(items)

    def agree(self, what: str, data: bytes) -> None:
        pass


def laid_out(gradient: Tensor, parameter: Tensor) -> Tensor:
    """The same gradient in the parameter's order in memory: a kernel that updates both goes through memory,
    not through places, and a convolution may give its own order."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


if TYPE_CHECKING:

    def _conforms(alone: Alone) -> Holding:
        return alone
