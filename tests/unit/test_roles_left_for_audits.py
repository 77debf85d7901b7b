"""What a solver may carry from delta to delta where it may be drawn: only what auditors can check."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.state import KEPT_OF_PROJECT
from jepanet.roles.steps.left_for_audits import shown_for
from jepanet.types import Digest
from jepanet.work.requests.audit_plan import NameCarried, Named, NameLeft, NameSource, NameTranscript
from round_samples import a_spec, account, digest

pytestmark = pytest.mark.unit

ME = account("me")
RESIDUAL, DELTA, TRANSCRIPT, LEFT = (digest(name) for name in ("residual", "delta", "transcript", "left"))
SPEC = a_spec(audit=AuditRule(8, 250))


class Bench:
    """A node that was paid for `DELTA` in round 4, and trains in round 5."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.round: Any = SimpleNamespace(id=5, project_id=1, base=digest("base 5"))
        self.before: Any = SimpleNamespace(
            id=4, project_id=1, base=digest("base 4"), params=SimpleNamespace(spec=digest("spec 4")),
            reveal_of=lambda who: SimpleNamespace(digest=self.revealed) if who == ME else None,
        )  # fmt: skip
        self.revealed: Digest | None = DELTA
        self.names: dict[type, Digest | None] = {
            NameSource: DELTA, NameTranscript: TRANSCRIPT, NameLeft: LEFT,
            NameCarried: LEFT,
        }  # fmt: skip
        self.pinned: set[bytes] = set()
        for name in (RESIDUAL, DELTA, TRANSCRIPT):
            (folder / name.hex()).write_bytes(b"x")

    def path(self, name: Digest) -> Path | None:
        path = self.folder / name.hex()
        return path if path.exists() else None

    async def run(self, request: Any) -> Named:
        return Named(self.names[type(request)])

    async def shown(self) -> Any:
        context: Any = SimpleNamespace(
            me=ME, jobs=self, blobs=self, state=lambda: SimpleNamespace(rounds={4: self.before}),
        )  # fmt: skip
        return await shown_for(context, self.round, SPEC, RESIDUAL)

    def pin(self, name: bytes, owner: str) -> None:
        assert owner == "round/5"
        self.pinned.add(name)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_what_the_last_revealed_delta_left_is_carried_and_shown_again(bench: Bench) -> None:
    assert await bench.shown() == (DELTA, TRANSCRIPT)
    assert bench.pinned == {DELTA, TRANSCRIPT}, "they are served as long as this round is"


@pytest.mark.parametrize(
    "lacks", ["source", "transcript", "left", "content", "delta file", "transcript file", "reveal"]
)
async def test_what_no_auditor_could_hold_is_dropped(bench: Bench, lacks: str) -> None:
    """A drawn solver that adds it would lose its bond for honest work."""
    match lacks:
        case "source":
            bench.names[NameSource] = digest("a delta that was sealed and never revealed")
        case "transcript":
            bench.names[NameTranscript] = None  # that round was not audited
        case "left":
            bench.names[NameLeft] = None
        case "content":  # an earlier version of the program told it by another digest
            bench.names[NameCarried] = digest("the same, told otherwise")
        case "delta file":
            (bench.folder / DELTA.hex()).unlink()
        case "transcript file":
            (bench.folder / TRANSCRIPT.hex()).unlink()
        case "reveal":
            bench.before.reveal_of = lambda who: None
    assert await bench.shown() is None
    assert not bench.pinned


async def test_so_is_what_nodes_may_have_forgotten_or_refuse_as_too_large(bench: Bench) -> None:
    bench.before.id = 5 - KEPT_OF_PROJECT
    assert await bench.shown() is not None
    bench.round.id += 1
    assert await bench.shown() is None
    bench.round.id -= 1
    (bench.folder / DELTA.hex()).write_bytes(bytes(SPEC.max_delta_bytes + 1))
    assert await bench.shown() is None
