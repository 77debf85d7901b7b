"""Actions open nothing, read no configuration and print nothing: read off the source of `operations`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOM = Path(__file__).resolve().parents[2] / "client" / "jepanet" / "operations"
OPENERS = frozenset(
    {
        "open_chain",
        "open_signing",
        "open_worker",
        "open_history",
        "open_library",
        "open_visit",
        "open_journal",
    }
)
MAY_OPEN = {
    "checks/preflight.py": {"open_chain"},
    "checks/bootstrap.py": {"open_visit"},
    "diagnosis/dialling.py": {"open_visit"},
    "reading/library.py": {"open_visit"},
    "access.py": {"open_chain"},
    # A network of several wallets, made one after the other, and the configurations that it has just written.
    "local_network/quickstart.py": {"open_chain", "open_signing", "open_worker"},
    "local_network/nodes.py": {"load_config"},
}
"""Whose subject is opening, or what a handle is made of. Everybody else takes handles."""
READS_CONFIGURATION = frozenset({"load_config", "load_observer"})


def breaches(source: str, path: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = {item.name for item in node.names}
            found += sorted((names & READS_CONFIGURATION) - MAY_OPEN.get(path, set()))
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        if called == "print" or (called in OPENERS and called not in MAY_OPEN.get(path, set())):
            found.append(called)
    return found


def test_no_action_opens_what_it_works_on() -> None:
    found = {}
    for file in sorted(ROOM.rglob("*.py")):
        path = str(file.relative_to(ROOM))
        if broken := breaches(file.read_text(), path):
            found[path] = broken
    assert not found


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (
            "auditing/rounds.py",
            "async def show(where):\n    async with open_chain(where) as chain:\n        pass",
        ),
        ("auditing/rounds.py", "with rescan.open_journal(config) as journal:\n    pass"),
        ("checks/preflight.py", "open_signing(config)"),
        ("funds/claim.py", "from jepanet.settings.config import Config, load_config"),
        ("funds/claim.py", "def claim():\n    print('done')"),
    ],
)
def test_a_planted_breach_is_seen(path: str, line: str) -> None:
    assert len(breaches(line, path)) == 1


def test_a_function_that_is_given_its_handles_passes() -> None:
    assert not breaches("async def show(history):\n    return await history.state()", "auditing/rounds.py")
