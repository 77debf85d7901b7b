"""Solvers that cheat in what they train, in the first and the fourth round of a real federation of four:
through the jobs that nodes run, without a chain, under the rules of a proposer that changes nothing, and in
the fourth under none of them. That round counts in which an attack is left with most. In the eighth nobody
is paid for honest work, and nothing can be held against that.

Each is a row as it was played, without audits, and a row in rounds that draw: what is lost there is computed,
for the usual lottery (a quarter of the solvers) and the least bond that its rule allows where a delta is paid
as much as the best of the round was; a machine on which nobody is drawn sees no difference.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
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
from jepanet.protocol.settling.bond_rule import Lottery, least_bond
from jepanet.protocol.settling.caps import usual_of
from jepanet.protocol.settling.rows import Row
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.settings.config import ProposerSection
from jepanet.tensors import Arrays
from jepanet.types import Verdict
from jepanet.work.worker import Worker

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(7200)]

RECIPE, SEED, SOLVERS, ROUNDS = "tworoom-small", 0, 4, 8
PLAYED, MIDDLE = (0, 3), 3
"""Rounds, from 0."""
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
DRAWN, MOST = 250, 2.0
"""Thousandths of a chance to be audited; the least R that a bond is taken for, in honest pays."""
KEPT = {Verdict.EXCLUDED: 0.2, Verdict.INVALID: 1.0}
"""Of a bond, what a verdict costs whoever was not drawn."""

BY_RULES = ("reference", "priced", "variance", "mended", "share", "cap")
"""Words of defences that a proposer's rules are: these attacks are played without the rules too."""

LEAK, FOLLOWING = "leaked shard, twice the steps", "leaked shard, where what is usual follows"
UNAUDITED = ", where nothing is audited"

Deltas = list[Arrays | None]


def made(round_: Recorded, recipe: Recipe) -> Iterator[tuple[str, str, float, Deltas, int, bool]]:
    """(attack, defence, cost in honest trainings, deltas, how many of them from the first are the attacker's,
    whether an audit can meet it)."""
    honest = [round_.deltas[f"honest {place}"] for place in range(SOLVERS)]
    first, others = honest[0], honest[1:]
    cheap = [round_.deltas[f"cheap {place}"] for place in range(5)]
    size = norm(first)
    now = Attempt(
        round_.base, recipe, round_.sealed, round_.sealed, bytes(32), round_.number * recipe.inner_steps,
        first, parts_of(recipe),
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
    for name in (LEAK, FOLLOWING):
        yield name, "a cap on pay", 2.0, alone(round_.deltas["leak"]), 1, True
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


def by_place(sheet: ScoreSheet) -> list[Row]:
    """By place of commitment."""
    from round_samples import account

    found = {row.solver: row for row in sheet.rows}
    return [found[account("solver", place)] for place in range(len(sheet.rows))]


def scored(
    attack: str, defence: str, cost: float, own: list[Row], due: float, *, seen: bool, effect: str
) -> Iterator[Played]:
    """The rows of one attack; `own`: of its sheet. `due`: what honest work is paid in its place, wei."""
    earned = sum(row.amount for row in own) / due
    reasons = ", ".join(sorted({row.reason for row in own} - {"accepted"}))
    kept = sum(KEPT.get(row.verdict, 0.0) for row in own)
    # As large as a bond has to be where whoever is paid most here may be paid that.
    most = max(MOST, *(row.amount / due for row in own))
    bond = (least_bond(int(most * 10**18), Lottery(DRAWN, 1, 32).chance(0, ends=True)) or 0) / 1e18
    drawn = DRAWN / 1000 if seen else 0.0
    lost = drawn * len(own) + (1 - drawn) * kept
    yield Played(
        attack, defence, WORK, cost, round(earned * (1 - drawn), 3), round(lost, 3), earned > 0, reasons,
        effect=effect, bond=round(bond, 3),
    )  # fmt: skip
    if seen and earned > 0:
        yield Played(
            attack + UNAUDITED, defence, WORK, cost, round(earned, 3), round(kept, 3), True, reasons,
            open=earned - kept * bond > 0.5 * cost, effect=effect, bond=round(bond, 3),
        )  # fmt: skip


async def play(folder: Path, kept: Path) -> None:
    """Adds lines to `kept` for each attack that is not there yet."""
    recipe = preset(RECIPE)
    data = Data(RECIPE, SEED, SOLVERS, 2 * ROUNDS, CACHE / "attacks")
    worker = Worker()
    try:
        for round_ in recorded(recipe, data, SEED, SOLVERS, PLAYED, CACHE / "rules", sealed=ROUNDS):
            await play_round(folder / str(round_.number), kept, worker, round_, recipe)
    finally:
        await worker.stop()


async def play_round(folder: Path, kept: Path, worker: Worker, round_: Recorded, recipe: Recipe) -> None:
    known = {row.attack for number, row in played(kept) if number == round_.number}
    none = ProposerSection(
        drop_sigmas_milli=0, to_reference_milli=0, pay_as_merged=False, pay_to_median_milli=0,
        variance_price_milli=0,
    )  # fmt: skip
    usual = Bench.of(folder / "with", worker, round_, recipe, ProposerSection())
    bare = Bench.of(folder / "without", worker, round_, recipe, none)
    honest: list[Arrays | None] = [round_.deltas[f"honest {place}"] for place in range(SOLVERS)]
    clean = [await bench.play(honest) for bench in (usual, bare)]
    due = [[row.amount for row in by_place(sheet)] for sheet in clean]
    assert any(due[0]), "honest work is paid something"
    following = Bench.of(
        folder / "following", worker, round_, recipe, ProposerSection(usual_follows=True),
        usual=usual_of(usual.spec, by_place(clean[0])),
    )  # fmt: skip
    for attack, defence, cost, deltas, own, seen in made(round_, recipe):
        if attack in known:
            continue
        # In the place of the first, unless that is paid less than most, or beside all of them.
        beside = any(item is honest[0] for item in deltas[own:]) or own == SOLVERS
        with_, without = (max(0 if beside else amounts[0], sum(amounts) / SOLVERS) for amounts in due)
        sheet = await (following if attack == FOLLOWING else usual).play(deltas)
        effect = f"round {round_.number + 1}: {_effect(sheet)}"
        rows = list(scored(attack, defence, cost, by_place(sheet)[:own], with_, seen=seen, effect=effect))
        ruled = any(word in defence for word in BY_RULES) and attack != FOLLOWING
        if ruled and round_.number == MIDDLE:
            other = await bare.play(deltas)
            gets = sum(row.amount for row in by_place(other)[:own]) / without
            rows = [replace(row, undefended=f"{_effect(other)}, paid {gets:.2f}") for row in rows]
        with kept.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps([round_.number, asdict(row)]) + "\n" for row in rows)
        for row in rows:
            print(row, flush=True)


