"""Which attacks are known, what does each earn and lose, is it open, and do the tests that show it pass?

Three kinds of rows. *Played* ones came of attackers at work: against real nodes on a chain (`network`), or,
of what is learning alone, through the jobs that nodes run (`work`). They are played by
`scripts/test attacks -- --attacks-out FOLDER` and read with `--played FOLDER`. *Computed* ones are of solvers
that cheat in what they train: cost and pay of `measured_attacks.toml`, with what is lost of bonds where
trainings are drawn for audits (`audit_economics.py`), done as measured, and those that pay more than honest
work does when they are kept to a few segments. *Parsed* ones are the rows of `docs/threat-model.md`, each
with the tests that it names: those of `tests/unit` and `tests/property` are run here with `--run`; those of
the contracts and of whole networks are run by `scripts/test`. Their figures are nothing where the page says
so, and otherwise those that `attack_figures.toml` names.

`scripts/mutate_defences --out FILE` takes away one defence after the other; with `--mutants FILE` each row
says how many of them its tests have noticed.

Every row is left with at most half of honest pay for each honest training that it costs, or is open, with its
figure, and stands in the threat model: what falls short is said in a sentence, and the exit status is 1.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import click
from audit_economics import Found, Terms, as_measured, best, hidden, read_attacks
from rich.console import Console
from rich.table import Table
from scorecard.breaches import breaches
from scorecard.page import read_figures, shown, with_figures
from scorecard.report import page_of
from scorecard.scored import COMPUTED, PARSED, PLAYED, TARGET, Scored

from jepanet.protocol.settling.bond_rule import Lottery

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "threat-model.md"
FIGURES = Path(__file__).with_name("attack_figures.toml")
RESULTS = Path(__file__).parent / "results"
RESULT = RESULTS / "attack_scorecard.json"
RUN_HERE = ("unit", "property")
PATH = click.Path(path_type=Path)
SEGMENTS = 32
"""Of a training; one of those between is done again: what proposers use who change nothing."""


def played(folder: Path, bond: float) -> Iterator[Scored]:
    """What was kept of attackers at work; nothing where nobody has played. `bond`: in honest pays, where a
    row says nothing else."""
    for path in sorted(folder.glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            row["lost"] *= row.pop("bond", 0.0) or bond
            yield Scored(kind=f"{PLAYED} ({row.pop('on')})", **row)


def caught_by(path: Path) -> tuple[Counter[str], list[str]]:
    """By name of a test, how many mutants it has caught, and the defences that nothing has noticed; nothing
    where nobody has tried."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    caught = Counter(re.sub(r"\[.*", "", row["caught"]) for row in rows if row["caught"])
    return caught, [row["defence"] for row in rows if not row["caught"]]


def measured(terms: Terms) -> Iterator[Scored]:
    """Solvers that cheat, under the terms of a round."""
    bond = terms.bond
    for attack in read_attacks():
        seen = attack.where != "unseen"
        chance = float(terms.lottery.chance(0, ends=True)) if seen else 0.0
        cheating = attack.identities - attack.clean
        found, lost = as_measured(attack, terms), cheating * chance * bond
        yield Scored(
            attack=attack.name,
            kind=COMPUTED,
            defence="audits of drawn trainings, with a bond that follows" if seen else "no audit meets it",
            cost=attack.cost,
            earned=round(found.earned + lost, 3),
            lost=round(lost, 3),
            merged=None,
            open=not seen and found.earned > TARGET * attack.cost,
        )
        aside = best(hidden(attack, terms))
        if aside is not None and (aside.rate or 0.0) > 1:
            yield _aside(attack.name, aside)


def _aside(name: str, found: Found) -> Scored:
    """What pays more than honest work, most of which it is: so nothing less is worth a row."""
    assert found.rate is not None, "it is trained"
    return Scored(
        attack=f"{name}, kept to {found.segments} of the segments between",
        kind=COMPUTED,
        defence="audits, where all segments are opened or the bond is for one",
        cost=round(found.earned / found.rate, 3),
        earned=round(found.earned, 3),
        lost=0.0,
        merged=None,
        open=True,
        words="earned is what is left after the bonds that are lost",
    )


def places() -> dict[str, list[Path]]:
    """Where each test of Python lies, by name."""
    found: dict[str, list[Path]] = {}
    for file in sorted((ROOT / "tests").glob("**/test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                found.setdefault(node.name, []).append(file)
    return found


def run_here(rows: Iterable[Scored], where: dict[str, list[Path]]) -> dict[str, bool]:
    """Of each test that can be run without a chain or processes, whether it passes."""
    wanted: dict[str, str] = {}
    for name in dict.fromkeys(name for row in rows for name in row.tests):
        for file in where.get(name, ()):
            if file.parent.name in RUN_HERE:
                wanted[name] = f"{file.relative_to(ROOT)}::{name}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", *wanted.values()]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    told = dict.fromkeys(wanted, False)
    verdicts = re.findall(r"^(PASSED|FAILED|ERROR) \S+?::(\w+)", out, re.MULTILINE)
    told |= {name: True for verdict, name in verdicts if verdict == "PASSED"}
    told |= {name: False for verdict, name in verdicts if verdict != "PASSED"}
    return told


@click.command()
@click.option("--run", "runs", is_flag=True, help="Run the unit and property tests of the shown rows.")
@click.option("--probability", default=250, help="Thousandths with which a solver is drawn for an audit.")
@click.option("--most", default=2.0, help="The most that one delta is paid, in honest pays.")
@click.option("--played", "kept", type=PATH, default=RESULTS / "attacks", help="Rows that were played.")
@click.option("--mutants", type=PATH, default=RESULTS / "defence_mutants.json", help="What caught them.")
@click.option("--page", "report", type=PATH, help="Write the rows as a page too.")
def main(runs: bool, probability: int, most: float, kept: Path, mutants: Path, report: Path | None) -> None:
    """Prints a table and writes results/attack_scorecard.json."""
    terms = Terms.of("rule", Lottery(probability, 1, SEGMENTS), most)
    others = [*played(kept, terms.bond), *measured(terms)]
    page = list(shown(PAGE.read_text(encoding="utf-8")))
    parsed, wrong = with_figures(page, read_figures(FIGURES), others)
    rows = [*others, *parsed]
    caught, survived = caught_by(mutants)
    where = places()
    passes = run_here(rows, where) if runs else {}
    heads = ("attack", "how", "cost", "earned", "lost", "open", "tests", "held", "mutants")
    table = Table(*heads, title="Attacks")
    done = []
    for row in rows:
        ran = [passes[name] for name in row.tests if name in passes]
        killed = sum(caught[name] for name in row.tests)
        row = replace(row, held=all(ran) if ran else None, mutants=killed)
        done.append(row)
        figures = ["" if value is None else str(value) for value in (row.cost, row.earned, row.lost)]
        held = {None: "", True: "yes", False: "NO"}[row.held]
        told = ("open" if row.open else "", str(len(row.tests)), held, str(row.mutants or ""))
        table.add_row(row.attack[:70], row.kind, *figures, *told)
    Console(width=160).print(table)
    counts = {
        "rows": len(rows),
        **{kind: sum(row.kind.startswith(kind) for row in rows) for kind in (PLAYED, COMPUTED, PARSED)},
        "open": sum(row.open for row in rows),
        "beyond_the_target": [row.attack for row in rows if row.beyond],
        "mutants_caught": sum(caught.values()),
        "tests": len({name for row in rows for name in row.tests}),
        "run_here": len(passes),
        "failed_here": sorted(name for name, good in passes.items() if not good),
        "of_contracts": len({name for row in rows for name in row.tests if name not in where}),
    }
    print(json.dumps(counts, indent=1))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    document = {"counts": counts, "rows": [asdict(row) for row in done]}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if report is not None:
        report.write_text("\n".join(page_of(done)) + "\n", encoding="utf-8")
    wrong += breaches(done, survived)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
