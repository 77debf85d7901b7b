"""What figures depend on beside their inputs: another build or processor gives other last digits."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch

Surroundings = dict[str, str]


def surroundings() -> Surroundings:
    """Versions of torch and numpy, and what of the processor torch uses."""
    return {
        "torch": str(torch.__version__),  # a class of its own there
        "numpy": np.__version__,
        "machine": f"{platform.machine()} {_processor()}".strip(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


@cache
def _processor() -> str:
    """Maker, family and model of the processor, by which libraries choose how they sum; empty where the
    system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    words = (found.get(name, "") for name in ("vendor_id", "cpu family", "model"))
    return re.sub(r"[^A-Za-z0-9._+ -]", "", " ".join(word for word in words if word))[:40]


def said(one: Surroundings) -> str:
    """In a few words, for a note under a table."""
    return f"torch {one['torch']}, numpy {one['numpy']}, {one['machine']} {one['cpu']}"
