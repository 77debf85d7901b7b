"""What do the rules of merging and pay do to honest work, and to who plays them?

Rounds of an honest federation without chain or network; in the wanted ones, the same deltas are judged,
merged and paid under each set of rules. Pay is in parts of what the mean honest delta of the clean round is
paid under the same rules. The gain of what becomes of the round (nothing where it is withheld) is measured on
other episodes, by which nothing was chosen.

    python benchmarks/round_rules.py tworoom-small --seeds 3
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from attacks.attempt import scaled
from attacks.federation import Under, paid
from attacks.judging import Held, rules_of
from attacks.recorded import CHEAP, Recorded, recorded
from attacks.rounds import LEARNING_RATE, MOMENTUM, Data

from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging.judge import Claim, Judged, judge, merge
from jepanet.federation.judging.repair import Mended, Repair
from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.federation.merging.lengths import no_longer, reference_length
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.tensors import Arrays
from jepanet.types import Address, Digest, Verdict

RESULT = Path(__file__).parent / "results" / "round_rules.json"
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
SOLVERS = 4


RULES = (
    Under("none"),
    Under("mended", 1000),
    Under("and a reference norm", 1000, 1000),
    Under("and capped and priced", 1000, 1000, 1500, 100),
    Under("and paid as merged", 1000, 1000, 1500, 100, pay_as_merged=True),
)


@dataclass(frozen=True)
class Outcome:
    """Of one round under one set of rules; pay in micro-nats by place, 0 beyond what is accepted."""

    pay: tuple[int, ...]
    accepted: tuple[bool, ...]
    dropped: tuple[bool, ...]
    published: bool
    gain: float
    """Nats, on other episodes."""


Scenario = tuple[list[Arrays | None], int]
"""Deltas in their order (None: nobody serves it), and of how many, from the first, the pay is told."""


def scenarios(round_: Recorded) -> dict[str, Scenario]:
    """What may arrive in a round; of the honest ones the first is the attacker's place."""
    honest = [round_.deltas[f"honest {place}"] for place in range(SOLVERS)]
    bound = 1.95 * upper_median([norm(delta) for delta in honest])
    cheap = [round_.deltas[f"cheap {place}"] for place in range(CHEAP)]
    first, others = honest[0], honest[1:]
    size = norm(first)

    def clone(place: int) -> Arrays:  # cosine .85 to the honest delta, of its norm
        noise, share = round_.deltas[f"noise {place}"], 0.62 * size / norm(round_.deltas[f"noise {place}"])
        mixed = {name: first[name] + np.float32(share) * noise[name] for name in first}
        return scaled(mixed, size / norm(mixed))

    return {
        "honest": (honest, SOLVERS),
        "one x 1.5": ([scaled(first, 1.5), *others], 1),
        "all x 1.8": ([scaled(delta, 1.8) for delta in honest], SOLVERS),
        "all x 2": ([scaled(delta, 2.0) for delta in honest], SOLVERS),
        "one lazy, a fifth of the steps": ([cheap[0], *others], 1),
        "5 cheap at the bound beside 3": ([*(scaled(d, bound / norm(d)) for d in cheap), *others], CHEAP),
        "5 tiny beside 4": ([*(scaled(d, 0.02 * size / norm(d)) for d in cheap), *honest], CHEAP),
        "leaked shard, twice the steps": ([round_.deltas["leak"], *others], 1),
        "three clones by noise": ([clone(place) for place in range(3)] + others, 3),
        "noise": ([round_.deltas["noise 0"], *others], 1),
        "8 junk beside 4": ([*_junk(round_, 8), *honest], 8),
        "12 that nobody serves beside 4": ([*[None] * 12, *honest], 12),
    }


def _junk(round_: Recorded, count: int) -> list[Arrays]:
    """Small noise that is accepted and worth nothing, so many of them."""
    made = []
    for place in range(count):
        noise = round_.deltas[f"noise {place % CHEAP}"]
        made.append({name: np.roll(array, place).astype(np.float32) for name, array in noise.items()})
    return made


@dataclass(frozen=True)
class Measured:
    """One round judged and mended."""

    judged: Judged
    accepted: frozenset[Digest]
    mended: Mended | None
    """None where nothing was accepted."""
    merge_of: Callable[[Sequence[Digest]], tuple[Arrays, Arrays]]
    """Weights and velocity of the model that some of them make."""

    @property
    def kept(self) -> frozenset[Digest]:
        return self.accepted - set(self.mended.dropped if self.mended else ())


