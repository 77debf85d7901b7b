"""The recipes that ship: what networks were set up with keeps its digest, whatever its file looks like."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.presets import PRESETS, preset, preset_file
from jepanet.learning.recipe_reader import written_recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.recipes.text import MAX_FILE_BYTES, read_recipe_file

pytestmark = pytest.mark.unit

LEAST = 'schema = "jepanet.recipe.1"\nfamily = "world"\nname = "mine"\n'

DIGESTS = {
    "backbone-135m": "6ca67ed5360b198e85aadd8142c45a169b33a39286ffeed1af3922a5503481a0",
    "backbone-tiny": "4b4e817216ee4b981236e409b69950bb49246434a1b630622b84756723e5a26f",
    "image-small": "475eae8a85fcbda524ce46ef1c5ddf83aab3f5014fae43121aac9d8ea65a025f",
    "image-tiny": "04c18fba580e53fe9f14b0a35273243b818a477552feee9bd8169d6866e2446b",
    "language-tiny": "254d93de7c1660aa5ca0d4cc7b9414e596ec4bf479270f4e70b521b36a4ee2c7",
    "pusht": "8cf3b27bc5c70c072632ae5d56762de328c6856ea6e2dd297d7ccdfe19a41a90",
    "pusht-anneal": "f340f4071e1266babd7c83f5a7fe431ac346a8ebaccf599a34e78e5a0d5310d1",
    "tworoom": "10092249a83182adbb03eff263058c6fb15772c66e85f4ba4c880c237fc0755e",
    "tworoom-anneal": "76aca99cf69a0c6eee601fa2e9c4d413cf3fdeef0501cf7fe2012fc7dcb0c011",
    "tworoom-small": "5596890e3e4ce9bd1d9ae5290876ca33fde22138bc63cebb27423c52a39c1566",
    "tworoom-tiny": "01bdbc833363a03c0ce39e6fcba822490dd88fb6eb7cc8283c19006550806627",
    "vision-language-small": "d55355bd3ebf25e3d8ae6f04287bcf81f0cd7dad41cfde52be358839b1ecefa8",
    "vision-language-tiny": "31afd28da845afe059c112b7dd481fe5915798ff419482b56db1f3b7ea975e4f",
    "world-large": "a52625c2a675dca841c013e2dc7790a57ec169fa11b69d08c724962917ee19e2",
    "world-lewm": "a339c3a55024de793d93d2fdb03a10f2d165a20c73860f65afaa5aa1263ebebd",
    "world-tiny": "c4a500c9c52873951c1f9b21aa856cffd2937767215074605ae0107ae9c4b4ad",
}
"""Of every preset. A network's recipe is named by its digest: a preset that changes is another recipe."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_keeps_its_digest(name: str) -> None:
    assert name in DIGESTS, "a new preset is pinned here"
    assert preset(name).digest().hex() == DIGESTS[name]


