"""Builds a TwoRoom dataset: training shards, a warm-start shard, probe frames, sealed evaluation shards.

    out_dir/  manifest.json  training-00.safetensors ...  public.safetensors  probe.safetensors
              sealed/  (0700)  sealed.json (0600)  shard-000.safetensors ...

Public shards follow from the parameters and the public seed. Evaluation shards follow from a secret seed
kept in `sealed.json` alone, and every one has a secret blinding, so neither the manifest nor a Merkle
leaf lets anyone guess them. A build can be interrupted and run again; finished shards are kept.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.built import MANIFEST, SEALED, BuiltDataset, SealedShard, open_built, sealed_bytes
from jepanet.learning.data import load_shard, save_shard, write_atomically
from jepanet.learning.manifest import MAX_EVALUATION_SHARDS, DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.tworoom_simulator import ENVIRONMENT, Recording, record, require_simulator
from jepanet.learning.tworoom_sites import GREY, GREY_SITE, PROBE_SITE, hidden_site, training_site
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest

BUILDER_VERSION = 1
"""Raised whenever the same parameters and seed would give other bytes."""
PROBE_FRAMES = 4
"""Frames of one probe episode."""
Progress = Callable[[int, int, str], None]
"""(finished shards, shards in all, name of the shard just finished)."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Size of a dataset. Episodes are per shard; frames are per episode."""

    training_sites: int = 4
    episodes: int = 28
    frames: int = 32
    public_episodes: int = 28
    probe_frames: int = 384
    evaluation_shards: int = 8
    evaluation_episodes: int = 20
    hidden_sites: int = 2
    image: int = 64
    hold: int = 4

    def __post_init__(self) -> None:
        bounds = {
            "training_sites": (1, 256),
            "episodes": (1, 10_000),
            "frames": (4, 1000),
            "public_episodes": (1, 10_000),
            "probe_frames": (PROBE_FRAMES, 100_000),
            "evaluation_shards": (1, MAX_EVALUATION_SHARDS),
            "evaluation_episodes": (4, 10_000),
            "hidden_sites": (1, 16),
            "image": (16, 128),
            "hold": (1, 64),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise Rejected(
                    f"dataset parameter {name} must be in [{low}, {high}]", reason="bad-parameters"
                )
        if self.evaluation_episodes % self.hidden_sites or self.probe_frames % PROBE_FRAMES:
            raise Rejected(
                f"evaluation_episodes must be a multiple of hidden_sites, probe_frames of {PROBE_FRAMES}",
                reason="bad-parameters",
            )

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Parameters:
        """Parameters from a mapping; what is missing keeps its default.

        Raises:
            Rejected: an unknown name or a value out of bounds.
        """
        unknown = sorted(set(tree) - {item.name for item in fields(cls)})
        if unknown:
            raise Rejected(f"unknown dataset parameters: {', '.join(unknown)[:200]}", reason="bad-parameters")
        return cls(**tree)


DEMO = Parameters(episodes=32, evaluation_episodes=32, image=32)
TINY = Parameters(
    training_sites=2,
    episodes=4,
    frames=8,
    public_episodes=4,
    probe_frames=8,
    evaluation_shards=2,
    evaluation_episodes=4,
    hidden_sites=2,
    image=32,
)


def build(
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
    sealed_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with FileLock(out_dir / ".lock", timeout=600):
            if (out_dir / MANIFEST).exists():
                return _reuse(parameters, out_dir, seed, evaluation_seed)
            require_simulator()
            return _build(parameters, out_dir, seed, _secret(sealed_dir, evaluation_seed), workers, progress)
    except Timeout:
        raise Fatal(f"another process is building {out_dir}", code=Exit.DATASET) from None


def _build(
    parameters: Parameters,
    out_dir: Path,
    seed: bytes,
    secret: bytes,
    workers: int,
    progress: Progress | None,
) -> BuiltDataset:
    recordings = plan(parameters, seed, secret)
    digests = _record_all(recordings, out_dir, workers, progress)

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
        environment=ENVIRONMENT,
        parameters=parameters.to_json(),
        seed=seed,
        training=tuple(
            entry(_training_name(index), recordings[_training_name(index)].sites[0].number)
            for index in range(parameters.training_sites)
        ),
        public=entry("public.safetensors", GREY_SITE),
        probe=entry("probe.safetensors", PROBE_SITE),
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


def plan(parameters: Parameters, seed: bytes, secret: bytes) -> dict[str, Recording]:
    """Every shard of a dataset by file name, in a fixed order."""
    layouts = numpy_generator(seed, "sites")
    training = [training_site(index, layouts) for index in range(parameters.training_sites)]
    hidden = tuple(hidden_site(index, layouts) for index in range(parameters.hidden_sites))
    per_site = parameters.evaluation_episodes // parameters.hidden_sites
    wanted: list[tuple[str, bytes, tuple[Any, ...], int, int]] = []
    for index in range(parameters.evaluation_shards):
        name = f"{SEALED}/shard-{index:03d}.safetensors"
        wanted.append((name, derive(secret, f"shard {index}"), hidden, per_site, parameters.frames))
    for index, site in enumerate(training):
        name = _training_name(index)
        wanted.append((name, derive(seed, name), (site,), parameters.episodes, parameters.frames))
    public = derive(seed, "public")
    wanted.append(("public.safetensors", public, (GREY,), parameters.public_episodes, parameters.frames))
    groups = parameters.probe_frames // PROBE_FRAMES
    wanted.append(("probe.safetensors", derive(seed, "probe"), (), groups, PROBE_FRAMES))
    recordings: dict[str, Recording] = {}
    for name, shard_seed, sites, episodes, frames in wanted:
        build_id = hashlib.sha256(
            canonical_json(
                {
                    "builder": BUILDER_VERSION,
                    "environment": ENVIRONMENT,
                    "name": name,
                    "seed": hashlib.sha256(shard_seed).hexdigest(),
                    "sites": [asdict(site) for site in sites],
                    "size": [episodes, frames, parameters.image, parameters.hold],
                }
            )
        ).hexdigest()
        recordings[name] = Recording(
            name, shard_seed, sites, episodes, frames, parameters.image, parameters.hold, build_id
        )
    return recordings


def _record_all(
    recordings: Mapping[str, Recording], out_dir: Path, workers: int, progress: Progress | None
) -> dict[str, Digest]:
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
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(workers, len(todo))), mp_context=context) as pool:
        jobs = {pool.submit(record_to_file, recordings[name], str(out_dir / name)): name for name in todo}
        try:
            for job in as_completed(jobs):
                finished(jobs[job], Digest(job.result()))
        except BrokenProcessPool as error:
            raise Fatal(
                "a process that recorded episodes died",
                remedy="run the build again: finished shards are kept; try fewer workers if memory is short",
                code=Exit.DATASET,
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
    return digests


def record_to_file(recording: Recording, path: str) -> bytes:
    """Records one shard into a file and returns its digest; runs in a process of its own."""
    return save_shard(Path(path), record(recording))


def _kept(path: Path, recording: Recording) -> Digest | None:
    """The digest of a shard an earlier, interrupted build finished; None when it must be recorded."""
    from jepanet.cid import digest_file

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


def _reuse(parameters: Parameters, out_dir: Path, seed: bytes, evaluation_seed: bytes | None) -> BuiltDataset:
    found = open_built(out_dir)
    same = (
        found.manifest.parameters == parameters.to_json()
        and found.manifest.seed == seed
        and found.manifest.environment == ENVIRONMENT
    )
    if same and evaluation_seed is not None:
        expected = tuple(derive(evaluation_seed, f"blinding {index}") for index in range(len(found.sealed)))
        same = expected == tuple(shard.blinding for shard in found.sealed)
    if not same:
        raise Fatal(
            f"{out_dir} holds a dataset with other parameters or another seed",
            remedy="choose an empty folder, or remove this one",
            code=Exit.DATASET,
        )
    return found


def _training_name(index: int) -> str:
    return f"training-{index:02d}.safetensors"
