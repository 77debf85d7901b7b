"""`jepanet recipe`: presets listed, one shown, a file checked for all that is wrong with it, two compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.interface.cli import main
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.presets import PRESETS, preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import FROM_SCRATCH, Guard, Loop, Regime, Schedule
from jepanet.learning.recipe_reader import written_recipe
from jepanet.learning.recipes.checking import recipe_problems
from jepanet.learning.recipes.fields import recipe_fields
from jepanet.learning.recipes.lines import lines_of
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.recipes.spelling import toml_of
from jepanet.operations import datasets
from jepanet.operations.recipes import check_recipe, compare_recipes, list_recipes, show_recipe

pytestmark = pytest.mark.unit

LEAST = 'schema = "jepanet.recipe.1"\nfamily = "world"\nname = "mine"\n'
WHOLE = replace(
    preset("tworoom-small"),
    name='quo"te',
    guard=Guard(every=7, regime=Regime(FROM_SCRATCH), patience=3),
    loop=Loop(accumulate=2, precision="bf16", schedule=Schedule("wsd", span="round")),
)
"""With all that the presets leave out."""
RECIPES = [*PRESETS.values(), WHOLE]


def file(tmp_path: Path, text: str, name: str = "mine.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["recipe", *arguments])
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


# ------------------------------------------------------------------ list and show


def test_every_preset_is_listed() -> None:
    found = {item.name: item for item in list_recipes()}
    assert list(found) == list(PRESETS)
    small = found["tworoom-small"]
    assert (small.family, small.data, small.steps) == ("world", "episodes of tworoom", 160)
    assert (small.parameters, small.samples, small.training) == (345_608, 160 * 66, "seconds")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_field_has_its_value_and_says_what_it_means(recipe: Recipe) -> None:
    tree = json.loads(recipe.to_bytes())
    shown = {item.entry.key: item for item in recipe_fields(recipe)}
    for key, item in shown.items():
        assert item.entry.meaning, f"{key} says nothing of itself"
        assert item.entry.allowed
        place = tree
        for name in key.split("."):
            place = place.get(name) if isinstance(place, dict) else place
        if place is not None:
            assert item.value == place
        else:
            assert item.usual, f"{key} is left out and holds no default"
    leaves = {key for key, value in tree.items() if not isinstance(value, dict)}
    leaves |= {f"{k}.{name}" for k, part in tree.items() if isinstance(part, dict) for name in part}
    missing = {key for key in leaves - {"schema"} if not any(name.startswith(key) for name in shown)}
    assert not missing


def test_a_default_is_marked() -> None:
    fields = {item.key: item.default for item in show_recipe("tworoom-small").fields}
    assert fields["optimiser.clip"] and fields["guard"] and fields["loop.accumulate"]
    assert not fields["optimiser.learning_rate"] and not fields["name"] and not fields["hues"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_written_as_toml_is_the_same_recipe(recipe: Recipe, tmp_path: Path) -> None:
    text = toml_of(recipe)
    path = file(tmp_path, text)
    assert recipe_named(str(path)).digest() == recipe.digest()
    assert all(len(line) <= 110 for line in text.splitlines())
    # Every default may stand there too.
    spelt = "\n".join(
        line.removeprefix("# ") if " = " in line and line.split()[1].isidentifier() else line
        for line in text.splitlines()
    )
    lines = [line for line in spelt.splitlines() if not line.startswith("#")]
    assert recipe_named(str(file(tmp_path, "\n".join(lines), "all.toml"))).digest() == recipe.digest()
    assert len(lines) >= len(recipe_fields(recipe)) - 3


# ------------------------------------------------------------------ check


def test_all_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        LEAST
        + "windows = 1\nlearning_rate = 1.0\n\n[model]\nlatent = 5000  # no\nchannels = [\n  1,\n  900,\n"
        + "  3,\n]\n"
        + '[optimiser]\nclip = nan\nbeta3 = 0.5\n[guard]\npatience = 1\n[loop.schedule]\nkind = "linear"\n',
    )
    found = [(item.line, item.key, item.message) for item in check_recipe(path).faults]
    assert found == [
        (4, "windows", "windows must be a whole number from 2 to 1024, not 1"),
        (5, "learning_rate", "learning_rate is unknown"),
        (8, "model.latent", "model.latent must be a whole number from 2 to 512, not 5000"),
        (9, "model.channels[1]", "model.channels[1] must be a whole number from 1 to 256, not 900"),
        (15, "optimiser.clip", "optimiser.clip must be a finite number from 0.0001 to 10000, not nan"),
        (16, "optimiser.beta3", "optimiser.beta3 is unknown"),
        (17, "guard.every", "guard.every is missing"),
        (20, "loop.schedule.kind", "loop.schedule.kind must be one of constant, cosine, wsd, not 'linear'"),
    ]
    assert all(item.remedy for item in check_recipe(path).faults)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (LEAST + "[model]\nimage = 40\n", 4, "model.image must be a multiple of 16"),
        (LEAST + "[model]\nactions = 3\n", None, "symmetry needs 2-D actions"),
        (LEAST + "windows = 1024\nwarm_steps = 20000\n", None, "frames in one round"),
        (LEAST + "[model]\nhidden = 8192\npredictor = 2048\nimage = 512\nchannels = [1, 1, 256]\n", None,
         "more than 1000000000 parameters"),
        ('family = "none"\n', 1, "'none' is not one of: "),
        ("name = 'a'\n", None, "it must be an object that names its family"),
        ('family = "world"\n', None, "schema is missing"),
        ('{"family": "world", "name": "", "schema": "jepanet.recipe.1"}', None, "name must be text of 1"),
        (LEAST + "model = 3\n", 4, "model must be an object, not 3"),
        (LEAST + "[[model]]\n", 4, "model must be an object, not a list of 1"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_one_thing_that_is_wrong(text: str, line: int | None, says: str, tmp_path: Path) -> None:
    faults = check_recipe(file(tmp_path, text)).faults
    assert [item.line for item in faults if says in item.message] == [line]


def test_what_is_checked_is_what_is_read() -> None:
    """With one value in one field exchanged: a fault wherever it is refused, and nowhere else."""
    for item in recipe_fields(WHOLE):
        for value in (None, -1, 10**9, [], {"x": 1}):
            tree = json.loads(WHOLE.to_bytes())
            *tables, name = item.entry.key.split(".")
            place = tree
            for table in tables:
                place = place.setdefault(table, {})
            place[name] = value
            try:
                written_recipe(tree)
            except Rejected as error:
                assert error.message in [problem.message for problem in recipe_problems(tree)]
            else:
                assert not list(recipe_problems(tree)), f"{item.entry.key} = {value!r}"


def test_a_thousand_faults_are_counted_and_not_listed(tmp_path: Path) -> None:
    value = check_recipe(file(tmp_path, LEAST + "".join(f"x{n} = 1\n" for n in range(3000))))
    assert len(value.faults) == 50 and value.more == 2950


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_has_a_fault(name: str) -> None:
    assert not list(recipe_problems(json.loads(preset(name).to_bytes())))


def test_lines_of_keys_and_tables() -> None:
    text = 'a = 1\n\n# b = 2\n"b.c" = """\nd = 4\n"""\n[e]\nf.g = [ # one\n 1,\n]\n[ h . "i" ]\n'
    text += "j = {k = 1, l = 2}\n"
    assert lines_of(text) == {
        ("a",): 1, ("b.c",): 4, ("e",): 7, ("e", "f"): 8, ("e", "f", "g"): 8, ("h",): 11, ("h", "i"): 11,
        ("h", "i", "j"): 12, ("h", "i", "j", "k"): 12, ("h", "i", "j", "l"): 12,
    }  # fmt: skip


def test_a_value_without_end_costs_no_time() -> None:
    text = "a = [\n" + "1,\n" * 20_000 + "]\nb = 1\n"
    assert lines_of(text) == {}


# ------------------------------------------------------------------ diff


def test_differences_are_told_field_by_field(tmp_path: Path) -> None:
    path = file(tmp_path, LEAST.replace("mine", "tworoom") + "[guard]\nevery = 5\n[model]\nlatent = 8\n")
    found = {item.key: (item.one, item.other) for item in compare_recipes("tworoom", str(path)).differences}
    assert found["model.latent"] == (64, 8)
    assert found["guard.every"] == (None, 5)
    assert found["gates.healthy_variance"] == (0.7, 0.8)
    assert not {"name", "family", "optimiser.clip"} & set(found)
    assert not compare_recipes("tworoom", "tworoom").differences


# ------------------------------------------------------------------ the command


def test_the_command_prints_for_people_and_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(capsys, "list")[0] == 0
    code, out, _ = ended(capsys, "list", "--json")
    assert code == 0 and [item["name"] for item in json.loads(out)] == list(PRESETS)
    code, out, _ = ended(capsys, "show", "pusht", "--json")
    assert code == 0 and json.loads(out)["recipe"] == json.loads(preset("pusht").to_bytes())
    code, text, _ = ended(capsys, "show", "pusht", "--toml")
    path = str(file(tmp_path, text))
    code, out, _ = ended(capsys, "diff", "pusht", path, "--json")
    assert code == 0 and json.loads(out)["differences"] == []
    code, out, _ = ended(capsys, "check", path)
    assert code == 0 and "can be used" in " ".join(out.split())
    code, out, _ = ended(capsys, "diff", "pusht", "tworoom")
    assert code == 0 and "optimiser.learning_rate" in out


def test_a_faulty_file_ends_with_the_code_of_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(file(tmp_path, LEAST + "windows = 1\nx = 2\n"))
    code, out, err = ended(capsys, "check", path)
    assert code == Exit.USAGE and "windows must be a whole number from 2 to 1024" in " ".join(out.split())
    assert "2 things to correct" in err
    code, out, err = ended(capsys, "check", path, "--json")
    assert code == Exit.USAGE and json.loads(err)["code"] == 2
    assert [item["line"] for item in json.loads(out)["faults"]] == [4, 5]


@pytest.mark.parametrize(
    "arguments",
    [("show", "nothing"), ("check", "nothing.toml"), ("diff", "tworoom", "nothing"),
     ("show", "tworoom", "--json", "--toml"), ("show",)],
)  # fmt: skip
def test_what_is_not_there_is_wrong_usage(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ended(capsys, *arguments)
    assert code == Exit.USAGE and not out and err


# ------------------------------------------------------------------ data for a recipe


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Parameters]:
    """Sizes of the datasets that would have been recorded."""
    found: list[Parameters] = []
    monkeypatch.setattr(datasets, "build", lambda _, parameters, *__, **___: found.append(parameters))
    monkeypatch.setattr(datasets, "inspect", lambda directory: directory)
    return found


def build(recipe: str | None, simulator: str = "tworoom", **sizes: int) -> None:
    datasets.build_dataset(
        simulator,
        Path("data"),
        bytes(32),
        sizes,
        recipe=recipe,
        workers=1,
        evaluation_seed=None,
        progress=None,
    )


def test_a_dataset_has_the_sizes_that_its_recipe_wants(built: list[Parameters], tmp_path: Path) -> None:
    long = file(tmp_path, LEAST + "windows = 4\nwindow = 32\n[model]\nimage = 48\n", "long.toml")
    plain = file(tmp_path, LEAST, "plain.toml")
    for recipe in (None, "tworoom-small", "tworoom-tiny", "tworoom", "tworoom-anneal", str(long), str(plain)):
        build(recipe)
    usual, small, tiny, full, anneal, other, again = built
    assert usual == small == tiny and small.image == 32
    assert full == anneal == again and full.image == 64
    assert other.image == 48 and other.frames == 32 and other.episodes == small.episodes
    build(str(long), frames=40)
    assert built[-1].frames == 40
    with pytest.raises(Fatal, match="too short"):
        build(str(long), frames=20)


def test_a_dataset_for_a_recipe_of_other_data_is_refused(built: list[Parameters], tmp_path: Path) -> None:
    wrong = file(tmp_path, LEAST + "[model]\nlatent = 1\n")
    for recipe, says in (
        ("pusht", "does not train on"),
        ("nothing", "no recipe file"),
        (str(wrong), "latent"),
    ):
        with pytest.raises(Fatal, match=says) as caught:
            build(recipe)
        assert caught.value.code is Exit.USAGE and caught.value.remedy
    assert not built