def played(kept: Path) -> list[tuple[int, Played]]:
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    return [(number, Played(**row)) for number, row in map(json.loads, lines)]


def left(row: Played) -> float:
    """By how much it is above half of honest pay for what it costs."""
    return (row.earned or 0.0) - row.lost * row.bond - 0.5 * row.cost


def worst(found: list[tuple[int, Played]]) -> list[Played]:
    """Of each attack the round in which it is left with most; what it does without rules is of the middle."""
    by_attack: dict[str, list[Played]] = {}
    for _, row in found:
        by_attack.setdefault(row.attack, []).append(row)
    without = {
        attack: [row.undefended for row in some if row.undefended] for attack, some in by_attack.items()
    }
    return [
        replace(max(some, key=left), undefended=(without[attack] or [""])[0])
        for attack, some in by_attack.items()
    ]


def _effect(sheet: ScoreSheet) -> str:
    gain = f"{sheet.improvement / 1000:+.1f} milli-nats" if sheet.published else "withheld"
    return f"{gain}, {len(sheet.dropped)} dropped"


def test_what_cheats_in_learning_earn_and_do_with_and_without_the_rules(
    tmp_path: Path, attacks_out: Path, rows: list[Played]
) -> None:
    kept = attacks_out / "learning.jsonl"
    asyncio.run(play(tmp_path, kept))
    found = played(kept)
    rows += worst(found)
    named = {row.attack: row for row in rows}
    assert named["nothing"].earned == 0.0 and named["sign flipped"].earned == 0.0
    middle = {row.attack: row for number, row in found if number == MIDDLE}
    assert "withheld" not in middle["five long cheap ones that stop a merge"].effect
    assert all(left(row) <= 1e-6 for row in rows if not row.open)
    # A limit that follows holds a leak where the round's own median would be the leak itself.
    leaks = [middle[name + UNAUDITED].earned for name in (LEAK, FOLLOWING)]
    assert leaks[1] is not None and leaks[0] is not None and leaks[1] < leaks[0]
