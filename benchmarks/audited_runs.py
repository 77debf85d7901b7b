"""What do cheats earn in whole runs whose solvers may be drawn for an audit, and lose their bond?

Federations of four from the same start, judged, mended, merged and paid as proposers open rounds who change
nothing. Each run is played once as if nobody were drawn, and what it paid is kept; many lotteries by the draw
of the protocol then say who would have been caught in which round. That leaves out what a caught delta does
to the rounds after it, so each run is played again from the first round in which somebody is caught, by the
first lottery that catches anybody: without that delta, and without its pay.

Pay is in parts of an honest seat's of the honest run, for each honest training. R, the most that one delta is
paid, is the largest pay of an honest delta in the honest run, the same in all rounds; the bond is the least
that the rule asks for.

    python benchmarks/audited_runs.py tworoom-small --seeds 3
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from attacks.federation import REPORTS, USUAL, Ended
from attacks.rounds import Data
from audited.cheats import CHEATS, HONEST, SOLVERS, Cheat, Seat, stamped
from audited.federation import AuditedFederation
from audited.figures import Row, bond_told, tables, terms_of
from audited.lottery import Hand, first_that_catches

from jepanet.files import write_atomically
from jepanet.learning.evaluation.metrics import heldout_metrics
from jepanet.learning.presets import preset
from jepanet.tensors import Arrays

RESULT = Path(__file__).parent / "results" / "audited_runs.json"
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"


@dataclass
class Run:
    """One cheat in one seed's rounds, and the lottery by which some of its deltas are caught."""

    cheat: Cheat
    start: AuditedFederation
    rounds: int
    hand: Hand | None
    """None of the honest run, by which bonds are sized."""
    identities: int = 0
    _known: dict[bytes, tuple[Arrays, float]] = field(default_factory=dict)
    _seconds: list[tuple[float, float]] = field(default_factory=list)
    _before: tuple[AuditedFederation, list[Arrays | None]] | None = None
    """The first round in which anybody is caught."""

    @property
    def trained(self) -> float:
        """Honest trainings that the cheat takes in a round, by CPU time."""
        return float(np.mean([made / honest for made, honest in self._seconds]))

    def unseen(self) -> tuple[list[Ended], AuditedFederation]:
        """As if nobody were drawn."""
        now, ended = copy.copy(self.start), list[Ended]()
        for number in range(self.rounds):
            deltas = self._deltas(now)
            if self._before is None and self._caught(number):
                self._before = copy.copy(now), deltas
            ended.append(now.play(deltas))
        return ended, now

    def drawn(self, ended: Sequence[Ended]) -> tuple[list[Ended], list[list[int]], AuditedFederation]:
        """By the lottery, from the first round in which anybody is caught; beside it, who is in each."""
        if self._before is None:
            self.unseen()
        assert self._before is not None, "the lottery catches somebody"
        now, deltas = self._before
        first = now.number
        caught = [self._caught(number) for number in range(self.rounds)]
        found = [*ended[:first], now.audited(deltas, caught[first])]
        found += [now.audited(self._deltas(now), places) for places in caught[first + 1 :]]
        return found, caught, now

    def _caught(self, number: int) -> list[int]:
        who = range(self.cheat.clean, self.identities) if self.hand else ()
        return [it for it in who if self.hand and self.hand.caught(number, it, self.cheat.where)]

    def _deltas(self, now: AuditedFederation) -> list[Arrays | None]:
        self._known.clear()
        seat, others = Seat(now, self._known), Seat(now, self._known)
        beside = [others.trained(place) for place in range(self.cheat.seats, SOLVERS)]
        made = list(self.cheat.make(seat))
        if beside:
            honest = others.seconds / len(beside)
        elif self._seconds:
            honest = self._seconds[0][1]
        else:  # the yardstick, of one more
            others.trained(0)
            honest = others.seconds
        self.identities = len(made)
        self._seconds.append((seat.seconds / (len(made) if self.cheat.each else 1), honest))
        return [*made, *beside]


def hand_of(cheat: Cheat, honest: Row, rounds: int) -> Hand:
    return first_that_catches(terms_of(honest), rounds, cheat.identities, cheat.clean, cheat.where)


def told(now: AuditedFederation) -> dict[str, float]:
    """What the model is on shards that no round drew; `stamped`: spread of its latents of frames that bear a
    trigger, over that of frames that do not."""
    shard = now.reports[0]
    seen = heldout_metrics(now.base, now.recipe, stamped(shard)).latent_std
    return {**now.told(), "stamped": seen / heldout_metrics(now.base, now.recipe, shard).latent_std}


@click.command()
@click.argument("recipe")
@click.option("--seeds", default=1, type=click.IntRange(0, 99), show_default=True)
@click.option("--first", default=0, type=click.IntRange(0, 99), show_default=True)
@click.option("--rounds", default=8, type=click.IntRange(1, 64), show_default=True)
@click.option("--run", "only", multiple=True, type=click.Choice([it.name for it in CHEATS]))
@click.option("--lotteries", default=1000, type=click.IntRange(2), show_default=True)
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where finished runs are kept.")
def main(
    recipe: str, seeds: int, first: int, rounds: int, only: tuple[str, ...], lotteries: int, out: Path
) -> None:
    """Whole runs of RECIPE, all of them without audits first. What OUT holds is not played again."""
    names = [it for it in CHEATS if not only or it.name in (HONEST, *only)]
    for seed in range(first, first + seeds):
        begun: AuditedFederation | None = None
        runs: dict[str, Run] = {}
        for cheat, again in [*((it, False) for it in names), *((it, True) for it in names[1:])]:
            where = {"recipe": recipe, "seed": seed, "rounds": rounds, "run": cheat.name}
            known = kept(out, where)
            if known and (not again or "drawn" in known[0]):
                continue
            begun = begun or start(recipe, seed, rounds)
            honest = kept(out, {**where, "run": HONEST})
            hand = hand_of(cheat, honest[0], rounds) if cheat.row else None
            run = runs.setdefault(cheat.name, Run(cheat, begun, rounds, hand))
            row = played_on(run, known[0]) if again else {**where, **played(run)}
            others = [it for it in kept(out, {}) if it not in known]  # another process may have added some
            out.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(out, (json.dumps([*others, row], indent=1) + "\n").encode())
            click.echo(f"{cheat.name} {seed} {'with' if again else 'without'} audits")
    rows = kept(out, {"recipe": recipe, "rounds": rounds})
    click.echo(f"{bond_told(rows)}\n\n{tables(rows, lotteries)}")


def start(recipe: str, seed: int, rounds: int) -> AuditedFederation:
    data = Data(recipe, seed, SOLVERS, rounds + REPORTS, CACHE / "attacks")
    return AuditedFederation(preset(recipe), data, seed, solvers=SOLVERS, rounds=rounds, under=USUAL)


def played(run: Run) -> Row:
    ended, last = run.unseen()
    return {
        "identities": run.identities, "trained": run.trained, "unseen": [asdict(it) for it in ended],
        "model": told(last),
    }  # fmt: skip


def played_on(run: Run, row: Row) -> Row:
    assert run.hand is not None, "an honest run is played once"
    ended = [Ended(**{key: _tuples(value) for key, value in it.items()}) for it in row["unseen"]]
    found, caught, after = run.drawn(ended)
    said = {
        "lottery": run.hand.number, "caught": caught, "rounds": [asdict(it) for it in found],
        "model": told(after),
    }  # fmt: skip
    return {**row, "drawn": said}


def _tuples(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value


def kept(out: Path, where: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = json.loads(out.read_text()) if out.exists() else []
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


if __name__ == "__main__":
    main()
