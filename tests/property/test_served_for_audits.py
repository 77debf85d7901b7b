"""Whatever bytes a drawn solver serves, and commits to, its audit ends in a finding about it and in nothing
else: no exception that would leave the other solvers without scores."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jepanet.cid import blake3_of, digest_of
from jepanet.errors import Rejected, Transient
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes
from jepanet.learning.auditing.state_file import PARTS, digests_of
from jepanet.learning.data.shards import save_shard
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.training.loop import warm_start
from jepanet.protocol.documents.spec import EXACT, TOLERANT, TRACE, AuditRule, encode_spec
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from jepanet.types import Digest, RoundId
from jepanet.work.drawn_training import DrawnTraining, Finding, NotServed, audit_training, open_training
from jepanet.work.jobs import run
from jepanet.work.lines import error_of, failure_of
from jepanet.work.requests.auditing import AuditPlace
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.training import TrainDelta
from jepanet.work.round_files import open_round
from jepanet.work.transcript import Transcript, decode_transcript, encode_transcript
from learning_shards import RECIPE, SEED, disc_shard
from round_samples import a_spec, account
from spoiled_files import forged, spoiled

pytestmark = pytest.mark.property

WHOLE = 1 << 30
MANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


class Worker:
    """Does jobs in this process; what they raise arrives as a child's would."""

    async def run(self, request: Any) -> Any:
        try:
            return run(request)
        except Exception as error:
            raise error_of(failure_of(error)) from error


@dataclass(frozen=True)
class Solver:
    """What an honest solver serves, that a cheat starts from: six steps in three segments, all of which are
    drawn."""

    folder: Path
    mode: str
    codec: str = "fp32"
    carried: bytes | None = field(default=None, repr=False)
    """What the delta before left out."""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        if self.carried is not None:
            (self.folder / "before").write_bytes(self.carried)
        base = warm_start(RECIPE, disc_shard(90), SEED, steps=20)
        data = model_bytes(base, ModelHeader.of(RECIPE, 0))
        build = surroundings() if self.mode == EXACT else None
        spec = replace(
            a_spec(
                base=digest_of(data), recipe=RECIPE.digest(), inner_steps=6, start_step=0, total_steps=60,
                codec=self.codec,
            ),
            audit=AuditRule(3, 1000, mode=self.mode, build=build, trace=TRACE),
        )  # fmt: skip
        for name, content in (("base", data), ("recipe", RECIPE.to_bytes()), ("spec", encode_spec(spec))):
            (self.folder / name).write_bytes(content)
        save_shard(self.folder / "shard", disc_shard(1))
        save_shard(self.folder / "probe", disc_shard(91, site=(0,) * 24))
        residual = None if self.carried is None else self.folder / "before"
        run(
            TrainDelta(
                round=self.files, shards=(TrainingShard.of(self.folder / "shard"),),
                probe=self.folder / "probe", residual=residual, seed=SEED, target=self.folder / "delta",
                residual_target=self.folder / "left",
                audit=AuditPlace(self.folder / "states", self.folder / "transcript", bytes(32)),
            )
        )  # fmt: skip

    @property
    def files(self) -> RoundFiles:
        return RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec")

    @property
    def spec(self) -> Digest:
        return digest_of(self.read("spec"))

    @property
    def transcript(self) -> Transcript:
        return decode_transcript(self.read("transcript"), spec=self.spec)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def state(self, number: int = 0) -> bytes:
        return self.read(f"states/step-{2 * (number + 1):010}.state")

    def with_state(self, data: bytes, number: int, digests: dict[str, Any]) -> bytes:
        """The transcript of who commits to these bytes as the state at the end of a segment."""
        known = self.transcript
        changed = list(known.segments)
        end = replace(changed[number].end, **digests)
        changed[number] = replace(changed[number], end=end, state=blake3_of([data]))
        return encode_transcript(replace(known, segments=tuple(changed)))

    def audited(
        self,
        *,
        delta: bytes | None = None,
        transcript: bytes | None = None,
        state: tuple[int, bytes] | None = None,
        more: Sequence[bytes] = (),
        before: bytes | None = None,
    ) -> Finding | None:
        """What an auditor finds of a solver that commits to these bytes and serves them, `more` as well; None
        where they are no delta at all. `before`: the delta that it revealed before, if any."""
        if transcript is None:
            transcript = self.read("transcript")
        elif delta is None:
            tensors, _ = decode_tensors(self.read("delta"), max_bytes=WHOLE, what="delta")
            spec = open_round(self.files).spec
            header = DeltaHeader(spec.base, spec.recipe, digest_of(transcript))
            delta = delta_bytes(dict(tensors), header, self.codec)
        states = [self.state(number) for number in range(3)]
        if state is not None:
            states[state[0]] = state[1]
        served = {blake3_of([data]): data for data in states}
        served |= {digest_of(data): data for data in (transcript, *more)}
        folder = self.folder / "served"
        folder.mkdir(exist_ok=True)
        (folder / "delta").write_bytes(self.read("delta") if delta is None else delta)

        async def take(what: str, digest: Digest, max_bytes: int) -> Path:
            if digest not in served or len(served[digest]) > max_bytes:
                raise Transient("nobody serves it")
            path = folder / digest.hex()
            path.write_bytes(served[digest])
            return path

        earlier: Any = SimpleNamespace(id=RoundId(6), params=SimpleNamespace(spec=self.spec))
        revealed = () if before is None else ((earlier, digest_of(before)),)
        try:
            return asyncio.run(self._audit(folder / "delta", take, revealed))
        finally:
            shutil.rmtree(folder)

    async def _audit(self, delta: Path, take: Callable[..., Any], before: Any) -> Finding | None:
        round_: Any = SimpleNamespace(id=RoundId(7), beacon=5)
        drawn = DrawnTraining(
            round=round_, files=self.files, solver=account("solver"), delta=delta, max_delta_bytes=1 << 20,
            max_model_bytes=1 << 20, shards=(TrainingShard.of(self.folder / "shard"),),
            probe=self.folder / "probe", seed=SEED, before=before,
        )  # fmt: skip
        opened = await open_training(drawn, take, Worker())
        return None if opened.formless else await audit_training(drawn, opened, Worker())


