"""`jepanet round watch`: a round as it goes, told by a node that runs on this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import ID, config_option

if TYPE_CHECKING:
    from jepanet.interface.terminal.watched import Watched
    from jepanet.operations.views.watching import SeenRound
    from jepanet.rpc.calling.client import NodeClient
    from jepanet.rpc.calling.events import Event
    from jepanet.settings.config import Config

_LOOK_SECONDS: Final = 2.0
"""Between two looks where nothing is told; a score sheet that arrives is."""
_AFTER_SECONDS: Final = 120.0
"""For receipts and claim of a round that is over."""
_LOCAL_PACE: Final = (
    "A local chain: its windows keep a local pace, seconds for GAP and CHALLENGE, minutes for the others.\n"
    "On a real network they last minutes to days: docs/start/quick-start.md#a-local-pace"
)


@click.command("watch", cls=StrictCommand)
@click.argument("round_id", type=ID, required=False, metavar="[ROUND]")
@config_option
@click.option("--forever", is_flag=True, help="Go on with the next round, until Ctrl-C.")
@click.option("--wait", "patience", type=click.IntRange(0, 86400), default=60, show_default=True,
              help="Seconds to wait for a node that does not run or answer (yet).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event.")
def watch(round_id: int | None, config_path: Path, forever: bool, patience: int, as_json: bool) -> int:
    """Follow ROUND until it is over and paid: its phases and how long each lasts, who committed and revealed,
    what was measured, then the receipts; in between, where it stands, and how far this node's training is.
    Without ROUND the newest one that is not over, or the next to open.

    Asks the running node of the configuration over its JSON-RPC ([rpc] enabled = true), and no endpoint of
    the chain. Ends with 0 once the round is settled, its receipts are read and this node's reward is claimed;
    with 1 if it was cancelled.

    \b
    Examples:
      jepanet round watch --config solver.toml
      jepanet round watch 3 --config solver.toml
      jepanet round watch --forever --json --config solver.toml
    """
    from jepanet.interface.terminal.watched import Watched
    from jepanet.settings.config import load_config

    config = load_config(config_path)
    if not config.rpc.enabled:
        raise Fatal(
            f"the node of {config_path} answers no JSON-RPC: [rpc] enabled is not set",
            remedy="set enabled = true in [rpc] and start the node anew; `jepanet round show` asks the chain",
            code=Exit.CONFIG,
        )
    with Watched(as_json=as_json) as told:
        return asyncio.run(_Watch(config, told, round_id, forever=forever, patience=patience).run())


class _Watch:
    """Which round is watched, and what was seen of it last."""

    def __init__(
        self, config: Config, told: Watched, number: int | None, *, forever: bool, patience: float
    ) -> None:
        self._config = config
        self._told = told
        self._number = number
        self._forever = forever
        self._patience = patience
        self._seen: SeenRound | None = None
        self._after: int | None = None
        self._over_since: float | None = None

    async def run(self) -> int:
        """The exit code. Raises: as `open_client` and its methods, once patience is over."""
        from jepanet.interface.running import may_pass
        from jepanet.rpc.calling.client import open_client, subscribed
        from jepanet.rpc.method import Scope
        from jepanet.rpc.subscribing.topic import Topic

        topics = (Topic.ROUNDS, Topic.SCORES, Topic.TRANSACTIONS)
        silent_since: float | None = None
        while True:
            try:
                async with open_client(self._config, Scope.READ) as node, subscribed(node, *topics) as news:
                    silent_since = None
                    await self._introduce(node)
                    return await self._together(node, news)
            except JepanetError as error:
                silent_since = silent_since or time.monotonic()
                if not may_pass(error) or time.monotonic() - silent_since >= self._patience:
                    raise
                self._told.waiting("the node does not answer; waiting for it")
                await asyncio.sleep(1)

    async def _introduce(self, node: NodeClient) -> None:
        """Once: a node that was started anew is the same."""
        if self._told.me is not None:
            return
        from jepanet.operations.checks.endpoints import LOCAL_CHAINS

        self._told.me = (await node.node_status()).wallet
        if (await node.chain_status()).chain_id in LOCAL_CHAINS:
            self._told.introduced(_LOCAL_PACE)

    async def _together(self, node: NodeClient, news: AsyncIterator[Event]) -> int:
        """Looks whenever something is told, and now and then."""
        bell = asyncio.Event()
        hearing = asyncio.create_task(self._hear(news, bell))
        try:
            while True:
                bell.clear()
                code = await self._look(node)
                if code is not None:
                    return code
                try:
                    await asyncio.wait_for(bell.wait(), _LOOK_SECONDS)
                except TimeoutError:
                    continue
                if hearing.done():
                    await hearing  # raises what ended it
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self, news: AsyncIterator[Event], bell: asyncio.Event) -> None:
        try:
            async for _ in news:
                bell.set()
        finally:
            bell.set()

    async def _look(self, node: NodeClient) -> int | None:
        """Tells what is new; the exit code if that was all there is to see."""
        from jepanet.operations.auditing.happenings import OVER, happenings, is_complete
        from jepanet.rpc.calling.watching import look, next_round, training_now

        if self._number is None:
            self._number = await next_round(node, self._after)
        newest = (await node.rounds_list(limit=1)).items
        if self._number is None:
            what = f"; round {newest[0].round} is {newest[0].phase}" if newest else " yet"
            self._told.waiting(f"no round is open{what}: waiting for the next one")
            return None
        if not newest or newest[0].round < self._number:
            self._told.waiting(f"round {self._number} is not open yet: waiting for it")
            return None
        seen = await look(node, self._number, self._seen)
        for item in happenings(self._seen, seen):
            self._told.happened(item)
        self._seen = seen
        self._told.standing(seen, await training_now(node))
        phase = seen.figures.summary.phase
        if phase in OVER:
            self._over_since = self._over_since or time.monotonic()
        late = self._over_since is not None and time.monotonic() - self._over_since > _AFTER_SECONDS
        if not (late or is_complete(seen)):
            return None
        if late:
            self._told.waiting(
                "its receipts or this node's claim are late; `jepanet receipt` asks others for them"
            )
        if self._forever:
            self._after, self._number, self._seen, self._over_since = self._number, None, None, None
            return None
        return int(Exit.OK if phase == "settled" else Exit.FAILURE)
