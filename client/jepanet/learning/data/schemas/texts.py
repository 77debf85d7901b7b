"""Texts as numbers of tokens, uint16 [..., L], filled up with `PADDING` behind their last token."""

from __future__ import annotations

import numpy as np

from jepanet.learning.data.schemas.schema import refuse_values

PADDING = 0
MAX_TOKENS = 2048
"""Of one text."""
_ROWS = 4096
"""Looked at together: what a check allocates does not grow with a shard."""


def check_texts(texts: np.ndarray, what: str) -> None:
    """Every text has a token, and padding behind its last one alone.

    An empty text would be predicted without a loss; a gap would hide how long a text is.

    Raises:
        Rejected: reason `empty-text` or `padding-inside`.
    """
    flat = texts.reshape(-1, texts.shape[-1])
    for first in range(0, len(flat), _ROWS):
        filled = flat[first : first + _ROWS] != PADDING
        if not filled[:, 0].all():
            raise refuse_values(what, "a text has no first token", "empty-text")
        if (filled[:, 1:] & ~filled[:, :-1]).any():
            raise refuse_values(what, "a token stands behind padding", "padding-inside")


def tokens_of(texts: np.ndarray) -> np.ndarray:
    """How many tokens texts [..., L] have: int64 [...]."""
    counted: np.ndarray = np.count_nonzero(texts != PADDING, axis=-1)
    return counted
