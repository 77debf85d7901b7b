"""The vocabulary of all datasets of words, and texts as rows of its tokens.

It is learnt from the public part of the data alone: whoever has the package has it too, and nothing sealed
shows in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from jepanet.learning.data.byte_pairs import BytePairs, learnt
from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.sources.words.domains import public_texts

TOKENS = 1024
"""Of the vocabulary, with the border of a text."""


@cache
def vocabulary() -> BytePairs:
    """Raises: Fatal when the texts are not there (`DATASET`)."""
    return learnt(public_texts(), TOKENS)


def encoded(texts: Sequence[str], longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens uint16 [N, longest], filled up with padding, and which texts fit, bool [N]; the row of one that
    does not is padding alone."""
    rows, fits = np.full((len(texts), longest), PADDING, np.uint16), np.zeros(len(texts), bool)
    for row, text in enumerate(texts):
        tokens = vocabulary().encode(text)
        if 1 <= len(tokens) <= longest:
            rows[row, : len(tokens)], fits[row] = tokens, True
    return rows, fits
