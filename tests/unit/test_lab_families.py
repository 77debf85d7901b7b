"""A comparison of any family: whose data it takes, what it reports beside which control, what it exports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from jepanet.cid import digest_of, to_cid
from jepanet.errors import Fatal
from jepanet.files import keep
from jepanet.lab.arms import ARMS, CONTROLS, federation_of
from jepanet.lab.asked import defaults_for
from jepanet.lab.collected import collected, divided, probe_of, usual_sizes
from jepanet.lab.compare import Comparison, _Run
from jepanet.lab.defaults import COMPARISONS, PACKAGE_ARMS
from jepanet.lab.export import INDEX, export
from jepanet.lab.keeping import keep_json
from jepanet.lab.measure import Measure
from jepanet.lab.reporting.controls import controls, probes
from jepanet.lab.reporting.figures import draw
from jepanet.lab.reporting.markdown import rendered
from jepanet.lab.reporting.report import notes, present, rows, titles
from jepanet.lab.setting import SITES, Setting, Sites, check_fits, plan
from jepanet.learning.data.building.plan import PROBE, PUBLIC
from jepanet.learning.data.shards import Shard
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.presets import PRESETS, preset
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.sources.offer import Offer
from jepanet.learning.sources.registry import OFFERS, SOURCES
from learning_shards import RECIPE, SEED, disc_shard, initial, pair_shard
from throwaway.source import SOURCE

pytestmark = pytest.mark.unit

SETS = ("report", "tune")


def texts(loss: float, told: float, **probed: float) -> dict[str, Any]:
    """A model of texts, as a run has it."""
    there = {"nmse": 1.5, "rank": 9.0, "latent_std": 1.0, "next_token": loss, "told": told, "score": 5 - loss}
    return {
        "solver": None, "unseen": there, "unfamiliar": {**there, "score": 4 - loss}, "own": there,
        "drift": {"reason": "none"}, "probes": {"knn": 0.4, **probed},
    }  # fmt: skip


def run(arm: str, seed: int, *models: Any, **more: Any) -> dict[str, Any]:
    beside = {"raw": {"knn": 0.5, "retrieval": 0.6}, "random weights": {"knn": 0.3}}
    return {"arm": arm, "seed": seed, "models": list(models), "history": [], "probes": beside, **more}


TEXTS = [
    run("start", 0, texts(4.0, 0.1)),
    run("start", 1, texts(4.2, 0.1)),
    run("local", 0, texts(3.9, 0.1), texts(3.7, 0.2)),
    run("local", 1, texts(3.9, 0.1), texts(3.7, 0.2)),
    run("network", 0, texts(3.5, 0.3, retrieval=0.2)),
    run("network", 1, texts(3.6, 0.3, retrieval=0.4)),
]


def test_the_federation_stands_beside_every_control_with_words() -> None:
    found = controls(TEXTS)
    assert found["federation"] == "network"
    assert [row[0] for row in found["rows"]] == ["start", "local", "local, best one"]
    assert {len(row) for row in found["rows"]} == {len(found["columns"])}
    start, local, best = (dict(zip(found["columns"], row, strict=True)) for row in found["rows"])
    assert start["score - its score, unseen"].startswith("+0.550 \u00b1")
    assert start["loss - its loss, unseen"].startswith("-0.550 \u00b1")
    assert local["loss - its loss, own"].startswith("-0.250") and best["loss - its loss, own"] == "-"
    assert best["loss - its loss, unseen"].startswith("-0.150")
    assert start["what it is"] == CONTROLS["start"]


def test_errors_of_worlds_are_held_against_each_other_as_ratios() -> None:
    def world(nmse: float) -> dict[str, Any]:
        there = {"nmse": nmse, "rank": 9.0, "latent_std": 1.0, "score": 0.1}
        return {"solver": None, "unseen": there, "own": there, "drift": {"reason": "none"}}

    found = controls(
        [run(arm, seed, world(x)) for arm, seed, x in (("aligned", 0, 0.1), ("pooled-wide", 0, 0.2))]
    )
    assert found["federation"] == "aligned"
    assert dict(zip(found["columns"], found["rows"][0], strict=True))["error / its error, unseen"] == "0.50"
    assert controls([run("pooled", 0, world(0.1))])["rows"] == []


def test_every_arm_says_what_it_is() -> None:
    assert set(ARMS) <= set(CONTROLS)
    assert federation_of(["pooled", "fedavg", "network"]) == "network" and federation_of(["local"]) is None


def test_probes_stand_beside_raw_data_and_random_weights() -> None:
    found = probes(TEXTS)
    assert found["columns"] == ["read off", "knn", "retrieval"]
    assert [row[0] for row in found["rows"]][-2:] == [
        "raw pixels of 16 x 16, counts of tokens", "random weights",
    ]  # fmt: skip
    assert found["rows"][-2][1:] == ["0.500", "0.600"] and found["rows"][0][2] == "-"
    assert found["rows"][2][2].startswith("0.300 \u00b1")
    assert probes([{**run("start", 0, texts(1, 1)), "probes": {}}])["rows"]


def test_the_table_has_what_was_measured_and_nothing_else() -> None:
    shown = present(TEXTS)
    columns, table = titles(shown, False), rows(TEXTS, False)
    assert {"next token", "told", "unfamiliar score", "own next token"} <= set(columns)
    assert not {"8 steps", "probe R2", "SIGReg"} & set(columns)
    assert {len(row) for row in table} == {len(columns)}


def test_an_aborted_solver_is_noted() -> None:
    aborted = [{"round": 2, "solver": 1, "why": "its loss is nan"}]
    (said,) = notes([run("network", 0, texts(3.5, 0.3), aborted=aborted)])
    assert "solver 2" in said and "round 2" in said and "nan" in said


def test_the_report_is_text_for_all_families_and_so_is_the_picture(tmp_path: Path) -> None:
    history = [{"round": 1, "next_token": 3.8, "score": 1.0, "nmse": 1.0, "drift": None}]
    figures = [{**item, "history": history if item["arm"] == "network" else []} for item in TEXTS]
    text = rendered(
        {
            "recipe": "language-tiny", "recipe_digest": "ab" * 32, "family": "language", "rounds": 1,
            "inner_steps": 2, "seeds": [0, 1],
            "setting": {"environment": "words", "sites": "report", "solvers": 4, "training": 9},
            "arms": {"network": {"what": CONTROLS["network"]}},
            "table": {"columns": titles(present(figures), False), "rows": rows(figures, False)},
            "controls": controls(figures), "probes": {**probes(figures), "note": "of probes"},
            "targets": [], "notes": ["one | two"],
            "exported": [{"arm": "local", "seed": 0, "solver": 1, "model": "bafy"}],
        }
    )  # fmt: skip
    for part in (
        "# language-tiny",
        "beside each control",
        "## Probes",
        "one | two",
        "| local | 0 | 2 | bafy |",
    ):
        assert part in text
    assert "## Targets" not in text
    draw(figures, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_defaults_follow_from_the_recipe_or_its_data() -> None:
    assert defaults_for(None, None, None) == COMPARISONS["full"]
    assert defaults_for("small", None, None) == COMPARISONS["small"]
    assert defaults_for(None, "image-tiny", None) == COMPARISONS["image"]
    assert defaults_for(None, "language-tiny", None) == COMPARISONS["language"]
    assert defaults_for(None, "tworoom-tiny", None) == replace(COMPARISONS["full"], recipe="tworoom-tiny")
    assert defaults_for(None, "pusht", None) == replace(COMPARISONS["pusht"], recipe="pusht")
    other = defaults_for(None, "tworoom", "pusht")
    assert (other.recipe, other.simulator) == ("tworoom", "pusht")
    with pytest.raises(Fatal, match="nonsense"):
        defaults_for(None, "tworoom", "nonsense")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_data_of_its_kind(name: str) -> None:
    found = defaults_for(None, name, None)
    assert found.recipe == name
    check_fits(found.simulator, PRESETS[name])


def test_a_recipe_file_is_compared_on_data_of_its_kind(tmp_path: Path) -> None:
    mine = replace(preset("language-tiny"), name="mine")
    (tmp_path / "mine.json").write_bytes(mine.to_bytes())
    assert defaults_for(None, str(tmp_path / "mine.json"), None).simulator == "words"
    with pytest.raises(Fatal, match="trains on pairs") as caught:
        check_fits("emoji", mine)
    assert "words" in str(caught.value.remedy)


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data of the throwaway family, among the sources."""
    for offers in (SOURCES, OFFERS):
        monkeypatch.setitem(cast(dict[str, Offer], offers), "echo", SOURCE)


