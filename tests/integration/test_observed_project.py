"""A whole project, as somebody without a node sees it: read from a real chain, with sheets from a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chain_fixtures import running_chain
from played_project import CANCELLED, NOTE, ROUNDS, TOOK_PART, WITHHELD, Played, played_project

from jepanet.chain.devchain.anvil import free_port
from jepanet.cid import to_cid
from jepanet.errors import Transient
from jepanet.interface.handles import Inputs, open_reading
from jepanet.rpc.codes import Code
from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.method import Scope
from jepanet.rpc.observing.methods import methods_of
from jepanet.rpc.observing.outlook import Outlook
from jepanet.settings.observer_config import load_observer
from jepanet.types import ProjectId
from rpc_node import Client

pytestmark = pytest.mark.integration


CONFIG = "--rpc URL --deployment FILE"


@asynccontextmanager
async def looking(
    played: Played, *, folder: Path | None = None, rpc: tuple[str, ...] = ()
) -> AsyncIterator[Outlook]:
    """An outlook that is kept up, with what the folder holds and no peer."""
    where = load_observer(None, endpoints=rpc or (played.url,), deployment=played.deployment, environment={})
    async with open_reading(where, Inputs(folder or played.folder, (), offline=True)) as reading:
        outlook = Outlook(reading.chain, reading.history, reading.library)
        keeping = asyncio.create_task(outlook.run())
        try:
            yield outlook
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def until(condition: Any) -> Any:
    """What an awaited condition gives, once it is true."""
    for _ in range(300):
        if found := await condition():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come to that within 30 s")


def client_of(outlook: Outlook) -> Client:
    return Client(Dispatcher(methods_of(outlook, CONFIG), seconds=20.0, max_batch=20))


async def all_read(outlook: Outlook) -> bool:
    found = await outlook.standing()
    return found.read and not found.awaited and bool(found.endpoints)


async def test_a_whole_project_is_told_from_the_chain_and_its_sheets(tmp_path: Path) -> None:
    async with played_project(tmp_path) as played, looking(played) as outlook:
        await until(lambda: all_read(outlook))
        ask = client_of(outlook)
        assert await ask.get("dashboard.serves") == {"serves": "observer"}
        told = await ask.get("observer.status")
        assert (told["sheets"], told["chain"], told["files"], told["peers"]) == (ROUNDS - 1, None, None, None)
        (endpoint,) = told["endpoints"]
        assert (endpoint["standing"], endpoint["followed"]) == ("well", True)

        whole = await ask.get("project.get", project=1)
        assert whole["first_model"] == to_cid(played.first) and whole["model"] == to_cid(played.model)
        assert (whole["rounds"], whole["merged"], whole["withheld"], whole["cancelled"]) == (ROUNDS, 9, 1, 1)
        assert (whole["newest"], whole["exported"], whole["unlinked"]) == (ROUNDS - 1, ROUNDS - 1, [])
        assert int(whole["open"]) > 0 and whole["created"]["transaction"].startswith("0x")

        listed = (await ask.get("project.rounds", project=1, limit=100))["items"]
        assert [item["round"] for item in listed] == list(range(ROUNDS, 0, -1))
        by_round = {item["round"]: item for item in listed}
        assert by_round[CANCELLED]["outcome"] == "cancelled" and by_round[CANCELLED]["cause"] == "no commits"
        assert (by_round[WITHHELD]["outcome"], by_round[WITHHELD]["note"]) == ("withheld", NOTE)
        assert by_round[ROUNDS]["final"] is False and by_round[ROUNDS]["ended"] is None
        assert by_round[3]["stderr"] == 2_050 and by_round[3]["heldout"]["after"]["skill"] > 0
        paid = sum(int(item["payout"] or 0) for item in listed)
        assert paid == int(whole["paid"]) + int(whole["open"])
        sealed = await played.network.chain.rpc.receipt(
            bytes.fromhex(by_round[3]["recorded"]["transaction"][2:])
        )
        assert sealed is not None and sealed.block_number == by_round[3]["recorded"]["block"]

        solvers = (await ask.get("project.solvers", project=1))["items"]
        assert [item["place"] for item in solvers] == [1, 2, 3, 4]
        assert sum(item["deltas"] for item in solvers) == TOOK_PART * (ROUNDS - 1)
        assert sorted((int(item["paid"]) for item in solvers), reverse=True) == [
            int(item["paid"]) for item in solvers
        ]
        receipts = (await ask.get("receipts.list", round=3))["items"]
        assert len(receipts) == TOOK_PART and "x 0.0005 =" in receipts[0]["how"] + receipts[1]["how"]
        assert (await ask.get("rounds.get", round=3))["recomputed"] is True
        told = (await ask.get("receipts.get", round=3, solver=receipts[0]["solver"]))["words"]
        assert "recomputed here from 2 signed reports" in told["checked"] and "free since" in told["bond"]
        assert told["scored"].count("accepted") + told["scored"].count("harm") == 2
        commands = await ask.get("project.commands", project=1)
        assert commands[0]["command"] == f"jepanet verify {ROUNDS - 1} {CONFIG}"


async def test_lists_are_paged_by_the_server(tmp_path: Path) -> None:
    async with played_project(tmp_path, 3) as played, looking(played) as outlook:
        await until(lambda: all_read(outlook))
        ask = client_of(outlook)
        first = await ask.get("project.rounds", project=1, limit=2)
        assert [item["round"] for item in first["items"]] == [3, 2] and first["next"] == "2"
        rest = await ask.get("project.rounds", project=1, limit=2, cursor=first["next"])
        assert [item["round"] for item in rest["items"]] == [1] and rest["next"] is None
        recorded = await ask.get("project.rounds", project=1, recorded=True)
        assert [item["round"] for item in recorded["items"]] == [3, 2, 1]
        one = await ask.get("project.solvers", project=1, limit=1)
        assert len(one["items"]) == 1 and one["next"] == "1"
        assert (await ask.error("project.get", project=2)) == (Code.NOT_FOUND, "projects on the chain: 1")
        outlook.project = ProjectId(2)
        assert (await ask.error("project.get", project=1))[1].endswith("this observer shows 2 alone")


async def test_what_no_peer_serves_is_said_and_shown_once_it_comes(tmp_path: Path) -> None:
    async with played_project(tmp_path, 3) as played:
        empty = tmp_path / "empty"
        async with looking(played, folder=empty) as outlook:

            async def troubled() -> Any:
                found = await outlook.standing()
                return found if found.files is not None else None

            found = await until(troubled)
            assert found.awaited == 3 and "score sheet" in found.files.what and found.files.remedy
            ask = client_of(outlook)
            listed = (await ask.get("project.rounds", project=1))["items"]
            assert {item["sheet_read"] for item in listed} == {False}
            assert listed[1]["outcome"] == "merged", "the chain alone says that"
            assert (await ask.error("receipts.list", round=2))[0] == Code.UNAVAILABLE
            assert (await ask.get("project.get", project=1))["awaited"] == 3
            for file in played.folder.iterdir():
                (empty / file.name).write_bytes(file.read_bytes())
            outlook.sheets._rests.clear()
            await until(lambda: all_read(outlook))
            assert (await ask.get("project.get", project=1))["awaited"] == 0


async def test_attack_an_altered_sheet_is_refused_and_named(tmp_path: Path) -> None:
    async with played_project(tmp_path, 3) as played:
        file = played.folder / to_cid(played.sheets[1], "dag-json")
        file.write_bytes(file.read_bytes().replace(b"40", b"41"))
        async with looking(played) as outlook:

            async def one_is_left() -> Any:
                found = await outlook.standing()
                return found if found.read and found.awaited == 1 and found.files else None

            found = await until(one_is_left)
            assert "does not have the content its name says" in found.files.what
            listed = (await client_of(outlook).get("project.rounds", project=1, recorded=True))["items"]
            assert [item["sheet_read"] for item in listed] == [True, True, False]


async def test_an_observer_offers_nothing_that_changes_or_tells_of_a_node(tmp_path: Path) -> None:
    async with played_project(tmp_path, 1) as played, looking(played) as outlook:
        methods = methods_of(outlook, CONFIG)
    assert {item.scope for item in methods.values()} == {Scope.READ}
    assert not [
        name for name in methods if name.split(".")[0] in ("node", "wallet", "rewards", "logs", "peers")
    ]


async def test_a_lost_endpoint_is_told_and_forgotten_when_it_is_back(tmp_path: Path) -> None:
    async with played_project(tmp_path, 1) as played, looking(played) as outlook:
        await until(lambda: all_read(outlook))
        rpc = outlook._chain.rpc
        ask, broken = rpc.ask, False

        async def gone(*given: Any, **named: Any) -> Any:
            if broken:
                raise Transient("no chain endpoint answers", remedy="start the chain's node")
            return await ask(*given, **named)

        rpc.ask = gone  # type: ignore[method-assign]
        broken = True
        told = await until(lambda: _trouble(outlook))
        assert told.what == "no chain endpoint answers" and told.remedy == "start the chain's node"
        broken = False

        async def well() -> bool:
            return (await outlook.standing()).chain is None

        await until(well)


async def _trouble(outlook: Outlook) -> Any:
    return (await outlook.standing()).chain


async def test_endpoints_of_another_mind_are_told_apart(tmp_path: Path) -> None:
    """Two chains of one id, of which only one has the deployment; and a port at which nobody listens."""
    nobody = f"http://127.0.0.1:{free_port()}"
    async with played_project(tmp_path, 1) as played, running_chain() as other:
        await other.mine(400)
        async with looking(played, rpc=(played.url, other.anvil.url, nobody)) as outlook:

            async def read() -> Any:
                told = await outlook.standing()
                return told.endpoints if told.read else None

            found = await until(read)
            assert [item.standing for item in found] == ["well", "other-chain", "silent"]
            assert (await client_of(outlook).get("project.get", project=1))["project"] == 1
