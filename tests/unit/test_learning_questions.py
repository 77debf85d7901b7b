"""Questions about views of MiniGrid, from views made by hand: nothing here needs the package."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.building.plan import plan, training_name
from jepanet.learning.sources.minigrid import dataset, worlds
from jepanet.learning.sources.minigrid.dataset import COLLECTION, EVALUATED, TINY, TRAINED, UNSEEN, SceneSite
from jepanet.learning.sources.minigrid.questions import COLOURS, KINDS, WORDS, asked, told
from jepanet.learning.sources.minigrid.worlds import Thing, View, require
from learning_shards import SEED

pytestmark = pytest.mark.unit

BLANK = np.zeros((3, 56, 56), np.uint8)


def view(*things: Thing) -> View:
    return View(BLANK, tuple(sorted(things, key=lambda thing: thing.order)))


def answers(seen: View, seed: int = 1) -> dict[str, str]:
    queries, found = asked(seen, np.random.default_rng(seed))
    assert queries.shape == (5, 6) and found.shape == (5, 2) and queries.dtype == found.dtype == np.uint16
    return {told(query): told(answer) for query, answer in zip(queries, found, strict=True)}


def test_what_is_seen_is_answered() -> None:
    seen = view(Thing("red", "key", 3, 0), Thing("blue", "ball", 1, -1), Thing("green", "door", 4, 2))
    for seed in range(20):
        found = answers(seen, seed)
        assert found["what is straight ahead"] == "red key"
        assert found["what is nearest to you"] == "blue ball"
        assert found["how many things do you see"] == "three"
        for thing, where in (
            ("red key", "ahead"),
            ("blue ball", "ahead left"),
            ("green door", "ahead right"),
        ):
            assert found.get(f"where is the {thing}", where) == where
        for kind, colour in (("key", "red"), ("ball", "blue"), ("door", "green"), ("box", "none")):
            assert found.get(f"which colour has the {kind}", colour) == colour


def test_what_is_not_there_is_said() -> None:
    beside = view(Thing("red", "key", 0, 2))
    found = [answers(beside, seed) for seed in range(40)]
    assert all(item["what is straight ahead"] == "nothing" for item in found)
    said = {query: answer for item in found for query, answer in item.items()}
    assert said["where is the red key"] == "right"
    asked_after = {query for query in said if query.startswith("where")}
    assert len(asked_after) > 5, "other things are asked after too"
    assert {said[query] for query in asked_after - {"where is the red key"}} == {"nowhere"}
    assert {said[query] for query in said if query.startswith("which")} == {"red", "none"}


def test_the_nearest_of_two_is_the_one_less_aside_then_the_left_one() -> None:
    two = view(Thing("red", "key", 1, 2), Thing("blue", "key", 2, 1), Thing("grey", "key", 2, -1))
    assert answers(two)["what is nearest to you"] == "grey key"
    assert [thing.colour for thing in two.things] == ["grey", "blue", "red"]


def test_every_answer_has_a_word() -> None:
    assert len(set(WORDS)) == len(WORDS) <= 64 and WORDS[0] == ""
    for colour in COLOURS:
        for kind in KINDS:
            assert answers(view(Thing(colour, kind, 2, 0)))["what is nearest to you"] == f"{colour} {kind}"
    many = [Thing("red", "ball", row, column) for row in range(1, 4) for column in range(-2, 3)]
    assert answers(view(*many))["how many things do you see"] == "many"


def test_sites_mix() -> None:
    """Seven tenths of a site's scenes are of its own task, and of every other one some."""
    layout = dataset.sites(np.random.default_rng(0), TINY)
    for site in layout.training:
        assert isinstance(site, SceneSite)
        tasks = dataset.tasks_of(site, 40)
        counts = {task: tasks.count(task) for task in TRAINED}
        assert counts.pop(site.task) == 28 and set(counts.values()) == {4}
    assert {site.task for site in layout.training if isinstance(site, SceneSite)} == set(TRAINED)
    assert [site.task for site in layout.hidden if isinstance(site, SceneSite)] == list(EVALUATED)
    assert UNSEEN not in TRAINED


def test_more_sites_than_tasks_are_refused() -> None:
    for change in ({"hidden_sites": 6, "evaluation_episodes": 12}, {"public_sites": 5}):
        sizes = dataset.Scenes(**change)  # type: ignore[arg-type]
        with pytest.raises(Fatal, match="minigrid has") as caught:
            plan(COLLECTION.environment, sizes, SEED, SEED)
        assert caught.value.code == Exit.USAGE
    with pytest.raises(Rejected, match="multiple of 7"):
        dataset.Scenes(image=64)


def test_a_world_that_shows_nothing_new_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "world", lambda task: lambda seed, cell: view(Thing("red", "key", 2, 0)))
    monkeypatch.setattr(dataset, "_TRIES", 5)
    recording = plan(COLLECTION.environment, TINY, SEED, SEED)[training_name(0)]
    with pytest.raises(Fatal, match="shows nothing after 1 scenes") as caught:
        dataset.record(recording)
    assert caught.value.code == Exit.USAGE and "fewer" in str(caught.value.remedy)


def test_there_is_always_a_place_for_the_last_thing() -> None:
    """Where none may stand beside another one, each takes nine cells, and MiniGrid looks for ever."""
    kind, arguments = worlds._WORLDS["near"]
    assert kind == "PutNearEnv"
    assert 9 * (arguments["numObjs"] - 1) < (arguments["size"] - 2) ** 2


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9.9")
    with pytest.raises(Fatal, match=r"minigrid is 9\.9\.9, not 3\.2\.0") as caught:
        require()
    assert caught.value.code == Exit.DATASET and "jepanet[minigrid]" in str(caught.value.remedy)
    assert TINY.image == worlds.CELLS * 8
