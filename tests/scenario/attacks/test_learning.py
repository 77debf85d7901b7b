"""Solvers that cheat in what they train, in the fourth round of a real federation of four: through the jobs
that nodes run, without a chain, under the rules of a proposer that changes nothing, and under none of them.

What is lost to audits is computed for the usual lottery (a quarter drawn, two segments and one of the others
done again); a machine on which nothing was audited would see no difference.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from rows import WORK, Played
from without_chain import Bench

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from attacks.attempt import Attempt, drawn_out, scaled
from attacks.recorded import Recorded, recorded
from attacks.rounds import Data
from attacks.shared import parts_of

from jepanet.federation.judging.similarity import norm
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.settings.config import ProposerSection
from jepanet.tensors import Arrays
from jepanet.work.worker import Worker

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(7200)]

RECIPE, SEED, SOLVERS, ROUND, ROUNDS = "tworoom-small", 0, 4, 3, 8
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
DRAWN = 0.25
BONDS = {False: 0.0, True: DRAWN}
"""Of a bond, what whoever can be met by an audit loses on average."""

BY_RULES = ("reference", "priced", "variance", "mended", "share", "cap")
"""Words of defences that a proposer's rules are: these attacks are played without the rules too."""

Deltas = list[Arrays | None]


def made(round_: Recorded, recipe: Recipe) -> Iterator[tuple[str, str, float, Deltas, int, bool]]:
    """(attack, defence, cost in honest trainings, deltas, how many of them from the first are the attacker's,
    whether an audit can meet it)."""
    honest = [round_.deltas[f"honest {place}"] for place in range(SOLVERS)]
    first, others = honest[0], honest[1:]
    cheap = [round_.deltas[f"cheap {place}"] for place in range(5)]
    size = norm(first)
    now = Attempt(
        round_.base, recipe, round_.sealed, round_.sealed, bytes(32), ROUND * recipe.inner_steps, first,
        parts_of(recipe),
    )  # fmt: skip
    audits, reference, priced = "audits", "a reference norm", "a price on lost variance"
    gain, mended, merged = "pay is for gain beyond its error", "a merge is mended", "pay at the merged share"

    def alone(delta: Arrays | None) -> Deltas:
        return [delta, *others]

    yield "nothing", "an empty delta is out", 0.0, alone(now.moved("none", lambda array: array)), 1, True
    yield "noise of the honest norm", gain, 0.0, alone(round_.deltas["noise 0"]), 1, True
    yield "sign flipped", "harm is out", 1.0, alone(scaled(first, -1.0)), 1, True
    for factor in (1.25, 1.5, 1.9, 3.0):
        yield f"honest x {factor}", reference, 1.0, alone(scaled(first, factor)), 1, True
    yield "lazy, a fifth of the steps", audits, 0.2, alone(cheap[0]), 1, True
    yield "lazy, drawn out", f"{reference}; {audits}", 0.2, alone(drawn_out(cheap[0], size)), 1, True
    parts = now.parts
    yield ("last norm's gain zero", "state guards", 0.0,
           alone(now.moved(f"{parts.norm}weight", lambda gain_: -gain_)), 1, True)  # fmt: skip
    for factor in (0.3, 0.1, 0.05):
        yield (f"honest, latents' layer shrunk by {factor}", priced, 1.0,
               alone(_shrunk(now, first, factor)), 1, True)  # fmt: skip
    yield ("latents' layer x 0.7", priced, 0.0,
           alone(now.moved(parts.head, lambda layer: -0.3 * layer)), 1, True)  # fmt: skip
    yield "leaked shard, twice the steps", "a cap on pay", 2.0, alone(round_.deltas["leak"]), 1, True
    clones: Deltas = [_clone(round_, first, place) for place in range(3)]
    yield "three clones by noise", f"{audits}; near-copies", 1.0, [*clones, *others], 3, True
    copies: Deltas = [first, first]
    yield (
        "one delta under two names",
        "of one digest twice the later is out",
        1.0,
        [*copies, *others],
        2,
        True,
    )
    bound = 1.95 * size
    tiny: Deltas = [scaled(item, 0.02 * size / norm(item)) for item in cheap]
    long: Deltas = [scaled(item, bound / norm(item)) for item in cheap]
    junk: Deltas = [round_.deltas[f"noise {place}"] for place in range(5)]
    nobody: Deltas = [None] * 12
    yield "five long cheap ones that stop a merge", mended, 1.0, [*long, *others], 5, True
    yield "five tiny ones that make honest ones long", reference, 1.0, [*tiny, *honest], 5, True
    yield "five of noise that dilute pay", merged, 0.0, [*junk, *honest], 5, True
    yield "twelve that nobody serves", merged, 0.0, [*nobody, *honest], 12, False
    yield "all x 1.8", reference, float(SOLVERS), [scaled(item, 1.8) for item in honest], SOLVERS, True


