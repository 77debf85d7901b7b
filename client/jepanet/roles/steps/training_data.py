"""The shards that a round assigns to a solver: some are fetched before it trains, the others meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence

from jepanet.cid import to_cid
from jepanet.errors import Rejected, Transient
from jepanet.protocol.assignment import training_shards
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.documents import PublicFile, PublicShards, RecipeSummary
from jepanet.roles.steps.obtain import obtain, round_pin, stored
from jepanet.storage.blobs.blob_files import place_of
from jepanet.telemetry import get_logger
from jepanet.types import Address, Digest, Phase
from jepanet.work.requests.files import TrainingShard

log = get_logger("solver")

PAUSE = 2.0
"""Seconds until a shard that nobody had is asked for again."""
PATIENCE = 30.0
"""Seconds without a step after which a training is ended whose next shard nobody has: meanwhile the worker
does nothing, and other rounds wait for it."""


class Steps:
    """When a running training last got on."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def made(self) -> None:
        self._last = time.monotonic()

    @property
    def stand_still(self) -> bool:
        return time.monotonic() - self._last > PATIENCE


def assigned_shards(
    context: Context,
    round_: Round,
    recipe: RecipeSummary,
    shards: PublicShards,
    solver: Address | None = None,
) -> tuple[PublicFile, ...]:
    """The training shards that the round's seed assigns to a solver, in the order of training; `solver`
    None: to this wallet."""
    indices = training_shards(
        context.chain_id,
        context.rounds_address,
        round_.project_id,
        round_.id,
        solver or context.me,
        round_.seed,
        count=len(shards.training),
        wanted=recipe.shards,
    )
    return tuple(shards.training[index] for index in indices)


def read_at_once(recipe: RecipeSummary, shards: Sequence[PublicFile]) -> int:
    """How many of the assigned shards a training reads before its first step."""
    return min(recipe.mix, len(shards))


async def obtain_first(
    context: Context,
    round_: Round,
    recipe: RecipeSummary,
    shards: Sequence[PublicFile],
    missed: Collection[Digest] = (),
) -> tuple[TrainingShard, ...]:
    """Obtains the shards that are read at once, and those that an earlier training `missed`; says where all
    of them lie or will lie.

    They are pinned for this round only: anybody may open projects, and what is pinned for good fills the
    store.

    Raises: Transient, Rejected as `obtain`, naming the shard.
    """
    first = read_at_once(recipe, shards)
    for shard in (*shards[:first], *(item for item in shards[first:] if item.digest in missed)):
        await _obtain(context, round_, shard)
    here = [TrainingShard(stored(context, item.digest), item.digest, item.bytes) for item in shards[:first]]
    later = [
        TrainingShard(place_of(context.blobs.root, item.digest), item.digest, item.bytes, awaited=True)
        for item in shards[first:]
    ]
    return (*here, *later)


async def set_damaged_aside(context: Context, shards: Sequence[PublicFile]) -> None:
    """Reads through what is stored of these shards: what is damaged is fetched when it is next wanted."""
    for shard in shards:
        if context.blobs.has(shard.digest):
            await asyncio.to_thread(context.blobs.sound, shard.digest)


async def bring(
    context: Context, round_: Round, shards: Sequence[PublicFile], steps: Steps, missed: set[Digest]
) -> None:
    """Obtains shards one after the other, while a training waits for them.

    Raises:
        Transient: one of them had no provider before the time to commit was over, or while the training made
            no step for `PATIENCE`. It is then among the `missed`: the next training begins when it is here.
        Rejected: one is larger than its manifest says.
    """
    for shard in shards:
        while True:
            try:
                await _obtain(context, round_, shard)
                break
            except Transient as error:
                if context.round(round_.id).phase(context.state().now) is not Phase.COMMIT:
                    raise
                if steps.stand_still:
                    missed.add(shard.digest)
                    raise
                log.info("shard.missed", round=round_.id, shard=to_cid(shard.digest), why=str(error),
                         then="asked for again")  # fmt: skip
                await asyncio.sleep(PAUSE)


async def _obtain(context: Context, round_: Round, shard: PublicFile) -> None:
    name = f"training shard {to_cid(shard.digest)}"
    try:
        await obtain(context, shard.digest, kind="shard", max_bytes=shard.bytes, pin=round_pin(round_.id))
    except Transient as error:
        raise Transient(f"{name}: {error.message}", remedy=error.remedy, code=error.code) from error
    except Rejected as error:
        raise Rejected(f"{name}: {error.message}", reason=error.reason, remedy=error.remedy) from error
