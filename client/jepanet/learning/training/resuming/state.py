"""All that the rest of a training follows from: what a checkpoint holds and a trace digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.family import Batch, Batches, Network
from jepanet.learning.seeding import set_stream, stream_state
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.guarding.regime import RegimeGate
from jepanet.learning.training.processes.holding import Holding
from jepanet.learning.training.resuming.trace import TracePoint
from jepanet.learning.training.step.optimiser import AdamW
from jepanet.learning.training.step.precision import LossScale
from jepanet.tensors import Arrays

Parts = dict[str, Arrays]
"""Arrays by part and name: `weights`, `optimiser`, `streams`, `data`, `scale`, `gate`."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of training, for progress lines and dashboards."""

    step: int
    """From 1 to `steps`."""
    steps: int
    loss: float
    parts: dict[str, float]
    """The parts of the loss that the family reports."""
    penalty: float
    gradient_norm: float
    """Before clipping; 0 where a gradient of fp16 overflowed and the step changed nothing."""
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One measurement of the validation loss."""

    step: int
    """Steps done: 0 before the first."""
    loss: float
    epoch: int


@dataclass(slots=True)
class TrainingState:
    """A training between two steps. Two of equal parts, counts and metrics go on to the same bytes."""

    model: Network
    holding: Holding
    """Who computes with it, and has which part of it."""
    optimiser: AdamW
    trained: tuple[str, ...]
    """Names of the parameters that the optimiser changes, in its order."""
    batches: Batches
    streams: dict[str, torch.Generator]
    """Random numbers that the loss draws, by label; those of the data are in `batches`."""
    gate: DivergenceGate | RegimeGate
    scale: LossScale
    vocabulary: int | None = None
    """Tokens to predict from, where validation losses are in nats a token."""
    step: int = 0
    """Steps done."""
    samples: int = 0
    """Examples seen, repetitions included."""
    metrics: dict[str, float] = field(default_factory=dict)
    """loss_first, loss_last, `_last` of every part of the loss, gradient_norm_max; empty before a step."""
    trace: list[TracePoint] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """Times that all examples of the shard were seen."""
        return self.samples // self.batches.examples

    def admit(self, report: StepReport, batches: Sequence[Batch]) -> None:
        """Counts a step that was done."""
        self.step = report.step
        self.samples += sum(len(batch.examples) for batch in batches)
        first = {"loss_first": report.loss} if not self.metrics else {}
        highest = max(report.gradient_norm, self.metrics.get("gradient_norm_max", 0.0))
        last = {f"{name}_last": value for name, value in report.parts.items()}
        self.metrics |= {**first, "loss_last": report.loss, **last, "gradient_norm_max": highest}

    def reported(self) -> dict[str, float]:
        """The metrics, with first and last validation loss where there is a guard."""
        losses = self.gate.losses if isinstance(self.gate, RegimeGate) else []
        held = {"validation_first": losses[0], "validation_last": losses[-1]} if losses else {}
        return self.metrics | held

    def weights(self) -> Arrays:
        """Copies of the parameters in ascending name order."""
        found = self.holding.weights()
        return {name: _array(found[name]).copy() for name in sorted(found)}

    def parts(self) -> Parts:
        """The arrays that the rest follows from, whole, however many processes have them. On the CPU of one
        they are views that the next step changes."""
        optimiser = self.optimiser
        moments = {
            f"{kind}.{name}": _array(item)
            for kind, items in (("mean", optimiser.means), ("square", optimiser.squares))
            for name, item in zip(self.trained, self.holding.whole(items), strict=True)
        }
        return {
            "weights": {name: _array(item) for name, item in self.holding.weights().items()},
            "optimiser": moments | {"steps": _array(torch.stack(optimiser.steps))},
            "streams": {name: stream_state(item) for name, item in self.streams.items()},
            "data": self.batches.position(),
            "scale": self.scale.position(),
            "gate": self.gate.position(),
        }

    def restore(self, parts: Parts, step: int, samples: int, metrics: dict[str, float]) -> None:
        """Takes up what `parts` and the counts of a checkpoint say; on a refusal this state is spoiled.

        It is one that this process has whole: several begin so, and spread it afterwards.

        Raises:
            Rejected: an array is missing, unknown, of another shape or type, or holds NaN or infinity
                (`wrong-shape`, `non-finite`), or is no place in the data (`bad-position`).
        """
        mine = self.parts()
        if set(parts) != set(mine):
            raise Rejected("a checkpoint has other parts", reason="wrong-shape")
        for part in ("weights", "optimiser", "streams", "scale"):
            check_arrays(part, parts[part], mine[part])
        self.scale.go_to(parts["scale"])
        self.gate.go_to(parts["gate"])
        self.batches.go_to(parts["data"])
        for name, stream in self.streams.items():
            set_stream(stream, parts["streams"][name])
        moments, optimiser = parts["optimiser"], self.optimiser
        with torch.no_grad():
            for name, item in self.model.named_parameters():
                item.copy_(_tensor(parts["weights"][name]))
            for kind, items in (("mean", optimiser.means), ("square", optimiser.squares)):
                for name, item in zip(self.trained, items, strict=True):
                    item.copy_(_tensor(moments[f"{kind}.{name}"]))
            for item, value in zip(optimiser.steps, moments["steps"].tolist(), strict=True):
                item.fill_(value)
        self.step, self.samples, self.metrics = step, samples, dict(metrics)


def _array(item: Tensor) -> np.ndarray:
    array: np.ndarray = item.detach().cpu().numpy()
    return array


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))  # a copy: what comes from a file is read-only


def check_arrays(part: str, found: Arrays, wanted: Arrays) -> None:
    """Raises: Rejected (`wrong-shape`, `non-finite`): arrays of a state are not as those of a training."""
    if set(found) != set(wanted):
        odd = ", ".join(sorted(set(found) ^ set(wanted))[:4])
        raise Rejected(f"{part}: arrays missing or unknown: {odd!r:.200}", reason="wrong-shape")
    for name, array in wanted.items():
        given = found[name]
        if given.shape != array.shape or given.dtype != array.dtype:
            raise Rejected(
                f"{part}: {name} is {given.dtype}{list(given.shape)}, not {array.dtype}{list(array.shape)}",
                reason="wrong-shape",
            )
        if given.dtype.kind == "f" and not np.isfinite(given).all():
            raise Rejected(f"{part}: {name} holds NaN or infinity", reason="non-finite")
