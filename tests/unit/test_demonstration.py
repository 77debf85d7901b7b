"""What `scripts/demo` says a run came to, for programs, and what it holds a run to."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts.demonstration import __main__ as demo
from scripts.demonstration.cast import DemoFailed
from scripts.demonstration.controls import train_controls
from scripts.demonstration.outcome import outcome
from scripts.demonstration.own_folder import MARK, claim
from scripts.longevity import __main__ as soak
from scripts.rehearsing import __main__ as rehearsal
from scripts.rehearsing import namespaces

from jepanet.files import kept_digest
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from learning_shards import RECIPE, SEED, disc_shard, initial

pytestmark = pytest.mark.unit


def a_round(number: int, published: bool = True, paid: int = 5) -> dict[str, Any]:
    return {
        "round": number,
        "phase": "settled",
        "published": published,
        "deltas": [{"solver": "0xa", "gain": 3, "paid": str(paid)}],
        "escrow": {"paid": str(paid), "claimed": str(paid)},
    }


REPORT: dict[str, Any] = {
    "recipe": "image-tiny",
    "family": "image",
    "seed": "7",
    "score_kind": "grounded",
    "rounds": [a_round(1), a_round(2, published=False), a_round(3)],
    "progress": [{"round": 0, "score": 0.1}, {"round": 1, "score": 0.3}, {"round": 3, "score": 0.2}],
    "verification": {"round": 3, "agrees": True, "more": "of it"},
    "seconds_total": 9.5,
}


def changed(**values: Any) -> dict[str, Any]:
    return {**copy.deepcopy(REPORT), **values}


def test_the_outcome_of_a_good_demo() -> None:
    found = outcome(REPORT)
    assert json.loads(json.dumps(found)) == {
        "recipe": "image-tiny", "family": "image", "seed": "7", "rounds": 3, "merges_published": 2,
        "score": {"kind": "grounded", "first": 0.1, "last": 0.2, "above": True},
        "paid": "15", "claimed": "15", "verification": {"round": 3, "agrees": True},
        "seconds": 9.5, "failures": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"progress": [{"round": 0, "score": 0.2}, {"round": 1, "score": 0.2}]}, "not above the first"),
        ({"progress": [{"round": 0, "score": 0.2}]}, "not above the first"),
        ({"progress": []}, "not above the first"),
        ({"rounds": [a_round(1), a_round(2, published=False), a_round(3, published=False)]}, "1 merges"),
        ({"rounds": [a_round(1, published=False)]}, "0 merges"),
        ({"rounds": [a_round(1, paid=0), a_round(2, paid=0)]}, "nobody was paid"),
        ({"verification": {"round": 3, "agrees": False}}, "does not verify"),
    ],
)
def test_a_demo_that_shows_less_fails(values: dict[str, Any], said: str) -> None:
    (failure,) = outcome(changed(**values))["failures"]
    assert said in failure


def test_one_round_needs_one_merge() -> None:
    assert outcome(changed(rounds=[a_round(1)]))["failures"] == []


def test_what_is_not_claimed_is_told() -> None:
    short = a_round(2)
    short["escrow"]["claimed"] = "4"
    found = outcome(changed(rounds=[a_round(1), short]))
    assert (found["paid"], found["claimed"]) == ("10", "9")
    assert found["failures"] == ["round 2: claimed 4, recorded 5"]


def test_controls_are_solvers_alone_and_one_with_all_data(tmp_path: Path) -> None:
    project, made = tmp_path / "project", tmp_path / "made"
    project.mkdir()
    (project / "recipe.json").write_bytes(RECIPE.to_bytes())
    (project / "model.safetensors").write_bytes(model_bytes(initial(SEED), ModelHeader.of(RECIPE, 0)))
    for index in (0, 1):
        save_shard(tmp_path / f"training-{index:02d}.safetensors", disc_shard(index))
    train_controls(tmp_path, made, 1, 2, 2)
    files = sorted(made.glob("*.safetensors"))
    assert [path.stem for path in files] == ["pooled-data", "solver-1-alone", "solver-2-alone"]
    assert len({kept_digest(path) for path in files}) == 3
    assert all(load_model(path, RECIPE).weights for path in files)


COMMANDS: dict[str, Callable[[Path], object]] = {
    "demo": lambda folder: demo.play(1, 1, "0", folder, "image-tiny", None, (), False),
    "soak": lambda folder: soak.play(3, 1, 1, "0", folder, 1, True),
    "rehearsal": lambda folder: rehearsal.main.main(["--out", str(folder)], standalone_mode=False),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_attack_a_folder_of_somebody_else_is_not_emptied(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "require", lambda: None)
    monkeypatch.setattr(namespaces, "require_none", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    somebodys = tmp_path / "nodes" / "wallet.json"
    somebodys.parent.mkdir()
    somebodys.write_text("the only one")
    with pytest.raises((DemoFailed, SystemExit)):
        COMMANDS[name](tmp_path)
    assert somebodys.read_text() == "the only one" and [*tmp_path.iterdir()] == [somebodys.parent]


def test_a_folder_is_a_runs_own_once_a_run_made_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    claim(folder)
    (folder / "nodes").mkdir()
    claim(folder)
    (folder / MARK).unlink()
    with pytest.raises(DemoFailed, match="--out"):
        claim(folder)
