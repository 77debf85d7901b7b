"""The processes that do one training together: how they find each other, and that they stay of one mind.

They are processes of one machine. They meet in a file, and talk over the interface that whoever started them
names in their environment (`LOOPBACK`): nothing of a training can be reached from outside. On CUDA every
process has the GPU of its own number.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor

from jepanet.errors import Exit, Fatal, Rejected

SHARDED = "fsdp2"
LOOPBACK = dict.fromkeys(
    ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), "lo0" if sys.platform == "darwin" else "lo"
)
"""Of the environment of every one of them."""
_PATIENCE = timedelta(minutes=30)
"""How long one process waits for another, which may write a checkpoint to a slow disk. One that has died is
noticed at once, by whoever started it."""


@dataclass(frozen=True, slots=True)
class Together:
    """One of `count` processes that train one model."""

    rank: int
    count: int
    way: str
    """`ddp`: each holds the whole model. `fsdp2`: each holds a part of weights, gradients and moments."""

    @property
    def speaks(self) -> bool:
        """Whether this process writes checkpoints and tells of progress: all others do as much and say
        nothing."""
        return self.rank == 0

    def device(self, kind: str) -> str:
        """Where this process computes, of "cpu" or "cuda"."""
        return kind if torch.device(kind).type == "cpu" else f"{kind}:{self.rank}"

    def gather(self, item: Tensor) -> list[Tensor]:
        """What every process has in place of `item`, in their order."""
        found = [torch.empty_like(item) for _ in range(self.count)]
        torch.distributed.all_gather(found, item)
        return found

    def agree(self, what: str, data: bytes) -> None:
        """Holds all processes to one value of `what`, of equal length on each.

        Raises:
            Rejected: they have different ones (`processes-differ`); the message names a process that differs
                from the first.
        """
        mine = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        first, *others = self.gather(mine)
        for rank, other in enumerate(others, 1):
            if not torch.equal(first, other):
                raise Rejected(
                    f"process {rank} of {self.count} differs from process 0 in {what}",
                    reason="processes-differ",
                    remedy="train on one process; if that works, the model family does not pool a statistic "
                    "of its batch, or memory is faulty",
                )


def rows_of(examples: int, rank: int, count: int) -> tuple[int, int]:
    """The first row of a batch that a process computes, and the one behind its last.

    Raises:
        Rejected: there is not one for each (`too-many-processes`).
    """
    if examples < count:
        raise Rejected(
            f"a batch of {examples} examples cannot be split over {count} processes",
            reason="too-many-processes",
            remedy=f"at most {examples} processes",
        )
    return rank * examples // count, (rank + 1) * examples // count


def check_devices(kind: str, count: int) -> None:
    """Whether `count` processes can compute on a kind of device.

    Raises:
        Fatal: one device is named for all, or there are fewer (exit code `CONFIG`).
    """
    device = torch.device(kind)
    if device.type == "cpu":
        return
    if device.type != "cuda" or device.index is not None:
        raise Fatal(
            f"{count} processes cannot all train on {kind!r}",
            remedy='name "cpu" or "cuda": process 0 then computes on cuda:0, process 1 on cuda:1',
            code=Exit.CONFIG,
        )
    if torch.cuda.device_count() < count:
        raise Fatal(
            f"{count} processes need as many GPUs, and there are {torch.cuda.device_count()}",
            remedy="fewer processes",
            code=Exit.CONFIG,
        )


@contextmanager
def joined(meeting: Path, rank: int, count: int, way: str, kind: str) -> Iterator[Together]:
    """Joins the others, who call this with the same file and another `rank`; leaves them in the end.

    After an exception the process has to end: it leaves them by that.

    Raises:
        Fatal: as `check_devices`.
    """
    check_devices(kind, count)
    on_gpu = torch.device(kind).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=torch.distributed.FileStore(str(meeting), count),  # type: ignore[attr-defined]
        rank=rank,
        world_size=count,
        timeout=_PATIENCE,
    )
    yield Together(rank, count, way)
    # Not after an exception: the others would fail for want of this process before it has said why.
    torch.distributed.destroy_process_group()