@pytest.mark.usefixtures("echo")
def test_a_source_that_nobody_tuned_for_has_defaults_too() -> None:
    found = defaults_for(None, None, "echo")
    assert (found.recipe, found.simulator, found.arms, found.control) == ("echo", "echo", PACKAGE_ARMS, 0)
    assert found.episodes == usual_sizes("echo").episodes


@pytest.mark.usefixtures("echo")
def test_sets_of_sites_of_a_package_have_evaluation_shards_of_their_own() -> None:
    both = [collected("echo", which, SETS, solvers=2, episodes=12, unseen=4, image=0) for which in SETS]
    assert [found.evaluation for found in both] == [
        "sealed/shard-000.safetensors", "sealed/shard-001.safetensors",
    ]  # fmt: skip
    for found in both:
        assert list(found.recordings)[1:] == [
            "training-00.safetensors", "training-01.safetensors", PUBLIC,
        ]  # fmt: skip
        assert found.recordings["training-00.safetensors"].episodes == 12
        assert found.recordings[found.evaluation].episodes == 4
    seeds = [{item.seed for item in found.recordings.values()} for found in both]
    assert not seeds[0] & seeds[1]


@pytest.mark.parametrize("solvers", [1, 2, 3, 4, 8])
def test_any_number_of_solvers_has_sites(solvers: int) -> None:
    for source, image in (("words", 0), ("emoji", 48), ("minigrid", 56)):
        found = plan(Setting(source, solvers=solvers, image=image)).recordings
        assert sum(name.startswith("training-") for name in found) == solvers
        assert sum(name.startswith("sealed/") for name in found) == 1


