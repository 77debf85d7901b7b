"""A drawn training audited: what is wrong with it, what is not served, and what only this machine lacks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_operations_audits import FIRST, SECOND, Here, Served, bench_in, name_of, rebuilt, with_transcript
from test_work_auditing import BASE, SEED, Bench
from test_work_tolerant_audits import otherwise_rounded

from jepanet.cid import digest_of
from jepanet.errors import Exit, Rejected, Transient
from jepanet.federation.deltas.feedback import Residual, encode_residual
from jepanet.protocol.documents.spec import TOLERANT, encode_spec
from jepanet.protocol.settling.audit_words import audit_word
from jepanet.types import Digest
from jepanet.work.drawn_training import DrawnTraining, Finding, NotServed, audit_training, open_training
from jepanet.work.jobs import run
from jepanet.work.requests.files import TrainingShard
from jepanet.work.transcript import encode_transcript

pytestmark = pytest.mark.unit

ROOM = 1 << 20


def drawn(bench: Bench, before: tuple[Any, ...] = (), **changes: Any) -> DrawnTraining:
    round_: Any = SimpleNamespace(id=7, beacon=5)
    training = DrawnTraining(
        round=round_, files=bench.files, solver=FIRST, delta=bench.folder / "delta",
        max_delta_bytes=bench.round.spec.max_delta_bytes, max_model_bytes=ROOM,
        shards=(TrainingShard.of(bench.folder / "shard"),), probe=bench.folder / "probe", seed=SEED,
        before=before,
    )  # fmt: skip
    return replace(training, **changes)


async def found(training: DrawnTraining, served: Served) -> Finding:
    async def take(what: str, digest: Digest, max_bytes: int) -> Path:
        return await served.get(what, digest, "raw", max_bytes=max_bytes)

    opened = await open_training(training, take, Here())
    assert not opened.formless
    return await audit_training(training, opened, Here())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    own = bench_in(tmp_path / "one")
    run(own.request())
    return own


async def test_auditors_of_honest_work_find_the_same_and_each_has_its_own_word(
    bench: Bench,
) -> None:
    one, other = await found(drawn(bench), Served(bench)), await found(drawn(bench), Served(bench))
    assert one == other and one.reason is None and one.segments == (0, 1, 2)
    assert audit_word(one.word, FIRST) != audit_word(one.word, SECOND)
    # Of another solver's training, or another round's, nothing that is known of this one is true.
    for change in ({"solver": SECOND}, {"round": SimpleNamespace(id=8, beacon=5)}):
        assert (await found(drawn(bench, **change), Served(bench))).word != one.word


async def test_attack_a_scaled_delta_is_not_reproduced(bench: Bench) -> None:
    honest = await found(drawn(bench), Served(bench))
    bench.committed(
        bench.trained(), lambda last: {n: a * np.float32(1.5) for n, a in last.made.parts.items()}
    )
    cheat = await found(drawn(bench), Served(bench))
    assert cheat.reason == "not-reproduced" and cheat.detail.startswith("segment 2")
    assert cheat.word != honest.word


async def test_auditors_on_other_builds_find_the_same_where_the_rules_are_tolerant(tmp_path: Path) -> None:
    bench = bench_in(tmp_path / "one", mode=TOLERANT)
    with otherwise_rounded():
        run(bench.request())
        there = await found(drawn(bench), Served(bench))
    with_transcript(bench, rebuilt(bench, torch="2.12.0+cpu"))
    here = await found(drawn(bench), Served(bench))
    assert here.reason is None and here.word in (there.word, *there.near)
    served = Served(bench)
    del served.files[name_of(bench.folder / "states/step-0000000006.state")]
    with pytest.raises(NotServed):  # there is nothing to hold the end against
        await found(drawn(bench), served)
    bench.committed(
        bench.trained(), lambda last: {n: a * np.float32(1.01) for n, a in last.made.parts.items()}
    )
    cheat = await found(drawn(bench), Served(bench))
    assert cheat.reason == "not-reproduced" and "of how far honest deltas may lie apart" in cheat.detail


async def test_attack_what_losses_say_is_part_of_the_word(bench: Bench, tmp_path: Path) -> None:
    """The losses are nowhere to be read: an auditor that did not run the steps cannot say them."""
    public = b"".join(path.read_bytes() for path in Served(bench).files.values())
    losses = bench.audited(0).losses
    assert losses and not any(np.float64(loss).tobytes() in public for loss in losses)


@pytest.mark.parametrize("missing", ["transcript", "states/step-0000000002.state"])
async def test_what_the_solver_has_to_serve_and_does_not_is_told_apart(bench: Bench, missing: str) -> None:
    served = Served(bench)
    name = name_of(bench.folder / missing)
    del served.files[name]
    with pytest.raises(NotServed):
        await found(drawn(bench), served)
    huge = bench.folder / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 31)
    served.files[name] = huge  # whoever offers too many bytes offers nothing
    with pytest.raises(NotServed):
        await found(drawn(bench), served)


async def test_the_last_state_is_served_to_nobody_and_asked_for_by_nobody(bench: Bench) -> None:
    """It follows from the last segment: what is not needed cannot be held back."""
    served = Served(bench)
    del served.files[name_of(bench.folder / "states/step-0000000006.state")]
    assert (await found(drawn(bench), served)).reason is None


async def test_what_only_this_machine_lacks_is_no_fault_of_the_solver(bench: Bench) -> None:
    async def no_room(what: str, digest: Digest, max_bytes: int) -> Path:
        raise Transient("the store is full", code=Exit.DISK_FULL)

    with pytest.raises(Transient, match="full"):
        await open_training(drawn(bench), no_room, Here())
    with_transcript(bench, rebuilt(bench, torch="2.12.0+cpu"))
    with pytest.raises(Rejected) as refused:
        await found(drawn(bench), Served(bench))
    assert refused.value.reason == "other-build"


async def test_attack_a_build_that_nobody_has_where_the_rules_name_one(bench: Bench) -> None:
    """Nobody could audit it: so it is told by its form, on every machine."""
    rule = replace(bench.round.spec.audit, build=bench.transcript.build)  # type: ignore[type-var]
    spec = encode_spec(replace(bench.round.spec, audit=rule))
    (bench.folder / "spec").write_bytes(spec)
    run(bench.request())
    assert (await found(drawn(bench), Served(bench))).reason is None
    with_transcript(bench, rebuilt(bench, torch="2.12.0+cpu"))
    assert (await found(drawn(bench), Served(bench))).reason == "not-reproduced"


async def test_bytes_that_are_no_delta_are_left_to_judging(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"junk")
    served: Any = None
    opened = await open_training(drawn(bench, delta=tmp_path / "junk"), served, Here())
    assert opened.formless


@pytest.mark.parametrize("how", ["garbage", "fewer segments"])
async def test_attack_a_transcript_of_which_no_segment_can_be_done(bench: Bench, how: str) -> None:
    known = bench.transcript
    fewer = encode_transcript(replace(known, segments=known.segments[1:]))
    with_transcript(bench, b"{}" if how == "garbage" else fewer)
    wrong = await found(drawn(bench), Served(bench))
    assert (wrong.reason, wrong.segments) == ("not-reproduced", ())


# What the delta before left out.


@pytest.fixture
def two(tmp_path: Path) -> tuple[Bench, Bench]:
    one, other = bench_in(tmp_path / "one", "topk10"), bench_in(tmp_path / "two", "topk10")
    run(one.request())
    shutil.copy(one.folder / "left", other.folder / "before")
    run(other.request(residual="before"))
    return one, other


def before(bench: Bench) -> tuple[Any, ...]:
    spec = digest_of((bench.folder / "spec").read_bytes())
    earlier = SimpleNamespace(id=6, params=SimpleNamespace(spec=spec))
    return ((earlier, digest_of((bench.folder / "delta").read_bytes())),)


def served_by(*benches: Bench) -> Served:
    served = Served(*benches)
    for bench in benches:
        if (bench.folder / "before").exists():
            served.add(bench.folder / "before")
    return served


async def test_what_is_carried_is_held_against_the_delta_before(two: tuple[Bench, Bench]) -> None:
    one, other = two
    assert (await found(drawn(other, before(one)), served_by(*two))).reason is None
    for hidden in ("delta", "transcript"):
        served = served_by(*two)
        del served.files[digest_of((one.folder / hidden).read_bytes())]
        with pytest.raises(NotServed):
            await found(drawn(other, before(one)), served)
    with pytest.raises(NotServed, match="known here"):
        await found(drawn(other), served_by(*two))


async def test_attack_a_delta_of_ones_choice_is_carried(two: tuple[Bench, Bench], tmp_path: Path) -> None:
    """Whatever one likes, said to be left by the delta before: reproduced, but for what that committed to."""
    one, other = two
    wanted = {name: np.full_like(array, 0.5) for name, array in BASE.items()}
    source = digest_of((one.folder / "delta").read_bytes())
    (other.folder / "before").write_bytes(encode_residual(Residual(wanted, source, None, "topk10")))
    run(other.request(residual="before"))
    wrong = await found(drawn(other, before(one)), served_by(*two))
    assert wrong.reason == "not-reproduced" and "left out" in wrong.detail


async def test_attack_what_some_other_delta_left_is_carried(two: tuple[Bench, Bench]) -> None:
    one, other = two
    for revealed in (b"x" * 32, digest_of((other.folder / "delta").read_bytes())):
        earlier = ((before(one)[0][0], Digest(revealed)),)
        wrong = await found(drawn(other, earlier), served_by(*two))
        assert wrong.reason == "not-reproduced" and "revealed last" in wrong.detail


async def test_attack_a_delta_without_a_transcript_left_what_is_carried(two: tuple[Bench, Bench]) -> None:
    """Of an unaudited round: nobody committed to anything then."""
    one, other = two
    served = served_by(*two)
    served.files[digest_of((one.folder / "delta").read_bytes())] = one.folder / "spec"
    wrong = await found(drawn(other, before(one)), served)
    assert wrong.reason == "not-reproduced" and "leaving nothing" in wrong.detail
