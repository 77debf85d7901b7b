"""Every simulator, by name. A new one is a folder beside this file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.learning.simulators.offer import Simulator
from jepanet.learning.simulators.pusht import PUSHT
from jepanet.learning.simulators.tworoom import TWOROOM

SIMULATORS: Mapping[str, Simulator] = {
    simulator.name: simulator
    for simulator in (
        TWOROOM,
        PUSHT,
    )
}
