"""Tables on narrow terminals: numbers stay whole, addresses are shortened before anything is folded."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.arguments.round import show_details
from jepanet.interface.arguments.status import command as status_command
from jepanet.interface.terminal.layout import draw, shortened
from jepanet.interface.terminal.output import json_option, pairs
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import (
    FeeReceipt,
    HeldOut,
    Receipt,
    RoundDetails,
    RoundSummary,
    SheetFigures,
    SheetView,
)
from jepanet.traffic import Traffic
from jepanet.types import Address

pytestmark = pytest.mark.unit

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
PEER = "16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg"
CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
NUMBERS = ("14218", "1,029,023", "12.243", "1,000,000.123456", "-29,023")
COLUMNS = ("round", "who", "gain", "improvement (micro-nats)", "paid", "what to do")


def drawn(capsys: pytest.CaptureFixture[str], *columns: str, rows: Any, **options: Any) -> str:
    draw("Title", columns, rows, **options)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 60, 80, 100, 240])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_no_number_is_cut_and_no_line_too_long(
    capsys: pytest.CaptureFixture[str], width: int, count: int
) -> None:
    row = (NUMBERS[0], ADDRESS, NUMBERS[1], NUMBERS[4], NUMBERS[3], "a remedy in words, at some length " * 3)
    rows = [row[:count], [*row[: count - 1], NUMBERS[2]]]
    text = drawn(capsys, *COLUMNS[:count], rows=rows, width=width)
    words = set(re.findall(r"[-\d,.]*\d", text))
    for cells in rows:
        assert {cell for cell in cells if cell in NUMBERS} <= words, text
    assert max(map(len, text.splitlines())) <= width
    assert ADDRESS in text or "0x7099…79C8" in text
    assert "79C8" in text, "an address is never folded"


def test_addresses_are_whole_where_there_is_room_and_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = (ADDRESS, CID, f"/ip4/203.0.113.7/tcp/4701/p2p/{PEER}")
    for options in ({"width": 240}, {"width": 60, "wide": True}):
        text = drawn(capsys, "wallet", "model", "peer", rows=[row], **options)
        assert all(cell in text for cell in row), text
    text = drawn(capsys, "wallet", "model", "peer", rows=[row], width=60)
    assert not any(cell in text for cell in row)
    assert "0x7099…79C8" in text and "bafkreigh2…52zy" in text and "16Uiu2HA…hYvg" in text


def test_short_forms_leave_everything_else_alone() -> None:
    for text in ("0x12345678", "bafk", "1234567890123456789012345678901234567890", "/ip4/10.0.0.1/tcp/4701"):
        assert shortened(text) == text
    assert shortened(f"owner {ADDRESS}, not 0x{'ab' * 32}") == "owner 0x7099…79C8, not 0xabab…abab"


def test_what_the_terminal_cannot_show_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    draw("± title", ("µ", "b", "c"), [(ADDRESS, "…", "\x1b[2J")], width=30)
    stream.flush()
    assert b"79C8" in raw.getvalue() and b"\x1b" not in raw.getvalue()


def test_wide_reaches_the_table_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import click

    @click.command()
    @json_option
    def show(as_json: bool) -> None:
        pairs("Account", {"address": ADDRESS, "note": "words " * 12})

    monkeypatch.setenv("COLUMNS", "44")
    assert ADDRESS not in CliRunner().invoke(show, []).output
    assert ADDRESS in CliRunner().invoke(show, ["--wide"]).output


DETAILS = RoundDetails(
    RoundSummary(
        round=3, project=1, phase="settled", cause=None, base=CID, model=CID, sheet=CID, commits=2, reveals=2,
        budget=Wei(100 * 10**18), fee=Wei(2 * 10**18), bond=Wei(10**19),
        payout=Wei(14243 * 10**15), improvement=29023,
    ),
    SheetView(
        receipts=(
            Receipt(
                solver=Address(ADDRESS), delta=CID, verdict="accepted", reason="accepted", detail="",
                gain=29023, stderr=4537, measured_on=CID, against=CID, paid=Wei(12243 * 10**15),
                how="(29,023 - 4,537) x 0.0005 = 12.243",
            ),
        ),
        figures=SheetFigures(
            published=True, note="", price=Wei(5 * 10**14), scored_by=1, heldout=HeldOut({}, {}),
            fees=(FeeReceipt(Address("0x" + "Ab" * 20), Wei(2 * 10**18), "2 / 1 verifiers = 2"),),
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_a_round_shows_sums_fees_and_units(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    show_details(DETAILS)
    text = " ".join(re.sub("[│┃]", " ", capsys.readouterr().out).split())
    for words in ("(29,023 - 4,537) x 0.0005 = 12.243", "2 / 1 verifiers = 2", "0.0005 tokens a micro-nat",
                  "100 tokens", "29,023 micro-nats", "micro-nats, paid in tokens", "fee"):  # fmt: skip
        assert words in text or width == "60", text
    assert "(29,023" in text and "12.243" in text
    assert "14.243 tokens: 12.243 to solvers, 2 in fees" in text or width == "60", text
    for words in (
        "a micro-nat is a millionth of a nat",
        "since that much may be chance",
        "(gain - s.e.) x price",
    ):
        assert words in text, "the columns are explained"


def test_the_status_of_a_dead_node_is_no_success(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        '[node]\ndata_dir = "data"\nroles = ["solver"]\n[wallet]\ndirectory = "w"\n'
        '[chain]\nendpoints = ["http://127.0.0.1:1"]\ndeployment = "d.json"\n'
    )
    asked = ["--config", str(config), "--json"]
    done = CliRunner().invoke(status_command, asked)
    assert isinstance(done.exception, Fatal) and done.exception.code is Exit.NOT_FOUND
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "status.json"
    for text in ("", "[]", "{}", "null", '"x"', '{"pid": 1}', "[" * 100_000):
        file.write_text(text)
        done = CliRunner().invoke(status_command, asked)
        assert isinstance(done.exception, Fatal), (text[:10], done.exception)
        assert done.exception.code is Exit.NOT_FOUND
    status = {
        "written": 1, "moment": ["gone", 1.0], "pid": 999_999_999, "process": "gone", "wallet": ADDRESS,
        "roles": ["solver"], "peer": PEER, "addresses": [f"/ip4/203.0.113.7/tcp/4701/p2p/{PEER}"], "peers": 0,
        "chain": {"head": 14218, "confirmed": 14210, "timestamp": 1, "head_age": 0.5, "head_old": False,
                  "stalled": False, "incomplete": False},
        "projects": [], "work": None, "rpc": None, "rounds": [], "duties": [], "log_lines_lost": 0,
        "traffic": Traffic().totals(),
    }  # fmt: skip
    file.write_text(json.dumps(status))
    done = CliRunner().invoke(status_command, asked)
    assert isinstance(done.exception, Fatal) and done.exception.code is Exit.NOT_RUNNING
    assert str(config) in done.exception.message
    assert f"jepanet node run --config {config};" in str(done.exception.remedy)
    assert json.loads(done.stdout)["running"] is False
    done = CliRunner().invoke(status_command, asked[:2], env={"COLUMNS": "60"})
    assert f": /ip4/203.0.113.7/tcp/4701/p2p/{PEER}\n" in done.stdout, "an address to hand on is whole"
    assert "14218 / 14210" in done.stdout
