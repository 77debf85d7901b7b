"""What every model family must pass (`learning/family.py`): one function a promise.

`test_learning_families.py` runs them on every family of the registry, and on families broken on purpose.
"""

from __future__ import annotations

import copy
import json
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, fields
from itertools import islice
from math import inf, isfinite, nan, prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.judging.similarity import norm
from jepanet.federation.merging.outer import outer_step
from jepanet.federation.merging.rules import mean
from jepanet.learning.data.schemas.registry import SCHEMAS
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.streaming.batches import StreamedBatches
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.family import NEXT_TOKEN, Batch, Family, FamilyKind, check_weights
from jepanet.learning.pooling import Lot, part_of
from jepanet.learning.recipe import MAX_PARAMETERS, Optimiser, Recipe, Score
from jepanet.learning.recipe_loop import Loop
from jepanet.learning.seeding import torch_generator
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.processes.together import rows_of
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import StepReport
from jepanet.tensors import Arrays, canonical_json
from learning_shards import shard_of

T = TypeVar("T")
SEED, OTHER = bytes(range(32)), bytes(range(1, 33))
HOSTILE = (nan, inf, -inf, -1, -1e-12, 1e308, 2**53 - 1, 2**60, None, "1", True, [], {}, [1])
MOST_BYTES = 4 << 20
"""More memory than reading sizes may ever take; the weights of hostile sizes would take gigabytes."""


USUAL_SCORE, USUAL_OPTIMISER = Score(), Optimiser()


@dataclass(frozen=True)
class Case:
    """A family at small sizes, with data for it."""

    kind: FamilyKind
    family: Family
    shard: Shard
    """One site, at least eight episodes in which something moves."""
    strange: Shard
    """Of the family's kind of data, and of other sizes than the family's."""
    score: Score = USUAL_SCORE
    """What a recipe for it scores."""
    optimiser: Optimiser = USUAL_OPTIMISER

    def recipe(self, family: Family | None = None, **more: Any) -> Recipe:
        """A small recipe of the family, or of the same one at other sizes."""
        align = 0.0 if self.family.turns and not self.family.frozen else 180.0
        usual = {"score": self.score, "optimiser": self.optimiser, "align_above": align}
        return Recipe(
            family or self.family, "conformance", **{**usual, "inner_steps": 40, "warm_steps": 40, **more}
        )


def _trained(case: Case) -> Arrays:
    """Weights that have learned a little: their latents vary and predict something."""
    start = case.family.initial_weights(SEED)
    return train(start, case.shard, case.recipe(), seed=SEED, from_scratch=True).weights


def _same(one: Arrays, other: Arrays) -> bool:
    return set(one) == set(other) and all(one[name].tobytes() == other[name].tobytes() for name in one)


# ------------------------------------------------------------------ sizes and recipes


def fields_survive_the_wire(case: Case) -> None:
    for family in (case.family, case.kind()):
        written = json.loads(canonical_json(family.fields()))
        again = case.kind.read(written)
        assert again == family
        assert canonical_json(again.fields()) == canonical_json(family.fields())
    taken = {item.name for item in fields(Recipe)} | {"schema"}
    assert not taken & set(case.family.fields()), "the family's fields stand beside the recipe's own"


def missing_and_unknown_fields_are_refused(case: Case) -> None:
    usual = case.family.fields()
    for name in usual:
        with pytest.raises(Rejected, match=name) as caught:
            case.kind.read({key: value for key, value in usual.items() if key != name})
        assert caught.value.reason == "bad-recipe"
    with pytest.raises(Rejected):
        case.kind.read({**usual, "extra": 1})


def hostile_values_are_refused_before_anything_is_allocated(case: Case) -> None:
    usual = json.loads(canonical_json(case.family.fields()))
    tracemalloc.start()
    try:
        for path in _leaves(usual):
            for value in HOSTILE:
                place = tree = copy.deepcopy(usual)
                for step in path[:-1]:
                    place = place[step]
                if isinstance(place[path[-1]], bool) and isinstance(value, bool):
                    continue
                place[path[-1]] = value
                with pytest.raises(Rejected) as caught:
                    case.recipe(case.kind.read(tree))
                assert caught.value.reason == "bad-recipe"
                named = [str(step) for step in path if isinstance(step, str)]
                assert all(step in caught.value.message for step in named), caught.value.message
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < MOST_BYTES, f"{most} bytes were allocated while sizes were refused"


