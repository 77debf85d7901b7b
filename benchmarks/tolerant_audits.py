"""How far apart do honest builds end when they do the same few steps, how far is what was not done honestly,
and how often is a bound between the two wrong?

A training of a recipe's usual dataset, once from the public start and once from a later model, is done with
the state of every step kept; parts of 1, 5 and 16 steps of it are done again (`learning.auditing.replay`,
what `jepanet audit` runs) in processes whose sums are rounded otherwise: by another instruction set in torch,
in oneDNN, in MKL, by other numbers of threads and processes, by another version of torch (`--torch FOLDER`,
one that was installed with `pip install --target`). Some of these also train, and are audited here. Every way
of cheating (`tolerance/cheats.py`) ends parts of 1 and 5 steps, and is measured the same way.

Rates are of parts, with 95 % intervals by Clopper & Pearson (1934). Parts of one training are not independent
of each other: trainings times settings are fewer, and are given as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

RESULT = Path(__file__).parent / "results" / "tolerant_audits.json"
RECIPES = ("language-tiny", "image-tiny", "tworoom-small", "vision-language-tiny")
HERE, OLD = "as it comes", "all of an old machine"
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Setting:
    """How a process rounds its sums."""

    name: str
    environment: dict[str, str]
    threads: int = 1


SETTINGS = (
    Setting(HERE, {}),
    Setting("torch without vectors", {"ATEN_CPU_CAPABILITY": "default"}),
    Setting("torch AVX2", {"ATEN_CPU_CAPABILITY": "avx2"}),
    Setting("oneDNN SSE4.1", {"ONEDNN_MAX_CPU_ISA": "SSE41"}),
    Setting("oneDNN AVX2", {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    Setting("MKL compatible", {"MKL_CBWR": "COMPATIBLE"}),
    Setting(
        OLD,
        {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
    ),
    Setting("2 threads", {"OMP_NUM_THREADS": "2"}, 2),
    Setting("4 threads", {"OMP_NUM_THREADS": "4"}, 4),
)
TRAINERS = (OLD,)
"""That train as well, and are audited here, beside two processes and other versions of torch."""


# ------------------------------------------------------------------ in a process of its own


def child(order: dict[str, object]) -> list[dict]:
    import torch
    from tolerance.bench import Bench
    from tolerance.cheats import CHEATS, Part

    from jepanet.learning.machine import determinism

    bench = Bench(str(order["recipe"]), str(order["when"]), Path(str(order["folder"])))
    threads = int(str(order["threads"]))
    if threads > 1:
        # A training has one thread; that it had more is what is tried here.
        torch.set_num_threads(threads)
        determinism.torch.set_num_threads = lambda _: None  # type: ignore[attr-defined]
    rows: list[dict] = []
    if order["do"] == "train":
        bench.train(int(str(order["processes"])))
        return rows
    if order["do"] == "audit":
        # Threads that wait for a busy core are slow.
        for first, last in list(bench.parts())[:: 8 if threads > 1 else 1]:
            apart, wrong = bench.again(first, last)
            rows.append({"first": first, "steps": last - first, "distance": astuple(apart), "wrong": wrong})
        return rows
    for first, last in bench.parts():
        if last - first > 5 or (last - first == 5 and first % 20):
            continue
        for name, cheat in CHEATS.items():
            if name == "the last step left out" and last - first == 1:
                continue
            part = Part(bench, first, last)
            try:
                apart, _ = bench.again(first, last, part.claimed(cheat(part)))
                found: Sequence[float] | None = astuple(apart)
            except Exception as error:  # what is refused without a distance
                if type(error).__name__ != "Rejected":
                    raise
                found = None
            rows.append({"cheat": name, "first": first, "steps": last - first, "distance": found})
    return rows


def ask(setting: Setting, torch_at: str | None, **order: object) -> list[dict]:
    """What `child` answers in a process of that setting."""
    paths = [torch_at] if torch_at else []
    paths += [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | _PASSIVE | setting.environment | {"PYTHONPATH": os.pathsep.join(paths)}
    call = [sys.executable, __file__, "--child", json.dumps(order | {"threads": setting.threads})]
    made = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SystemExit(f"{setting.name}: {made.stderr[-3000:]}")
    found: list[dict] = json.loads(made.stdout.splitlines()[-1])
    return found


# ------------------------------------------------------------------ playing


class Played:
    """Rows of all parts that were measured, kept in a file as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[dict] = json.loads(path.read_text())["rows"] if path.exists() else []

    def __contains__(self, about: dict[str, str]) -> bool:
        return any(about.items() <= row.items() for row in self.rows)

    def add(self, about: dict[str, str], rows: list[dict]) -> None:
        from jepanet.learning.auditing.tolerance import BOUND

        self.rows.extend(about | row for row in rows)
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps({"bound": asdict(BOUND), "rows": self.rows}) + "\n")