def test_no_preset_is_lost() -> None:
    assert set(PRESETS) == set(DIGESTS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_file_of_the_package_that_says_why(name: str) -> None:
    assert (resources.files("jepanet") / "learning" / "recipes" / f"{name}.toml").is_file()
    lines = preset_file(name).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# "), "what it is for"
    assert [line for line in lines if len(line) > 110] == []
    assert sum(line.startswith("#") for line in lines) >= 2


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_writes_no_default_out(name: str) -> None:
    """What stands in a file was decided for it."""
    tree = tomllib.loads(preset_file(name).read_text(encoding="utf-8"))
    for place, key in list(_leaves(tree)):
        if key in ("schema", "family", "name"):
            continue
        value = place.pop(key)
        try:
            without = written_recipe(tree)
        except Rejected:
            without = None  # another field makes no sense without this one
        assert without != preset(name), f"{key} holds its default"
        place[key] = value
    assert written_recipe(tree) == preset(name)


def _leaves(tree: dict[str, object]) -> list[tuple[dict[str, object], str]]:
    found = []
    for key, value in tree.items():
        found += _leaves(value) if isinstance(value, dict) else [(tree, key)]
    return found


# ------------------------------------------------------------------ files of people


def file(tmp_path: Path, text: str, name: str = "mine.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_is_named_by_preset_toml_or_json(tmp_path: Path) -> None:
    wanted = preset("tworoom-small")
    again = file(tmp_path, json.dumps(json.loads(wanted.to_bytes()), indent=2), "a.json")
    copied = file(tmp_path, preset_file("tworoom-small").read_text(encoding="utf-8"), "b.toml")
    for name in ("tworoom-small", str(again), str(copied)):
        assert recipe_named(name).digest() == wanted.digest()


def test_comments_order_and_defaults_written_out_change_no_digest(tmp_path: Path) -> None:
    plain = recipe_named(str(file(tmp_path, LEAST)))
    spelt = (
        LEAST + "# a comment\nwarm_steps = 150\nhues = true\n[loop]\naccumulate = 1\n[score]\nridge = 0.001\n"
    )
    assert recipe_named(str(file(tmp_path, spelt))).to_bytes() == plain.to_bytes()
    fields = {"name": "mine", "family": "world", "schema": "jepanet.recipe.1"}
    assert recipe_named(str(file(tmp_path, json.dumps(fields)))).to_bytes() == plain.to_bytes()


def test_a_guard_and_a_schedule_can_be_written(tmp_path: Path) -> None:
    text = LEAST + '[guard]\nevery = 10\nregime.kind = "from-scratch"\n[loop.schedule]\nkind = "wsd"\n'
    recipe = recipe_named(str(file(tmp_path, text)))
    assert recipe.guard and recipe.guard.regime.kind == "from-scratch"
    assert recipe.loop.schedule and recipe.loop.schedule.decay == 0.2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names its family"),
        ("family = 3\n", "family must be text, not 3"),
        ('family = "none"\n', "'none' is not one of: "),
        ('family = "world"\nname = "x"\n', "schema is missing"),
        (LEAST.replace("recipe.1", "recipe.2"), "schema must be 'jepanet.recipe.1'"),
        (LEAST + "latent = 3\n", "latent is unknown"),
        (LEAST + "[model]\nlatents = 3\n", "model.latents is unknown"),
        (LEAST + "[model]\nlatent = 3.0\n", "model.latent must be a whole number from 2 to 512, not 3.0"),
        (LEAST + "[model]\nlatent = nan\n", "model.latent must be a whole number from 2 to 512, not nan"),
        (LEAST + "[optimiser]\nclip = inf\n", "optimiser.clip must be a finite number from 0.0001 to 10000"),
        (LEAST + "[optimiser]\nclip = -nan\n", "optimiser.clip must be a finite number"),
        (LEAST + "inner_steps = 1979-05-27\n", "inner_steps must be a whole number .*, not a date"),
        (LEAST + "inner_steps = 1979-05-27T07:32:00Z\n", "inner_steps must be .*, not a datetime"),
        (LEAST + "inner_steps = 07:32:00\n", "inner_steps must be .*, not a time"),
        (LEAST + "inner_steps = true\n", "inner_steps must be a whole number"),
        (LEAST + f"inner_steps = {2**60}\n", "inner_steps must be a whole number"),
        (LEAST + f"inner_steps = {'9' * 4000}\n", "inner_steps must be .*a number of 13288 bits"),
        (LEAST + '[model]\nchannels = [1, "2", {a = 3}]\n', r"model.channels\[1\] must be a whole number"),
        (LEAST + "[model]\nchannels = [1, 2]\n", "model.channels must be a list of 3 items, not a list of 2"),
        (LEAST + "[[model]]\nlatent = 8\n", "model must be an object, not a list of 1"),
        (LEAST + "[model]\nimage = 40\n", "model.image must be a multiple of 16"),
        (LEAST + "windows = 1024\nwarm_steps = 20000\n", "frames in one round"),
        (LEAST + "name = 'twice'\n", "not valid TOML"),
        (LEAST + "x" + ".x" * 20_000 + " = 1\n", "nested too deeply"),
        (LEAST + "x = " + "[" * 30_000 + "\n", "nested too deeply"),
        (LEAST + "# " + "x" * MAX_FILE_BYTES, "larger than 65536 bytes"),
        ('{"name": "a", "name": "b"}', "twice in one object"),
        ('{"name": NaN, "family": "world", "schema": "jepanet.recipe.1"}', "name must be text"),
        ("[" * 5000, "nested too deeply|not valid TOML"),
        (r'"\u001b[31m" = 1' + "\n" + LEAST, r"\['\\x1b"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_file_that_is_no_recipe_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(Fatal, match=says) as caught:
        recipe_named(str(path))
    assert caught.value.code is Exit.USAGE and caught.value.remedy
    assert str(path) in caught.value.message
    assert len(str(caught.value)) < 1500 and "\x1b" not in str(caught.value)


def test_a_missing_file_names_the_presets(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=re.escape("tworoom-tiny")) as caught:
        recipe_named(str(tmp_path / "absent.toml"))
    assert caught.value.code is Exit.USAGE


def test_a_key_that_no_field_has_is_told_with_those_there_are() -> None:
    with pytest.raises(Rejected, match="learning_rate is unknown") as caught:
        written_recipe({"family": "world", "learning_rate": 1.0})
    assert "optimiser" in (caught.value.remedy or "") and "windows" in (caught.value.remedy or "")


def test_utf16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(LEAST.encode("utf-16"))
    with pytest.raises(Fatal, match="UTF-16"):
        read_recipe_file(path)
