"""What `jepanet claim` says and how it ends: the rest is taken out even where a sheet is missing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from jepanet.errors import Exit
from jepanet.interface.cli import main
from jepanet.operations import access
from jepanet.operations.funds import claim as action
from jepanet.operations.reading import history
from jepanet.operations.views.funds import Account, Claimed, RoundClaim
from jepanet.operations.views.json_form import Wei
from jepanet.settings import config
from jepanet.types import Address

pytestmark = pytest.mark.unit

TOKEN = 10**18
CONFIG = SimpleNamespace(p2p=SimpleNamespace(bootstrap=()), node=SimpleNamespace(data_dir=Path("data")))
NOTHING = Wei(0)
WALLET = Account(
    Address("0x" + "1" * 40), NOTHING, Wei(5 * TOKEN), Wei(2 * TOKEN), NOTHING, NOTHING, Wei(2 * TOKEN)
)
ROUNDS = (
    RoundClaim(1, claimed=Wei(3 * TOKEN), verdict="accepted"),
    RoundClaim(2, bond_released=Wei(10 * TOKEN)),
    RoundClaim(3, claimed=Wei(4 * TOKEN), verdict="fee"),
    RoundClaim(4, reason="no peer has it", missing=True),
)


@pytest.fixture(autouse=True)
def logging_is_left_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def ran(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rounds: tuple[RoundClaim, ...],
    *more: str,
) -> tuple[int, str]:
    async def claim(*_: Any, **__: Any) -> Claimed:
        return Claimed(rounds, sum(bool(item.missing) for item in rounds), WALLET)

    @asynccontextmanager
    async def signing(_: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(chain=SimpleNamespace(deployment=None))

    monkeypatch.setattr(config, "load_config", lambda _: CONFIG)
    monkeypatch.setattr(access, "open_signing", signing)
    monkeypatch.setattr(action, "claim", claim)
    monkeypatch.setattr(history, "open_history", signing)
    with pytest.raises(SystemExit) as caught:
        main(["claim", "--config", str(Path("node.toml")), *more])
    return int(caught.value.code or 0), capsys.readouterr().out


def test_a_missing_sheet_is_told_after_everything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = ran(monkeypatch, capsys, ROUNDS)
    assert code == Exit.NO_PEERS
    for words in ("accepted", "bond of 10 back in the stake", "fee", "no peer has it"):
        assert words in said
    assert "stake withdraw" in said, "what lies in the stake is not forgotten"
    code, printed = ran(monkeypatch, capsys, ROUNDS, "--json")
    assert code == Exit.NO_PEERS
    assert json.loads(printed) == {
        "rounds": [
            {"round": 1, "claimed": str(3 * TOKEN), "verdict": "accepted"},
            {"round": 2, "bond_released": str(10 * TOKEN)},
            {"round": 3, "claimed": str(4 * TOKEN), "verdict": "fee"},
            {"round": 4, "reason": "no peer has it", "missing": True},
        ],
        "missing": 1,
        "wallet": {
            "address": "0x" + "1" * 40, "native": "0", "tokens": str(5 * TOKEN),
            "stake_free": str(2 * TOKEN), "stake_locked": "0", "stake_unbonding": "0",
            "withdrawable": str(2 * TOKEN),
        },
    }  # fmt: skip


def test_all_taken_out_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(monkeypatch, capsys, ROUNDS[:3])[0] == Exit.OK
    assert ran(monkeypatch, capsys, ())[0] == Exit.OK
