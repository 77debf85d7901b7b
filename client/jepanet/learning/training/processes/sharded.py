"""One model in the hands of several processes, a part of weights, gradients and moments on each (FSDP2)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from jepanet.learning.family import Batch, Terms
from jepanet.learning.training.processes.holding import Holding
from jepanet.learning.training.processes.several import Loss, Several, taken
from jepanet.learning.training.processes.together import Together


class Sharded(Several):
    """Each process has a part of every parameter, its gradient and its moments (FSDP2).

    The network is one unit: its parameters are together for a forward and backward, and apart otherwise.
    """

    def __init__(self, network: nn.Module, trained: Sequence[str], together: Together, device: str) -> None:
        self._loss = Loss(network)
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
        found = self.terms_of(self._loss, batch, stream)
        if not torch.is_grad_enabled():
            assert isinstance(self._loss, FSDPModule), "fully_shard has made it one"
            self._loss.reshard()  # no backward will do it
        return found

    def adding(self, last: bool) -> AbstractContextManager[object]:
        return nullcontext()  # gradients of a part are added: sums of the whole would not fit here

    def gradients(self) -> list[Tensor]:
        return [_sharded(taken(item)).to_local() for item in self._trained]

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


if TYPE_CHECKING:

    def _conforms(one: Sharded) -> Holding:
        return one
