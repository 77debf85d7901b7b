"""Endpoints that lie by omission: whatever they leave out, the follower's copy equals the chain at last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chain_fixtures import Chain, Pinger, deploy_pinger, running_chain
from test_chain_follower import Copy, Running, canonical, follower_of
from test_chain_rpc import node

from chain_proxy import (
    BODIES,
    Answers,
    Backend,
    Behind,
    Blooms,
    CapsLogs,
    ChainProxy,
    HeadLags,
    LogsEmpty,
    LogsLag,
    Mode,
    OtherChain,
    ReceiptsLag,
    Shapes,
)
from jepanet.chain.devchain.anvil import AnvilProcess, free_port
from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.follower import Follower

pytestmark = pytest.mark.integration


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    async with running_chain() as running:
        yield running


@pytest.fixture
async def pinger(chain: Chain) -> Pinger:
    return await deploy_pinger(chain)


async def reaches(rpc: Rpc, chain: Chain, pinger: Pinger, copy: Copy, within: float = 90.0) -> None:
    """Waits until the copy, read through `rpc`, has the true chain's head, and compares every log."""
    async with asyncio.timeout(within):
        while (await chain.block()).hash != copy.top:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert copy.logs == await canonical(chain.rpc, pinger)


FAULTS: dict[str, tuple[Backend, ...]] = {
    "healthy": (Backend(),),
    "logs of lagging backends": (Backend(), Backend((LogsLag(blocks=4),))),
    "no logs at all": (Backend((LogsEmpty(),)),),
    "receipts lag": (Backend(), Backend((ReceiptsLag(blocks=3),))),
    "a backend behind in everything": (Backend(), Backend((Behind(blocks=2),))),
    "heads go back and forth": (Backend(), Backend((HeadLags(blocks=3),))),
    **{f"answers {name}": (Backend(), Backend((Answers(body=name, share=0.5),))) for name in sorted(BODIES)},
    **{f"shapes {form}": (Backend((Shapes(form=form, share=0.5),)),) for form in Shapes.forms},
}


async def test_no_log_is_lost_whatever_an_endpoint_leaves_out(chain: Chain, pinger: Pinger) -> None:
    await _play(chain, pinger, FAULTS)


@pytest.mark.parametrize("bits", sorted(Blooms.bloom))
async def test_a_bloom_that_is_not_the_headers_is_seen_at_once(
    chain: Chain, pinger: Pinger, bits: str
) -> None:
    """Where all endpoints lie nothing is followed, and so nothing is missed; one honest one is enough."""
    copy, sender = Copy(pinger.born), chain.sender()
    async with ChainProxy(chain.anvil.url) as first, ChainProxy(chain.anvil.url) as second:
        rpc = Rpc([first.url, second.url], chain.rpc.chain_id, timeout=1.0, cooldown=1.0)
        try:
            async with Running(lambda: follower_of(rpc, pinger, copy, shrink_patience=600.0), copy):
                await sender.send("before", pinger.ping(1, 2))  # from here on the chain's blooms are believed
                await reaches(rpc, chain, pinger, copy)
                for proxy in (first, second):
                    proxy.set(Blooms(bits=bits))
                top = copy.top
                await sender.send("while all lie", pinger.ping(2, 3))
                await chain.mine(3)
                await asyncio.sleep(1.0)
                assert copy.top == top
                second.set()
                await reaches(rpc, chain, pinger, copy)
                await sender.send("while the first lies", pinger.ping(3, 2))
                await chain.mine(3)
                await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()
    assert copy.rewinds == []


@pytest.mark.parametrize("form", ["data", "twin"])
async def test_receipts_that_fit_the_bloom_and_are_not_the_blocks_are_seen(
    chain: Chain, pinger: Pinger, form: str
) -> None:
    """A bloom holds neither the data of a log nor how many there were with the same topics."""
    copy, sender = Copy(pinger.born), chain.sender()

    async def answer(question: dict[str, Any]) -> Any:
        found = await chain.rpc.request(question["method"], question["params"])
        if question["method"] != "eth_getBlockReceipts":
            return found
        logs = [log for receipt in found for log in receipt["logs"]]
        if form == "data":
            for log in logs:
                log["data"] = "0x" + "f" * (len(log["data"]) - 2)
        for receipt in found if form == "twin" else ():
            receipt["logs"] = receipt["logs"][:1]
        return found

    async with node(answer) as (liar, _):
        rpc = Rpc([liar, chain.anvil.url], chain.rpc.chain_id, timeout=1.0, cooldown=0.3)
        try:
            async with Running(lambda: follower_of(rpc, pinger, copy), copy):
                await sender.send("k", pinger.ping(1, 3))
                await chain.mine(3)
                await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()


