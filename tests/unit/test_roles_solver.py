"""What a solver's delta depends on: a salt that nobody else knows, drawn once a round, and what is carried
from delta to delta: kept through crashes, given up when damaged, never unbounded."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_hash.auto import keccak
from protocol_facts import OUTSIDER, SOLVER, digest

from jepanet.cid import blake3_of, digest_of, to_cid
from jepanet.errors import Rejected, Transient
from jepanet.protocol.assignment import training_seed
from jepanet.protocol.commitment import abi_encode
from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.duties import PublishDelta, SendCommit, TrainShard
from jepanet.roles import solver as solver_module
from jepanet.roles.context import Turns
from jepanet.roles.solver import PROJECTS_CARRIED, Solver
from jepanet.roles.steps import training_data
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.telemetry import configure_logging
from jepanet.traffic import Traffic
from jepanet.types import Digest, Phase, ProjectId, RoundId, Standing
from jepanet.work.requests.auditing import AuditPlace, KeptState, LeftForAudits
from jepanet.work.requests.files import TrainingShard
from jepanet.work.requests.machine import ONE_PROCESS, CheckpointPlace, Processes
from jepanet.work.requests.training import TrainDelta, TrainedDelta

pytestmark = pytest.mark.unit

SPEC, RECIPE, SHARD, PUBLIC = b"spec", b"recipe", b"shard", b"public"


class Killed(Exception):
    """Stands for kill -9: nothing that comes after it happens."""


@dataclass
class Jobs:
    """Trains at once; every run gives other bytes, as a GPU may."""

    given: list[Path | None] = field(default_factory=list)
    public: list[Path | None] = field(default_factory=list)
    seeds: list[bytes] = field(default_factory=list)
    places: list[CheckpointPlace | None] = field(default_factory=list)
    audits: list[AuditPlace] = field(default_factory=list)
    refuses: bool = False
    shards: list[tuple[TrainingShard, ...]] = field(default_factory=list)
    waits_for: Callable[[], bool] | None = None
    """Training goes on as soon as this is true."""
    ended: int = 0
    """Trainings that were ended from outside."""

    async def run(self, request: TrainDelta, on_progress: Any = None) -> TrainedDelta:
        if request.audit is None:
            assert (request.processes, request.device) == (Processes(3), "cuda"), "as the node is configured"
        else:
            assert (request.processes, request.device) == (ONE_PROCESS, "cpu"), "digests will be compared"
            self.audits.append(request.audit)
        self.places.append(request.checkpoints)
        if request.checkpoints:
            request.checkpoints.folder.mkdir(exist_ok=True)
            (request.checkpoints.folder / "step").write_bytes(b"checkpoint")
        self.shards.append(request.shards)
        try:
            while self.waits_for is not None and not self.waits_for():  # noqa: ASYNC110  a condition of the test
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            self.ended += 1
            raise
        if self.refuses:
            raise Rejected("the loss of step 3 is nan", reason="diverged")
        self.given.append(request.residual)
        self.public.append(request.public)
        self.seeds.append(request.seed)
        return self._made(request)

    def _made(self, request: TrainDelta) -> TrainedDelta:
        made: list[Digest] = []
        for what, place in (("digest", request.target), ("residual", request.residual_target)):
            data = f"{what} of run {len(self.given)}".encode()
            place.write_bytes(data)
            made.append(digest_of(data))
        trace = b"trace"
        if request.trace_target:
            request.trace_target.write_bytes(trace)
        left = None
        if request.audit is not None:
            request.audit.target.write_bytes(b"transcript")
            request.audit.folder.mkdir(exist_ok=True)
            states = []
            for step in (1, 2):
                path = request.audit.folder / f"step-{step}.state"
                path.write_bytes(b"state %d" % step)
                states.append(KeptState(step, path, blake3_of([path.read_bytes()])))
            left = LeftForAudits(digest_of(b"transcript"), tuple(states))
        return TrainedDelta(made[0], made[1], 0.0, 1, 1, {}, 0.0, digest_of(trace), left=left)


class Rounds:
    async def commitment(self, *asked: Any) -> Any:
        return SimpleNamespace(standing=Standing.NONE)


@dataclass
class Bench:
    journal: Journal
    blobs: BlobStore
    work: Path
    jobs: Jobs = field(default_factory=Jobs)
    codec: str = "topk3"
    delta_bytes: int = 1000
    least: float = 0.0
    audit: AuditRule | None = None
    random_bytes: Callable[[int], bytes] = os.urandom
    passed: list[str] = field(default_factory=list)
    rounds: dict[int, Any] = field(default_factory=dict)
    shards: Sequence[bytes] = (SHARD,)
    served: dict[bytes, bytes] = field(default_factory=dict)
    """What peers have, by digest."""
    said: list[Any] = field(default_factory=list)
    phase: Phase = Phase.COMMIT

    @property
    def checkpoints(self) -> Path:
        return self.work.parent / "checkpoints"

    async def train(self, round_id: int, project: int = 1, base: bytes | None = None) -> None:
        """`base`: the round's model; by default every round has moved it."""
        await self.solver(round_id, project, base).train_shard(TrainShard(RoundId(round_id)))

    def solver(self, round_id: int, project: int = 1, base: bytes | None = None) -> Solver:
        model = self.blobs.put_bytes(base or f"model of round {round_id}".encode())
        round_ = SimpleNamespace(
            id=RoundId(round_id), project_id=ProjectId(project), base=model, seed=bytes(32),
            params=SimpleNamespace(bond=0, allow_list=bytes(32), spec=digest_of(SPEC)), ended_at=0,
            phase=lambda now: self.phase,
        )  # fmt: skip
        self.rounds[round_id] = round_
        self.checkpoints.mkdir(exist_ok=True)
        context: Any = SimpleNamespace(
            me=SOLVER, journal=self.journal, blobs=self.blobs, work=self.work, jobs=self.jobs, device="cuda",
            processes=Processes(3),
            chain_id=1, rounds_address=OUTSIDER, max_bond=None, round=lambda _: round_,
            random_bytes=self.random_bytes, trace=self.passed.append,
            checkpoints=CheckpointPlace(self.checkpoints, 1 << 20),
            state=lambda: SimpleNamespace(rounds=self.rounds, now=5),
            network=SimpleNamespace(fetch=self.fetch, addresses=()), say=self.say,
            traffic=Traffic(), turns=Turns(),
            providers=lambda digest: (),
            documents=SimpleNamespace(max_recipe_bytes=1000, encoded_bytes=lambda *_: self.delta_bytes),
            contracts=SimpleNamespace(lens=Rounds()),
        )  # fmt: skip
        return Solver(context)

    async def say(self, message: Any) -> None:
        self.said.append(message)

    async def fetch(self, digest: bytes, *, max_bytes: int, directory: Path, **_: Any) -> Path:
        if digest not in self.served:
            raise Transient("nobody has it")
        if len(self.served[digest]) > max_bytes:
            raise Rejected("it is larger", reason="too-large")
        file = directory / "fetched"
        file.write_bytes(self.served[digest])
        return file

    def sealed(self, round_id: int, project: int = 1) -> bytes:
        """The residual of the delta that was sealed in a round."""
        found = self.journal.newest_residual(project, SOLVER, round_id + 1, bytes(32))
        assert found is not None
        return found.digest

    def kept(self, *rounds: int) -> set[bytes]:
        """The residuals that stay pinned once their rounds are forgotten."""
        for number in rounds:
            self.blobs.unpin_owner(f"round/{number}")
        stored = [digest_of(f"residual of run {n + 1}".encode()) for n in range(len(self.jobs.given))]
        return {item for item in stored if self.blobs.pins(item)}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    work = tmp_path / "work"
    work.mkdir()
    with Journal.open(tmp_path / "journal") as journal, BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        made = Bench(journal, blobs, work)
        for data in (SPEC, RECIPE, SHARD):
            blobs.put_bytes(data)

        async def documents(context: Any, round_: Any) -> Any:
            return SimpleNamespace(
                spec=SimpleNamespace(
                    codec=made.codec,
                    recipe=digest_of(RECIPE),
                    max_delta_bytes=1000,
                    inner_steps=2000,
                    audit=made.audit,
                    feedback_milli=1000,
                ),
                recipe=SimpleNamespace(
                    aligns=False,
                    max_model_bytes=1000,
                    measured_every=0,
                    shards=len(made.shards),
                    mix=2,
                    least=made.least,
                ),
                shards=SimpleNamespace(
                    probe=SimpleNamespace(digest=digest("probe")),
                    public=SimpleNamespace(digest=digest_of(PUBLIC)),
                ),
            )

        monkeypatch.setattr(solver_module, "round_documents", documents)
        monkeypatch.setattr(
            solver_module,
            "assigned_shards",
            lambda *_: [SimpleNamespace(digest=digest_of(data), bytes=len(data)) for data in made.shards],
        )
        monkeypatch.setattr(training_data, "PAUSE", 0.0)
        yield made