def _leaves(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(tree, dict | list):
        for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _leaves(value, (*path, name))
    else:
        yield path


def a_model_card_can_describe_it(case: Case) -> None:
    words = case.family.description
    assert words.title and words.kind and words.title.isprintable() and words.kind.isprintable()
    assert words.use.format(environment="somewhere").count("somewhere") == 1
    assert words.use.endswith(".")


def sizes_say_what_they_are(case: Case) -> None:
    sizes = case.family.sizes
    assert sizes.frames >= sizes.window >= 1 and sizes.latent >= 1 and sizes.knots >= 3
    assert sizes.image in (0, case.shard.image)
    assert case.family.widened(3).sizes.frames == 3 * sizes.frames
    assert case.family.widened(1) == case.family
    if sizes.vocabulary is not None:
        assert sizes.vocabulary >= 2
        network, batch = case.family.network(case.family.initial_weights(SEED)), _first(case)
        assert NEXT_TOKEN in network.loss(batch, torch_generator(SEED, "loss")).parts


def its_memory_is_estimated_from_above(case: Case) -> None:
    """What autograd keeps of one batch is at most what the sizes say, and no less than a quarter of it."""
    network, batch = case.family.network(case.family.initial_weights(SEED)), _first(case)
    own = {item.untyped_storage().data_ptr() for _, item in network.named_parameters()}
    kept: dict[int, int] = {}

    def keep(item: torch.Tensor) -> torch.Tensor:
        storage = item.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return item

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda item: item):
        loss = network.loss(batch, torch_generator(SEED, "loss")).loss
    held, said = sum(kept.values()), 4 * case.family.sizes.activations
    assert held <= said <= 4 * held, f"{held} bytes are kept, `activations` says {said}"
    assert loss.requires_grad, "what was kept lay there until here"


def its_computing_is_estimated_from_above(case: Case) -> None:
    """What torch multiplies in a forward pass is at most what the family says, and no less than a quarter."""
    weights, batch = case.family.initial_weights(SEED), _first(case)
    network = case.family.network(weights, base=weights)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.loss(batch, torch_generator(SEED, "loss"))
    done, said = counter.get_total_flops() // 2, case.family.multiplications()
    assert done <= said <= 4 * done, f"{done} multiplications are done, the family says {said}"
    assert case.family.widened(3).multiplications() >= 3 * said


def _first(case: Case) -> Batch:
    return next(iter(case.family.batches(case.shard, SEED)))


# ------------------------------------------------------------------ weights


def shapes_are_those_of_the_weights(case: Case) -> None:
    shapes = case.family.parameter_shapes()
    weights = case.family.initial_weights(SEED)
    assert list(shapes) == sorted(shapes)
    assert any(name.startswith("encoder.") for name in shapes)
    check_weights(weights, case.family)
    network = case.family.network(weights)
    assert {name: tuple(item.shape) for name, item in network.named_parameters()} == shapes
    assert _same(network.weights(), weights)
    counted = case.recipe().parameters()
    assert counted == sum(prod(shape) for shape in shapes.values()) <= MAX_PARAMETERS
    assert counted == sum(array.size for array in weights.values())


def a_network_copies_its_weights(case: Case) -> None:
    weights = case.family.initial_weights(SEED)
    network = case.family.network(weights)
    with torch.no_grad():
        for _, item in network.named_parameters():
            item += 1.0
    assert _same(weights, case.family.initial_weights(SEED))


def initial_weights_follow_from_the_seed(case: Case) -> None:
    first = case.family.initial_weights(SEED)
    np.random.default_rng(1).normal()
    torch.manual_seed(5)
    assert _same(first, case.family.initial_weights(SEED))
    assert not _same(first, case.family.initial_weights(OTHER))


# ------------------------------------------------------------------ training


