"""A fault-injecting JSON-RPC proxy between a node and anvil; `server.ChainProxy` says how it is used.

The modes, by module: `bodies` (rate limits, internal faults, malformed answers), `reading` (logs, heads,
receipts and state that are capped, late or of another chain), `sending` (fees, broadcasts, silence, delay);
`catalogue` has every one of them once.
As a process of its own: `python -m chain_proxy --help` with `tests` on the path.
"""

from chain_proxy.bodies import BODIES, Answers, Shapes
from chain_proxy.catalogue import CATALOGUE
from chain_proxy.modes import Mode
from chain_proxy.reading import (
    Behind,
    Blooms,
    CapsLogs,
    CountLags,
    HeadLags,
    LogsEmpty,
    LogsLag,
    NoTransactions,
    OtherChain,
    ReceiptsLag,
    Unknown,
)
from chain_proxy.sending import FeeAdvice, Freezes, HangsUp, Sends, Slow, SmallTipsRefused
from chain_proxy.server import Backend, ChainProxy, ProxyThread

__all__ = [
    "BODIES",
    "CATALOGUE",
    "Answers",
    "Backend",
    "Behind",
    "Blooms",
    "CapsLogs",
    "ChainProxy",
    "CountLags",
    "FeeAdvice",
    "Freezes",
    "HangsUp",
    "HeadLags",
    "LogsEmpty",
    "LogsLag",
    "Mode",
    "NoTransactions",
    "OtherChain",
    "ProxyThread",
    "ReceiptsLag",
    "Sends",
    "Shapes",
    "Slow",
    "SmallTipsRefused",
    "Unknown",
]
