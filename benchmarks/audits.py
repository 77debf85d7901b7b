"""What does a training cost that leaves its states for audits, and what does auditing one cost?

A training of `--steps` steps as a solver does it, in turns with the same training that keeps the state at the
end of each of `--segments` segments and writes their transcript. An audit is the first segment, the last with
what makes weights a delta, and one in between: the job that `jepanet audit` runs, three times, with reading
and checking the state files. CPU time, medians of repeats; the yardstick is the training without states.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table
from training_step import SEED, made_up_shard

from jepanet.cid import digest_of
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.presets import preset
from jepanet.protocol.documents.spec import AuditRule, RoundSpec, encode_spec
from jepanet.types import Digest, ProjectId
from jepanet.work.jobs import run
from jepanet.work.requests.auditing import AuditedSegment, AuditPlace, AuditSegment
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.training import TrainDelta
from jepanet.work.transcript import Transcript, decode_transcript

TRACED, AUDITED, STEP = 1.05, 0.1, 1.0
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
            audit=AuditRule(segments),
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

    def audit(self, number: int) -> AuditedSegment:
        found = run(
            AuditSegment(
                round=self.files,
                shards=self.shards,
                probe=None,
                seed=SEED,
                transcript=self.folder / "transcript",
                number=number,
                state=self.state(number),
                residual=None,
                claimed=self.folder / "delta",
            )
        )
        assert found.differs is None, found
        return found


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(bench: Bench, repeats: int) -> dict[str, float]:
    def plain() -> None:
        bench.train(audited=False)

    def kept() -> None:
        bench.train(audited=True)

    plain()
    kept()
    pairs = [(cpu_seconds(plain), cpu_seconds(kept)) for _ in range(repeats)]
    kept()
    segments = bench.transcript.segments
    chosen = (0, len(segments) // 2, len(segments) - 1)
    audits = [[cpu_seconds(partial(bench.audit, number)) for number in chosen] for _ in range(repeats)]
    training = statistics.median(first for first, _ in pairs)
    every = segments[0].end.step
    state = bench.state(1)
    assert state is not None
    return {
        "segments": len(segments),
        "steps_of_one": every,
        "training_s": training,
        "traced": statistics.median(second / first for first, second in pairs),
        "audit": statistics.median(sum(item) for item in audits) / training,
        "step_s": statistics.median(item[1] for item in audits) / every,
        "state_mb": state.stat().st_size / 1e6,
        "states_mb": len(segments) * state.stat().st_size / 1e6,
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
        "recipe", "segments", "training, s", "with states", f"at most {TRACED}", "audit of three",
        f"at most {AUDITED}", "a step again, s", f"below {STEP:.0f}", "a state, MB", "all, MB",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float]] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = figures[name] = measured(Bench.of(Path(folder), name, steps, segments), repeats)
        table.add_row(
            name, f"{found['segments']:.0f}", f"{found['training_s']:.2f}", f"{found['traced']:.3f}",
            _met(found["traced"] <= TRACED), f"{found['audit']:.3f}", _met(found["audit"] <= AUDITED),
            f"{found['step_s']:.3f}", _met(found["step_s"] < STEP), f"{found['state_mb']:.1f}",
            f"{found['states_mb']:.0f}",
        )  # fmt: skip
    Console(width=150).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps({"steps": steps, "segments": segments, "repeats": repeats, "recipes": figures}, indent=1)
        + "\n"
    )


def _met(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    main()
