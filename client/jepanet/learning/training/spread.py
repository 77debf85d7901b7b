"""One model in the hands of several processes: whole on each (DDP), or a part of it on each (FSDP2).

A step's batch is that of the recipe, whatever their number; each process computes some of its rows, and the
loss of all (`pooling.py`). What they do is one training, so they are held to one loss in every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from jepanet.errors import Rejected
from jepanet.learning.family import Batch, Terms
from jepanet.learning.pooling import Lot, part_of
from jepanet.learning.training.holding import Holding
from jepanet.learning.training.state import TrainingState
from jepanet.learning.training.together import SHARDED, Together
from jepanet.learning.training.trace import digest_of_arrays


def spread(state: TrainingState, together: Together, device: str) -> None:
    """Gives this process its hold of a training that so far each process has whole, from its own files.

    Raises:
        Rejected: they have different ones (`processes-differ`), or the network is none that can be spread
            (`too-many-processes`).
    """
    for part, arrays in state.parts().items():
        together.agree(f"the {part} that it begins with", digest_of_arrays(arrays))
    network = state.model
    if not isinstance(network, nn.Module):
        raise Rejected(
            "this family's network cannot be trained by several processes",
            reason="too-many-processes",
            remedy="train on one process",
        )
    for name, item in network.named_parameters():
        item.requires_grad_(name in state.trained)
    if together.way == SHARDED:
        sharded = _Sharded(network, state.trained, together, device)
        state.optimiser.move(sharded.here)
        state.holding = sharded
    else:
        state.holding = _Replicated(network, state.trained, together, device)


class _Loss(nn.Module):
    """The loss of a network as a module's forward, around which DDP and FSDP2 do their work."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, stream: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        network: Any = self.network
        terms: Terms = network.loss(batch, stream)
        return terms.loss, dict(terms.parts)


class _Several:
    """What both ways of holding a model have in common."""

    def __init__(self, network: nn.Module, together: Together, device: str) -> None:
        self._together, self._device = together, device
        self._parameters = dict(network.named_parameters())

    @property
    def speaks(self) -> bool:
        return self._together.speaks

    def _terms(self, loss: nn.Module, batch: Batch, stream: torch.Generator) -> Terms:
        rank, count, examples = self._together.rank, self._together.count, len(batch.examples)
        if examples < count:
            raise Rejected(
                f"a batch of {examples} examples cannot be split over {count} processes",
                reason="too-many-processes",
                remedy=f"at most {examples} processes",
            )
        mine = batch.rows(rank * examples // count, (rank + 1) * examples // count)
        with part_of(Lot(len(mine.examples), examples, count, self._together.gather)):
            total, parts = loss(mine.to(self._device), stream)
        return Terms(total, parts)

    def backward(self, loss: Tensor) -> None:
        torch.autograd.backward(loss)

    def agree(self, what: str, data: bytes) -> None:
        self._together.agree(what, data)


class _Replicated(_Several):
    """Each process has the whole model and its moments; gradients are averaged (DDP)."""

    def __init__(self, network: nn.Module, trained: Sequence[str], together: Together, device: str) -> None:
        super().__init__(network, together, device)
        self._network = _Loss(network)
        self._trained = [self._parameters[name] for name in trained]
        # Without the flag, gradients are put in another order after the first step, and so summed in another:
        # a training that is taken up would end in other bytes than one that was not interrupted.
        self._averaged = DistributedDataParallel(self._network, find_unused_parameters=True)

    def terms(self, batch: Batch, stream: torch.Generator) -> Terms:
        return self._terms(self._averaged if torch.is_grad_enabled() else self._network, batch, stream)

    def adding(self, last: bool) -> AbstractContextManager[object]:
        return nullcontext() if last else self._averaged.no_sync()

    def gradients(self) -> list[Tensor]:
        return [_taken(item) for item in self._trained]

    def norm(self, here: Tensor) -> Tensor:
        return here

    def everywhere(self, true: bool) -> bool:
        return true

    def weights(self) -> dict[str, Tensor]:
        return dict(self._parameters)

    def whole(self, items: Sequence[Tensor]) -> list[Tensor]:
        return list(items)


class _Sharded(_Several):
    """Each process has a part of every parameter, its gradient and its moments (FSDP2).

    The network is one unit: its parameters are together for a forward and backward, and apart otherwise.
    """

    def __init__(self, network: nn.Module, trained: Sequence[str], together: Together, device: str) -> None:
        self._loss = _Loss(network)
        kind, world = torch.device(device).type, torch.distributed.group.WORLD
        assert world is not None, "the processes have found each other"
        self._mesh = DeviceMesh.from_group(world, kind)
        fully_shard(self._loss, mesh=self._mesh)
        super().__init__(network, together, device)
        self._trained: list[DTensor] = [_sharded(self._parameters[name]) for name in trained]

    @torch.no_grad()
    def here(self, place: int, whole: Tensor | None) -> Tensor:
        """The part that is here of the trained parameter at `place`, or of a tensor like it."""
        parameter = self._trained[place]
        if whole is None:
            return parameter.to_local()
        mesh, placements = parameter.device_mesh, parameter.placements
        return distribute_tensor(whole, mesh, placements, src_data_rank=None).to_local().clone()

    def terms(self, batch: Batch, stream: torch.Generator) -> Terms:
        found = self._terms(self._loss, batch, stream)
        if not torch.is_grad_enabled():
            assert isinstance(self._loss, FSDPModule), "fully_shard has made it one"
            self._loss.reshard()  # no backward will do it
        return found

    def adding(self, last: bool) -> AbstractContextManager[object]:
        return nullcontext()  # gradients of a part are added: sums of the whole would not fit here

    def gradients(self) -> list[Tensor]:
        return [_sharded(_taken(item)).to_local() for item in self._trained]

    def norm(self, here: Tensor) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(torch.stack(self._together.gather(here)))
        return norm

    def everywhere(self, true: bool) -> bool:
        return all(bool(item) for item in self._together.gather(torch.tensor([true], dtype=torch.uint8)))

    @torch.no_grad()
    def weights(self) -> dict[str, Tensor]:
        return {name: _sharded(item).full_tensor() for name, item in self._parameters.items()}

    @torch.no_grad()
    def whole(self, items: Sequence[Tensor]) -> list[Tensor]:
        return [_joined(item, like) for like, item in zip(self._trained, items, strict=True)]


def _joined(here: Tensor, like: DTensor) -> Tensor:
    """All of a tensor that lies in parts as `like` does."""
    parts = DTensor.from_local(
        here, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )
    return parts.full_tensor()


def _sharded(item: Tensor) -> DTensor:
    assert isinstance(item, DTensor), "parameters, and their gradients, are in parts after fully_shard"
    return item


def _taken(parameter: Tensor) -> Tensor:
    """The gradient of a parameter, which then has none."""
    gradient, parameter.grad = parameter.grad, None
    if gradient is None:
        raise RuntimeError("a trained parameter has no part in the loss")
    return gradient


if TYPE_CHECKING:

    def _conform(one: _Replicated, other: _Sharded) -> tuple[Holding, Holding]:
        return one, other
