"""`jepanet audit` over whole rounds: one solver's fault hides nobody else's; what is not proved says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_work_auditing import BASE, SEED, Bench

from jepanet.cid import blake3_of, digest_of
from jepanet.errors import Fatal, Rejected, Transient
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes
from jepanet.federation.deltas.feedback import Residual, encode_residual
from jepanet.operations.auditing import auditor, segments
from jepanet.operations.auditing.failed import WorkDiffers
from jepanet.operations.auditing.round_inputs import TrainingInputs
from jepanet.operations.views.audits import AuditReport, SegmentAudit
from jepanet.protocol.documents.spec import EXACT, TOLERANT
from jepanet.tensors import decode_tensors, encode_tensors
from jepanet.types import Address, Digest
from jepanet.work.jobs import run
from jepanet.work.requests.files import TrainingShard
from jepanet.work.transcript import encode_transcript

pytestmark = pytest.mark.unit

FIRST, SECOND = Address("0x" + "aa" * 20), Address("0x" + "bb" * 20)


def name_of(path: Path) -> Digest:
    """What a file is asked for by."""
    data = path.read_bytes()
    return blake3_of([data]) if path.suffix == ".state" else digest_of(data)


class Served:
    """What anybody serves, by digest."""

    def __init__(self, *benches: Bench) -> None:
        self.files: dict[bytes, Path] = {}
        for bench in benches:
            for path in (
                bench.folder / "delta",
                bench.folder / "transcript",
                *bench.folder.glob("states/*.state"),
            ):
                self.add(path)

    def add(self, path: Path) -> None:
        self.files[name_of(path)] = path

    async def get(self, what: str, digest: bytes, codec: str, *, max_bytes: int) -> Path:
        if digest not in self.files:
            raise Transient(f"{what}: nobody serves it")
        if self.files[digest].stat().st_size > max_bytes:
            raise Rejected(f"{what}: it is larger than {max_bytes} bytes", reason="too-large")
        return self.files[digest]


class Here:
    """Does jobs in this process."""

    async def run(self, request: Any) -> Any:
        return run(request)


Audit = Callable[..., Any]


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Audits the last of `rounds`: by number, the bench of its files and who revealed which bench's delta."""

    async def asked(
        served: Served, rounds: dict[int, tuple[Bench, dict[Address, Bench]]], **more: Any
    ) -> AuditReport:
        found = {}
        for number, (bench, revealed) in rounds.items():
            reveals = tuple(
                SimpleNamespace(solver=who, digest=digest_of((own.folder / "delta").read_bytes()), salt=b"")
                for who, own in revealed.items()
            )
            found[number] = SimpleNamespace(
                id=number, project_id=1, base=bytes([number]) * 32, reveals=reveals,
                params=SimpleNamespace(spec=digest_of((bench.folder / "spec").read_bytes())),
                beacon=None,
                reveal_of=lambda who, reveals=reveals: next((r for r in reveals if r.solver == who), None),
                phase=lambda now: SimpleNamespace(name="COMMIT"),
            )  # fmt: skip

        async def inputs(state: Any, round_: Any, library: Any, worker: Any) -> Any:
            opened = rounds[round_.id][0].round
            files = rounds[round_.id][0].files
            return SimpleNamespace(spec=opened.spec, recipe=opened.recipe, manifest=None, files=files)

        async def rules(state: Any, round_: Any, library: Any) -> Any:
            return rounds[round_.id][0].round.spec, None

        async def training(solver: Address, *, round_: Any, **_: Any) -> TrainingInputs:
            folder = rounds[round_.id][0].folder
            shards = (TrainingShard.of(folder / "shard"),)
            return TrainingInputs(shards, folder / "probe", SEED, round_.reveal_of(solver))

        async def state() -> Any:
            return SimpleNamespace(rounds=found, now=0)

        for module in (segments, auditor):
            monkeypatch.setattr(module, "round_inputs", inputs)
        monkeypatch.setattr(segments, "round_rules", rules)
        monkeypatch.setattr(auditor, "training_inputs", training)
        history: Any = SimpleNamespace(state=state)
        anything: Any = SimpleNamespace()
        library: Any = served
        worker: Any = Here()
        return await segments.audit_round(anything, history, library, worker, max(rounds), **more)

    return asked


def bench_in(folder: Path, codec: str = "fp32", mode: str = EXACT) -> Bench:
    folder.mkdir()
    return Bench(folder, codec, mode).prepared()


