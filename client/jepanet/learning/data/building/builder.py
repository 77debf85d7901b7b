"""Builds a dataset: training shards, a warm-start shard, probe frames, sealed evaluation shards.

    out_dir/  manifest.json  training-00.safetensors ...  public.safetensors  probe.safetensors
              sealed/  (0700)  sealed.json (0600)  shard-000.safetensors ...

Public shards follow from the parameters and the public seed, but for which recordings they show where a
source deals them by the secret one. Evaluation shards follow from a secret seed kept in `sealed.json` alone,
and every one has a secret blinding, so neither the manifest nor a Merkle leaf lets anyone guess them. A build
can be interrupted and run again; finished shards are kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import check_writable, keep, kept_digest, tell_damage
from jepanet.learning.data.building.earlier_build import (
    announced,
    finished_dataset,
    keep_secret,
    promised,
    secret_of,
)
from jepanet.learning.data.building.plan import (
    MB,
    PROBE,
    PUBLIC,
    Environment,
    Record,
    check_sizes,
    plan,
    shard_size,
    training_name,
)
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.on_disk import (
    MANIFEST,
    SEALED,
    SEALED_LIST,
    BuiltDataset,
    SealedShard,
    sealed_bytes,
)
from jepanet.learning.data.shards import load_shard, save_shard
from jepanet.learning.data.sizes import Counts
from jepanet.learning.parallel import in_parallel
from jepanet.learning.seeding import derive
from jepanet.telemetry import get_logger
from jepanet.types import Digest

log = get_logger("learning")

LONGEST_WAIT = 600.0
"""Seconds to wait for another process that builds the same dataset."""
Progress = Callable[[int, int, str], None]
"""(finished shards, shards in all, name of the shard just finished)."""


def build(
    environment: Environment,
    parameters: Counts,
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
    check_sizes(environment, plan(environment, parameters, seed, bytes(32)))
    found = finished_dataset(environment, parameters, out_dir, seed, evaluation_seed)
    if found is not None:  # read without a lock: also from a folder that cannot be written
        return found
    check_writable(out_dir, code=Exit.DATASET)
    try:
        (out_dir / SEALED).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Fatal(
            f"{out_dir / SEALED} cannot be made: {error.strerror}",
            remedy="choose another --out",
            code=Exit.DATASET,
        ) from error
    with _alone(out_dir):
        found = finished_dataset(environment, parameters, out_dir, seed, evaluation_seed)
        if found is not None:
            return found
        environment.require()
        secret = secret_of(out_dir, evaluation_seed)
        keep_secret(out_dir, secret)
        return _build(environment, parameters, out_dir, seed, secret, workers, progress)


@contextmanager
def _alone(out_dir: Path) -> Iterator[None]:
    """Keeps other processes from building the same dataset meanwhile, and says so if it has to wait.

    Raises:
        Fatal: `DATASET`; the lock is still taken after `LONGEST_WAIT` seconds.
    """
    lock = FileLock(out_dir / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.error("dataset.awaited", folder=str(out_dir), seconds=LONGEST_WAIT,
                  why="another process is building it")  # fmt: skip
        try:
            lock.acquire(timeout=LONGEST_WAIT)
        except Timeout:
            raise Fatal(
                f"another process is building {out_dir}",
                remedy="wait until it has ended, or choose another folder",
                code=Exit.DATASET,
            ) from None
    try:
        yield
    finally:
        lock.release()


def _build(
    environment: Environment,
    parameters: Counts,
    out_dir: Path,
    seed: bytes,
    secret: bytes,
    workers: int,
    progress: Progress | None,
) -> BuiltDataset:
    recordings = plan(environment, parameters, seed, secret)
    known = {**announced(out_dir), **promised(out_dir)}
    digests = record_all(environment, recordings, out_dir, workers, progress)
    for name, digest in known.items():
        if digests.get(name) != digest:
            raise Fatal(
                f"{out_dir / name}, recorded again, is not what was announced of it",
                remedy="build it with the versions of simulator and numpy that made it, or remove the folder "
                "if no open project uses it",
                code=Exit.DATASET,
            )

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
        probe=entry(PROBE, environment.probe_site) if PROBE in recordings else None,
        evaluation=EvaluationEntry(
            count=parameters.evaluation_shards,
            root=None,
            episodes=parameters.evaluation_episodes,
            sites=tuple(site.number for site in recordings[hidden[0]].sites),
        ),
        data=environment.schema.name,
        licence=environment.licence,
    )
    keep(out_dir / SEALED_LIST, sealed_bytes(secret, sealed), mode=0o600, code=Exit.DATASET)
    # The manifest comes last: its presence means that everything else is complete.
    keep(out_dir / MANIFEST, manifest.to_bytes(), code=Exit.DATASET)
    return BuiltDataset(out_dir, manifest, sealed)


def record_all(
    environment: Environment,
    recordings: Mapping[str, Recording],
    out_dir: Path,
    workers: int,
    progress: Progress | None,
) -> dict[str, Digest]:
    """Records every file that `out_dir` does not hold yet, in parallel; digests by file name.

    What is there and damaged counts as absent.

    Raises:
        Fatal: a recording process died, or a file cannot be written; before anything is recorded: there is
            no room for all of them.
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
    if not todo:
        return digests
    check_writable(out_dir, code=Exit.DATASET)
    _check_room(out_dir, sum(shard_size(environment, recordings[name]) for name in todo))
    in_parallel(
        [RecordingTask(name, environment.record, recordings[name], out_dir / name) for name in todo],
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


def _check_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise Fatal(
            f"{folder} is to hold {wanted / MB:,.0f} MB more, and its disk has {free / MB:,.0f} MB free",
            remedy="free space, choose another folder, or ask for fewer or shorter episodes",
            code=Exit.DISK_FULL,
        )


def _kept(path: Path, recording: Recording) -> Digest | None:
    """The digest of a shard an earlier, interrupted build finished; None when it must be recorded."""
    digest = kept_digest(path)
    if digest is None:
        return None
    try:
        shard = load_shard(path)
    except Rejected as error:
        tell_damage(path, error.message)
        return None
    return digest if shard.header.get("build") == recording.build else None
