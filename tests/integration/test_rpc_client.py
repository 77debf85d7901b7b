"""The typed client, and the commands that use it, against a real server of a node on this machine."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal, Transient
from jepanet.interface import rescanning as rescanning_module
from jepanet.interface import sending as commands_module
from jepanet.interface.cli import cli
from jepanet.node.status import write_status
from jepanet.operations.views.node import NodeStatus
from jepanet.protocol.duties import SendClaim, duty_key
from jepanet.rpc.calling import connection as connection_module
from jepanet.rpc.calling.client import every, open_client
from jepanet.rpc.calling.declined import Declined
from jepanet.rpc.codes import Code
from jepanet.rpc.handles import sending as sending_module
from jepanet.rpc.method import Scope
from jepanet.rpc.transport.bearer import open_tokens, token_file
from jepanet.settings.paths import Paths
from jepanet.storage.journal import StoredDuty
from jepanet.types import Address, RoundId
from rpc_node import ME, PEERS, a_node
from rpc_served import beside, config_file, serving

pytestmark = pytest.mark.integration


async def test_a_client_reads_records_and_walks_through_pages(tmp_path: Path) -> None:
    async with serving(tmp_path) as node, open_client(node.config, Scope.READ) as client:
        status = await client.node_status()
        assert isinstance(status, NodeStatus) and status.running and status.wallet == ME
        rounds = [item.round async for item in every(client.rounds_list)]
        assert rounds == list(range(30, 6, -1))
        page = await client.rounds_list(limit=3)
        assert [item.round for item in page.items] == [30, 29, 28] and page.next == "28"
        receipt = await client.receipts_get(7, ME)
        assert receipt.receipt.verdict == "accepted" and receipt.words.solver == ME
        with pytest.raises(Declined) as declined:
            await client.rounds_get(3)
        assert declined.value.known is Code.NOT_FOUND and declined.value.code is Exit.NOT_FOUND
        assert "from 7 to 30" in str(declined.value)
        with pytest.raises(Declined) as declined:
            await client.receipts_get(7, Address("0x12"))
        assert declined.value.code is Exit.USAGE


async def test_a_list_that_leads_in_a_circle_ends(tmp_path: Path) -> None:
    async with serving(tmp_path) as node, open_client(node.config, Scope.READ) as client:
        page = await client.rounds_list(limit=3)

        async def circle(**_: object) -> Any:
            return page

        with pytest.raises(Fatal, match="earlier page"):
            _ = [item async for item in every(circle)]


async def test_attack_a_token_goes_to_no_port_but_that_of_a_node_that_runs(tmp_path: Path) -> None:
    """Whoever listens at the port of a node that has ended is sent nothing."""
    node = a_node(tmp_path)
    paths = Paths(node.config.node.data_dir)
    paths.rpc.mkdir(parents=True, mode=0o700)
    open_tokens(paths.rpc)
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    status = await node.status()
    for change in (
        {"process": "another"},
        {"rpc": None},
        {"rpc": {"url": None, "problem": "Address already in use"}},
    ):
        write_status(paths.status, status | {"rpc": {"url": url, "problem": None}} | change)
        with pytest.raises(Fatal) as refused:
            async with open_client(node.config, Scope.OPERATE) as client:
                await client.node_status()
        assert refused.value.code is Exit.NOT_RUNNING
    server.close()
    assert not heard
    node.journal.close()
    node.blobs.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"2000\r\n" + b" " * 8192 + b"\r\n") * 9,
    ],
)
async def test_attack_what_is_no_answer_is_refused(
    tmp_path: Path, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "_LONGEST_ANSWER", 1 << 16)

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(answer)
        await writer.drain()

    async with serving(tmp_path) as node:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        node.serving = {"url": url, "problem": None}
        write_status(Paths(node.config.node.data_dir).status, await node.status())
        with pytest.raises(Fatal) as refused:
            async with open_client(node.config, Scope.READ) as client:
                await client.node_health()
        assert refused.value.code is Exit.INCOMPATIBLE
        server.close()


async def test_a_wrong_token_and_a_closed_port_are_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as node:
        paths = Paths(node.config.node.data_dir)
        token_file(paths.rpc, Scope.READ).write_text("A" * 43)
        with pytest.raises(Declined) as declined:
            async with open_client(node.config, Scope.READ) as client:
                await client.node_health()
        assert declined.value.known is Code.UNAUTHORIZED and declined.value.code is Exit.CONFIG
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        node.serving = {"url": f"http://127.0.0.1:{port}/", "problem": None}
        write_status(paths.status, await node.status())
        with pytest.raises(Transient) as away:
            async with open_client(node.config, Scope.OPERATE) as client:
                await client.node_health()
        assert away.value.code is Exit.NOT_RUNNING


def test_the_status_is_asked_of_a_running_node_and_said_where_it_is_not(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with beside(tmp_path) as node:
        node.peers = 17  # what it wrote says 3
        shown = CliRunner().invoke(cli, ["status", "--config", file, "--json"], catch_exceptions=False)
        assert json.loads(shown.stdout)["peers"] == 17 and not shown.stderr
        token_file(Paths(node.config.node.data_dir).rpc, Scope.READ).unlink()
        shown = CliRunner().invoke(cli, ["status", "--config", file, "--json"], catch_exceptions=False)
        assert json.loads(shown.stdout)["peers"] == 3
        assert "what the node last wrote" in shown.stderr


def test_a_running_node_is_asked_to_claim_and_nothing_is_sent_from_here(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with beside(tmp_path) as node:
        node.engine.state = node.state
        key = duty_key(SendClaim(RoundId(7)))
        node.journal.record([], [StoredDuty(key, "SendClaim", "{}", 7)])
        node.journal.reject(key, "no-row")
        for words in (["claim"], ["claim", "7"]):
            shown = CliRunner().invoke(cli, [*words, "--config", file, "--json"], catch_exceptions=False)
            assert json.loads(shown.stdout) == [{"duty": key, "state": "pending"}]
            assert "the node runs" in shown.stderr
        shown = CliRunner().invoke(cli, ["claim", "9", "--config", file])
        assert isinstance(shown.exception, Declined) and shown.exception.code is Exit.NOT_FOUND
        assert not (tmp_path / "data" / "commands.sqlite").exists(), "no wallet was opened"


def test_a_running_node_is_asked_to_withdraw_and_nothing_is_sent_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config_file(tmp_path)
    monkeypatch.setattr(sending_module, "WAITS", 0.05)
    monkeypatch.setattr(commands_module, "_PAUSE", 0.01)

    def withdraw(*words: str) -> Any:
        return CliRunner().invoke(cli, ["stake", "withdraw", *words, "--config", file, "--json"])

    with beside(tmp_path) as node:
        made = json.loads(withdraw("2.5").stdout)
        assert (made["transaction"], made["address"]) == ("0x" + "ab" * 32, ME)
        node.mined.clear()
        shown = []
        waiting = threading.Thread(target=lambda: shown.append(withdraw()))
        waiting.start()
        for _ in range(1000):
            if len(node.withdrawn) == 2:
                break
            time.sleep(0.01)
        time.sleep(0.2)  # it asks several times meanwhile
        node.loop.call_soon_threadsafe(node.mined.set)
        waiting.join(20)
        assert shown[0].exit_code == 0 and "not mined yet" in shown[0].stderr
        assert node.withdrawn == [25 * 10**17, None], "it was begun once"
        node.refuses = Fatal("it has no free stake", code=Exit.REJECTED)
        refused = withdraw().exception
        assert isinstance(refused, Declined) and refused.code is Exit.REJECTED
        assert not (tmp_path / "data" / "commands.sqlite").exists(), "no wallet was opened"


def test_a_running_node_is_asked_to_read_blocks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config_file(tmp_path)
    monkeypatch.setattr(rescanning_module, "_LOOKS", 0.01)

    def rescan(*words: str) -> Any:
        return CliRunner().invoke(cli, ["node", "rescan", *words, "--config", file, "--json"])

    with beside(tmp_path) as node:
        assert json.loads(rescan("1020").stdout) == {"first": 1020, "at": 1019, "until": 1050}
        refused = rescan("1010").exception
        assert isinstance(refused, Declined) and refused.known is Code.UNDER_WAY
        node.rereading.progress = None
        ends = threading.Timer(0.5, lambda: setattr(node.rereading, "progress", None))
        ends.start()
        shown = rescan("1020", "--wait")
        assert json.loads(shown.stdout) == {"first": 1020, "at": 1050, "until": 1050}
        assert "block 1019 of 1050" in shown.stderr
        ends.join()
        refused = rescan("7").exception
        assert isinstance(refused, Declined) and refused.code is Exit.USAGE and "1001 to 1050" in str(refused)


def test_peers_are_listed_connected_and_banned_by_command(tmp_path: Path) -> None:
    file = config_file(tmp_path)

    def run(*words: str) -> Any:
        shown = CliRunner().invoke(cli, ["peer", *words, "--config", file, "--json"], catch_exceptions=False)
        return json.loads(shown.stdout)

    with beside(tmp_path):
        address = f"/ip4/127.0.0.9/tcp/4701/p2p/{PEERS[2]}"
        assert run("connect", address)["peer"] == PEERS[2]
        assert {item["peer"] for item in run("list")} == set(PEERS)
        assert run("ban", PEERS[0])["times"] == 1
        assert [item["peer"] for item in run("banned")] == [PEERS[0]]
        assert {item["peer"] for item in run("list")} == set(PEERS[1:])


def test_a_link_lets_a_browser_in_by_a_code_that_the_node_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config_file(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with beside(tmp_path) as node:
        for words in ([], ["--operate", "--open"]):
            shown = CliRunner().invoke(cli, ["dashboard", *words, "--config", file], catch_exceptions=False)
            link, _, code = shown.stdout.strip().partition("#code=")
            assert link == f"{node.serving['url']}dashboard/" and len(code) == 43
        assert opened == [shown.stdout.strip()]
    shown = CliRunner().invoke(cli, ["dashboard", "--config", file])
    assert isinstance(shown.exception, Transient | Fatal) and shown.exception.code is Exit.NOT_RUNNING


def test_rewards_are_listed_by_the_node(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with beside(tmp_path) as node:
        shown = CliRunner().invoke(cli, ["rewards", "--config", file, "--json"], catch_exceptions=False)
        found = json.loads(shown.stdout)
        assert [(item["round"], item["verdict"]) for item in found] == [(8, None), (7, "accepted")]
        shown = CliRunner().invoke(cli, ["rewards", "--config", file], catch_exceptions=False)
        assert "19 tokens" in shown.stdout and "not known here" in shown.stdout
        days = ["rewards", "--by", "day", "--config", file]
        (day,) = json.loads(CliRunner().invoke(cli, [*days, "--json"], catch_exceptions=False).stdout)
        assert (day["day"], day["rounds"], day["unknown"]) == ("1970-01-01", 2, 1)
        assert (day["paid"], day["claimed"]) == (str(19 * 10**18), "0")
        assert "1970-01-01" in CliRunner().invoke(cli, days, catch_exceptions=False).stdout
        assert replace(node.config.rpc).enabled
    shown = CliRunner().invoke(cli, ["rewards", "--config", file])
    assert isinstance(shown.exception, Transient) and shown.exception.code is Exit.NOT_RUNNING
