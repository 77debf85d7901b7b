"""The TwoRoom dataset: what the builder needs to know of this simulator, and its usual sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jepanet.learning.data.building import builder as building
from jepanet.learning.data.building import plan as planning
from jepanet.learning.data.building.builder import Progress
from jepanet.learning.data.building.plan import Environment, Layout
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.on_disk import BuiltDataset
from jepanet.learning.data.sizes import TINY, Parameters
from jepanet.learning.simulators.loader import require_simulator
from jepanet.learning.simulators.tworoom.simulator import ENVIRONMENT, record
from jepanet.learning.simulators.tworoom.sites import PROBE_SITE, hidden_site, public_site, training_site

__all__ = ["BUILDER_VERSION", "DEMO", "ENVIRONMENT", "FULL", "TINY", "TWOROOM", "Parameters"]
__all__ += ["build", "plan"]

BUILDER_VERSION = 2
"""Raised whenever the same parameters and seed would give other bytes."""
DEMO = Parameters(episodes=32, public_sites=1, public_episodes=28, evaluation_episodes=32, image=32)
"""For recipe `tworoom-small`: so small a model starts better from one look than from many."""
FULL = Parameters(episodes=64, evaluation_episodes=32)
"""For recipe `tworoom`."""


def sites(generator: np.random.Generator, parameters: Parameters) -> Layout:
    """The designed sites first, drawn ones after them."""
    return Layout(
        tuple(training_site(index, generator) for index in range(parameters.training_sites)),
        tuple(hidden_site(index, generator) for index in range(parameters.hidden_sites)),
        tuple(public_site(index, generator) for index in range(parameters.public_sites)),
    )


TWOROOM = Environment(
    ENVIRONMENT, BUILDER_VERSION, require_simulator, sites, record, PROBE_SITE, actions=2, state=2
)


def build(
    parameters: Parameters,
    out_dir: Path,
    seed: bytes,
    *,
    workers: int = 2,
    evaluation_seed: bytes | None = None,
    progress: Progress | None = None,
) -> BuiltDataset:
    """`build.build` with the TwoRoom simulator."""
    return building.build(
        TWOROOM,
        parameters,
        out_dir,
        seed,
        workers=workers,
        evaluation_seed=evaluation_seed,
        progress=progress,
    )


def plan(parameters: Parameters, seed: bytes, secret: bytes) -> dict[str, Recording]:
    """`building.plan.plan` for TwoRoom."""
    return planning.plan(TWOROOM, parameters, seed, secret)
