"""Recipes come from strangers: one set of bytes per recipe, and no value outside its bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest

from jepanet.errors import Rejected
from jepanet.learning.families.registry import FAMILIES
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.sizes import ModelSizes, Objective
from jepanet.learning.presets import PRESETS, preset
from jepanet.learning.recipe import MAX_PARAMETERS, MAX_PIXELS_PER_ROUND, MAX_RECIPE_BYTES, Optimiser, Recipe
from jepanet.learning.recipe_loop import FROM_SCRATCH, Guard, Loop, Regime, Schedule
from jepanet.learning.recipe_reader import changed, read_recipe
from jepanet.tensors import canonical_json
from learning_shards import sized

pytestmark = pytest.mark.unit

Path = tuple[str | int, ...]
USUAL = Recipe(World(), "tworoom")
GOOD: dict[str, Any] = json.loads(USUAL.to_bytes())


def leaves(tree: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(tree, dict | list):
        for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(value, (*path, name))
    else:
        yield path


def altered(path: Path, value: Any) -> bytes:
    """The default recipe's JSON with one value exchanged, in canonical form where there is one."""
    tree = json.loads(USUAL.to_bytes())
    place = tree
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    try:
        return canonical_json(tree)
    except Rejected:  # NaN and giants have none; a stranger can still send them
        return json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


LEAVES = list(leaves(GOOD))
TEXTS, SWITCHES = ("schema", "family", "name"), ("colour", "hues", "symmetry")
NUMBERS = [path for path in LEAVES if path[-1] not in (*TEXTS, *SWITCHES)]


def named(path: Path) -> str:
    return ".".join(map(str, path))


def test_every_kind_of_field_is_covered() -> None:
    assert {("model", "channels", 2), ("optimiser", "learning_rate"), ("window",)} <= set(NUMBERS)
    assert len(NUMBERS) > 30


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_the_wire(name: str) -> None:
    recipe = preset(name)
    data = recipe.to_bytes()
    assert read_recipe(data) == recipe
    assert read_recipe(data).to_bytes() == data
    assert recipe.name == name
    assert len(data) < MAX_RECIPE_BYTES


def test_presets_differ_in_their_digests() -> None:
    assert len({recipe.digest() for recipe in PRESETS.values()}) == len(PRESETS)


def test_any_change_changes_the_digest() -> None:
    recipe = USUAL
    assert recipe.digest() == Recipe(World(), "tworoom").digest()
    changed = [
        replace(recipe, name="other"),
        sized(recipe, colour=False),
        sized(recipe, window=5),
        replace(recipe, optimiser=Optimiser(learning_rate=2.0001e-3)),
        sized(recipe, model=ModelSizes(channels=(24, 48, 65))),
    ]
    assert len({item.digest() for item in [recipe, *changed]}) == 6


def test_whole_floats_have_one_form() -> None:
    """1.0 is written 1; reading it back must give the same recipe and digest."""
    recipe = replace(USUAL, optimiser=Optimiser(clip=2.0))
    assert b'"clip":2,' in recipe.to_bytes()
    again = read_recipe(recipe.to_bytes())
    assert again.digest() == recipe.digest()
    assert type(again.optimiser.clip) is float


@pytest.mark.parametrize("name", ["", "Tworoom", "x" * 5000])
def test_an_unknown_preset_is_refused(name: str) -> None:
    with pytest.raises(Rejected, match="known: backbone-135m") as caught:
        preset(name)
    assert len(str(caught.value)) < 1000, "the name is cut"


@pytest.mark.parametrize("path", NUMBERS, ids=named)
def test_hostile_numbers_are_refused(path: Path) -> None:
    for value in (nan, inf, -inf, -1, -1e-12, 1e308, 2**53 - 1, 2**60, None, "1", True, [], {}, [1]):
        with pytest.raises(Rejected):
            read_recipe(altered(path, value))


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in NUMBERS], ids=named)
def test_hostile_texts_and_flags_are_refused(path: Path) -> None:
    for value in (nan, 0, 1, 1.5, None, "", "x" * 65, "a\nb", [], {}, ["tworoom"]):
        with pytest.raises(Rejected):
            read_recipe(altered(path, value))


