"""Every family of the registry conforms, and a family that breaks a promise is caught by the check for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, cast

import family_conformance as conformance
import numpy as np
import pytest
import torch
from family_conformance import CHECKS, Case
from test_learning_family_world import CASE

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard, shard_bytes
from jepanet.learning.families.registry import FAMILIES, family_kind
from jepanet.learning.families.world.batches import WorldBatches
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.model import WorldModel, load_world_model, normalise
from jepanet.learning.families.world.rotation import HEAD
from jepanet.learning.family import (
    Batch,
    Description,
    Encoded,
    Family,
    Network,
    Shapes,
    Sizes,
    Terms,
    planning_network,
)
from jepanet.learning.frozen_base import FrozenBase
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import NEXT_TOKEN_LOSS, Optimiser, Score
from jepanet.learning.recipe_reader import read_recipe
from jepanet.tensors import Arrays
from learning_shards import pair_shard
from throwaway.family import Echo

pytestmark = pytest.mark.unit

Weights = Mapping[str, np.ndarray]
_WIDE = pair_shard(7, (0,) * 24, vocabulary=90)
ECHO_CASE = Case(
    kind=Echo,
    family=Echo(),
    shard=pair_shard(7, (0,) * 24),
    strange=_WIDE,
    score=Score(kind=NEXT_TOKEN_LOSS),
    optimiser=Optimiser(learning_rate=2e-2),
)


# ------------------------------------------------------------------ the registry


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_family_conforms(name: str, check: Callable[[Case], None]) -> None:
    """A new family brings `test_learning_family_<name>.py` with its `CASE`."""
    check(import_module(f"test_learning_family_{name}").CASE)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_folder_and_a_line_of_the_registry_are_a_family(
    check: Callable[[Case], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/throwaway` has the folder. What it brings beside that is its case, as any family does."""
    monkeypatch.setitem(cast(dict[str, str], FAMILIES), "echo", "throwaway.family:Echo")
    assert family_kind("echo") is ECHO_CASE.kind
    check(ECHO_CASE)
    recipe = ECHO_CASE.recipe()
    assert read_recipe(recipe.to_bytes()) == recipe


