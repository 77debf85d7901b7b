"""How much of honest late work goes unpaid, by the number of episodes that a round is measured over?

An honest federation without chain or network, whose rounds are judged, mended and merged over one sealed
shard of the recipe's usual dataset. Late ones are also judged and mended over a part of it, and over three
and four such shards as one. The last one also with one solver that saw the first shard (or all of them), and
with five that earn next to nothing. Gains and errors of every delta are kept, and what was usual in the round
before, so that rules of pay can be compared on them.

    python benchmarks/late_rounds.py tworoom-small --seeds 8
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path

import click
import numpy as np
from attacks.judging import Held
from attacks.recorded import CHEAP, Recorded, as_arrived, deltas_of
from attacks.rounds import LEARNING_RATE, MOMENTUM, Data
from round_rules import CACHE, SOLVERS, Measured, Under, measured, scenarios

from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.judging.judge import merge
from jepanet.federation.judging.similarity import norm
from jepanet.learning.data.building.plan import PUBLIC, sealed_name, training_name
from jepanet.learning.data.measured_part import part_of
from jepanet.learning.data.shards import joined
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive
from jepanet.learning.training.loop import train, warm_start
from jepanet.protocol.documents.scores import Among
from jepanet.protocol.settling.caps import usual_after, usual_within
from jepanet.protocol.settling.shares import as_one_of
from jepanet.tensors import Arrays
from jepanet.types import ZERO_DIGEST

RESULT = Path(__file__).parent / "results" / "late_rounds.json"
FEW = 32
"""Episodes of a part of one shard."""
MOST = 4
"""Sealed shards that are one, at most."""
RULES = Under("as usual", 1000, 1000, 1500, 100, pay_as_merged=True)
LIMIT = 1500
HONEST, LEAK, LEAK_ALL = "honest", "leaked shard, twice the steps", "all shards leaked"
TINY = "5 tiny beside 4"


@dataclass(frozen=True)
class Found:
    """One round of one seed, over so many shards. Micro-nats; deltas in their order."""

    seed: int
    round: int
    shards: int
    scenario: str
    usual: int
    """What a delta was usually worth in the round that made the base, carried from round to round."""
    gains: tuple[int, ...]
    errors: tuple[int, ...]
    worth: tuple[int, ...]
    """At the share of the merge; 0 where excluded."""
    accepted: tuple[bool, ...]
    dropped: tuple[bool, ...]
    published: bool
    elsewhere: int
    """Of what is published, on other episodes."""
    coasting: int = 0
    """Of the base moved by the momentum of earlier rounds alone, there."""

    def paid(self, usual: int) -> list[int]:
        """What each earns at price 1, no more than the limit where something is usual."""
        most = usual * LIMIT // 1000 if usual else max(self.worth)
        taken = (kept and not out for kept, out in zip(self.accepted, self.dropped, strict=True))
        return [min(most, it) * (ok and self.published) for it, ok in zip(self.worth, taken, strict=True)]


class _Numbers:
    def __init__(self, gain: int, stderr: int, among: tuple[int, int, int] | None) -> None:
        self.gain, self.stderr, self.among = gain, stderr, None if among is None else Among(*among)


def worth_of(found: Measured) -> tuple[int, ...]:
    """Gain less error of each delta as one of those that are merged; 0 where it is excluded."""
    judgements, kept = found.judged.judgements, len(found.kept)
    told = []
    for item in judgements:
        numbers = _Numbers(item.gain, item.stderr, item.among)
        pays_as_merged = 0 < kept < len(judgements)
        gain, error = (
            as_one_of(numbers, len(judgements), kept) if pays_as_merged else (item.gain, item.stderr)
        )
        told.append(max(0, gain - error) if item.digest in found.accepted else 0)
    return tuple(told)


def next_usual(found: Measured, usual: int) -> int:
    """What the sheet of a published merge says."""
    judgements = zip(found.judged.judgements, worth_of(found), strict=True)
    worth = [amount for item, amount in judgements if item.digest in found.accepted]
    return usual_after(worth, usual) if usual else usual_within(worth)


@dataclass(frozen=True)
class Federation:
    """One seed of a recipe: what its rounds train on and are measured over."""

    recipe: Recipe
    data: Data
    seed: int

    @property
    def secret(self) -> bytes:
        return derive(bytes(32), f"late {self.seed}")

    def rounds(self, count: int, *, attacked: bool) -> Iterator[tuple[Recorded, int]]:
        """Each with the honest deltas and what was usual; the last with those of who plays the rules, too."""
        data, recipe = self.data, self.recipe
        shards = [data.shard(training_name(place)) for place in range(SOLVERS)]
        base, velocity = warm_start(recipe, data.shard(PUBLIC), derive(self.secret, "start")), None
        last: tuple[float, ...] = ()
        usual = 0
        for number in range(count):
            sealed, report = (data.shard(sealed_name(place)) for place in (number, count + number))
            whole = attacked and number == count - 1
            made = deltas_of(recipe, base, shards, sealed, self.secret, number, whole)
            deltas = {name: as_arrived(delta, base) for name, delta in made.items()}
            round_ = Recorded(number, base, velocity, last, deltas, sealed, report)
            yield round_, usual
            honest = [deltas[f"honest {place}"] for place in range(SOLVERS)]
            found = measured(round_, honest, recipe, Held(base, recipe, sealed), RULES)
            if found.mended is None or not found.mended.verdict.published:
                continue
            kept = sorted(found.kept)
            last = tuple(norm(found.judged.deltas[digest]) / norm(base) for digest in kept)
            usual = next_usual(found, usual)
            base, velocity = found.merge_of(kept)


@dataclass(frozen=True)
class Late:
    """A late round, and the sealed shards that may measure it: its own, then others."""

    played: Federation
    round_: Recorded
    usual: int
    places: Sequence[int]

    def held(self, shards: int) -> Held:
        """The scorer over so many of them as one."""
        data = self.played.data
        whole = joined([data.shard(sealed_name(place)) for place in self.places[: shards or 1]])
        beacon = derive(bytes(32), f"beacon {self.round_.number}")
        return Held(self.round_.base, self.played.recipe, whole if shards else part_of(whole, FEW, beacon))

    def scenarios(self, shards: int, *, attacked: bool) -> dict[str, Sequence[Arrays | None]]:
        """What arrives, by name."""
        honest = [self.round_.deltas[f"honest {place}"] for place in range(SOLVERS)]
        made: dict[str, Sequence[Arrays | None]] = {HONEST: honest}
        if attacked:
            known = scenarios(self.round_)
            made |= {name: known[name][0] for name in (LEAK, TINY)}
            if shards == MOST:
                made[LEAK_ALL] = [self._saw_all(), *honest[1:]]
        return made

    def _saw_all(self) -> Arrays:
        """Trained on all of the shards, twice the steps."""
        recipe, base = self.played.recipe, self.round_.base
        shard = joined([self.played.data.shard(sealed_name(place)) for place in self.places])
        steps, start = 2 * recipe.inner_steps, self.round_.number * recipe.inner_steps
        seed = derive(bytes(32), f"saw all {self.played.seed}")
        return delta_of(train(base, shard, recipe, seed=seed, steps=steps, start_step=start).weights, base)

    def _coasting(self) -> Arrays:
        still = {name: np.zeros_like(array) for name, array in self.round_.base.items()}
        return merge(
            self.round_.base, self.round_.velocity, [(ZERO_DIGEST, still)],
            lr_milli=LEARNING_RATE, momentum_milli=MOMENTUM,
        )[0]  # fmt: skip

    def found(
        self, shards: int, name: str, deltas: Sequence[Arrays | None], sealed: Held, report: Held
    ) -> Found:
        """The round as it is judged and mended."""
        it = measured(self.round_, deltas, self.played.recipe, sealed, RULES)
        judgements, verdict = it.judged.judgements, it.mended.verdict if it.mended else None
        published = verdict is not None and verdict.published
        return Found(
            seed=self.played.seed,
            round=self.round_.number + 1,
            shards=shards,
            scenario=name,
            usual=self.usual,
            gains=tuple(item.gain for item in judgements),
            errors=tuple(item.stderr for item in judgements),
            worth=worth_of(it),
            accepted=tuple(item.digest in it.accepted for item in judgements),
            dropped=tuple(it.mended is not None and item.digest in it.mended.dropped for item in judgements),
            published=published,
            elsewhere=report.gain(it.merge_of(sorted(it.kept))[0]).micro if published else 0,
            coasting=report.gain(self._coasting()).micro,
        )


@click.command()
@click.argument("recipe")
@click.option("--seeds", default=4, type=click.IntRange(1, 99), show_default=True)
@click.option("--first", default=0, type=click.IntRange(0, 99), show_default=True)
@click.option("--rounds", default=8, type=click.IntRange(1, 64), show_default=True)
@click.option("--late", default=3, type=click.IntRange(1, 64), show_default=True, help="The last so many.")
@click.option("--shards", default="0,1,3,4", help="That measure; 0: a part of one.", show_default=True)
@click.option("--attacked", default="1,4", help="Over how many shards the last is.", show_default=True)
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where findings are kept.")
def main(
    recipe: str, seeds: int, first: int, rounds: int, late: int, shards: str, attacked: str, out: Path
) -> None:
    """The last of so many rounds of RECIPE, over more and fewer sealed shards. Seeds that OUT holds are not
    played again."""
    played, most = preset(recipe), MOST
    sizes, over = ([int(number) for number in text.split(",") if number] for text in (shards, attacked))
    found = read(out)
    for seed in sorted(set(range(first, first + seeds)) - {item.seed for item in found}):
        data = Data(recipe, seed, SOLVERS, 2 * rounds + late * most, CACHE / "attacks")
        federation = Federation(played, data, seed)
        for round_, usual in federation.rounds(rounds, attacked=bool(over)):
            left = rounds - 1 - round_.number
            if left >= late:
                continue
            others = range(2 * rounds + left * most, 2 * rounds + left * most + most - 1)
            now = Late(federation, round_, usual, [round_.number, *others])
            report = Held(round_.base, played, round_.report)
            for size in sizes:
                sealed = now.held(size)
                made = now.scenarios(size, attacked=not left and size in over)
                for name, deltas in made.items():
                    found.append(now.found(size, name, deltas, sealed, report))
                    click.echo(json.dumps(asdict(found[-1])))
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps([asdict(item) for item in found], indent=1) + "\n", encoding="utf-8")
    click.echo(f"{unpaid_table(found)}\n\n{pay_table(found)}")


def read(path: Path) -> list[Found]:
    """What an earlier run has kept."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [
        Found(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
        for row in rows
    ]


