"""A sender behind a load balancer whose machines lag, lose, refuse and demand: each intent once, on anvil."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from chain_fixtures import CHAIN_ID, MemoryIntents, deploy_pinger, running_chain

from chain_proxy import (
    Backend,
    Behind,
    ChainProxy,
    CountLags,
    FeeAdvice,
    Mode,
    ReceiptsLag,
    Sends,
    SmallTipsRefused,
)
from jepanet.chain.contracts.reverts import ErrorDecoder
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.sending.delivery import Unresolved
from jepanet.chain.sending.fees import GWEI, FeePolicy
from jepanet.chain.sending.sender import Sender

pytestmark = pytest.mark.integration

HURRY = FeePolicy(max_fee=1000 * GWEI, replace_after=0.5)
MODES: dict[str, tuple[Mode, ...]] = {
    "receipts lag": (ReceiptsLag(3),),
    "receipts and nonces lag": (ReceiptsLag(3), CountLags(3)),
    "a backend behind": (Behind(2),),
    "a backend that stands": (Behind(),),
    **{f"taken, said {how}": (Sends(True, how),) for how in Sends.ways if how != "silence"},
    **{f"dropped, said {how}": (Sends(False, how),) for how in ("hash", "nonce-too-low", "internal", "held")},
    **{f"advice {advice}": (FeeAdvice(advice),) for advice in FeeAdvice.kinds_of},
    "demands 25 gwei": (SmallTipsRefused(25),),
    "demands 30 gwei without advice": (SmallTipsRefused(30), FeeAdvice("missing")),
    "demands in few words": (SmallTipsRefused(25, words="transaction underpriced"),),
}


async def test_each_wish_takes_effect_once_behind_a_faulty_balancer() -> None:
    async with running_chain() as chain, ChainProxy(chain.anvil.url, seed=3) as proxy:
        pinger = await deploy_pinger(chain)
        store, rpc = MemoryIntents(), Rpc([proxy.url], CHAIN_ID, timeout=2.0, cooldown=0.05)
        unresolved = []

        def sender(timeout: float) -> Sender:
            return Sender(
                rpc, chain.wallets[0], store, HURRY, 1, ErrorDecoder([]), burial=2, poll=0.05, timeout=timeout
            )

        for number, (name, modes) in enumerate(MODES.items()):
            for share in (Backend(modes), Backend()):
                # Every call meets the fault, then one in two, then none; each time a process of its own.
                proxy.balance(Backend(modes), share)
                try:
                    await sender(0.7).send(name, pinger.ping(number))
                except Unresolved as error:
                    unresolved.append((name, error.message))
            proxy.set()
            async with asyncio.timeout(30):
                await sender(20.0).send(name, pinger.ping(number))
        await rpc.close()
        head = await chain.block()
        logs = await chain.rpc.logs([pinger.address], pinger.born.number, head.number)
        sent = Counter(bytes(intent.data) for intent in store.rows.values())
        assert len(logs) == len(sent) == len(MODES)
        assert await chain.rpc.transaction_count(chain.wallets[0].address, "latest") == len(MODES)
        assert unresolved
        assert all("look at 0x" in message for _, message in unresolved)