def test_a_number_of_ten_thousand_digits_is_refused() -> None:
    data = USUAL.to_bytes().replace(b'"windows":32', b'"windows":' + b"9" * 10_000)
    with pytest.raises(Rejected):
        read_recipe(data)


@pytest.mark.parametrize("path", LEAVES, ids=named)
def test_missing_fields_are_refused(path: Path) -> None:
    tree = json.loads(USUAL.to_bytes())
    place = tree
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    with pytest.raises(Rejected) as caught:
        read_recipe(canonical_json(tree))
    assert caught.value.reason == "bad-recipe"


@pytest.mark.parametrize("where", [(), ("model",), ("optimiser",), ("objective",), ("gates",), ("score",)])
def test_unknown_fields_are_refused(where: Path) -> None:
    tree = json.loads(USUAL.to_bytes())
    place = tree
    for name in where:
        place = place[name]
    place["extra"] = 1
    with pytest.raises(Rejected) as caught:
        read_recipe(canonical_json(tree))
    assert caught.value.reason == "bad-recipe"


def test_more_channels_than_layers_are_refused() -> None:
    for channels in ([24, 48], [24, 48, 64, 64], [1] * 5000):
        with pytest.raises(Rejected):
            read_recipe(altered(("model", "channels"), channels))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "bad-json"),
        (b"null", "bad-recipe"),
        (b"[]", "bad-recipe"),
        (b"\xff\xfe", "bad-json"),
        (b"{" + b" " * MAX_RECIPE_BYTES + b"}", "too-large"),
        (USUAL.to_bytes() + b"\n", "not-canonical"),
        (json.dumps(GOOD, indent=1).encode(), "not-canonical"),
        (USUAL.to_bytes().replace(b'"windows":32', b'"windows":32.0'), "not-canonical"),
        (USUAL.to_bytes()[:-1], "bad-json"),
    ],
)
def test_other_bytes_are_refused_for_their_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_recipe(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "deep", [b"[" * 8000 + b"]" * 8000, b'{"a":' * 2500 + b"1" + b"}" * 2500, b"[" * 16_000]
)
def test_deep_nesting_is_refused(deep: bytes) -> None:
    assert len(deep) <= MAX_RECIPE_BYTES
    with pytest.raises(Rejected):
        read_recipe(deep)


def test_a_repeated_field_is_refused() -> None:
    data = USUAL.to_bytes().replace(b'"windows":32', b'"windows":32,"windows":32')
    with pytest.raises(Rejected):
        read_recipe(data)


def test_the_cap_on_parameters() -> None:
    large = ModelSizes(image=512, channels=(8, 8, 256), hidden=3600, latent=64)
    assert 0.9 * MAX_PARAMETERS < sized(USUAL, model=large).parameters() < MAX_PARAMETERS
    with pytest.raises(Rejected, match=str(MAX_PARAMETERS)):
        sized(USUAL, model=replace(large, hidden=4096))


def test_the_cap_on_pixels_of_a_round() -> None:
    large = sized(USUAL, model=replace(ModelSizes(), image=512))
    steps = MAX_PIXELS_PER_ROUND // (large.frames_of_a_step * 512**2)
    replace(large, inner_steps=steps)
    with pytest.raises(Rejected, match=f"{MAX_PIXELS_PER_ROUND} pixels"):
        replace(large, inner_steps=steps + 1)


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_are_those_of_the_weights(name: str) -> None:
    recipe = preset(name)
    if recipe.parameters() > 50_000_000:
        pytest.skip("its weights take half a gigabyte; shapes of smaller ones follow from the same rules")
    weights = recipe.family.initial_weights(bytes(32))
    assert recipe.parameters() == sum(array.size for array in weights.values())


def test_the_cap_on_work_per_round() -> None:
    many = sized(USUAL, windows=100, window=4)
    replace(many, inner_steps=10_000)
    for steps in ({"inner_steps": 10_001}, {"warm_steps": 10_001}):
        with pytest.raises(Rejected, match="frames in one round"):
            replace(many, **steps)


def test_images_that_do_not_tile_are_refused() -> None:
    with pytest.raises(Rejected, match="multiple of 16"):
        ModelSizes(image=40)


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(Rejected, match="must be a ModelSizes"):
        World(model=Optimiser())  # type: ignore[arg-type]  # what a careless caller might do


