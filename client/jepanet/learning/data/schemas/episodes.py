"""Recorded episodes of a simulator: T frames, and the action that was held between any two of them."""

from __future__ import annotations

import numpy as np

from jepanet.learning.data.schemas.schema import DataSchema, Form, Given, refuse_values

MIN_FRAMES = 3
"""Two frames of context and one to predict."""


def _check(arrays: Given, what: str) -> None:
    actions, state = arrays["actions"], arrays["state"]
    if not (np.isfinite(actions).all() and np.isfinite(state).all()):
        raise refuse_values(what, "actions or state hold NaN or infinity", "non-finite")
    if np.abs(actions).max() > 1.0:
        raise refuse_values(what, "actions leave [-1, 1]", "out-of-range")


EPISODES = DataSchema(
    name="episodes",
    tag="jepanet.shard.1",
    unit="episode",
    arrays={
        "actions": Form(np.float32, ("E", "T-1", "A")),
        "frames": Form(np.uint8, ("E", "T", 3, "S", "S")),
        "state": Form(np.float32, ("E", "T", "K")),
    },
    # The state is the simulator's own (pixels of its screen).
    trained=("actions", "frames"),
    shown=("frames",),
    bounds={"T": (MIN_FRAMES, 100_000)},
    state="state",
    check_values=_check,
)