def with_transcript(bench: Bench, data: bytes) -> None:
    """The bench's delta, of a solver that committed to these bytes as its transcript."""
    (bench.folder / "transcript").write_bytes(data)
    parts, _ = decode_tensors((bench.folder / "delta").read_bytes(), max_bytes=1 << 30, what="delta")
    spec = bench.round.spec
    header = DeltaHeader(spec.base, spec.recipe, digest_of(data))
    (bench.folder / "delta").write_bytes(delta_bytes(parts, header, bench.codec))


def rebuilt(bench: Bench, **build: str) -> bytes:
    """The bench's transcript by a machine of another build."""
    known = bench.transcript
    return encode_transcript(replace(known, build={**known.build, **build}))


async def test_any_build_audits_where_the_rules_are_tolerant_and_is_told_how_far_apart(
    audit: Audit, tmp_path: Path
) -> None:
    good, cheat = (bench_in(tmp_path / name, mode=TOLERANT) for name in ("good", "cheat"))
    for bench in (good, cheat):
        run(bench.request())
    with_transcript(good, rebuilt(good, cpu="another"))
    served = Served(good, cheat)
    report = await audit(served, {1: (good, {FIRST: good})}, every=True)
    assert report.agrees and [row.share for row in report.segments] == [0, 0, 0]
    cheat.committed(
        cheat.trained(), lambda last: {n: a * np.float32(1.05) for n, a in last.made.parts.items()}
    )
    with pytest.raises(WorkDiffers, match="delta is not reproduced: its tensors: 25") as failed:
        await audit(Served(good, cheat), {1: (good, {FIRST: good, SECOND: cheat})}, every=True)
    (wrong,) = (row for row in failed.value.report.segments if row.found != "reproduced")
    assert wrong.solver == SECOND and wrong.share is not None and wrong.share > 1


async def test_everybody_is_audited_and_a_cheat_is_told_apart(audit: Audit, tmp_path: Path) -> None:
    good, cheat = bench_in(tmp_path / "good"), bench_in(tmp_path / "cheat")
    run(good.request())
    cheat.committed(
        cheat.trained(), lambda last: {n: a * np.float32(1.5) for n, a in last.made.parts.items()}
    )
    rows = list[SegmentAudit]()
    with pytest.raises(WorkDiffers, match="delta is not reproduced") as failed:
        revealed = {FIRST: cheat, SECOND: good}
        await audit(Served(good, cheat), {1: (good, revealed)}, on_segment=rows.append)
    assert failed.value.report.segments == tuple(rows)
    found = {(row.solver, row.segment): row.found for row in rows}
    assert found == {
        **{(FIRST, number): "reproduced" for number in (0, 1)},
        (FIRST, 2): "differs",
        **{(SECOND, number): "reproduced" for number in (0, 1, 2)},
    }


@pytest.mark.parametrize(
    ("how", "found"),
    [("other build", "other build"), ("garbage", "differs"), ("not served", "not served")],
)
async def test_attack_one_solver_whose_work_cannot_be_audited_hides_nobody_else(
    audit: Audit, tmp_path: Path, how: str, found: str
) -> None:
    odd, good = bench_in(tmp_path / "odd"), bench_in(tmp_path / "good")
    for bench in (odd, good):
        run(bench.request())
    with_transcript(odd, b"{}" if how == "garbage" else rebuilt(odd, torch="2.12.0+cpu"))
    served = Served(odd, good)
    if how == "not served":
        del served.files[digest_of((odd.folder / "transcript").read_bytes())]
    with pytest.raises(WorkDiffers) as failed:
        await audit(served, {1: (good, {FIRST: odd, SECOND: good})})
    rows = failed.value.report.segments
    assert [(row.found, row.segment) for row in rows if row.solver == FIRST] == [(found, None)]
    assert [row.found for row in rows if row.solver == SECOND] == ["reproduced"] * 3


async def test_attack_a_state_that_is_too_large_to_fetch_ends_no_audit(audit: Audit, tmp_path: Path) -> None:
    cheat, good = bench_in(tmp_path / "cheat"), bench_in(tmp_path / "good")
    for bench in (cheat, good):
        run(bench.request())
    known = cheat.transcript
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 31)
    first = replace(known.segments[0], state=Digest(b"h" * 32))
    with_transcript(cheat, encode_transcript(replace(known, segments=(first, *known.segments[1:]))))
    served = Served(cheat, good)
    served.files[b"h" * 32] = huge
    with pytest.raises(WorkDiffers) as failed:
        await audit(served, {1: (good, {FIRST: cheat, SECOND: good})})
    rows = failed.value.report.segments
    assert [(row.found, row.differs) for row in rows if row.found != "reproduced"] == [("differs", "state")]
    assert len(rows) == 6


