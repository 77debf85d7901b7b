"""Pictures, with labels that probes alone read."""

from __future__ import annotations

import numpy as np

from jepanet.learning.data.schemas.schema import DataSchema, Form, Given, refuse_values

MAX_LABELS = 16
MAX_CLASSES = 1 << 20


def _check(arrays: Given, what: str) -> None:
    labels = arrays["labels"]
    if labels.min() < 0 or labels.max() >= MAX_CLASSES:
        raise refuse_values(what, f"labels leave 0 to {MAX_CLASSES - 1}", "out-of-range")


IMAGES = DataSchema(
    name="images",
    tag="jepanet.shard.images.1",
    unit="image",
    arrays={
        "images": Form(np.uint8, ("E", 3, "S", "S")),
        "labels": Form(np.int32, ("E", "L")),
    },
    trained=("images",),
    shown=("images",),
    bounds={"L": (1, MAX_LABELS)},
    check_values=_check,
)