PLACE = (1, OUTSIDER, 1, 1, SOLVER, bytes(32))
"""What the chain says of round 1 of the bench: known to everybody."""


async def test_attack_a_training_seed_does_not_follow_from_public_facts(bench: Bench) -> None:
    """It did: anybody could train a rival's delta and commit to it first."""
    await bench.train(1)
    types = ("bytes32", "uint256", "address", "uint256", "uint256", "address", "bytes32")
    assert bench.jobs.seeds[0] != keccak(abi_encode(types, (keccak(b"jepanet.training.seed"), *PLACE)))
    sealed = bench.journal.salt(1, SOLVER)
    assert sealed is not None
    assert bench.jobs.seeds == [training_seed(*PLACE, sealed[1])]
    assert bench.jobs.seeds != [training_seed(*PLACE, bytes(32))], "nor without its salt"


async def test_the_base_is_looked_at_first_where_the_recipe_asks_a_score_of_it(bench: Bench) -> None:
    bench.blobs.put_bytes(PUBLIC)
    await bench.train(1)
    bench.least = 0.1
    await bench.train(2)
    before, after = bench.jobs.public
    assert before is None
    assert after is not None and after.read_bytes() == PUBLIC


async def test_nobody_trains_a_delta_that_the_round_has_no_room_for(bench: Bench) -> None:
    bench.delta_bytes = 1001
    with pytest.raises(Rejected, match="up to 1001 bytes, the round allows 1000") as caught:
        await bench.train(1)
    assert caught.value.reason == "no-room" and "1001 bytes" in (caught.value.remedy or "")
    assert bench.jobs.seeds == []
    bench.delta_bytes = 1000
    await bench.train(1)
    assert len(bench.jobs.seeds) == 1


