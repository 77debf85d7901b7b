"""The page about JSON-RPC says what the code does: methods, parameters, errors, limits, reasons, files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jepanet.protocol.state import Identity, NodeState
from jepanet.rpc.codes import MEANINGS
from jepanet.rpc.method import Method, Scope
from jepanet.rpc.observing.methods import methods_of
from jepanet.rpc.offered.paging import PageParams
from jepanet.rpc.schemas import fields_with_hints, has_default
from jepanet.settings.rpc_section import RpcSection
from jepanet.types import Address
from rpc_node import ANode, Asking

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "rpc.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    found = [line.strip("| ").split(" | ") for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in found[1:]]


def as_rows(table: Mapping[str, Method]) -> list[list[Any]]:
    expected: list[list[Any]] = []
    for name, method in sorted(table.items()):
        given = [
            f"`{item.name}`" + ("?" if has_default(item) else "")
            for item, _ in fields_with_hints(method.params)
        ]
        marked = f"`{name}`" + (" *operate*" if method.scope is Scope.OPERATE else "")
        expected.append([marked, ", ".join(given) or "–", method.summary])
    return expected


def test_every_method_is_shown_with_its_parameters(tmp_path: Path) -> None:
    node = ANode(tmp_path, NodeState(Identity(Address("0x" + "2" * 40), frozenset())))
    expected = as_rows(Asking(node).table)
    node.journal.close()
    node.blobs.close()
    assert rows("Methods") == expected


def test_every_method_of_an_observer_alone_is_shown(tmp_path: Path) -> None:
    nothing: Any = None
    of_node = {row[0].split("`")[1] for row in rows("Methods")}
    own = {name: item for name, item in methods_of(nothing, "").items() if name not in of_node}
    assert rows("An observer") == as_rows(own)


def test_every_error_is_shown_with_what_to_do() -> None:
    expected = [
        [str(int(code)), meaning.message, str(int(meaning.status)), meaning.remedy]
        for code, meaning in MEANINGS.items()
    ]
    assert rows("Errors") == expected


def test_limits_files_and_reasons_are_those_of_the_code() -> None:
    limits, standard = section("Limits"), RpcSection()
    for name in ("max_body_kb", "max_batch", "max_connections", "timeout_seconds"):
        assert re.search(rf"`rpc\.{name}`, {getattr(standard, name):g}\b", limits), name
    assert f"{PageParams().limit} unless told" in section("Methods")
    assert f"`{standard.host}:{standard.port}`" in section("Switch it on")
    assert {row[0] for row in rows("Switch it on")} == {f"`rpc/{scope}.token`" for scope in Scope}
    source = (ROOT / "client/jepanet/rpc/offered/node.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'"([a-z]+-[a-z]+)"', source))
    assert reasons == set(re.findall(r"`([a-z]+-[a-z]+)`", section("Health and readiness")))
