"""Of how many rounds there are, an endpoint that lags behind does not decide: a stake hangs on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.requests import ChainReader
from jepanet.errors import Transient
from jepanet.operations.backups.release import newest_round
from jepanet.types import Address

pytestmark = pytest.mark.unit

T = TypeVar("T")
ACCOUNT = Address("0x" + "1" * 40)
DEPLOYMENT = Deployment(31337, 5, bytes(32), 1000, ACCOUNT, ACCOUNT, ACCOUNT, 3)


class Knows(ChainReader):
    """An endpoint that knows of so many rounds; None: it does not answer."""

    def __init__(self, rounds: int | None) -> None:
        self._rounds = rounds

    async def ask(self, method: str, params: Sequence[object], parse: Callable[[object], T]) -> T:
        if self._rounds is None:
            raise Transient("no answer")
        assert method == "eth_call"
        return parse(f"0x{self._rounds:064x}")


@pytest.mark.parametrize("known", [(5, 9), (9, 5), (None, 9), (5, 9, None, 0)])
async def test_attack_an_endpoint_that_lags_behind_does_not_make_old_rounds_new(
    known: tuple[int | None, ...],
) -> None:
    assert await newest_round([Knows(item) for item in known], DEPLOYMENT) == 9


async def test_where_nobody_answers_nothing_is_released() -> None:
    with pytest.raises(Transient):
        await newest_round([Knows(None), Knows(None)], DEPLOYMENT)
