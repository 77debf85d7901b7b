"""What an error answer of a node is about: the request itself, or the node's own state.

Only the first kind is final. JSON-RPC has no codes that tell the two apart, so methods and the clients' words
are read; whatever is not recognised as final is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.chain.endpoints.answers import Malformed, octets
from jepanet.chain.endpoints.refusals import Refusal, classify, is_revert
from jepanet.chain.endpoints.requests import RpcError

_EXECUTING = frozenset({"eth_call", "eth_estimateGas"})
# What executing can end with beside a revert; geth, reth, nethermind, besu and anvil, in lower case.
_EXECUTION_ENDS = (
    "out of gas", "gas required exceeds", "intrinsic gas", "invalid opcode", "stack underflow",
    "stack overflow", "invalid jump", "max code size", "insufficient balance",
)  # fmt: skip
_SENDING_ENDS = (
    "intrinsic gas", "exceeds block gas limit", "nonce too high", "oversized", "invalid sender", "gas limit",
    "invalid signature", "initcode", "max fee per gas", "priority fee", "tip", "underpriced", "rlp",
)  # fmt: skip
_BUSY = (
    "rate", "too many", "limit exceeded", "capacity", "quota", "throttl", "credits", "overloaded", "busy",
    "try again", "timeout", "timed out", "internal",
)  # fmt: skip
_LIMIT_EXCEEDED, _INTERNAL = -32005, -32603


def refusal_of(method: str, error: Mapping[str, object]) -> RpcError:
    """The JSON-RPC `error` member as an exception."""
    code, message, data = error.get("code"), error.get("message"), error.get("data")
    # Nodes put revert data in `data`, in `data.data`, or leave it out.
    if isinstance(data, Mapping):
        data = data.get("data")
    try:
        revert = octets(data) if isinstance(data, str) and data.startswith("0x") else None
    except Malformed:
        revert = None
    return RpcError(method, code if isinstance(code, int) else 0, str(message)[:500], revert)


def is_final(error: RpcError) -> bool:
    """Whether the refusal is about the request itself, so that no other endpoint would answer better."""
    said = error.reason.lower()
    if error.method in _EXECUTING:
        return is_revert(error) or classify(error) is Refusal.FUNDS or _any(_EXECUTION_ENDS, said)
    if error.method == "eth_sendRawTransaction":
        return classify(error) is not Refusal.OTHER or (not is_busy(error) and _any(_SENDING_ENDS, said))
    return False


def is_busy(error: RpcError) -> bool:
    """Whether the node says that it is overloaded or broken, so that leaving it alone for a while helps."""
    return error.rpc_code in (_LIMIT_EXCEEDED, _INTERNAL) or _any(_BUSY, error.reason.lower())


def _any(words: tuple[str, ...], said: str) -> bool:
    return any(word in said for word in words)
