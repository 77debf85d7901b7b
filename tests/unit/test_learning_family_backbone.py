"""Backbones of `transformers`: conformance, names and shapes, borders, what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from math import log

import family_conformance as conformance
import numpy as np
import pytest
import torch
from family_conformance import Case
from torch.nn import functional

from jepanet.errors import Rejected
from jepanet.learning.families.backbone.family import Backbone
from jepanet.learning.families.backbone.model import BackboneModel, empty_module, load_backbone_model
from jepanet.learning.families.backbone.schema import backbone_shapes
from jepanet.learning.families.backbone.sizes import GPT2, NEOX, QWEN2, Architecture
from jepanet.learning.family import NEXT_TOKEN
from jepanet.learning.recipe import NEXT_TOKEN_LOSS, Score
from jepanet.learning.recipe_reader import changed
from jepanet.learning.seeding import torch_generator
from learning_shards import SEED, pair_shard

pytestmark = pytest.mark.unit

MODEL = Architecture(
    vocabulary=24, context=8, places=16, latent=6, width=16, depth=2, heads=2, groups=1, hidden=40
)
BACKBONE = Backbone(model=MODEL, pairs=6)
CASE = Case(
    kind=Backbone,
    family=BACKBONE,
    shard=pair_shard(7, (0,) * 24),
    strange=pair_shard(7, vocabulary=30),
    score=Score(kind=NEXT_TOKEN_LOSS, match=0.4),
)
KINDS = {
    "llama": MODEL,
    "untied": replace(MODEL, tied=False),
    "qwen2": replace(MODEL, kind=QWEN2),
    "gpt_neox": replace(MODEL, kind=NEOX, groups=2, turned=0.25, tied=False),
    "gpt2": replace(MODEL, kind=GPT2, groups=2),
}


def network(model: Architecture = MODEL) -> BackboneModel:
    family = replace(BACKBONE, model=model)
    return load_backbone_model(family, family.initial_weights(SEED))


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_shapes_are_those_of_transformers(kind: str) -> None:
    there = {name: tuple(item.shape) for name, item in empty_module(KINDS[kind]).named_parameters()}
    assert there == backbone_shapes(KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "check",
    [
        conformance.its_memory_is_estimated_from_above,
        conformance.shapes_are_those_of_the_weights,
        conformance.the_loss_reaches_every_parameter,
        conformance.a_delta_follows_from_its_seed,
    ],
    ids=lambda check: check.__name__,
)
def test_every_architecture_conforms(kind: str, check: object) -> None:
    check(replace(CASE, family=replace(BACKBONE, model=KINDS[kind])))  # type: ignore[operator]


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_costs_the_same_however_much_padding_follows_it(kind: str) -> None:
    texts, model = torch.tensor([[3, 5, 7]]), network(KINDS[kind])
    (nats, latents), (padded, others) = (model.read(item) for item in (texts, functional.pad(texts, (0, 4))))
    assert torch.allclose(nats, padded, rtol=1e-5) and torch.allclose(latents, others, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_is_told_by_those_behind_it(kind: str) -> None:
    model = network(KINDS[kind])
    one, other = (model.encode(torch.tensor([[3, 5, last]])) for last in (7, 8))
    assert torch.allclose(one[:, :3], other[:, :3], atol=1e-6) and not torch.equal(one[:, 3], other[:, 3])


def test_the_places_of_tokens_count() -> None:
    """The waves that turn heads are no weights: a module built without numbers has them all the same."""
    for model in KINDS.values():
        one, other = (network(model).encode(torch.tensor([text]))[:, -1] for text in ([3, 5, 7], [5, 3, 7]))
        assert not torch.allclose(one, other, atol=1e-6)


def test_random_weights_guess_among_all_tokens() -> None:
    batch = next(BACKBONE.batches(CASE.shard, SEED))
    parts = network().loss(batch, torch_generator(SEED, "loss")).parts
    assert abs(float(parts[NEXT_TOKEN].detach()) - log(MODEL.vocabulary)) < 0.1


def test_the_border_of_a_text_is_the_token_that_the_recipe_names() -> None:
    """In shards token 0 is the border; the backbone's own border is any of its tokens."""
    family = replace(BACKBONE, model=replace(MODEL, border=7))
    weights = BACKBONE.initial_weights(SEED)
    other = {name: array.copy() for name, array in weights.items()}
    table = other["encoder.model.embed_tokens.weight"]
    table[[0, 7]] = table[[7, 0]]
    texts = torch.tensor([[3, 7, 5, 0], [7, 7, 2, 1]])
    found = load_backbone_model(family, other).read(texts)
    wanted = load_backbone_model(BACKBONE, weights).read(texts)
    assert torch.allclose(found[0], wanted[0]) and torch.allclose(found[1], wanted[1])
    assert not torch.allclose(load_backbone_model(family, weights).read(texts)[0], wanted[0])


def test_the_projection_is_no_parameter_and_the_same_in_every_model() -> None:
    one, other = network(), load_backbone_model(BACKBONE, BACKBONE.initial_weights(bytes(32)))
    assert torch.equal(one.projection, other.projection)
    assert "projection" not in one.weights() and not BACKBONE.frozen
    assert float(one.projection.square().mean()) == pytest.approx(1 / MODEL.width, rel=0.3)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("model.kind", "mamba", "model.kind"),
        ("model.heads", 3, "width must be a multiple of model.heads"),
        ("model.groups", 3, "groups must be a divisor"),
        ("model.border", 24, "border must be below"),
        ("model.context", 16, "context must be below model.places"),
        ("model.turned", 0.5, "turned of llama must be 1"),
        ("model.width", 2 * 7, "even number"),
        ("model.vocabulary", 151_936, "model.vocabulary"),
    ],
)
def test_what_is_no_architecture_is_refused(path: str, value: object, says: str) -> None:
    with pytest.raises(Rejected, match=says) as caught:
        changed(CASE.recipe(), path, value)
    assert caught.value.reason == "bad-recipe"


def test_same_numbers_on_every_call() -> None:
    one, other = (network().compare(CASE.shard) for _ in range(2))
    assert one.nats is not None and other.nats is not None
    assert np.array_equal(one.nats, other.nats) and np.array_equal(one.latents, other.latents)


@pytest.mark.subprocess
def test_a_backbones_recipe_is_read_without_transformers() -> None:
    """It takes seconds to import, and no node needs it before it trains or measures."""
    code = (
        "import sys\n"
        "from jepanet.learning.families.backbone.family import Backbone\n"
        "Backbone().parameter_shapes(), Backbone().initial_weights(bytes(32)), Backbone().sizes\n"
        "assert not {'transformers', 'peft', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