def play(
    name: str, when: str, folder: Path, others: Sequence[str], chosen: Sequence[str], played: Played
) -> None:
    """All parts of one training, honest and not: a row for each, with who trained and who audited."""
    trainers = [(HERE, SETTINGS[0], None), ("2 processes", SETTINGS[0], None)]
    trainers += [(item.name, item, None) for item in SETTINGS if item.name in TRAINERS]
    trainers += [(f"torch {version(path)}", SETTINGS[0], path) for path in others]
    settings = [item for item in SETTINGS if not chosen or item.name in (HERE, *chosen)]
    auditors = [(item.name, item, None) for item in settings] + trainers[len(TRAINERS) + 2 :]
    for trainer, trains, at in trainers:
        place = folder / f"{name}-{when}-{trainer.replace(' ', '-')}"
        order = {"recipe": name, "when": when, "folder": str(place)}
        if not (place / "trace").exists():
            ask(trains, at, **order, do="train", processes=2 if trainer == "2 processes" else 1)
        for auditor, audits, there in auditors if trainer == HERE else auditors[:1]:
            for kind in ("audit", "cheats") if trainer == auditor == HERE else ("audit",):
                about = {"recipe": name, "when": when, "trainer": trainer, "auditor": auditor, "do": kind}
                if about not in played:
                    began = time.monotonic()
                    found = ask(audits, there, **order, do=kind)
                    played.add(about, found)
                    click.echo(f"{', '.join(about.values())}: {time.monotonic() - began:.0f} s")


def version(folder: str) -> str:
    """Of the torch that was installed there."""
    return next(Path(folder).glob("torch-*.dist-info")).name.removeprefix("torch-").removesuffix(".dist-info")


@click.command()
@click.option("--recipe", "names", multiple=True, default=RECIPES, show_default=True)
@click.option("--when", "whens", multiple=True, default=("early", "late"), show_default=True)
@click.option("--setting", "chosen", multiple=True, type=click.Choice([item.name for item in SETTINGS]))
@click.option("--torch", "others", multiple=True, metavar="FOLDER", help="Another torch, with what it needs.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where trainings are kept; default: nowhere.")
@click.option("--out", default=RESULT, type=click.Path(path_type=Path))
@click.option("--report", type=click.Path(path_type=Path), help="Where the tables are written as Markdown.")
@click.option("--child", "order", hidden=True)
def main(
    names: tuple[str, ...], whens: tuple[str, ...], chosen: tuple[str, ...], others: tuple[str, ...],
    folder: Path | None, out: Path, report: Path | None, order: str | None,
) -> None:  # fmt: skip
    """Honest distances, those of cheats, and rates; what is measured already in --out is not done again."""
    if order is not None:
        print(json.dumps(child(json.loads(order))))
        return
    played = Played(out)
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            for when in whens:
                play(name, when, folder or Path(scratch), others, chosen, played)
    from tolerance.figures import tables, written

    found = tables(played.rows)
    if report is not None:
        report.write_text(written(found), encoding="utf-8")
    for title, columns, lines in found:
        table = Table(*columns, title=title)
        for line in lines:
            table.add_row(*line)
        Console(width=170).print(table)


if __name__ == "__main__":
    main()
