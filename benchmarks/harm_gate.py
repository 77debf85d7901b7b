"""By how many standard errors below zero does a delta harm?

Recorded rounds of `round_rules.py`, early to late, of two and of four honest deltas, alone and beside noise
and the honest mean turned round: how many errors each lies from zero, and what becomes of the round under a
smaller and a larger number. The gain is that of the published model on other episodes.

    python benchmarks/harm_gate.py tworoom-small --in 1,4,6,7,8
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
from attacks.attempt import scaled
from attacks.federation import USUAL
from attacks.judging import Held
from attacks.recorded import Recorded, recorded
from attacks.rounds import Data
from round_rules import CACHE, SOLVERS, play

from jepanet.federation.deltas.delta import at_share
from jepanet.federation.judging.similarity import norm
from jepanet.learning.presets import preset
from jepanet.learning.recipe_reader import changed
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.tensors import Arrays

RESULT = Path(__file__).parent / "results" / "harm_gate.json"
ROUNDS = 8


def arrived(round_: Recorded, secret: bytes) -> Mapping[str, list[Arrays]]:
    """Honest deltas first."""
    honest = [round_.deltas[f"honest {place}"] for place in range(SOLVERS)]
    draw = numpy_generator(derive(secret, "noise"), f"round {round_.number}")
    noise = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in honest[0].items()}
    share = np.float32(-1 / SOLVERS)
    junk = [
        scaled(noise, norm(honest[0]) / norm(noise)),
        {name: share * sum(delta[name] for delta in honest) for name in noise},
    ]
    return {
        "2": honest[:2],
        "4": honest,
        "2, noise, turned": [*honest[:2], *junk],
        "4, noise, turned": [*honest, *junk],
    }


@click.command()
@click.argument("recipe")
@click.option("--seed", default=0, type=click.IntRange(0, 99), show_default=True)
@click.option("--in", "wanted", default="1,4,6,7,8", help="Rounds.", show_default=True)
@click.option("--sigmas", default="3,8", help="Standard errors.", show_default=True)
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where findings are kept.")
def main(recipe: str, seed: int, wanted: str, sigmas: str, out: Path) -> None:
    """Rounds of RECIPE under each number."""
    played, rows = preset(recipe), []
    data = Data(recipe, seed, SOLVERS, 2 * ROUNDS, CACHE / "attacks")
    numbers = [int(number) - 1 for number in wanted.split(",")]
    click.echo("| round | deltas | errors from zero | sigmas | out | dropped | gain, milli-nats | paid |")
    click.echo("|---:|---|---|---:|---|---|---:|---|")
    for round_ in recorded(played, data, seed, SOLVERS, numbers, CACHE / "rules", sealed=ROUNDS):
        sealed, report = (Held(round_.base, played, it) for it in (round_.sealed, round_.report))
        for what, deltas in arrived(round_, derive(bytes(32), f"harm {seed}")).items():
            gains = [sealed.gain(at_share(round_.base, delta, len(deltas))) for delta in deltas]
            far = [round(gain.mean / gain.stderr, 1) for gain in gains]
            for many in map(float, sigmas.split(",")):
                found = play(
                    round_, deltas, changed(played, "gates.harm_sigmas", many), sealed, report, USUAL
                )
                rows.append(
                    {"round": round_.number + 1, "deltas": what, "far": far, "sigmas": many, **found.__dict__}
                )
                out_, dropped = (
                    ", ".join(str(place + 1) for place, it in enumerate(places) if it) or "–"
                    for places in ([not it for it in found.accepted], found.dropped)
                )
                gain = f"{1e3 * found.gain:+.1f}" if found.published else "withheld"
                click.echo(
                    f"| {round_.number + 1} | {what} | {', '.join(map(str, far))} | {many:g} | {out_} "
                    f"| {dropped} | {gain} | {', '.join(f'{pay:,}' for pay in found.pay)} |"
                )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
