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
    "backbone-135m": "3c1a7162dd3a6d0bff22608e32b865eaa4a06395379d1883eac006664dbe5ca8",
    "backbone-tiny": "751dffcd0c3f525a6f80a0fb82ff91db942c5ff97de102746a5dd5a8cc866f81",
    "image-small": "4e7f36eed26f66331a4da2653027d6bf7af7cd5b6032dfcdd7ef16b56a9be823",
    "image-tiny": "fcc00268dfe953e7a09b50b759a59d3b46420f5aa9fae7828280692cc4bcc959",
    "language-tiny": "f2cd96bd18c45009770d6b0b9d837fe91aa81a435bb5d416a0158bb09710c229",
    "pusht": "653f8f15eaf5e4d5407990a019dfc03f0421a8e1a51191984d13ae48889e0f5a",
    "pusht-anneal": "02314acb17afd8457b0bf979ad75ba5244883e728d113a418674954c1c107c77",
    "tworoom": "108852f7f036d911f3de0bfcadd8964d03b033d7b184cf2fd8f695cc6ee42774",
    "tworoom-anneal": "cd7013c8e5ed32e99f15d561b86d080ce001603e0d77e5a6c419f8666c4c02ac",
    "tworoom-small": "91a0c01417f56020179a7f9b2881d1a5040b0e2427ccdb6a5138f0a96fbdd4fd",
    "tworoom-tiny": "1690e0d7b9515682852fc91827e2eec411a3a6a40545da6556bd9091e4bc70c2",
    "vision-language-small": "15e1be0cd0ffa69d11ea7927b89c9daf356e12e51178a40b84ed61d54d814e37",
    "vision-language-tiny": "3dc32b192d960aa896910c52c853a976e3ad2b355882dad68bf432bc574a0618",
    "world-large": "b04811373b316c979cf61f300df3bba0afc0dd5514f8e00029aa242ed0173cb0",
    "world-lewm": "857782dcc340482a3f1f6c2cbe1f65e6a9183e8b9a690223db5a08d2cb4b0d7c",
    "world-tiny": "1be4f663bf579b38a1c29810f1ef69ce7fa80b2870cac687bac0de658ce33f86",
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
