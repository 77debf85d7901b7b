"""The PushT dataset: what the builder needs to know of this simulator, and its usual sizes."""

from __future__ import annotations

from jepanet.learning.data.building.plan import Environment, layout_of, recorded_size
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.simulators.loader import require_simulator
from jepanet.learning.simulators.offer import PROBE_SITE, Task
from jepanet.learning.simulators.pusht import PUSHT
from jepanet.learning.simulators.pusht.simulator import record
from jepanet.learning.simulators.pusht.sites import (
    GREY,
    hidden_site,
    public_site,
    random_site,
    training_site,
)

BUILDER_VERSION = 2
"""Raised whenever the same parameters and seed would give other bytes."""
USUAL = Parameters(episodes=64, evaluation_episodes=60, hold=2)
"""Actions are held for two steps of a tenth of a second. Small gains want many sealed episodes."""

TASK = Task(
    environment=Environment(
        name=PUSHT.environment,
        version=BUILDER_VERSION,
        require=require_simulator,
        sites=layout_of(training_site, hidden_site, public_site),
        record=record,
        probe_site=PROBE_SITE,
        episode_size=recorded_size(actions=2, state=6),
    ),
    sizes={"pusht": USUAL},
    drawn_site=random_site,
    grey_site=GREY,
    hold=USUAL.hold,
)
