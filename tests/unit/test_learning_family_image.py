"""The image model as a family: its case of the conformance suite, and what only it promises.

`test_learning_families.py` runs the suite on `CASE`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from family_conformance import Case

from jepanet.errors import Rejected
from jepanet.learning.families.image import model as model_module
from jepanet.learning.families.image.family import Image
from jepanet.learning.families.image.masks import draw_masks
from jepanet.learning.families.image.model import ImageModel, load_image_model
from jepanet.learning.families.image.sizes import ImageModelSizes, ImageObjective, Masks, seen_tokens
from jepanet.learning.seeding import torch_generator
from learning_shards import SEED, image_shard

pytestmark = pytest.mark.unit

SMALL = Image(
    model=ImageModelSizes(
        image=16, patch=4, latent=6, width=16, depth=1, heads=2,
        predictor_width=8, predictor_depth=1, predictor_heads=2,
    ),
    objective=ImageObjective(directions=8),
    images=6,
    draws=2,
)  # fmt: skip
CASE = Case(
    kind=Image,
    family=SMALL,
    shard=image_shard(7, (0,) * 16, side=16),
    strange=image_shard(7, side=8),
)


@pytest.mark.parametrize("side", [3, 4, 6, 8, 14, 32])
@pytest.mark.parametrize("masks", [Masks(), Masks(blocks=1, target_high=0.6), Masks(context=0.3)])
def test_masks_hide_blocks_and_show_none_of_them(masks: Masks, side: int) -> None:
    for draw in range(12):
        drawn = draw_masks(masks, side, 5, torch_generator(SEED, f"draw {draw}"))
        assert drawn.context.dtype == drawn.targets.dtype == torch.int64
        for seen, hidden in zip(drawn.context.tolist(), drawn.targets.tolist(), strict=True):
            assert seen and seen == sorted(set(seen)) and not set(seen) & set(hidden)
            assert min(seen + hidden) >= 0 and max(seen + hidden) < side**2
            assert len(hidden) % masks.blocks == 0
            assert len(hidden) <= masks.blocks * masks.target_high * side**2
            block = np.array(hidden).reshape(masks.blocks, -1)
            for one in block:
                rows, columns = set(one // side), set(one % side)
                assert len(rows) * len(columns) == len(set(one.tolist())), "a target is no rectangle"
    assert seen_tokens(masks, side) >= 1


def test_masks_that_could_hide_everything_are_refused() -> None:
    with pytest.raises(Rejected, match=r"can hide all tokens") as caught:
        replace(SMALL, masks=Masks(blocks=4, target_high=0.3))
    assert caught.value.reason == "bad-recipe"


@pytest.mark.parametrize("change", [{"patch": 5}, {"patch": 8}, {"width": 18}, {"predictor_width": 4}])
def test_widths_that_do_not_fit_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(Rejected) as caught:
        replace(SMALL.model, **change)
    assert caught.value.reason == "bad-recipe" and next(iter(change)) in caught.value.message


def test_half_of_the_target_is_the_base_of_the_round() -> None:
    """The error against own tokens and that against the base's differ once the weights have moved."""
    base, moved = SMALL.initial_weights(SEED), SMALL.initial_weights(SEED[::-1])
    batch = next(SMALL.batches(CASE.shard, SEED))

    def parts(base_share: float, held: bool) -> dict[str, float]:
        family = replace(SMALL, objective=replace(SMALL.objective, base=base_share, weight=0.0))
        network = family.network(moved, base=base if held else None)
        terms = network.loss(batch, torch_generator(SEED, "loss"))
        return {"loss": float(terms.loss.detach()), **{k: float(v.detach()) for k, v in terms.parts.items()}}

    found = parts(0.25, True)
    assert found["base"] != found["prediction"]
    assert found["loss"] == pytest.approx(0.75 * found["prediction"] + 0.25 * found["base"], rel=1e-6)
    assert "base" not in parts(0.25, False)
    assert parts(0.25, False)["loss"] == parts(0.25, False)["prediction"] == found["prediction"]


def test_the_base_is_no_part_of_the_weights() -> None:
    weights = SMALL.initial_weights(SEED)
    network = load_image_model(SMALL, weights, base=SMALL.initial_weights(SEED[::-1]))
    assert {name for name, _ in network.named_parameters()} == set(weights)
    assert all(array.tobytes() == weights[name].tobytes() for name, array in network.weights().items())


def test_statistics_see_no_place_and_no_image() -> None:
    """What every token of an image, or a place in every image, has in common is nothing to regularise."""
    from jepanet.learning.families.image.objective import image_objective

    generator = np.random.default_rng(2)
    tokens = torch.from_numpy(generator.normal(size=(6, 16, 6)))
    place, image = (torch.from_numpy(generator.normal(size=size)) for size in ((1, 16, 6), (6, 1, 6)))
    image -= image.mean()

    def statistic(tokens: torch.Tensor) -> float:
        terms = image_objective(tokens, tokens, tokens, None, SMALL.objective, torch_generator(SEED, "loss"))
        return float(terms.parts["sigreg"])

    assert statistic(tokens + place + image) == pytest.approx(statistic(tokens), rel=1e-9)
    assert statistic(2 * tokens) != pytest.approx(statistic(tokens), rel=1e-3)


def test_latents_of_a_comparison_are_those_that_the_statistics_see() -> None:
    encoded = SMALL.network(SMALL.initial_weights(SEED)).compare(CASE.shard)
    assert np.abs(encoded.latents.mean(axis=0)).max() < 1e-9
    assert np.abs(encoded.latents.mean(axis=1)).max() < 1e-9
    assert encoded.latents.shape == (16, 16, 6)


def test_attack_large_images_are_compared_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 of a thousand places each, by wide layers, took many GiB by a recipe of small batches."""
    network, compared = SMALL.network(SMALL.initial_weights(SEED)), ImageModel._compared
    seen: list[int] = []
    whole = network.compare(CASE.shard)

    def counted(self: ImageModel, images: np.ndarray) -> tuple[np.ndarray, ...]:
        seen.append(len(images))
        return compared(self, images)

    monkeypatch.setattr(ImageModel, "_compared", counted)
    monkeypatch.setattr(model_module, "_NUMBERS", 5 * 16 * (8 * 16 + 2 * 16))
    parts = network.compare(CASE.shard)
    assert seen == [5, 5, 5, 1]
    for name in ("latents", "actual", "predicted", "unchanged"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-4, atol=1e-5)