def test_unfamiliar_sites_are_told_from_new_ones_of_what_is_trained_on() -> None:
    for source, unseen in (("words", 5), ("emoji", 5)):
        found = plan(Setting(source, image=48))
        assert len(found.unseen) == unseen and found.unfamiliar == {found.unseen[-1].number}
    assert plan(Setting()).unfamiliar == frozenset()
    assert SITES == SETS


def test_what_a_solver_trains_on_and_its_own_episodes_have_none_in_common() -> None:
    shard = pair_shard(1, (0,) * 20)
    training, own = divided(shard, 5, "training-00.safetensors")
    assert (training.episodes, own.episodes) == (15, 5)
    both = [{row.tobytes() for row in part.array("first")} for part in (training, own)]
    assert not both[0] & both[1]
    again = divided(shard, 5, "training-00.safetensors")[1]
    assert np.array_equal(again.array("first"), own.array("first"))
    few = probe_of({PUBLIC: pair_shard(2, (0,) * 120)})
    assert few.episodes == 96 and probe_of({PUBLIC: shard, PROBE: own}) is own


def test_models_are_measured_on_unfamiliar_sites_by_themselves() -> None:
    unseen = disc_shard(5, (1,) * 6 + (2,) * 6, frames=11)
    training = (disc_shard(1, frames=11), disc_shard(2, frames=11))
    sites = Sites("", training, training, unseen, training[0], disc_shard(7), (), frozenset({2}))
    base = initial(SEED)
    strict = replace(RECIPE, score=replace(RECIPE.score, minimum_episodes=100, least=9.0))
    measure = Measure(strict, sites, base, SEED)
    found = measure.whole(base, 1)
    alone = Measure(RECIPE, replace(sites, unseen=_site(unseen, 2)), base, SEED).whole(base, None)
    assert found["unfamiliar"] == alone["unseen"] != found["unseen"]
    assert found["solver"] == 1 and found["own"] != measure.whole(base, 0)["own"]
    assert set(found["probes"]) == {"position"} == set(measure.probes()["raw"])


def _site(shard: Shard, number: int) -> Shard:
    return shard.chosen(np.asarray(shard.site) == number)


def test_models_are_exported_by_digest_with_their_cards(tmp_path: Path) -> None:
    comparison = Comparison(RECIPE, (ARMS["anchored"], ARMS["local"]), (0,), 2, Setting(image=32, training=9))
    (tmp_path / "runs").mkdir()
    figures = []
    for arm, solvers in (("anchored", [None]), ("local", [0, 1])):
        item = _Run(comparison, ARMS[arm], 0, tmp_path, tmp_path)
        for index in range(len(solvers)):
            weights = initial(bytes([index + len(solvers)]) * 32)
            keep(item.weights(index), model_bytes(weights, ModelHeader.of(RECIPE, 2)))
        where = {"nmse": 0.5, "rank": 3.0, "rollout": [0.1, 0.2]}
        models = [
            {"solver": solver, "unseen": where, "own": where, "probes": {"position": 0.5}}
            for solver in solvers
        ]
        found = run(arm, 0, *models, data="d1", made_on={"torch": "2.0"})
        keep_json(item.path, found)
        figures.append(found)
    folder = tmp_path / "models"
    index = export(comparison, [*figures, run("start", 0, no_model="diverged")], tmp_path, folder)
    assert json.loads((folder / INDEX).read_text()) == index
    assert [(item["arm"], item["solver"]) for item in index] == [
        ("anchored", None),
        ("local", 0),
        ("local", 1),
    ]
    assert read_recipe((folder / "recipe.json").read_bytes()) == RECIPE
    for item in index:
        data = (folder / item["file"]).read_bytes()
        assert item["model"] == to_cid(digest_of(data)) == Path(item["file"]).stem == Path(item["card"]).stem
        assert load_model(data, RECIPE).header.round == 2
        card = (folder / item["card"]).read_text()
        for part in (
            item["model"],
            "d1",
            "| nmse | 0.5000 | 0.5000 |",
            "--arms " + item["arm"],
            "position 0.5",
        ):
            assert part in card
    assert "of solver 2 alone" in (folder / index[2]["card"]).read_text()


def test_a_folder_that_cannot_be_made_refuses_the_export(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    comparison = Comparison(RECIPE, (ARMS["local"],), (0,), 1, Setting(image=32))
    with pytest.raises(Fatal, match="cannot be written: Not a directory"):
        export(comparison, [], tmp_path, tmp_path / "file" / "models")
