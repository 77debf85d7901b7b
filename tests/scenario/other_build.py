"""The jobs of a worker that computes on two threads and with other kernels, and says so in transcripts."""

from __future__ import annotations

import torch

from jepanet.work import transcript
from jepanet.work.jobs import JOBS

__all__ = ["JOBS"]

_here = transcript.surroundings
transcript.surroundings = lambda: _here() | {"cpu": "another"}
torch._C._set_mkldnn_enabled(False)  # type: ignore[attr-defined]
torch.set_num_threads(2)
# Trainings have one thread; that this one has more is what is tried.
torch.set_num_threads = lambda threads: None
