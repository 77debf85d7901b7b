"""Frames of a video by their number, cut to the square in the middle and made as large as asked for.

Which pixels a video has is up to the library that unpacks it: a shard is known by its own digest.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jepanet.learning.data.inside import file_inside, refusal
from jepanet.learning.data.pictures import square_of

if TYPE_CHECKING:
    import av

MAX_VIDEO_BYTES = 16 << 30
MAX_PIXELS = 4096 * 4096
CODECS = ("av1", "h264", "hevc", "mpeg4", "vp9")


def frames_at(
    folder: Path, name: str, wanted: Collection[int], count: int, side: int
) -> dict[int, np.ndarray]:
    """uint8 [3, side, side] of the wanted frames of a video that has to have `count` of them.

    Raises:
        Fatal: no such video, another codec, other frames than were announced, or too large ones (`DATASET`).
    """
    import av
    from PIL import Image

    path = file_inside(folder, name, MAX_VIDEO_BYTES)
    last, found = max(wanted), dict[int, np.ndarray]()
    if not 0 <= min(wanted) <= last < count:
        raise refusal(f"{path}: frame {last} of {count} is wanted")
    try:
        # An open file and a named format: what the bytes are taken for is not theirs to say, and nothing
        # they name is opened.
        with path.open("rb") as file, av.open(file, format="mp4") as video:
            stream = _stream(video, path)
            there = sum(1 for packet in video.demux(stream) if packet.size)
            if there != count:
                raise refusal(f"{path} has {there} frames; {count} were announced")
        with path.open("rb") as file, av.open(file, format="mp4") as video:
            for number, frame in enumerate(video.decode(_stream(video, path))):
                if frame.width * frame.height > MAX_PIXELS:
                    raise refusal(f"{path}: frames of more than {MAX_PIXELS} pixels")
                if number in wanted:
                    picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
                    found[number] = square_of(picture, side)
                if number == last:
                    break
    except (av.FFmpegError, ValueError) as error:
        raise refusal(f"{path} is no video that can be read: {str(error)[:200]}") from error
    if missing := sorted(set(wanted) - set(found)):
        raise refusal(f"{path} breaks off before frame {missing[0]}")
    return found


def _stream(video: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The only video of a file, its sizes and its codec checked before anything of it is unpacked."""
    if len(video.streams.video) != 1:
        raise refusal(f"{path} holds {len(video.streams.video)} videos, not one")
    stream = video.streams.video[0]
    context = stream.codec_context
    if context.codec.canonical_name not in CODECS:
        raise refusal(f"{path} is packed as {context.codec.canonical_name}; read are {', '.join(CODECS)}")
    if not 0 < context.width * context.height <= MAX_PIXELS:
        raise refusal(f"{path}: frames of {context.width} x {context.height} pixels")
    context.thread_count = 1
    return stream
