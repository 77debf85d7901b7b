"""What does judging a round cost, from 2 to 64 deltas, beside measuring one model once?

The two jobs of a coordinator, as its worker does them on files: `ScoreClaims`, and `MergeDeltas` with a rule
that drops what makes the merge worse. Deltas of one recorded round of `round_rules.py`: honest ones, and as
many more as are wanted that lie beside them; half of them may be cheap long steps, which make the merge fail.
Each row is a process of its own, so that its peak of memory is its own. Counted are CPU seconds of one thread
after torch was loaded and had measured one model; the yardstick, in the same process, is one model run on the
same shard with its metrics: the median of five before the jobs, five between them and five after.

    python benchmarks/scoring_cost.py --most 64
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click
import numpy as np
from attacks.attempt import drawn_out, scaled
from attacks.judging import CODEC
from attacks.recorded import CHEAP, Recorded, recorded
from attacks.rounds import Data

from jepanet.addresses import checksum_address
from jepanet.cid import digest_of
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging.similarity import norm
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import Shard, load_shard, shard_bytes
from jepanet.learning.evaluation.metrics import encode, metrics_of
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import numpy_generator
from jepanet.protocol.documents.spec import MergeRule, RoundSpec, encode_spec
from jepanet.tensors import Arrays
from jepanet.types import ZERO_DIGEST, ProjectId, RoundId, Verdict
from jepanet.work.jobs import run
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims

RESULT = Path(__file__).parent / "results" / "scoring_cost.json"
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
FAMILIES = ("tworoom-small", "image-tiny")
SOLVERS, ROUNDS, SIGMAS = 4, 8, 1000


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


def write_round(folder: Path, recipe: Recipe, round_: Recorded, deltas: Sequence[Arrays]) -> None:
    """All files of a round, as a coordinator has fetched them; deltas by number."""
    shard = round_.sealed
    base = model_bytes(round_.base, ModelHeader.of(recipe, RoundId(0)), round_.velocity)
    spec = RoundSpec(
        project=ProjectId(1),
        base=digest_of(base),
        recipe=recipe.digest(),
        dataset=ZERO_DIGEST,
        inner_steps=recipe.inner_steps,
        start_step=0,
        total_steps=recipe.inner_steps,
        codec=CODEC,
        max_delta_bytes=1 << 28,
        price=1,
        merge=MergeRule(drop_sigmas_milli=SIGMAS),
    )
    entry = ShardEntry(0, digest_of(b"a shard"), 1, 1)
    told = EvaluationEntry(1, None, shard.episodes, tuple(sorted(set(shard.site))))
    manifest = DatasetManifest(
        "benchmark", {}, bytes(32), (entry,), entry, entry, told, data=shard.schema.name
    )
    header = DeltaHeader(base=spec.base, recipe=spec.recipe)
    files = {f"delta-{place}": encode_delta(delta, header, CODEC) for place, delta in enumerate(deltas)}
    files |= {"base": base, "recipe": recipe.to_bytes(), "spec": encode_spec(spec)}
    files |= {"shard": shard_bytes(shard), "manifest": manifest.to_bytes()}
    for name, data in files.items():
        (folder / name).write_bytes(data)


def yardstick(weights: Arrays, recipe: Recipe, shard: Shard) -> list[float]:
    """CPU seconds in which one model is run on a shard and its metrics are computed, five times."""
    took = []
    for _ in range(6):
        began = time.process_time()
        metrics_of(encode(weights, recipe, shard), shard, recipe)
        took.append(time.process_time() - began)
    return took[1:]


def row(folder: Path, recipe: Recipe, count: int) -> dict[str, object]:
    """Both jobs in this process. Memory in MiB, that of the process before them apart."""
    files = RoundFiles(folder / "base", folder / "recipe", folder / "spec")
    evaluation = EvaluationFiles(folder / "shard", folder / "manifest")
    weights = load_model((folder / "base").read_bytes(), recipe).weights
    shard = load_shard(folder / "shard")
    one = yardstick(weights, recipe, shard)
    paths = [folder / f"delta-{place}" for place in range(count)]
    claims = tuple(
        ClaimedDelta(checksum_address(f"0x{place:040x}"), place, digest_of(path.read_bytes()), path)
        for place, path in enumerate(paths)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    scored = run(ScoreClaims(files, evaluation, claims))
    scoring = time.process_time() - began
    scoring_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one += yardstick(weights, recipe, shard)
    accepted = [item.digest for item in scored.judgements if item.verdict is Verdict.ACCEPTED]
    deltas = tuple(
        AcceptedDelta(item.digest, item.path) for item in claims if item.digest in accepted and item.path
    )
    began = time.process_time()
    merged = run(MergeDeltas(files, evaluation, deltas, RoundId(1), folder / "made"))
    merging = time.process_time() - began
    one += yardstick(weights, recipe, shard)
    return {
        "deltas": count,
        "accepted": len(accepted),
        "dropped": len(merged.dropped),
        "published": merged.published,
        "one": median(one),
        "scoring": scoring,
        "merging": merging,
        "before": before >> 10,
        "scoring_memory": scoring_memory - before >> 10,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before >> 10,
    }


def measured(recipe: Recipe, round_: Recorded, count: int, bad: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        write_round(Path(folder), recipe, round_, deltas_of(round_, count, bad))
        call = [sys.executable, __file__, "--row", folder, "--recipe", recipe.name, "--most", str(count)]
        found: dict[str, object] = json.loads(subprocess.run(call, check=True, capture_output=True).stdout)
    return {"recipe": recipe.name, "bad": bad, **found}


@click.command()
@click.option("--most", default=64, type=click.IntRange(2, 64), show_default=True)
@click.option("--deltas", "counts", default="", help="So many, 2,64 for example; else 2, 4, 8 and so on.")
@click.option("--recipe", "recipes", multiple=True, default=FAMILIES, show_default=True)
@click.option("--row", "folder", type=click.Path(path_type=Path), hidden=True)
@click.option("--out", default=RESULT, type=click.Path(path_type=Path))
def main(most: int, counts: str, recipes: tuple[str, ...], folder: Path | None, out: Path) -> None:
    """Prints a row for each number of deltas, without bad ones and with half of them bad."""
    if folder is not None:
        click.echo(json.dumps(row(folder, preset(recipes[0]), most)))
        return
    rows = []
    click.echo(
        "| recipe | deltas | bad | dropped | one model, s | scoring | merging | a delta, s | a delta "
        "| MiB | a delta | over the first |"
    )
    click.echo("|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in recipes:
        recipe = preset(name)
        data = Data(name, 0, SOLVERS, 2 * ROUNDS, CACHE / "attacks")
        first: dict[str, object] | None = None
        (round_,) = recorded(recipe, data, 0, SOLVERS, [0], CACHE / "rules", sealed=ROUNDS)
        doubled = [2**power for power in range(1, 7) if 2**power <= most]
        for count in map(int, counts.split(",")) if counts else doubled:
            for bad in (0, count // 2):
                found = measured(recipe, round_, count, bad)
                first = first or found
                rows.append(found)
                click.echo(_told(found, first))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _told(found: dict[str, object], first: dict[str, object]) -> str:
    count, one, scoring, merging, memory = (
        float(str(found[name])) for name in ("deltas", "one", "scoring", "merging", "memory")
    )
    began = sum(float(str(first[name])) for name in ("scoring", "merging"))
    return (
        f"| {found['recipe']} | {count:.0f} | {found['bad']} | {found['dropped']} of {found['accepted']} "
        f"| {one:.3f} | {scoring:.2f} s, {scoring / one:.1f} x | {merging:.2f} s, {merging / one:.1f} x "
        f"| {(scoring + merging) / count:.3f} | {(scoring + merging) / one / count:.2f} x "
        f"| {memory:.0f} | {memory / count:.1f} | {(scoring + merging) / began:.1f} x |"
    )


if __name__ == "__main__":
    main()
