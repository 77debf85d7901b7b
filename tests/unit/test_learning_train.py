"""Local training is a function of its inputs, stops when it diverges, and its models survive the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, isfinite, nan
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.learning.families.world.augment import draw_colour, turn
from jepanet.learning.families.world.model import (
    WorldModel,
    load_world_model,
    normalise,
)
from jepanet.learning.family import Network, check_weights
from jepanet.learning.model_file import Model, ModelHeader, load_model, model_bytes, model_cap
from jepanet.learning.recipe import Optimiser
from jepanet.learning.training.loop import train, warm_start
from jepanet.learning.training.resuming.state import StepReport
from jepanet.learning.training.step.schedule import learning_rate
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from jepanet.types import Digest
from learning_shards import OTHER, RECIPE, SEED, WORLD, disc_shard, initial, scaled, sized

pytestmark = pytest.mark.unit

SHARD = disc_shard(1)
START = initial(SEED)
PLAYFUL = sized(RECIPE, colour=True, symmetry=True)
"""With every source of randomness switched on."""


def same(a: Arrays, b: Arrays) -> bool:
    return set(a) == set(b) and all(a[name].tobytes() == b[name].tobytes() for name in a)


# ------------------------------------------------------------------ training


def test_the_same_seed_gives_the_same_bytes() -> None:
    first = train(START, SHARD, PLAYFUL, seed=SEED)
    torch.manual_seed(5)
    again = train(START, SHARD, PLAYFUL, seed=SEED)
    assert same(first.weights, again.weights)
    assert first.metrics == again.metrics
    assert first.steps == 6
    assert not same(first.weights, START)


@pytest.mark.parametrize("recipe", [RECIPE, PLAYFUL], ids=["plain", "playful"])
def test_another_seed_gives_other_bytes(recipe: object) -> None:
    chosen = RECIPE if recipe is RECIPE else PLAYFUL
    first = train(START, SHARD, chosen, seed=SEED, steps=2)
    assert not same(first.weights, train(START, SHARD, chosen, seed=OTHER, steps=2).weights)


def test_training_leaves_no_trace_outside() -> None:
    before = {name: array.copy() for name, array in START.items()}
    frames = SHARD.frames.copy()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    for array in START.values():
        array.flags.writeable = False
    train(START, SHARD, PLAYFUL, seed=SEED, steps=2)
    assert same(START, before), "the starting weights are the caller's"
    assert (SHARD.frames == frames).all()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_no_steps_change_nothing() -> None:
    result = train(START, SHARD, RECIPE, seed=SEED, steps=0)
    assert same(result.weights, START)
    assert (result.metrics, result.steps) == ({}, 0)


def test_the_start_step_places_the_round_in_the_schedule() -> None:
    late = train(START, SHARD, RECIPE, seed=SEED, steps=2, start_step=50)
    assert not same(train(START, SHARD, RECIPE, seed=SEED, steps=2).weights, late.weights)
    longer = train(START, SHARD, RECIPE, seed=SEED, steps=2, start_step=50, total_steps=60_000)
    assert not same(longer.weights, late.weights)
    rates: list[float] = []
    train(
        START,
        SHARD,
        RECIPE,
        seed=SEED,
        steps=2,
        start_step=50,
        on_step=lambda report: rates.append(report.learning_rate),
    )
    rules = RECIPE.optimiser
    assert rates == [learning_rate(rules, step, 2, 50 + step, 60) for step in range(2)]


def test_the_schedule() -> None:
    rules = Optimiser(learning_rate=1.0e-2, warmup=4, cooldown=0.0, final=0.1)
    assert learning_rate(rules, 0, 10, 0, 100) == pytest.approx(0.25e-2)
    assert learning_rate(rules, 3, 10, 0, 100) == pytest.approx(1e-2)
    assert learning_rate(rules, 8, 10, 50, 100) == pytest.approx(0.55e-2)
    for beyond in (100, 10**9):
        assert learning_rate(rules, 8, 10, beyond, 100) == pytest.approx(0.1e-2)
    cooled = replace(rules, cooldown=0.5)
    assert learning_rate(cooled, 5, 10, 0, 100) == pytest.approx(1e-2)
    assert learning_rate(cooled, 9, 10, 0, 100) == pytest.approx(0.2e-2)


def test_training_lowers_the_loss_and_reports_every_step() -> None:
    reports: list[StepReport] = []
    result = train(START, SHARD, RECIPE, seed=SEED, steps=25, on_step=reports.append)
    assert [report.step for report in reports] == list(range(1, 26))
    assert {report.steps for report in reports} == {25}
    assert result.metrics["loss_last"] < 0.8 * result.metrics["loss_first"]
    assert result.metrics["loss_first"] == reports[0].loss
    assert result.metrics["gradient_norm_max"] == max(report.gradient_norm for report in reports)
    assert all(isfinite(value) for value in result.metrics.values())
    for report in reports:
        assert set(report.parts) == {"prediction", "sigreg"}
        least = report.parts["prediction"] + WORLD.objective.weight * report.parts["sigreg"]
        assert report.loss > least, "the guard's moments are in the loss as well"
        assert report.penalty == 0.0
    assert result.metrics["prediction_last"] == reports[-1].parts["prediction"]


def test_without_a_guard_the_loss_is_prediction_and_sigreg() -> None:
    reports: list[StepReport] = []
    objective = replace(WORLD.objective, guard=0.0)
    train(START, SHARD, sized(RECIPE, objective=objective), seed=SEED, steps=3, on_step=reports.append)
    for report in reports:
        expected = report.parts["prediction"] + objective.weight * report.parts["sigreg"]
        assert report.loss == pytest.approx(expected, rel=1e-4)


def test_penalties_are_called_with_the_model_and_add_to_the_loss() -> None:
    seen: list[int] = []
    reports: list[StepReport] = []

    def penalty(model: Network, step: int) -> Tensor:
        assert isinstance(model, WorldModel)
        seen.append(step)
        return 3.0 * model.encoder.head.bias.square().sum() + 0.5

    plain = train(START, SHARD, RECIPE, seed=SEED, steps=3)
    pulled = train(START, SHARD, RECIPE, seed=SEED, steps=3, penalties=[penalty], on_step=reports.append)
    assert seen == [0, 1, 2]
    assert all(report.penalty >= 0.5 for report in reports)
    assert reports[0].loss == pytest.approx(plain.metrics["loss_first"] + reports[0].penalty, rel=1e-5)
    assert not same(pulled.weights, plain.weights), "its gradient counts"


def bias(model: Network) -> Tensor:
    """A scalar that gradients flow through."""
    return dict(model.named_parameters())["encoder.head.bias"].sum()


@pytest.mark.parametrize("value", [nan, inf])
def test_a_loss_that_is_not_finite_is_divergence(value: float) -> None:
    with pytest.raises(Rejected) as caught:
        train(START, SHARD, RECIPE, seed=SEED, penalties=[lambda model, step: bias(model) * 0 + value])
    assert caught.value.reason == "diverged"


def test_a_gradient_that_is_not_finite_is_divergence() -> None:
    def steep(model: Network, step: int) -> Tensor:
        return (bias(model) * 0).sqrt()

    with pytest.raises(Rejected, match="gradient") as caught:
        train(START, SHARD, RECIPE, seed=SEED, penalties=[steep])
    assert caught.value.reason == "diverged"


def test_a_loss_that_explodes_is_divergence() -> None:
    with pytest.raises(Rejected, match="times its median") as caught:
        train(
            START,
            SHARD,
            RECIPE,
            seed=SEED,
            steps=14,
            penalties=[lambda model, step: bias(model) * 0 + (1e5 if step > 9 else 0.0)],
        )
    assert caught.value.reason == "diverged"


def test_weights_that_overflow_are_divergence() -> None:
    with pytest.raises(Rejected) as caught:
        train(scaled(START, 1e20), SHARD, RECIPE, seed=SEED)
    assert caught.value.reason == "diverged"


def test_starting_weights_that_hold_no_number_end_the_training() -> None:
    """Names and shapes were checked as the model was read; what spoils weights later shows in the loss."""
    spoiled = START | {"encoder.head.bias": np.full(6, np.nan, np.float32)}
    with pytest.raises(Rejected) as caught:
        train(spoiled, SHARD, RECIPE, seed=SEED)
    assert caught.value.reason == "diverged"


def test_shards_that_do_not_fit_are_refused() -> None:
    flat = SHARD.with_arrays(actions=SHARD.actions[..., :1])
    brief = disc_shard(1, frames=3)
    large = SHARD.with_arrays(frames=np.zeros((8, 9, 3, 32, 32), np.uint8))
    for shard in (flat, brief, large):
        with pytest.raises(Rejected) as caught:
            train(START, shard, RECIPE, seed=SEED)
        assert caught.value.reason == "shard-mismatch"


def test_a_warm_start_can_be_repeated_by_anyone() -> None:
    first = warm_start(RECIPE, SHARD, SEED, steps=2)
    assert same(first, warm_start(RECIPE, SHARD, SEED, steps=2))
    assert not same(first, warm_start(RECIPE, SHARD, OTHER, steps=2))
    check_weights(first, RECIPE.family)
    cold = warm_start(RECIPE, SHARD, SEED, steps=0)
    assert not same(first, cold)
    check_weights(cold, RECIPE.family)


# ------------------------------------------------------------------ model and augmentation


def test_the_schema_names_exactly_the_models_parameters() -> None:
    shapes = WORLD.parameter_shapes()
    model = WorldModel(WORLD)
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == shapes
    assert list(shapes) == sorted(shapes)
    assert same(load_world_model(WORLD, START).weights(), START)


def test_a_guess_sees_no_frame_of_its_future() -> None:
    model = load_world_model(WORLD, START)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 6, 6, generator=generator)
    actions = torch.randn(1, 5, 2, generator=generator)
    before = model.predict(latents, actions)
    assert before.shape == (1, 4, 6)
    later_latents, later_actions = latents.clone(), actions.clone()
    later_latents[:, 3:] += 1.0
    later_actions[:, 3:] += 1.0
    after = model.predict(later_latents, later_actions)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])


def test_normalised_frames_have_no_brightness_and_unit_contrast() -> None:
    frames = torch.tensor(SHARD.frames[:2])
    seen = normalise(frames)
    assert seen.shape == frames.shape
    assert float(seen.mean(dim=(-1, -2)).abs().max()) < 1e-5
    torch.testing.assert_close(seen.square().mean(dim=(-3, -2, -1)), torch.ones(2, 9), rtol=1e-4, atol=0)
    assert not normalise(torch.full((1, 1, 3, 16, 16), 77, dtype=torch.uint8)).any()
    brighter = normalise((frames.float() * 0.5 + 60).to(torch.uint8))
    assert float((brighter - seen).abs().mean()) < 0.05


def test_a_colour_transform_mixes_channels() -> None:
    frames = torch.tensor(np.random.default_rng(0).integers(0, 256, (1, 2, 3, 16, 16), np.uint8))
    colour = draw_colour(torch.Generator().manual_seed(1))
    seen = normalise(frames, colour)
    plain = torch.einsum("ij,btjxy->btixy", colour, normalise(frames))
    plain = plain / plain.square().mean(dim=(-3, -2, -1), keepdim=True).sqrt()
    torch.testing.assert_close(seen, plain, rtol=1e-3, atol=1e-3)


def test_colour_transforms_keep_contrasts_and_favour_no_hue() -> None:
    generator = torch.Generator().manual_seed(2)
    colours = torch.stack([draw_colour(generator) for _ in range(2000)])
    strengths = torch.linalg.svdvals(colours)
    assert float(strengths.min()) > 0.499 and float(strengths.max()) < 1.501
    # Red becomes every hue: its images average to grey, and spread evenly over the three channels.
    assert float(colours[:, :, 0].mean(dim=0).abs().max()) < 0.06
    shares = colours[:, :, 0].square().mean(dim=0)
    torch.testing.assert_close(shares / shares.sum(), torch.full((3,), 1 / 3), rtol=0, atol=0.03)


def test_without_hues_channels_only_change_places() -> None:
    generator = torch.Generator().manual_seed(3)
    colours = torch.stack([draw_colour(generator, hues=False) for _ in range(200)])
    assert ((colours != 0).sum(dim=-1) == 1).all() and ((colours != 0).sum(dim=-2) == 1).all()
    assert len({tuple((colour != 0).flatten().tolist()) for colour in colours}) == 6
    ours, plain = (
        train(START, SHARD, sized(PLAYFUL, hues=hues), seed=SEED, steps=2).weights for hues in (True, False)
    )
    assert not same(ours, plain)


@pytest.mark.parametrize("which", range(8))
def test_a_turned_episode_obeys_the_same_law(which: int) -> None:
    """Where the disc goes after turning frames is where the turned action says."""
    shard = disc_shard(3, (0,) * 6, frames=6)
    frames, actions = turn(torch.tensor(shard.frames), torch.tensor(shard.actions), which)
    assert which == 0 or not torch.equal(frames, torch.tensor(shard.frames))
    light = frames[:, :, 0].double() - 20.0
    mass = light.sum(dim=(-1, -2))
    grid = torch.arange(16, dtype=torch.float64)
    x, y = (light.sum(dim=-2) * grid).sum(-1) / mass, (light.sum(dim=-1) * grid).sum(-1) / mass
    for place, axis in ((x, 0), (y, 1)):
        moved, wanted = (place[:, 1:] - place[:, :-1]).flatten(), actions[..., axis].double().flatten()
        assert float(torch.corrcoef(torch.stack([moved, wanted]))[0, 1]) > 0.7


def test_the_turns_are_the_eight_symmetries_of_the_square() -> None:
    picture, action = torch.arange(9.0).view(1, 3, 3), torch.tensor([[1.0, 2.0]])
    turned = {tuple(turn(picture, action, which)[0].flatten().tolist()) for which in range(8)}
    pushed = {tuple(turn(picture, action, which)[1].flatten().tolist()) for which in range(8)}
    assert len(turned) == len(pushed) == 8


# ------------------------------------------------------------------ model files

HEADER = ModelHeader.of(RECIPE, 3, Digest(digest_of(b"parent")))
VELOCITY = scaled(START, 0.1)


def reloaded(data: bytes) -> Model:
    return load_model(data, RECIPE)


@pytest.mark.parametrize("velocity", [None, VELOCITY], ids=["cold", "moving"])
@pytest.mark.parametrize("header", [HEADER, ModelHeader.of(RECIPE, 0)], ids=["merged", "first"])
def test_a_model_survives_the_wire(header: ModelHeader, velocity: Arrays | None, tmp_path: Path) -> None:
    data = model_bytes(START, header, velocity)
    path = tmp_path / "model"
    path.write_bytes(data)
    assert len(data) <= model_cap(RECIPE)
    for source in (data, path):
        model = load_model(source, RECIPE)
        assert same(model.weights, START)
        assert (model.velocity is None) == (velocity is None)
        assert velocity is None or same(model.velocity or {}, velocity)
        assert model.header == header
        assert model_bytes(model.weights, model.header, model.velocity) == data


def test_a_loaded_model_cannot_be_changed_but_can_be_trained() -> None:
    model = reloaded(model_bytes(START, HEADER))
    with pytest.raises(ValueError, match="read-only"):
        model.weights["encoder.head.bias"][0] = 1.0
    result = train(model.weights, SHARD, RECIPE, seed=SEED, steps=1)
    assert same(result.weights, train(START, SHARD, RECIPE, seed=SEED, steps=1).weights)


def without_one(weights: Arrays) -> Arrays:
    return {name: weights[name] for name in list(weights)[1:]}


SPOILED = START | {"predictor.leave.bias": np.full(6, inf, np.float32)}
WIDE = START | {"predictor.leave.bias": np.zeros(7, np.float32)}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: model_bytes(START, replace(HEADER, recipe=Digest(bytes(32)))), "wrong-recipe"),
        (lambda: model_bytes(START, replace(HEADER, family="language")), "malformed"),
        (lambda: model_bytes(START, replace(HEADER, round=-1)), "malformed"),
        (lambda: model_bytes(START, replace(HEADER, round=2**32)), "malformed"),
        (lambda: model_bytes(START, replace(HEADER, parent=Digest(bytes(31)))), "malformed"),
        (lambda: model_bytes(without_one(START), HEADER), "wrong-shape"),
        (lambda: model_bytes({}, HEADER), "wrong-shape"),
        (lambda: model_bytes(WIDE, HEADER), "wrong-shape"),
        (lambda: model_bytes(SPOILED, HEADER), "non-finite"),
        (lambda: model_bytes(START, HEADER, SPOILED), "non-finite"),
        (lambda: model_bytes(START, HEADER, WIDE), "wrong-shape"),
        (lambda: model_bytes(START, HEADER, without_one(VELOCITY)), "wrong-shape"),
        (lambda: model_bytes(START, HEADER)[:-1], "truncated"),
        (lambda: model_bytes(START, HEADER)[:5], "truncated"),
        (lambda: b"", "truncated"),
        (lambda: model_bytes(START, HEADER) + b"\0", "not-canonical"),
        (lambda: model_bytes(START, HEADER) + bytes(model_cap(RECIPE)), "too-large"),
    ],
)
def test_a_strange_model_is_refused(make: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        reloaded(make())
    assert caught.value.reason == reason


def test_an_oversized_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with path.open("wb") as file:
        file.truncate(model_cap(RECIPE) + 1)
    with pytest.raises(Rejected) as caught:
        load_model(path, RECIPE)
    assert caught.value.reason == "too-large"


@pytest.mark.parametrize(
    "header",
    [
        {"round": True},
        {"round": "3"},
        {"parent": 5},
        {"parent": "AB" * 32},
        {"parent": "ab" * 31},
        {"schema": "jepanet.shard.1"},
        {"recipe": None},
        {"extra": 1},
    ],
)
def test_a_strange_header_is_refused(header: dict[str, object]) -> None:
    data = model_bytes(START, HEADER)
    arrays, good = decode_tensors(data, max_bytes=len(data), what="test")
    with pytest.raises(Rejected):
        reloaded(encode_tensors(arrays, {**good, **header}))


def test_a_tensor_of_neither_kind_is_refused() -> None:
    data = model_bytes(START, HEADER)
    arrays, header = decode_tensors(data, max_bytes=len(data), what="test")
    with pytest.raises(Rejected) as caught:
        reloaded(encode_tensors({**arrays, "optimiser.x": np.zeros(1, np.float32)}, header))
    assert caught.value.reason == "wrong-shape"


def test_initial_weights_follow_from_their_seed() -> None:
    assert same(initial(SEED), START)
    assert not same(initial(OTHER), START)
    check_weights(START, RECIPE.family)
