"""Makes folders as LeRobot writes them: real tables and videos of a disc that its action pushes around."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CAMERA = "observation.images.top"
FPS = 10
WIDTH, HEIGHT = 48, 32
ACTIONS = 3
"""The first two push the disc, in pixels; the third never changes."""
LICENCE = "cc-by-4.0"


def recordings(lengths: Sequence[int], seed: int = 1) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(frames uint8 [L, H, W, 3], actions float32 [L, 3], state float32 [L, 2]) of each."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    found = []
    for length in lengths:
        place = generator.uniform((14, 6), (34, 26))
        frames = np.zeros((length, HEIGHT, WIDTH, 3), np.uint8)
        actions = np.zeros((length, ACTIONS), np.float32)
        state = np.zeros((length, 2), np.float32)
        for moment in range(length):
            disc = np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / 18.0)
            frames[moment] = (20 + 200 * disc)[..., None]
            state[moment] = place
            actions[moment] = (*generator.uniform(-5, 5, 2), 0.5)
            place = np.clip(place + actions[moment, :2], (10, 3), (38, 29))
        found.append((frames, actions, state))
    return found


def write_folder(folder: Path, lengths: Sequence[int], *, version: str = "v2.1", seed: int = 1) -> Path:
    """A folder of recordings of so many frames."""
    made = recordings(lengths, seed)
    (folder / "meta").mkdir(parents=True)
    many = version == "v3.0"
    info = {
        "codebase_version": version,
        "robot_type": "disc",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "chunks_size": 1000,
        "fps": FPS,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
        if many
        else "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
        if many
        else "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": {
            "action": {"dtype": "float32", "shape": [ACTIONS], "names": None},
            "observation.state": {"dtype": "float32", "shape": [2], "names": None},
            CAMERA: {"dtype": "video", "shape": [HEIGHT, WIDTH, 3], "names": ["height", "width", "channels"]},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        },
    }
    (folder / "meta/info.json").write_text(json.dumps(info, indent=4))
    (folder / "README.md").write_text(f"---\nlicense: {LICENCE}\ntags:\n- LeRobot\n---\nA disc.\n")
    if many:
        _write_new(folder, made)
    else:
        _write_old(folder, made)
    return folder


def _write_old(folder: Path, made: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    lines = []
    for index, (frames, actions, state) in enumerate(made):
        name = f"episode_{index:06d}"
        write_table(folder / f"data/chunk-000/{name}.parquet", [(index, actions, state)])
        write_video(folder / f"videos/chunk-000/{CAMERA}/{name}.mp4", frames)
        lines.append(json.dumps({"episode_index": index, "tasks": ["push"], "length": len(frames)}))
    (folder / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")


def _write_new(folder: Path, made: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """All in one table; two videos."""
    write_table(folder / "data/chunk-000/file-000.parquet", [(i, a, s) for i, (_, a, s) in enumerate(made)])
    half, row = (len(made) + 1) // 2, 0
    columns: dict[str, list[object]] = {}
    for file, first in enumerate((0, half)):
        inside = made[first : first + half] if file == 0 else made[half:]
        write_video(
            folder / f"videos/{CAMERA}/chunk-000/file-{file:03d}.mp4",
            np.concatenate([f for f, _, _ in inside]),
        )
        start = 0
        for place, (frames, _, _) in enumerate(inside):
            item = {
                "episode_index": first + place, "length": len(frames), "tasks": ["push"],
                "data/chunk_index": 0, "data/file_index": 0,
                "dataset_from_index": row, "dataset_to_index": row + len(frames),
                f"videos/{CAMERA}/chunk_index": 0, f"videos/{CAMERA}/file_index": file,
                f"videos/{CAMERA}/from_timestamp": start / FPS,
                f"videos/{CAMERA}/to_timestamp": (start + len(frames)) / FPS,
            }  # fmt: skip
            for name, value in item.items():
                columns.setdefault(name, []).append(value)
            start, row = start + len(frames), row + len(frames)
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)


def write_table(path: Path, items: list[tuple[int, np.ndarray, np.ndarray]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, list[object]] = {
        name: [] for name in ("action", "observation.state", "timestamp", "frame_index", "episode_index")
    }
    for index, actions, state in items:
        columns["action"] += actions.tolist()
        columns["observation.state"] += state.tolist()
        columns["timestamp"] += [moment / FPS for moment in range(len(actions))]
        columns["frame_index"] += range(len(actions))
        columns["episode_index"] += [index] * len(actions)
    lists = pa.list_(pa.float32())
    kinds = {"action": lists, "observation.state": lists, "timestamp": pa.float32()}
    pq.write_table(
        pa.table({name: pa.array(column, kinds.get(name)) for name, column in columns.items()}), path
    )


def write_video(path: Path, frames: np.ndarray, codec: str = "mpeg4") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.bit_rate = 4_000_000
        for picture in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
