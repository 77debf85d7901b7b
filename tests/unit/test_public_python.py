"""What is public from Python: one list, which everything else is held to, and examples that run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepanet
from jepanet import Delta, Fatal, Model, Rejected, evaluate, load_model, train
from jepanet.cid import digest_of, parse_digest, to_cid
from jepanet.errors import Exit
from jepanet.federation.deltas.delta import decode_delta, schema_of
from jepanet.learning.seeding import derive, seed_in_words
from jepanet.learning.training import loop
from learning_shards import RECIPE, SEED, disc_shard, initial
from python_page import PAGE, notebook, play, sections

pytestmark = pytest.mark.unit

ROOT = Path(jepanet.__file__)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return notebook(tmp_path_factory.mktemp("notebook"))


@pytest.fixture
def model(data: Path) -> Model:
    return load_model(data / "trained/model.safetensors", recipe=data / "trained/recipe.json")


# ------------------------------------------------------------------ the list


def test_what_is_public_is_listed_once_and_everything_else_is_held_to_it() -> None:
    public = set(jepanet.__all__)
    assert list(jepanet.__all__) == sorted(public), "in order, each once"
    placed = [name for names in jepanet._PLACES.values() for name in names]
    assert sorted([*placed, "__version__"]) == list(jepanet.__all__)
    shown = re.findall(r"^\| (`.+?`) \|", PAGE.read_text(), re.MULTILINE)
    assert {name for row in shown for name in re.findall(r"`(\w+)`", row)} == public
    typed: dict[str, str] = {}
    for node in ast.parse(ROOT.read_text()).body:
        if isinstance(node, ast.If):
            for line in node.body:
                if isinstance(line, ast.ImportFrom):
                    typed |= {item.name: str(line.module) for item in line.names}
    assert typed == {name: module for module, names in jepanet._PLACES.items() for name in names}
    assert public <= set(dir(jepanet))


def test_every_public_name_leads_somewhere_and_says_what_it_is() -> None:
    for name in jepanet.__all__:
        assert name == "__version__" or getattr(jepanet, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = jepanet.trian


@pytest.mark.subprocess
def test_importing_the_package_loads_nothing_and_its_names_no_torch() -> None:
    code = (
        "import sys; before = set(sys.modules); import jepanet; print(*set(sys.modules) - before)\n"
        "from jepanet import *; print('torch' in sys.modules, 'web3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["jepanet", "False False"]


# ------------------------------------------------------------------ models in memory


@pytest.mark.parametrize("title", ["Models in memory"])
async def test_the_examples_run(
    title: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data)
    names: dict[str, Any] = await play(title, {})
    assert names["alone"].gain != 0 and names["alone"].stderr > 0
    assert names["shared"].score != names["alone"].score != names["before"].score
    assert (data / "delta.safetensors").stat().st_size > 1000
    names = await play("Errors", names)
    assert "wrong-recipe" in capsys.readouterr().out


def test_every_section_with_examples_is_run_by_a_test() -> None:
    assert {title for title, blocks in sections().items() if blocks} == {
        "Models in memory", "Errors",  # here
        "A network", "Coroutines",  # tests/integration/test_public_network.py
    }  # fmt: skip


def test_a_model_is_what_its_file_says(model: Model, data: Path) -> None:
    file = data / "trained/model.safetensors"
    assert model.digest == to_cid(digest_of(file.read_bytes()))
    assert (model.round, model.parent) == (2, to_cid(digest_of(b"parent")))
    assert model.parameters == RECIPE.parameters() and "weights" not in repr(model)
    assert load_model(str(file), recipe=RECIPE, digest=model.digest).digest == model.digest
    assert load_model(file, recipe=RECIPE, digest=digest_of(file.read_bytes()).hex()).round == 2


def test_attack_a_model_of_another_digest_or_recipe_is_refused(data: Path, tmp_path: Path) -> None:
    file = data / "trained/model.safetensors"
    with pytest.raises(Fatal) as caught:
        load_model(file, recipe=RECIPE, digest=to_cid(digest_of(b"another")))
    assert caught.value.code is Exit.VERIFICATION_FAILED
    with pytest.raises(Rejected):
        load_model(file, recipe="tworoom-tiny")
    with pytest.raises(Rejected):
        load_model(file, recipe=RECIPE, digest="bafkno")
    with pytest.raises(Fatal) as caught:
        load_model(tmp_path / "none", recipe=RECIPE)
    assert caught.value.code is Exit.NOT_FOUND


def test_training_is_the_solvers_training_where_the_schedule_stands(model: Model) -> None:
    shard = disc_shard(2, (1,) * 12)
    heard: list[int] = []
    delta = train(model, shard, steps=3, seed="mine", on_step=lambda step: heard.append(step.step))
    wanted = loop.train(
        model.weights, shard, RECIPE,
        seed=derive(seed_in_words("train", "mine"), "training"), steps=3, start_step=6, total_steps=60,
    )  # fmt: skip
    assert heard == [1, 2, 3] and (delta.steps, delta.status) == (3, "ok")
    assert all((delta.weights[name] == array).all() for name, array in wanted.weights.items())
    assert all(
        (delta.changes[name] == delta.weights[name] - model.weights[name]).all() for name in delta.weights
    )
    assert dict(delta.metrics) == wanted.metrics
    other = train(model, shard, steps=3, seed="yours")
    assert any((other.weights[name] != delta.weights[name]).any() for name in delta.weights)


def test_a_deltas_file_is_what_a_round_reads(model: Model) -> None:
    delta = train(model, disc_shard(2, (1,) * 12), steps=2)
    data = delta.to_bytes("fp32", probe=disc_shard(4))
    read = decode_delta(
        data, schema=schema_of(model.weights), max_bytes=len(data), base=parse_digest(model.digest),
        recipe=RECIPE.digest(), codec="fp32",
    )  # fmt: skip
    assert set(read) == set(delta.changes)
    assert len(delta.to_bytes("int8")) < 0.6 * len(data)
    with pytest.raises(Fatal, match="int8"):
        delta.to_bytes("zip")


def test_a_delta_is_measured_over_its_base_at_its_share(model: Model) -> None:
    shard = disc_shard(3, (3,) * 30 + (8,) * 30)
    delta = train(model, disc_shard(2, (1,) * 12), steps=2)
    trained = Model(delta.weights, RECIPE, model.digest, 3, None)
    alone = evaluate(delta, shard)
    assert alone.gain == pytest.approx(evaluate(trained, shard, base=model).gain, abs=1e-4)
    halved = {name: model.weights[name] + array / np.float32(2) for name, array in delta.changes.items()}
    half = Model(halved, RECIPE, model.digest, 3, None)
    assert evaluate(delta, shard, solvers=2) == evaluate(half, shard, base=model)
    own = evaluate(model, shard)
    assert (own.gain, set(own.per_site)) == (0.0, {3, 8}) and own.score > 0
    assert own.unit == "nats per direction" and own.metrics["rank"] > 0


def test_what_does_not_go_together_is_refused(model: Model) -> None:
    shard, delta = disc_shard(3), Delta(model, model.weights, {}, 1, "ok")
    other = Model(initial(SEED), replace(RECIPE, inner_steps=9), "", 0, None)
    for call in (
        lambda: evaluate(delta, shard, base=model),
        lambda: evaluate(delta, shard, solvers=0),
        lambda: evaluate(model, shard, solvers=2),
        lambda: evaluate(model, shard, base=other),
        lambda: train(model, shard, steps=0),
    ):
        with pytest.raises(Fatal) as caught:
            call()
        assert caught.value.code is Exit.USAGE and caught.value.remedy
    for call in (lambda: train(model, "nowhere"), lambda: evaluate(model, "nowhere")):
        with pytest.raises(Fatal) as caught:
            call()
        assert caught.value.code is Exit.NOT_FOUND
