"""Models of others: recipes and weights from folders, tokens of texts, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from test_learning_family_backbone import BACKBONE, KINDS

from jepanet.cid import digest_file
from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import cli
from jepanet.learning.backbone_file import backbones_in
from jepanet.learning.data.own_texts import Numbering, pairs_shard
from jepanet.learning.data.shards import load_shard
from jepanet.learning.families.backbone.family import Backbone
from jepanet.learning.families.backbone.model import load_backbone_model
from jepanet.learning.model_file import load_model
from jepanet.learning.pretrained import folder as folder_module
from jepanet.learning.pretrained.folder import Pretrained
from jepanet.learning.pretrained.recipe import Wanted, beginning, recipe_from
from jepanet.learning.pretrained.tokenizer import BORDER, learnt_tokenizer, tokenizer_at
from jepanet.learning.recipes.named import recipe_named
from jepanet.tensors import Arrays
from learning_shards import SEED

pytestmark = pytest.mark.unit

WANTED = Wanted("mine", context=8, latent=6, border=0)
INDEX = "model.safetensors.index.json"
TEXTS = ["a large cat of the plains", "lion", "a small bird that sings", "wren", "the sea, at night: é"]


def saved(folder: Path, kind: str = "llama") -> Arrays:
    """A folder as `transformers` writes it, with random weights."""
    family = replace(BACKBONE, model=KINDS[kind])
    weights = family.initial_weights(SEED)
    load_backbone_model(family, weights).encoder.save_pretrained(folder)
    return weights


def config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# ------------------------------------------------------------------ folders


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_a_recipe_and_the_weights_that_it_begins_with(kind: str, tmp_path: Path) -> None:
    weights = saved(tmp_path, kind)
    place = Pretrained.at(tmp_path)
    recipe = recipe_from(place, WANTED)
    assert isinstance(recipe.family, Backbone) and recipe.family.model == KINDS[kind]
    found = beginning(recipe, place.weights())
    assert set(found) == set(weights)
    assert all(np.array_equal(found[name], weights[name]) for name in weights)


def _only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _nothing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def _another_width(folder: Path) -> None:
    config(folder, hidden_size=32, head_dim=16)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_only_pickle, "pytorch_model.bin runs code when it is read"),
        (_nothing, "has no .safetensors"),
        (_cut, "cannot be read|do not fit"),
        (_another_width, "cannot be read|do not fit"),
        (lambda path: config(path, num_hidden_layers=3), "missing_keys"),
        (lambda path: config(path, num_hidden_layers=1), "unexpected_keys"),
        (lambda path: config(path, auto_map={"AutoModel": "code.Model"}), "names code of its own"),
        (lambda path: config(path, transformers_weights="sub/w.safetensors"), "transformers_weights"),
        (lambda path: config(path, attn_implementation="somebody/code"), "attn_implementation"),
        (lambda path: config(path, _attn_implementation="somebody/code"), "_attn_implementation"),
        (lambda path: config(path, configuration_files=["config.4.0.0.json"]), "configuration_files"),
        (lambda path: config(path, model_type="mamba"), "architecture is 'mamba'"),
        (lambda path: config(path, quantization_config={"bits": 4}), "quantization_config"),
        (lambda path: config(path, hidden_act="relu"), "hidden_act = 'relu'"),
        (lambda path: config(path, attention_bias=True), "attention_bias"),
        (lambda path: config(path, vocab_size=151_936), "model.vocabulary"),
        (lambda path: config(path, num_hidden_layers=10**9), "model.depth"),
        (
            lambda path: config(path, rope_parameters={"rope_type": "linear", "factor": 2.0}),
            "rope_type 'linear'",
        ),
        (lambda path: (path / "config.json").write_text("[1]"), "config.json is no object"),
        (lambda path: (path / "config.json").write_text("{"), "not JSON"),
        (lambda path: (path / "config.json").write_text("[" * 100_000), "not JSON"),
        (lambda path: (path / "config.json").unlink(), "there is no configuration"),
    ],
)  # fmt: skip
def test_attack_a_folder_that_is_none(spoil: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    """What is refused is refused before weights are read, where it can be known by then."""
    saved(tmp_path)
    spoil(tmp_path)
    with pytest.raises(Fatal, match=says) as caught:
        place = Pretrained.at(tmp_path)
        beginning(recipe_from(place, WANTED), place.weights())
    assert caught.value.code == Exit.CONFIG and caught.value.remedy


def split(folder: Path) -> dict[str, object]:
    """The weights in two files; their index."""
    model = load_backbone_model(BACKBONE, BACKBONE.initial_weights(SEED)).encoder
    model.save_pretrained(folder, max_shard_size="20KB")
    index: dict[str, object] = json.loads((folder / INDEX).read_text())
    assert not (folder / "model.safetensors").exists()
    return index


def test_weights_in_many_files_are_read(tmp_path: Path) -> None:
    split(tmp_path)
    weights, found = BACKBONE.initial_weights(SEED), Pretrained.at(tmp_path)
    read = beginning(recipe_from(found, WANTED), found.weights())
    assert all(np.array_equal(read[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    "name",
    ["../outside.safetensors", "{}/outside.safetensors", "weights.bin", "sub/w.safetensors",
     "./w.safetensors", "linked.safetensors", "none.safetensors", "w.safetensors\0", 3],
)  # fmt: skip
def test_attack_an_index_that_names_other_files(name: object, tmp_path: Path) -> None:
    """Out of the folder, beyond what was counted, or code when it is read."""
    folder = tmp_path / "hub"
    index = split(folder)
    first = min(folder.glob("*.safetensors")).read_bytes()
    (folder / "sub").mkdir()
    for place in (tmp_path / "outside.safetensors", folder / "sub/w.safetensors", folder / "weights.bin"):
        place.write_bytes(first)
    (folder / "w.safetensors").write_bytes(first)
    if name == "linked.safetensors":
        (folder / name).symlink_to(tmp_path / "outside.safetensors")
    named = name.format(tmp_path) if isinstance(name, str) else name
    weight_map = dict(index["weight_map"])  # type: ignore[call-overload]
    weight_map[min(weight_map)] = named
    (folder / INDEX).write_text(json.dumps({**index, "weight_map": weight_map}))
    with pytest.raises(Fatal, match=r"names .* which is no|outside the folder") as caught:
        Pretrained.at(folder)
    assert caught.value.code == Exit.CONFIG and caught.value.remedy


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 10_000])
def test_attack_an_index_that_is_none(text: str, tmp_path: Path) -> None:
    split(tmp_path)
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(Fatal, match="index") as caught:
        Pretrained.at(tmp_path)
    assert caught.value.code == Exit.CONFIG and caught.value.remedy


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_attack_a_file_that_is_a_link_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    saved(folder)
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(Path("..") / name)
    with pytest.raises(Fatal, match="outside the folder") as caught:
        Pretrained.at(folder)
    assert caught.value.code == Exit.CONFIG and caught.value.remedy


def test_attack_a_folder_of_adapters(tmp_path: Path) -> None:
    """Another library would follow it to another model."""
    saved(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "../other"}')
    (tmp_path / "x.gguf").write_bytes(b"")
    for path in (tmp_path, tmp_path / "x.gguf"):
        with pytest.raises(Fatal, match="adapter_config") as caught:
            Pretrained.at(path)
        assert caught.value.code == Exit.CONFIG and caught.value.remedy


def test_attack_more_bytes_than_any_model_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split(tmp_path)
    sizes = [path.stat().st_size for path in tmp_path.glob("*.safetensors")]
    for most in (sum(sizes) - 1, max(sizes) - 1):
        monkeypatch.setattr(folder_module, "MAX_WEIGHT_BYTES", most)
        with pytest.raises(Fatal, match=rf"more than ({most}|{most:,})"):
            Pretrained.at(tmp_path)


# ------------------------------------------------------------------ tokens


def test_a_tokenizer_is_learnt_alike_every_time(tmp_path: Path) -> None:
    one, other = (learnt_tokenizer(TEXTS, 300) for _ in range(2))
    assert one == other
    (tmp_path / "tokenizer.json").write_text(one)
    encode = tokenizer_at(tmp_path)
    tokens = encode(TEXTS)
    assert all(items and 0 not in items for items in tokens), "no text is empty, or has the border inside"
    assert encode(["\u2603"]) and max(map(max, tokens)) < 300


def lines(path: Path, *pairs: tuple[str, str]) -> Path:
    path.write_text("".join(json.dumps({"first": one, "second": other}) + "\n" for one, other in pairs))
    return path


def test_pairs_are_a_shard_in_the_recipes_numbers(tmp_path: Path) -> None:
    """Token 0 and the border have each other's number."""
    source = lines(tmp_path / "pairs.jsonl", ("ab", "c"), ("a", "abcd"), ("", "a"), ("b", "d"), ("c", "ac"))
    known = {"a": 5, "b": 0, "c": 2, "d": 7}

    def encode(texts: list[str]) -> list[list[int]]:
        return [[known[letter] for letter in text] for text in texts]

    made = pairs_shard(source, encode, Numbering(8, 7, 3), ("first", "second"))  # type: ignore[arg-type]
    assert made.left_out == 3, "a text of four tokens, an empty one, and one with the border inside"
    assert made.shard.array("first").tolist() == [[5, 7], [2, 0]]
    assert made.shard.array("second").tolist() == [[2, 0], [5, 2]]
    with pytest.raises(Fatal, match="has a token 7, and the recipe 6 tokens"):
        pairs_shard(source, encode, Numbering(6, 1, 3), ("first", "second"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]\n", "line 1 has no texts"),
        ('{"first": "a"}\n', "line 1 has no texts 'first' and 'second'"),
        ('\n{"first": 1, "second": "b"}\n', "line 2 has no texts"),
        ("{\n", "not JSON"),
        ("[" * 5000, "not JSON"),
        ("", "no pair that fits"),
        ('{"first": "' + "a" * (1 << 17) + '", "second": "b"}', "longer than"),
    ],
)
def test_attack_lines_that_are_no_pairs(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text(text)
    with pytest.raises(Fatal, match=says) as caught:
        pairs_shard(
            tmp_path / "odd.jsonl", lambda texts: [[1]] * len(texts), Numbering(8, 0, 3), ("first", "second")
        )
    assert caught.value.code == Exit.DATASET


# ------------------------------------------------------------------ the commands


def run(*arguments: object) -> str:
    made = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    return made.stdout


def test_from_texts_and_a_folder_to_adapters_that_train(tmp_path: Path) -> None:
    """A tokenizer learnt, a folder of such a vocabulary, its recipe, shard, first model, backbone's file."""
    things = [(f"{TEXTS[place]} {number}", TEXTS[place + 1]) for number in range(6) for place in (0, 2)]
    source, hub, made = lines(tmp_path / "pairs.jsonl", *things), tmp_path / "hub", tmp_path / "made"
    run("dataset", "tokenizer", source, "--out", hub, "--tokens", 300)
    assert json.loads((hub / "tokenizer.json").read_text())["added_tokens"][0]["content"] == BORDER
    model = replace(KINDS["llama"], vocabulary=300, places=64)
    family = replace(BACKBONE, model=model)
    load_backbone_model(family, family.initial_weights(SEED)).encoder.save_pretrained(hub)
    how = ("--lora", 2, "--border", 0, "--context", 40, "--json")
    told = json.loads(run("recipe", "from-backbone", hub, "--out", made, *how))
    recipe = recipe_named(str(made / "backbone.toml"))
    first = load_model(made / "backbone.model", recipe)
    assert told["parameters"] == recipe.parameters() == sum(item.size for item in first.weights.values())
    assert digest_file(Path(told["backbone"])).hex() == Path(told["backbone"]).stem
    out = tmp_path / "own.safetensors"
    run("dataset", "pairs", source, "--out", out, "--tokenizer", hub, "--recipe", made / "backbone.toml")
    shard = load_shard(out)
    assert shard.episodes == 12
    with backbones_in([made]):
        found = recipe.family.network(first.weights).compare(shard)
    whole = replace(family, model=replace(model, context=40, latent=64))
    wanted = whole.network(whole.initial_weights(SEED)).compare(shard)
    assert found.nats is not None and wanted.nats is not None
    np.testing.assert_allclose(found.nats, wanted.nats, rtol=1e-5)
