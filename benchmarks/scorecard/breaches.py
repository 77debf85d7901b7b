"""What the scorecard is held to: a sentence for each row that falls short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scorecard.scored import PARSED, PLAYED, TARGET, Scored

LEAST_ROWS = 40
"""That were played."""


def breaches(rows: Sequence[Scored], survived: Sequence[str] = ()) -> Iterator[str]:
    """Of all rows together; `survived`: the defences without which every test passed."""
    played = sum(row.kind.startswith(PLAYED) for row in rows)
    if played < LEAST_ROWS:
        yield f"{played} rows were played: {LEAST_ROWS} are asked for"
    stands = {name for row in rows if row.kind == PARSED and row.open for name in row.of}
    for row in rows:
        yield from _of_pay(row)
        if row.open and row.kind != PARSED and row.attack not in stands:
            yield f"{row.attack!r} is open, and no open row of the threat model has its figures"
        if row.held is False:
            yield f"{row.attack!r}: a test that shows what stops it fails"
    for defence in survived:
        yield f"no test notices when this is taken away: {defence}"


def _of_pay(row: Scored) -> Iterator[str]:
    figures = row.earned is not None and row.cost is not None
    if row.beyond and not row.open:
        yield (
            f"{row.attack!r} is left with {row.net:.2f} of honest pay for {row.cost:g} trainings, more than"
            f" {TARGET} of it, and is not said to be open"
        )
    if row.open and not figures and not row.words:
        yield f"{row.attack!r} is open and has no figure"
    if not row.open and row.gets and not figures and not row.words:
        yield f"{row.attack!r}: the page does not say what it earns, and nothing else does: {row.gets!r}"
