"""One JSON-RPC endpoint over HTTP: timeouts, a size cap, and no retries.

Not web3's `AsyncHTTPProvider`, which opens a new connection per request, takes a thread-pool lock each time,
reads answers of any size and retries inside; here connections are kept alive, an answer is cut off at the cap
while it streams, and whoever calls decides what a failure means.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp

from jepanet.traffic import Traffic
from jepanet.types import BlockRef

_IN_FLIGHT = 32
_READ_SIZE = 1 << 16
_SHORTEST_SECRET = 8
"""Shorter words of a URL (v3, mainnet) say nothing, and a refusal may need them."""


class EndpointDown(Exception):
    """The endpoint gave no usable JSON-RPC answer. `failover` turns it into a question to another one."""


class OtherChain(EndpointDown):
    """The endpoint serves another chain than the one it is configured for."""


class TooLarge(Exception):
    """The answer passed the size cap. Another endpoint would not help; asking for less would."""


@dataclass
class Health:
    """What the last answers of an endpoint showed. Times are of the monotonic clock.

    `checked_at`: when it last named the right chain, None before. `rests_until`: it failed. `wrong_chain`:
    the chain it serves instead; it is asked nothing else until it names the right one. `head`: the newest
    block it named, at `head_at`; `lags`: others are ahead of it. `doubted_until`: it contradicted itself
    again and again; until then the others are not measured by its head. `answered_at`: its last usable
    answer.
    """

    checked_at: float | None = None
    rests_until: float = 0.0
    wrong_chain: int | None = None
    head: BlockRef | None = None
    head_at: float = -math.inf
    lags: bool = False
    doubted_until: float = 0.0
    answered_at: float | None = None

    def named(self, head: BlockRef) -> None:
        """It has just answered that this is its newest block."""
        self.head, self.head_at = head, time.monotonic()


@dataclass
class Counts:
    """Requests since the start, those of them without a usable answer, and the seconds all took together."""

    requests: int = 0
    failures: int = 0
    seconds: float = 0.0


class Endpoint:
    """Requests to one URL.

    Args:
        url: http or https. Credentials and paths (API keys) never appear in `name`, errors or logs.
        timeout: seconds for a whole request, from connecting to the last byte.
        max_response: bytes of an answer's body.
        traffic: told the bytes of every body, under `name`.
    """

    def __init__(
        self, url: str, *, timeout: float, max_response: int, traffic: Traffic | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            named = (
                f"{name_of(url)} is" if parts.scheme and parts.hostname else "the address of an endpoint is"
            )
            raise ValueError(f"{named} no http(s) URL")
        self.name = name_of(url)
        self.health = Health()
        self.counts = Counts()
        self._flow = (Traffic() if traffic is None else traffic).endpoint(self.name)
        self._url = url
        # What providers quote in their refusals, keys among it.
        words = (parts.username, parts.password, *parts.path.split("/"), *re.split("[&=]", parts.query))
        self._secrets = tuple({word for word in words if word and len(word) >= _SHORTEST_SECRET})
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._max_response = max_response
        self._session: aiohttp.ClientSession | None = None
        self._numbers = count()
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    async def ask(self, method: str, params: Sequence[object]) -> Mapping[str, object]:
        """One request, one answer (with `result` or `error`, which is an object).

        Raises:
            EndpointDown: no connection, a timeout, an HTTP failure, or something that is not JSON-RPC.
            TooLarge: the answer passed the cap.
        """
        begun, self.counts.requests = time.monotonic(), self.counts.requests + 1
        try:
            answer = await self._exchange(method, params)
            self.health.answered_at = time.monotonic()
            return answer
        except EndpointDown:
            self.counts.failures += 1
            raise
        finally:
            self.counts.seconds += time.monotonic() - begun

    async def _exchange(self, method: str, params: Sequence[object]) -> Mapping[str, object]:
        number = next(self._numbers)
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
        if self._session is None:
            counted = aiohttp.TraceConfig()
            counted.on_request_chunk_sent.append(self._count)
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=_IN_FLIGHT),
                trace_configs=[counted],
            )
        headers = {"Content-Type": "application/json"}
        try:
            async with self._slots, self._session.post(self._url, data=body, headers=headers) as response:
                raw = await self._read(response)
                status = response.status
        except TimeoutError as error:
            raise EndpointDown(f"no answer within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            # aiohttp puts the URL (and an API key in it) into some messages: keep the kind only.
            raise EndpointDown(type(error).__name__) from error
        if status in (401, 403, 429):
            raise EndpointDown(f"HTTP {status}")
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise EndpointDown(f"HTTP {status} without JSON") from error
        if not isinstance(answer, dict):
            raise EndpointDown(f"HTTP {status} without a JSON-RPC answer")
        # Some providers answer success with `"error": null`, and some an error as plain text.
        refusal = answer.get("error")
        if isinstance(refusal, str):
            answer["error"] = refusal = {"code": 0, "message": refusal}
        if refusal is None and ("result" not in answer or status >= 400):
            raise EndpointDown(f"HTTP {status} without a JSON-RPC answer")
        if refusal is not None and not isinstance(refusal, dict):
            raise EndpointDown(f"HTTP {status} with a malformed error")
        if refusal is not None and isinstance(refusal.get("message"), str):
            for secret in self._secrets:
                refusal["message"] = refusal["message"].replace(secret, "***")
        if answer.get("id") != number:
            raise EndpointDown("the answer is to another request")
        return answer

    async def _count(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        sent: aiohttp.TraceRequestChunkSentParams,
    ) -> None:
        self._flow.went(len(sent.chunk))

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if (response.content_length or 0) > self._max_response:
            raise TooLarge(f"{response.content_length} bytes")
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_chunked(_READ_SIZE):
            size += len(part)
            self._flow.came(len(part))
            if size > self._max_response:
                raise TooLarge(f"more than {self._max_response} bytes")
            parts.append(part)
        return b"".join(parts)

    async def disconnect(self) -> None:
        """Closes the connections; the endpoint may be used again."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def name_of(url: str) -> str:
    """A URL without what may be secret in it: scheme, host, port."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