async def test_one_salt_gives_one_seed_and_another_another(bench: Bench, tmp_path: Path) -> None:
    seeds = []
    for number, fill in enumerate((b"\1", b"\1", b"\2")):
        with Journal.open(tmp_path / f"journal-{number}") as journal:
            bench.journal, bench.random_bytes = journal, lambda count, fill=fill: fill * count
            await bench.train(1)
            assert journal.salts()[0].salt == fill * 32
        seeds.append(bench.jobs.seeds[-1])
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.mark.parametrize("last", ["run", "put_salt"])
async def test_a_crash_during_training_ends_in_the_same_training(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Jobs if last == "run" else Journal, last, killed)
        with pytest.raises(Killed):
            await bench.train(1)
    assert bench.passed == ["salt:drawn"]  # on the disk before the job was given
    drawn = bench.journal.draw_salt(1, SOLVER, bytes(32))
    assert drawn != bytes(32)
    await bench.train(1)
    assert set(bench.jobs.seeds) == {training_seed(*PLACE, drawn)}
    assert [item.salt for item in bench.journal.salts()] == [drawn]


async def test_a_training_that_was_killed_finds_its_checkpoints_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One folder a round, which a restart does not empty, and which is gone once the delta is sealed."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Jobs, "_made", killed)
        with pytest.raises(Killed):
            await bench.train(1)
    assert (bench.checkpoints / "1" / "step").exists()
    await bench.train(1)
    assert bench.jobs.places == [CheckpointPlace(bench.checkpoints / "1", 1 << 20)] * 2
    assert not any(bench.checkpoints.iterdir())


