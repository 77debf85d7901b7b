"""Announcements are hints: whatever they say, a blob that a connected peer serves is obtained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import digest

from jepanet.errors import JepanetError, Rejected, Transient
from jepanet.roles.steps.obtain import obtain

pytestmark = pytest.mark.unit

BLOB = digest("blob")


def node(folder: Path, *, hints: tuple[str, ...], lie: JepanetError, connected: bool) -> Any:
    """A node whose hints lead to `lie`; `connected`: a peer that was not announced has the blob."""
    asked: list[tuple[str, ...]] = []
    kept: dict[bytes, Path] = {}

    async def fetch(name: bytes, *, max_bytes: int, directory: Path, providers: Sequence[str] = ()) -> Path:
        asked.append(tuple(providers))
        if providers:
            raise lie
        if not connected:
            raise Transient("nobody has it")
        file = folder / "fetched"
        file.write_bytes(b"blob")
        return file

    blobs = SimpleNamespace(
        incoming=folder, path=kept.get, publish=lambda name: None, pin=lambda name, owner: None,
        put_file=lambda path, name, **how: kept.update({name: path}),
    )  # fmt: skip
    return SimpleNamespace(
        blobs=blobs, network=SimpleNamespace(fetch=fetch), providers=lambda name: hints, asked=asked
    )


LIES = [
    Transient("cannot be reached"),
    Rejected("not a multiaddr", reason="bad-address"),
    Rejected("say all its providers", reason="too-large"),
]


@pytest.mark.parametrize("lie", LIES, ids=["dead", "malformed", "too-large"])
async def test_attack_a_false_announcement_does_not_make_a_delta_unavailable(
    tmp_path: Path, lie: JepanetError
) -> None:
    context = node(tmp_path, hints=("/somewhere",), lie=lie, connected=True)
    assert await obtain(context, BLOB, max_bytes=100, pin="round/7") == tmp_path / "fetched"
    assert context.asked == [("/somewhere",), ()]


@pytest.mark.parametrize("lie", LIES, ids=["dead", "malformed", "too-large"])
async def test_attack_a_false_announcement_of_what_nobody_has_is_no_fault_of_the_blob(
    tmp_path: Path, lie: JepanetError
) -> None:
    with pytest.raises(Transient):
        await obtain(
            node(tmp_path, hints=("/somewhere",), lie=lie, connected=False), BLOB, max_bytes=100, pin="p"
        )


async def test_without_announcements_everybody_is_asked_once(tmp_path: Path) -> None:
    context = node(tmp_path, hints=(), lie=LIES[0], connected=True)
    await obtain(context, BLOB, max_bytes=100, pin="round/7")
    assert context.asked == [()]
