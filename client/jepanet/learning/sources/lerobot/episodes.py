"""Where every recording of a LeRobot folder lies: in which table, and in which video from which frame on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jepanet.errors import Exit
from jepanet.learning.data.inside import file_inside, refusal
from jepanet.learning.sources.lerobot.folder import MAX_EPISODES, Info
from jepanet.learning.sources.lerobot.tables import numbers, read_columns, whole_numbers
from jepanet.texts import load_json, read_text

MAX_LIST_BYTES = 256 << 20
_MOST_FILES = 10_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recording."""

    index: int
    length: int
    """Frames."""
    table: str
    """File below the folder that holds its rows."""
    video: str
    first: int
    """Its first frame in the video."""


def recordings_of(info: Info) -> tuple[Recorded, ...]:
    """Every recording, in the order of its number.

    Raises:
        Fatal: the folder lists others than it counts, or recordings that overlap in a video (`DATASET`).
    """
    found = sorted(_many(info) if info.many_in_a_file else _one_each(info), key=lambda item: item.index)
    if [item.index for item in found] != list(range(info.episodes)):
        raise refusal(f"{info.folder} lists other recordings than the {info.episodes} it counts")
    if sum(item.length for item in found) != info.frames:
        raise refusal(f"{info.folder}: its recordings have other frames than the {info.frames} it counts")
    return tuple(found)


def frames_of_videos(recordings: tuple[Recorded, ...]) -> Mapping[str, int]:
    """How many frames each video has to have: its recordings lie one after the other.

    Raises:
        Fatal: they overlap, or there are frames between them (exit code `DATASET`).
    """
    inside: dict[str, list[Recorded]] = defaultdict(list)
    for item in recordings:
        inside[item.video].append(item)
    for name, items in inside.items():
        expected = 0
        for item in sorted(items, key=lambda item: item.first):
            if item.first != expected:
                raise refusal(f"{name}: recording {item.index} begins at frame {item.first}, not {expected}")
            expected += item.length
    return {name: sum(item.length for item in items) for name, items in inside.items()}


def _one_each(info: Info) -> Iterator[Recorded]:
    """Version 2: a line and two files each."""
    path = file_inside(info.folder, "meta/episodes.jsonl", MAX_LIST_BYTES)
    text = read_text(path, "list of recordings", code=Exit.DATASET, max_bytes=MAX_LIST_BYTES)
    for place, line in enumerate(text.splitlines()):
        if place >= info.episodes:
            raise refusal(f"{path} has more lines than the {info.episodes} recordings that are counted")
        tree = load_json(line, "list of recordings", path, code=Exit.DATASET)
        index, length = (
            tree.get(name) if isinstance(tree, dict) else None for name in ("episode_index", "length")
        )
        if type(index) is not int or type(length) is not int or not 0 <= index < MAX_EPISODES or length < 1:
            raise refusal(f"{path}, line {place + 1}: episode_index and length must be whole numbers")
        chunk, name = index // info.chunk, f"episode_{index:06d}"
        yield Recorded(
            index,
            length,
            table=f"data/chunk-{chunk:03d}/{name}.parquet",
            video=f"videos/chunk-{chunk:03d}/{info.camera}/{name}.mp4",
            first=0,
        )


def _many(info: Info) -> Iterator[Recorded]:
    """Version 3: tables of rows, each of which says in which files its recording lies."""
    video = f"videos/{info.camera}"
    whole = ("episode_index", "length", "data/chunk_index", "data/file_index",
             f"{video}/chunk_index", f"{video}/file_index")  # fmt: skip
    start = f"{video}/from_timestamp"
    left = info.episodes
    for name in _lists(info.folder):
        columns = read_columns(info.folder, name, dict.fromkeys((*whole, start), 1), left)
        counted = [whole_numbers(columns[column], f"{name}: {column}") for column in whole]
        begins = numbers(columns[start], f"{name}: {start}")
        if any((column < 0).any() or (column >= 1 << 31).any() for column in counted):
            raise refusal(f"{name}: a number is below 0 or beyond 2^31")
        left -= len(begins)
        for *row, begin in zip(*(column.tolist() for column in counted), begins.tolist(), strict=True):
            index, length, chunk, file, video_chunk, video_file = row
            first = begin * info.fps
            if length < 1 or not 0 <= first < 1 << 31 or abs(first - round(first)) > 0.1:
                raise refusal(f"{name}: recording {index} begins between two frames, or has none")
            yield Recorded(
                index,
                length,
                table=f"data/chunk-{chunk:03d}/file-{file:03d}.parquet",
                video=f"{video}/chunk-{video_chunk:03d}/file-{video_file:03d}.mp4",
                first=round(first),
            )


def _lists(folder: Path) -> list[str]:
    """Names of the tables that list recordings, in order."""
    found = sorted(
        path.relative_to(folder).as_posix() for path in folder.glob("meta/episodes/chunk-*/file-*.parquet")
    )
    if not 1 <= len(found) <= _MOST_FILES:
        raise refusal(f"{folder}/meta/episodes has {len(found)} tables; there must be 1 to {_MOST_FILES}")
    return found
