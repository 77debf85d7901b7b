"""Every simulator, by name. A new one is a folder beside this file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.learning.simulators.offer import Simulator, UsualDataset
from jepanet.learning.simulators.pusht import PUSHT
from jepanet.learning.simulators.tworoom import TWOROOM

SIMULATORS: Mapping[str, Simulator] = {
    simulator.name: simulator
    for simulator in (
        TWOROOM,
        PUSHT,
    )
}


def recorded_in(environment: str) -> Simulator | None:
    """The simulator whose datasets say `environment`; None: it was recorded in none of ours."""
    return next((item for item in SIMULATORS.values() if item.environment == environment), None)


def dataset_for(recipe: str) -> tuple[Simulator, UsualDataset] | None:
    """The simulator and its dataset that the preset of that name trains on; None where no usual one is."""
    for simulator in SIMULATORS.values():
        dataset = simulator.dataset_for(recipe)
        if dataset is not None:
            return simulator, dataset
    return None