@pytest.fixture(scope="module", params=[EXACT, TOLERANT])
def solver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Solver]:
    yield Solver(tmp_path_factory.mktemp("served") / "solver", request.param)


def caught(found: Finding | None) -> bool:
    return found is None or found.reason == "not-reproduced"


# ------------------------------------------------------------------ bytes


@MANY
@given(data=st.data())
def test_attack_a_delta_of_any_bytes(solver: Solver, data: st.DataObject) -> None:
    honest = solver.read("delta")
    wrong = data.draw(spoiled(honest))
    if wrong == honest:
        return
    try:
        found = solver.audited(delta=wrong)
    except NotServed:
        return  # it names what nobody has
    assert caught(found) or judged(solver, wrong)


def judged(solver: Solver, delta: bytes) -> bool:
    """Whether judging finds the fault of form, which is no matter of audits; nearly the honest delta is
    good enough where distances are compared."""
    try:
        open_round(solver.files).delta(delta)
    except Rejected:
        return True
    return solver.mode == TOLERANT


@MANY
@given(data=st.data())
def test_attack_a_transcript_of_any_bytes(solver: Solver, data: st.DataObject) -> None:
    honest = solver.read("transcript")
    wrong = data.draw(spoiled(honest))
    try:
        found = solver.audited(transcript=wrong)
    except NotServed:
        return  # it names states that nobody has
    # What it says of losses is nobody's to check before they are opened.
    assert caught(found) or losses_alone(wrong, solver)


def losses_alone(data: bytes, solver: Solver) -> bool:
    known = solver.transcript
    other = decode_transcript(data, spec=known.spec)
    return [(item.end, item.state) for item in other.segments] == [
        (item.end, item.state) for item in known.segments
    ]


@MANY
@given(data=st.data())
def test_attack_a_state_of_any_bytes(solver: Solver, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 1))
    honest = solver.state(number)
    wrong = data.draw(spoiled(honest))
    if wrong == honest:
        return
    assert caught(solver.audited(transcript=solver.with_state(wrong, number, {}), state=(number, wrong)))


# ------------------------------------------------------------------ whole states that no training writes


@MANY
@given(data=st.data())
def test_attack_a_state_of_any_arrays_that_fit_what_is_committed_to(
    solver: Solver, data: st.DataObject
) -> None:
    """All its digests fit, so it is taken up: what is wrong with it shows only in what is done with it."""
    number = data.draw(st.integers(0, 1))
    honest, header = decode_tensors(solver.state(number), max_bytes=WHOLE, what="state")
    arrays = forged(data, honest)
    wrong = encode_tensors(arrays, header)
    if wrong == solver.state(number):
        return
    parts: dict[str, Arrays] = {part: {} for part in PARTS}
    for key, array in arrays.items():
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = array
    transcript = solver.with_state(wrong, number, digests_of(parts))
    found = solver.audited(transcript=transcript, state=(number, wrong))
    assert caught(found) or solver.mode == TOLERANT


# ------------------------------------------------------------------ what is carried


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Solver, Solver]:
    """A solver's delta, and its next one, which adds what the first left out."""
    folder = tmp_path_factory.mktemp("carried")
    one = Solver(folder / "one", EXACT, "topk10")
    other = Solver(folder / "two", EXACT, "topk10", carried=one.read("left"))
    more = [one.read("left"), one.read("delta"), one.read("transcript")]
    found = other.audited(more=more, before=one.read("delta"))
    assert found is not None and found.reason is None
    return one, other


@MANY
@given(data=st.data())
def test_attack_a_residual_of_any_bytes(two: tuple[Solver, Solver], data: st.DataObject) -> None:
    one, other = two
    honest = one.read("left")
    arrays, header = decode_tensors(honest, max_bytes=WHOLE, what="residual")
    whole = data.draw(st.booleans())
    wrong = encode_tensors(forged(data, arrays), header) if whole else data.draw(spoiled(honest))
    if wrong == honest:
        return
    transcript = encode_transcript(replace(other.transcript, taken=digest_of(wrong)))
    more = [wrong, one.read("delta"), one.read("transcript")]
    assert caught(other.audited(transcript=transcript, more=more, before=one.read("delta")))


@MANY
@given(data=st.data())
def test_attack_a_delta_before_of_any_bytes(two: tuple[Solver, Solver], data: st.DataObject) -> None:
    one, other = two
    before, transcript = one.read("delta"), one.read("transcript")
    if data.draw(st.booleans()):
        before = data.draw(spoiled(before))
    else:
        transcript = data.draw(spoiled(transcript))
        tensors, header = decode_tensors(before, max_bytes=WHOLE, what="delta")
        before = encode_tensors(tensors, {**header, "transcript": digest_of(transcript).hex()})
    arrays, header = decode_tensors(one.read("left"), max_bytes=WHOLE, what="residual")
    taken = encode_tensors(arrays, {**header, "delta": digest_of(before).hex()})
    own = encode_transcript(replace(other.transcript, taken=digest_of(taken)))
    with suppress(NotServed):  # it may name what nobody has
        found = other.audited(transcript=own, more=[taken, before, transcript], before=before)
        assert found is not None