def measured(
    round_: Recorded, deltas: Sequence[Arrays | None], recipe: Recipe, sealed: Held, under: Under
) -> Measured:
    """One round judged, and its merge mended."""
    rules = replace(
        rules_of(recipe),
        codec="fp32",
        to_reference_milli=under.to_reference_milli,
        variance_price_milli=under.variance_price_milli,
        pay_as_merged=under.pay_as_merged,
        reference_nano=int(1e9 * upper_median(round_.last_norms)) if round_.last_norms else 0,
    )
    header = DeltaHeader(base=rules.base, recipe=rules.recipe)
    claims = []
    for place, delta in enumerate(deltas):
        data = None if delta is None else encode_delta(delta, header, rules.codec)
        name = Digest(hashlib.sha256(data or str(place).encode()).digest())
        claims.append(Claim(Address(f"0x{place:040x}"), place, name, data))
    judged = judge(round_.base, claims, rules, sealed)
    accepted = frozenset(item.digest for item in judged.judgements if item.verdict is Verdict.ACCEPTED)

    counted = judged.deltas
    if rules.to_reference_milli and rules.reference_nano:
        most = reference_length(round_.base, rules.reference_nano, rules.to_reference_milli)
        counted = {digest: no_longer(delta, most) for digest, delta in counted.items()}

    def merge_of(kept: Sequence[Digest]) -> tuple[Arrays, Arrays]:
        return merge(
            round_.base, round_.velocity, [(digest, counted[digest]) for digest in kept],
            lr_milli=LEARNING_RATE, momentum_milli=MOMENTUM,
        )  # fmt: skip

    if not accepted:
        return Measured(judged, accepted, None, merge_of)
    repair = Repair(
        accepted, lambda kept: merge_of(kept)[0], judged.base_metrics, sealed,
        sigmas_milli=under.drop_sigmas_milli,
    )  # fmt: skip
    return Measured(judged, accepted, repair.mend(), merge_of)


def play(
    round_: Recorded,
    deltas: Sequence[Arrays | None],
    recipe: Recipe,
    sealed: Held,
    report: Held,
    under: Under,
) -> Outcome:
    """One round judged, merged and paid."""
    found = measured(round_, deltas, recipe, sealed, under)
    if found.mended is None:
        nobody = (False,) * len(deltas)
        return Outcome((0,) * len(deltas), nobody, nobody, False, 0.0)
    judgements, published = found.judged.judgements, found.mended.verdict.published
    return Outcome(
        paid(judgements, set(found.kept), under) if published else (0,) * len(judgements),
        tuple(item.digest in found.accepted for item in judgements),
        tuple(item.digest in found.mended.dropped for item in judgements),
        published,
        report.gain(found.merge_of(sorted(found.kept))[0]).mean if published else 0.0,
    )


@click.command()
@click.argument("recipe")
@click.option("--seeds", default=3, type=click.IntRange(1, 99), show_default=True)
@click.option("--first", default=0, type=click.IntRange(0, 99), show_default=True)
@click.option("--rounds", default=8, type=click.IntRange(1, 64), show_default=True)
@click.option("--in", "wanted", default="1,4,8", help="Rounds that are attacked.", show_default=True)
@click.option("--only", multiple=True, help="A scenario by name; without any, all of them.")
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where outcomes are kept.")
def main(
    recipe: str, seeds: int, first: int, rounds: int, wanted: str, only: tuple[str, ...], out: Path
) -> None:
    """Rounds of RECIPE under each set of rules."""
    played, numbers = preset(recipe), [int(number) - 1 for number in wanted.split(",")]
    rows: list[dict[str, object]] = []
    for seed in range(first, first + seeds):
        data = Data(recipe, seed, SOLVERS, 2 * rounds, CACHE / "attacks")
        for round_ in recorded(played, data, seed, SOLVERS, numbers, CACHE / "rules", sealed=rounds):
            sealed, report = (Held(round_.base, played, it) for it in (round_.sealed, round_.report))
            for name, (deltas, told) in scenarios(round_).items():
                if only and name not in only:
                    continue
                for under in RULES:
                    found = play(round_, deltas, played, sealed, report, under)
                    rows.append(
                        {"seed": seed, "round": round_.number + 1, "scenario": name, "told": told,
                         "rules": under.name, **found.__dict__}
                    )  # fmt: skip
                    click.echo(
                        f"{seed} {round_.number + 1} {name:<32} {under.name:<10} "
                        f"{'published' if found.published else 'withheld ':<9} {1e3 * found.gain:+7.2f} "
                        f"{list(found.pay)} {sum(found.dropped)}"
                    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    click.echo(table(rows))


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Means over seeds and rounds, with pay in parts of the clean round's under the same rules."""
    honest: dict[tuple[object, ...], float] = {}
    for row in rows:
        if row["scenario"] == "honest":
            honest[row["seed"], row["round"], row["rules"]] = float(np.mean(row["pay"]))  # type: ignore[arg-type]
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    lines = [
        "| round with | rules | published | gain, milli-nats | pay of those told | of each other | dropped |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name in names:
        for under in RULES:
            here = [row for row in rows if row["scenario"] == name and row["rules"] == under.name]
            if not here:
                continue
            # Pooled: a late round's honest pay may be next to nothing.
            due = sum(honest.get((row["seed"], row["round"], row["rules"]), 0.0) for row in here)
            told = sum(sum(row["pay"][: row["told"]]) for row in here)  # type: ignore[index,misc]
            rest = sum(float(np.mean(row["pay"][row["told"] :] or [0])) for row in here)  # type: ignore[index]
            each = (
                "-" if not due or all(row["told"] == len(row["pay"]) for row in here) else f"{rest / due:.2f}"
            )  # type: ignore[arg-type]
            lines.append(
                f"| {name} | {under.name} | {np.mean([row['published'] for row in here]):.2f} "
                f"| {1e3 * float(np.mean([row['gain'] for row in here])):+.1f} "  # type: ignore[arg-type]
                f"| {told / due if due else 0:.2f} | {each} "
                f"| {np.mean([sum(row['dropped']) for row in here]):.1f} of "  # type: ignore[arg-type]
                f"{np.mean([sum(row['accepted']) for row in here]):.1f} |"  # type: ignore[arg-type]
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
