"""Pictures of people's own: a folder of image files, or a tar of them as WebDataset packs it, as one shard.

    folder/cat/one.jpg   folder/dog/two.png        label: number of the sub-folder, in their order by name
    000.jpg 000.cls  001.png 001.cls  in a tar     label: the number in `.cls` (WebDataset), 0 without one

Every picture is cut to the square in its middle and made as large as asked for. Files come from anywhere:
sizes are known before anything is unpacked, and what is no picture is named. Which pixels a JPEG has is up to
the library that unpacks it: a shard is known by its own digest, wherever it was made.
"""

from __future__ import annotations

import io
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.inside import file_inside
from jepanet.learning.data.schemas.images import IMAGES, MAX_CLASSES
from jepanet.learning.data.shards import MAX_EPISODES, MAX_SHARD_BYTES, Shard

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 32 << 20
MAX_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
Found = Iterator[tuple[str, bytes, int]]
"""(name for messages, bytes of an image file, label)."""


def pictures_shard(source: Path, side: int, *, site: int = 0) -> Shard:
    """A shard of all pictures in a folder or a tar, in the order of their names, or of the tar.

    Raises:
        Fatal: nothing there, too many, or a file that is no picture (exit code `DATASET`).
    """
    found = _in_tar(source) if source.is_file() else _in_folder(source)
    most = min(MAX_EPISODES, MAX_SHARD_BYTES // (3 * side * side + 8) - 1)
    images, labels = list[np.ndarray](), list[tuple[int]]()
    for name, data, label in found:
        if len(images) == most:
            raise _fatal(
                f"{source} holds more than {most} pictures, which is what a shard of {side} pixels takes",
                "split it, or make the pictures smaller",
            )
        images.append(square(name, data, side))
        labels.append((label,))
    if not images:
        raise _fatal(f"{source} holds no picture", f"pictures end in {', '.join(ENDINGS)}")
    arrays = {"images": np.stack(images), "labels": np.array(labels, dtype=np.int32)}
    return Shard(IMAGES, arrays, (site,) * len(images), {"environment": "pictures"})


def _in_folder(folder: Path) -> Found:
    """Files of the folder have label 0 where it has no sub-folders with pictures; no link leads out of it."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    kinds = sorted({path.relative_to(folder).parts[0] for path in paths if path.parent != folder})
    for path in paths:
        name = path.relative_to(folder)
        data = file_inside(folder, str(name), MAX_FILE_BYTES).read_bytes()
        yield str(path), data, kinds.index(name.parts[0]) if path.parent != folder else 0


def _in_tar(path: Path) -> Found:
    """Members that belong together follow each other and differ in what stands behind the first dot."""
    try:
        with tarfile.open(path) as archive:
            key, picture, label = "", b"", 0
            for member in archive:
                if not member.isfile():
                    continue
                stem, _, ending = member.name.rpartition("/")[2].partition(".")
                here = member.name.removesuffix(f".{ending}")
                if here != key:
                    if picture:
                        yield key, picture, label
                    key, picture, label = here, b"", 0
                wanted = f".{ending.lower()}" in ENDINGS
                if not stem or not (wanted or ending == "cls"):
                    continue
                if member.size > (MAX_FILE_BYTES if wanted else 20):
                    raise _fatal(f"{member.name} in {path} is too large", "leave it out")
                file = archive.extractfile(member)
                data = file.read() if file is not None else b""
                if wanted:
                    picture = data
                else:
                    label = _label(f"{member.name} in {path}", data)
            if picture:
                yield key, picture, label
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _fatal(f"{path} is no tar that can be read: {error}", "name a folder, or a .tar") from error


def _label(name: str, data: bytes) -> int:
    text = data.strip()
    if not (text.isdigit() and int(text) < MAX_CLASSES):
        raise _fatal(f"{name} is no label from 0 to {MAX_CLASSES - 1}", "correct it")
    return int(text)


def square(name: str, data: bytes, side: int) -> np.ndarray:
    """uint8 [3, side, side] of the bytes of an image file: the square in the middle, scaled.

    Raises:
        Fatal: it is no picture, or has more than `MAX_PIXELS` (exit code `DATASET`), found out before they
            are unpacked. `name` is for the message.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _fatal(f"{name} has {width} x {height} pixels", f"at most {MAX_PIXELS:,} are read")
            return square_of(image, side)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        why = f"{name} is no picture that can be read: {error}"
        raise _fatal(why, "correct it or leave it out") from error


def square_of(image: Image.Image, side: int) -> np.ndarray:
    """uint8 [3, side, side]: the square in the middle of a picture, scaled; white where it is transparent."""
    from PIL import Image

    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    if image.has_transparency_data:  # what lies under it is anything
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    square = image.convert("RGB").crop((left, top, left + edge, top + edge))
    scaled = square.resize((side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(scaled).transpose(2, 0, 1))


def _fatal(why: str, remedy: str) -> Fatal:
    return Fatal(why, remedy=remedy, code=Exit.DATASET)
