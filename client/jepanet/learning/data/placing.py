"""Where arrays lie that every step reads a little of."""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 0.25
"""Of a GPU's free memory, for one array: the rest is for the model and its backward pass."""


def placed(array: Tensor, device: str) -> Tensor:
    """`array` on `device`; where that is no CPU and has too little free memory, the array as it lies."""
    kind = torch.device(device)
    if kind.type == "cuda" and array.nbytes > SHARE * torch.cuda.mem_get_info(kind)[0]:
        return array
    return array.to(kind)
