"""Adapters beside a frozen backbone: what is trained and travels, what is refused without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import family_conformance as conformance
import numpy as np
import pytest
import torch
from family_conformance import CHECKS, Case
from test_learning_family_backbone import BACKBONE, CASE, KINDS

from jepanet.cid import digest_of, to_cid
from jepanet.errors import Rejected, Transient
from jepanet.federation.deltas.delta import delta_of
from jepanet.learning.backbone_file import ENDING, backbone_bytes, backbone_weights, backbones_in
from jepanet.learning.families.backbone.family import Backbone
from jepanet.learning.families.backbone.model import load_backbone_model
from jepanet.learning.families.backbone.schema import ENCODER, backbone_shapes
from jepanet.learning.families.backbone.sizes import LAYERS, Adapters
from jepanet.learning.family import frozen_file
from jepanet.learning.memory import training_memory
from jepanet.learning.recipe_reader import changed, read_recipe
from jepanet.learning.training.loop import train
from jepanet.operations.in_memory.models import Model
from jepanet.operations.in_memory.training import train as by_hand
from jepanet.tensors import Arrays, encode_tensors
from learning_shards import SEED

pytestmark = pytest.mark.unit

TARGETS = {
    "llama": ("down_proj", "q_proj", "v_proj"),
    "untied": ("o_proj", "v_proj"),
    "qwen2": ("q_proj", "v_proj"),
    "gpt_neox": ("dense", "query_key_value"),
    "gpt2": ("c_attn", "c_fc", "c_proj"),
}


def backbone_of(kind: str) -> Arrays:
    """Weights of a whole model, by their names in `transformers`."""
    whole = replace(BACKBONE, model=KINDS[kind]).initial_weights(SEED)
    return {name.removeprefix(ENCODER): array for name, array in whole.items()}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Kind of architecture -> digest of its backbone, and under "" the folder that holds all of them."""
    folder = tmp_path_factory.mktemp("backbones")
    digests = {"": str(folder)}
    for kind in KINDS:
        data = backbone_bytes(backbone_of(kind))
        digests[kind] = digest_of(data).hex()
        (folder / f"{digests[kind]}{ENDING}").write_bytes(data)
    return digests


@pytest.fixture
def held(shelf: dict[str, str]) -> Iterator[None]:
    with backbones_in([Path(shelf[""])]):
        yield


def case_of(shelf: dict[str, str], kind: str = "llama") -> Case:
    adapters = Adapters(backbone=shelf[kind], rank=3, targets=TARGETS[kind])
    return replace(CASE, family=replace(BACKBONE, model=KINDS[kind], adapters=adapters))


