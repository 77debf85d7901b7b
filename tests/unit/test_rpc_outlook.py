"""What an observer does over and over goes on, whatever one try of it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.errors import Transient
from jepanet.rpc.observing import outlook as outlook_module
from jepanet.rpc.observing import service as service_module
from jepanet.rpc.observing.outlook import Outlook

pytestmark = pytest.mark.unit


class Chain:
    """Of an endpoint that never gives another block."""

    deployment: Any = None
    confirmations = 1
    rpc: Any = None


class History:
    """Reads for ever."""

    position = 0

    async def state(self) -> None:
        await asyncio.Event().wait()


async def test_attack_a_fault_that_a_strangers_file_causes_ends_no_observer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[Exception] = [IndexError("a sheet of a stranger"), Transient("nobody serves it")]
    again = asyncio.Event()

    async def fetch() -> None:
        if failures:
            raise failures.pop(0)
        again.set()

    async def compare() -> None:
        return None

    for name in ("_EVERY", "_FETCHED_EVERY", "_COMPARED_EVERY"):
        monkeypatch.setattr(outlook_module, name, 0.0)
    monkeypatch.setattr(outlook_module, "_ASKING", float("inf"))
    strange: Any = (Chain(), History(), None)
    found = Outlook(*strange)
    monkeypatch.setattr(found, "_fetch", fetch)
    monkeypatch.setattr(found, "_compare", compare)
    running = asyncio.create_task(found.run())
    async with asyncio.timeout(5):
        ended = asyncio.create_task(again.wait())
        await asyncio.wait({ended, running}, return_when=asyncio.FIRST_COMPLETED)
    assert again.is_set() and not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_attack_who_has_no_token_causes_no_request_to_an_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`/ready` is told to anybody who reaches the port; a paid endpoint is asked for who looks alone."""
    probes: dict[str, Any] = {}

    @asynccontextmanager
    async def listening(*_: Any, ready: Any, **__: Any) -> AsyncIterator[Any]:
        probes["ready"] = ready
        yield SimpleNamespace(url="http://127.0.0.1:4781/")

    monkeypatch.setattr(service_module, "listening", listening)
    monkeypatch.setattr(service_module, "read_pages", lambda: {"index.html": b""})
    strange: Any = (Chain(), History(), None)
    outlook = Outlook(*strange)
    async with service_module.serving(outlook, 0, ""):
        assert await probes["ready"]() == (False, {"ready": False})
        outlook._read = True
        assert await probes["ready"]() == (True, {"ready": True})
        outlook._held_up(Transient("no endpoint answers"))
        assert await probes["ready"]() == (False, {"ready": False})
    assert not outlook._asked.is_set()
