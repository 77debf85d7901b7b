"""What figures depend on beside their inputs: another build or processor gives other last digits."""

from __future__ import annotations

import platform

import numpy as np
import torch

Surroundings = dict[str, str]


def surroundings() -> Surroundings:
    """Versions of torch and numpy, and what of the processor torch uses."""
    return {
        "torch": str(torch.__version__),  # a class of its own there
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def said(one: Surroundings) -> str:
    """In a few words, for a note under a table."""
    return f"torch {one['torch']}, numpy {one['numpy']}, {one['machine']} {one['cpu']}"
