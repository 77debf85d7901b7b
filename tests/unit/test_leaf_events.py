"""Every log line of the client names its event as `noun.verb`, so that a word finds it in every log."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

CLIENT = Path(__file__).parents[2] / "client" / "jepanet"
LEVELS = frozenset(("debug", "info", "warning", "error", "exception", "critical"))
# A noun or two, then what happened to it as one participle.
SPELLING = re.compile(
    r"[a-z]+(?:_[a-z]+)*\.(?:[a-z]+ed|built|done|kept|lost|rewound|sent|step|taken|unread|withdrawn|withheld)"
)


def log_calls(source: str) -> list[tuple[int, str, str | None]]:
    """Line, method and event of each call on a logger; the event is None where it is no literal."""
    tree = ast.parse(source)
    loggers = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "get_logger(" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in loggers
        ):
            first = node.args[0] if node.args else None
            literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
            found.append((node.lineno, node.func.attr, first.value if literal else None))  # type: ignore[union-attr]
    return found


def misspelt(source: str) -> list[tuple[int, str, str | None]]:
    return [
        (line, method, event)
        for line, method, event in log_calls(source)
        if method not in LEVELS or event is None or not SPELLING.fullmatch(event)
    ]


def test_every_event_of_the_client_is_noun_dot_verb() -> None:
    found = {
        f"{path.relative_to(CLIENT)}:{line}": event
        for path in sorted(CLIENT.rglob("*.py"))
        for line, _, event in misspelt(path.read_text(encoding="utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    "call",
    [
        'log.info("peer banned", x=1)',
        'log.warning("endpoint-down")',
        'log.error("network.no_peers")',
        'log.info(f"duty.{x}ed")',
        "log.info(event)",
        "log.info()",
        'log.bind(x=1).info("peer.banned")',
        'log.log(20, "peer.banned")',
        'log.info("Peer.banned")',
    ],
)
def test_another_spelling_is_found(call: str) -> None:
    assert misspelt(f'log = get_logger("room")\ndef f(x, event):\n    {call}\n')


def test_the_right_spelling_passes() -> None:
    assert not misspelt('_log = get_logger("p2p")\ndef f():\n    _log.info("ban_list.damaged", why="x")\n')


def alarms() -> set[str]:
    """Events (noun.verb) in the tables of docs/operations.md; what `round watch` tells is in one as well."""
    text = (CLIENT.parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("## Watching")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {event for cell in cells for event in re.findall(r"`([^`]+\.[^`]+)`", cell)}


def test_every_event_worth_a_look_stands_in_the_operators_tables() -> None:
    calls = [call for path in CLIENT.rglob("*.py") for call in log_calls(path.read_text(encoding="utf-8"))]
    loud = {event for _, method, event in calls if method in ("warning", "error", "exception", "critical")}
    assert not loud - alarms(), "tell the operator what caused it and what to do"
    # The loss of lines is told past the log itself.
    told = {event for _, method, event in calls if method != "debug"} | {"log.lost"}
    assert not alarms() - told, "no such event"
