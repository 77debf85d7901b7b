"""Builds a dataset: training shards, a warm-start shard, probe frames, sealed evaluation shards.

    out_dir/  manifest.json  training-00.safetensors ...  public.safetensors  probe.safetensors
              sealed/  (0700)  sealed.json (0600)  shard-000.safetensors ...

Public shards follow from the parameters and the public seed. Evaluation shards follow from a secret seed
kept in `sealed.json` alone, and every one has a secret blinding, so neither the manifest nor a Merkle
leaf lets anyone guess them. A build can be interrupted and run again; finished shards are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from jepanet.cid import digest_file
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import write_atomically
from jepanet.learning.built import MANIFEST, SEALED, BuiltDataset, SealedShard, open_built, sealed_bytes
from jepanet.learning.data import load_shard, save_shard
from jepanet.learning.dataset_plan import PROBE, PUBLIC, Environment, Record, plan, training_name
from jepanet.learning.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.parallel import in_parallel
from jepanet.learning.parameters import Parameters
from jepanet.learning.recording import Recording
from jepanet.learning.seeding import derive
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest

Progress = Callable[[int, int, str], None]
"""(finished shards, shards in all, name of the shard just finished)."""


def build(
    environment: Environment,
    parameters: Parameters,
    out_dir: Path,
    seed: bytes,
    *,
    workers: int = 2,
    evaluation_seed: bytes | None = None,
    progress: Progress | None = None,
) -> BuiltDataset:
    """Builds, completes or reuses the dataset in `out_dir` with `workers` processes.

    `seed` (32 bytes) is public. `evaluation_seed` (32 bytes) makes the sealed shards and blindings
    reproducible, for tests and demonstrations; without it they come from the operating system's randomness.

    Raises:
        Fatal: `DATASET` when the simulator is missing, the folder holds another dataset or its lock is taken;
            `DISK_FULL`.
    """
    if len(seed) != 32 or (evaluation_seed is not None and len(evaluation_seed) != 32):
        raise ValueError("dataset seeds have 32 bytes")
    sealed_dir = out_dir / SEALED
    try:
        sealed_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(
            f"{sealed_dir} cannot be made: {error.strerror}", remedy="choose another --out", code=Exit.DATASET
        ) from error
    try:
        with FileLock(out_dir / ".lock", timeout=600):
            if (out_dir / MANIFEST).exists():
                return _reuse(environment, parameters, out_dir, seed, evaluation_seed)
            environment.require()
            secret = _secret(sealed_dir, evaluation_seed)
            return _build(environment, parameters, out_dir, seed, secret, workers, progress)
    except Timeout:
        raise Fatal(f"another process is building {out_dir}", code=Exit.DATASET) from None


def _build(
    environment: Environment,
    parameters: Parameters,
    out_dir: Path,
    seed: bytes,
    secret: bytes,
    workers: int,
    progress: Progress | None,
) -> BuiltDataset:
    recordings = plan(environment, parameters, seed, secret)
    digests = record_all(environment.record, recordings, out_dir, workers, progress)

    def entry(name: str, site: int) -> ShardEntry:
        path = out_dir / name
        recording = recordings[name]
        count = recording.episodes * max(1, len(recording.sites))
        return ShardEntry(site, digests[name], path.stat().st_size, count)

    hidden = [name for name in recordings if name.startswith(SEALED)]
    sealed = tuple(
        SealedShard(index, digests[name], derive(secret, f"blinding {index}"), out_dir / name)
        for index, name in enumerate(hidden)
    )
    manifest = DatasetManifest(
        environment=environment.name,
        parameters=parameters.to_json(),
        seed=seed,
        training=tuple(
            entry(training_name(index), recordings[training_name(index)].sites[0].number)
            for index in range(parameters.training_sites)
        ),
        public=entry(PUBLIC, recordings[PUBLIC].sites[0].number),
        probe=entry(PROBE, environment.probe_site),
        evaluation=EvaluationEntry(
            count=parameters.evaluation_shards,
            root=None,
            episodes=parameters.evaluation_episodes,
            sites=tuple(site.number for site in recordings[hidden[0]].sites),
        ),
    )
    write_atomically(out_dir / SEALED / "sealed.json", sealed_bytes(secret, sealed), mode=0o600)
    # The manifest comes last: its presence means that everything else is complete.
    write_atomically(out_dir / MANIFEST, manifest.to_bytes())
    return BuiltDataset(out_dir, manifest, sealed)


def record_all(
    record: Record,
    recordings: Mapping[str, Recording],
    out_dir: Path,
    workers: int,
    progress: Progress | None,
) -> dict[str, Digest]:
    """Records every file that `out_dir` does not hold yet, in parallel; digests by file name.

    Raises:
        Fatal: a recording process died, or a file cannot be written.
    """
    digests: dict[str, Digest] = {}

    def finished(name: str, digest: Digest) -> None:
        digests[name] = digest
        if progress is not None:
            progress(len(digests), len(recordings), name)

    todo: list[str] = []
    for name, recording in recordings.items():
        kept = _kept(out_dir / name, recording)
        if kept is None:
            todo.append(name)
        else:
            finished(name, kept)
    in_parallel(
        [RecordingTask(name, record, recordings[name], out_dir / name) for name in todo],
        record_to_file,
        workers,
        lambda task, digest: finished(task.name, digest),
    )
    return digests


@dataclass(frozen=True)
class RecordingTask:
    """One shard to be recorded."""

    name: str
    record: Record
    recording: Recording
    path: Path


def record_to_file(task: RecordingTask) -> Digest:
    """Records one shard into its file and returns its digest; runs in a process of its own."""
    return save_shard(task.path, task.record(task.recording))


def _kept(path: Path, recording: Recording) -> Digest | None:
    """The digest of a shard an earlier, interrupted build finished; None when it must be recorded."""
    if not path.exists():
        return None
    try:
        shard = load_shard(path)
    except Rejected:
        return None
    return digest_file(path) if shard.header.get("build") == recording.build else None


def _secret(sealed_dir: Path, evaluation_seed: bytes | None) -> bytes:
    """The secret seed of the evaluation shards; stored before the first of them is recorded."""
    path = sealed_dir / "secret.json"
    if evaluation_seed is None and path.exists():
        tree = parse_json(path.read_bytes(), max_bytes=1024, what=str(path))
        return bytes.fromhex(tree["seed"])
    secret = os.urandom(32) if evaluation_seed is None else evaluation_seed
    write_atomically(path, canonical_json({"seed": secret.hex()}), mode=0o600)
    return secret


def _reuse(
    environment: Environment,
    parameters: Parameters,
    out_dir: Path,
    seed: bytes,
    evaluation_seed: bytes | None,
) -> BuiltDataset:
    found = open_built(out_dir)
    same = (
        found.manifest.parameters == parameters.to_json()
        and found.manifest.seed == seed
        and found.manifest.environment == environment.name
    )
    if same and evaluation_seed is not None:
        expected = tuple(derive(evaluation_seed, f"blinding {index}") for index in range(len(found.sealed)))
        same = expected == tuple(shard.blinding for shard in found.sealed)
    if not same:
        theirs, ours = found.manifest.parameters, parameters.to_json()
        other = [
            f"{name} {theirs.get(name, 'unknown')}, not {ours[name]}"
            for name in ours
            if theirs.get(name) != ours[name]
        ]
        other += ["the seed"] if found.manifest.seed != seed else []
        raise Fatal(
            f"{out_dir} holds a dataset with other parameters or another seed"
            + (f" (different: {', '.join(other)})" if other else ""),
            remedy="choose an empty folder; remove this one only if no open project uses it: its sealed "
            "shards cannot be made again",
            code=Exit.DATASET,
        )
    return found
