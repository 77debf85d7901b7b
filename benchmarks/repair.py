"""What does it cost to mend a merge, from 2 to 64 deltas, beside scoring them?

Deltas of one recorded round of `round_rules.py`: honest ones, and as many more as are wanted that lie beside
them; a part of all may be cheap long steps, which make the merge fail. Counted are the models that were run
on the sealed shard and CPU seconds of one thread, judging and mending apart.

    python benchmarks/repair.py --most 64
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from attacks.attempt import drawn_out, scaled
from attacks.judging import Held, judged
from attacks.recorded import CHEAP, Recorded, recorded
from attacks.rounds import LEARNING_RATE, MOMENTUM, Data

from jepanet.federation.judging.judge import merge
from jepanet.federation.judging.repair import Repair
from jepanet.federation.judging.similarity import norm
from jepanet.learning.presets import preset
from jepanet.learning.seeding import numpy_generator
from jepanet.tensors import Arrays
from jepanet.types import Digest, Verdict

RESULT = Path(__file__).parent / "results" / "repair.json"
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
SOLVERS, ROUNDS = 4, 8


def deltas_of(round_: Recorded, count: int, bad: int) -> list[Arrays]:
    """`bad` cheap long steps and honest work, each with a direction of its own beside it (cosine 0.8)."""
    draw, made = numpy_generator(bytes(32), f"repair {count}"), []
    size = norm(round_.deltas["honest 0"])
    for place in range(count):
        work = round_.deltas[f"cheap {place % CHEAP}" if place < bad else f"honest {place % SOLVERS}"]
        noise = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in work.items()}
        noise = drawn_out(noise, 0.75 * norm(work))
        mixed = {name: work[name] + noise[name] for name in work}
        made.append(scaled(mixed, (1.95 if place < bad else 1.0) * size / norm(mixed)))
    return made


def measure(round_: Recorded, count: int, bad: int) -> dict[str, object]:
    recipe = preset("tworoom-small")
    began = time.process_time()
    scorer = Held(round_.base, recipe, round_.sealed)
    arrived, findings = judged(round_.base, deltas_of(round_, count, bad), scorer, recipe)
    scoring = time.process_time() - began
    accepted = [item.digest for item in findings if item.verdict is Verdict.ACCEPTED]

    def merge_of(kept: Sequence[Digest]) -> Arrays:
        return merge(
            round_.base, round_.velocity, [(digest, arrived[digest]) for digest in kept],
            lr_milli=LEARNING_RATE, momentum_milli=MOMENTUM,
        )[0]  # fmt: skip

    began = time.process_time()
    fresh = Held(round_.base, recipe, round_.sealed)
    repair = Repair(accepted, merge_of, fresh.metrics(round_.base), fresh, sigmas_milli=1000)
    mended = repair.mend()
    return {
        "deltas": count,
        "bad": bad,
        "accepted": len(accepted),
        "dropped": len(mended.dropped),
        "published": mended.verdict.published,
        "models": repair.measured,
        "scoring": round(scoring, 2),
        "mending": round(time.process_time() - began, 2),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


@click.command()
@click.option("--most", default=64, type=click.IntRange(2, 64), show_default=True)
@click.option("--out", default=RESULT, type=click.Path(path_type=Path))
def main(most: int, out: Path) -> None:
    """Prints a row for each number of deltas, without bad ones and with half of them bad."""
    recipe = preset("tworoom-small")
    data = Data("tworoom-small", 0, SOLVERS, 2 * ROUNDS, CACHE / "attacks")
    (round_,) = recorded(recipe, data, 0, SOLVERS, [0], CACHE / "rules", sealed=ROUNDS)
    rows = []
    click.echo("| deltas | bad | dropped | published | models | scoring, s | mending, s | MiB |")
    click.echo("|---:|---:|---:|---|---:|---:|---:|---:|")
    count = 2
    while count <= most:
        for bad in (0, count // 2):
            row = measure(round_, count, bad)
            rows.append(row)
            click.echo(
                f"| {count} | {bad} | {row['dropped']} of {row['accepted']} | {row['published']} | "
                f"{row['models']} | {row['scoring']} | {row['mending']} | {row['memory']} |"
            )
        count *= 2
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
