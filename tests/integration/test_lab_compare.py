"""A whole comparison on the real simulator, at the smallest size."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.errors import Fatal, Rejected
from jepanet.lab import studies
from jepanet.lab.arms import ARMS, chosen
from jepanet.lab.reporting.report import Request, compare
from jepanet.learning.parallel import in_parallel
from jepanet.learning.presets import preset

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

REQUEST = Request(
    recipe="tworoom-tiny",
    arms=chosen("start,aligned,local,pooled"),
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
    report = compare(REQUEST, tmp_path, lambda stage, *_: stages.append(stage))
    assert {"recording episodes", "training", "planning"} <= set(stages)
    titles = [row[0] for row in report["table"]["rows"]]
    assert titles == ["start", "aligned", "local", "local, best one", "pooled"]
    assert all(target["value"] is not None for target in report["targets"])
    assert json.loads((tmp_path / "report.json").read_text())["runs"] == report["runs"]
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    again = compare(REQUEST, tmp_path, lambda *_: None)
    assert again["runs"] == report["runs"]
    assert all(
        item["episodes"] >= 2 for run in report["runs"] for item in run.get("control", [{}])[0].values()
    )
    assert all(run["made_on"]["torch"] for run in report["runs"])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == before


def test_a_model_of_texts_is_compared_on_its_package_and_exported(tmp_path: Path) -> None:
    small = replace(preset("language-tiny"), name="small", warm_steps=20, inner_steps=2)
    (tmp_path / "small.json").write_bytes(small.to_bytes())
    request = replace(
        REQUEST, recipe=str(tmp_path / "small.json"), arms=chosen("start,local,network,pooled-wide"),
        episodes=64, unseen=8, control=0, environment="words", solvers=2, export=tmp_path / "models",
    )  # fmt: skip
    report = compare(request, tmp_path, lambda *_: None)
    assert report["targets"] == []
    assert [row[0] for row in report["controls"]["rows"]] == [
        "start", "local", "local, best one", "pooled-wide",
    ]  # fmt: skip
    assert [row[0] for row in report["probes"]["rows"]][-1] == "random weights"
    assert {"next token", "unfamiliar told"} <= set(report["table"]["columns"])
    assert "beside each control" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
    files = {path.stem for path in (tmp_path / "models").glob("*.safetensors")}
    assert files == {item["model"] for item in report["exported"]} and len(files) == 5
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert compare(request, tmp_path, lambda *_: None)["runs"] == report["runs"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == before


@pytest.mark.slow
def test_arms_from_random_weights_are_exported(tmp_path: Path) -> None:
    random = replace(preset("tworoom-tiny"), name="random", warm_steps=0)
    (tmp_path / "random.json").write_bytes(random.to_bytes())
    request = replace(
        REQUEST, recipe=str(tmp_path / "random.json"), arms=chosen("anchored,naive,local"), control=0,
        solvers=2, export=tmp_path / "models",
    )  # fmt: skip
    report = compare(request, tmp_path, lambda *_: None)
    exported = [(item["arm"], item["solver"]) for item in report["exported"]]
    assert exported == [("anchored", None), ("naive", None), ("local", 0), ("local", 1)]
    cards = [(tmp_path / "models" / item["card"]).read_text() for item in report["exported"]]
    assert all("from random weights" in card for card in cards)
    assert ["every solver's own" in card for card in cards] == [False, True, False, False]


def test_a_study_of_schedules_scores_rounds_as_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = studies.Study(
        "Which?", (ARMS["aligned"],), "tworoom-tiny", 2, (10,), solvers=2, training=16, unseen=8,
        environment="pusht", by_round=True,
    )  # fmt: skip
    monkeypatch.setattr(studies, "STUDIES", {"small": small})
    found = studies.conduct("small", tmp_path, lambda *_: None)
    (run,) = found["runs"]
    first, last = run["history"]
    assert first["gain"] == first["gain_since_start"] != last["gain_since_start"]
    assert found["columns"] == list(studies.ROUND_COLUMNS)
    assert found["rows"][0][1].endswith("of 2")
    assert json.loads((tmp_path / "study-small.json").read_text()) == found


def test_an_arm_that_diverges_ends_no_other(tmp_path: Path) -> None:
    # Steps of 0.1 in every weight, however small its gradient.
    changes = (("optimiser.learning_rate", 0.1), ("optimiser.beta2", 0.0), ("optimiser.clip", 1e4))
    wild = replace(ARMS["aligned"], changes=changes)
    report = compare(replace(REQUEST, arms=(wild, ARMS["start"]), control=0), tmp_path, lambda *_: None)
    titles = [row[:2] for row in report["table"]["rows"]]
    assert titles[0] == ["aligned (0 of 1 seeds)", "no model"] and titles[1][0] == "start"
    assert "training diverged" in report["notes"][-1]
    assert report["runs"][0]["models"] == []
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "changes",
    [
        (("warm_rate", 0.1), ("optimiser.beta2", 0.0), ("optimiser.clip", 1e4), ("warm_steps", 61)),
        (("objective.weight", 0.0), ("optimiser.learning_rate", 0.03)),
    ],
    ids=["its start diverges", "its frame loses directions"],
)
def test_an_arm_without_a_model_for_another_reason_ends_no_other(
    tmp_path: Path, changes: tuple[tuple[str, float], ...]
) -> None:
    lost = replace(ARMS["aligned"], changes=changes)
    request = replace(REQUEST, arms=(lost, ARMS["start"]), control=0, rounds=3)
    report = compare(request, tmp_path, lambda *_: None)
    assert [bool(run["models"]) for run in report["runs"]] == [False, True]
    assert report["runs"][0]["no_model"] in report["notes"][-1]


def test_a_public_start_that_diverges_says_so(tmp_path: Path) -> None:
    wild = replace(preset("tworoom-tiny"), warm_rate=0.1)
    wild = replace(wild, optimiser=replace(wild.optimiser, beta2=0.0, clip=1e4))
    (tmp_path / "wild.json").write_bytes(wild.to_bytes())
    request = replace(REQUEST, recipe=str(tmp_path / "wild.json"), arms=chosen("start"), control=0)
    with pytest.raises(Rejected, match=r"public start of seed 0.*diverged") as caught:
        compare(request, tmp_path, lambda *_: None)
    assert "warm_rate" in str(caught.value.remedy)


def test_the_other_simulator_is_compared_alike(tmp_path: Path) -> None:
    request = replace(REQUEST, arms=chosen("diloco,pooled"), environment="pusht", control=0)
    report = compare(request, tmp_path, lambda *_: None)
    assert [row[0] for row in report["table"]["rows"]] == ["diloco", "pooled"]
    assert report["setting"]["environment"] == "pusht"


def test_a_study_runs_and_keeps_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = (ARMS["diloco"], replace(ARMS["diloco"], name="topk3", codec="topk3"))
    small = studies.Study(
        "What does it cost?", arms, "tworoom-tiny", 1, (10,), solvers=2, training=16, unseen=4, inner_steps=2
    )
    monkeypatch.setattr(studies, "STUDIES", {"small": small})
    found = studies.conduct("small", tmp_path, lambda *_: None)
    assert [row[0] for row in found["rows"]] == ["diloco", "topk3"]
    assert json.loads((tmp_path / "study-small.json").read_text()) == found


def test_a_process_that_dies_ends_the_run_with_a_reason() -> None:
    with pytest.raises(Fatal, match="process died"):
        in_parallel([1], os._exit, 1, lambda *_: None)
