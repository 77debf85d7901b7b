"""Clients that know nothing of our code speak with a node: a generic one, and one that is generated from what
the node says of itself and compiled."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from jepanet.rpc.codes import Code
from jepanet.rpc.method import Scope
from jepanet.rpc.subscribing import hub as hub_module
from jepanet.settings.rpc_section import RpcSection
from jepanet.types import RoundId
from rpc_wire import Served, serving, until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "tests" / "rpc_clients"
TSC = ROOT / "node_modules" / ".bin" / "tsc"
STRICT = (
    "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--lib", "es2023,dom", "--types", "",
    "--module", "esnext", "--moduleResolution", "bundler", "--outDir", "out",
)  # fmt: skip


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    for tool in (shutil.which("node"), TSC.exists()):
        if not tool:
            pytest.skip("needs Node.js and node_modules (scripts/setup)")
    monkeypatch.setattr(hub_module, "EVERY", 0.01)
    async with serving(tmp_path, section=RpcSection(port=0)) as found:
        yield found


async def ran(*words: str | Path, folder: Path) -> tuple[int, str]:
    """Exit code, and standard output with errors behind it."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words), cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, (out or errors).decode()


async def test_a_generic_client_is_answered_over_http_and_over_a_socket(served: Served) -> None:
    program = ran("node", "--experimental-websocket", CLIENTS / "generic.mjs", served.url, served.token(),
                  folder=ROOT)  # fmt: skip
    running = asyncio.create_task(program)
    await until(lambda: bool(served.hub.held(Scope.READ)) or running.done())
    state = served.node.state
    served.node.state = state.with_round(replace(state.rounds[RoundId(30)], id=RoundId(31)))
    code, text = await running
    assert code == 0, text
    told = json.loads(text)
    newest = await served.asking.get("rounds.list", limit=3)
    assert [item["round"] for item in told["named"]["items"]] == [30, 29, 28]
    assert told["named"] == told["positional"] == told["overSocket"] != newest
    by_id = {item["id"]: item for item in told["batch"]}
    assert by_id["a"]["result"]["chain_id"] == 31337
    assert by_id["b"]["error"]["code"] == Code.METHOD_NOT_FOUND
    assert by_id["c"]["result"] == await served.asking.get("rounds.get", round=7)
    assert told["codes"] == [Code.METHOD_NOT_FOUND, Code.INVALID_PARAMS, Code.OUT_OF_SCOPE, Code.NOT_FOUND]
    assert told["event"]["subscription"] == told["subscription"]
    assert told["event"]["event"]["round"] == 31


async def generated(served: Served, folder: Path) -> None:
    """The client, from what the node says of itself now, beside the program that uses it."""
    loader = SourceFileLoader("jepanet_rpc_reference", str(ROOT / "scripts" / "write_rpc_reference"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module: Any = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    document = (await served.post("rpc.discover"))["result"]
    for path, text in module.written(document, document).items():
        (folder / path.name).write_text(text, encoding="utf-8")
    shutil.copy(CLIENTS / "program.ts", folder)
    (folder / "package.json").write_text('{"type": "module"}')


async def test_a_client_generated_from_the_openrpc_document_is_answered(
    served: Served, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    folder = tmp_path_factory.mktemp("generated")
    await generated(served, folder)
    code, text = await ran(TSC, *STRICT, "program.ts", folder=folder)
    assert code == 0, text
    code, text = await ran("node", "out/program.js", served.url, served.token(), folder=folder)
    assert code == 0, text
    told = json.loads(text)
    assert told["rounds"] == list(range(30, 6, -1))
    assert told["figures"] == await served.asking.get("rounds.get", round=7)
    listed = await served.asking.get("rounds.commitments", round=7)
    assert told["commitments"] == [item["solver"] for item in listed["items"]]
    for name in ("node.status", "config.show", "peers.list", "transactions.list", "projects.list"):
        assert told["answered"][name] != "declined", name
    assert told["answered"]["node.health"] == await served.asking.get("node.health")
    assert told["codes"] == [Code.OUT_OF_SCOPE, Code.NOT_FOUND, Code.UNAUTHORIZED]


@pytest.mark.parametrize(
    "wrong",
    [
        "await node.roundsGet({});",
        'await node.roundsGet({ round: "7" });',
        "await node.roundsGet({ round: 7, solver: 1 });",
        "const text: string = (await node.roundsList()).items[0]!.round; text;",
        "(await node.nodeStatus()).nothing;",
        "await node.nodeStop();",
    ],
)
async def test_a_program_that_calls_wrongly_does_not_compile(
    served: Served, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    folder = tmp_path_factory.mktemp("generated")
    await generated(served, folder)
    with (folder / "program.ts").open("a") as file:
        file.write(wrong + "\n")
    code, text = await ran(TSC, *STRICT, "program.ts", folder=folder)
    assert code != 0 and "program.ts" in text
