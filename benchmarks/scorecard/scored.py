"""One row of the scorecard, whatever its figures came of."""

from __future__ import annotations

from dataclasses import dataclass

PLAYED, COMPUTED, PARSED = "played", "computed", "parsed"
TARGET = 0.5
"""The most that an attack may earn, of honest pay for each honest training that it costs."""


@dataclass(frozen=True)
class Scored:
    """`cost` in honest trainings, `earned` and `lost` in honest pay (of a verifier: in its fee); None where
    nobody has measured it. A lost bond counts as much as the least that an audited round may ask for.
    `kind`: how the figures came about; of played ones also where. `merged`: whether it reaches the model,
    where that is known. `held`: whether all its tests that were run here pass; None where none was.
    `gets`: what the page says of the attacker. `words`: what it earns, where no number says it. `of`: the
    rows whose figures count for this one, first the one whose they are; `source`: where they come from else.
    `mutants`: how many mutants without a defence were caught by its tests."""

    attack: str
    kind: str
    defence: str
    cost: float | None
    earned: float | None
    lost: float | None
    merged: bool | None
    open: bool
    tests: tuple[str, ...] = ()
    held: bool | None = None
    detected: str = ""
    effect: str = ""
    undefended: str = ""
    gets: str = ""
    words: str = ""
    of: tuple[str, ...] = ()
    source: str = ""
    mutants: int = 0

    @property
    def net(self) -> float | None:
        """Earned less lost; None where nobody has measured it."""
        return None if self.earned is None else self.earned - (self.lost or 0.0)

    @property
    def beyond(self) -> bool:
        """Whether it is left with more than the target."""
        return self.net is not None and self.cost is not None and self.net > TARGET * self.cost + 1e-9
