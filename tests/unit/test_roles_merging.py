"""Merging under an update rule: what the worker is handed, and what is said where the remainder is lost."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from jepanet.cid import digest_of
from jepanet.errors import Transient
from jepanet.protocol.documents.scores import MAX_METRICS
from jepanet.protocol.documents.spec import UpdateRule
from jepanet.protocol.settling.merge_account import with_error
from jepanet.roles.context import Turns
from jepanet.roles.steps import merging as merging_module
from jepanet.roles.steps.merging import Merge, measure_merge
from jepanet.storage.blobs.store import BlobStore
from jepanet.traffic import Traffic
from jepanet.types import Digest, RoundId
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.machine import ON_CPU, MeasuredOn
from jepanet.work.requests.merging import MergeDeltas, MergedModel
from round_samples import a_spec, digest

pytestmark = pytest.mark.unit

BASE, DELTA, LEFT = b"base model", b"delta", b"what the code left out"
MADE = {"target": b"new model", "update_target": b"update", "remainder_target": b"left again"}


class Desk:
    """A merger that holds the base, and peers that serve what they are given."""

    def __init__(self, folder: Path, blobs: BlobStore, rule: UpdateRule | None, left: bytes | None) -> None:
        self.asked: list[MergeDeltas] = []
        self.where = ON_CPU
        self.served = {digest_of(DELTA): DELTA}
        blobs.put_bytes(BASE)
        (folder / "work").mkdir()
        self.documents: Any = SimpleNamespace(
            spec=a_spec(update=rule), recipe=SimpleNamespace(max_model_bytes=1000)
        )
        self.round: Any = SimpleNamespace(id=RoundId(3), base=digest_of(BASE))
        self.context: Any = SimpleNamespace(
            device="cuda:3", blobs=blobs, network=self, traffic=Traffic(), turns=Turns(),
            work=folder / "work", jobs=self,
            providers=lambda name: (),
            documents=SimpleNamespace(remainder_of=lambda path: digest_of(left) if left else None),
        )  # fmt: skip

    async def fetch(self, name: bytes, *, max_bytes: int, directory: Path, **rest: Any) -> Path:
        data = self.served.get(Digest(name))
        if data is None:
            raise Transient("no provider has it")
        path = directory / name.hex()
        path.write_bytes(data)
        return path

    async def run(self, request: MergeDeltas) -> MergedModel:
        self.asked.append(request)
        made = {}
        for name, data in MADE.items():
            target = getattr(request, name)
            if target is not None:
                target.write_bytes(data)
                made[name] = digest_of(data)
        left = made.get("remainder_target")
        return MergedModel(
            made["target"], True, 30_000, 0, "", (), made.get("update_target"), left, self.where
        )

    async def merge(self) -> Merge:
        return await measure_merge(self.context, self.round, self.documents, [digest_of(DELTA)])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    async def evaluation_files(*given: Any) -> EvaluationFiles:
        return EvaluationFiles(tmp_path, tmp_path)

    def round_files(*given: Any) -> RoundFiles:
        return RoundFiles(tmp_path, tmp_path, tmp_path)

    monkeypatch.setattr(merging_module, "evaluation_files", evaluation_files)
    monkeypatch.setattr(merging_module, "round_files", round_files)
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        made: Callable[..., Desk] = lambda rule, left=None: Desk(tmp_path, blobs, rule, left)  # noqa: E731
        yield made


async def test_a_merge_is_measured_on_the_nodes_device_and_a_device_that_disagrees_is_told(desk: Any) -> None:
    merger = desk(None)
    with structlog.testing.capture_logs() as lines:
        await merger.merge()
    assert merger.asked[0].device == "cuda:3"
    assert "round.measured" in [line["event"] for line in lines]
    merger.where = MeasuredOn("cpu", 0.01, refused="cuda:3")
    with structlog.testing.capture_logs() as lines:
        await merger.merge()
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["event"], line["device"]) == ("device.refused", "cuda:3")
    assert "measured on the cpu" in line["consequence"] and "node check" in line["remedy"]


async def test_attack_two_sheets_of_one_round_are_repeated_beside_each_other(desk: Any) -> None:
    """One job may begin while what the last one made is still being hashed: each has files of its own."""
    merger = desk(None)
    other, written = [digest_of(b"what a second sheet drops")], asyncio.Barrier(2)

    async def run(request: MergeDeltas) -> MergedModel:
        model = repr(request.dropped).encode()
        request.target.write_bytes(model)
        await written.wait()
        return MergedModel(digest_of(model), True, 30_000, 0, "", (), None, None, ON_CPU)

    merger.run = run
    merge = functools.partial(measure_merge, merger.context, merger.round, merger.documents)
    made = await asyncio.gather(*(merge([digest_of(DELTA)], dropped) for dropped in (None, other)))
    assert len({merger.context.blobs.path(item.model) for item in made} - {None}) == 2
    assert list(merger.context.work.iterdir()) == []


async def test_the_error_of_the_improvement_stands_among_the_notes_where_there_is_room() -> None:
    metrics = (("after.pi", 1), ("before.pi", 0))
    assert with_error(metrics, 1_200) == (*metrics, ("stderr.improvement", 1_200))
    full = tuple((f"after.{n:02}", n) for n in range(MAX_METRICS))
    assert with_error(full, 1_200) == full


async def test_without_a_rule_there_is_neither_update_nor_remainder(desk: Any) -> None:
    merger = desk(None, LEFT)
    merge = await merger.merge()
    (request,) = merger.asked
    assert (request.remainder, request.update_target, request.remainder_target) == (None, None, None)
    assert (merge.update, merge.remainder) == (None, None)


@pytest.mark.parametrize("left", [None, LEFT], ids=["first coded round", "later"])
async def test_what_a_merge_makes_is_kept_for_the_round(desk: Any, left: bytes | None) -> None:
    merger = desk(UpdateRule("int8"), left)
    merger.served[digest_of(LEFT)] = LEFT
    merge = await merger.merge()
    (request,) = merger.asked
    assert (request.remainder and request.remainder.read_bytes()) == left
    blobs = merger.context.blobs
    for name, data in (
        (merge.model, b"new model"),
        (merge.update, b"update"),
        (merge.remainder, b"left again"),
    ):
        assert blobs.read(name, max_bytes=100) == data
        assert blobs.pins(name) == {"round/3"}
        assert not blobs.is_public(name), "nothing is served before its sheet says that it counts"


async def test_a_round_that_carries_nothing_on_reads_no_remainder(desk: Any) -> None:
    merger = desk(UpdateRule("int8", 0), LEFT)
    merge = await merger.merge()
    assert merger.asked[0].remainder is None
    assert (merge.update, merge.remainder) == (digest_of(b"update"), None)


async def test_a_remainder_that_nobody_serves_is_said_with_the_way_on(desk: Any) -> None:
    merger = desk(UpdateRule("int8"), LEFT)
    with pytest.raises(Transient, match="the remainder that round 3 carries on is not served") as caught:
        await merger.merge()
    assert "proposer.update_carry_milli = 0" in (caught.value.remedy or "")
    assert merger.asked == []
    merger.served[digest("other")] = b""
    merger.served[digest_of(LEFT)] = LEFT  # it came after all
    await merger.merge()
