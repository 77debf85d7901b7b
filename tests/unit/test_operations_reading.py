"""A history that is held open: one failure is not the last word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.chain.following.follower import FollowedBlock, FollowerStep
from jepanet.errors import Transient
from jepanet.operations.reading import history
from jepanet.operations.reading.history import History
from jepanet.types import BlockRef

pytestmark = pytest.mark.unit

HEAD = BlockRef(1, bytes(32), 1)


@dataclass
class FollowerDouble:
    """Its first generator raises, as that of a follower whose journal or endpoints fail it."""

    failures: list[Exception] = field(default_factory=lambda: [Transient("no endpoint answers")])

    async def steps(self) -> AsyncIterator[FollowerStep[Any]]:
        if self.failures:
            raise self.failures.pop()
        block: FollowedBlock[Any] = FollowedBlock(HEAD, bytes(32), ())
        yield FollowerStep(rewind_to=None, blocks=(block,), reset=False, head=HEAD.number)


async def test_after_a_failure_the_next_call_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "Follower", lambda *_given, **_named: FollowerDouble())
    deployment = SimpleNamespace(followed=(), anchor=HEAD)
    chain: Any = SimpleNamespace(rpc=None, deployment=deployment)
    read = History(chain)
    with pytest.raises(Transient):
        await read.state()
    assert (await read.state()).block == HEAD
    await read.close()