async def test_checkpoints_are_kept_only_of_rounds_that_are_still_trained(bench: Bench) -> None:
    for name in ("2", "3", "4", "notes"):
        (bench.checkpoints / name).mkdir(parents=True)
    for number in (2, 3):
        bench.solver(number)
    bench.rounds[3].ended_at = 7
    await bench.train(1)
    assert [item.name for item in bench.checkpoints.iterdir()] == ["2"], "3 has ended, 4 is not known"


async def test_a_training_that_was_aborted_is_not_committed_and_its_receipt_says_why(bench: Bench) -> None:
    bench.jobs.refuses = True
    with pytest.raises(Rejected):
        await bench.train(1)
    assert not any(bench.checkpoints.iterdir())
    assert bench.journal.salt(1, SOLVER) is None, "nothing is sealed, so nothing can be committed"
    note = json.loads(bench.journal.notes(1)["training"])
    assert note == {"status": "aborted(diverged)", "why": "the loss of step 3 is nan"}


# ------------------------------------------------------------------ several shards


MANY = [b"shard %d" % number for number in range(4)]


def several(bench: Bench, *, here: int) -> None:
    bench.shards = MANY
    for data in MANY[:here]:
        bench.blobs.put_bytes(data)
    bench.served = {digest_of(data): data for data in MANY[here:]}


async def test_shards_that_are_not_read_at_once_come_while_it_trains(bench: Bench) -> None:
    several(bench, here=0)
    bench.jobs.waits_for = lambda: all(bench.blobs.has(digest_of(data)) for data in MANY)
    await bench.train(1)
    (given,) = bench.jobs.shards
    assert [shard.digest for shard in given] == [digest_of(data) for data in MANY]
    assert [shard.awaited for shard in given] == [False, False, True, True]
    assert [shard.path.read_bytes() for shard in given] == MANY, "where it was said that they would lie"
    assert all(bench.blobs.pins(digest_of(data)) == {"round/1"} for data in MANY)
    assert json.loads(bench.journal.notes(1)["training"])["shards"] == [
        digest_of(data).hex() for data in MANY
    ]


async def test_a_shard_that_nobody_has_is_waited_for_until_commitments_end(bench: Bench) -> None:
    several(bench, here=2)
    missing = bench.served.pop(digest_of(MANY[3]))
    asked = 0

    def waits() -> bool:
        nonlocal asked
        asked += 1
        if asked == 20:
            bench.phase = Phase.GAP
        return False

    bench.jobs.waits_for = waits
    with pytest.raises(Transient, match=to_cid(digest_of(missing))):
        await bench.train(1)
    assert asked >= 20 and bench.jobs.ended == 1, "the training is ended with it"
    assert bench.journal.salt(1, SOLVER) is None, "nothing is sealed"


