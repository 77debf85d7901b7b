"""Whether this machine computes on a device."""

from __future__ import annotations

import torch

from jepanet.errors import Exit, Fatal


def probe(device: str) -> dict[str, str | int]:
    """Multiplies two small matrices on `device`; the versions and threads it was done with.

    Raises:
        Fatal: torch does not know the device, it is not there, or it cannot compute (exit code `CONFIG`).
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
    return {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