@pytest.mark.subprocess
def test_an_export_loads_in_a_clean_process(tmp_path: Path) -> None:
    """Recipe and model file alone say what a model makes of a shard, to a process that knows nothing else."""
    cases = {name: import_module(f"test_learning_family_{name}").CASE for name in FAMILIES}
    cases["echo"] = ECHO_CASE
    wanted = {}
    for name, case in cases.items():
        weights = case.family.initial_weights(conformance.SEED)
        (tmp_path / f"{name}.json").write_bytes(case.recipe().to_bytes())
        (tmp_path / f"{name}.model").write_bytes(model_bytes(weights, ModelHeader.of(case.recipe(), 0)))
        (tmp_path / f"{name}.shard").write_bytes(shard_bytes(case.shard))
        encoded = case.family.network(weights).compare(case.shard)
        wanted[name] = [float(np.abs(item).sum()) for item in (encoded.latents, encoded.predicted)]
    code = """
import json, sys
from pathlib import Path
import numpy as np
from jepanet.learning.data.shards import load_shard
from jepanet.learning.families.registry import FAMILIES
from jepanet.learning.model_file import load_model
from jepanet.learning.recipe_reader import read_recipe
FAMILIES["echo"] = "throwaway.family:Echo"
for name in sys.argv[2:]:
    recipe, model, shard = (Path(sys.argv[1]) / f"{name}.{kind}" for kind in ("json", "model", "shard"))
    recipe = read_recipe(recipe.read_bytes())
    network = recipe.family.network(load_model(model, recipe).weights)
    encoded = network.compare(load_shard(shard))
    print(json.dumps([float(np.abs(item).sum()) for item in (encoded.latents, encoded.predicted)]))
"""
    path = ":".join([*sys.path])
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *cases],
        check=True, timeout=120, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    for name, line in zip(cases, told.stdout.splitlines(), strict=True):
        assert json.loads(line) == pytest.approx(wanted[name], rel=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_goes_by_the_name_of_its_line(name: str) -> None:
    assert family_kind(name)().name == name


@pytest.mark.parametrize("name", ["", "World", "speech", "os:system", "world" * 1000])
def test_an_unknown_family_is_refused(name: str) -> None:
    with pytest.raises(Rejected, match=f"is not one of: {', '.join(FAMILIES)}") as caught:
        family_kind(name)
    assert caught.value.reason == "bad-recipe" and len(str(caught.value)) < 200


@pytest.mark.subprocess
def test_recipes_are_read_and_sized_without_torch() -> None:
    """A node does so in its own process, which never imports torch."""
    code = (
        "import sys\n"
        "from jepanet.learning.presets import PRESETS\n"
        "from jepanet.learning.recipe_reader import read_recipe\n"
        "from jepanet.learning.model_file import model_cap\n"
        "for recipe in PRESETS.values():\n"
        "    assert read_recipe(recipe.to_bytes()) == recipe and model_cap(recipe) > 0\n"
        "    if recipe.parameters() < 50_000_000:\n"
        "        recipe.family.initial_weights(bytes(32))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ------------------------------------------------------------------ families broken on purpose


class Double(World):
    """A world model of another class, which reads itself."""

    __slots__ = ()

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> World:
        plain = World.read(fields)
        return cls(**{name: getattr(plain, name) for name in World().fields()})


class ForgetsAParameter(Double):
    __slots__ = ()

    def parameter_shapes(self) -> Shapes:
        shapes = World.parameter_shapes(self)
        del shapes["predictor.leave.bias"]
        return shapes


class StartsAnyhow(Double):
    __slots__ = ()

    def initial_weights(self, seed: bytes) -> Arrays:
        weights = World.initial_weights(self, seed)
        weights["encoder.head.bias"] += np.float32(np.random.default_rng().normal())
        return weights


class StartsAlike(Double):
    __slots__ = ()

    def initial_weights(self, seed: bytes) -> Arrays:
        return World.initial_weights(self, bytes(32))


class DropsAField(Double):
    __slots__ = ()

    def fields(self) -> dict[str, object]:
        return {name: value for name, value in World.fields(self).items() if name != "hues"}

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> World:
        return cast(World, super().read({**fields, "hues": True}))


class TakesAnyField(Double):
    __slots__ = ()

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> World:
        return cast(World, super().read({name: fields[name] for name in World().fields() if name in fields}))


class Clamps(Double):
    __slots__ = ()

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> World:
        windows = fields.get("windows")
        return cast(World, super().read({**fields, "windows": 8 if type(windows) is int else windows}))


class AllocatesFirst(Double):
    __slots__ = ()

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> World:
        np.ones(2 << 20, dtype=np.float32)
        return cast(World, super().read(fields))


class HasNoWords(Double):
    __slots__ = ()
    description = Description(title="", kind="a model", use="Does something.")


class NeverWidens(Double):
    __slots__ = ()

    def widened(self, times: int) -> World:
        return self


class SaysLittleMemory(Double):
    __slots__ = ()

    @property
    def sizes(self) -> Sizes:
        return replace(World.sizes.__get__(self), activations=1000)


class SaysLittleComputing(Double):
    __slots__ = ()

    def multiplications(self) -> int:
        return World.multiplications(self) // 4


class SaysMuchComputing(Double):
    __slots__ = ()

    def multiplications(self) -> int:
        return 8 * World.multiplications(self)


class SaysMuchMemory(Double):
    __slots__ = ()

    @property
    def sizes(self) -> Sizes:
        return replace(World.sizes.__get__(self), activations=1 << 30)


class TakesAnyShard(Double):
    __slots__ = ()

    def check_shard(self, shard: Shard) -> None:
        pass


class TakesAnyKind(Double):
    __slots__ = ()

    def check_shard(self, shard: Shard) -> None:
        if shard.schema == self.schema:
            World.check_shard(self, shard)


class DrawsAnyhow(Double):
    __slots__ = ()

    def batches(self, shard: Shard, seed: bytes) -> WorldBatches:
        return WorldBatches(self, shard, np.random.default_rng().bytes(32))


class DrawsTwice(Double):
    """Every second batch is the one before."""

    __slots__ = ()

    def batches(self, shard: Shard, seed: bytes) -> Iterator[Batch]:
        for batch in World.batches(self, shard, seed):
            yield from (batch, batch)


class _Miscounts(WorldBatches):
    @property
    def examples(self) -> int:
        return super().examples + 1


class _StaysBehind(WorldBatches):
    def lie_on(self, device: str) -> None:
        pass


class _ForgetsItsColours(WorldBatches):
    def go_to(self, position: Arrays) -> None:
        state = self._own["colours"].get_state()
        super().go_to(position)
        self._own["colours"].set_state(state)


class _GoesAnywhere(WorldBatches):
    def go_to(self, position: Arrays) -> None:
        self._sampler._orders = [torch.from_numpy(position["order.0"].copy())]


def with_batches(batches: type[WorldBatches]) -> type[World]:
    class Odd(Double):
        __slots__ = ()

        def batches(self, shard: Shard, seed: bytes) -> WorldBatches:
            return batches(self, shard, seed)

    return Odd


class _Detached(WorldModel):
    def predict(self, latents: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return super().predict(latents, actions).detach()


class _NotANumber(WorldModel):
    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        terms = super().loss(batch, generator)
        return Terms(terms.loss * float("nan"), terms.parts)


class _Stray(WorldModel):
    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        terms = super().loss(batch, generator)
        return Terms(terms.loss * (1 + torch.rand(())), terms.parts)


class _KeepsItsStatistics(WorldModel):
    """Regularises the rows at hand."""

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        terms = super().loss(batch, generator)
        latents = self.encode(normalise(batch.tensors["frames"], batch.tensors.get("colour")))
        return Terms(terms.loss + latents.mean(dim=(0, 1)).square().sum(), terms.parts)


class _SharesNothing(WorldBatches):
    """Its colours look like rows."""

    def __next__(self) -> Batch:
        return replace(super().__next__(), shared=frozenset())


class _SeesThePicture(WorldModel):
    """Once its latents are dead it predicts from the frames themselves."""

    def compare(self, shard: Shard) -> Encoded:
        encoded = super().compare(shard)
        if encoded.latents.any():
            return encoded
        told = shard.state[:, 2:].astype(np.float64)
        return Encoded(encoded.latents, encoded.actual, told, encoded.unchanged)


class _OneSlotShort(WorldModel):
    def compare(self, shard: Shard) -> Encoded:
        encoded = super().compare(shard)
        return Encoded(encoded.latents, encoded.actual, encoded.predicted[:, 1:], encoded.unchanged)


class _KeepsTheArrays(WorldModel):
    """Holds the arrays it was given, not copies."""


def built_as(model: type[WorldModel], family: World, weights: Weights) -> Network:
    network = model(family)
    plain = load_world_model(family, weights)
    network.load_state_dict(plain.state_dict())
    return network


def with_network(model: type[WorldModel]) -> type[World]:
    class Odd(Double):
        __slots__ = ()

        def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
            network = built_as(model, self, weights)
            if model is _KeepsTheArrays:
                for name, item in cast(WorldModel, network).named_parameters():
                    item.data = torch.from_numpy(weights[name])
            return network

    return Odd


class _HoldsItself(WorldModel):
    """Takes the weights that it was built with for the base, which they are not in a training taken up."""

    held: FrozenBase[WorldModel]

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        terms = super().loss(batch, generator)
        there, here = (model.encoder.head.bias for model in (self.held.module, self))
        return Terms(terms.loss + (here - there).square().sum(), terms.parts)


class HoldsItsStart(Double):
    __slots__ = ()

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        network = cast(_HoldsItself, built_as(_HoldsItself, self, weights))
        network.held = FrozenBase(cast(WorldModel, built_as(WorldModel, self, weights)))
        return network


class TurnsNothing(Double):
    __slots__ = ()

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        World.rotated(self, weights, rotation)
        return dict(weights)


class TurnsTheEncoderAlone(Double):
    __slots__ = ()

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        turned = World.rotated(self, weights, rotation)
        return {name: turned[name] if name in HEAD else array for name, array in weights.items()}


class TurnsByAnything(Double):
    __slots__ = ()

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        return dict(weights)


BROKEN: list[tuple[type[World], Callable[[Case], None]]] = [
    (DropsAField, conformance.fields_survive_the_wire),
    (TakesAnyField, conformance.missing_and_unknown_fields_are_refused),
    (Clamps, conformance.hostile_values_are_refused_before_anything_is_allocated),
    (AllocatesFirst, conformance.hostile_values_are_refused_before_anything_is_allocated),
    (HasNoWords, conformance.a_model_card_can_describe_it),
    (NeverWidens, conformance.sizes_say_what_they_are),
    (SaysLittleMemory, conformance.its_memory_is_estimated_from_above),
    (SaysMuchMemory, conformance.its_memory_is_estimated_from_above),
    (SaysLittleComputing, conformance.its_computing_is_estimated_from_above),
    (SaysMuchComputing, conformance.its_computing_is_estimated_from_above),
    (ForgetsAParameter, conformance.shapes_are_those_of_the_weights),
    (with_network(_KeepsTheArrays), conformance.a_network_copies_its_weights),
    (StartsAnyhow, conformance.initial_weights_follow_from_the_seed),
    (StartsAlike, conformance.initial_weights_follow_from_the_seed),
    (DrawsAnyhow, conformance.batches_follow_from_the_seed),
    (with_batches(_StaysBehind), conformance.pictures_are_drawn_where_they_lie),
    (DrawsTwice, conformance.every_example_is_drawn_before_any_twice),
    (with_batches(_Miscounts), conformance.examples_are_counted),
    (with_batches(_ForgetsItsColours), conformance.batches_are_taken_up_where_they_were_left),
    (with_batches(_ForgetsItsColours), conformance.a_stream_of_its_shards_is_taken_up_where_it_was_left),
    (with_batches(_GoesAnywhere), conformance.a_position_that_is_none_is_refused),
    (TakesAnyShard, conformance.a_shard_of_other_sizes_is_refused),
    (TakesAnyKind, conformance.a_shard_of_another_kind_is_refused),
    (HoldsItsStart, conformance.the_base_is_held_and_not_trained),
    (DrawsAnyhow, conformance.a_delta_follows_from_its_seed),
    (with_batches(_ForgetsItsColours), conformance.a_training_taken_up_ends_in_the_same_bytes),
    (DrawsAnyhow, conformance.a_federation_of_identical_sites_is_one_site),
    (with_network(_Detached), conformance.the_loss_reaches_every_parameter),
    (with_network(_NotANumber), conformance.the_loss_reaches_every_parameter),
    (with_network(_Stray), conformance.the_loss_draws_from_its_generator_alone),
    (with_network(_KeepsItsStatistics), conformance.rows_in_two_places_have_the_loss_of_the_batch),
    (with_batches(_SharesNothing), conformance.rows_in_two_places_have_the_loss_of_the_batch),
    (with_network(_OneSlotShort), conformance.what_the_score_compares_has_one_place_a_slot),
    (TurnsNothing, conformance.a_rotation_turns_latents_and_leaves_the_score),
    (TurnsTheEncoderAlone, conformance.a_rotation_turns_latents_and_leaves_the_score),
    (TurnsByAnything, conformance.what_is_no_rotation_is_refused),
    (with_network(_SeesThePicture), conformance.a_collapsed_model_gains_nothing),
]


def case_of(kind: type[World]) -> Case:
    given: dict[str, Any] = {name: getattr(CASE.family, name) for name in World().fields()}
    return Case(kind, kind(**given), CASE.shard, CASE.strange)


@pytest.mark.parametrize(("kind", "check"), BROKEN, ids=lambda item: item.__name__)
def test_a_broken_promise_is_caught(kind: type[World], check: Callable[[Case], None]) -> None:
    with pytest.raises((AssertionError, Rejected, pytest.fail.Exception)):
        check(case_of(kind))


def test_every_check_can_fail() -> None:
    assert {check for _, check in BROKEN} == set(CHECKS)


def test_a_frozen_parameter_need_not_learn() -> None:
    class Half(with_network(_Detached)):  # type: ignore[misc]  # a class made by a function
        __slots__ = ()
        frozen = ("predictor.",)

    conformance.the_loss_reaches_every_parameter(case_of(Half))


def test_a_family_that_cannot_plan_says_so() -> None:
    class Blind:
        """Nothing but a loss."""

    class CannotPlan(Double):
        __slots__ = ()

        def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
            return cast(Network, Blind())

    with pytest.raises(Rejected, match="family world cannot plan") as caught:
        planning_network(cast(Family, CannotPlan()), {})
    assert caught.value.reason == "no-planning"


def test_batches_are_what_the_shard_holds() -> None:
    """Without colour and symmetry a batch is windows of the shard, numbered by episode and first frame."""
    family = case_of(World).family
    plain = replace(cast(World, family), symmetry=False, colour=False)
    starts = CASE.shard.length - plain.window + 1
    for batch in islice(plain.batches(CASE.shard, conformance.SEED), 3):
        assert set(batch.tensors) == {"frames", "actions"}
        for row, number in enumerate(batch.examples.tolist()):
            episode, first = divmod(number, starts)
            frames = CASE.shard.frames[episode, first : first + plain.window]
            actions = CASE.shard.actions[episode, first : first + plain.window - 1]
            assert np.array_equal(batch.tensors["frames"][row].numpy(), frames)
            assert np.array_equal(batch.tensors["actions"][row].numpy(), actions)
    assert normalise(batch.tensors["frames"]).dtype == torch.float32
