"""States of another version of the program: not comparable, and nobody's fault."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_work_auditing import Bench

from jepanet.cid import blake3_of, digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes
from jepanet.learning.auditing import state_file
from jepanet.learning.training.resuming import trace, training_file
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.documents.spec import TRACE, decode_spec, encode_spec
from jepanet.tensors import Arrays, decode_tensors
from jepanet.types import Address, RoundId
from jepanet.work import transcript
from jepanet.work.jobs import run
from jepanet.work.requests.audit_plan import NameCarried, NameLeft, PlanAudit
from learning_shards import RECIPE

pytestmark = pytest.mark.unit

RECORDED = json.loads((Path(__file__).parents[1] / "vectors" / "earlier_trace.json").read_text())
SPEC, TRANSCRIPT = (RECORDED[name].encode() for name in ("spec", "transcript"))
SOLVER = Address("0x" + "11" * 20)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A round of today with a training of today."""
    bench = Bench(tmp_path, "topk10").prepared()
    run(bench.request())
    return bench


def earlier(bench: Bench) -> Bench:
    """The same round by the rules of the earlier version, with the transcript that was made then."""
    (bench.folder / "spec").write_bytes(SPEC)
    (bench.folder / "transcript").write_bytes(TRANSCRIPT)
    tensors, _ = decode_tensors((bench.folder / "delta").read_bytes(), max_bytes=1 << 30, what="delta")
    spec = decode_spec(SPEC)
    header = DeltaHeader(spec.base, spec.recipe, digest_of(TRANSCRIPT))
    (bench.folder / "delta").write_bytes(delta_bytes(dict(tensors), header, bench.codec))
    return bench


def test_rules_from_before_are_read_and_keep_their_bytes() -> None:
    spec = decode_spec(SPEC)
    assert spec.audit is not None and spec.audit.trace == 1 < TRACE
    assert encode_spec(spec) == SPEC


def test_honest_work_of_an_earlier_version_is_not_comparable_and_never_guilty(bench: Bench) -> None:
    """Its digests are made otherwise: compared, each would differ, and the solver lose its bond."""
    again = [bench.request_for(number) for number in (0, 1, 2)]
    asked = earlier(bench)
    plan = PlanAudit(asked.files, asked.folder / "transcript", bytes(32), RoundId(7), SOLVER)
    for job in (plan, *again):
        with pytest.raises(Rejected, match="made by an earlier version") as refused:
            run(job)
        assert refused.value.reason == "other-trace" and "not comparable" in refused.value.message
        assert "nothing of a solver" in (refused.value.remedy or "")


@pytest.mark.parametrize("version", [1, TRACE + 1])
def test_nobody_enters_or_opens_a_round_of_another_version(bench: Bench, version: int) -> None:
    """Before anything is fetched or at stake: documents are read first."""
    spec = bench.round.spec
    assert spec.audit is not None
    LearningDocuments().check_audits(spec, RECIPE.to_bytes())
    other = replace(spec, audit=replace(spec.audit, trace=version))
    with pytest.raises(Rejected) as refused:
        LearningDocuments().check_audits(other, RECIPE.to_bytes())
    assert refused.value.reason == "other-trace"
    assert ("update jepanet" in (refused.value.remedy or "")) == (version > TRACE)
    (bench.folder / "spec").write_bytes(encode_spec(other))
    with pytest.raises(Rejected) as refused:
        run(bench.request())
    assert refused.value.reason == "other-trace"


def test_what_is_carried_is_told_as_the_transcript_of_who_left_it_tells_it(bench: Bench) -> None:
    left = run(NameCarried(bench.folder / "left")).digest
    assert left is not None and left == bench.transcript.left
    spec = digest_of((bench.folder / "spec").read_bytes())
    assert run(NameLeft(bench.folder / "transcript", spec)).digest == left
    (bench.folder / "none").write_bytes(b"no residual")
    assert run(NameCarried(bench.folder / "none")).digest is None


def test_of_a_transcript_from_before_nothing_is_carried(tmp_path: Path) -> None:
    """An honest solver that was updated would add what auditors hold against another digest."""
    (tmp_path / "transcript").write_bytes(TRANSCRIPT)
    assert json.loads(TRANSCRIPT)["left"] is not None
    assert run(NameLeft(tmp_path / "transcript", digest_of(SPEC))).digest is None


ARRAYS: Arrays = {
    "b/weight": np.arange(6, dtype="<f4").reshape(2, 3),
    "a": np.array([], "<i8"),
    "c": np.array(0.5),
}


def test_who_changes_digests_or_files_of_states_raises_the_version() -> None:
    """Then honest work of before differs: raise `TRACE` and the four schemas, and write the digests here."""
    schemas = (trace.SCHEMA, state_file.SCHEMA, transcript.SCHEMA, training_file.SCHEMA)
    assert {schema.rpartition(".")[2] for schema in schemas} == {str(TRACE)} == {"2"}
    assert (
        trace.digest_of_arrays(ARRAYS).hex()
        == "32d873cd658f8dccdb928031b1ea4f50a02662be115f5dbf6e48a82a7fb354b8"
    )
    pieces = state_file.state_pieces(4, dict.fromkeys(state_file.PARTS, ARRAYS))
    assert blake3_of(pieces).hex() == "c7603a1b786212b0ae2bf9db6cfd9c343718c11c13699d783a1ed3702bbe0101"
    assert state_file.name_of_state(pieces) == blake3_of(pieces)
