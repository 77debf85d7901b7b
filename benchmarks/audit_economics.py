"""What does each measured way of cheating earn, once its solver may be drawn for an audit and loses its bond?

For every row of `measured_attacks.toml`: the expected pay, less the bond that is expected to be lost, in
honest pay per honest training, as it was measured, and as whoever knows the draw would hide it: put into a
single segment between the first and the last, or spread over as many segments as pay best. Nothing is played:
bonds and chances are those of `protocol/settling/bond_rule.py`, and what is saved or earned grows evenly with
the segments in which it is done.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from jepanet.protocol.settling.bond_rule import Lottery, least_bond

ROWS = Path(__file__).with_name("measured_attacks.toml")
RESULT = Path(__file__).parent / "results" / "audit_economics.json"
TARGET = 0.5
"""Of honest pay, per honest training."""
UNIT = 10**18
"""Honest pay, so that bonds are rounded where that does not show."""


@dataclass(frozen=True)
class Attack:
    """A row: see `measured_attacks.toml`."""

    name: str
    cost: float
    pay: float
    where: str
    interval: tuple[float, ...] = ()
    aside: float | None = None
    copies: bool = False
    identities: int = 1
    clean: int = 0
    whole: float = 1.0
    note: str = ""


@dataclass(frozen=True)
class Terms:
    """Of a round. `most`: R, that one delta is paid, in honest pays; `bond` in the same."""

    name: str
    lottery: Lottery
    most: float
    bond: float

    @classmethod
    def of(cls, name: str, lottery: Lottery, most: float, *, one: bool = False) -> Terms:
        """`one`: the bond deters a cheat in a single segment between, not only one that is always met."""
        chance = lottery.chance(1) if one else lottery.chance(0, ends=True)
        bond = least_bond(int(most * UNIT), chance)
        assert bond is not None, "somebody is drawn"
        return cls(name, lottery, most, bond / UNIT)

    def expected(self, attack: Attack, pay: float, chance: Fraction) -> float:
        """Pay less lost bonds, of all identities of an attack, each of which is drawn by itself."""
        d, cheating = float(chance), attack.identities - attack.clean
        each = min(pay / attack.identities, self.most)
        return attack.clean * each + cheating * ((1 - d) * each - d * self.bond)


@dataclass(frozen=True)
class Found:
    """`earned` in honest pay; `rate` for each honest training, None where nothing was trained."""

    earned: float
    rate: float | None
    segments: int | None = None
    """Between the first and the last, in which other work was done; None: everywhere, or at the end."""


def as_measured(attack: Attack, terms: Terms) -> Found:
    chance = Fraction(0) if attack.where == "unseen" else terms.lottery.chance(0, ends=True)
    earned = terms.expected(attack, attack.pay, chance)
    return Found(earned, earned / attack.cost if attack.cost else None)


def hidden(attack: Attack, terms: Terms) -> list[Found]:
    """Every way to keep an attack to segments between, by how many; none where there is nothing to hide."""
    if attack.where == "unseen" or not attack.pay:
        return []
    lottery, ways = terms.lottery, []
    for number in range(1, lottery.between + 1):
        share, chance = number / lottery.segments, lottery.chance(number)
        if attack.copies:
            pay = attack.pay
            cost = 1 + (attack.identities - 1) * (1 - share)
        else:
            pay = attack.whole + (attack.pay - attack.whole) * share
            cost = attack.identities + (attack.cost - attack.identities) * share
        earned = terms.expected(attack, pay, chance)
        ways.append(Found(earned, earned / cost, number))
    if attack.aside is not None and lottery.between:
        earned = terms.expected(attack, attack.pay, lottery.chance(1))
        ways.append(Found(earned, earned / attack.aside, 1))
    return ways


def best(ways: list[Found]) -> Found | None:
    return max(ways, key=lambda way: (way.rate or 0.0, way.earned), default=None)


def smallest(ways: list[Found], between: int) -> float | None:
    """The smallest fraction of the segments between in which an attack earns more per training than honest
    work does."""
    paying = [way.segments for way in ways if way.segments is not None and (way.rate or 0.0) > 1]
    return min(paying) / between if paying else None


def read_attacks() -> list[Attack]:
    rows = tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]
    return [Attack(**{**row, "interval": tuple(row.get("interval", ()))}) for row in rows]


def show(title: str, columns: list[str], rows: list[list[str]], *, markdown: bool) -> None:
    if markdown:
        for row in (columns, ["---", *["---:"] * (len(columns) - 1)], *rows):
            print(f"| {' | '.join(row)} |")
        print()
        return
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console(width=200).print(table)


def show_terms(probability: int, *, markdown: bool) -> list[dict[str, float]]:
    """What rounds of other terms do again, and which bond makes a cheat in one segment between not pay."""
    found = []
    for segments, opened in ((32, 1), (32, 4), (16, 2), (8, 1), (8, 2), (8, 3), (8, 6), (4, 2)):
        lottery = Lottery(probability, opened, segments)
        # The outer segments have one step each: nothing of a long training.
        chance, again = lottery.chance(1), min(opened, segments - 2) / (segments - 2)
        bonds = [least_bond(UNIT, d) or 0 for d in (lottery.chance(0, ends=True), chance)]
        found.append(
            {
                "segments": segments, "opened": opened, "again_if_drawn": again,
                "again": again * probability / 1000, "chance_of_one": float(chance),
                "bond_for_the_end": bonds[0] / UNIT, "bond_for_one": bonds[1] / UNIT,
            }
        )  # fmt: skip
    names = ["segments", "drawn between", "again, of a drawn training", "again, of any", "d of one between",
             "bond / R, for the end", "bond / R, for one between"]  # fmt: skip
    show("Terms", names, [[f"{value:.3g}" for value in row.values()] for row in found], markdown=markdown)
    return found


@click.command()
@click.option("--most", default=2.0, help="R: the most that one delta is paid, in honest pays.")
@click.option("--probability", default=250, help="Thousandths with which a solver is drawn.")
@click.option("--markdown", is_flag=True, help="Print the tables as a page has them.")
def main(most: float, probability: int, markdown: bool) -> None:
    """Prints tables and writes results/audit_economics.json."""
    terms_told = show_terms(probability, markdown=markdown)
    usual = Lottery(probability, 1, 32)
    few = Lottery(probability, 6, 8)
    kinds = [
        Terms.of("rule", usual, most),
        Terms.of("one", usual, most, one=True),
        Terms.of("whole", few, most),
    ]
    hiding = [
        f"hidden: {kind.lottery.opened} of {kind.lottery.between}, {kind.bond / most:.3g} R" for kind in kinds
    ]
    columns = ["attack", "cost", "pay", "per training", "met", "d", "audited", *hiding, "smallest f"]
    rows, document = [], []
    for attack in read_attacks():
        plain = attack.pay / attack.cost if attack.cost else None
        first = as_measured(attack, kinds[0])
        ways = {terms.name: hidden(attack, terms) for terms in kinds}
        tops = {name: best(found) for name, found in ways.items()}
        pays = smallest(ways["rule"], usual.between)
        chance = 0.0 if attack.where == "unseen" else probability / 1000
        rows.append([
            attack.name, f"{attack.cost:g}", f"{attack.pay:.2f}", _rate(plain, attack.pay), attack.where,
            f"{chance:g}", _rate(first.rate, first.earned), *(_top(tops[terms.name]) for terms in kinds),
            "none" if pays is None else f"{pays:.3f}",
        ])  # fmt: skip
        document.append(
            {
                **asdict(attack), "without_audits": plain, "chance": chance, "as_measured": asdict(first),
                "hidden": {name: None if top is None else asdict(top) for name, top in tops.items()},
                "smallest_fraction_that_pays": pays,
            }
        )  # fmt: skip
    title = (
        f"Expected pay less lost bonds, in honest pay per training (R = {most:g}, p = {probability / 1000:g})"
    )
    show(title, columns, rows, markdown=markdown)
    above = [row["name"] for row in document if (row["as_measured"]["rate"] or 0) > TARGET]
    print(f"above {TARGET} as measured: {'; '.join(above) or 'none'}")
    said = {terms.name: {"bond_in_R": terms.bond / most, **asdict(terms.lottery)} for terms in kinds}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    told = {"most": most, "terms": said, "other_terms": terms_told, "above": above, "rows": document}
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _rate(rate: float | None, earned: float) -> str:
    if rate is None:
        return "nothing" if not earned else "loss" if earned < 0 else f"{earned:.2f}, no training"
    return f"{rate:.2f}" if rate > 0 else "nothing" if abs(rate) < 0.005 else f"{rate:.2f}".replace("-", "−")


def _top(found: Found | None) -> str:
    if found is None:
        return ""
    return f"{_rate(found.rate, found.earned)} in {found.segments}"


if __name__ == "__main__":
    main()