NOT_OF_ADAPTERS = (
    conformance.missing_and_unknown_fields_are_refused,  # `adapters` may be missing: the whole is trained
    conformance.the_loss_reaches_every_parameter,  # B is zero at first, and A has no gradient through it
    conformance.a_collapsed_model_gains_nothing,  # adapters of zeros are the backbone, which tells much
)


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check not in NOT_OF_ADAPTERS], ids=lambda check: check.__name__
)
def test_adapters_conform(check: Callable[[Case], None], shelf: dict[str, str], held: None) -> None:
    check(case_of(shelf))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "check",
    [conformance.its_memory_is_estimated_from_above, conformance.shapes_are_those_of_the_weights],
    ids=lambda check: check.__name__,
)
def test_adapters_of_every_architecture_conform(
    kind: str, check: Callable[[Case], None], shelf: dict[str, str], held: None
) -> None:
    check(case_of(shelf, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_begin_as_the_backbone_and_add_what_their_matrices_say(
    kind: str, shelf: dict[str, str], held: None
) -> None:
    """Merged into the backbone by hand (W + alpha / rank * B A), they compute what they compute beside it."""
    family = case_of(shelf, kind).family
    assert isinstance(family, Backbone) and family.adapters is not None
    whole = replace(family, adapters=None)
    own = family.initial_weights(SEED)
    merged = {f"{ENCODER}{name}": item for name, item in backbone_of(kind).items()}
    texts = torch.tensor([[3, 5, 7], [4, 2, 0]])

    def read(sizes: Backbone, weights: Arrays) -> torch.Tensor:
        return load_backbone_model(sizes, weights).read(texts)[0]

    assert torch.allclose(read(family, own), read(whole, merged), atol=1e-5)
    rng = np.random.default_rng(1)
    own = {name: rng.normal(size=item.shape).astype(np.float32) / 9 for name, item in own.items()}
    for name in [name for name in own if ".lora_A." in name]:
        layer = f"{name.partition('.lora_A.')[0]}.weight"
        added = (
            own[name.replace("lora_A", "lora_B")] @ own[name] * (family.adapters.alpha / family.adapters.rank)
        )
        merged[layer] = merged[layer] + (added.T if kind == "gpt2" else added)
    found = read(family, own)
    assert torch.allclose(found, read(whole, merged), atol=1e-4)
    assert not torch.allclose(found, read(family, family.initial_weights(SEED)), atol=1e-2)


def test_only_adapters_are_trained_and_travel(shelf: dict[str, str], held: None) -> None:
    case = case_of(shelf)
    base = case.family.initial_weights(SEED)
    before = {name: item.clone() for name, item in _backbone(shelf).items()}
    trained = train(base, case.shard, case.recipe(), seed=SEED, steps=4).weights
    delta = delta_of(trained, base)
    assert delta and all(".lora_A." in name or ".lora_B." in name for name in delta)
    assert all(array.any() for name, array in delta.items()), "every adapter learns"
    assert all(torch.equal(item, before[name]) for name, item in _backbone(shelf).items())
    assert case.recipe().parameters() == sum(array.size for array in delta.values()) < 1500


def _backbone(shelf: dict[str, str]) -> dict[str, torch.Tensor]:
    return dict(backbone_weights(shelf["llama"], backbone_shapes(KINDS["llama"])))


def test_networks_share_the_backbone(shelf: dict[str, str], held: None) -> None:
    """A candidate is measured without a copy of what no candidate changes."""
    family = case_of(shelf).family
    one, other = (family.network(family.initial_weights(SEED)) for _ in range(2))
    places = [
        {item.data_ptr() for name, item in model.encoder.named_buffers() if "base_layer" in name}  # type: ignore[attr-defined]
        for model in (one, other)
    ]
    assert places[0] == places[1] and places[0]


def test_memory_counts_the_backbone(shelf: dict[str, str]) -> None:
    whole = replace(CASE, family=BACKBONE).recipe()
    adapters = training_memory(case_of(shelf).recipe())
    assert adapters.held == training_memory(whole).weights and training_memory(whole).held == 0
    assert adapters.weights < adapters.held
    assert adapters.on("cuda:0") > replace(adapters, held=0).on("cuda:0")


# ------------------------------------------------------------------ without the backbone


def test_without_the_backbone_it_says_which_file_is_missing(shelf: dict[str, str], tmp_path: Path) -> None:
    """Nobody is punished for it: it is retried, and nothing was promised."""
    family = case_of(shelf).family
    with backbones_in([tmp_path]), pytest.raises(Transient) as caught:
        family.network(family.initial_weights(SEED))
    assert to_cid(digest_of(backbone_bytes(backbone_of("llama")))) in caught.value.message
    assert str(tmp_path) in caught.value.message and f"{shelf['llama']}{ENDING}" in str(caught.value.remedy)
    with pytest.raises(Transient, match="any folder: none is named"):
        family.network(family.initial_weights(SEED))


def test_a_recipe_is_read_without_its_backbone(shelf: dict[str, str]) -> None:
    recipe = case_of(shelf).recipe()
    assert read_recipe(recipe.to_bytes()) == recipe
    found = frozen_file(recipe.family)
    assert found is not None and found.digest.hex() == shelf["llama"]
    assert (Path(shelf[""]) / f"{shelf['llama']}{ENDING}").stat().st_size <= found.bytes
    assert frozen_file(BACKBONE) is None


def test_a_blob_store_is_a_place_for_it(shelf: dict[str, str], tmp_path: Path) -> None:
    digest = shelf["llama"]
    place = tmp_path / digest[:2] / digest[2:4] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(backbone_bytes(backbone_of("llama")))
    with backbones_in([tmp_path / "none", tmp_path]):
        assert backbone_weights(digest, backbone_shapes(KINDS["llama"]))


def test_attack_a_file_that_is_not_its_name_is_not_used(shelf: dict[str, str], tmp_path: Path) -> None:
    altered = bytearray(backbone_bytes(backbone_of("llama")))
    altered[-1] ^= 1
    (tmp_path / f"{shelf['llama']}{ENDING}").write_bytes(altered)
    with backbones_in([tmp_path]), pytest.raises(Transient):
        backbone_weights(shelf["llama"], backbone_shapes(KINDS["llama"]))


def _hostile(kind: str) -> bytes:
    good = backbone_of("llama")
    if kind == "other shapes":
        return backbone_bytes({**good, "model.norm.weight": np.zeros(17, np.float32)})
    if kind == "a tensor more":
        return backbone_bytes({**good, "odd": np.zeros(1, np.float32)})
    if kind == "a tensor less":
        return backbone_bytes({name: item for name, item in good.items() if name != "model.norm.weight"})
    if kind == "other numbers":
        return encode_tensors({**good, "model.norm.weight": np.zeros(16)}, {})
    if kind == "much more than it may have":
        return backbone_bytes({**good, "odd": np.zeros(1 << 20, np.float32)})
    if kind == "not a number":
        return backbone_bytes({**good, "model.norm.weight": np.full(16, np.nan, np.float32)})
    return b"\x80\x04 pickle"


@pytest.mark.parametrize(
    "kind",
    [
        "other shapes",
        "a tensor more",
        "a tensor less",
        "other numbers",
        "much more than it may have",
        "not a number",
        "no file of tensors",
    ],
)
def test_attack_a_backbone_that_its_recipe_does_not_describe(kind: str, tmp_path: Path) -> None:
    """Whoever wrote the recipe chose the digest, and what lies behind it."""
    data = _hostile(kind)
    digest = digest_of(data).hex()
    (tmp_path / f"{digest}{ENDING}").write_bytes(data)
    with backbones_in([tmp_path]), pytest.raises(Rejected) as caught:
        backbone_weights(digest, backbone_shapes(KINDS["llama"]))
    assert caught.value.reason == "wrong-backbone"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("adapters.backbone", "0" * 63, "adapters.backbone"),
        ("adapters.backbone", "G" * 64, "adapters.backbone"),
        ("adapters.rank", 0, "adapters.rank"),
        ("adapters.rank", 257, "adapters.rank"),
        ("adapters.targets", ["embed_tokens"], "adapters.targets of llama must be some of"),
        ("adapters.targets", ["v_proj", "q_proj"], "each once and in this order"),
        ("adapters.targets", ["q_proj", "q_proj"], "each once and in this order"),
        ("adapters.targets", [], "adapters.targets"),
        ("model.kind", "gpt2", "groups of gpt2"),
    ],
)
def test_what_are_no_adapters_is_refused(path: str, value: object, says: str, shelf: dict[str, str]) -> None:
    with pytest.raises(Rejected, match=says) as caught:
        changed(case_of(shelf).recipe(), path, value)
    assert caught.value.reason == "bad-recipe"


