"""The rows of the threat model, and where the figures of those come from that say none themselves."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scorecard.scored import PARSED, TARGET, Scored

_NOTHING = re.compile(
    r"(gets|earns|is paid|has|gains) (about )?(nothing|no )|^nothing|unpaid|not paid|cannot|is refused|"
    r"harms itself|nobody (trains|takes part|is paid)|gets no |finds no |no dataset|sees nothing",
    re.IGNORECASE,
)
_LOSES = re.compile(
    r"(loses?|pays?|costs?) (its |the |a part of its |the whole |a part of the )?(fee|bond|stake|deposit)"
    r"|a bond each",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Figure:
    """Of one row of the page, which begins with `attack`: the rows whose figures are its own (`of`), or the
    figures and their `source`, or what it earns in `words`, where no number of honest pay says it."""

    attack: str
    of: tuple[str, ...] = ()
    cost: float | None = None
    earned: float | None = None
    lost: float | None = None
    source: str = ""
    words: str = ""


def read_figures(file: Path) -> list[Figure]:
    """Raises: TypeError for a field that there is not."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    nothing = [Figure(attack, cost=0.0, earned=0.0) for attack in document["no_pay"]]
    return nothing + [Figure(**{**row, "of": tuple(row.get("of", ()))}) for row in document["row"]]


def shown(page: str) -> Iterator[Scored]:
    """The rows of the threat model that say what stops an attack and what shows it, as the page has them: a
    figure only where it says that its attacker gets nothing."""
    for line in page.splitlines():
        cells = [_plain(cell) for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) not in (3, 4) or cells[0].startswith("Attack"):
            continue
        gets = cells[2] if len(cells) == 4 else ""
        tests = tuple(dict.fromkeys(re.findall(r"`(test[A-Za-z_]\w*)`", line.split(" | ")[-1])))
        is_open = "**open**" in line.lower()
        if not tests and not is_open:
            continue
        nothing = not is_open and (_NOTHING.search(gets) or _LOSES.search(gets))
        yield Scored(
            attack=cells[0],
            kind=PARSED,
            defence=cells[1],
            cost=0.0 if nothing else None,
            earned=0.0 if nothing else None,
            lost=0.0 if nothing else None,
            merged=None,
            open=is_open,
            tests=tests,
            gets=gets,
        )


def with_figures(
    rows: Sequence[Scored], named: Iterable[Figure], others: Sequence[Scored]
) -> tuple[list[Scored], list[str]]:
    """The page's rows with what `named` says of them, and a sentence for each that fits nothing. Of several
    rows whose figures count, the one that is left with most."""
    by_name = {row.attack: row for row in others}
    found, wrong = list(rows), []
    for item in named:
        places = [place for place, row in enumerate(rows) if row.attack.startswith(item.attack)]
        if len(places) != 1:
            wrong.append(f"{item.attack!r} is the beginning of {len(places)} rows of the page, not of one")
            continue
        missing = [name for name in item.of if name not in by_name]
        if missing:
            wrong.append(
                f"{item.attack!r} has its figures from rows that there are not: {', '.join(missing)}"
            )
        sources = sorted((by_name[name] for name in item.of if name in by_name), key=_left, reverse=True)
        (place,) = places
        found[place] = _filled(found[place], item, sources)
    return found, wrong


def _filled(row: Scored, item: Figure, sources: Sequence[Scored]) -> Scored:
    if sources:
        most = sources[0]
        names = tuple(source.attack for source in sources)
        row = replace(row, cost=most.cost, earned=most.earned, lost=most.lost, of=names)
    elif item.earned is not None:
        row = replace(row, cost=item.cost, earned=item.earned, lost=item.lost or 0.0)
    return replace(row, source=item.source, words=item.words)


def _left(row: Scored) -> float:
    """By how much a row is above what is allowed."""
    return (row.net or 0.0) - TARGET * (row.cost or 0.0)


def _plain(cell: str) -> str:
    """Without marks; of links, their words. The text of `code` stays."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"[`*]", "", cell)).strip()
