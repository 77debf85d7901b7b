"""The settings of torch under which the same inputs give the same bytes on one machine, and nearly the
same on others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def deterministic() -> Iterator[None]:
    """One thread and deterministic kernels, with the previous settings restored afterwards."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic
    filling = memory.fill_uninitialized_memory
    torch.set_num_threads(1)
    # The same switch as use_deterministic_algorithms, which would import the compiler: three seconds of every
    # worker's first job.
    torch.set_deterministic_debug_mode("error")
    # Nothing here reads uninitialised memory, and filling it costs a tenth of a step.
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        memory.fill_uninitialized_memory = filling


@contextmanager
def whole_products() -> Iterator[None]:
    """Products of float32 in float32, as on a CPU: a GPU may else round their factors to ten bits (TF32)."""
    convolutions, matrices = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, matrices
