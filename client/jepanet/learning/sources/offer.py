"""What datasets can be built from: a simulator that plays episodes, or a package of texts or pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from jepanet.learning.simulators.offer import UsualDataset

if TYPE_CHECKING:
    from jepanet.learning.data.building.plan import Environment
    from jepanet.learning.data.sizes import Counts


class Buildable(Protocol):
    """What a folder provides to the builder of datasets."""

    @property
    def environment(self) -> Environment: ...

    @property
    def sizes(self) -> Mapping[str, Counts]:
        """By the name of each of `Offer.datasets`."""


class Offer(Protocol):
    """Something that datasets are built from, by name; nothing of it is loaded. A simulator is one."""

    @property
    def name(self) -> str:
        """The word of `jepanet dataset build`."""

    @property
    def title(self) -> str: ...

    @property
    def summary(self) -> str:
        """One sentence on what is built."""

    @property
    def environment(self) -> str:
        """What manifests and shards say they were built from: library, version, environment."""

    @property
    def datasets(self) -> tuple[UsualDataset, ...]:
        """The first is the usual one."""

    @property
    def examples(self) -> tuple[str, ...]:
        """What follows `jepanet dataset build NAME` in the examples of its help."""

    @property
    def load(self) -> Callable[[], Buildable]: ...

    def trains(self, preset: str) -> bool:
        """Whether the preset of that name was made for it."""

    def dataset_for(self, recipe: str) -> UsualDataset | None:
        """The dataset that the preset of that name trains on; None where no usual one is for it."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What the folder of a package provides, beside its record."""

    environment: Environment
    sizes: Mapping[str, Counts]
    unfamiliar: Callable[[Any], bool] = field(default=lambda site: False)
    """Whether a hidden site, of the source's own kind, has what no training site has: another style, another
    domain."""


@dataclass(frozen=True, slots=True)
class Source:
    """A package of texts or pictures (`Offer`)."""

    name: str
    title: str
    summary: str
    environment: str
    licence: str
    """Under which what is built may be passed on."""
    datasets: tuple[UsualDataset, ...]
    examples: tuple[str, ...]
    load: Callable[[], Collection]

    def trains(self, preset: str) -> bool:
        return self.dataset_for(preset) is not None

    def dataset_for(self, recipe: str) -> UsualDataset | None:
        return next((item for item in self.datasets if recipe in (item.recipe, *item.others)), None)
