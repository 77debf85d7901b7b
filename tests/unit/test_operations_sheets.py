"""Score sheets of strangers: each is held beside what the chain recorded before it is believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jepanet.cid import Codec, digest_of, to_cid
from jepanet.errors import Rejected, Transient
from jepanet.operations.auditing.rounds import read_sheet
from jepanet.operations.projects.course import Course
from jepanet.operations.reading import sheets as sheets_module
from jepanet.operations.reading.chronicle import Chronicle
from jepanet.operations.reading.library import Library
from jepanet.operations.reading.sheets import Sheets, key_of
from jepanet.protocol.settling.sheet import ScoreSheet, encode_sheet
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.protocol.state import Round
from jepanet.types import Digest, ProjectId, RoundId
from round_samples import digest
from rpc_node import FACTS, OUTCOME, SHEET_BYTES, SPEC_BYTES, a_round

pytestmark = pytest.mark.unit


class Shelf:
    """A library: what it holds, and who is asked for the rest in vain."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[Digest] = []
        self.takes: Callable[[], None] = lambda: None

    def add(self, data: bytes) -> Digest:
        found = digest_of(data)
        (self.folder / found.hex()).write_bytes(data)
        return found

    def has(self, what: bytes) -> bool:
        return (self.folder / what.hex()).is_file()

    def place(self, what: bytes, codec: Codec) -> Path:
        return self.folder / "nowhere"

    async def get(self, what: str, wanted: Digest, codec: Codec, *, max_bytes: int) -> Path:
        if what == "score sheet":
            self.asked.append(wanted)
        self.takes()
        if not self.has(wanted):
            raise Transient("nobody serves it")
        return self.folder / wanted.hex()


def sheets_of(shelf: Shelf, **changes: Any) -> Sheets:
    library: Any = shelf
    return Sheets(library, **changes)


def of_round(number: int, sheet: Digest, **changes: Any) -> Round:
    """A round whose recorded result is that of `OUTCOME` but for some fields."""
    made = a_round(number, sheet, FACTS.spec)
    assert made.recorded is not None
    return replace(made, recorded=replace(made.recorded, **changes))


def facts(_: Round) -> RoundFacts:
    return FACTS


RICH = replace(OUTCOME, rows=tuple(replace(row, amount=10**27) for row in OUTCOME.rows))
LIES: dict[str, tuple[ScoreSheet, dict[str, Any]]] = {
    "round": (replace(OUTCOME, round_id=RoundId(6)), {}),
    "project": (replace(OUTCOME, project_id=ProjectId(2)), {}),
    "rules": (replace(OUTCOME, spec=digest("other")), {}),
    "base": (replace(OUTCOME, base=digest("other")), {}),
    "evaluation shard": (replace(OUTCOME, shard=digest("other")), {}),
    "model": (replace(OUTCOME, model=digest("other")), {}),
    "payments": (RICH, {}),
    "payout": (OUTCOME, {"payout": OUTCOME.payout + 1}),
}


def test_the_sheet_of_its_round_is_read() -> None:
    assert len(read_sheet(SHEET_BYTES, None, of_round(7, digest_of(SHEET_BYTES)), FACTS).receipts) == 3


@pytest.mark.parametrize("what", LIES)
def test_attack_a_sheet_that_says_otherwise_than_the_chain_is_not_believed(what: str) -> None:
    sheet, recorded = LIES[what]
    data = encode_sheet(sheet)
    with pytest.raises(Rejected, match=rf"round 7: .* altered: .*{what}") as refused:
        read_sheet(data, None, of_round(7, digest_of(data), **recorded), FACTS)
    assert refused.value.reason == "altered"


def test_attack_a_sheet_that_grants_nobody_anything_has_no_root() -> None:
    data = encode_sheet(replace(OUTCOME, rows=(), fees=()))
    with pytest.raises(Rejected, match="payments and payout"):
        read_sheet(data, None, of_round(7, digest_of(data)), FACTS)


