"""A LeRobot folder as what the builder of datasets plays: its stretches are the episodes.

Of every `hold` frames one is kept. The action between two that are kept is the mean of those that the robot
was told meanwhile, scaled so that what the whole folder has lies in [-1, 1] (`rows.Scale`); low and high
stand in the header of every shard. With a sealed folder they are those of the other one.
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
from jepanet.learning.sources.lerobot.rows import Survey, rows_of, survey_of
from jepanet.learning.sources.lerobot.sites import Dealt, Site, dealt, stretches, usual_sizes
from jepanet.learning.sources.lerobot.tables import MAX_TABLE_BYTES
from jepanet.learning.sources.lerobot.video import MAX_VIDEO_BYTES, frames_at
from jepanet.nesting import Json

BUILDER_VERSION = 2
"""Raised whenever the same folder, parameters and seed would give other bytes."""
LIBRARIES = ("av", "pyarrow")
MAX_LICENCE = 180
"""Characters: those of two folders stand in one manifest."""


def require() -> None:
    """Raises: Fatal: what reads tables or videos is not installed (exit code `DATASET`)."""
    for library in LIBRARIES:
        if importlib.util.find_spec(library) is None:
            raise refusal(f"LeRobot folders are read with {library}", "pip install 'jepanet[lerobot]'")


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder, read but for its videos."""

    info: Info
    recordings: tuple[Recorded, ...]
    videos: dict[str, int]
    """Frames of each."""
    licence: str
    digest: str
    """Hex: of every file of it that is read."""
    survey: Survey


def open_folder(folder: Path, camera: str | None, licence: str | None) -> Opened:
    """Reads what a folder says of itself, its rows, and the digest of all that a dataset is built from.

    Raises:
        Fatal: no LeRobot folder, or rows that are not as announced (`DATASET`); no licence (`USAGE`).
    """
    require()
    info = read_info(folder, camera)
    recordings = recordings_of(info)
    stated = licence if licence is not None else licence_of(folder)
    if not stated or not stated.isprintable() or len(stated) > MAX_LICENCE:
        raise Fatal(
            f"{folder} does not say under which licence it may be passed on",
            remedy=f"state it with --licence, in at most {MAX_LICENCE} printable characters",
            code=Exit.USAGE,
        )
    seen = hashlib.sha256(info.camera.encode())
    names = sorted({item.table for item in recordings}), sorted({item.video for item in recordings})
    for part, most in zip(names, (MAX_TABLE_BYTES, MAX_VIDEO_BYTES), strict=True):
        for name in part:
            with file_inside(folder, name, most).open("rb") as file:
                seen.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
    videos = dict(frames_of_videos(recordings))
    return Opened(info, recordings, videos, stated, seen.hexdigest(), survey_of(info, recordings))


@dataclass(frozen=True, slots=True)
class Folders:
    """What a dataset is built from: a folder, and one whose recordings are evaluated and nobody else has."""

    shared: Opened
    sealed: Opened | None = None

    def of(self, site: Site) -> Opened:
        """The folder that holds the recordings of a site."""
        return self.sealed if site.sealed and self.sealed is not None else self.shared

    @property
    def licence(self) -> str:
        """Of all shards; sealed ones are published too, each after its round."""
        if self.sealed is None or self.sealed.licence == self.shared.licence:
            return self.shared.licence
        return f"{self.shared.licence}; sealed shards: {self.sealed.licence}"

    def among(self) -> Dealt:
        """Numbers of the recordings that are dealt: of those that say the same, the first.

        Raises:
            Fatal: the two folders have other cameras, speeds or widths, or a recording in common (`DATASET`).
        """
        shared = _firsts(self.shared.survey)
        if self.sealed is None:
            return Dealt(tuple(shared.values()))
        here, there = self.shared.info, self.sealed.info
        for field in ("camera", "fps", "actions", "state"):
            if getattr(here, field) != getattr(there, field):
                raise refusal(
                    f"{field} is {getattr(here, field)} in {here.folder} and {getattr(there, field)} in "
                    f"{there.folder}",
                    "seal recordings of the same robot, camera and speed",
                )
        sealed = _firsts(self.sealed.survey)
        if known := sorted(set(shared) & set(sealed), key=lambda content: sealed[content]):
            raise refusal(
                f"recording {sealed[known[0]]} of {there.folder} is recording {shared[known[0]]} of "
                f"{here.folder}: whoever has that folder could train on what is evaluated",
                f"seal recordings that are in no other folder ({len(known)} are in both)",
            )
        return Dealt(tuple(shared.values()), tuple(sealed.values()), self.sealed.digest)


