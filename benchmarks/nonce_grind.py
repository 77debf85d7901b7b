"""What does it earn to train with several salts and commit the best, and whom can rivals still exclude?

A solver's training depends on a salt that it draws itself (decision 17), so it may draw k, train k times and
reveal the delta it likes best. It chooses by what it has before the reveal: the grounded score on the public
training shards of the others (`public`). `sealed` chooses by the score that pays, which nobody knows in time:
the upper bound, what a leak would earn. Pay is that of a round: price 1, one standard error taken off,
nothing when `federation.judging.judge` excludes the delta beside the other honest ones.

The same trainings show what is left of excluding others: a rival that knows a victim's shard but not its salt
commits the mean of m trainings there, before the victim does (near-copies); N + 1 tiny deltas beside N honest
ones (norm outliers). Both are counted by the real `judge`.

Bases are those before rounds 1, 4 and 8 of an honest federation of four. Every figure is a ratio of means
over seeds, checkpoints and two sealed shards; its interval is a 90 % bootstrap over (seed, checkpoint).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from learning_rounds import added, coded, joined
from rich.console import Console
from rich.table import Table

from jepanet.federation.deltas.delta import DeltaHeader, delta_of, encode_delta
from jepanet.federation.judging.judge import Claim, Metrics, Rules, judge
from jepanet.federation.judging.similarity import cosine
from jepanet.federation.merging.mean import mean
from jepanet.federation.merging.outer import outer_step
from jepanet.learning.data.building.builder import build
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.guards import state_guards
from jepanet.learning.evaluation.metrics import encode, heldout_metrics, metrics_of
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.simulators.tworoom.dataset import DEMO, TASK
from jepanet.learning.training.loop import train, warm_start
from jepanet.protocol.documents.spec import NormCaps
from jepanet.tensors import Arrays
from jepanet.types import ZERO_DIGEST, Address, Digest

RESULT = Path(__file__).parent / "results" / "nonce_grind.json"
ROUNDS = 8
SOLVERS = 4
SALTS = 16
EXTRA_SHARDS = 8
"""Sealed shards beyond the rounds': each checkpoint measures on one that no round has used, too."""
TINY = 1e-3
EXCLUDED = ("duplicate", "near-copy", "norm-outlier")
HEADER = DeltaHeader(ZERO_DIGEST, ZERO_DIGEST)
console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Constant:
    """A scorer for counting exclusions that come before any measurement."""

    mean: float = 0.0
    stderr: float = 1e-3

    def gain(self, weights: Arrays) -> Constant:
        return self

    def metrics(self, weights: Arrays) -> Metrics:
        return {}

    def state_guards(self, base: Metrics, candidate: Metrics, *step: float) -> tuple[str, ...]:
        return ()

    merge_guards = state_guards


def rules(similarity_milli: int) -> Rules:
    norms = NormCaps()
    return Rules(
        base=ZERO_DIGEST, recipe=ZERO_DIGEST, codec="int8", max_delta_bytes=1 << 24,
        to_base_milli=norms.to_base_milli, to_median_milli=norms.to_median_milli, zero_nano=norms.zero_nano,
        similarity_milli=similarity_milli, harm_sigmas_milli=3000,
    )  # fmt: skip


def verdicts(base: Arrays, deltas: Sequence[Arrays], similarity_milli: int = 900) -> list[str]:
    """The reason `judge` gives for each of the deltas, which committed in this order."""
    claims = []
    for index, delta in enumerate(deltas):
        data = encode_delta(delta, HEADER, "int8")
        digest = Digest(hashlib.sha256(data).digest())
        claims.append(Claim(Address(f"0x{index:040x}"), index, digest, data))
    judged = judge(base, claims, rules(similarity_milli), Constant())
    return [item.reason for item in judged.judgements]


def pay(
    base: Arrays, delta: Arrays, recipe: Recipe, shard: Shard, scorer: GroundedScorer, before: Any
) -> int:
    """Micro-nats that a delta is paid for: measured at 1/N, less a standard error; 0 if it is excluded."""
    encoded = encode(added(base, delta, 1.0 / SOLVERS), recipe, shard)
    if not encoded.finite or state_guards(before, metrics_of(encoded, shard, recipe), recipe.gates):
        return 0
    gain = scorer.gain_of(encoded)
    return max(0, gain.micro - gain.stderr_micro)


