"""Pictures, each with Q questions about it and their answers, as numbers of tokens."""

from __future__ import annotations

import numpy as np

from jepanet.learning.data.schemas.schema import DataSchema, Form, Given
from jepanet.learning.data.schemas.texts import MAX_TOKENS, check_texts

MAX_QUESTIONS = 64


def _check(arrays: Given, what: str) -> None:
    for name in ("queries", "answers"):
        check_texts(arrays[name], f"{what}: {name}")


QUESTIONS = DataSchema(
    name="questions",
    tag="jepanet.shard.questions.1",
    unit="scene",
    arrays={
        "answers": Form(np.uint16, ("E", "Q", "La")),
        "images": Form(np.uint8, ("E", 3, "S", "S")),
        "queries": Form(np.uint16, ("E", "Q", "Lq")),
    },
    trained=("answers", "images", "queries"),
    shown=("images",),
    bounds={"Q": (1, MAX_QUESTIONS), "La": (1, MAX_TOKENS), "Lq": (1, MAX_TOKENS)},
    check_values=_check,
)