def _firsts(survey: Survey) -> dict[bytes, int]:
    """The first recording of every content, by it."""
    found: dict[bytes, int] = {}
    for number in sorted(survey.contents):
        found.setdefault(survey.contents[number], number)
    return found


def environment_of(folders: Folders, parameters: Parameters, secret: bytes) -> Environment:
    """What the builder needs. Nothing that it publishes follows from which recordings are sealed but what is
    left of the folder. Raises: Fatal, as `Folders.among` and `dealt`."""
    opened, info = folders.shared, folders.shared.info
    layout = dealt(folders.among(), parameters, secret)
    public = tuple(number for site in layout.public for number in cast(Site, site).recordings)
    called = "".join(letter for letter in info.folder.resolve().name if letter.isprintable())[:60]
    name = f"LeRobot {info.version} {called} {info.camera} {opened.digest[:16]}"
    return Environment(
        name=name,
        version=BUILDER_VERSION,
        require=require,
        sites=partial(_sites, layout),
        record=Recorder(name, folders, Site(PROBE_SITE, public)),
        probe_site=PROBE_SITE,
        episode_size=recorded_size(actions=info.actions, state=max(1, info.state)),
        licence=folders.licence,
    )


def sizes_of(folders: Folders, given: dict[str, int], secret: bytes) -> Parameters:
    """As `sites.usual_sizes`."""
    apart = folders.sealed.recordings if folders.sealed else ()
    return usual_sizes(folders.shared.recordings, apart, folders.among(), given, secret)


def _sites(layout: Layout, generator: np.random.Generator, parameters: Parameters) -> Layout:
    """The public seed deals nothing: it chooses among the stretches of public shards alone."""
    return layout


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes a shard of stretches that its seed chooses, none of them twice."""

    environment: str
    folders: Folders
    public: Site
    """Of probe frames."""

    def __call__(self, recording: Recording) -> Shard:
        """Raises: Fatal: fewer stretches than are wanted (`USAGE`), or other files than were announced."""
        generator = numpy_generator(recording.seed, "stretches")
        rows = recording.frames * recording.hold
        shard = sealed_index(recording.name)
        chosen: list[tuple[int, int, int]] = []
        sites = cast("tuple[Site, ...]", recording.sites) or (self.public,)
        opened = self.folders.of(sites[0])  # all of a shard are from one
        for site in sites:
            pool = stretches(site, opened.recordings, rows, shard or 0)
            if len(pool) < recording.episodes:
                raise Fatal(
                    f"{recording.name}: site {site.number} has {len(pool)} stretches of {recording.frames} "
                    f"frames, and {recording.episodes} are wanted",
                    remedy="a smaller --size for it, or fewer frames",
                    code=Exit.USAGE,
                )
            taken = sorted(generator.permutation(len(pool))[: recording.episodes].tolist())
            chosen += [(site.number, *pool[place]) for place in taken]
        return self._shard(opened, recording, chosen)

    def _shard(self, opened: Opened, recording: Recording, chosen: list[tuple[int, int, int]]) -> Shard:
        info, recordings, scale = opened.info, opened.recordings, self.folders.shared.survey.scale
        hold, length = recording.hold, recording.frames
        moments = np.arange(length) * hold
        wanted: dict[str, set[int]] = defaultdict(set)
        for _, number, first in chosen:
            item = recordings[number]
            wanted[item.video] |= set((item.first + first + moments).tolist())
        seen = {
            video: frames_at(info.folder, video, frames, opened.videos[video], recording.image)
            for video, frames in wanted.items()
        }
        inside = [recordings[number] for number in sorted({row[1] for row in chosen})]
        rows = {item.index: found for item, found in rows_of(info, inside)}
        frames, actions, state = [], [], []
        for _, number, first in chosen:
            item, (told, felt) = recordings[number], rows[number]
            frames.append(np.stack([seen[item.video][item.first + first + at] for at in moments.tolist()]))
            held = told[first : first + (length - 1) * hold].reshape(length - 1, hold, -1).mean(axis=1)
            actions.append(scale.apply(held))
            state.append(felt[first + moments].astype(np.float32))
        header: dict[str, Json] = {
            **recording.header(self.environment),
            "actions": {"low": [*scale.low], "high": [*scale.high]},
        }
        return recorded(
            np.stack(frames), np.stack(actions), np.stack(state), tuple(row[0] for row in chosen), header
        )
