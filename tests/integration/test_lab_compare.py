"""A whole comparison on the real simulator, at the smallest size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jepanet.lab.arms import chosen
from jepanet.lab.report import Wish, compare

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WISH = Wish(
    recipe="tworoom-tiny",
    arms=chosen("aligned,local,pooled"),
    seeds=(0,),
    rounds=1,
    sites="report",
    episodes=4,
    unseen=4,
    control=2,
    workers=2,
)


def test_a_comparison_reports_every_arm_and_keeps_what_it_ran(tmp_path: Path) -> None:
    stages: list[str] = []
    report = compare(WISH, tmp_path, lambda stage, *_: stages.append(stage))
    assert {"recording episodes", "training", "planning"} <= set(stages)
    assert [row[0] for row in report["table"]["rows"]] == ["aligned", "local", "local, best one", "pooled"]
    assert all(target["value"] is not None for target in report["targets"])
    assert json.loads((tmp_path / "report.json").read_text())["runs"] == report["runs"]
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    again = compare(WISH, tmp_path, lambda *_: None)
    assert again["runs"] == report["runs"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == before
