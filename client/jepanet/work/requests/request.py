"""What a request, its progress and the table of jobs are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from jepanet.errors import Transient
from jepanet.records.marks import Range

R = TypeVar("R", covariant=True)
Number = Annotated[float, Range(-sys.float_info.max, sys.float_info.max)]
"""Any finite number: what is measured of a stranger's model has no other bounds."""


class Request(Generic[R]):
    """One job; `R` is the record that it answers with."""

    __slots__ = ()

    job: ClassVar[str]
    """Its name on the wire between node and worker, in the status file and in error messages."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running job is: `step` (from 1) of `steps`, and the loss of that step where it trains."""

    step: int
    steps: int
    loss: Number | None = None
    measures: dict[str, Number] = field(default_factory=dict)
    """Whatever else of this step is worth a curve, by name; jobs of a node leave it empty."""


OnProgress = Callable[[Progress], None]
Job = Callable[[Any, OnProgress], object]
"""What does one kind of request: takes the request, returns the record that it asks for."""
JobTable = Mapping[type[Request[object]], Job]


class WorkerDied(Transient):
    """The worker ended in the middle of a job: by the job, or by whatever else befell this machine."""
