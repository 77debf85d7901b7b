"""The PushT dataset: what the builder needs to know of this simulator, and its usual sizes."""

from __future__ import annotations

import numpy as np

from jepanet.learning.data.building.plan import Environment, Layout
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.simulators.loader import require_simulator
from jepanet.learning.simulators.pusht.simulator import ENVIRONMENT, record
from jepanet.learning.simulators.pusht.sites import PROBE_SITE, hidden_site, public_site, training_site

BUILDER_VERSION = 2
"""Raised whenever the same parameters and seed would give other bytes."""
USUAL = Parameters(episodes=64, evaluation_episodes=60, hold=2)
"""Actions are held for two steps of a tenth of a second. Small gains want many sealed episodes."""


def sites(generator: np.random.Generator, parameters: Parameters) -> Layout:
    """The designed sites first, drawn ones after them."""
    return Layout(
        tuple(training_site(index, generator) for index in range(parameters.training_sites)),
        tuple(hidden_site(index, generator) for index in range(parameters.hidden_sites)),
        tuple(public_site(index, generator) for index in range(parameters.public_sites)),
    )


PUSHT = Environment(
    ENVIRONMENT, BUILDER_VERSION, require_simulator, sites, record, PROBE_SITE, actions=2, state=6
)
