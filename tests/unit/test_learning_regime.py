"""When a guarded training has to stop: bounds of its regime, held against a fifth that it never trains on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, isfinite, log, nan
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.model import WorldModel, load_world_model
from jepanet.learning.family import NEXT_TOKEN, Batch, Network, Sizes, Terms, Weights
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import FINETUNE, FROM_SCRATCH, Guard, Loop, Regime
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.guarding.regime import RegimeGate, first_bound, perplexities
from jepanet.learning.training.guarding.validation import Validation, split
from jepanet.learning.training.loop import Status, train, warm_start
from jepanet.learning.training.processes.holding import Alone
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import Evaluation, StepReport
from jepanet.tensors import decode_tensors
from learning_shards import OTHER, RECIPE, SEED, WORLD, disc_shard, initial, scaled

pytestmark = pytest.mark.unit

GPT2 = 50_257
SHARD = disc_shard(1, site=(0, 1, 0, 1, 0, 1, 0, 1, 0, 1))
START = initial(SEED)
SCRATCH, TUNING = Regime(FROM_SCRATCH), Regime(FINETUNE)


def guarded(**changes: Any) -> Recipe:
    return replace(RECIPE, guard=Guard(**{"every": 2, "regime": SCRATCH, **changes}))


# ------------------------------------------------------------------ the bounds


def gate(regime: Regime, vocabulary: int | None = None, reference: float = 0.0, **changes: Any) -> RegimeGate:
    bound = first_bound(regime, vocabulary=vocabulary, reference=reference)
    return RegimeGate(Guard(every=1, regime=regime, **changes), bound)


def reason(losses: Sequence[float], judge: RegimeGate) -> str | None:
    """Why these validation losses end a training; None if they do not."""
    try:
        for number, loss in enumerate(losses):
            judge.admit_validation(number, loss)
    except Rejected as error:
        assert str(number) in error.message and f"{loss:.6g}" in error.message, "step and value are named"
        return error.reason
    return None


def above(value: float) -> float:
    return float(np.nextafter(value, inf))


@pytest.mark.parametrize(
    ("regime", "loss", "wanted"),
    [
        (SCRATCH, 18.0, None),
        (SCRATCH, 21.64, None),
        (SCRATCH, 2 * log(GPT2), None),
        (SCRATCH, above(2 * log(GPT2)), "start-too-high"),
        (SCRATCH, 25.0, "start-too-high"),
        (TUNING, 10.0, None),
        (TUNING, above(10.0), "start-too-high"),
        (TUNING, 10.01, "start-too-high"),
        (TUNING, 18.0, "start-too-high"),
    ],
)
def test_the_first_loss_of_next_tokens_has_a_bound(regime: Regime, loss: float, wanted: str | None) -> None:
    assert reason([loss], gate(regime, GPT2)) == wanted


def test_the_bound_from_scratch_is_twice_the_entropy_of_guessing() -> None:
    assert first_bound(SCRATCH, vocabulary=GPT2, reference=0.0) == pytest.approx(21.64, abs=0.01)
    assert first_bound(SCRATCH, vocabulary=2, reference=0.0) == 2 * log(2)


@pytest.mark.parametrize("regime", [SCRATCH, TUNING])
@pytest.mark.parametrize(("loss", "wanted"), [(6.0, None), (above(6.0), "start-too-high")])
def test_without_a_vocabulary_the_bound_is_twice_a_reference(
    regime: Regime, loss: float, wanted: str | None
) -> None:
    assert reason([loss], gate(regime, None, 3.0)) == wanted


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [
        ([3.5, 7.0], None),
        ([3.5, above(7.0)], "loss-jumped"),
        ([3.5, 7.1], "loss-jumped"),
        ([3.5, 1.0, 2.1], "loss-jumped"),
        ([3.5, 1.0, 2.0, 4.0], None),
        ([9.9, 18.0, 30.0], None),
        ([nan], "diverged"),
        ([3.5, inf], "diverged"),
        ([3.5, nan], "diverged"),
    ],
)
def test_a_loss_may_not_double_between_two_measurements(losses: list[float], wanted: str | None) -> None:
    assert reason(losses, gate(TUNING, GPT2)) == wanted


@pytest.mark.parametrize("size", [1, 0, -3])
def test_a_vocabulary_below_two_is_an_error(size: int) -> None:
    with pytest.raises(Rejected, match="vocabulary") as caught:
        first_bound(TUNING, vocabulary=size, reference=0.0)
    assert caught.value.reason == "bad-recipe"


def test_a_reference_has_to_be_finite() -> None:
    with pytest.raises(Rejected) as caught:
        first_bound(TUNING, vocabulary=None, reference=nan)
    assert caught.value.reason == "diverged"


def test_the_usual_regime_is_fine_tuning() -> None:
    assert Guard(every=1).regime == Regime("finetune")


@pytest.mark.parametrize("kind", ["", "scratch", "FINETUNE", 1, None])
def test_no_other_regime_is_known(kind: object) -> None:
    with pytest.raises(Rejected):
        Guard(every=1, regime=Regime(kind))  # type: ignore[arg-type]


def test_a_regime_is_written_with_its_kind() -> None:
    tree = guarded(patience=3, minimum_epochs=2).to_bytes()
    assert b'"guard":{"every":2,"minimum_epochs":2,"patience":3,"regime":{"kind":"from-scratch"}}' in tree
    assert b'"guard":{"every":2}' in guarded(regime=TUNING).to_bytes(), "what is usual is left out"
    assert read_recipe(tree) == guarded(patience=3, minimum_epochs=2)
    assert b'"guard":{' not in RECIPE.to_bytes()


@pytest.mark.parametrize("field", ["every", "patience", "minimum_epochs"])
@pytest.mark.parametrize("value", [-1, 10**6, 1.5, True, None])
def test_a_guard_has_bounds(field: str, value: object) -> None:
    with pytest.raises(Rejected, match=field) as caught:
        guarded(**{field: value})
    assert caught.value.reason == "bad-recipe"


# ------------------------------------------------------------------ stopping early


@pytest.mark.parametrize(
    ("losses", "patience", "epoch", "stops"),
    [
        ([5.0, 4.0, 4.0], 1, 9, True),
        ([5.0, 4.0, 3.9], 1, 9, False),
        ([5.0, 4.0, 4.1, 4.2], 2, 9, True),
        ([5.0, 4.0, 4.1, 3.9], 2, 9, False),
        ([5.0, 4.0, 4.1, 4.2], 3, 9, False),
        ([5.0, 5.0, 5.0, 5.0], 0, 9, False),
        ([5.0, 5.0], 1, 3, True),
        ([5.0, 5.0], 1, 2, False),
        ([5.0], 1, 9, False),
    ],
)
def test_patience_ends_after_measurements_without_progress(
    losses: list[float], patience: int, epoch: int, stops: bool
) -> None:
    judge = gate(TUNING, GPT2, patience=patience, minimum_epochs=3)
    assert reason(losses, judge) is None
    assert judge.stops(epoch) is stops


def test_an_early_stop_is_a_status_and_keeps_its_steps() -> None:
    cases = ((2, 0, "early_stop", 2), (2, 3, "early_stop", 3), (0, 0, "ok", 6))
    for patience, epochs, status, steps in cases:
        recipe = guarded(every=1, regime=TUNING, patience=patience, minimum_epochs=epochs)
        # Four episodes of four windows are trained on, sixteen a step: an epoch is a step.
        result = train(START, SMALL, replace(recipe, family=speaking([3.0] * 9)), seed=SEED)
        assert (result.status, result.steps, result.trace.points[-1].step) == (Status(status), steps, steps)


# ------------------------------------------------------------------ what it is measured on


def test_every_fifth_episode_in_the_order_of_sites_is_held_out() -> None:
    numbered = SHARD.with_arrays(
        state=np.broadcast_to(np.arange(10.0, dtype=np.float32)[:, None, None], (10, 9, 2))
    )
    training, held = split(numbered)
    assert held.state[:, 0, 0].tolist() == [8.0, 9.0], "the fifth of site 0, and of site 1"
    assert held.site == (0, 1)
    assert training.state[:, 0, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert training.episodes + held.episodes == 10


@pytest.mark.parametrize(("episodes", "held"), [(2, 1), (4, 1), (5, 1), (9, 1), (10, 2), (28, 5)])
def test_a_fifth_is_held_out_and_at_least_one(episodes: int, held: int) -> None:
    assert split(disc_shard(1, site=(0,) * episodes))[1].episodes == held


def test_one_episode_cannot_be_divided() -> None:
    with pytest.raises(Rejected) as caught:
        split(disc_shard(1, site=(0,)))
    assert caught.value.reason == "shard-mismatch"


def test_what_is_held_out_is_never_trained_on() -> None:
    """Whatever the held-out episodes show, the training does not change."""
    _, held = split(SHARD)
    other = np.array(SHARD.frames)
    places = [
        place for place in range(10) if any((SHARD.frames[place] == item).all() for item in held.frames)
    ]
    assert len(places) == 2
    other[places] = 255 - other[places]
    recipe = guarded()
    first, second = (
        train(START, shard, recipe, seed=SEED) for shard in (SHARD, SHARD.with_arrays(frames=other))
    )
    assert all((first.weights[name] == second.weights[name]).all() for name in START)
    assert first.metrics["validation_first"] != second.metrics["validation_first"]


def test_the_same_shard_gives_the_same_loss_whatever_was_drawn_before() -> None:
    _, held = split(SHARD)
    alone = Alone(WORLD.network(START), (), "cpu").terms
    one, other = Validation(WORLD, held, "cpu"), Validation(WORLD, held, "cpu")
    first = one.loss(alone)
    torch.manual_seed(3)
    assert one.loss(alone) == first == other.loss(alone)
    assert other.loss(Alone(WORLD.network(initial(OTHER)), (), "cpu").terms) != first
    assert one.reference(TUNING, START, START) == first
    assert one.reference(SCRATCH, START, None) == one.reference(SCRATCH, initial(OTHER), None) != first


def test_measuring_leaves_no_trace_in_the_training() -> None:
    """Cadence and patience of the guard change no byte of the weights."""
    first, second = (train(START, SHARD, guarded(every=every), seed=SEED) for every in (1, 3))
    assert all((first.weights[name] == second.weights[name]).all() for name in START)


def test_the_loss_is_measured_before_the_first_step_at_the_cadence_and_at_the_end() -> None:
    seen: list[Evaluation] = []
    order: list[str] = []

    def on_step(report: StepReport) -> None:
        order.append(f"step {report.step}")

    def on_evaluation(evaluation: Evaluation) -> None:
        seen.append(evaluation)
        order.append(f"loss {evaluation.step}")

    result = train(
        START, SHARD, guarded(every=2), seed=SEED, steps=5, on_step=on_step, on_evaluation=on_evaluation
    )
    assert order == [
        "loss 0", "step 1", "step 2", "loss 2", "step 3", "step 4", "loss 4", "step 5", "loss 5",
    ]  # fmt: skip
    assert result.metrics["validation_first"] == seen[0].loss
    assert result.metrics["validation_last"] == seen[-1].loss
    assert all(isfinite(item.loss) for item in seen)
    assert [item.epoch for item in seen] == [0, 1, 2, 2], "32 windows are trained on, 16 a step"


# ------------------------------------------------------------------ whole trainings


class _Spoken(WorldModel):
    """A world model that says how well it predicts the next token: as a test wants it to."""

    told: Callable[[], float]

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        terms = super().loss(batch, generator)
        if torch.is_grad_enabled():
            return terms
        return Terms(terms.loss, {**terms.parts, NEXT_TOKEN: torch.tensor(self.told(), dtype=torch.float64)})


def speaking(losses: Sequence[float], vocabulary: int | None = GPT2) -> World:
    """A family whose measurements are these, one after the other."""
    left = list(losses)

    class Speaking(World):
        __slots__ = ()

        @property
        def sizes(self) -> Sizes:
            return replace(World.sizes.fget(self), vocabulary=vocabulary)  # type: ignore[attr-defined]

        def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
            network = _Spoken(self)
            network.load_state_dict(load_world_model(self, weights).state_dict())
            network.told = lambda: left.pop(0)
            return network

    given: dict[str, Any] = {name: getattr(WORLD, name) for name in World().fields()}
    return cast(World, Speaking(**given))


SMALL = disc_shard(1, site=(0,) * 5)
"""One batch holds all that is held out: one call is one measurement."""


@pytest.mark.parametrize(
    ("regime", "losses", "wanted"),
    [
        (SCRATCH, [18.0, 18.0, 18.0, 18.0], None),
        (SCRATCH, [25.0], "start-too-high"),
        (TUNING, [10.0, 10.0, 10.0, 10.0], None),
        (TUNING, [10.01], "start-too-high"),
        (TUNING, [3.5, 7.1], "loss-jumped"),
        (TUNING, [3.5, 7.0, nan], "diverged"),
    ],
)
def test_a_training_is_aborted_at_the_bounds_of_its_regime(
    regime: Regime, losses: list[float], wanted: str | None
) -> None:
    recipe = replace(guarded(regime=regime), family=speaking(losses))
    if wanted is None:
        assert train(START, SMALL, recipe, seed=SEED).status is Status.OK
        return
    with pytest.raises(Rejected) as caught:
        train(START, SMALL, recipe, seed=SEED)
    assert caught.value.reason == wanted
    assert f"step {2 * (len(losses) - 1)}" in caught.value.message


def test_a_training_with_a_vocabulary_of_one_is_an_error() -> None:
    with pytest.raises(Rejected) as caught:
        train(START, SMALL, replace(guarded(), family=speaking([1.0], vocabulary=1)), seed=SEED)
    assert caught.value.reason == "bad-recipe"


def test_weights_far_from_any_start_are_refused_from_scratch() -> None:
    """The world model has no vocabulary: its bound is twice what a random start loses."""
    assert train(START, SHARD, guarded(), seed=SEED, steps=1).status is Status.OK
    with pytest.raises(Rejected) as caught:
        train(scaled(START, 30.0), SHARD, guarded(), seed=SEED, steps=1)
    assert caught.value.reason == "start-too-high"


def test_a_training_that_runs_away_is_aborted() -> None:
    wild = replace(RECIPE.optimiser, learning_rate=0.1, warmup=0, cooldown=0.0, clip=1e4)
    with pytest.raises(Rejected) as caught:
        train(START, SHARD, replace(guarded(every=1), optimiser=wild), seed=SEED, steps=30)
    assert caught.value.reason in ("loss-jumped", "diverged")


def test_a_guarded_training_minds_no_training_loss_that_is_finite() -> None:
    def leaps(model: Network, step: int) -> torch.Tensor:
        bias = dict(model.named_parameters())["encoder.head.bias"].sum()
        return bias * 0 + (1e5 if step > 9 else 0.0)

    result = train(START, SHARD, guarded(), seed=SEED, steps=14, penalties=[leaps])
    assert result.metrics["loss_last"] > 1e4


@pytest.mark.parametrize("value", [nan, inf])
def test_a_training_loss_that_is_not_finite_is_named(value: float) -> None:
    def spoils(model: Network, step: int) -> torch.Tensor:
        bias = dict(model.named_parameters())["encoder.head.bias"].sum()
        return bias * 0 + (value if step == 3 else 0.0)

    with pytest.raises(Rejected, match=f"step 3: the training loss is {value}") as caught:
        train(START, SHARD, guarded(), seed=SEED, penalties=[spoils])
    assert caught.value.reason == "diverged"


def test_a_gradient_that_is_not_finite_is_named() -> None:
    def steep(model: Network, step: int) -> torch.Tensor:
        return (dict(model.named_parameters())["encoder.head.bias"].sum() * 0).sqrt()

    with pytest.raises(Rejected, match="step 0: the gradient norm is"):
        train(START, SHARD, guarded(), seed=SEED, penalties=[steep])


def test_a_learning_rate_that_is_not_finite_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from jepanet.learning.training.step import taking

    monkeypatch.setattr(taking, "learning_rate", lambda *_: nan)
    for recipe in (guarded(), RECIPE):
        with pytest.raises(Rejected, match="step 0: the learning rate is nan"):
            train(START, SHARD, recipe, seed=SEED)


def test_a_warm_start_is_from_scratch_whatever_the_rounds_are() -> None:
    recipe = replace(guarded(regime=TUNING), family=speaking([18.0] * 3))
    assert set(warm_start(recipe, SMALL, SEED, steps=3)) == set(START), "18 is too much for fine-tuning"
    with pytest.raises(Rejected):
        warm_start(replace(recipe, family=speaking([25.0])), SMALL, SEED, steps=3)


# ------------------------------------------------------------------ checkpoints


def kept(folder: Path, recipe: Recipe, shard: Shard = SHARD, steps: int = 9) -> list[int]:
    """The steps of the checkpoints that a training leaves."""
    try:
        train(
            START, shard, recipe, seed=SEED, steps=steps, checkpoints=Checkpoints(folder, 1 << 30, pause=0.0)
        )
    except Rejected:
        pass
    return sorted(int(item.name[5:15]) for item in folder.glob("*.safetensors"))


def test_checkpoints_are_written_only_of_weights_that_passed_the_gate(tmp_path: Path) -> None:
    assert kept(tmp_path / "a", replace(guarded(every=3), loop=Loop(trace=1))) == [3, 6]
    recipe = replace(guarded(every=3, regime=TUNING), family=speaking([3.5, 3.5, 7.1]))
    assert kept(tmp_path / "b", recipe, SMALL) == [3], "not of step 6, whose loss had jumped"
    refused = replace(guarded(every=1), family=speaking([25.0]))
    assert kept(tmp_path / "c", refused, SMALL) == []


def test_a_checkpoint_says_what_was_reached(tmp_path: Path) -> None:
    recipe = replace(guarded(every=3, regime=TUNING), family=speaking([3.5, 3.0, 2.5, 2.0]))
    kept(tmp_path, recipe, SMALL)
    path = tmp_path / "step-0000000006.safetensors"
    arrays, header = decode_tensors(path.read_bytes(), max_bytes=1 << 30, what="checkpoint")
    assert header["losses"] == [3.5, 3, 2.5]
    assert header["perplexities"] == pytest.approx([33.115, 20.086, 12.182], abs=1e-3)
    assert header["samples"] == 6 * WORLD.windows and header["step"] == 6
    metrics = header["metrics"]
    assert isinstance(metrics, dict) and cast(float, metrics["gradient_norm_max"]) > 0
    assert len(str(header["optimiser"])) == 64
    assert arrays["gate.losses"].tolist() == [3.5, 3.0, 2.5]


def test_a_family_without_a_vocabulary_has_no_perplexities(tmp_path: Path) -> None:
    kept(tmp_path, guarded(every=3))
    path = tmp_path / "step-0000000003.safetensors"
    header = decode_tensors(path.read_bytes(), max_bytes=1 << 30, what="checkpoint")[1]
    assert header["perplexities"] is None and len(cast(list[float], header["losses"])) == 2


def test_perplexities_are_finite() -> None:
    assert perplexities([0.0, 1e6])[0] == 1.0 and isfinite(perplexities([1e6])[0])


@pytest.mark.parametrize("regime", [SCRATCH, TUNING], ids=["scratch", "finetune"])
@pytest.mark.parametrize("step", [1, 4, 7])
def test_a_guarded_training_killed_at_any_step_ends_in_the_same_bytes(
    regime: Regime, step: int, tmp_path: Path
) -> None:
    recipe = guarded(regime=regime, every=3, patience=5)
    whole = train(START, SHARD, recipe, seed=SEED, steps=9)

    class Killed(Exception):
        pass

    def on_step(report: StepReport) -> None:
        if report.step == step:
            raise Killed

    def begun(tell: Callable[[StepReport], None] | None = None) -> Any:
        return train(
            START, SHARD, recipe, seed=SEED, steps=9, on_step=tell,
            checkpoints=Checkpoints(tmp_path, 1 << 30, pause=0.0),
        )  # fmt: skip

    with pytest.raises(Killed):
        begun(on_step)
    steps: list[int] = []
    again = begun(lambda report: steps.append(report.step))
    assert steps[0] == 3 * ((step - 1) // 3) + 1
    assert all(again.weights[name].tobytes() == whole.weights[name].tobytes() for name in START)
    assert (again.metrics, again.trace, again.status) == (whole.metrics, whole.trace, whole.status)
