"""The proxy: one URL in front of one or more chain nodes, with faults that can be switched while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from chain_proxy.modes import Answer, Call, HungUp, Mode, Reply, encoded

_DEVELOPMENT = ("anvil_", "evm_", "hardhat_")
"""Methods that reach the node whatever is the matter: they are the test's own."""


@dataclass(frozen=True)
class Backend:
    """One of the nodes behind a URL: what is wrong with it, and where it is (None: the proxy's first)."""

    modes: tuple[Mode, ...] = ()
    url: str | None = None


class ChainProxy:
    """Speaks JSON-RPC over HTTP on 127.0.0.1 and forwards to `url`.

    Without a mode it changes nothing. `set` puts one backend with these modes behind the proxy, `balance`
    several, of which each call meets one. What is random follows from the seed, the method and how often that
    method was asked since the modes were switched.

        async with ChainProxy(anvil.url, seed=7) as proxy:
            proxy.set(LogsLag(blocks=3), Slow(seconds=0.2))
            proxy.balance(Backend(), Backend((Behind(blocks=2),)))

    Attributes:
        asked: calls by method.
        met: calls by the name of the mode that changed what came of them.
    """

    def __init__(self, url: str, *, seed: int = 0, port: int = 0) -> None:
        self.asked: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.url = ""
        self._node = url
        self._seed = seed
        self._port = port
        self._backends: tuple[Backend, ...] = (Backend(),)
        self._drawn: Counter[str] = Counter()
        self._views: dict[int, _View] = {}
        self._switched = asyncio.Event()

    def set(self, *modes: Mode, seed: int | None = None) -> None:
        """From the next call on: exactly these modes, none for a healthy endpoint; and a new seed, if any."""
        self.balance(Backend(modes), seed=seed)

    def balance(self, *backends: Backend, seed: int | None = None) -> None:
        """From the next call on: each call meets one of these, drawn by the seed."""
        self._backends = backends
        self._seed = self._seed if seed is None else seed
        self._drawn.clear()
        self._views = {}
        self._switched.set()
        self._switched = asyncio.Event()

    async def __aenter__(self) -> ChainProxy:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_post("/{tail:.*}", self._serve)
        # A caller that has given up must not leave its call behind.
        self._runner = web.AppRunner(
            application, handler_cancellation=True, shutdown_timeout=0.1, access_log=None
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._switched.set()
        await self._runner.cleanup()
        await self._session.close()

    # ------------------------------------------------------------------ one request

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        question = json.loads(await request.read())
        try:
            if isinstance(question, list):
                replies = [await self._reply(item) for item in question]
                reply = encoded([json.loads(each.body) for each in replies])
            else:
                reply = await self._reply(question)
        except (HungUp, aiohttp.ClientError):
            # Held until now, or nobody listens behind us: a connection that ends without a word.
            return self._hang_up(request)
        if not reply.missing:
            return web.Response(body=reply.body, status=reply.status, content_type=reply.kind)
        response = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.kind})
        response.content_length = len(reply.body) + reply.missing
        await response.prepare(request)
        await response.write(reply.body)
        self._hang_up(request)
        return response

    def _hang_up(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    async def _reply(self, question: dict[str, Any]) -> Reply:
        method = str(question["method"])
        self.asked[method] += 1
        self._drawn[method] += 1
        draw = Random(f"{self._seed}/{method}/{self._drawn[method]}")
        call = Call(method, list(question.get("params") or []), question.get("id"), draw)
        chosen = draw.randrange(len(self._backends))
        backend = self._backends[chosen]
        view = self._views.setdefault(chosen, _View(self, backend, self._switched))
        if method.startswith(_DEVELOPMENT):
            return encoded(await view.forward(call))
        modes = [mode for mode in backend.modes if mode.meets(call)]
        return await self._through(modes, call, view)

    async def _through(self, modes: Sequence[Mode], call: Call, view: _View) -> Reply:
        done: Reply | Answer | None = None
        for mode in modes:
            asked = json.dumps(call.params)
            with self._counted(mode) as counts:
                done = await mode.before(call, view)
                counts[0] = mode.always or done is not None or json.dumps(call.params) != asked
            if done is not None:
                break
        if isinstance(done, Reply):
            return done
        answer = done if done is not None else await view.forward(call)
        if done is None:
            for mode in modes:
                found = await mode.after(call, answer, view)
                self.met[type(mode).__name__] += found is not answer
                answer = found
        reply = encoded(answer)
        for mode in modes:
            shaped = await mode.shape(call, reply, view)
            self.met[type(mode).__name__] += shaped is not reply
            reply = shaped
        return reply

    @contextlib.contextmanager
    def _counted(self, mode: Mode) -> Iterator[list[bool]]:
        counts = [True]
        try:
            yield counts
        finally:
            # A call that ends while it is held or delayed was met, too.
            self.met[type(mode).__name__] += counts[0]


class _View:
    """What the modes of one backend may ask and remember (see `modes.Chain`)."""

    def __init__(self, proxy: ChainProxy, backend: Backend, switched: asyncio.Event) -> None:
        self.memory: dict[str, Any] = {}
        self._session = proxy._session
        self._url = backend.url or proxy._node
        self._switched = switched

    async def forward(self, call: Call) -> Answer:
        body = {"jsonrpc": "2.0", "id": call.id, "method": call.method, "params": call.params}
        async with self._session.post(self._url, json=body) as response:
            answer: Answer = await response.json(content_type=None)
            return answer

    async def ask(self, method: str, *params: Any) -> Any:
        return (await self.forward(Call(method, list(params), 1, Random(0)))).get("result")

    async def head(self) -> int:
        return int(await self.ask("eth_blockNumber"), 16)

    async def hold(self) -> None:
        await self._switched.wait()
        raise HungUp


# ------------------------------------------------------------------ beside blocking code


class ProxyThread:
    """Proxies in a thread with an event loop of its own, for tests that block.

        with ProxyThread() as proxies:
            proxy = proxies.start(anvil.url, seed=7)
            proxies.call(proxy.set, Freezes())

    A proxy is switched only through `call`, which runs in its loop.
    """

    def __enter__(self) -> ProxyThread:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chain-proxies", daemon=True)
        self._thread.start()
        self._started: list[ChainProxy] = []
        return self

    def close(self) -> None:
        """Ends every proxy: whoever connects is refused."""
        while self._started:
            asyncio.run_coroutine_threadsafe(self._started.pop().__aexit__(), self._loop).result(20)

    def __exit__(self, *_: object) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def start(self, url: str, *, seed: int = 0, port: int = 0) -> ChainProxy:
        """A running proxy in front of `url`."""

        async def begin() -> ChainProxy:
            return await ChainProxy(url, seed=seed, port=port).__aenter__()

        proxy = asyncio.run_coroutine_threadsafe(begin(), self._loop).result(20)
        self._started.append(proxy)
        return proxy

    def call(self, function: Callable[..., None], *arguments: Any, **options: Any) -> None:
        """Runs `function` in the proxies' loop and waits for it."""

        async def run() -> None:
            function(*arguments, **options)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(20)