def checkpoint(
    base: Arrays, recipe: Recipe, make: Callable[[int], Arrays], honest: Sequence[Arrays],
    public: Shard, sealed: Sequence[Shard],
) -> dict[str, Any]:  # fmt: skip
    """Everything measured at one base. `make(salt)`: a delta of seat 0; salt 0 is its honest one."""
    candidates = [honest[0], *(make(salt) for salt in range(1, SALTS))]
    open_scorer = GroundedScorer(base, recipe, public)
    guess = [open_scorer.gain(added(base, delta, 1.0 / SOLVERS)).mean for delta in candidates]
    paid = []
    for shard in sealed:
        scorer, before = GroundedScorer(base, recipe, shard), heldout_metrics(base, recipe, shard)
        paid.append([pay(base, delta, recipe, shard, scorer, before) for delta in candidates])
    copies: dict[str, list[float]] = {}
    reasons: dict[str, list[str]] = {}
    for count in (1, 4, SALTS - 1):
        for victim in range(SALTS):
            others = [candidates[(victim + 1 + step) % SALTS] for step in range(count)]
            rival = coded(mean(others))
            copies.setdefault(str(count), []).append(cosine(rival, candidates[victim]))
            said = verdicts(base, [rival, candidates[victim], *honest[1:]])
            reasons.setdefault(str(count), []).append(said[1])
    tiny = [
        {name: np.asarray(array * np.float32(TINY * (1 + index))) for name, array in make(-1 - index).items()}
        for index in range(SOLVERS + 1)
    ]
    return {
        "paid": paid, "guess": guess, "cosine": copies, "victims": reasons,
        "beside_tiny": verdicts(base, [*tiny, *honest])[len(tiny):],
    }  # fmt: skip


def play(
    data: Path,
    recipe: Recipe,
    number: int,
    checkpoints: Sequence[int],
    keep: Callable[[dict[str, Any]], None],
) -> None:
    """One seed: a warm start and honest rounds; `keep` gets what each of the bases in question gave."""
    seed = hashlib.sha256(f"nonce grind {number}".encode()).digest()
    training = [load_shard(path) for path in sorted(data.glob("training-*.safetensors"))]
    sealed = [load_shard(path) for path in sorted((data / "sealed").glob("shard-*.safetensors"))]
    draw = np.random.default_rng(int.from_bytes(seed[:8], "big"))
    weights = warm_start(recipe, load_shard(data / "public.safetensors"), seed)
    velocity: Arrays | None = None
    for turn in range(1, max(checkpoints) + 1):
        began, base = time.monotonic(), weights
        places = draw.integers(len(training), size=SOLVERS)

        def make(
            salt: int, seat: int = 0, turn: int = turn, base: Arrays = base, places: Any = places
        ) -> Arrays:
            own = hashlib.sha256(f"{number} {turn} {seat} {salt}".encode() + seed).digest()
            short = 4 if salt < 0 else None  # of a tiny delta only the direction counts
            start = (turn - 1) * recipe.inner_steps
            trained = train(base, training[places[seat]], recipe, seed=own, start_step=start, steps=short)
            return coded(delta_of(trained.weights, base))

        honest = [make(0, seat) for seat in range(SOLVERS)]
        if turn in checkpoints:
            others = joined([shard for index, shard in enumerate(training) if index != places[0]])
            at = checkpoint(
                base, recipe, make, honest, others, (sealed[turn - 1], sealed[turn - 1 + EXTRA_SHARDS])
            )
            keep({"seed": number, "round": turn, **at})
        weights, velocity = outer_step(base, mean(honest), velocity, lr=0.7, momentum=0.6)
        console.print(f"seed {number}, round {turn}: {time.monotonic() - began:.0f} s")


# ------------------------------------------------------------------ figures


def best_of(count: int, scores: Sequence[float], paid: Sequence[int]) -> float:
    """Mean pay of the candidate with the best score in each disjoint group of `count`."""
    groups = [range(start, start + count) for start in range(0, SALTS, count)]
    return float(np.mean([paid[max(group, key=lambda item: scores[item])] for group in groups]))


