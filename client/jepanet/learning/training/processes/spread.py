"""How several processes come to hold one training, which each of them begins with, or takes up, by itself."""

from __future__ import annotations

from torch import nn

from jepanet.errors import Rejected
from jepanet.learning.training.processes.several import Replicated
from jepanet.learning.training.processes.together import SHARDED, Together
from jepanet.learning.training.resuming.state import TrainingState
from jepanet.learning.training.resuming.trace import digest_of_arrays


def spread(state: TrainingState, together: Together, device: str) -> None:
    """Gives this process its hold of a training that so far each process has whole, from its own files.

    Raises:
        Rejected: they have different ones (`processes-differ`), or the network is none that can be spread
            (`too-many-processes`).
    """
    for part, arrays in state.parts().items():
        together.agree(f"the {part} that it begins with", digest_of_arrays(arrays))
    network = state.model
    if not isinstance(network, nn.Module):
        raise Rejected(
            "this family's network cannot be trained by several processes",
            reason="too-many-processes",
            remedy="train on one process",
        )
    for name, item in network.named_parameters():
        item.requires_grad_(name in state.trained)
    if together.way == SHARDED:
        from jepanet.learning.training.processes.sharded import Sharded  # here: it imports the compiler

        sharded = Sharded(network, state.trained, together, device)
        state.optimiser.move(sharded.here)
        state.holding = sharded
    else:
        state.holding = Replicated(network, state.trained, together, device)
