"""Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) of lower-case text, the same on every machine.

    0           the border of a text
    1 to 256    bytes of UTF-8
    from 257    pairs of tokens that were joined, the most frequent pair of adjacent tokens first

Tokens do not reach over words: a word takes the blank before it along. Whole numbers alone decide, and of
pairs that are equally frequent that of the lowest numbers.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import pairwise

Pair = tuple[int, int]
FIRST_PAIR = 257
_WORD = re.compile(r" ?[^\W_]+| ?[\W_]+?(?= |\w|$)")


class BytePairs:
    """A vocabulary: texts to tokens, and back."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = tuple(pairs)
        self._rank = {pair: FIRST_PAIR + place for place, pair in enumerate(self._pairs)}
        self._bytes = [b"", *(bytes([value]) for value in range(256))]
        for one, other in self._pairs:
            self._bytes.append(self._bytes[one] + self._bytes[other])
        self._known: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def digest(self) -> str:
        """Of its pairs in their order, hex: equal vocabularies have one."""
        return hashlib.sha256(" ".join(f"{one}+{other}" for one, other in self._pairs).encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        """Its tokens, none of them the border."""
        return [token for word in words_of(text) for token in self._tokens(word)]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens, in lower case; borders are nothing."""
        return b"".join(self._bytes[token] for token in tokens).decode("utf-8", "replace").strip()

    def _tokens(self, word: str) -> tuple[int, ...]:
        if word not in self._known:
            tokens = _of_bytes(word)
            while True:
                ranked = [self._rank.get(pair, 0) for pair in pairwise(tokens)]
                joined = min((rank for rank in ranked if rank), default=0)
                if not joined:
                    break
                tokens = _merged(tokens, self._pairs[joined - FIRST_PAIR], joined)
            self._known[word] = tuple(tokens)
        return self._known[word]


def learnt(texts: Iterable[str], size: int) -> BytePairs:
    """The vocabulary of `size` tokens of these texts; fewer where no pair is there twice."""
    counts = Counter(word for text in texts for word in words_of(text))
    words = [(_of_bytes(word), count) for word, count in sorted(counts.items())]
    often: Counter[Pair] = Counter()
    where: dict[Pair, set[int]] = defaultdict(set)

    def count_in(number: int, sign: int) -> set[Pair]:
        tokens, count = words[number]
        seen = list(pairwise(tokens))
        for pair in seen:
            often[pair] += sign * count
            where[pair].add(number)
        return set(seen)

    for number in range(len(words)):
        count_in(number, 1)
    queue = [(-count, pair) for pair, count in often.items()]
    heapify(queue)
    pairs: list[Pair] = []
    while queue and FIRST_PAIR + len(pairs) < size:
        count, pair = heappop(queue)
        if -count != often[pair]:
            continue  # it was counted anew since, and stands in the queue once more
        if -count < 2:
            break
        touched: set[Pair] = set()
        for number in sorted(where.pop(pair)):
            touched |= count_in(number, -1)
            tokens, times = words[number]
            words[number] = (_merged(tokens, pair, FIRST_PAIR + len(pairs)), times)
            touched |= count_in(number, 1)
        pairs.append(pair)
        for changed in touched - {pair}:
            heappush(queue, (-often[changed], changed))
    return BytePairs(pairs)


def words_of(text: str) -> list[str]:
    """A text's words and marks, in lower case and without accents, each with the blank before it."""
    parts = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return _WORD.findall(" " + " ".join(plain.split()))


def _of_bytes(word: str) -> list[int]:
    return [1 + value for value in word.encode()]


def _merged(tokens: list[int], pair: Pair, joined: int) -> list[int]:
    found: list[int] = []
    place = 0
    while place < len(tokens):
        if tuple(tokens[place : place + 2]) == pair:
            found.append(joined)
            place += 2
        else:
            found.append(tokens[place])
            place += 1
    return found
