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
from jepanet.protocol.documents.build import apart, build_from, build_text
from jepanet.protocol.documents.spec import TOLERANT, AuditRule
from jepanet.roles.steps.preparation import check_audited_build, check_build

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


BUILD = {"torch": "2.13.0+cpu", "numpy": "2.3.1", "machine": "x86_64 GenuineIntel 6 85", "cpu": "AVX512"}


def of_build(build: dict[str, str]) -> Any:
    async def asked() -> dict[str, str]:
        return build

    return SimpleNamespace(build=asked)


@pytest.mark.parametrize("other", [{"cpu": "AVX2"}, {"torch": "2.13.1+cpu"}, {"machine": "aarch64"}])
async def test_attack_nobody_enters_an_audited_round_that_its_build_does_not_reproduce(
    other: dict[str, str],
) -> None:
    """Its work would not come out as committed to, and cost the bond; a verifier could audit nobody."""
    rule = AuditRule(4, 250, 1, BUILD)
    for trains in (True, False):
        await check_audited_build(of_build(BUILD), ROUND, rule, trains=trains)
        with pytest.raises(Rejected, match="round 7") as caught:
            await check_audited_build(of_build({**BUILD, **other}), ROUND, rule, trains=trains)
        assert caught.value.reason == "other-build" and caught.value.remedy
        (name,) = other
        assert f"{name} {BUILD[name]} there, {other[name]} here" in caught.value.message


async def test_rounds_that_name_no_build_ask_for_none() -> None:
    for rule in (None, AuditRule(4), AuditRule(4, 250, mode=TOLERANT)):
        await check_audited_build(SimpleNamespace(), ROUND, rule, trains=True)  # type: ignore[arg-type]
    for trains in (True, False):  # where solvers are drawn, each could claim one that nobody has
        with pytest.raises(Rejected, match="names no build") as caught:
            await check_audited_build(SimpleNamespace(), ROUND, AuditRule(4, 250), trains=trains)  # type: ignore[arg-type]
        assert caught.value.reason == "bad-field"
    # Nobody is drawn: who only measures needs no build, who trains leaves states for whoever looks.
    states = AuditRule(4, 0, 1, BUILD)
    await check_audited_build(of_build({}), ROUND, states, trains=False)
    with pytest.raises(Rejected):
        await check_audited_build(of_build({}), ROUND, states, trains=True)


def test_a_build_is_written_in_a_line_and_read_again() -> None:
    text = build_text(BUILD)
    assert text.startswith("torch=2.13.0+cpu, numpy=2.3.1, machine=x86_64 ") and build_from(text) == BUILD
    assert build_from(" cpu = AVX2 ,torch=2") == {"cpu": "AVX2", "torch": "2"}
    for wrong in ("", "here", "torch", "torch=", "=2", "torch=2, torch=3", "torch=2,"):
        with pytest.raises(Rejected):
            build_from(wrong)
    assert apart(BUILD, BUILD) == ""
    assert apart({"cpu": "A"}, {"torch": "2"}) == "cpu unknown there, A here, torch 2 there, unknown here"
