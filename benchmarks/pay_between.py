"""What is a delta paid that is one of more than were found worth paying, beside what it is worth there?

Pay at the share of the merge is read off two measurements, at 1 / N and 1 / m, by a parabola
(`protocol/settling/shares.py`). Here gains are measured at every share, of honest deltas, lazy ones and one
that saw the shard, also drawn out, and what would be paid is held against that. Beside it two other rules:
the straight line between both points, which is never above a gain that bends, and the curve of a logarithm.

    python benchmarks/pay_between.py tworoom-small
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import exp, log
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
from attacks.judging import Held
from attacks.recorded import recorded
from attacks.rounds import Data
from round_rules import CACHE, SOLVERS

from jepanet.federation.deltas.delta import at_share
from jepanet.learning.presets import preset
from jepanet.protocol.documents.scores import Among
from jepanet.protocol.settling.shares import as_one_of

RESULT = Path(__file__).parent / "results" / "pay_between.json"
COUNTS = (1, 2, 4, 8, 16, 64)
KINDS = ("honest 0", "honest 1", "cheap 0", "leak")
LENGTHS = (1.0, 1.5)

Gains = Mapping[int, tuple[int, int]]
"""By how many deltas it is one of: gain and standard error, micro-nats."""


def parabola(gains: Gains, all_: int, few: int, merged: int) -> float:
    """What is paid."""
    among = Among(few, *gains[few])
    score = SimpleNamespace(gain=gains[all_][0], stderr=gains[all_][1], among=among)
    return as_one_of(score, all_, merged)[0]


def line(gains: Gains, all_: int, few: int, merged: int) -> float:
    low, high, at = 1 / all_, 1 / few, 1 / merged
    return gains[all_][0] + (gains[few][0] - gains[all_][0]) * (at - low) / (high - low)


def logarithm(gains: Gains, all_: int, few: int, merged: int) -> float:
    """As if the score were minus half the logarithm of one residual, which is a parabola of the share."""
    left = {n: (round(1e6 * (exp(-2 * gains[n][0] / 1e6) - 1)), 0) for n in (all_, few)}
    return -0.5e6 * log(max(1e-9, 1 + parabola(left, all_, few, merged) / 1e6))


RULES: Mapping[str, Callable[[Gains, int, int, int], float]] = {
    "parabola": parabola,
    "line": line,
    "logarithm": logarithm,
}


def shares_of(gains: Gains, few: int) -> dict[str, list[float]]:
    """Of each rule, pay over worth: of 8, 16 or 64 revealed ones, as one of more merged than `few`, where
    that is worth more than its error."""
    found: dict[str, list[float]] = {name: [] for name in RULES}
    for all_ in (8, 16, 64):
        for merged in (2, 4, 8, 16):
            worth, error = gains[merged]
            if few < merged < all_ and worth > error:
                for name, rule in RULES.items():
                    found[name].append(max(0.0, rule(gains, all_, few, merged)) / worth)
    return found


@click.command()
@click.argument("recipe")
@click.option("--in", "wanted", default="1,4", help="Rounds, from 1.", show_default=True)
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where the gains are kept.")
def main(recipe: str, wanted: str, out: Path) -> None:
    """Pay between two measurements, in recorded rounds of RECIPE."""
    played, numbers = preset(recipe), [int(number) - 1 for number in wanted.split(",")]
    data = Data(recipe, 0, SOLVERS, 16, CACHE / "attacks")
    kept: dict[str, Gains] = {}
    for round_ in recorded(played, data, 0, SOLVERS, numbers, CACHE / "rules", sealed=8):
        held = Held(round_.base, played, round_.sealed)
        for kind in KINDS:
            for length in LENGTHS:
                delta = {name: np.float32(length) * array for name, array in round_.deltas[kind].items()}
                gains = {n: held.gain(at_share(round_.base, delta, n)) for n in COUNTS}
                kept[f"{round_.number + 1}, {kind}, x {length:g}"] = {
                    n: (round(1e6 * gain.mean), round(1e6 * gain.stderr)) for n, gain in gains.items()
                }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(kept, indent=1))
    click.echo(
        "| deltas | worth paying | rule | cases | least | median | most |\n|---|---|---|---|---|---|---|"
    )
    for kind in ("honest", "cheap", "leak"):
        for length in LENGTHS:
            mine = [gains for key, gains in kept.items() if kind in key and key.endswith(f"x {length:g}")]
            for few in (1, 2, 4):
                for name in RULES:
                    shares = sorted(share for gains in mine for share in shares_of(gains, few)[name])
                    if shares:
                        middle = shares[len(shares) // 2]
                        click.echo(
                            f"| {kind} x {length:g} | {few} | {name} | {len(shares)} | {shares[0]:.2f} | "
                            f"{middle:.2f} | {shares[-1]:.2f} |"
                        )


if __name__ == "__main__":
    main()
