"""Whether this machine computes on a device, and whether it computes there what a CPU does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from jepanet.errors import Exit, Fatal
from jepanet.learning.machine.determinism import deterministic, whole_products
from jepanet.learning.machine.installed import installed_memory

CPU = "cpu"
MOST_APART = 1e-4
"""Of the root mean square of what a CPU computes. CPUs and GPUs that multiply in float32 lie some 1e-6 apart,
a device that rounds factors to TF32 1e-3."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A device that computes."""

    torch: str
    """Version of the library."""
    threads: int
    apart: float
    """How far it lies from the CPU, as a share of the root mean square; 0 on the CPU."""
    instructions: str
    """Of the processor, that torch uses, for example `AVX512`."""
    gpus: tuple[str, ...]
    """By name, those that torch can use; none where its build knows no GPU."""


def probe(device: str) -> Probed:
    """Computes a little on `device`.

    Raises:
        Fatal: torch does not know the device, it is not there, it cannot compute, or it computes something
            else than a CPU (exit code `CONFIG`).
    """
    try:
        ones = torch.ones(4, 4, device=torch.device(device))
        total = float((ones @ ones).sum())
        if total != 64.0:
            raise RuntimeError(f"it adds up to {total} instead of 64")
    except Exception as error:  # RuntimeError, AssertionError, NotImplementedError: torch has many
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        known = ", ".join(["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))])
        raise Fatal(
            f"worker.device {device!r} cannot be used: {reason}",
            remedy=f"devices of this machine: {known}",
            code=Exit.CONFIG,
        ) from error
    found = 0.0 if device == CPU else relative(_layers(CPU), _layers(device))
    if not found <= MOST_APART:
        raise Fatal(
            f"worker.device {device!r} computes other numbers than the CPU: they lie {found:.1g} apart, "
            f"more than {MOST_APART:g}",
            remedy='others could not measure the same: mend its driver, or write worker.device = "cpu"',
            code=Exit.CONFIG,
        )
    gpus = tuple(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
    instructions = torch.backends.cpu.get_cpu_capability()
    return Probed(str(torch.__version__), torch.get_num_threads(), found, instructions, gpus)


def memory_of(device: str) -> int:
    """Bytes of the memory in which `device` computes.

    Raises:
        RuntimeError: torch does not know the device.
    """
    kind = torch.device(device)
    if kind.type != "cuda":
        return installed_memory()
    return int(torch.cuda.get_device_properties(kind).total_memory)


def relative(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference as a share of the root mean square of `one`; infinite where one is not finite."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    scale = float(np.sqrt(np.mean(one**2)))
    difference = float(np.abs(one - other).max())
    return difference / scale if scale > 0 else (float("inf") if difference else 0.0)


def _layers(device: str) -> np.ndarray:
    """A convolution, an activation, a normalisation and a product, as in networks, of fixed numbers."""
    draw = np.random.default_rng(0)
    frames, kernel, matrix = (
        torch.from_numpy(draw.standard_normal(shape).astype(np.float32)).to(device)
        for shape in ((4, 16, 16, 16), (32, 16, 3, 3), (32 * 64, 64))
    )
    with deterministic(), whole_products(), torch.inference_mode():
        seen = functional.gelu(functional.conv2d(frames, kernel, stride=2, padding=1)).flatten(1)
        out = functional.layer_norm(seen, seen.shape[1:]) @ matrix
        made: np.ndarray = out.cpu().numpy().astype(np.float64)
    return made
