"""Errors say what was wrong and what to do; exit codes are stable numbers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal, JepanetError, Rejected, Transient

pytestmark = pytest.mark.unit

PUBLISHED = {
    "OK": 0, "FAILURE": 1, "USAGE": 2,
    "CONFIG": 10, "WALLET": 11, "CHAIN_UNREACHABLE": 12, "WRONG_CHAIN": 13, "TOOL_MISSING": 14,
    "PORT_IN_USE": 15, "DISK_FULL": 16, "NO_PEERS": 17, "ALREADY_RUNNING": 18, "DATASET": 19,
    "INCOMPATIBLE": 20, "VERIFICATION_FAILED": 21, "NOT_FOUND": 22, "REJECTED": 23, "WORKER": 24,
}  # fmt: skip
"""A service manager may restart on one number and page somebody on another, so a number keeps its meaning."""


def test_published_exit_codes_keep_their_numbers() -> None:
    now = {item.name: int(item) for item in Exit}
    assert {name: now.get(name) for name in PUBLISHED} == PUBLISHED
    assert len(set(now.values())) == len(now)
    assert all(0 <= number < 126 for number in now.values()), "126 and above belong to the shell"


def test_the_message_carries_its_remedy() -> None:
    error = Fatal("chain 5 instead of 31337", remedy="set chain_id in node.toml", code=Exit.WRONG_CHAIN)
    assert str(error) == "chain 5 instead of 31337 (set chain_id in node.toml)"
    assert (error.message, error.code) == ("chain 5 instead of 31337", Exit.WRONG_CHAIN)
    assert str(Transient("no answer")) == "no answer"


def test_a_rejection_names_its_reason_and_code() -> None:
    error = Rejected("delta holds a NaN", reason="non-finite")
    assert (error.reason, error.code) == ("non-finite", Exit.REJECTED)


@pytest.mark.parametrize("kind", [Transient, Rejected, Fatal])
def test_one_class_catches_them_all(kind: type[JepanetError]) -> None:
    with pytest.raises(JepanetError):
        raise kind("x")


def test_the_duties_are_told_apart() -> None:
    assert not issubclass(Transient, Rejected | Fatal)
    assert not issubclass(Rejected, Transient | Fatal)


def test_a_code_given_to_one_error_does_not_leak_into_the_class() -> None:
    Fatal("x", code=Exit.DISK_FULL)
    assert Fatal("y").code is Exit.FAILURE


def test_every_exit_code_stands_in_the_operators_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("\n## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    assert [(int(code), name) for code, name, *_ in rows] == [(int(code), code.name) for code in Exit]
    assert all(happened.strip() and remedy.strip() for _, _, happened, remedy in rows)
    assert "130" in section and "Ctrl-C" in section


def test_what_may_heal_is_not_a_failure_nobody_foresaw() -> None:
    assert Transient("x").code is Exit.TRY_AGAIN
    assert Rejected("x").code is Exit.REJECTED


def test_whatever_ends_a_command_on_purpose_has_a_remedy_and_a_number() -> None:
    """Number 1 is for what nobody foresaw; that is told at the edge of the command line alone."""
    client = Path(__file__).parents[2] / "client" / "jepanet"
    bare = [
        f"{path.relative_to(client)}:{node.lineno}"
        for path in client.rglob("*.py")
        if path.parent.name != "interface"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fatal"
        and not {"remedy", "code"} <= {item.arg for item in node.keywords}
    ]  # fmt: skip
    assert not bare
