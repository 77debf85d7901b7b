"""Lower precision in networks: what is multiplied in it, and how losses are scaled where it needs that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.tensors import Arrays

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
FIRST_SCALE = 2.0**16
LEAST_SCALE = 1.0
GROWS_AFTER = 1000
"""Steps without an overflow after which the scale is doubled."""


def lowered(precision: str, device: str) -> AbstractContextManager[object]:
    """Where networks multiply in `precision`; fp32 changes nothing."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=_TYPES[precision])


@dataclass(slots=True)
class LossScale:
    """Factor on the loss that keeps small gradients of fp16 from vanishing (Micikevicius et al. 2018,
    arXiv:1710.03740): halved where a gradient overflows, and that step left out; doubled again later. Powers
    of two, so that scaling rounds nothing. For other precisions it is 1 and stays so.
    """

    dynamic: bool
    scale: float
    good: int = 0
    """Steps since it last changed."""

    @classmethod
    def of(cls, precision: str) -> LossScale:
        dynamic = precision == "fp16"
        return cls(dynamic, FIRST_SCALE if dynamic else 1.0)

    def unscaled(
        self,
        gradients: Sequence[Tensor],
        step: int,
        everywhere: Callable[[bool], bool] = lambda finite: finite,
    ) -> bool:
        """Divides gradients by the scale, in place; False where one overflowed and the step is left out.

        `everywhere`: whether all gradients are finite, where those given are a part of them.

        Raises:
            Rejected: `diverged` when the scale cannot fall further.
        """
        if not self.dynamic:
            return True
        if not everywhere(all(bool(torch.isfinite(item).all()) for item in gradients)):
            if self.scale / 2 < LEAST_SCALE:
                raise Rejected(
                    f"training aborted at step {step}: gradients overflow at a loss scale of {self.scale:g}",
                    reason="diverged",
                )
            self.scale, self.good = self.scale / 2, 0
            return False
        torch._foreach_mul_(list(gradients), 1.0 / self.scale)
        self.good += 1
        if self.good == GROWS_AFTER:
            self.scale, self.good = self.scale * 2, 0
        return True

    def position(self) -> Arrays:
        """`scale` float64 [1] and `good` int64 [1], for a checkpoint."""
        return {"scale": np.array([self.scale]), "good": np.array([self.good], np.int64)}

    def go_to(self, position: Arrays) -> None:
        """Goes on from a position whose shapes were checked. Raises: Rejected (`wrong-shape`)."""
        scale, good = float(position["scale"][0]), int(position["good"][0])
        if not LEAST_SCALE <= scale <= 2.0**1000 or not 0 <= good < GROWS_AFTER:
            raise Rejected("no loss is scaled so", reason="wrong-shape")
        self.scale, self.good = scale, good