def batches_follow_from_the_seed(case: Case) -> None:
    first, again, other = (
        list(islice(case.family.batches(case.shard, seed), 5)) for seed in (SEED, SEED, OTHER)
    )
    assert all(_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(_equal(one, two) for one, two in zip(first, other, strict=True))


def every_example_is_drawn_before_any_twice(case: Case) -> None:
    drawn: list[int] = []
    for batch in islice(case.family.batches(case.shard, SEED), 40):
        assert batch.examples.ndim == 1 and len(batch.examples) >= 1
        drawn += batch.examples.tolist()
    there = len(set(drawn))
    assert len(drawn) >= 2 * there, "too few batches to judge by"
    for start in range(0, len(drawn) - there + 1, there):
        assert len(set(drawn[start : start + there])) == there


def pictures_are_drawn_where_they_lie(case: Case) -> None:
    """Of the same shapes and kinds. Device `meta` stands for one that is no CPU: it holds no numbers."""
    here, there = (case.family.batches(case.shard, SEED) for _ in range(2))
    there.lie_on("meta")
    for one, other in islice(zip(here, there, strict=True), 3):
        for name, item in one.tensors.items():
            drawn = other.tensors[name]
            assert (drawn.shape, drawn.dtype) == (item.shape, item.dtype)
            assert drawn.device.type == ("meta" if item.ndim >= 4 else "cpu"), name
        assert torch.equal(one.examples, other.examples)


def examples_are_counted(case: Case) -> None:
    batches = case.family.batches(case.shard, SEED)
    drawn = [number for batch in islice(batches, 60) for number in batch.examples.tolist()]
    assert len(drawn) >= 2 * batches.examples, "too few batches to judge by"
    assert set(drawn) == set(range(batches.examples))


def batches_are_taken_up_where_they_were_left(case: Case) -> None:
    for skipped in (0, 1, 3, 9):
        left = case.family.batches(case.shard, SEED)
        for _ in range(skipped):
            next(left)
        position = {name: np.array(array) for name, array in left.position().items()}
        wanted = [next(left) for _ in range(6)]
        taken_up = case.family.batches(case.shard, SEED)
        taken_up.go_to(position)
        again = taken_up.position()
        assert set(again) == set(position)
        assert all(array.tobytes() == position[name].tobytes() for name, array in again.items())
        for one, other in zip(wanted, taken_up, strict=False):
            assert _equal(one, other)


def a_stream_of_its_shards_is_taken_up_where_it_was_left(case: Case) -> None:
    """Data larger than memory is drawn from batches of several shards (`data/streaming/batches.py`)."""

    def stream() -> StreamedBatches:
        return StreamedBatches(3, 2, SEED, lambda place, seed, stopped: case.family.batches(case.shard, seed))

    with closing(stream()) as whole, closing(stream()) as left, closing(stream()) as taken_up:
        drawn = list(islice(whole, 12))
        first = list(islice(left, 7))
        taken_up.go_to({name: np.array(array) for name, array in left.position().items()})
        assert all(map(_equal, [*first, *islice(taken_up, 5)], drawn))


def a_position_that_is_none_is_refused(case: Case) -> None:
    batches = case.family.batches(case.shard, SEED)
    next(batches)
    position = batches.position()
    for name, array in position.items():
        missing = {key: value for key, value in position.items() if key != name}
        for odd in (missing, {**position, name: array.astype(np.float32)}, {**position, "odd": array}):
            with pytest.raises(Rejected) as caught:
                case.family.batches(case.shard, SEED).go_to(odd)
            assert caught.value.reason == "bad-position"


def _equal(one: Batch, other: Batch) -> bool:
    return (
        torch.equal(one.examples, other.examples)
        and set(one.tensors) == set(other.tensors)
        and all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    )


def a_shard_of_other_sizes_is_refused(case: Case) -> None:
    case.family.check_shard(case.shard)
    with pytest.raises(Rejected) as caught:
        case.family.check_shard(case.strange)
    assert caught.value.reason == "shard-mismatch"
    assert case.strange.schema == case.family.schema


def a_shard_of_another_kind_is_refused(case: Case) -> None:
    assert SCHEMAS[case.family.schema.name] == case.family.schema == case.shard.schema
    for kind in SCHEMAS:
        if kind != case.family.schema.name:
            with pytest.raises(Rejected) as caught:
                case.family.check_shard(shard_of(kind, 1))
            assert caught.value.reason == "shard-mismatch"


def the_loss_reaches_every_parameter(case: Case) -> None:
    network = case.family.network(case.family.initial_weights(SEED))
    learning = [
        (name, item)
        for name, item in network.named_parameters()
        if not name.startswith(tuple(case.family.frozen))
    ]
    assert learning, "a family of which everything is frozen learns nothing"
    terms = network.loss(next(case.family.batches(case.shard, SEED)), torch_generator(SEED, "loss"))
    assert terms.loss.shape == () and isfinite(float(terms.loss.detach()))
    assert terms.parts and all(isfinite(float(part.detach())) for part in terms.parts.values())
    assert terms.loss.requires_grad, "nothing can be learned from this loss"
    gradients = torch.autograd.grad(terms.loss, [item for _, item in learning], allow_unused=True)
    for (name, _), gradient in zip(learning, gradients, strict=True):
        assert gradient is not None and bool(torch.isfinite(gradient).all()), f"no gradient: {name}"
        assert bool(gradient.any()), f"the loss does not depend on {name}, which is not declared frozen"


def the_loss_draws_from_its_generator_alone(case: Case) -> None:
    network = case.family.network(case.family.initial_weights(SEED))
    batch = next(case.family.batches(case.shard, SEED))
    losses = []
    for stray in (1, 2):
        torch.manual_seed(stray)
        losses.append(float(network.loss(batch, torch_generator(SEED, "loss")).loss.detach()))
    assert losses[0] == losses[1]


def rows_in_two_places_have_the_loss_of_the_batch(case: Case) -> None:
    """Also its gradient: threads stand for processes, each of which has some of the rows."""
    weights, batch = case.family.initial_weights(SEED), _first(case)
    count = len(batch.examples)
    assert batch.shared <= set(batch.tensors)
    assert all(len(item) == count for name, item in batch.tensors.items() if name not in batch.shared)

    def found(part: Batch) -> tuple[float, list[np.ndarray]]:
        network = case.family.network(weights)
        loss = network.loss(part, torch_generator(SEED, "loss")).loss
        learning = [item for _, item in network.named_parameters()]
        gradients = torch.autograd.grad(loss, learning, allow_unused=True, materialize_grads=True)
        return float(loss.detach()), [item.numpy().astype(np.float64) for item in gradients]

    loss, gradients = found(batch)
    parts = in_places(2, count, lambda first, last: found(batch.rows(first, last)))
    assert parts[0][0] == parts[1][0], "each place has a loss of its own: a statistic is not pooled"
    assert abs(parts[0][0] - loss) <= 1e-5 * abs(loss)
    off = way = 0.0
    for whole, one, other in zip(gradients, parts[0][1], parts[1][1], strict=True):
        off += float(np.square((one + other) / 2 - whole).sum())
        way += float(np.square(whole).sum())
    assert off <= 1e-10 * way, f"gradients differ by {(off / way) ** 0.5:.3g}"


def in_places(places: int, rows: int, work: Callable[[int, int], T]) -> list[T]:
    """What threads make of their rows, from the first to before the last, while they pool as processes do."""
    turn, shelf = threading.Barrier(places, timeout=60), [torch.empty(0)] * places

    def part(place: int) -> T:
        def gather(item: torch.Tensor) -> list[torch.Tensor]:
            shelf[place] = item
            turn.wait()
            items = list(shelf)
            turn.wait()
            return items

        first, last = rows_of(rows, place, places)
        with part_of(Lot(last - first, rows, first, gather)):
            return work(first, last)

    contexts = [copy_context() for _ in range(places)]
    with ThreadPoolExecutor(places) as pool:
        return list(pool.map(lambda place: contexts[place].run(part, place), range(places)))


def the_base_is_held_and_not_trained(case: Case) -> None:
    """Beside a network it is no parameter of it, and what changes the network does not change the base."""
    weights, base = case.family.initial_weights(SEED), case.family.initial_weights(OTHER)
    network, batch = case.family.network(weights, "cpu", base), _first(case)

    def loss(model: Any) -> float:
        return float(model.loss(batch, torch_generator(SEED, "loss")).loss.detach())

    assert {name: tuple(item.shape) for name, item in network.named_parameters()} == (
        case.family.parameter_shapes()
    )
    assert _same(network.weights(), weights)
    with torch.no_grad():
        for _, item in network.named_parameters():
            item *= 0.9
    again = case.family.network(network.weights(), "cpu", base)
    assert isfinite(loss(network)) and loss(network) == loss(again)
    assert _same(base, case.family.initial_weights(OTHER))


def a_delta_follows_from_its_seed(case: Case) -> None:
    base = case.family.initial_weights(OTHER)
    one, same, other = (
        train(base, case.shard, case.recipe(), seed=seed, steps=4).weights for seed in (SEED, SEED, OTHER)
    )
    assert _same(one, same) and not _same(one, other)
    assert not _same(one, base)


def a_training_taken_up_ends_in_the_same_bytes(case: Case) -> None:
    """Killed, and begun again from its checkpoint: its objective holds on to the base as before."""
    base, recipe = case.family.initial_weights(OTHER), case.recipe(loop=Loop(trace=2))

    class Killed(Exception):
        """Nothing that comes after it happens."""

    def trained(**more: Any) -> TrainResult:
        return train(base, case.shard, recipe, seed=SEED, steps=6, **more)

    def kill(report: StepReport) -> None:
        if report.step == 5:
            raise Killed

    with tempfile.TemporaryDirectory() as name:
        kept = Checkpoints(Path(name), 1 << 30, pause=0.0)
        with pytest.raises(Killed):
            trained(checkpoints=kept, on_step=kill)
        later: list[int] = []
        again = trained(checkpoints=kept, on_step=lambda report: later.append(report.step))
    whole = trained()
    assert later == [5, 6], "it goes on where it was"
    assert _same(again.weights, whole.weights) and again.trace == whole.trace


def a_federation_of_identical_sites_is_one_site(case: Case) -> None:
    """Outer rate 1, momentum 0, the same shard and seeds: rounds together are rounds alone.

    Within 1 %: AdamW steps as far along a parameter whose gradient is nothing but rounding (the bias of a key
    of attention) as along any other, and rounds of another base round otherwise.
    """
    alone = together = case.family.initial_weights(OTHER)
    for number in range(2):
        more = {"seed": SEED, "steps": 3, "start_step": 3 * number}
        made = [train(together, case.shard, case.recipe(), **more).weights for _ in range(2)]
        merged = mean([delta_of(item, together) for item in made])
        together = outer_step(together, merged, None, lr=1.0, momentum=0.0)[0]
        alone = train(alone, case.shard, case.recipe(), **more).weights
    way, off = ({name: one[name] - alone[name] for name in one}
                for one in (case.family.initial_weights(OTHER), together))  # fmt: skip
    assert norm(way) > 0 and norm(off) < 1e-2 * norm(way)


# ------------------------------------------------------------------ scoring and alignment


def what_the_score_compares_has_one_place_a_slot(case: Case) -> None:
    encoded = case.family.network(case.family.initial_weights(SEED)).compare(case.shard)
    episodes, slots = encoded.actual.shape[:2]
    assert episodes == case.shard.episodes and slots >= 1 and encoded.finite
    assert encoded.latents.ndim == 3 and len(encoded.latents) >= 1
    assert encoded.latents.shape[2] == encoded.actual.shape[2] == case.family.sizes.latent
    assert encoded.unchanged.shape == encoded.actual.shape
    assert encoded.predicted.shape[:2] == (episodes, slots)
    for item in (encoded.latents, encoded.actual, encoded.predicted, encoded.unchanged):
        assert item.dtype == np.float64
    if case.family.sizes.vocabulary is not None:
        nats, tokens = encoded.nats, encoded.tokens
        assert nats is not None and tokens is not None and nats.dtype == np.float64
        assert nats.shape == tokens.shape == (episodes,)
        assert np.isfinite(nats).all() and (nats >= 0).all() and (tokens >= 1).all()


def a_rotation_turns_latents_and_leaves_the_score(case: Case) -> None:
    family = case.family
    rotation = _orthogonal(family.sizes.latent)
    if not family.turns:
        with pytest.raises(Rejected) as caught:
            family.rotated(family.initial_weights(SEED), rotation)
        assert caught.value.reason == "no-rotation"
        with pytest.raises(Rejected, match="align_above must be 180") as caught:
            case.recipe(align_above=90.0)
        assert caught.value.reason == "bad-recipe"
        return
    weights = _trained(case)
    turned = family.rotated(weights, rotation)
    check_weights(turned, family)
    before, after = (family.network(item).compare(case.shard) for item in (weights, turned))
    scale = float(np.abs(before.latents).max())
    for name in ("latents", "actual", "predicted", "unchanged"):
        wanted = getattr(before, name) @ rotation
        np.testing.assert_allclose(getattr(after, name), wanted, rtol=0, atol=1e-4 * scale, err_msg=name)
    scorer = scorer_of(weights, case.recipe(), case.shard)
    assert abs(scorer.gain(turned).mean) < 1e-4
    back = family.rotated(turned, rotation.T)
    for name, array in weights.items():
        largest = float(np.abs(array).max()) + 1e-6
        np.testing.assert_allclose(back[name], array, rtol=0, atol=1e-5 * largest, err_msg=name)
    assert any((turned[name] != weights[name]).any() for name in weights)


def what_is_no_rotation_is_refused(case: Case) -> None:
    weights, size = case.family.initial_weights(SEED), case.family.sizes.latent
    for matrix in (2.0 * np.eye(size), np.eye(size + 1), np.ones((size, size)), np.eye(size)[:, :-1]):
        with pytest.raises(ValueError if case.family.turns else Rejected):
            case.family.rotated(weights, matrix)


def _orthogonal(size: int) -> np.ndarray:
    found: np.ndarray = np.linalg.qr(np.random.default_rng(3).normal(size=(size, size)))[0]
    return found


def a_collapsed_model_gains_nothing(case: Case) -> None:
    weights = _trained(case)
    scorer = scorer_of(weights, case.recipe(), case.shard)
    dead = {name: np.zeros_like(array) for name, array in weights.items()}
    assert scorer.gain(dead).mean <= 1e-9
    assert scorer.gain(dead).score <= 1e-6, "dead latents predict nothing"


CHECKS: tuple[Callable[[Case], None], ...] = (
    fields_survive_the_wire,
    missing_and_unknown_fields_are_refused,
    hostile_values_are_refused_before_anything_is_allocated,
    a_model_card_can_describe_it,
    sizes_say_what_they_are,
    its_memory_is_estimated_from_above,
    its_computing_is_estimated_from_above,
    shapes_are_those_of_the_weights,
    a_network_copies_its_weights,
    initial_weights_follow_from_the_seed,
    batches_follow_from_the_seed,
    pictures_are_drawn_where_they_lie,
    every_example_is_drawn_before_any_twice,
    examples_are_counted,
    batches_are_taken_up_where_they_were_left,
    a_stream_of_its_shards_is_taken_up_where_it_was_left,
    a_position_that_is_none_is_refused,
    a_shard_of_other_sizes_is_refused,
    a_shard_of_another_kind_is_refused,
    the_loss_reaches_every_parameter,
    the_loss_draws_from_its_generator_alone,
    rows_in_two_places_have_the_loss_of_the_batch,
    the_base_is_held_and_not_trained,
    a_delta_follows_from_its_seed,
    a_training_taken_up_ends_in_the_same_bytes,
    a_federation_of_identical_sites_is_one_site,
    what_the_score_compares_has_one_place_a_slot,
    a_rotation_turns_latents_and_leaves_the_score,
    what_is_no_rotation_is_refused,
    a_collapsed_model_gains_nothing,
)
