"""What a LeRobot folder says of itself: version, speed, cameras, and where each recording lies.

    v2.0, v2.1   meta/info.json  meta/episodes.jsonl
                 data/chunk-000/episode_000000.parquet  videos/chunk-000/CAMERA/episode_000000.mp4
    v3.0         meta/info.json  meta/episodes/chunk-000/file-000.parquet
                 data/chunk-000/file-000.parquet        videos/CAMERA/chunk-000/file-000.mp4

In v3.0 a file holds many recordings. Names of files follow from numbers: what the folder says of its own
patterns has to be just that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from jepanet.errors import Exit
from jepanet.learning.data.inside import file_inside, refusal
from jepanet.texts import load_json, read_text

OLD, NEW = ("v2.0", "v2.1"), ("v3.0",)
MAX_INFO_BYTES = 1 << 20
MAX_EPISODES = 100_000
MAX_FRAMES = 20_000_000
MAX_ACTIONS, MAX_STATE = 16, 512
ACTION, STATE = "action", "observation.state"
_DATA = {
    "v2": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "v3": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
}
_VIDEO = {
    "v2": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "v3": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LICENCE = re.compile(r"^license:[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9 .+-]{0,99}?)[\"']?[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Info:
    """What `meta/info.json` says, checked."""

    folder: Path
    version: str
    fps: float
    episodes: int
    frames: int
    chunk: int
    """Recordings in a sub-folder of version 2."""
    camera: str
    actions: int
    state: int
    """Numbers of a state; 0 where there is none."""

    @property
    def many_in_a_file(self) -> bool:
        return self.version in NEW


def read_info(folder: Path, camera: str | None) -> Info:
    """What the folder says of itself. `camera`: None where it has but one.

    Raises:
        Fatal: no such folder, another version, no such camera, or sizes beyond what is read (`DATASET`).
    """
    path = file_inside(folder, "meta/info.json", MAX_INFO_BYTES)
    text = read_text(path, "description of the folder", code=Exit.DATASET, max_bytes=MAX_INFO_BYTES)
    tree = load_json(text, "description of the folder", path, code=Exit.DATASET)
    if not isinstance(tree, dict):
        raise refusal(f"{path} is no object")
    version = tree.get("codebase_version")
    if version not in (*OLD, *NEW):
        raise refusal(
            f"{path} is of version {str(version)[:20]!r}; read are {', '.join((*OLD, *NEW))}",
            "convert it with LeRobot's own scripts",
        )
    kind = "v3" if version in NEW else "v2"
    for field, usual in (("data_path", _DATA[kind]), ("video_path", _VIDEO[kind])):
        if tree.get(field, usual) != usual:
            raise refusal(f"{path}: {field} is not {usual!r}, as LeRobot {version} writes it")
    features = tree.get("features")
    if not isinstance(features, dict):
        raise refusal(f"{path} names no features")
    fps = tree.get("fps")
    if not isinstance(fps, int | float) or isinstance(fps, bool) or not 0.1 <= fps <= 1000:
        raise refusal(f"{path}: fps must be a number from 0.1 to 1000")
    return Info(
        folder=folder,
        version=str(version),
        fps=float(fps),
        episodes=_count(tree, "total_episodes", MAX_EPISODES, path),
        frames=_count(tree, "total_frames", MAX_FRAMES, path),
        chunk=_count(tree, "chunks_size", MAX_EPISODES, path),
        camera=_camera(features, camera, path),
        actions=_width(features, ACTION, MAX_ACTIONS, path),
        state=_width(features, STATE, MAX_STATE, path) if STATE in features else 0,
    )


def _count(tree: Mapping[str, object], field: str, most: int, path: Path) -> int:
    number = tree.get(field)
    if type(number) is not int or not 1 <= number <= most:
        raise refusal(f"{path}: {field} must be a whole number from 1 to {most}")
    return number


def _camera(features: Mapping[str, object], wanted: str | None, path: Path) -> str:
    kinds = {name: _kind(item) for name, item in features.items()}
    found = sorted(name for name, kind in kinds.items() if kind == "video")
    if wanted is None:
        if len(found) != 1:
            named = ", ".join(found)[:400] or "none: pictures in tables are not read"
            raise refusal(f"{path} has these videos: {named}", "choose one with --camera")
        wanted = found[0]
    if kinds.get(wanted) != "video" or not _KEY.fullmatch(wanted) or ".." in wanted:
        raise refusal(f"{path} has no video {wanted[:100]!r}", f"--camera {' or '.join(found)[:400]}")
    return wanted


def _kind(feature: object) -> object:
    return feature.get("dtype") if isinstance(feature, dict) else None


def _width(features: Mapping[str, object], name: str, most: int, path: Path) -> int:
    """How many numbers a feature has in a frame."""
    feature = features.get(name)
    shape = cast(Mapping[str, object], feature).get("shape") if isinstance(feature, dict) else None
    if _kind(feature) not in ("float32", "float64") or not isinstance(shape, list) or len(shape) != 1:
        raise refusal(f"{path}: {name} must be a row of floating-point numbers")
    if type(shape[0]) is not int or not 1 <= shape[0] <= most:
        raise refusal(f"{path}: {name} must have 1 to {most} numbers, which is what recipes take")
    return shape[0]


def licence_of(folder: Path) -> str:
    """What the head of the folder's README says under `license:`; empty where it says nothing."""
    if not (folder / "README.md").exists():
        return ""
    path = file_inside(folder, "README.md", MAX_INFO_BYTES)
    text = read_text(path, "README", code=Exit.DATASET, max_bytes=MAX_INFO_BYTES)
    head = text.split("\n---", 1)[0] if text.startswith("---") else ""
    found = _LICENCE.search(head)
    return found[1] if found else ""
