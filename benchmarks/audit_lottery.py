"""After how many rounds is a cheat found, by the real draw, and is anybody found who did not cheat?

Rounds with made-up beacons; solvers that cheat in a round with probability q, in all segments, in the last,
or in k of those between, drawn anew each time. Whose training is audited, and which segments of it, follows
from the beacon as on the network (`protocol/settling/audit_draw.py`). Beside each: what theory says,
1 / (q d), with d of `protocol/settling/bond_rule.py`.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.settling.audit_draw import drawn_segments
from jepanet.protocol.settling.bond_rule import Lottery
from jepanet.types import Address, RoundId

RESULT = Path(__file__).parent / "results" / "audit_lottery.json"
Z = 1.96
Cheat = Callable[[random.Random], frozenset[int]]
"""The segments in which other work was done, this time."""


@dataclass(frozen=True)
class Kind:
    """A way to cheat: with probability `q` a round, in `between` segments of those between, or everywhere."""

    name: str
    q: float
    cheat: Cheat
    chance: float
    """To be found where it was done, by theory."""


@dataclass(frozen=True)
class Played:
    """`rounds`: mean until found, with a 95 % interval; `theory`: 1 / (q d)."""

    name: str
    solvers: int
    played: int
    audits: int
    found: int
    rounds: float | None
    low: float | None
    high: float | None
    theory: float | None


def everywhere(lottery: Lottery) -> Cheat:
    return lambda _: frozenset(range(lottery.segments))


def last(lottery: Lottery) -> Cheat:
    return lambda _: frozenset({lottery.segments - 1})


def between(lottery: Lottery, number: int) -> Cheat:
    return lambda dice: frozenset(dice.sample(range(1, lottery.segments - 1), number))


def honest() -> Cheat:
    return lambda _: frozenset()


def kinds_of(lottery: Lottery) -> list[Kind]:
    """Those that are played: `q` and the share of segments each from always to seldom."""
    always = float(lottery.chance(0, ends=True))
    found = [Kind("honest", 1.0, honest(), 0.0)]
    for q in (1.0, 0.5, 0.1):
        found.append(Kind(f"all segments, q = {q:g}", q, everywhere(lottery), always))
        found.append(Kind(f"the last segment, q = {q:g}", q, last(lottery), always))
        for share in (1.0, 0.5, 0.1):
            number = max(1, round(share * lottery.between))
            chance = float(lottery.chance(number))
            name = f"{number} of {lottery.between} between, q = {q:g}"
            found.append(Kind(name, q, between(lottery, number), chance))
    found.append(Kind("one between, q = 1", 1.0, between(lottery, 1), float(lottery.chance(1))))
    return found


def play(kind: Kind, lottery: Lottery, *, rounds: int, solvers: int, seed: int) -> Played:
    """Plays a kind with many solvers at once, each of which is drawn by itself."""
    rule = AuditRule(lottery.segments, lottery.probability_milli, lottery.opened)
    dice = random.Random(f"{seed}/{kind.name}")
    accounts = [account(f"{seed}/{number}") for number in range(solvers)]
    found = audits = 0
    for number in range(1, rounds + 1):
        beacon = int.from_bytes(hashlib.sha256(f"{seed}/beacon/{number}".encode()).digest(), "big")
        for who in accounts:
            drawn = drawn_segments(rule, beacon, RoundId(number), who, count=lottery.segments)
            audits += bool(drawn)
            # The coin is tossed whether or not the solver is drawn: it cannot know.
            wrong = kind.cheat(dice) if dice.random() < kind.q else frozenset()
            found += bool(wrong.intersection(drawn))
    played = rounds * solvers
    theory = 1 / (kind.q * kind.chance) if kind.chance else None
    if not found:
        return Played(kind.name, solvers, played, audits, 0, None, None, None, theory)
    # Rounds until found are trials until a success: rounds that ended without one count as well.
    low, high = wilson(found, played)
    return Played(kind.name, solvers, played, audits, found, played / found, 1 / high, 1 / low, theory)


def account(name: str) -> Address:
    return Address("0x" + hashlib.sha256(name.encode()).hexdigest()[:40])


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    share, square = hits / trials, Z * Z
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return middle - half, middle + half


@click.command()
@click.option("--rounds", default=1000)
@click.option("--solvers", default=40, help="That play each kind, one by one.")
@click.option("--segments", default=32)
@click.option("--opened", default=1, help="Segments between that are done again of who is drawn.")
@click.option("--probability", default=250, help="Thousandths with which a solver is drawn.")
@click.option("--seed", default=0)
def main(rounds: int, solvers: int, segments: int, opened: int, probability: int, seed: int) -> None:
    """Prints a table and writes results/audit_lottery.json."""
    lottery = Lottery(probability, opened, segments)
    what = f"{segments} segments, {opened} drawn between, p = {probability / 1000:g}"
    table = Table(title=f"{rounds} rounds, {solvers} solvers a kind, {what}")
    for column in ("cheat", "audits", "found", "rounds until found", "95 %", "1 / (q d)", "within"):
        table.add_column(column)
    document = []
    for kind in kinds_of(lottery):
        seen = play(kind, lottery, rounds=rounds, solvers=solvers, seed=seed)
        document.append(asdict(seen))
        interval = "" if seen.low is None else f"{seen.low:.2f} to {seen.high:.2f}"
        within = "" if seen.theory is None or seen.low is None else "yes" if seen.low <= seen.theory else "no"
        table.add_row(
            seen.name, f"{seen.audits:,}", f"{seen.found:,}", "never" if seen.rounds is None else
            f"{seen.rounds:.2f}", interval, "" if seen.theory is None else f"{seen.theory:.2f}", within,
        )  # fmt: skip
    Console(width=140).print(table)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    told = {"lottery": asdict(lottery), "rounds": rounds, "kinds": document}
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
