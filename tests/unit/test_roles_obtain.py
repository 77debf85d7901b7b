"""Announcements are hints: whatever they say, a blob that a connected peer serves is obtained."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import digest

from jepanet.cid import blake3_of, digest_of
from jepanet.errors import JepanetError, Rejected, Transient
from jepanet.roles.context import Turns
from jepanet.roles.steps.obtain import obtain, obtain_bytes, obtain_document
from jepanet.storage.blobs.store import BlobStore
from jepanet.telemetry import configure_logging
from jepanet.traffic import Flow, Traffic

pytestmark = pytest.mark.unit

BLOB = digest("blob")


def node(folder: Path, *, hints: tuple[str, ...], lie: JepanetError, connected: bool) -> Any:
    """A node whose hints lead to `lie`; `connected`: a peer that was not announced has the blob."""
    asked: list[tuple[str, ...]] = []
    kept: dict[bytes, Path] = {}

    async def fetch(
        name: bytes, *, max_bytes: int, directory: Path, flow: Flow, kind: str, providers: Sequence[str] = ()
    ) -> Path:
        asked.append(tuple(providers))
        flow.came(9)
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
        blobs=blobs, network=SimpleNamespace(fetch=fetch), providers=lambda name: hints, asked=asked,
        traffic=Traffic(), turns=Turns(),
    )  # fmt: skip


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
    assert await obtain(context, BLOB, kind="delta", max_bytes=100, pin="round/7") == tmp_path / "fetched"
    assert context.asked == [("/somewhere",), ()]


@pytest.mark.parametrize("lie", LIES, ids=["dead", "malformed", "too-large"])
async def test_attack_a_false_announcement_of_what_nobody_has_is_no_fault_of_the_blob(
    tmp_path: Path, lie: JepanetError
) -> None:
    with pytest.raises(Transient):
        await obtain(
            node(tmp_path, hints=("/somewhere",), lie=lie, connected=False),
            BLOB,
            kind="delta",
            max_bytes=100,
            pin="p",
        )


async def test_without_announcements_everybody_is_asked_once(tmp_path: Path) -> None:
    context = node(tmp_path, hints=(), lie=LIES[0], connected=True)
    await obtain(context, BLOB, kind="delta", max_bytes=100, pin="round/7")
    assert context.asked == [()]


@pytest.mark.parametrize("connected", [True, False], ids=["fetched", "missed"])
async def test_what_came_over_the_wire_is_counted_and_told_by_kind_also_of_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], connected: bool
) -> None:
    configure_logging(json=True)
    context = node(tmp_path, hints=("/somewhere",), lie=LIES[0], connected=connected)
    with contextlib.nullcontext() if connected else pytest.raises(Transient):
        await obtain(context, BLOB, kind="update", max_bytes=100, pin="round/7")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [(line["event"], line["kind"], line["bytes"]) for line in lines]
    assert told == [
        ("blob.missed", "update", 9),
        ("blob.fetched" if connected else "blob.missed", "update", 9),
    ]
    assert context.traffic.blobs("update").received == 18
    assert context.traffic.blobs("delta").received == 0


async def test_what_two_duties_want_at_once_is_fetched_once(tmp_path: Path) -> None:
    context = node(tmp_path, hints=(), lie=LIES[0], connected=True)
    paths = await asyncio.gather(
        *(obtain(context, BLOB, kind="delta", max_bytes=100, pin=f"round/{number}") for number in range(3))
    )
    assert context.asked == [()]
    assert set(paths) == {tmp_path / "fetched"}


async def test_turns_hold_up_nobody_who_wants_something_else_and_are_forgotten() -> None:
    turns = Turns()
    async with turns.of("one"), turns.of("other"):
        assert turns.of("one").locked() and turns.of("other").locked()
        assert not turns.of("third").locked()
    gc.collect()
    assert len(turns._locks) == 0


async def test_attack_rules_or_a_sheet_under_another_name_of_their_bytes(tmp_path: Path) -> None:
    """Stores take states by their BLAKE3. A transcript tells of rules by SHA-256, so honest work of a round
    whose rules the chain knows by the other would be told to be of other rules."""
    data = b"the rules of a round"
    (tmp_path / "spec").write_bytes(data)
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        context: Any = SimpleNamespace(blobs=blobs)
        for name in (digest_of(data), blake3_of([data])):
            blobs.put_file(tmp_path / "spec", name, move=False)
            assert await obtain_bytes(context, name, max_bytes=100, pin="round/7") == data
        assert await obtain_document(context, digest_of(data), max_bytes=100, pin="round/7") == data
        with pytest.raises(Rejected, match="not named by its SHA-256") as refused:
            await obtain_document(context, blake3_of([data]), max_bytes=100, pin="round/7")
        assert refused.value.reason == "wrong-digest"
