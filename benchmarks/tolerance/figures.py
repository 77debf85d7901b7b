"""Tables and rates of `tolerant_audits.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

from jepanet.learning.auditing.tolerance import BOUND, Distance

Row = dict[str, Any]
Lines = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""Title, columns, lines."""
_NAMES = tuple(item.name for item in fields(Distance))


def interval(hits: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper & Pearson's interval of a rate, by halving."""

    def tail(rate: float, counts: range) -> float:
        if rate in (0.0, 1.0):
            return float((0 if rate == 0.0 else of) in counts)
        whole = math.lgamma(of + 1)
        return sum(
            math.exp(
                whole - math.lgamma(n + 1) - math.lgamma(of - n + 1)
                + n * math.log(rate) + (of - n) * math.log1p(-rate)
            )
            for n in counts
        )  # fmt: skip

    def solved(counts: range, rising: bool) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            if (tail(middle, counts) < (1 - level) / 2) == rising:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    lower = 0.0 if hits == 0 else solved(range(hits, of + 1), True)
    upper = 1.0 if hits == of else solved(range(hits + 1), False)
    return lower, upper


def tables(rows: Sequence[Row]) -> list[Lines]:
    """Honest distances by pair of builds and by length; and how often the bound is wrong."""
    # What was trained and audited alike is equal to the bit, and says nothing of rounding.
    rows = [row for row in rows if "cheat" in row or row["trainer"] != row["auditor"]]
    honest = [row for row in rows if "cheat" not in row]
    lines = []
    for pair in dict.fromkeys((row["recipe"], row["trainer"], row["auditor"]) for row in honest):
        found = [row for row in honest if (row["recipe"], row["trainer"], row["auditor"]) == pair]
        lines.append((*pair, str(len(found)), *_most(found)))
    for steps in sorted({row["steps"] for row in honest}) if honest else ():
        found = [row for row in honest if row["steps"] == steps]
        lines.append(("all", "", f"parts of {steps} steps", str(len(found)), *_most(found)))
    lines.append(("bound", "", "", "", *(f"{limit:.1e}" for limit in astuple(BOUND))))
    columns = ("recipe", "trained", "audited", "parts", *_NAMES)
    rates = [
        line
        for kind in ("honest", *dict.fromkeys(row["cheat"] for row in rows if "cheat" in row))
        for line in _rates(kind, [row for row in rows if row.get("cheat", "honest") == kind])
    ]
    judged = ("what was done", "parts", "judged wrong", "rate", "95 % interval", "share of the bound")
    return [
        ("Honest parts: the largest distances", columns, lines),
        ("How often the bound is wrong", judged, rates),
    ]


def written(found: Sequence[Lines]) -> str:
    """As Markdown."""
    texts = []
    for title, columns, lines in found:
        rows = [columns, ("---",) * len(columns), *lines]
        texts.append(f"### {title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(texts) + "\n"


def _most(found: Sequence[Row]) -> list[str]:
    return [f"{max(row['distance'][place] for row in found):.1e}" for place in range(len(_NAMES))]


def _share(row: Row) -> float:
    """What is refused without a distance is beyond every bound."""
    return Distance(*row["distance"]).share(BOUND)[0] if row["distance"] else math.inf


def _rates(kind: str, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Of honest parts, what is found wrong, by recipe; of others, what is not."""
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    if kind != "honest":
        shares = [_share(row) for row in rows]
        least = ", ".join(
            f"{name} {min(_share(row) for row in rows if row['recipe'] == name):.2g}" for name in recipes
        )
        return [_rate(kind, sum(share <= 1 for share in shares), len(shares), f"least: {least}")]
    lines = []
    for name in (*recipes, "all"):
        found = [row for row in rows if name in (row["recipe"], "all")]
        wrong = sum(_share(row) > 1 or row["wrong"] is not None for row in found)
        lines.append(_rate(f"honest, {name}", wrong, len(found), f"most: {max(map(_share, found)):.2g}"))
    return lines


def _rate(what: str, wrong: int, parts: int, said: str) -> tuple[str, ...]:
    low, high = interval(wrong, parts)
    return what, str(parts), str(wrong), f"{wrong / parts:.1%}", f"{low:.1%} to {high:.1%}", said
