"""The tables of finished runs, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from attacks.rows import HONEST, MERGE, Row, Run

AIM_T, AIM_SHARE, MOST_PAY = 5.0, 0.9, 0.5
SEAT = "honest, of this seat"
"""The delta in whose place the attacks stand: what those that begin with it are to be held against."""


def report(runs: Sequence[Run]) -> str:
    """Of one recipe: honest work delta by delta, then what each attack earns."""
    return "\n".join([*_honest(runs), "", *_attacks(runs)]) + "\n"


def summary(runs: Sequence[Run]) -> str:
    found = [row for run in runs for row in run.rows if row.kind == HONEST]
    ts, lengths = [row.t for row in found], [row.length for row in found]
    above = sum(t > 2 for t in ts) / len(ts)
    met = median(ts) >= AIM_T and above >= AIM_SHARE
    return (
        f"{len(ts)} honest deltas: median t {median(ts):.1f}, {above:.0%} above 2, lowest {min(ts):.1f} "
        f"({'met' if met else 'missed'}: {AIM_T:g} and {AIM_SHARE:.0%}); "
        f"{sum(row.verdict == 'ACCEPTED' for row in found)} accepted; "
        f"norms {min(lengths):.2f} to {max(lengths):.2f} times the median of their round"
    )


def _honest(runs: Sequence[Run]) -> Iterator[str]:
    yield "| seed | round | base scores | honest gains, milli-nats | t | merged | t | variance | rank |"
    yield "|---:|---:|---:|---|---|---|---:|---:|---:|"
    for run in runs:
        for number, score in enumerate(run.scores):
            rows = [row for row in run.rows if row.round == number and row.kind == HONEST]
            merges = [row for row in run.rows if row.round == number and row.kind == MERGE]
            line = [
                str(run.seed),
                str(number),
                f"{score:.3f}",
                ", ".join(f"{row.gain / 1000:+.2f}" for row in rows),
                ", ".join(f"{row.t:.1f}" for row in rows),
            ]
            for row in merges:
                line += [
                    f"{row.gain / 1000:+.2f}, {row.verdict.lower()}",
                    f"{row.t:.1f}",
                    *(f"x {row.ratios[name]:.2f}" for name in ("variance", "rank")),
                ]
            yield f"| {' | '.join(line + ['' for _ in range(9 - len(line))])} |"
    yield ""
    yield summary(runs)


def _attacks(runs: Sequence[Run]) -> Iterator[str]:
    yield "| in place of the last solver | norm | gain, milli-nats | t | accepted | why not | of honest pay |"
    yield "|---|---:|---:|---:|---:|---|---:|"
    kinds = dict.fromkeys(row.kind for run in runs for row in _last(run) if row.kind != MERGE)
    own = paid(runs, SEAT)[0]
    for kind in [HONEST, SEAT, *(kind for kind in kinds if kind != HONEST)]:
        rows = [row for run in runs for row in _of(run, kind)]
        share, low, high = paid(runs, kind)
        text = _spread(f"{share:.2f}", f"{low:.2f}", f"{high:.2f}", len(runs))
        over = share > (1.1 * max(own, 1.0) if kind.startswith(HONEST) else MOST_PAY)
        gains = [row.gain / 1000 for row in rows]
        why = dict.fromkeys(row.reason for row in rows if row.verdict != "ACCEPTED")
        cells = [
            kind,
            f"x {median(row.length for row in rows):.2f}",
            _spread(f"{median(gains):+.2f}", f"{min(gains):+.2f}", f"{max(gains):+.2f}", len(gains)),
            f"{median(row.t for row in rows):+.1f}",
            f"{sum(row.verdict == 'ACCEPTED' for row in rows)}/{len(rows)}",
            ", ".join(why),
            f"**{text}**" if over else text,
        ]
        yield f"| {' | '.join(cells)} |"


def _spread(middle: str, low: str, high: str, values: int) -> str:
    """One value has no interval."""
    return f"{middle} [{low}, {high}]" if values > 1 else middle


def paid(runs: Sequence[Run], kind: str) -> tuple[float, float, float]:
    """What a kind of delta is paid over what honest ones of the same round are, at the median: over all seeds
    together, and the lowest and highest of one seed."""
    each = []
    for run in runs:
        honest = [row.pay for row in _of(run, HONEST)]
        these = [row.pay for row in _of(run, kind)]
        if these:
            each.append((median(these), median(honest)))
    shares = [made / usual if usual else 0.0 for made, usual in each]
    total = sum(usual for _, usual in each)
    return sum(made for made, _ in each) / total if total else 0.0, min(shares), max(shares)


def _of(run: Run, kind: str) -> list[Row]:
    """Of the last round."""
    if kind == SEAT:
        return _of(run, HONEST)[-1:]
    return [row for row in _last(run) if row.kind == kind]


def _last(run: Run) -> list[Row]:
    return [row for row in run.rows if row.round == len(run.scores) - 1]


def by_recipe(runs: Mapping[str, Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs.values():
        found.setdefault(run.recipe, []).append(run)
    return found
