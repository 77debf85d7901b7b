"""What `jepanet claim` says and how it ends: the rest is taken out even where a sheet is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from jepanet.errors import Exit
from jepanet.interface.cli import main
from jepanet.operations.funds import claims

pytestmark = pytest.mark.unit

WALLET = {
    "address": "0x" + "1" * 40, "native": "0", "tokens": str(5 * 10**18), "stake_free": str(2 * 10**18),
    "stake_locked": "0", "stake_unbonding": "0", "credit": "0",
}  # fmt: skip
ROUNDS: list[dict[str, Any]] = [
    {"round": 1, "claimed": str(3 * 10**18), "verdict": "accepted"},
    {"round": 2, "bond_released": str(10**19)},
    {"round": 3, "swept": str(4 * 10**18)},
    {"round": 4, "reason": "no peer has it", "missing": True},
]


@pytest.fixture(autouse=True)
def logging_is_left_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def ran(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rounds: list[dict[str, Any]],
    *more: str,
) -> tuple[int, str]:
    async def claim(*_: Any, **__: Any) -> dict[str, Any]:
        missing = sum("missing" in item for item in rounds)
        return {"rounds": rounds, "missing": missing, "withdrawn": str(7 * 10**18), "wallet": WALLET}

    monkeypatch.setattr(claims, "claim", claim)
    with pytest.raises(SystemExit) as caught:
        main(["claim", "--config", str(Path("node.toml")), *more])
    return int(caught.value.code or 0), capsys.readouterr().out


def test_a_missing_sheet_is_told_after_everything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = ran(monkeypatch, capsys, ROUNDS)
    assert code == Exit.NO_PEERS
    for words in ("accepted", "bond of 10 back in the stake", "unclaimed pay", "no peer has it"):
        assert words in said
    assert "withdrawn to the wallet: 7 tokens" in said
    assert "stake unbond" in said, "what lies in the stake is not forgotten"
    code, printed = ran(monkeypatch, capsys, ROUNDS, "--json")
    assert code == Exit.NO_PEERS
    assert json.loads(printed)["missing"] == 1


def test_all_taken_out_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(monkeypatch, capsys, ROUNDS[:3])[0] == Exit.OK
    assert ran(monkeypatch, capsys, [])[0] == Exit.OK
