"""What a comparison keeps is believed only whole, and its table is printed whatever happens to its files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from jepanet.errors import Fatal
from jepanet.files import keep
from jepanet.interface.arguments import lab
from jepanet.interface.cli import cli
from jepanet.lab import compare
from jepanet.lab.arms import ARMS
from jepanet.lab.compare import Comparison, _kept, _Run, _start
from jepanet.lab.keeping import just_kept, keep_json, kept_json, save_report
from jepanet.lab.reporting.report import _undrawn, mixed
from jepanet.lab.setting import Setting
from jepanet.learning.evaluation.proportion import Rate, shown, together
from jepanet.learning.machine.surroundings import said, surroundings
from learning_shards import RECIPE, SEED, disc_shard, initial

pytestmark = pytest.mark.unit

COMPARISON = Comparison(RECIPE, (ARMS["aligned"],), (0,), 1, Setting(image=32))
MADE_ON = {"torch": "2.0", "numpy": "2.0", "machine": "x86_64", "cpu": "AVX2"}


@pytest.fixture
def finished(tmp_path: Path) -> _Run:
    run = _Run(COMPARISON, ARMS["aligned"], 0, tmp_path / "data", tmp_path)
    run.path.parent.mkdir()
    for index in range(2):
        keep(run.weights(index), b"weights %d" % index)
    keep_json(run.path, {"arm": "aligned", "models": [{}, {}], "data": "content", "made_on": MADE_ON})
    return run


def test_a_finished_run_is_kept(finished: _Run) -> None:
    with capture_logs() as lines:
        figures = _kept(finished, "content")
    assert figures is not None and figures["arm"] == "aligned" and lines == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: run.path.write_bytes(b""),
        lambda run: run.path.write_bytes(run.path.read_bytes()[:20]),
        lambda run: run.path.write_bytes(run.path.read_bytes().replace(b"aligned", b"pooled!")),
        lambda run: keep(run.path, b"[" * 100_000),
        lambda run: keep(run.path, b"[]"),
        lambda run: run.weights(1).unlink(),
        lambda run: run.weights(0).write_bytes(b"weights 9"),
        lambda run: run.path.with_name(run.path.name + ".sha256").unlink(),
    ],
    ids=["empty", "cut", "changed", "deep", "another thing", "no model", "another model", "no digest"],
)
def test_a_damaged_run_counts_as_absent_and_is_named(finished: _Run, damage: Callable[[_Run], Any]) -> None:
    damage(finished)
    with capture_logs() as lines:
        assert _kept(finished, "content") is None
    assert {item["event"] for item in lines} == {"file.damaged"}
    assert any(finished.path.stem in item["path"] for item in lines)


def test_a_run_of_other_shards_under_the_same_key_is_run_again(finished: _Run) -> None:
    with capture_logs() as lines:
        assert _kept(finished, "flipped bytes") is None
    assert "other shards" in lines[0]["why"]


@pytest.mark.parametrize("content", [b"", b"half a start", None])
def test_a_damaged_start_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    made: list[int] = []

    def warm(*_: Any, **__: Any) -> Any:
        made.append(1)
        return initial(SEED)

    monkeypatch.setattr(compare, "warm_start", warm)
    run = _Run(COMPARISON, ARMS["aligned"], 0, tmp_path, tmp_path)
    (tmp_path / "runs").mkdir()
    sites: Any = SimpleNamespace(digest="d", public=disc_shard(1))
    first = _start(run, sites, RECIPE)
    _start(run, sites, RECIPE)
    assert len(made) == 1
    (path,) = (tmp_path / "runs").glob("start-*.safetensors")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if content is None else content)
    with capture_logs() as lines:
        again = _start(run, sites, RECIPE)
    assert len(made) == 2 and [item["path"] for item in lines] == [str(path)]
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])


def test_what_was_written_and_cannot_be_read_ends_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as caught:
        just_kept(tmp_path / "absent.json", dict)
    assert caught.value.remedy and kept_json(tmp_path / "absent.json", dict) is None


# ------------------------------------------------------------------ the table, whatever happens


def test_a_report_that_cannot_be_written_does_not_cost_the_table(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    report: dict[str, Any] = {"rows": [["aligned", "0.1"]]}
    save_report(tmp_path / "file" / "report.json", report)
    assert report["rows"] and "report.json" in report["unwritten"]
    with pytest.raises(Fatal, match="was not written") as caught:
        lab._refuse_unwritten(report)
    assert "--out" in str(caught.value.remedy)
    save_report(tmp_path / "report.json", report)
    assert report["unwritten"] is None and json.loads((tmp_path / "report.json").read_text()) == report
    lab._refuse_unwritten(report)


@pytest.mark.parametrize("settings", [{"text.usetex": True}, {"savefig.format": "nonsense"}, {}])
def test_the_picture_ignores_what_matplotlib_is_told_elsewhere(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with mpl.rc_context(settings):
        assert _undrawn([], tmp_path / "picture.png") is None
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_picture_there_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no picture" in str(_undrawn([], tmp_path / "no folder" / "picture.png"))
    # As where matplotlib refuses the backend that MPLBACKEND names.
    monkeypatch.setitem(sys.modules, "jepanet.lab.reporting.figures", None)
    assert "no picture" in str(_undrawn([], tmp_path / "picture.png"))


# ------------------------------------------------------------------ figures with what they rest on


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_an_interval_is_wilsons(successes: int, episodes: int, low: float, high: float) -> None:
    rate = Rate(episodes, successes)
    assert rate.interval == pytest.approx((low, high), abs=1e-4)
    tree = rate.to_json()
    assert (tree["episodes"], tree["successes"], tuple(tree["interval"])) == (
        episodes,
        successes,
        rate.interval,
    )
    assert Rate.from_json(tree) == rate


def test_a_rate_is_shown_with_its_number_and_interval() -> None:
    assert shown(together([Rate(10, 9), Rate(20, 15)])) == "80 % [63, 90] of 30"


def test_figures_of_several_builds_say_so() -> None:
    other = {**MADE_ON, "cpu": "AVX512"}
    assert mixed([{"made_on": MADE_ON}, {"made_on": MADE_ON, "control_made_on": MADE_ON}, {}]) == []
    (note,) = mixed([{"made_on": MADE_ON}, {"made_on": MADE_ON, "control_made_on": other}])
    assert "2 on torch 2.0, numpy 2.0, x86_64 AVX2" in note and "1 on" in note and "AVX512" in note
    here = surroundings()
    assert all(here.values()) and here["torch"] in said(here)


def test_the_backend_of_a_notebook_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    done = CliRunner().invoke(cli, ["lab", "compare", "--arms", "nonsense"])
    assert isinstance(done.exception, Fatal) and "MPLBACKEND" not in os.environ
