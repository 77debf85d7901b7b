"""AdamW, and the clipping of gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from jepanet.learning.recipe import Optimiser


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over torch's own fused kernel.

    `torch.optim.AdamW` does the same sums, but building one imports the compiler: three seconds of every
    worker's first job. Moments and the number of steps are lists in the order of the parameters.
    """

    def __init__(self, parameters: Sequence[Tensor], rules: Optimiser) -> None:
        self.parameters = list(parameters)
        self._rules = rules
        self.means = [torch.zeros_like(item) for item in self.parameters]
        self.squares = [torch.zeros_like(item) for item in self.parameters]
        self.steps = [torch.zeros((), device=item.device) for item in self.parameters]

    def move(self, here: Callable[[int, Tensor | None], Tensor]) -> None:
        """Goes on with parts of parameters and moments: `here` says which, of the parameter at a place (with
        None) or of a tensor like it."""
        places = range(len(self.parameters))
        self.parameters = [here(place, None) for place in places]
        self.means = [here(place, self.means[place]) for place in places]
        self.squares = [here(place, self.squares[place]) for place in places]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """One step at learning rate `rate`; the gradients are in the order of the parameters."""
        rules = self._rules
        adamw(
            self.parameters, list(gradients), self.means, self.squares, [], self.steps, fused=True,
            amsgrad=False, beta1=rules.beta1, beta2=rules.beta2, lr=rate,
            weight_decay=rules.weight_decay, eps=1e-8, maximize=False,
        )  # fmt: skip


def clip(
    gradients: Sequence[Tensor], limit: float, norm_of: Callable[[Tensor], Tensor] = lambda here: here
) -> float:
    """Scales gradients in place to a global L2 norm of at most `limit`; returns the norm before.

    `norm_of`: the norm of all, where `gradients` are a part of them and have the norm that it is given.
    """
    norm = norm_of(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients)))))
    torch._foreach_mul_(list(gradients), torch.clamp(limit / (norm + 1e-6), max=1.0))
    return float(norm)
