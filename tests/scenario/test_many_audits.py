"""Honest trainings, each audited as a beacon draws it, while solver and auditor are killed: none may differ.

Every training and every audit is the job that a node's worker does, in a process of its own that dies for
real at a random moment, some of them twice, and goes on from what was left. `scripts/test audits` plays a
hundred; `-- --audits-out FOLDER` keeps what was found, and goes on there.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from jepanet.cid import blake3_of, digest_of
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.protocol.documents.spec import TRACE, AuditRule, encode_spec
from jepanet.protocol.settling.audit_draw import drawn_segments
from jepanet.types import Address, Digest, RoundId
from jepanet.work.jobs import run
from jepanet.work.requests.auditing import AuditPlace, AuditSegments, SegmentAgain
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.machine import CheckpointPlace
from jepanet.work.requests.training import TrainDelta
from jepanet.work.transcript import Transcript, decode_transcript
from learning_shards import RECIPE, disc_shard, sized
from round_samples import a_spec

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(7200)]

STEPS = 16
RULE = AuditRule(segments=8, probability_milli=1000, opened=1, trace=TRACE)
SOLVER = Address("0x" + "aa" * 20)
PLAIN = replace(sized(RECIPE, colour=True, symmetry=True), inner_steps=STEPS, total_steps=240)
WAYS: dict[str, tuple[Recipe, str]] = {
    "int8": (PLAIN, "int8"),
    "guarded": (replace(PLAIN, guard=Guard(every=5)), "fp32"),
    "what a codec leaves out": (PLAIN, "topk10"),
    "several batches a step": (replace(PLAIN, loop=Loop(accumulate=2)), "int8"),
    "bf16": (replace(PLAIN, loop=Loop(precision="bf16")), "int8"),
}
FEW, MANY = 3, 100


@dataclass
class Process:
    """Does one thing in a process of its own, and kills it now and then."""

    draws: random.Random
    length: float = 0.5
    """Seconds that the last whole one took: kills come within."""
    kills: int = 0

    def does(self, work: Callable[[], None], deaths: int) -> None:
        """Until it was done: killed `deaths` times at most, and begun again after each."""
        for turn in range(deaths + 1):
            last = turn == deaths
            began = time.monotonic()
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    work()
                    status = 0
                finally:
                    os._exit(status)
            if not last:
                time.sleep(self.draws.uniform(0.0, self.length))
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if os.WIFSIGNALED(status):
                self.kills += 1
                continue
            assert status == 0, "it failed by itself"
            self.length = time.monotonic() - began
            return


@dataclass(frozen=True)
class Case:
    """One solver's training in one round, by its number."""

    folder: Path
    number: int

    @property
    def seed(self) -> bytes:
        return digest_of(b"many audits, seed %d" % self.number)

    def write(self) -> None:
        self.folder.mkdir()
        recipe, codec = list(WAYS.values())[self.number % len(WAYS)]
        model = model_bytes(recipe.family.initial_weights(self.seed), ModelHeader.of(recipe, 0))
        spec = a_spec(
            base=digest_of(model), recipe=recipe.digest(), inner_steps=STEPS, start_step=0, total_steps=240,
            codec=codec, audit=RULE,
        )  # fmt: skip
        for name, data in (("base", model), ("recipe", recipe.to_bytes()), ("spec", encode_spec(spec))):
            (self.folder / name).write_bytes(data)
        save_shard(self.folder / "shard", disc_shard(self.number, site=(0, 0, 0, 1, 1, 2)))

    @property
    def files(self) -> RoundFiles:
        return RoundFiles(*(self.folder / name for name in ("base", "recipe", "spec")))

    @property
    def shards(self) -> tuple[TrainingShard, ...]:
        return (TrainingShard.of(self.folder / "shard"),)

    @property
    def transcript(self) -> Transcript:
        spec = digest_of((self.folder / "spec").read_bytes())
        return decode_transcript((self.folder / "transcript").read_bytes(), spec=spec)

    def train(self) -> None:
        at = self.folder
        run(
            TrainDelta(
                self.files, self.shards, None, None, self.seed, at / "delta", at / "left",
                checkpoints=CheckpointPlace(at / "checkpoints", 1 << 30, pause=0.0),
                audit=AuditPlace(at / "states", at / "transcript", bytes(32)),
            )
        )  # fmt: skip

    def named(self, digest: Digest) -> Path:
        """What the solver serves under a name."""
        for path in (self.folder / "states").glob("*.state"):
            if blake3_of([path.read_bytes()]) == digest:
                return path
        raise AssertionError(f"no state has the name {digest.hex()}")

    def audit(self) -> None:
        """Fetches and does again what the beacon draws, and writes down what was found."""
        transcript = self.transcript
        count, beacon = len(transcript.segments), int.from_bytes(digest_of(b"beacon %d" % self.number), "big")
        numbers = drawn_segments(RULE, beacon, RoundId(self.number + 1), SOLVER, count=count)
        assert len(numbers) == 3, "everybody is drawn"
        asked = tuple(
            SegmentAgain(number, self.named(transcript.segments[number - 1].state) if number else None)
            for number in numbers
        )
        found = run(
            AuditSegments(
                self.files, self.shards, None, self.seed, self.folder / "transcript", asked, None,
                self.folder / "delta",
            )
        ).found  # fmt: skip
        said = {
            "segments": numbers,
            "differs": [item.differs for item in found],
            "details": [item.detail for item in found if item.differs],
        }
        (self.folder / "found").write_text(json.dumps(said))


def played(kept: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []


def play(folder: Path, kept: Path, audits: int) -> list[dict[str, Any]]:
    draws = random.Random(11 + len(played(kept)))
    solver, auditor = Process(draws), Process(draws)
    for number in range(len(played(kept)), audits):
        case = Case(folder / str(number), number)
        case.write()
        before = solver.kills, auditor.kills
        solver.does(case.train, deaths=draws.choice((0, 1, 1, 2)))
        auditor.does(case.audit, deaths=draws.choice((0, 0, 1, 2)))
        found = json.loads((case.folder / "found").read_text())
        line = {
            "audit": number, "way": list(WAYS)[number % len(WAYS)], **found,
            "solver_killed": solver.kills - before[0], "auditor_killed": auditor.kills - before[1],
        }  # fmt: skip
        with kept.open("a") as file:
            file.write(json.dumps(line) + "\n")
    return played(kept)


@pytest.mark.parametrize("audits", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_no_honest_training_is_found_wrong_whoever_is_killed(
    audits: int, audits_out: Path, tmp_path: Path
) -> None:
    lines = play(tmp_path, audits_out / f"honest-{audits}.jsonl", audits)
    wrong = [item for item in lines if any(item["differs"])]
    segments = sum(len(item["segments"]) for item in lines)
    solver, auditor = (sum(item[f"{who}_killed"] for item in lines) for who in ("solver", "auditor"))
    print(
        f"{len(lines)} audits of {segments} segments, {len(wrong)} not reproduced; solvers killed {solver} "
        f"times, auditors {auditor}"
    )
    assert len(lines) == audits and not wrong, wrong
