"""The scorecard as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scorecard.scored import COMPUTED, PARSED, PLAYED, Scored

_HEAD = """# Attacks, and what they earn

Written by `python benchmarks/attack_scorecard.py --page docs/reports/attack-scorecard.md`, from what was
played by `scripts/test attacks`, what was measured (`benchmarks/measured_attacks.toml`) and the
[threat model](../threat-model.md), which has every attack with what stops it and the tests that show it.

`cost` is in honest trainings, `earned` and `lost` in the pay of honest work in the same place, or in the fee
of an honest verifier. What is lost of bonds counts as the least that an audited round may ask for. An attack
is held to half of honest pay for each training that it costs, after what it loses; what is left with more is
**open**, and stands in the threat model.
"""
_TABLES = (
    ("Against real nodes", f"{PLAYED} (network)",
     "Attackers beside honest nodes, on a chain; `detected` says as what they were refused."),
    ("In learning, without a chain", f"{PLAYED} (work)",
     "Through the jobs that nodes run, in the first and the fourth round of a federation of four\n"
     "(`tworoom-small`, one seed); the round counts in which an attack is left with more. Honest work is\n"
     "paid what it is in the same place, or the mean of all four if that is more. Rounds draw a quarter of\n"
     "their solvers for audits, but where it says that nothing is audited."),
    ("Computed", COMPUTED,
     "From what was measured without audits, over seeds and rounds, and the bond rule."),
)  # fmt: skip


def page_of(rows: Sequence[Scored]) -> Iterator[str]:
    """Lines of Markdown."""
    yield _HEAD
    for title, kind, text in _TABLES:
        yield f"## {title}\n\n{text}\n"
        yield "| attack | what stops it | cost | earned | lost | detected | |"
        yield "|---|---|---:|---:|---:|---|---|"
        for row in rows:
            if row.kind == kind:
                cells = (row.attack, row.defence, _n(row.cost), _n(row.earned), _n(row.lost), row.detected,
                         "**open**" if row.open else "")  # fmt: skip
                yield f"| {' | '.join(cells)} |"
        yield ""
    yield "## What is open\n\nOf the threat model, as it stands there.\n"
    yield "| attack | cost | earned | lost | |"
    yield "|---|---:|---:|---:|---|"
    for row in rows:
        if row.kind == PARSED and row.open:
            told = row.words or row.source or (f"as: {row.of[0]}" if row.of else "")
            yield f"| {row.attack} | {_n(row.cost)} | {_n(row.earned)} | {_n(row.lost)} | {told} |"


def _n(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")