@pytest.mark.parametrize(
    ("path", "value", "refusal"),
    [
        (("model", "latent"), 5000, "model.latent must be a whole number from 2 to 512, not 5000"),
        (
            ("model", "channels"),
            [1, 2, 300],
            "model.channels[2] must be a whole number from 1 to 256, not 300",
        ),
        (("objective", "knots"), 2, "objective.knots must be a whole number from 3 to 129, not 2"),
        (("windows",), 1, "windows must be a whole number from 2 to 1024, not 1"),
        (("colour",), 1, "colour must be true or false, not 1"),
        (("optimiser", "clip"), 0, "optimiser.clip must be a finite number from 0.0001 to 10000, not 0.0"),
        (("gates", "rank_ratio"), "1", "gates.rank_ratio must be a finite number from 0 to 1, not '1'"),
        (("inner_steps",), 0, "inner_steps must be a whole number from 1 to 20000, not 0"),
        (("family",), "speech", f"model family 'speech' is not one of: {', '.join(FAMILIES)}"),
        (("family",), 3, "family must be text, not 3"),
        (("schema",), "jepanet.recipe.2", "schema must be 'jepanet.recipe.1', not 'jepanet.recipe.2'"),
    ],
)
def test_a_refusal_names_the_field_its_value_and_its_range(path: Path, value: Any, refusal: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_recipe(altered(path, value))
    assert caught.value.reason == "bad-recipe"
    assert caught.value.message.removeprefix("recipe: ") == refusal


def test_one_field_is_changed_by_its_name() -> None:
    assert changed(USUAL, "objective.weight", 0.5) == sized(USUAL, objective=Objective(weight=0.5))
    assert changed(USUAL, "model.channels", (1, 2, 3)) == sized(USUAL, model=ModelSizes(channels=(1, 2, 3)))
    assert changed(USUAL, "optimiser.clip", 2) == replace(USUAL, optimiser=Optimiser(clip=2.0))
    for path in ("", "weight", "objective.heavy", "objective.weight.more", "name.first", "optimiser..clip"):
        with pytest.raises(Rejected, match=r"there is no field|is unknown") as caught:
            changed(USUAL, path, 1)
        assert caught.value.reason == "bad-recipe"
    with pytest.raises(Rejected, match="from 0 to 10"):
        changed(USUAL, "objective.weight", -1.0)


GUARDED = replace(USUAL, guard=Guard(every=4, patience=3))


@pytest.mark.parametrize(
    ("recipe", "path", "value", "wanted"),
    [
        (USUAL, "loop.accumulate", 4, replace(USUAL, loop=Loop(accumulate=4))),
        (USUAL, "loop.accumulate", 1, USUAL),
        (USUAL, "loop.precision", "bf16", replace(USUAL, loop=Loop(precision="bf16"))),
        (USUAL, "loop.schedule.kind", "constant", replace(USUAL, loop=Loop(schedule=Schedule("constant")))),
        (USUAL, "guard.every", 4, replace(USUAL, guard=Guard(every=4))),
        (GUARDED, "guard.patience", 5, replace(USUAL, guard=Guard(every=4, patience=5))),
        (GUARDED, "guard.patience", 0, replace(USUAL, guard=Guard(every=4))),
        (
            GUARDED, "guard.regime.kind", FROM_SCRATCH,
            replace(USUAL, guard=Guard(every=4, patience=3, regime=Regime(FROM_SCRATCH))),
        ),
        (GUARDED, "guard", None, USUAL),
    ],
)  # fmt: skip
def test_a_field_is_changed_that_recipes_leave_out(
    recipe: Recipe, path: str, value: object, wanted: Recipe
) -> None:
    made = changed(recipe, path, value)
    assert made == wanted
    assert read_recipe(made.to_bytes()) == wanted, "and it is a recipe like any other"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("loop.accumulation", 2, "loop.accumulation is unknown"),
        ("loop.accumulate", 0, "loop.accumulate"),
        ("loops.accumulate", 2, "loops is unknown"),
        ("guard.patience", 3, "guard.every is missing"),
        ("loop.schedule.span", "round", "loop.schedule.kind is missing"),
    ],
)
def test_no_field_that_recipes_leave_out_is_made_up(path: str, value: object, said: str) -> None:
    with pytest.raises(Rejected, match=said) as caught:
        changed(USUAL, path, value)
    assert caught.value.reason == "bad-recipe"