def _shrunk(now: Attempt, honest: Arrays, factor: float) -> Arrays:
    """Honest work, and a step towards collapse on top of it."""
    step = now.moved(now.parts.head, lambda layer: -factor * layer)
    return {name: array + step[name] for name, array in honest.items()}


def _clone(round_: Recorded, honest: Arrays, place: int) -> Arrays:
    """Of the honest norm, at a cosine of 0.85 to it."""
    noise = round_.deltas[f"noise {place}"]
    added = scaled(noise, 0.62 * norm(honest) / norm(noise))
    mixed = {name: array + added[name] for name, array in honest.items()}
    return drawn_out(mixed, norm(honest))


def paid(sheet: ScoreSheet) -> list[int]:
    """By place of commitment."""
    from round_samples import account

    amounts = {row.solver: row.amount for row in sheet.rows}
    return [amounts[account("solver", place)] for place in range(len(sheet.rows))]


async def play(folder: Path, kept: Path) -> None:
    """Adds a line to `kept` for each attack that is not there yet."""
    known = {row.attack for row in played(kept)}
    recipe = preset(RECIPE)
    data = Data(RECIPE, SEED, SOLVERS, 2 * ROUNDS, CACHE / "attacks")
    (round_,) = recorded(recipe, data, SEED, SOLVERS, [ROUND], CACHE / "rules", sealed=ROUNDS)
    usual = ProposerSection()
    none = ProposerSection(
        drop_sigmas_milli=0, to_reference_milli=0, pay_as_merged=False, pay_to_median_milli=0,
        variance_price_milli=0,
    )  # fmt: skip
    worker = Worker()
    try:
        benches = [
            Bench.of(folder / name, worker, round_, recipe, rules)
            for name, rules in (("with", usual), ("without", none))
        ]
        honest: list[Arrays | None] = [round_.deltas[f"honest {place}"] for place in range(SOLVERS)]
        clean = [await bench.play(honest) for bench in benches]
        usual_pay = [sum(paid(sheet)) / SOLVERS for sheet in clean]
        seat = [paid(sheet)[0] for sheet in clean]  # in whose place most attackers stand
        assert all(sheet.published for sheet in clean) and min(*usual_pay, *seat) > 0, clean
        for attack, defence, cost, deltas, own, seen in made(round_, recipe):
            if attack in known:
                continue
            alone = own == 1
            due, bare_due = seat if alone else usual_pay
            with_ = await benches[0].play(deltas)
            earned, undefended = sum(paid(with_)[:own]) / due, ""
            if any(word in defence for word in BY_RULES):
                without = await benches[1].play(deltas)
                undefended = f"{_effect(without)}, paid {sum(paid(without)[:own]) / bare_due:.2f}"
            reasons = sorted({row.reason for row in with_.rows} - {"accepted"})
            lost = own * BONDS[seen]
            net = earned * (1 - DRAWN * seen)
            row = Played(
                attack,
                defence,
                WORK,
                cost,
                round(net, 3),
                lost,
                merged=any(row.amount for row in with_.rows) and earned > 0,
                detected=", ".join(reasons),
                open=lost == 0 and net > 0.5 * cost,
                effect=f"{_effect(with_)}, paid {earned:.2f} before audits",
                undefended=undefended,
            )
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            print(row, flush=True)
    finally:
        await worker.stop()


def played(kept: Path) -> list[Played]:
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    return [Played(**json.loads(line)) for line in lines]


def _effect(sheet: ScoreSheet) -> str:
    gain = f"{sheet.improvement / 1000:+.1f} milli-nats" if sheet.published else "withheld"
    return f"{gain}, {len(sheet.dropped)} dropped"


def test_what_cheats_in_learning_earn_and_do_with_and_without_the_rules(
    tmp_path: Path, attacks_out: Path, rows: list[Played]
) -> None:
    kept = attacks_out / "learning.jsonl"
    asyncio.run(play(tmp_path, kept))
    rows += played(kept)
    named = {row.attack: row for row in rows}
    assert named["nothing"].earned == 0.0 and named["sign flipped"].earned == 0.0
    assert "withheld" not in named["five long cheap ones that stop a merge"].effect