async def test_attack_a_shard_that_nobody_serves_does_not_hold_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did, until the time to commit was over: the scoring of every other round waited behind it."""
    several(bench, here=2)
    missing = bench.served.pop(digest_of(MANY[3]))
    monkeypatch.setattr(training_data, "PATIENCE", 0.01)
    bench.jobs.waits_for = lambda: False
    solver = bench.solver(1)
    with pytest.raises(Transient, match=to_cid(digest_of(MANY[3]))):
        await solver.train_shard(TrainShard(RoundId(1)))
    assert bench.jobs.ended == 1 and bench.phase is Phase.COMMIT
    with pytest.raises(Transient, match=to_cid(digest_of(MANY[3]))):
        await solver.train_shard(TrainShard(RoundId(1)))
    assert len(bench.jobs.shards) == 1, "the next one begins when the shard is here"
    bench.served[digest_of(MANY[3])] = missing
    bench.jobs.waits_for = None
    await solver.train_shard(TrainShard(RoundId(1)))
    assert len(bench.jobs.shards) == 2 and bench.journal.salt(1, SOLVER) is not None


async def test_attack_a_shard_larger_than_its_manifest_says_ends_the_training(bench: Bench) -> None:
    several(bench, here=2)
    bench.served[digest_of(MANY[3])] += b" and more"
    bench.jobs.waits_for = lambda: False
    with pytest.raises(Rejected, match=to_cid(digest_of(MANY[3]))) as caught:
        await bench.train(1)
    assert caught.value.reason == "too-large" and bench.jobs.ended == 1
    assert bench.journal.salt(1, SOLVER) is None


async def test_a_shard_that_is_damaged_on_the_disk_is_fetched_again_before_the_next_try(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    several(bench, here=4)
    path = bench.blobs.path(digest_of(MANY[1]))
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    bench.served = {digest_of(MANY[1]): MANY[1]}

    def damaged(*_: Any) -> TrainedDelta:
        raise Transient("it does not have the content that its digest names")

    with monkeypatch.context() as patch:
        patch.setattr(Jobs, "_made", damaged)
        with pytest.raises(Transient):
            await bench.train(1)
    assert (bench.checkpoints / "1" / "step").exists(), "what was trained is not lost"
    await bench.train(1)
    assert [shard.path.read_bytes() for shard in bench.jobs.shards[-1]] == MANY


async def test_the_trace_of_a_training_is_stored_for_as_long_as_its_round(bench: Bench) -> None:
    await bench.train(1)
    trace = digest_of(b"trace")
    assert json.loads(bench.journal.notes(1)["training"])["trace"] == trace.hex()
    assert bench.blobs.pins(trace) == {"round/1"}


async def test_what_audits_need_is_kept_with_the_round_and_served_with_the_delta(bench: Bench) -> None:
    bench.audit = AuditRule(2)
    await bench.train(1)
    residual = bench.sealed(1)
    await bench.train(2)
    states = [blake3_of([data]) for data in (b"state 1", b"state 2")]
    left = [digest_of(b"transcript"), *states]
    assert all({"round/1", "round/2"} <= bench.blobs.pins(item) for item in left)
    assert not any(bench.blobs.is_public(item) for item in (*left, residual)), "secret until the reveal"
    assert list(bench.work.glob("states-*")) == [], "moved into the store"
    assert "left" not in json.loads(bench.journal.notes(2)["training"])
    await bench.solver(2, base=b"model of round 2").publish_delta(PublishDelta(RoundId(2)))
    assert all(bench.blobs.is_public(item) for item in (*left, residual))
    assert len(bench.said) == 1, "who serves the delta serves the rest"


async def test_the_key_of_the_losses_outlives_a_crash_and_differs_by_round(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.audit = AuditRule(2)

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "put_salt", killed)
        with pytest.raises(Killed):
            await bench.train(1)
    await bench.train(1)
    await bench.train(2)
    first, again, other = (place.key for place in bench.jobs.audits)
    assert first == again != other and len(first) == 32
    assert first not in [salt.salt for salt in bench.journal.salts()]


async def test_attack_a_round_that_asks_for_more_states_than_there_is_room_for_is_left_alone(
    bench: Bench,
) -> None:
    """They are pinned: a stranger's round would fill the store, and every other round would fail."""
    bench.audit = AuditRule(1024)
    with pytest.raises(Rejected, match=r"a 4th of node\.storage_gb") as refused:
        await bench.train(1)
    assert refused.value.reason == "no-room" and bench.jobs.audits == []


async def test_a_round_without_audits_keeps_nothing_for_them(bench: Bench) -> None:
    await bench.train(1)
    assert "audit" not in bench.journal.notes(1) and bench.jobs.audits == []


