"""A LeRobot folder as what the builder of datasets plays: its stretches are the episodes.

Of every `hold` frames one is kept. The action between two that are kept is the mean of those that the robot
was told meanwhile, scaled so that what the whole folder has lies in [-1, 1] (`rows.Scale`); low and high
stand in the header of every shard.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.plan import Environment, Layout, recorded_size, sealed_index
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.inside import file_inside, refusal
from jepanet.learning.data.shards import Shard, recorded
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.simulators.offer import PROBE_SITE
from jepanet.learning.sources.lerobot.episodes import Recorded, frames_of_videos, recordings_of
from jepanet.learning.sources.lerobot.folder import Info, licence_of, read_info
from jepanet.learning.sources.lerobot.rows import Scale, rows_of, scale_of
from jepanet.learning.sources.lerobot.sites import Site, dealt, stretches, usual_sizes
from jepanet.learning.sources.lerobot.tables import MAX_TABLE_BYTES
from jepanet.learning.sources.lerobot.video import MAX_VIDEO_BYTES, frames_at
from jepanet.nesting import Json

BUILDER_VERSION = 1
"""Raised whenever the same folder, parameters and seed would give other bytes."""
LIBRARIES = ("av", "pyarrow")


def require() -> None:
    """Raises: Fatal: what reads tables or videos is not installed (exit code `DATASET`)."""
    for library in LIBRARIES:
        if importlib.util.find_spec(library) is None:
            raise refusal(f"LeRobot folders are read with {library}", "pip install 'jepanet[lerobot]'")


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder, read but for its rows and videos."""

    info: Info
    recordings: tuple[Recorded, ...]
    videos: dict[str, int]
    """Frames of each."""
    licence: str
    digest: str
    """Hex: of every file of it that is read."""


def open_folder(folder: Path, camera: str | None, licence: str | None) -> Opened:
    """Reads what a folder says of itself, and the digest of all that a dataset is built from.

    Raises:
        Fatal: no LeRobot folder, or without a licence (exit code `DATASET`).
    """
    require()
    info = read_info(folder, camera)
    recordings = recordings_of(info)
    stated = licence if licence is not None else licence_of(folder)
    if not stated or not stated.isprintable() or len(stated) > 400:
        raise Fatal(
            f"{folder} does not say under which licence it may be passed on",
            remedy="state it with --licence, in at most 400 printable characters",
            code=Exit.USAGE,
        )
    seen = hashlib.sha256(info.camera.encode())
    names = sorted({item.table for item in recordings}), sorted({item.video for item in recordings})
    for part, most in zip(names, (MAX_TABLE_BYTES, MAX_VIDEO_BYTES), strict=True):
        for name in part:
            with file_inside(folder, name, most).open("rb") as file:
                seen.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
    return Opened(info, recordings, dict(frames_of_videos(recordings)), stated, seen.hexdigest())


def environment_of(opened: Opened, parameters: Parameters, seed: bytes) -> Environment:
    """What the builder needs. Raises: Fatal, as `rows_of`."""
    info = opened.info
    layout = dealt(len(opened.recordings), parameters, numpy_generator(seed, "sites"))
    public = tuple(number for site in layout.public for number in cast(Site, site).recordings)
    called = "".join(letter for letter in info.folder.resolve().name if letter.isprintable())[:60]
    name = f"LeRobot {info.version} {called} {info.camera} {opened.digest[:16]}"
    return Environment(
        name=name,
        version=BUILDER_VERSION,
        require=require,
        sites=partial(_sites, len(opened.recordings)),
        record=Recorder(name, opened, scale_of(info, opened.recordings), Site(PROBE_SITE, public)),
        probe_site=PROBE_SITE,
        episode_size=recorded_size(actions=info.actions, state=max(1, info.state)),
        licence=opened.licence,
    )


def sizes_of(opened: Opened, given: dict[str, int], seed: bytes) -> Parameters:
    """As `sites.usual_sizes`."""
    return usual_sizes(opened.recordings, given, seed)


def _sites(recordings: int, generator: np.random.Generator, parameters: Parameters) -> Layout:
    return dealt(recordings, parameters, generator)


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes a shard of stretches that its seed chooses, none of them twice."""

    environment: str
    opened: Opened
    scale: Scale
    public: Site
    """Of probe frames."""

    def __call__(self, recording: Recording) -> Shard:
        """Raises: Fatal: fewer stretches than are wanted (`USAGE`), or other files than were announced."""
        generator = numpy_generator(recording.seed, "stretches")
        rows = recording.frames * recording.hold
        shard = sealed_index(recording.name)
        chosen: list[tuple[int, int, int]] = []
        for site in cast("tuple[Site, ...]", recording.sites) or (self.public,):
            pool = stretches(site, self.opened.recordings, rows, shard or 0)
            if len(pool) < recording.episodes:
                raise Fatal(
                    f"{recording.name}: site {site.number} has {len(pool)} stretches of {recording.frames} "
                    f"frames, and {recording.episodes} are wanted",
                    remedy="a smaller --size for it, or fewer frames",
                    code=Exit.USAGE,
                )
            taken = sorted(generator.permutation(len(pool))[: recording.episodes].tolist())
            chosen += [(site.number, *pool[place]) for place in taken]
        return self._shard(recording, chosen)

    def _shard(self, recording: Recording, chosen: list[tuple[int, int, int]]) -> Shard:
        info, recordings = self.opened.info, self.opened.recordings
        hold, length = recording.hold, recording.frames
        moments = np.arange(length) * hold
        wanted: dict[str, set[int]] = defaultdict(set)
        for _, number, first in chosen:
            item = recordings[number]
            wanted[item.video] |= set((item.first + first + moments).tolist())
        seen = {
            video: frames_at(info.folder, video, frames, self.opened.videos[video], recording.image)
            for video, frames in wanted.items()
        }
        inside = [recordings[number] for number in sorted({row[1] for row in chosen})]
        rows = {item.index: found for item, found in rows_of(info, inside)}
        frames, actions, state = [], [], []
        for _, number, first in chosen:
            item, (told, felt) = recordings[number], rows[number]
            frames.append(np.stack([seen[item.video][item.first + first + at] for at in moments.tolist()]))
            held = told[first : first + (length - 1) * hold].reshape(length - 1, hold, -1).mean(axis=1)
            actions.append(self.scale.apply(held))
            state.append(felt[first + moments].astype(np.float32))
        header: dict[str, Json] = {
            **recording.header(self.environment),
            "actions": {"low": [*self.scale.low], "high": [*self.scale.high]},
        }
        return recorded(
            np.stack(frames), np.stack(actions), np.stack(state), tuple(row[0] for row in chosen), header
        )