def test_attack_a_build_that_nobody_can_have_is_no_transcript(tmp_path: Path) -> None:
    bench = bench_in(tmp_path / "odd")
    run(bench.request())
    for build in ({"gpu": "x"}, {"torch": "\x1b[2J"}, {"cpu": "x" * 65}):
        with pytest.raises(Rejected):
            rebuilt(bench, **build)


# What earlier deltas left out.


@pytest.fixture
def two(tmp_path: Path) -> tuple[Bench, Bench]:
    """Two rounds of one solver by a codec that leaves out; the second adds what the first left."""
    one, other = bench_in(tmp_path / "one", "topk10"), bench_in(tmp_path / "two", "topk10")
    run(one.request())
    shutil.copy(one.folder / "left", other.folder / "before")
    run(other.request(residual="before"))
    return one, other


def served_of(*benches: Bench) -> Served:
    served = Served(*benches)
    for bench in benches:
        if (bench.folder / "before").exists():
            served.add(bench.folder / "before")
    return served


async def last_found(audit: Audit, served: Served, rounds: Any) -> str:
    try:
        report = await audit(served, rounds)
    except WorkDiffers as failed:
        report = failed.report
    return str(report.segments[-1].found)


async def test_what_was_left_out_before_is_held_against_what_was_committed_to_then(
    audit: Audit, two: tuple[Bench, Bench]
) -> None:
    one, other = two
    rounds = {1: (one, {FIRST: one}), 2: (other, {FIRST: other})}
    assert await last_found(audit, served_of(*two), rounds) == "reproduced"


async def test_what_nobody_can_hold_is_neither_proved_nor_called_a_cheat(
    audit: Audit, two: tuple[Bench, Bench]
) -> None:
    one, other = two
    both = {1: (one, {FIRST: one}), 2: (other, {FIRST: other})}
    missing = served_of(*two)
    del missing.files[digest_of((one.folder / "transcript").read_bytes())]
    assert await last_found(audit, missing, both) == "not held"
    assert await last_found(audit, served_of(*two), {2: both[2]}) == "not held", "a round that is forgotten"


async def test_attack_a_delta_of_ones_choice_as_what_was_left_out_before(
    audit: Audit, two: tuple[Bench, Bench]
) -> None:
    one, other = two
    before = digest_of((one.folder / "delta").read_bytes())
    random = np.random.default_rng(0)
    wanted = {name: random.normal(size=array.shape).astype(np.float32) * 100 for name, array in BASE.items()}
    made_up = encode_residual(Residual(wanted, before, None, "topk10"))
    (other.folder / "before").write_bytes(made_up)
    run(other.request(residual="before"))
    rounds = {1: (one, {FIRST: one}), 2: (other, {FIRST: other})}
    assert await last_found(audit, served_of(*two), rounds) == "differs"
    hidden = served_of(*two)
    del hidden.files[digest_of((one.folder / "transcript").read_bytes())]
    assert await last_found(audit, hidden, rounds) == "not held"


async def test_attack_what_was_left_out_once_is_added_twice(
    audit: Audit, two: tuple[Bench, Bench], tmp_path: Path
) -> None:
    one, other = two
    again = bench_in(tmp_path / "three", "topk10")
    shutil.copy(one.folder / "left", again.folder / "before")
    run(again.request(residual="before"))
    rounds = {1: (one, {FIRST: one}), 2: (other, {FIRST: other}), 3: (again, {FIRST: again})}
    assert await last_found(audit, served_of(one, other, again), rounds) == "differs"


@pytest.mark.parametrize("how", ["NaN", "another codec", "a weight is missing"])
async def test_attack_what_was_left_out_before_cannot_be_read(
    audit: Audit, two: tuple[Bench, Bench], how: str
) -> None:
    """The training does not care what file its solver names; the audit has to come to a verdict."""
    one, other = two
    arrays, header = decode_tensors((one.folder / "left").read_bytes(), max_bytes=1 << 30, what="residual")
    arrays = dict(arrays)
    if how == "NaN":
        arrays = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
    elif how == "another codec":
        header = header | {"codec": "topk3"}
    else:
        arrays.pop(next(iter(arrays)))
    bad = encode_tensors(arrays, header)
    (other.folder / "before").write_bytes(bad)
    with_transcript(other, encode_transcript(replace(other.transcript, taken=Digest(digest_of(bad)))))
    rounds = {1: (one, {FIRST: one}), 2: (other, {FIRST: other})}
    assert await last_found(audit, served_of(*two), rounds) == "differs"


async def test_a_round_without_reveals_or_states_says_so(audit: Audit, tmp_path: Path) -> None:
    bench = bench_in(tmp_path / "one")
    with pytest.raises(Fatal, match="nobody has revealed"):
        await audit(Served(), {1: (bench, {})})