def test_attack_a_backbone_larger_than_any_model_is_no_recipe(shelf: dict[str, str]) -> None:
    """Its adapters are few, and a node would ask its peers for hundreds of gigabytes."""
    recipe = changed(case_of(shelf).recipe(), "model.hidden", 65_536)
    assert recipe.parameters() < 10_000_000
    with pytest.raises(Rejected, match="more than 1000000000 parameters") as caught:
        changed(changed(recipe, "model.width", 1024), "model.depth", 128)
    assert caught.value.reason == "bad-recipe"


def test_every_kind_of_architecture_has_its_layers() -> None:
    assert {model.kind for model in KINDS.values()} == set(LAYERS)


def test_by_hand_it_is_found_in_the_folder_that_is_named(
    shelf: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_BACKBONES", raising=False)
    case = case_of(shelf)
    model = Model(case.family.initial_weights(SEED), case.recipe(), to_cid(digest_of(b"")), 0, None)
    delta = by_hand(model, case.shard, steps=1, backbones=shelf[""])
    assert set(delta.changes) == set(model.weights)
    with pytest.raises(Transient, match="not in any folder"):
        by_hand(model, case.shard, steps=1)
    monkeypatch.setenv("JEPANET_BACKBONES", shelf[""])
    assert by_hand(model, case.shard, steps=1).metrics == delta.metrics