async def _play(chain: Chain, pinger: Pinger, faults: dict[str, tuple[Backend, ...]]) -> None:
    """A few blocks with logs under each fault; the copy must reach the chain while the fault lasts."""
    copy, sender = Copy(pinger.born), chain.sender()
    async with ChainProxy(chain.anvil.url, seed=11) as proxy:
        rpc = Rpc([proxy.url], chain.rpc.chain_id, timeout=1.0, cooldown=0.05)
        try:
            async with Running(lambda: follower_of(rpc, pinger, copy, shrink_patience=600.0), copy):
                for position, (name, backends) in enumerate(faults.items()):
                    proxy.balance(*backends)
                    for number in range(2):
                        await sender.send(f"{name}{number}", pinger.ping(position, 1 + number))
                        await chain.mine(number)
                    await chain.mine(5)
                    await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()
    assert copy.rewinds == [], "what a backend does not know is no fork"


@pytest.mark.parametrize("how", sorted(CapsLogs.ways))
async def test_a_cap_on_log_queries_slows_and_loses_nothing(chain: Chain, pinger: Pinger, how: str) -> None:
    copy, sender = Copy(pinger.born), chain.sender()
    for number in range(4):
        await sender.send(f"k{number}", pinger.ping(number, 2))
        await chain.mine(25)
    await chain.mine(70)
    async with ChainProxy(chain.anvil.url) as proxy:
        proxy.set(CapsLogs(blocks=3, how=how))
        rpc = Rpc([proxy.url], chain.rpc.chain_id, timeout=0.5, cooldown=0.05)
        try:
            async with Running(lambda: follower_of(rpc, pinger, copy, range_from=20), copy):
                await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()
        assert proxy.asked["eth_getLogs"] < 60, "the size that was refused is remembered"


async def test_a_second_endpoint_completes_a_range(chain: Chain, pinger: Pinger) -> None:
    copy, sender = Copy(pinger.born), chain.sender()
    for number in range(4):
        await sender.send(f"k{number}", pinger.ping(number, 2))
        await chain.mine(25)
    await chain.mine(70)
    async with ChainProxy(chain.anvil.url) as lagging:
        lagging.set(LogsEmpty())
        rpc = Rpc([lagging.url, chain.anvil.url], chain.rpc.chain_id, timeout=1.0)
        try:
            async with Running(lambda: follower_of(rpc, pinger, copy, range_from=20), copy):
                await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()


