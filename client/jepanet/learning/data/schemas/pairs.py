"""Two texts of one thing, a description and its name for example, as numbers of tokens."""

from __future__ import annotations

import numpy as np

from jepanet.learning.data.schemas.schema import DataSchema, Form, Given
from jepanet.learning.data.schemas.texts import MAX_TOKENS, check_texts


def _check(arrays: Given, what: str) -> None:
    for name in ("first", "second"):
        check_texts(arrays[name], f"{what}: {name}")


PAIRS = DataSchema(
    name="pairs",
    tag="jepanet.shard.pairs.1",
    unit="pair",
    arrays={
        "first": Form(np.uint16, ("E", "L1")),
        "second": Form(np.uint16, ("E", "L2")),
    },
    trained=("first", "second"),
    shown=("first", "second"),
    bounds={"L1": (1, MAX_TOKENS), "L2": (1, MAX_TOKENS)},
    check_values=_check,
)
