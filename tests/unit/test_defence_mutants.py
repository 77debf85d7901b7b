"""Each mutant that takes a defence away still applies, and names tests that are there; whether they notice is
tried by `scripts/mutate_defences`."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


def opened() -> ModuleType:
    """The script, which has no suffix."""
    path = ROOT / "scripts" / "mutate_defences"
    loader = SourceFileLoader("mutate_defences", str(path))
    spec = importlib.util.spec_from_loader("mutate_defences", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate_defences"] = module
    sys.path.insert(0, str(path.parent))
    try:
        loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


SCRIPT = opened()
MUTANTS = SCRIPT.mutants([])


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.group}: {mutant.defence}")
def test_a_mutant_applies_once_and_leaves_a_program(mutant: Any) -> None:
    source = (ROOT / "client" / "jepanet" / mutant.file).read_text(encoding="utf-8")
    assert source.count(mutant.line) == 1, f"the line of {mutant.file} was changed: let the mutant follow it"
    broken = source.replace(mutant.line, mutant.instead)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(source)), "it changes nothing"


@pytest.mark.parametrize("test", sorted({test for mutant in MUTANTS for test in mutant.tests}))
def test_the_test_of_a_mutant_is_there(test: str) -> None:
    file, _, name = re.sub(r"\[.*", "", test).partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not name or f"def {name.rpartition('::')[2]}(" in source


def test_no_defence_is_named_twice() -> None:
    names = [(mutant.group, mutant.defence) for mutant in MUTANTS]
    assert len(names) == len(set(names))


def test_a_verdict_is_taken_over_while_nothing_has_changed_and_only_if_a_test_noticed(tmp_path: Path) -> None:
    caught, survived, busy = (
        SCRIPT.Verdict(MUTANTS[place], word, MUTANTS[place].state())
        for place, word in enumerate(("test_of_it", None, "no end within 300 s"))
    )
    SCRIPT.keep(tmp_path / "kept.json", MUTANTS, [busy, survived, caught])
    assert SCRIPT.known(tmp_path / "kept.json") == {caught.state: "test_of_it"}
    kept = json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))
    assert [row["defence"] for row in kept] == [mutant.defence for mutant in MUTANTS[:3]], "in their order"
    other = SCRIPT.Mutant(**{**vars(MUTANTS[0]), "instead": "pass"})
    assert other.state() != MUTANTS[0].state()