async def test_a_field_of_ones_own_makes_a_header_no_header_of_a_fork_to_come(
    chain: Chain, pinger: Pinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header whose hash cannot be computed is believed until another endpoint shows a later one."""
    copy, sender = Copy(pinger.born), chain.sender()

    async def answer(question: dict[str, Any]) -> Any:
        found = await chain.rpc.request(question["method"], question["params"])
        if question["method"].startswith("eth_getBlockBy") and found:
            found |= {"logsBloom": "0x" + "00" * 256, "extraData": "0x01", "ofItsOwn": "0x1"}
        if question["method"] == "eth_getBlockReceipts":
            found = [receipt | {"logs": []} for receipt in found]
        return found

    async with node(answer) as (liar, _):
        rpc = Rpc([liar, chain.anvil.url], chain.rpc.chain_id, timeout=1.0, cooldown=0.5)
        try:
            with monkeypatch.context() as alone:
                alone.setattr(rpc, "survey", lambda block=0.0: None)
                async with Running(lambda: follower_of(rpc, pinger, copy), copy):
                    await sender.send("k", pinger.ping(1, 3))
                    await chain.mine(3)
                    async with asyncio.timeout(30):
                        while (await chain.block()).hash != copy.top:  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
                    assert copy.logs == [] != await canonical(chain.rpc, pinger), "nobody else was asked"
                    alone.undo()
                    await chain.mine(1)
                    async with asyncio.timeout(30):
                        while copy.logs != await canonical(chain.rpc, pinger):  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
                    await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()


@pytest.mark.parametrize("liar_is", ["first", "second"])
async def test_a_log_of_which_two_endpoints_say_different_things_is_proven(
    chain: Chain, pinger: Pinger, liar_is: str
) -> None:
    copy, sender = Copy(pinger.born), chain.sender()
    for number in range(4):
        await sender.send(f"k{number}", pinger.ping(number, 2))
        await chain.mine(25)
    await chain.mine(70)

    async def answer(question: dict[str, Any]) -> Any:
        found = await chain.rpc.request(question["method"], question["params"])
        for log in found if question["method"] == "eth_getLogs" else ():
            log["data"] = "0x" + "0" * (len(log["data"]) - 2)
        return found

    async with node(answer) as (liar, _):
        endpoints = [liar, chain.anvil.url] if liar_is == "first" else [chain.anvil.url, liar]
        rpc = Rpc(endpoints, chain.rpc.chain_id, timeout=1.0)
        try:
            async with Running(lambda: follower_of(rpc, pinger, copy, range_from=20), copy):
                await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()


@pytest.mark.parametrize("mode", [HeadLags(blocks=25), Behind(blocks=None), OtherChain()], ids=repr)
async def test_a_first_endpoint_that_stands_still_does_not_stop_the_follower(
    chain: Chain, pinger: Pinger, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second endpoint is used within two surveys, also when the first one begins to fail at run time."""
    monkeypatch.setattr("jepanet.chain.endpoints.failover._SURVEY_EVERY", 0.3)
    monkeypatch.setattr("jepanet.chain.endpoints.failover._CHAIN_HOLDS", 0.5)
    copy, sender = Copy(pinger.born), chain.sender()
    async with ChainProxy(chain.anvil.url) as first:
        rpc = Rpc([first.url, chain.anvil.url], chain.rpc.chain_id, timeout=1.0, cooldown=0.5)
        try:
            async with Running(lambda: follower_of(rpc, pinger, copy, shrink_patience=60.0), copy):
                await reaches(rpc, chain, pinger, copy)
                first.set(mode)
                await sender.send("k", pinger.ping(1, 3))
                for _ in range(15):
                    await chain.mine(2)
                    await asyncio.sleep(0.02)
                await reaches(rpc, chain, pinger, copy, within=20)
        finally:
            await rpc.close()
    assert copy.resets == 0


async def test_an_endpoint_that_names_a_head_no_chain_has_is_asked_last(
    chain: Chain, pinger: Pinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured by its head every honest endpoint lags, and the follower would come back to it for ever."""
    monkeypatch.setattr("jepanet.chain.endpoints.failover._SURVEY_EVERY", 0.2)
    copy, high = Copy(pinger.born), 10**9

    async def answer(question: dict[str, Any]) -> Any:
        block = await chain.rpc.request(question["method"], question["params"])
        if question["params"][0] == "latest":
            block["number"] = hex(int(block["number"], 16) + high)
        return block

    async with node(answer) as (liar, _):
        rpc = Rpc([liar, chain.anvil.url], chain.rpc.chain_id, timeout=1.0, cooldown=0.3)
        follower = follower_of(rpc, pinger, copy)
        try:
            async with Running(lambda: follower, copy):
                await asyncio.sleep(1.5)  # contradictions enough
                await chain.sender().send("k", pinger.ping(1, 3))
                await reaches(rpc, chain, pinger, copy)
                for _ in range(20):
                    await asyncio.sleep(0.1)
                    assert follower.head is not None and follower.head.number < high
        finally:
            await rpc.close()
    assert copy.rewinds == [] and copy.resets == 0


async def test_a_copy_of_the_chain_does_not_undo_what_another_endpoint_still_shows(
    chain: Chain, pinger: Pinger
) -> None:
    """A copy for trials bears the chain's own id: while the first endpoint falters, it would be followed."""
    await chain.mine(3)
    dump = await chain.rpc.request("anvil_dumpState", [])
    copy, sender = Copy(pinger.born), chain.sender()
    async with (
        AnvilProcess(port=free_port(), chain_id=chain.rpc.chain_id) as trial,
        ChainProxy(chain.anvil.url) as first,
    ):
        rpc = Rpc([first.url, trial.url], chain.rpc.chain_id, timeout=1.0, cooldown=0.2)
        other = Rpc([trial.url], chain.rpc.chain_id)
        try:
            await other.request("anvil_loadState", [dump])
            async with Running(lambda: follower_of(rpc, pinger, copy, shrink_patience=600.0), copy):
                await sender.send("k", pinger.ping(1, 3))
                await chain.mine(70)
                await reaches(rpc, chain, pinger, copy)
                await other.request("anvil_mine", [hex(90)])
                first.set(Answers(body="internal", share=0.9))
                await asyncio.sleep(2.0)
                first.set()
                await reaches(rpc, chain, pinger, copy)
        finally:
            await rpc.close()
            await other.close()
    assert copy.rewinds == [] and copy.resets == 0


async def test_a_chain_that_stands_still_is_an_alarm_with_one_endpoint(chain: Chain, pinger: Pinger) -> None:
    copy = Copy(pinger.born)
    follower: Follower[RawLog] = follower_of(chain.rpc, pinger, copy, head_alarm=0.3)
    async with Running(lambda: follower, copy):
        async with asyncio.timeout(10):
            while not follower.head_old:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await chain.mine()
        async with asyncio.timeout(10):
            while follower.head_old:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_the_bloom_computed_here_is_the_chains(chain: Chain, pinger: Pinger) -> None:
    from jepanet.chain.following.bloom import bloom_of

    await chain.sender().send("k", pinger.ping(5, 4))
    header = await chain.rpc.head()
    receipts = await chain.rpc.block_receipts(header)
    logs: list[RawLog] = [log for receipt in receipts for log in receipt.logs]
    assert len(logs) == 4
    assert header.bloom == bloom_of(logs)
