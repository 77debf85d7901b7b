"""Folders of pictures as people have them, and files of captions and pairs: drawn shapes, no two alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

KINDS = ("disc", "square", "triangle", "cross")
SIDE = 40


def drawn(kind: str, generator: np.random.Generator) -> Image.Image:
    """Some shapes of one kind on a plain ground."""
    picture = Image.new("RGB", (SIDE, SIDE), tuple(generator.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(generator.integers(1, 4))):
        colour = tuple(generator.integers(0, 256, 3).tolist())
        x, y = generator.uniform(8, SIDE - 8, 2).tolist()
        size = float(generator.uniform(4, 10))
        box = (x - size, y - size, x + size, y + size)
        if kind == "disc":
            draw.ellipse(box, fill=colour)
        elif kind == "square":
            draw.rectangle(box, fill=colour)
        elif kind == "triangle":
            draw.polygon([(x, box[1]), (box[0], box[3]), (box[2], box[3])], fill=colour)
        else:
            draw.line((box[0], y, box[2], y), fill=colour, width=4)
            draw.line((x, box[1], x, box[3]), fill=colour, width=4)
    return picture


def write_folder(folder: Path, count: int, seed: int = 1) -> Path:
    """`count` PNG files, a sub-folder for each kind."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        (folder / kind).mkdir(parents=True, exist_ok=True)
        drawn(kind, generator).save(folder / kind / f"{number:05d}.png")
    return folder
