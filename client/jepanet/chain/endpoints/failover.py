"""Several endpoints as one chain: failover, cool-down, chain ids, heads. The chain room retries only here.

An endpoint may be one machine or many behind one address, and any of them may lag, err or be replaced. So an
answer counts as final only when it is about the request itself (a revert, a refused transaction); every other
refusal and every malformed answer is asked elsewhere. Endpoints whose head stays behind the others' are asked
last, one that serves another chain is not asked at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from jepanet.chain.endpoints.answers import Header, Malformed, quantity
from jepanet.chain.endpoints.asked_headers import asked_header
from jepanet.chain.endpoints.endpoint import Endpoint, EndpointDown, OtherChain, TooLarge
from jepanet.chain.endpoints.error_answers import is_busy, is_final, refusal_of
from jepanet.chain.endpoints.header_forms import HeaderForms
from jepanet.chain.endpoints.lagging import mark_lagging
from jepanet.chain.endpoints.requests import AnswerTooLarge, BlockId, ChainReader, RpcError, block_parameter
from jepanet.errors import Exit, Fatal, Transient
from jepanet.telemetry import get_logger
from jepanet.traffic import Traffic

log = get_logger("chain")

__all__ = ["AnswerTooLarge", "BlockId", "ChainReader", "Rpc", "RpcError"]

MAX_RESPONSE = 64 << 20
_PASSES = 2
_PAUSE = 0.25
_TRIES, _PAUSE_PINNED, _QUICK = 3, 0.05, 1.0
_SURVEY_EVERY, _SURVEY_RARELY = 5.0, 15.0
_SURVEY_TIMEOUT = 5.0
_CHAIN_HOLDS = 30.0
"""Seconds for which an endpoint that named the right chain is believed to serve it."""
_FRESH, _LISTENS = 1.0, 1.5
"""Seconds for which an answer says that somebody answers, and a head that was named is taken by a survey;
and for which the next answer is waited for."""
_DOUBT = 600.0
"""Seconds for which an endpoint that contradicted itself is asked after the others."""

T = TypeVar("T")


class Rpc(ChainReader):
    """The chain as this process sees it.

    Args:
        endpoints: http(s) URLs in order of preference.
        chain_id: the chain they all must serve.
        timeout: seconds per request.
        cooldown: seconds an endpoint is left alone after it failed, unless all have failed.
        max_response: bytes of one answer.
        traffic: told the bytes of every request and answer, by endpoint.

    Raises (from every request):
        Transient: no endpoint answered (code Exit.CHAIN_UNREACHABLE), serves this chain
            (Exit.WRONG_CHAIN) or made sense (`Malformed`), or one refused (`RpcError`).
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        chain_id: int,
        timeout: float = 10.0,
        *,
        cooldown: float = 10.0,
        max_response: int = MAX_RESPONSE,
        traffic: Traffic | None = None,
    ) -> None:
        if not endpoints:
            raise Fatal("no chain endpoint is configured", remedy="set chain.endpoints", code=Exit.CONFIG)
        self.traffic = Traffic() if traffic is None else traffic
        try:
            self._endpoints = [
                Endpoint(url, timeout=timeout, max_response=max_response, traffic=self.traffic)
                for url in endpoints
            ]
        except ValueError as error:
            remedy = "write http:// or https://, a host and, if need be, a port, as in http://127.0.0.1:8545"
            raise Fatal(str(error), remedy=remedy, code=Exit.CONFIG) from error
        self.chain_id = chain_id
        self._cooldown = cooldown
        self.forms = HeaderForms()
        self._surveyed_at = -_SURVEY_EVERY
        self._survey: asyncio.Task[None] | None = None

    async def ask(self, method: str, params: Sequence[object], parse: Callable[[object], T]) -> T:
        """Asks the endpoints in turn, the best first; see the class for errors."""
        failures: dict[Endpoint, Exception] = {}
        for attempt in range(_PASSES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            for endpoint in self._in_order():
                try:
                    return await self._ask(endpoint, method, params, parse)
                except RpcError as error:
                    failures[endpoint] = error
                    if is_final(error):
                        raise
                except (EndpointDown, Malformed, AnswerTooLarge) as error:
                    failures[endpoint] = error
            if _is_wide(method, params):
                break  # asking for less helps, asking again does not
        raise self._failure(failures)

    def taken(self, header: Header) -> Header:
        """See `HeaderForms.take`."""
        return self.forms.take(header)

    def pinned(self) -> ChainReader:
        """A reader that stays with the best endpoint: answers that must agree must come from one node.

        Its requests are not repeated elsewhere; after a Transient take a new one.
        """
        return _Pinned(self, self._in_order()[0])

    def readers(self) -> list[ChainReader]:
        """One pinned reader an endpoint, the best first: for evidence that any one of them may hold."""
        return [_Pinned(self, endpoint) for endpoint in self._in_order()]

    def by_endpoint(self) -> list[tuple[str, ChainReader]]:
        """The name of every endpoint with a reader pinned to it, in order of preference."""
        return [(endpoint.name, _Pinned(self, endpoint)) for endpoint in self._endpoints]

    @property
    def preferred(self) -> int:
        """Which of `endpoints` is asked first now."""
        return self._endpoints.index(self._in_order()[0])

    async def check(self) -> None:
        """Asks every endpoint for its chain and its head.

        Raises: Fatal (every one serves another chain); Transient (none that answers serves this one).
        """
        failures = await self._look_at_all(self._endpoints)
        if len(failures) < len(self._endpoints):
            return
        failure = self._failure(failures)
        # One that is down for a moment may be the right one.
        if all(isinstance(item, OtherChain) for item in failures.values()):
            raise Fatal(
                failure.message,
                remedy="correct chain.endpoints or use the deployment file of that chain",
                code=Exit.WRONG_CHAIN,
            )
        raise failure

    def survey(self, block: float = 0.0) -> None:
        """Compares the endpoints' chains and heads in the background.

        Every few seconds at most; where blocks take longer, `block` seconds, once a block, since nobody
        falls behind sooner, but not more rarely than every `_SURVEY_RARELY`. One that has just named its head
        is not asked again, and a single one is compared with nothing: its chain is asked for as it is used.
        """
        now = time.monotonic()
        every = max(_SURVEY_EVERY, min(block, _SURVEY_RARELY))
        if len(self._endpoints) == 1 or now - self._surveyed_at < every:
            return
        if self._survey is None or self._survey.done():
            self._surveyed_at = now
            self._survey = asyncio.create_task(self._survey_all(), name="endpoint-survey")

    async def is_silent(self) -> bool:
        """Whether no endpoint answers. They are asked, unless one answered within the last second."""
        now = time.monotonic()
        heard = (endpoint.health.answered_at for endpoint in self._endpoints)
        if any(at is not None and now - at < _FRESH for at in heard):
            return False
        try:
            async with asyncio.timeout(_LISTENS):
                await self.ask("eth_blockNumber", [], quantity)
        except RpcError:  # a refusal is an answer
            return False
        except (Transient, TimeoutError):
            return True
        return False

    async def close(self) -> None:
        """Closes all connections."""
        if self._survey is not None:
            self._survey.cancel()
            await asyncio.gather(self._survey, return_exceptions=True)
        for endpoint in self._endpoints:
            await endpoint.disconnect()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """In order of preference, each with its health and counts."""
        return self._endpoints

    # -------------------------------------------------------------- which endpoint

    def _in_order(self) -> list[Endpoint]:
        now = time.monotonic()

        def rank(endpoint: Endpoint) -> tuple[bool, float, bool, bool]:
            health = endpoint.health
            rests = max(0.0, health.rests_until - now)
            return (health.wrong_chain is not None, rests, health.doubted_until > now, health.lags)

        return sorted(self._endpoints, key=rank)  # stable: otherwise in order of preference

    async def confirm_chain(self, reader: ChainReader) -> None:
        """Asks a pinned reader's endpoint for its chain id now. Raises: Transient when it is another."""
        if isinstance(reader, _Pinned):
            reader.endpoint.health.checked_at = None
        await reader.ask("eth_chainId", [], quantity)

    def rest(self, reader: ChainReader, why: str) -> None:
        """Leaves the endpoint of a pinned reader alone for a while: it contradicts itself."""
        if isinstance(reader, _Pinned):
            self._rest(reader.endpoint, "a contradiction", why)
            reader.endpoint.health.doubted_until = time.monotonic() + _DOUBT

    def _rest(self, endpoint: Endpoint, method: str, why: str) -> None:
        health = endpoint.health
        if health.rests_until <= time.monotonic():
            log.warning("endpoint.rested", endpoint=endpoint.name, method=method, why=why)
        health.rests_until = time.monotonic() + self._cooldown
        # Whatever answers there next may be another node.
        health.checked_at = None

    async def _survey_all(self) -> None:
        # A survey only ranks endpoints: what it finds wrong is told where a request fails.
        with contextlib.suppress(Exception):
            since = time.monotonic() - _FRESH
            await self._look_at_all([item for item in self._endpoints if item.health.head_at < since])

    async def _look_at_all(self, asked: Sequence[Endpoint]) -> dict[Endpoint, Exception]:
        found = await asyncio.gather(*(self._look_at(endpoint) for endpoint in asked))
        mark_lagging(self._endpoints)
        return {
            endpoint: failure for endpoint, failure in zip(asked, found, strict=True) if failure is not None
        }

    async def _look_at(self, endpoint: Endpoint) -> Exception | None:
        endpoint.health.checked_at = None
        try:
            async with asyncio.timeout(_SURVEY_TIMEOUT):
                head = await self._ask(
                    endpoint,
                    "eth_getBlockByNumber",
                    [block_parameter("latest"), False],
                    lambda raw: self.taken(asked_header("latest", raw)),
                )
        except TimeoutError:
            self._rest(endpoint, "eth_getBlockByNumber", "no answer")
            return EndpointDown(f"no answer within {_SURVEY_TIMEOUT:g} s")
        except (EndpointDown, Transient) as failure:
            return failure
        endpoint.health.named(head.ref)
        return None

    # -------------------------------------------------------------- one request

    async def _ask(
        self, endpoint: Endpoint, method: str, params: Sequence[object], parse: Callable[[object], T]
    ) -> T:
        wide = _is_wide(method, params)
        try:
            await self._check_chain(endpoint)
            answer = await endpoint.ask(method, list(params))
            error = answer.get("error")
            if error is not None:
                raise refusal_of(method, cast(Mapping[str, object], error))
            return parse(answer.get("result"))
        except TooLarge as error:
            raise AnswerTooLarge(f"{method}: the answer of {endpoint.name} is too large ({error})") from error
        except RpcError as error:
            if not wide and not is_final(error) and is_busy(error):
                self._rest(endpoint, method, str(error))
            raise
        except (EndpointDown, Malformed) as error:
            # A range that is too wide fails in every way: that says nothing of the endpoint.
            if not wide and not isinstance(error, OtherChain):
                self._rest(endpoint, method, str(error))
            raise

    async def _check_chain(self, endpoint: Endpoint) -> None:
        """Before the first use, after a failure, and now and then: a URL may come to mean another node."""
        health = endpoint.health
        if health.checked_at is not None and time.monotonic() - health.checked_at < _CHAIN_HOLDS:
            return
        answer = await endpoint.ask("eth_chainId", [])
        if answer.get("error") is not None:
            raise EndpointDown("eth_chainId was refused")
        found = quantity(answer.get("result"))
        if found != self.chain_id:
            if health.wrong_chain != found:
                log.error(
                    "endpoint.excluded", endpoint=endpoint.name, serves=found, wanted=self.chain_id,
                    remedy="correct chain.endpoints; it is not used until it serves this chain",
                )  # fmt: skip
            health.wrong_chain, health.checked_at = found, None
            raise OtherChain(f"it serves chain {found}, not {self.chain_id}")
        health.wrong_chain, health.checked_at = None, time.monotonic()

    def _failure(self, failures: Mapping[Endpoint, Exception]) -> Transient:
        """What to raise when no endpoint helped: the failure that says most."""
        for kind in (RpcError, AnswerTooLarge, Malformed):
            for error in failures.values():
                if isinstance(error, kind):
                    return error
        listed = "; ".join(f"{endpoint.name}: {error}" for endpoint, error in failures.items())
        if any(isinstance(error, OtherChain) for error in failures.values()):
            return Transient(
                f"no endpoint serves chain {self.chain_id} ({listed})",
                remedy="correct chain.endpoints or use the deployment file of that chain",
                code=Exit.WRONG_CHAIN,
            )
        return Transient(
            f"no chain endpoint answers ({listed})",
            remedy="start the chain's node, or correct the endpoint (chain.endpoints, --rpc)",
            code=Exit.CHAIN_UNREACHABLE,
        )


class _Pinned(ChainReader):
    def __init__(self, rpc: Rpc, endpoint: Endpoint) -> None:
        self._rpc = rpc
        self.endpoint = endpoint

    async def head(self) -> Header:
        newest = await super().head()
        self.endpoint.health.named(newest.ref)
        return newest

    def taken(self, header: Header) -> Header:
        return self._rpc.taken(header)

    async def ask(self, method: str, params: Sequence[object], parse: Callable[[object], T]) -> T:
        tries = 1 if _is_wide(method, params) else _TRIES
        for attempt in range(tries):
            started = time.monotonic()
            try:
                return await self._rpc._ask(self.endpoint, method, params, parse)
            except (EndpointDown, Malformed) as error:
                # One answer of many goes wrong somewhere: asked again at once. Silence is not: it costs time.
                if attempt + 1 == tries or time.monotonic() - started > _QUICK:
                    raise self._rpc._failure({self.endpoint: error}) from error
                await asyncio.sleep(_PAUSE_PINNED)
        raise AssertionError("unreachable")


def _is_wide(method: str, params: Sequence[object]) -> bool:
    """Whether the request is for the logs of more than one block."""
    query = params[0] if method == "eth_getLogs" and params else None
    return isinstance(query, Mapping) and query.get("fromBlock") != query.get("toBlock")
