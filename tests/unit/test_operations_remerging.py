"""`verify` repeats a merge under an update rule, and finds another update or model than the sheet names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jepanet.errors import Transient
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.operations.auditing.remerging import repeat_merge
from jepanet.protocol.documents.spec import MergeRule, UpdateRule
from jepanet.protocol.settling.sheet import derive_sheet
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.merging import MergeDeltas, MergedModel
from learning_shards import RECIPE, SEED, initial
from round_samples import GOOD, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

MODEL, UPDATE, LEFT, OLD = (digest(word) for word in ("model", "update", "left", "old"))
METRICS = (("after.rank", 11_000_000), ("before.rank", 12_000_000))
RULED = a_spec(update=UpdateRule("int8", 950))


class Library:
    def __init__(self, folder: Path) -> None:
        self.directory = folder
        self.asked: list[tuple[str, bytes]] = []
        self.missing: tuple[bytes, ...] = ()

    async def get(self, what: str, name: bytes, codec: str, *, max_bytes: int) -> Path:
        self.asked.append((what, name))
        if name in self.missing:
            raise Transient(f"nobody serves the {what}")
        return self.directory / name.hex()


class Worker:
    """Merges into what it is told to, and keeps the request."""

    def __init__(self, **changes: Any) -> None:
        self.result = replace(MergedModel(MODEL, True, 30_000, 10, "", METRICS, UPDATE, LEFT), **changes)
        self.request: MergeDeltas | None = None

    async def run(self, request: MergeDeltas) -> MergedModel:
        self.request = request
        request.target.write_bytes(b"merged")
        return self.result


@pytest.fixture
def repeat(tmp_path: Path) -> Any:
    async def run(
        spec: Any, worker: Worker, library: Library | None = None, **sheet: Any
    ) -> tuple[bool, str]:
        facts = some_facts(2)
        parent, left = (digest("parent"), OLD) if sheet.pop("coded_before", True) else (None, None)
        base = tmp_path / "base"
        base.write_bytes(model_bytes(initial(SEED), ModelHeader.of(RECIPE, 2, parent, left)))
        made = derive_sheet(
            facts, spec, reports_of(facts, [[GOOD] * 2] * 3),
            **{"model": MODEL, "improvement": 30_000, "metrics": METRICS,
               "update": UPDATE if spec.update else None, **sheet},
        )  # fmt: skip
        found = await repeat_merge(
            made, spec=spec, model_cap=1 << 20, library=library or Library(tmp_path),  # type: ignore[arg-type]
            documents=RoundFiles(base, tmp_path / "recipe", tmp_path / "spec"),
            evaluation=EvaluationFiles(tmp_path / "e", tmp_path / "m"), worker=worker,  # type: ignore[arg-type]
            device="cuda:3",
        )  # fmt: skip
        assert not (tmp_path / "merge.part").exists()
        return found

    return run


async def test_the_merge_takes_the_remainder_that_the_base_names(repeat: Any, tmp_path: Path) -> None:
    library, worker = Library(tmp_path), Worker()
    agrees, detail = await repeat(RULED, worker, library)
    assert agrees and "update" in detail
    assert ("remainder of the base", OLD) in library.asked
    assert worker.request is not None and worker.request.remainder == tmp_path / OLD.hex()
    assert worker.request.device == "cuda:3"


@pytest.mark.parametrize(
    ("spec", "coded_before"),
    [(a_spec(), True), (a_spec(update=UpdateRule("int8", 0)), True), (RULED, False)],
    ids=["no rule", "nothing carried", "first coded round"],
)
async def test_no_remainder_is_fetched_where_the_merge_takes_none(
    repeat: Any, tmp_path: Path, spec: Any, coded_before: bool
) -> None:
    library = Library(tmp_path)
    worker = Worker(update=UPDATE if spec.update else None, remainder=None)
    agrees, _ = await repeat(spec, worker, library, coded_before=coded_before)
    assert agrees and {what for what, _ in library.asked} == {"delta"}
    assert worker.request is not None and worker.request.remainder is None


@pytest.mark.parametrize(
    "change",
    [
        {"update": digest("other")},
        {"update": None},
        {"digest": digest("other")},
        {"published": False},
        {"improvement": 90_000},
        {"metrics": (METRICS[0], ("before.rank", 1))},
    ],
    ids=["another update", "no update", "another model", "a merge that does not pass", "a gain", "a metric"],
)
async def test_attack_a_sheet_that_the_merge_does_not_give(repeat: Any, change: dict[str, Any]) -> None:
    agrees, detail = await repeat(RULED, Worker(**change))
    assert not agrees
    assert ("the merge gives update" in detail) == ("update" in change)


async def test_what_was_dropped_is_held_against_a_measurement(repeat: Any, tmp_path: Path) -> None:
    library, worker = Library(tmp_path), Worker(update=None, remainder=None)
    mending = a_spec(merge=MergeRule(drop_sigmas_milli=1000))
    kept, dropped = (item.digest for item in some_facts(2).reveals)
    assert (await repeat(mending, worker, library, dropped=(dropped,)))[0]
    assert worker.request is not None and worker.request.dropped == (dropped,)
    assert {item.digest for item in worker.request.deltas} == {kept, dropped}


async def test_a_withheld_merge_names_no_update(repeat: Any) -> None:
    why = "state guards: rank"
    withheld: dict[str, Any] = {"model": digest("base"), "improvement": 0, "note": why, "update": None}
    worker = Worker(published=False, improvement=0, note=why)
    assert await repeat(RULED, worker, **withheld) == (True, f"withheld: {why}")
    assert not (await repeat(RULED, Worker(), **withheld))[0]
    agrees, detail = await repeat(RULED, worker, **{**withheld, "note": "a solver cheated"})
    assert not agrees and "a solver cheated" in detail


async def test_a_remainder_that_nobody_serves_is_told(repeat: Any, tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.missing = (OLD,)
    with pytest.raises(Transient, match="remainder of the base"):
        await repeat(RULED, Worker(), library)
