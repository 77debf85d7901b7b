"""`GET /metrics` against real sockets: who may read it, when, and what a failure shows."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.method import Scope, table_of
from jepanet.rpc.transport.bearer import open_tokens, token_file
from jepanet.rpc.transport.server import Figures, listening
from jepanet.settings.rpc_section import RpcSection

pytestmark = pytest.mark.integration

PAGE = b"jepanet_peers 3\n"


async def probe() -> tuple[bool, dict[str, object]]:
    return True, {}


async def page() -> bytes:
    return PAGE


async def broken() -> bytes:
    raise RuntimeError("of /home/secret")


async def ask(
    folder: Path,
    metrics: Figures | None,
    section: RpcSection | None = None,
    *,
    method: str = "GET",
    token: bool = False,
    **heads: str,
) -> tuple[int, bytes, str]:
    """Status, body and type of one answer."""
    section = section or RpcSection(port=0)
    dispatcher = Dispatcher(table_of([]), seconds=5.0, max_batch=1)
    tokens = open_tokens(folder)
    if token:
        heads["Authorization"] = f"Bearer {token_file(folder, Scope.READ).read_text().strip()}"
    async with (
        listening(section, dispatcher, tokens, health=probe, ready=probe, metrics=metrics) as found,
        aiohttp.ClientSession() as client,
        client.request(method, f"http://127.0.0.1:{found.port}/metrics", headers=heads) as answer,
    ):
        return answer.status, await answer.read(), answer.headers.get("Content-Type", "")


async def test_prometheus_beside_the_node_needs_no_token(tmp_path: Path) -> None:
    assert await ask(tmp_path, page) == (200, PAGE, "text/plain; version=0.0.4; charset=utf-8")


async def test_there_is_no_page_unless_it_is_switched_on(tmp_path: Path) -> None:
    assert (await ask(tmp_path, None))[0] == 404


async def test_attack_a_web_page_or_another_name_reads_no_figures(tmp_path: Path) -> None:
    for heads in ({"Host": "rebound.example"}, {"Origin": "http://127.0.0.1"}):
        status, body, _ = await ask(tmp_path, page, **heads)
        assert status == 403 and PAGE not in body


async def test_attack_other_machines_read_no_figures_without_a_token(tmp_path: Path) -> None:
    outside = RpcSection(host="0.0.0.0", port=0, allowed_hosts=("127.0.0.1",))
    status, body, _ = await ask(tmp_path, page, outside)
    assert status == 401 and PAGE not in body
    assert (await ask(tmp_path, page, outside, token=True))[:2] == (200, PAGE)


async def test_attack_a_failure_shows_nothing_of_itself(tmp_path: Path) -> None:
    status, body, _ = await ask(tmp_path, broken)
    assert status == 503 and b"secret" not in body


async def test_it_is_read_only(tmp_path: Path) -> None:
    assert (await ask(tmp_path, page, method="POST"))[0] == 405
