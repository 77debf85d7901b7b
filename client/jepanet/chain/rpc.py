"""Several endpoints as one chain: failover, cool-down, chain-id check. The chain room retries only here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from web3 import AsyncWeb3
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from jepanet.chain.endpoint import Endpoint, EndpointDown, TooLarge
from jepanet.chain.reader import AnswerTooLarge, BlockId, ChainReader, RpcError
from jepanet.chain.wire import Malformed, octets, quantity
from jepanet.errors import Exit, Fatal, Transient
from jepanet.telemetry import get_logger

log = get_logger("chain")

__all__ = ["AnswerTooLarge", "BlockId", "ChainReader", "Rpc", "RpcError"]

MAX_RESPONSE = 64 << 20
_LIMIT_EXCEEDED = -32005
_PASSES = 2
_PAUSE = 0.25


class Rpc(ChainReader):
    """The chain as this process sees it.

    Args:
        endpoints: http(s) URLs in order of preference.
        chain_id: the chain they all must serve.
        timeout: seconds per request.
        cooldown: seconds an endpoint is left alone after it failed, unless all have failed.
        max_response: bytes of one answer.

    Raises (from every request):
        Fatal: an endpoint serves another chain (Exit.WRONG_CHAIN).
        Transient: no endpoint answered (code Exit.CHAIN_UNREACHABLE), or the node refused (`RpcError`).
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        chain_id: int,
        timeout: float = 10.0,
        *,
        cooldown: float = 10.0,
        max_response: int = MAX_RESPONSE,
    ) -> None:
        if not endpoints:
            raise Fatal("no chain endpoint is configured", remedy="set chain.endpoints", code=Exit.CONFIG)
        try:
            self._endpoints = [Endpoint(url, timeout=timeout, max_response=max_response) for url in endpoints]
        except ValueError as error:
            raise Fatal(str(error), remedy="correct chain.endpoints", code=Exit.CONFIG) from error
        self.chain_id = chain_id
        self._cooldown = cooldown
        # No middleware: it would ask for the chain id before every call and look up ENS names.
        self.web3: AsyncWeb3[Any] = AsyncWeb3(_Provider(self), middleware=[])

    async def request(self, method: str, params: Sequence[Any]) -> Any:
        """Asks the endpoints in turn, healthy ones first; see the class for errors."""
        failures: dict[str, str] = {}
        for attempt in range(_PASSES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            for endpoint in self._in_order():
                try:
                    return await self._ask(endpoint, method, params)
                except EndpointDown as error:
                    failures[endpoint.name] = str(error)
        raise self._unreachable(failures)

    def pinned(self) -> ChainReader:
        """A reader that stays with one endpoint: answers that must agree must come from one node.

        Its requests are not repeated elsewhere; after a Transient take a new one.
        """
        return _Pinned(self, self._in_order()[0])

    async def check(self) -> None:
        """Checks the chain id of every endpoint that answers; the others are checked before their first use.

        Raises: Fatal (wrong chain); Transient (none answers).
        """
        failures: dict[str, str] = {}
        for endpoint in self._endpoints:
            try:
                await self._ask(endpoint, "eth_chainId", [])
            except EndpointDown as error:
                failures[endpoint.name] = str(error)
        if len(failures) == len(self._endpoints):
            raise self._unreachable(failures)

    async def close(self) -> None:
        """Closes all connections."""
        for endpoint in self._endpoints:
            await endpoint.disconnect()

    def _in_order(self) -> list[Endpoint]:
        now = time.monotonic()
        healthy = [endpoint for endpoint in self._endpoints if endpoint.down_until <= now]
        resting = [endpoint for endpoint in self._endpoints if endpoint.down_until > now]
        return healthy + sorted(resting, key=lambda endpoint: endpoint.down_until)

    async def _ask(self, endpoint: Endpoint, method: str, params: Sequence[Any]) -> Any:
        try:
            if not endpoint.checked:
                self._check_chain(endpoint, await endpoint.make_request(RPCEndpoint("eth_chainId"), []))
            answer = await endpoint.make_request(RPCEndpoint(method), list(params))
            error = answer.get("error")
            if error is None:
                return answer.get("result")
            refusal = _refusal(method, error)
            # For logs this code means "ask for fewer blocks"; for all else it is rate limiting.
            if refusal.rpc_code == _LIMIT_EXCEEDED and method != "eth_getLogs":
                raise EndpointDown("rate limit")
            raise refusal
        except TooLarge as error:
            raise AnswerTooLarge(f"{method}: the answer of {endpoint.name} is too large ({error})") from error
        except EndpointDown as error:
            if endpoint.down_until <= time.monotonic():
                log.warning("endpoint-down", endpoint=endpoint.name, method=method, why=str(error))
            endpoint.down_until = time.monotonic() + self._cooldown
            # Whatever answers there next may be another node.
            endpoint.checked = False
            raise

    def _check_chain(self, endpoint: Endpoint, answer: RPCResponse) -> None:
        if "result" not in answer:
            raise EndpointDown("eth_chainId was refused")
        found = quantity(answer["result"])
        if found != self.chain_id:
            raise Fatal(
                f"{endpoint.name} serves chain {found}, this node is configured for chain {self.chain_id}",
                remedy="correct chain.endpoints or use the deployment file of that chain",
                code=Exit.WRONG_CHAIN,
            )
        endpoint.checked = True

    def _unreachable(self, failures: Mapping[str, str]) -> Transient:
        listed = "; ".join(f"{name}: {why}" for name, why in failures.items())
        return Transient(
            f"no chain endpoint answers ({listed})",
            remedy="start the node or correct chain.endpoints",
            code=Exit.CHAIN_UNREACHABLE,
        )


class _Pinned(ChainReader):
    def __init__(self, rpc: Rpc, endpoint: Endpoint) -> None:
        self._rpc = rpc
        self._endpoint = endpoint

    async def request(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return await self._rpc._ask(self._endpoint, method, params)
        except EndpointDown as error:
            raise self._rpc._unreachable({self._endpoint.name: str(error)}) from error


class _Provider(AsyncJSONBaseProvider):
    """Lets web3's contract objects speak through `Rpc`."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__()
        self._rpc = rpc

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return cast(
            RPCResponse, {"jsonrpc": "2.0", "id": 0, "result": await self._rpc.request(method, params)}
        )


def _refusal(method: str, error: Any) -> RpcError:
    code, message, data = error.get("code"), error.get("message"), error.get("data")
    # Nodes put revert data in `data`, in `data.data`, or leave it out.
    if isinstance(data, Mapping):
        data = data.get("data")
    try:
        revert = octets(data) if isinstance(data, str) and data.startswith("0x") else None
    except Malformed:
        revert = None
    return RpcError(method, code if isinstance(code, int) else 0, str(message)[:500], revert)