def ratio(cells: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Ratio of means over cells (seed x checkpoint), with a 90 % bootstrap interval."""
    values = np.array(cells)
    draw = np.random.default_rng(0)
    drawn = values[draw.integers(len(values), size=(4000, len(values)))].sum(axis=1)
    drawn = drawn[drawn[:, 1] > 0]
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.05, 0.95))
    return {"ratio": float(values[:, 0].sum() / values[:, 1].sum()), "low": float(low), "high": float(high)}


def at_round(
    pairs: Sequence[tuple[float, float]], cells: Sequence[dict[str, Any]], turn: int
) -> list[tuple[float, float]]:
    return [pair for pair, cell in zip(pairs, cells, strict=True) if cell["round"] == turn]


def summary(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    grind: dict[str, Any] = {}
    turns = sorted({cell["round"] for cell in cells})
    for chosen_by in ("public", "sealed"):
        for count in (4, SALTS):
            pairs = []
            for cell in cells:
                got, usual = 0.0, 0.0
                for paid in cell["paid"]:
                    scores = cell["guess"] if chosen_by == "public" else paid
                    got += best_of(count, scores, paid)
                    usual += float(np.mean(paid))
                pairs.append((got, usual))
            grind[f"best of {count}, chosen by the {chosen_by} score"] = {
                **ratio(pairs),
                "by_round": {str(turn): ratio(at_round(pairs, cells, turn)) for turn in turns},
            }  # fmt: skip
    copies = {}
    for count in cells[0]["cosine"]:
        cosines = np.array([cell["cosine"][count] for cell in cells])
        out = [reason in EXCLUDED for cell in cells for reason in cell["victims"][count]]
        copies[count] = {
            "victims": len(out), "excluded": sum(out),
            "from_95": int((np.abs(cosines) >= 0.95).sum()), "from_98": int((np.abs(cosines) >= 0.98).sum()),
            "mean": float(cosines.mean()), "most": float(cosines.max()),
            "most_by_round": {
                str(turn): max(max(cell["cosine"][count]) for cell in cells if cell["round"] == turn)
                for turn in turns
            },
        }  # fmt: skip
    tiny = [reason for cell in cells for reason in cell["beside_tiny"]]
    return {
        "bases": {str(turn): sum(cell["round"] == turn for cell in cells) for turn in turns},
        "grind": grind, "near_copies": copies,
        "beside_tiny": {"honest": len(tiny), "excluded": sum(reason in EXCLUDED for reason in tiny)},
    }  # fmt: skip


def show(found: dict[str, Any]) -> None:
    turns = list(found["bases"])
    table = Table(title=f"Pay of best-of-k salts against one salt (bases by round: {found['bases']})")
    for name in ("who", "paid", "90 %", *(f"round {turn}" for turn in turns)):
        table.add_column(name, justify="left" if name == "who" else "right")
    for name, row in found["grind"].items():
        parts = [f"{row['by_round'][turn]['ratio']:.2f}" for turn in turns]
        table.add_row(name, f"{row['ratio']:.2f}", f"{row['low']:.2f} to {row['high']:.2f}", *parts)
    console.print(table)
    table = Table(title="A rival knows the shard, not the salt, and commits the mean of m trainings first")
    for name in (
        "m",
        "victims",
        "excluded",
        "cosine, mean",
        "most",
        *(f"round {turn}" for turn in turns),
    ):
        table.add_column(name, justify="right")
    for count, row in found["near_copies"].items():
        parts = [f"{row['most_by_round'][turn]:.3f}" for turn in turns]
        counts = (count, str(row["victims"]), str(row["excluded"]))
        table.add_row(*counts, f"{row['mean']:.3f}", f"{row['most']:.3f}", *parts)
    console.print(table)
    tiny = found["beside_tiny"]
    console.print(
        f"beside {SOLVERS + 1} tiny deltas: {tiny['excluded']} of {tiny['honest']} honest ones excluded"
    )


@click.command()
@click.option("--seeds", default=3)
@click.option("--first-seed", default=0)
@click.option("--rounds", default="1,4,8", show_default=True, help="Rounds before which to measure.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder for the dataset; built if absent.")
@click.option(
    "--raw", type=click.Path(path_type=Path), multiple=True,
    help="File of what was measured: read if it is there, the last one is written after every base.",
)  # fmt: skip
def main(seeds: int, first_seed: int, rounds: str, data: Path | None, raw: tuple[Path, ...]) -> None:
    recipe = preset("tworoom-small")
    turns = [int(item) for item in rounds.split(",")]
    cells: list[dict[str, Any]] = [
        cell for path in raw if path.exists() for cell in json.loads(path.read_text())
    ]

    def keep(cell: dict[str, Any]) -> None:
        cells.append(cell)
        if raw:
            raw[-1].write_text(json.dumps(cells))

    with tempfile.TemporaryDirectory() as temporary:
        folder = data or Path(temporary) / "data"
        for number in range(first_seed, first_seed + seeds):
            wanted = [
                turn for turn in turns if (number, turn) not in {(c["seed"], c["round"]) for c in cells}
            ]
            if wanted:
                sizes = replace(DEMO, evaluation_shards=ROUNDS + EXTRA_SHARDS)
                build(TASK.environment, sizes, folder, hashlib.sha256(b"benchmark data").digest(),
                      evaluation_seed=hashlib.sha256(b"benchmark secret").digest())  # fmt: skip
                play(folder, recipe, number, wanted, keep)
    found = summary(cells)
    show(found)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"recipe": recipe.name, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
