"""A delta's score follows from itself, its round and how many were revealed, and from nothing beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import shard_bytes
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.training.loop import warm_start
from jepanet.protocol.documents.spec import Gates, NormCaps, encode_spec
from jepanet.tensors import Arrays
from jepanet.types import Address, Digest, RoundId
from jepanet.work.jobs import run
from jepanet.work.lines import call_line, read_reply
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims, ScoredDeltas
from learning_shards import RECIPE, SEED, disc_shard
from round_samples import a_spec

pytestmark = pytest.mark.property

SITES = (3, 3, 3, 8, 8, 8)
ROUNDS = 12
Score = tuple[int, int, tuple[tuple[str, int], ...], str]
"""Gain, standard error, metrics and reason."""


@dataclass(frozen=True)
class Round:
    """The files of one round."""

    folder: Path
    base: Arrays
    header: DeltaHeader

    def delta(self, draw: np.random.Generator, scale: float = 0.05) -> Arrays:
        return {
            name: (scale * np.abs(array).mean() * draw.standard_normal(array.shape)).astype(np.float32)
            for name, array in self.base.items()
        }

    def encoded(self, delta: Arrays) -> bytes:
        return encode_delta(delta, self.header, "fp32")

    def request(self, files: Sequence[bytes | Digest]) -> ScoreClaims:
        """Claims in their order; of a digest alone nobody serves the bytes."""
        claims = []
        for place, item in enumerate(files):
            digest = digest_of(item) if isinstance(item, bytes) and len(item) != 32 else Digest(bytes(item))
            path = None
            if len(item) != 32:
                path = self.folder / digest.hex()
                path.write_bytes(item)
            claims.append(ClaimedDelta(Address(f"0x{place + 1:040x}"), place, digest, path))
        return ScoreClaims(
            RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec"),
            EvaluationFiles(self.folder / "shard", self.folder / "manifest", bytes(32)),
            tuple(claims),
        )

    def scores(self, files: Sequence[bytes | Digest]) -> dict[Digest, Score]:
        found = run(self.request(files)).judgements
        return {item.digest: (item.gain, item.stderr, item.metrics, item.reason) for item in found}


@pytest.fixture(scope="module")
def round_(tmp_path_factory: pytest.TempPathFactory) -> Round:
    folder = tmp_path_factory.mktemp("round")
    base = warm_start(RECIPE, disc_shard(1, (0,) * 12), SEED, steps=80)
    model = model_bytes(base, ModelHeader.of(RECIPE, RoundId(0)))
    open_ = Gates(
        variance_floor_milli=0, variance_ceiling_milli=100_000, sigreg_log_milli=10_000, rank_ratio_milli=0,
        healthy_variance_milli=0,
    )  # fmt: skip
    spec = a_spec(
        base=digest_of(model), recipe=RECIPE.digest(), codec="fp32", gates=open_,
        norms=NormCaps(to_reference_milli=1000, reference_nano=10**9),
    )  # fmt: skip
    entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
    manifest = DatasetManifest(
        "discs", {}, SEED, (entry,), entry, entry, EvaluationEntry(1, None, len(SITES), (3, 8))
    )
    files = {
        "base": model, "recipe": RECIPE.to_bytes(), "spec": encode_spec(spec),
        "shard": shard_bytes(disc_shard(2, SITES)), "manifest": manifest.to_bytes(),
    }  # fmt: skip
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return Round(folder, base, DeltaHeader(base=spec.base, recipe=spec.recipe))


def companions(round_: Round, draw: np.random.Generator, count: int) -> list[bytes | Digest]:
    """What may stand beside a delta, no two alike: sound, loud, of another base, nowhere to be had, or one
    that breaks its own measurement."""
    made: list[bytes | Digest] = []
    for _ in range(count):
        kind = draw.integers(5)
        delta = round_.delta(draw, 3.0 if kind == 1 else 0.05)
        if kind == 2:  # finite weights whose latents are not
            delta = {name: array * np.float32(1e30) for name, array in delta.items()}
        header = replace(round_.header, base=digest_of(b"another")) if kind == 3 else round_.header
        made.append(Digest(draw.bytes(32)) if kind == 4 else encode_delta(delta, header, "fp32"))
    return made


def test_a_score_does_not_hang_on_companions_their_order_or_a_restart(round_: Round) -> None:
    """Bit for bit, whoever else committed, in whatever order, and however often it is measured again."""
    reasons, measured = set(), 0
    for seed in range(ROUNDS):
        draw = np.random.default_rng(seed)
        mine, count = round_.encoded(round_.delta(draw)), int(draw.integers(2, 6))
        name, scores = digest_of(mine), []
        for _ in range(3):
            beside = companions(round_, draw, count - 1)
            beside.insert(int(draw.integers(count)), mine)
            found = round_.scores(beside)
            reasons |= {reason for *_, reason in found.values()}
            scores.append(found[name])
        measured += scores[0][1] > 0
        assert scores[0] == scores[1] == scores[2], seed
    assert measured > ROUNDS / 2
    assert reasons >= {"accepted", "norm-cap", "not-measurable", "unavailable", "wrong-base"}, reasons


def test_a_score_hangs_on_how_many_there_are_by_its_share_alone(round_: Round) -> None:
    """Twice the delta among twice as many is the same candidate, to the last bit."""
    for seed in range(ROUNDS):
        draw = np.random.default_rng([seed, 1])
        delta, count = round_.delta(draw), int(draw.integers(1, 4))
        twice = {name: array * np.float32(2) for name, array in delta.items()}
        among = [
            round_.scores([*companions(round_, draw, many - 1), data])[digest_of(data)]
            for many, data in ((count, round_.encoded(delta)), (2 * count, round_.encoded(twice)))
        ]
        assert among[0] == among[1], seed


@pytest.mark.subprocess
def test_another_process_comes_to_the_same_scores(round_: Round) -> None:
    """A worker that starts anew, as after a crash."""
    draw = np.random.default_rng(7)
    request = round_.request([round_.encoded(round_.delta(draw)) for _ in range(2)])
    call = [sys.executable, "-P", "-m", "jepanet.work.child", "jepanet.work.jobs"]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin and worker.stdout
        worker.stdin.write(call_line(1, request))
        worker.stdin.flush()
        replies = (read_reply(line, 1, request) for line in worker.stdout)
        there = next(reply for reply in replies if isinstance(reply, ScoredDeltas))
        worker.stdin.close()
    assert there == run(request)
