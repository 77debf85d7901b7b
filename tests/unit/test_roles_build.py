"""What a recipe demands of torch is held before anything is at stake."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.errors import Rejected
from jepanet.learning.presets import preset
from jepanet.learning.recipe_loop import Loop
from jepanet.learning.recipe_reader import read_recipe
from jepanet.node.documents import LearningDocuments
from jepanet.roles.steps.preparation import check_build

pytestmark = pytest.mark.unit

ROUND: Any = SimpleNamespace(id=7)


def here(version: str) -> Any:
    return SimpleNamespace(torch=version)


@pytest.mark.parametrize(
    ("wanted", "installed", "fits"),
    [
        ("", "2.13.0+cpu", True),
        ("2.13", "2.13.0+cpu", True),
        ("2.13", "2.13.1", True),
        ("2.13.0", "2.13.0+cu130", True),
        ("2.13.0", "2.13.1", False),
        ("2.1", "2.13.0", False),
        ("2.13", "2.1", False),
        ("2.13", "", False),
    ],
)
def test_versions_are_compared_to_as_many_parts_as_are_written(
    wanted: str, installed: str, fits: bool
) -> None:
    recipe = preset("tworoom-tiny")
    data = replace(recipe, loop=replace(recipe.loop, torch=wanted)).to_bytes()
    summary = LearningDocuments().recipe(data)
    assert summary.torch == wanted
    if fits:
        check_build(here(installed), ROUND, summary)
        return
    with pytest.raises(Rejected, match="round 7 is computed with torch") as caught:
        check_build(here(installed), ROUND, summary)
    assert caught.value.reason == "other-build" and f"torch=={wanted}" in str(caught.value.remedy)


def test_what_a_recipe_does_not_say_is_not_written() -> None:
    recipe = preset("tworoom-tiny")
    assert b"torch" not in recipe.to_bytes() and recipe.loop.torch == ""
    changed = replace(recipe, loop=Loop(torch="2.13"))
    assert read_recipe(changed.to_bytes()) == changed


@pytest.mark.parametrize("wrong", ["2", "2.13.0.1", "2.13; rm -rf", ">=2.13", " 2.13", "2.x", "2.13\n"])
def test_attack_nothing_but_a_version_is_taken(wrong: str) -> None:
    with pytest.raises(Rejected, match="torch"):
        Loop(torch=wrong)
