"""What does a training cost that leaves its states for audits, and what does auditing one cost?

A training of `--steps` steps as a solver does it, in turns with the same training that keeps the state at the
end of each of `--segments` segments and writes their transcript. An audit is the first segment, the last with
what makes weights a delta, and one in between: the one job that an auditor runs, with reading and checking
the round's files and the states. CPU time, and time on the clock beside it; medians of repeats; the yardstick
is the training without states. What one state costs follows from both, and from that the fewest steps of a
segment at which states cost at most `LEAST` of the training.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table
from training_step import SEED, made_up_shard

from jepanet.cid import digest_of
from jepanet.division import segment_steps
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.presets import preset
from jepanet.protocol.documents.spec import TRACE, AuditRule, RoundSpec, encode_spec
from jepanet.types import Digest, ProjectId
from jepanet.work.jobs import run
from jepanet.work.requests.auditing import AuditPlace, AuditSegments, SegmentAgain
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.training import TrainDelta
from jepanet.work.transcript import Transcript, decode_transcript

TRACED, AUDITED, STEP = 1.05, 0.1, 1.0
LEAST = 0.03
RESULT = Path(__file__).parent / "results" / "audits.json"


@dataclass(frozen=True)
class Bench:
    """The files of one round."""

    folder: Path
    spec: RoundSpec

    @classmethod
    def of(cls, folder: Path, name: str, steps: int, segments: int) -> Bench:
        recipe = preset(name)
        base = model_bytes(recipe.family.initial_weights(SEED), ModelHeader.of(recipe, 0))
        spec = RoundSpec(
            project=ProjectId(1),
            base=digest_of(base),
            recipe=recipe.digest(),
            dataset=Digest(bytes(32)),
            inner_steps=steps,
            start_step=0,
            total_steps=10 * steps,
            codec="int8",
            max_delta_bytes=1 << 30,
            price=1,
            audit=AuditRule(segments, trace=TRACE),
        )
        for file, data in (("base", base), ("recipe", recipe.to_bytes()), ("spec", encode_spec(spec))):
            (folder / file).write_bytes(data)
        save_shard(folder / "shard", made_up_shard(recipe))
        return cls(folder, spec)

    @property
    def files(self) -> RoundFiles:
        return RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec")

    @property
    def shards(self) -> tuple[TrainingShard, ...]:
        return (TrainingShard.of(self.folder / "shard"),)

    def forget(self) -> None:
        """Removes the states of the training before: a solver begins in an empty folder."""
        shutil.rmtree(self.folder / "states", ignore_errors=True)

    def train(self, *, audited: bool) -> None:
        place = AuditPlace(self.folder / "states", self.folder / "transcript", bytes(32))
        run(
            TrainDelta(
                round=self.files,
                shards=self.shards,
                probe=None,
                residual=None,
                seed=SEED,
                target=self.folder / "delta",
                residual_target=self.folder / "left",
                audit=place if audited else None,
            )
        )

    @property
    def transcript(self) -> Transcript:
        spec = digest_of((self.folder / "spec").read_bytes())
        return decode_transcript((self.folder / "transcript").read_bytes(), spec=spec)

    def state(self, number: int) -> Path | None:
        """What segment `number` goes on from."""
        if number == 0:
            return None
        step = self.transcript.segments[number - 1].end.step
        return self.folder / "states" / f"step-{step:010}.state"

    def audit_of(self, *numbers: int) -> AuditSegments:
        return AuditSegments(
            round=self.files,
            shards=self.shards,
            probe=None,
            seed=SEED,
            transcript=self.folder / "transcript",
            segments=tuple(SegmentAgain(number, self.state(number)) for number in numbers),
            residual=None,
            claimed=self.folder / "delta",
        )


def audited(request: AuditSegments) -> None:
    found = run(request).found
    assert all(item.differs is None for item in found), found


@dataclass(frozen=True)
class Spent:
    cpu: float
    clock: float


def spent(work: Callable[[], object]) -> Spent:
    began = time.process_time(), time.perf_counter()
    work()
    return Spent(time.process_time() - began[0], time.perf_counter() - began[1])


def measured(bench: Bench, repeats: int) -> dict[str, float]:
    def plain() -> None:
        bench.train(audited=False)

    def kept() -> None:
        bench.train(audited=True)

    def turn() -> tuple[Spent, Spent]:
        bench.forget()
        return spent(plain), spent(kept)

    turn()
    pairs = [turn() for _ in range(repeats)]
    segments = bench.transcript.segments
    middle = len(segments) // 2
    request = bench.audit_of(*sorted({0, middle, len(segments) - 1}))
    one = bench.audit_of(middle)
    audits = [(spent(partial(audited, request)), spent(partial(audited, one))) for _ in range(repeats)]
    steps = bench.spec.inner_steps
    every = segment_steps(steps, bench.spec.audit.segments if bench.spec.audit else 1)
    training = statistics.median(first.cpu for first, _ in pairs)
    traced = statistics.median(second.cpu / first.cpu for first, second in pairs)
    state = bench.state(middle)
    assert state is not None
    size = state.stat().st_size / 1e6
    of_one = max(0.0, traced - 1) * training / len(segments)
    return {
        "segments": len(segments),
        "steps_of_one": every,
        "training_s": training,
        "traced": traced,
        "traced_clock": statistics.median(second.clock / first.clock for first, second in pairs),
        "state_ms": 1000 * of_one,
        "least_steps": max(1, ceil(of_one / (LEAST * training / steps))),
        "audit": statistics.median(all_.cpu for all_, _ in audits) / training,
        "audit_clock": statistics.median(all_.clock for all_, _ in audits)
        / statistics.median(first.clock for first, _ in pairs),
        "step_s": statistics.median(alone.cpu for _, alone in audits) / every,
        "state_mb": size,
        "states_mb": len(segments) * size,
    }


@click.command()
@click.option("--steps", default=160)
@click.option("--segments", default=32)
@click.option("--repeats", default=5)
@click.option("--recipe", "names", multiple=True, default=["tworoom-small", "image-tiny", "language-tiny"])
def main(steps: int, segments: int, repeats: int, names: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    table = Table(title=f"States for audits over {steps} steps (median of {repeats})")
    columns = (
        "recipe", "segments", "steps of one", "training, s", "with states", f"at most {TRACED}",
        "on the clock", "a state, ms", f"steps at {LEAST:.0%}", "audit of three",
        f"at most {AUDITED}", "on the clock", "a step again, s", f"below {STEP:.0f}", "a state, MB",
        "all, MB",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float]] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = figures[name] = measured(Bench.of(Path(folder), name, steps, segments), repeats)
        table.add_row(
            name, f"{found['segments']:.0f}", f"{found['steps_of_one']:.0f}", f"{found['training_s']:.2f}",
            f"{found['traced']:.3f}", _met(found["traced"] <= TRACED), f"{found['traced_clock']:.3f}",
            f"{found['state_ms']:.2f}", f"{found['least_steps']:.0f}", f"{found['audit']:.3f}",
            _met(found["audit"] <= AUDITED), f"{found['audit_clock']:.3f}", f"{found['step_s']:.3f}",
            _met(found["step_s"] < STEP), f"{found['state_mb']:.1f}", f"{found['states_mb']:.0f}",
        )  # fmt: skip
    Console(width=190).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps({"steps": steps, "segments": segments, "repeats": repeats, "recipes": figures}, indent=1)
        + "\n"
    )


def _met(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    main()