async def test_attack_the_sheet_of_another_round_with_the_same_hash_is_told_and_counts_for_nothing(
    tmp_path: Path,
) -> None:
    shelf = Shelf(tmp_path)
    kept = shelf.add(SHEET_BYTES)
    its_own, forged = of_round(7, kept), of_round(77, kept)
    sheets = sheets_of(shelf)
    assert await sheets.fetch_next([its_own, forged], facts) and sheets.trouble is None
    assert await sheets.of(its_own, FACTS) is not None and await sheets.of(forged, FACTS) is None
    assert await sheets.fetch_next([its_own, forged], facts)
    assert (
        sheets.trouble is not None and "round 77" in sheets.trouble.what and "altered" in sheets.trouble.what
    )
    nothing: Any = None
    course = Course(nothing, Chronicle(), sheets.read, nothing, (its_own, forged))
    assert course.sheet(its_own) is not None and course.sheet(forged) is None


async def test_attack_sheets_that_nobody_serves_starve_no_older_round(tmp_path: Path) -> None:
    """Forty rounds of strangers, each of which takes a second to find out about: more than one rests for."""
    shelf, now = Shelf(tmp_path), [0.0]

    def second() -> None:
        now[0] += 1.0

    shelf.takes = second
    mine = of_round(7, shelf.add(SHEET_BYTES))
    strangers = [of_round(number, digest(f"nobody has {number}")) for number in range(50, 10, -1)]
    sheets = sheets_of(shelf, clock=lambda: now[0])
    for _ in range(41):
        assert await sheets.fetch_next([*strangers, mine], facts)
    assert list(sheets.read) == [key_of(mine)]
    assert len(set(shelf.asked)) == 41, "each once before any is asked for again"
    now[0] += 100.0
    for _ in range(40):
        await sheets.fetch_next([*strangers, mine], facts)
    assert shelf.asked[41:] == shelf.asked[:40], "and then in the order in which they were tried"


async def test_attack_what_was_read_of_rounds_that_are_gone_is_forgotten(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    here, lost = of_round(7, shelf.add(SHEET_BYTES)), of_round(8, digest("nobody has it"))
    sheets = sheets_of(shelf)
    assert await sheets.fetch_next([here, lost], facts) and await sheets.fetch_next([here, lost], facts)
    known = sheets.read
    assert await sheets.fetch_next([here], facts) is False and sheets.read is known
    assert await sheets.fetch_next([], facts) is False
    assert not sheets.read and not sheets._rests


def names(folder: Path) -> list[str]:
    return [item.name for item in folder.iterdir()]


class Peers:
    """A network whose peers serve everything that was put in."""

    def __init__(self) -> None:
        self.blobs: dict[bytes, bytes] = {}
        self.fetched: list[bytes] = []

    async def fetch(self, wanted: bytes, *, max_bytes: int, directory: Path) -> Path:
        if wanted not in self.blobs:
            raise Transient("nobody serves it")
        self.fetched.append(wanted)
        path = directory / "part"
        path.write_bytes(self.blobs[wanted])
        return path

    async def peers(self) -> list[str]:
        return ["one"]


async def test_attack_sheets_of_strangers_fill_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the bound what was fetched is let go once it was read, and fetched again for who looks at it."""
    peers = Peers()

    async def connected() -> Any:
        return peers

    library = Library(tmp_path, connected)
    library._waited = True
    own = tmp_path / to_cid(digest("of another command"), "dag-json")
    own.write_bytes(b"{}")
    peers.blobs = {digest_of(SHEET_BYTES): SHEET_BYTES, FACTS.spec: SPEC_BYTES}
    kept, wrong = of_round(7, digest_of(SHEET_BYTES)), of_round(77, digest_of(SHEET_BYTES))
    now = [0.0]
    monkeypatch.setattr(sheets_module, "_MOST_HELD", 2 + len(SPEC_BYTES) + len(SHEET_BYTES))
    roomy = Sheets(library)
    assert await roomy.fetch_next([kept], facts) and len(names(tmp_path)) == 3
    for item in peers.blobs:
        library.discard(item, "dag-json")
    monkeypatch.setattr(sheets_module, "_MOST_HELD", 2 + len(SPEC_BYTES) + len(SHEET_BYTES) - 1)
    full, peers.fetched = Sheets(library, clock=lambda: now[0]), []
    assert await full.fetch_next([kept], facts) and names(tmp_path) == [own.name]
    full._views.clear()
    assert await full.of(kept, FACTS) is None
    assert await full.fetch_next([kept], facts) and await full.of(kept, FACTS) is not None
    assert await full.fetch_next([kept], facts) is False and len(peers.fetched) == 4
    assert await full.fetch_next([wrong], facts) and names(tmp_path) == [own.name]
    now[0] += 60.0
    assert await full.fetch_next([wrong], facts) is False, "a lie is not fetched every minute"