def wilson(count: int, of: int) -> str:
    """A share with its interval of 95 % (Wilson 1927), per cent. Rounds of one seed are not independent, so
    that it is rather too narrow."""
    if not of:
        return "-"
    z, share = 1.96, count / of
    middle, width = share + z * z / (2 * of), z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = ((middle + sign * width) / (1 + z * z / of) for sign in (-1, 1))
    return f"{100 * share:.0f} [{100 * max(0.0, low):.0f}, {100 * high:.0f}]"


def unpaid_table(found: Sequence[Found]) -> str:
    """Of honest rounds. Deltas that gain, or harm, are those whose gain over the most shards lies more than
    two errors above zero, or below it."""
    most = {(it.seed, it.round): it for it in found if it.scenario == HONEST and it.shards == MOST}
    lines = [
        "| shards | deltas | unpaid, % | of those that gain | of those that harm "
        "| withheld | error | elsewhere | by momentum |",
        "|---:|---:|---|---|---|---|---:|---:|---:|",
    ]
    for size in sorted({it.shards for it in found}):
        here = [it for it in found if it.scenario == HONEST and it.shards == size]
        told: dict[str, list[bool]] = {"all": [], "gain": [], "harm": []}
        for it in here:
            whole = most[it.seed, it.round]
            for place, pay in enumerate(it.paid(0)):
                told["all"].append(not pay)
                if abs(whole.gains[place]) > 2 * whole.errors[place]:
                    told["gain" if whole.gains[place] > 0 else "harm"].append(not pay)
        shares = " | ".join(f"{wilson(sum(those), len(those))} of {len(those)}" for those in told.values())
        errors = [error for it in here for error in it.errors]
        lines.append(
            f"| {size or f'{FEW} episodes'} | {len(told['all'])} | {shares} "
            f"| {wilson(sum(not it.published for it in here), len(here))} of {len(here)} "
            f"| {sum(errors) // max(1, len(errors)):,} "
            f"| {sum(it.elsewhere for it in here) / max(1, len(here)) / 1000:+.1f} "
            f"| {sum(it.coasting for it in here) / max(1, len(here)) / 1000:+.1f} |"
        )
    return "\n".join(lines)


def pay_table(found: Sequence[Found]) -> str:
    """Of the last rounds: what is earned without a limit, under the round's own median, and where that
    follows from round to round. Micro-nats, by seed; of the honest ones beside tiny deltas, together."""
    lines = [
        "| shards | round with | seed | usual before | no limit | its own median | follows |",
        "|---" * 7 + "|",
    ]
    for it in sorted(found, key=lambda it: (it.shards, it.scenario, it.seed)):
        if it.scenario == HONEST and it.round != max(other.round for other in found):
            continue
        worth = [amount for amount, kept in zip(it.worth, it.accepted, strict=True) if kept]
        own = usual_within(worth)
        follows = usual_after(worth, it.usual) if it.usual else own
        told = slice(CHEAP, None) if it.scenario == TINY else slice(0, 1 if it.scenario != HONEST else None)
        amounts = " | ".join(f"{sum(it.paid(usual)[told]):,}" for usual in (0, own, follows))
        lines.append(f"| {it.shards} | {it.scenario} | {it.seed} | {it.usual:,} | {amounts} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