async def test_a_delta_is_not_committed_in_a_round_that_took_its_rounds_place(bench: Bench) -> None:
    """A deep fork may replace a round by another of the same number; the delta would not fit its base."""
    await bench.train(1, base=b"the model that was")
    sealed = bench.journal.salt(1, SOLVER)
    after = bench.solver(1, base=b"the model of the fork")
    for work in (after.train_shard(TrainShard(RoundId(1))), after.send_commit(SendCommit(RoundId(1)))):
        with pytest.raises(Rejected) as caught:
            await work
        assert caught.value.reason == "round-replaced"
    assert bench.journal.salt(1, SOLVER) == sealed, "kept: a commitment of it may be on the chain"
    await bench.train(1, base=b"the model that was")
    assert len(bench.jobs.seeds) == 1


async def test_a_delta_sealed_by_the_release_before_is_taken_up_as_it_is(bench: Bench) -> None:
    bench.journal.put_salt(1, SOLVER, digest("trained before"), digest("salted after"))
    await bench.train(1)
    assert bench.jobs.seeds == []
    assert bench.journal.salt(1, SOLVER) == (digest("trained before"), digest("salted after"))


async def test_attack_no_log_line_names_a_delta_before_its_reveal(
    bench: Bench,
) -> None:
    stream = io.StringIO()
    configure_logging(level="debug", stream=stream)
    try:
        await bench.train(1)
    finally:
        configure_logging(level="error")
    said = stream.getvalue()
    sealed = bench.journal.salt(1, SOLVER)
    assert sealed is not None
    assert "solver.trained" in said
    for secret in (*sealed, bench.jobs.seeds[0]):
        assert secret.hex() not in said


async def test_a_delta_builds_on_the_residual_of_the_one_sealed_before(bench: Bench) -> None:
    for number in (1, 2):
        await bench.train(number)
    assert bench.jobs.given == [None, bench.blobs.path(bench.sealed(1))]
    assert bench.kept(1, 2) == {bench.sealed(1), bench.sealed(2)}
    bench.codec = "topk1"
    await bench.train(3)
    assert bench.jobs.given[-1] is None


async def test_what_a_delta_that_was_never_merged_left_out_is_not_added_to_its_repetition(
    bench: Bench,
) -> None:
    await bench.train(1)
    first = bench.blobs.path(bench.sealed(1))
    for number in (2, 3):  # the merge of round 2 is withheld, so round 3 trains the same change again
        await bench.train(number, base=b"stays")
        assert bench.jobs.given[-1] == first
    assert bench.kept(1, 2, 3) == {bench.sealed(1), bench.sealed(3)}
    await bench.train(4)
    assert bench.jobs.given[-1] == bench.blobs.path(bench.sealed(3))


@pytest.mark.parametrize("last", ["put_salt", "keep_only"])
async def test_a_crash_around_the_sealing_leaves_one_residual(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    await bench.train(1)

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Journal if last == "put_salt" else BlobStore, last, killed)
        with pytest.raises(Killed):
            await bench.train(2)
    await bench.train(2)
    # Trained again only where nothing had been sealed, and then on the same residual.
    assert bench.jobs.given[1:] == [bench.blobs.path(bench.sealed(1))] * (2 if last == "put_salt" else 1)
    assert bench.kept(1, 2) == {bench.sealed(1), bench.sealed(2)}


async def test_a_damaged_residual_is_given_up_and_does_not_end_the_solvers_work(bench: Bench) -> None:
    await bench.train(1)
    path = bench.blobs.path(bench.sealed(1))
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"#" * path.stat().st_size)
    await bench.train(2)
    assert bench.jobs.given[-1] is None


async def test_attack_many_projects_do_not_fill_the_store_with_residuals_for_good(bench: Bench) -> None:
    count = PROJECTS_CARRIED + 5
    for number in range(1, count + 1):
        await bench.train(number, project=number)
    await bench.train(count + 1, project=count)
    kept = bench.kept(*range(1, count + 2))
    assert len(kept) == PROJECTS_CARRIED + 1
    assert bench.sealed(count + 1, count) in kept and bench.sealed(1, 1) not in kept
