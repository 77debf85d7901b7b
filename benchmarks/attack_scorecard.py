"""Which attacks are known, what does each earn and lose, is it open, and do the tests that show it pass?

Three kinds of rows. *Played* ones came of attackers at work: against real nodes on a chain (`network`), or,
of what is learning alone, through the jobs that nodes run (`work`). They are played by
`scripts/test attacks -- --attacks-out FOLDER` and read with `--played FOLDER`. *Computed* ones are of solvers
that cheat in what they train: cost and pay of `measured_attacks.toml`, with what is lost of bonds where
trainings are drawn for audits (`audit_economics.py`). *Parsed* ones are the rows of `docs/threat-model.md`,
each with the tests that it names: those of `tests/unit` and `tests/property` are run here with `--run`; those
of the contracts and of whole networks are run by `scripts/test`. A parsed row has figures only where the page
says that its attacker gets nothing.

`scripts/mutate_defences --out FILE` takes away one defence after the other; with `--mutants FILE` each row
says how many of them its tests have noticed.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
from audit_economics import Terms, as_measured, read_attacks
from rich.console import Console
from rich.table import Table

from jepanet.protocol.settling.bond_rule import Lottery

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "threat-model.md"
RESULTS = Path(__file__).parent / "results"
RESULT = RESULTS / "attack_scorecard.json"
PLAYED, COMPUTED, PARSED = "played", "computed", "parsed"
RUN_HERE = ("unit", "property")
PATH = click.Path(path_type=Path)
TARGET = 0.5
"""Of honest pay, per honest training."""
_NOTHING = re.compile(r"(gets|earns|is paid|has) (nothing|no )|loses its (fee|bond)|unpaid", re.IGNORECASE)
_LOSES = re.compile(
    r"loses? (?:its |the |a part of its |part of its )?(fee|bond|stake|deposit)", re.IGNORECASE
)


@dataclass(frozen=True)
class Scored:
    """`cost` in honest trainings, `earned` and `lost` in honest pay; None where nobody has measured it.
    `kind`: how the figures came about; of played ones also where. `lost` of played ones is in whole bonds.
    `merged`: whether it reaches the model, where that is known. `held`: whether all its tests that were run
    here pass; None where none was. `mutants`: how many mutants without a defence were caught by its tests."""

    attack: str
    kind: str
    defence: str
    cost: float | None
    earned: float | None
    lost: float | str | None
    merged: bool | None
    open: bool
    tests: tuple[str, ...] = ()
    held: bool | None = None
    detected: str = ""
    effect: str = ""
    undefended: str = ""
    mutants: int = 0


def played(folder: Path) -> Iterator[Scored]:
    """What was kept of attackers at work; nothing where nobody has played."""
    for path in sorted(folder.glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            yield Scored(kind=f"{PLAYED} ({row.pop('on')})", **row)


def caught_by(path: Path) -> Counter[str]:
    """By name of a test, how many mutants it has caught; nothing where nobody has tried."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return Counter(re.sub(r"\[.*", "", row["caught"]) for row in rows if row["caught"])


def measured(probability: int, most: float) -> Iterator[Scored]:
    """Solvers that cheat, where each is drawn with so many thousandths of a chance."""
    terms = Terms.of("rule", Lottery(probability, 1, 32), most)
    for attack in read_attacks():
        seen = attack.where != "unseen"
        rate = as_measured(attack, terms).rate
        chance = float(terms.lottery.chance(0, ends=True)) if seen else 0.0
        cheating = attack.identities - attack.clean
        yield Scored(
            attack=attack.name,
            kind=COMPUTED,
            defence="audits of drawn trainings, with a bond that follows" if seen else "no audit meets it",
            cost=attack.cost,
            earned=round(attack.pay * (1 - chance), 3),
            lost=round(cheating * chance * terms.bond, 3),
            merged=None,
            open=not seen and (rate or 0.0) > TARGET,
        )


def shown(page: str) -> Iterator[Scored]:
    """The rows of the threat model that say what stops an attack and what shows it."""
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) not in (3, 4) or cells[0].startswith("Attack"):
            continue
        gets = cells[2] if len(cells) == 4 else ""
        loses = _LOSES.search(gets)
        tests = tuple(dict.fromkeys(re.findall(r"`(test[A-Za-z_]\w*)`", cells[-1])))
        is_open = "**open**" in line.lower()
        if not tests and not is_open:
            continue
        yield Scored(
            attack=re.sub(r"[`*]", "", cells[0]),
            kind=PARSED,
            defence=re.sub(r"[`*]", "", cells[1]),
            cost=None,
            earned=0.0 if _NOTHING.search(gets) and not is_open else None,
            lost=loses[1] if loses else None,
            merged=None,
            open=is_open,
            tests=tests,
        )


def beyond(row: Scored) -> bool:
    """Whether a row that loses nothing earns more than the target, and is not said to be open."""
    if row.earned is None or row.cost is None or row.open or row.lost:
        return False
    return row.earned > TARGET * row.cost


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
def main(runs: bool, probability: int, most: float, kept: Path, mutants: Path) -> None:
    """Prints a table and writes results/attack_scorecard.json."""
    page = PAGE.read_text(encoding="utf-8")
    rows = [*played(kept), *measured(probability, most), *shown(page)]
    caught = caught_by(mutants)
    where = places()
    passes = run_here(rows, where) if runs else {}
    heads = ("attack", "how", "cost", "earned", "lost", "open", "tests", "held", "mutants")
    table = Table(*heads, title="Attacks")
    document = []
    for row in rows:
        ran = [passes[name] for name in row.tests if name in passes]
        killed = sum(caught[name] for name in row.tests)
        row = replace(row, held=all(ran) if ran else None, mutants=killed)
        document.append(asdict(row))
        figures = ["" if value is None else str(value) for value in (row.cost, row.earned, row.lost)]
        held = {None: "", True: "yes", False: "NO"}[row.held]
        told = ("open" if row.open else "", str(len(row.tests)), held, str(row.mutants or ""))
        table.add_row(row.attack[:70], row.kind, *figures, *told)
    Console(width=160).print(table)
    counts = {
        "rows": len(rows),
        **{kind: sum(row.kind.startswith(kind) for row in rows) for kind in (PLAYED, COMPUTED, PARSED)},
        "open": sum(row.open for row in rows),
        "beyond_the_target": [row.attack for row in rows if beyond(row)],
        "mutants_caught": sum(caught.values()),
        "tests": len({name for row in rows for name in row.tests}),
        "run_here": len(passes),
        "failed_here": sorted(name for name, good in passes.items() if not good),
        "of_contracts": len({name for row in rows for name in row.tests if name not in where}),
    }
    print(json.dumps(counts, indent=1))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"counts": counts, "rows": document}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
