"""What a simulator offers: `Simulator` names it without loading it, `Task` is what its folder provides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from jepanet.learning.data.building.plan import Environment
    from jepanet.learning.data.building.recording import NumberedSite
    from jepanet.learning.data.sizes import Parameters
    from jepanet.learning.simulators.goals import Play

HIDDEN_SITE, GREY_SITE, PROBE_SITE = 1000, 2000, 3000
"""First numbers of sites, the same for every simulator: hidden ones, those of the warm start, and the one
number of probe frames, each of which has a site of its own. Training sites are numbered from 0."""


@dataclass(frozen=True, slots=True)
class UsualDataset:
    """One usual size of a dataset. `recipe` names the size on the command line; `others` are presets that
    train on such a dataset as well."""

    recipe: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator by name, cheap to import: nothing of numpy and nothing of the simulator is loaded.

    `name` is the word of `jepanet dataset build`. Presets for the simulator begin with it, or stand in
    `datasets`.
    """

    name: str
    title: str
    library: str
    environment: str
    """What manifests and shards say they were recorded in: library, version, environment."""
    datasets: tuple[UsualDataset, ...]
    """The first is the usual one."""
    examples: tuple[str, ...]
    """What follows `jepanet dataset build NAME` in the examples of its help."""
    load: Callable[[], Task]
    """Imports the simulator's folder. The simulator's own library is loaded when something is recorded."""

    @property
    def summary(self) -> str:
        """One sentence on what is built."""
        return f"Record {self.title} episodes of {self.library} on several sites."

    def trains(self, preset: str) -> bool:
        """Whether the preset of that name was made for this simulator."""
        return preset.startswith(self.name) or self.dataset_for(preset) is not None

    def dataset_for(self, recipe: str) -> UsualDataset | None:
        """The dataset that the preset of that name trains on; None where no usual one is for it."""
        found = (item for item in self.datasets if recipe in (item.recipe, *item.others))
        return next(found, None)


@dataclass(frozen=True, slots=True)
class Task:
    """What the folder of a simulator provides, beside the record that the builder of datasets needs."""

    environment: Environment
    sizes: Mapping[str, Parameters]
    """By the name of each of `Simulator.datasets`."""
    drawn_site: Callable[[int, np.random.Generator], NumberedSite]
    """(number, generator) -> a site with random looks in which the agent can be seen."""
    grey_site: NumberedSite
    """The site of the warm start that is the same in every dataset."""
    hold: int
    """Simulator steps for which an action is held, where nothing else is asked for."""
    play: Play | None = None
    """How models act in it; None: it can only be recorded."""
