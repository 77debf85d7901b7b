"""The thread behind blocking calls: what another thread's end of it means for who waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jepanet.errors import Exit, Fatal
from jepanet.interface.python.blocking import LoopThread

pytestmark = pytest.mark.unit


def test_who_waits_while_another_thread_closes_is_told_so() -> None:
    thread, caught = LoopThread(), []
    begun = threading.Event()

    async def long() -> None:
        begun.set()
        await asyncio.sleep(60)

    def wait() -> None:
        with pytest.raises(Fatal, match="closed") as refused:
            thread.run(long())
        caught.append(refused.value.code)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert begun.wait(10)
    thread.end()
    waiting.join(10)
    assert caught == [Exit.USAGE]


@pytest.mark.filterwarnings("error")
def test_who_comes_between_the_question_and_the_end_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = LoopThread()
    thread.end()
    monkeypatch.setattr(thread._stopping, "is_set", lambda: False)
    with pytest.raises(Fatal, match="closed"):
        thread.run(asyncio.sleep(0))
