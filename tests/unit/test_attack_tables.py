"""How runs of `benchmarks/family_attacks.py` are shown: seeds together, and no interval of a single value."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.shards import Shard
from jepanet.learning.presets import preset

pytestmark = pytest.mark.unit

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """The benchmark's rows and their report: it is run as a script, so that its folder is on the path."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from attacks import report, rows

    return rows, report


@pytest.mark.parametrize("recipe", ["image-tiny", "vision-language-tiny", "language-tiny", "backbone-tiny"])
def test_no_two_attacks_change_the_same_parameters_alike(
    tables: tuple[ModuleType, ModuleType], recipe: str
) -> None:
    from attacks.attempt import Attempt
    from attacks.shared import attacks_on, parts_of

    chosen = preset(recipe)
    base = {name: np.ones(shape, np.float32) for name, shape in chosen.family.parameter_shapes().items()}
    shard = Shard(IMAGES, {}, ())
    now = Attempt(base, chosen, shard, shard, bytes(32), 0, base, parts_of(chosen))
    found = {}
    for name, make in attacks_on(chosen).items():
        if name.startswith(("last norm", "latents' layer")):
            made = b"".join(array.tobytes() for _, array in sorted(make(now).items()))
            assert found.setdefault(made, name) == name
    assert len(found) >= 2


def run(rows: ModuleType, seed: int, gains: tuple[int, ...], noise: int, reason: str = "accepted") -> object:
    def row(kind: str, gain: int, verdict: str, why: str) -> object:
        return rows.Row(0, kind, gain, 1000, verdict, why, 1.0)

    verdict = "ACCEPTED" if reason == "accepted" else "EXCLUDED"
    return rows.Run(
        "some-tiny",
        seed,
        {},
        [
            *(row("honest", gain, "ACCEPTED", "accepted") for gain in gains),
            row("noise", noise, verdict, reason),
        ],
        [0.5],
        {},
    )


def cells(text: str, kind: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {kind} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_single_value_is_shown_without_an_interval(tables: tuple[ModuleType, ModuleType]) -> None:
    rows, report = tables
    text = report.report([run(rows, 0, (11_000, 9000), 5000)])
    assert cells(text, "noise")[2] == "+5.00", "one delta"
    assert cells(text, "noise")[6] == "0.44", "one seed"
    assert cells(text, "honest")[2] == "+10.00 [+9.00, +11.00]", "two deltas of one seed do have one"
    assert cells(text, "honest")[6] == "1.00"


def test_seeds_are_shown_together_with_the_lowest_and_highest_of_one(
    tables: tuple[ModuleType, ModuleType],
) -> None:
    rows, report = tables
    runs = [
        run(rows, 0, (11_000, 11_000), 6000),
        run(rows, 1, (21_000, 21_000), 3000),
        run(rows, 2, (11_000, 11_000), 9000, "harm"),
    ]
    text = report.report(runs)
    assert cells(text, "noise")[2] == "+6.00 [+3.00, +9.00]"
    assert cells(text, "noise")[4] == "2/3"
    assert cells(text, "noise")[5] == "harm"
    # Paid 5, 2 and 0 milli-nats where honest deltas are paid 10, 20 and 10.
    assert cells(text, "noise")[6] == "0.17 [0.00, 0.50]"
    assert "6 honest deltas: median t 11.0" in text
    kept = report.by_recipe({item.key: item for item in runs})
    assert kept == {"some-tiny": runs}


def test_runs_that_were_kept_apart_are_joined(tables: tuple[ModuleType, ModuleType], tmp_path: Path) -> None:
    rows, _ = tables
    runs = [run(rows, seed, (11_000, 9000), 5000) for seed in (2, 0, 1)]
    for place, item in enumerate(runs):
        rows.keep_run(tmp_path / f"{place}.json", item)
    for place in range(3):
        for item in rows.kept_runs(tmp_path / f"{place}.json").values():
            rows.keep_run(tmp_path / "all.json", item)
    assert list(rows.kept_runs(tmp_path / "all.json").values()) == [runs[1], runs[2], runs[0]]
