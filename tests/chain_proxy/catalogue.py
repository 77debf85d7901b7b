"""Every way in which an endpoint can be wrong, once each: what a suite deals its faults from."""

from __future__ import annotations

from chain_proxy.bodies import BODIES, Answers, Shapes
from chain_proxy.modes import Mode
from chain_proxy.reading import (
    Behind,
    Blooms,
    CapsLogs,
    CountLags,
    HeadAlone,
    HeadLags,
    LogsEmpty,
    LogsLag,
    NoTransactions,
    OtherChain,
    ReceiptsLag,
    Unknown,
)
from chain_proxy.sending import FeeAdvice, Freezes, HangsUp, Sends, Slow, SmallTipsRefused

_FOR_EVER = 10**6
_UNDERPRICED = "transaction underpriced: tip needed {gwei} gwei"

CATALOGUE: tuple[Mode, ...] = (
    *(Answers(body=body) for body in BODIES),
    *(Shapes(form=form) for form in Shapes.forms),
    *(CapsLogs(blocks=blocks, how=how) for how in CapsLogs.ways for blocks in (1, 5)),
    *(LogsLag(blocks=blocks) for blocks in (1, 2, 5, 12)),
    LogsEmpty(),
    *(ReceiptsLag(blocks=blocks, how=how) for blocks in (1, 4, _FOR_EVER) for how in ReceiptsLag.ways),
    Unknown(method="eth_getBlockReceipts"),
    NoTransactions(),
    *(CountLags(blocks=blocks) for blocks in (1, 6)),
    *(HeadLags(blocks=blocks) for blocks in (1, 3, 10)),
    *(Behind(blocks=blocks) for blocks in (1, 4, 12)),
    Behind(),
    HeadAlone(),
    *(Blooms(bits=bits) for bits in Blooms.bloom),
    OtherChain(),
    *(FeeAdvice(advice=advice) for advice in FeeAdvice.kinds_of),
    SmallTipsRefused(gwei=25),
    SmallTipsRefused(gwei=30, words=_UNDERPRICED, quoted=True),
    *(Sends(forward=forward, how=how) for how in Sends.ways for forward in (False, True)),
    Freezes(),
    HangsUp(),
    *(Slow(seconds=seconds) for seconds in (0.3, 2.0)),
)
