"""What comes of an attack that was played, a row each; `benchmarks/attack_scorecard.py` reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

NETWORK, WORK = "network", "work"
"""Against real nodes on a chain; or, of what is learning alone, through the jobs of `jepanet.work`."""


@dataclass(frozen=True)
class Played:
    """`cost` in honest trainings. `earned` over what honest work of the same round is paid; None where that
    is nothing and the attack is paid something. `lost` in whole bonds, of `bond` honest pays each; 0 where a
    round of the scenario has a bond of any size."""

    attack: str
    defence: str
    on: str
    cost: float
    earned: float | None
    lost: float
    merged: bool
    detected: str
    """As what, in the words of a receipt, the contract or a log; empty where nobody noticed."""
    open: bool = False
    effect: str = ""
    """On the model or on others, with the defence."""
    undefended: str = ""
    """The same without it, where that was played too."""
    bond: float = 0.0


def keep(folder: Path, part: str, rows: Iterable[Played]) -> None:
    """The rows of one part; whole or not at all."""
    draft = folder / f"{part}.part"
    draft.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / f"{part}.json")


def kept(folder: Path) -> list[Played]:
    """Of all parts, in the order of their names."""
    return [
        Played(**row)
        for path in sorted(folder.glob("*.json"))
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]
