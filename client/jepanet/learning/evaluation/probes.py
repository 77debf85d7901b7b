"""What simple readers find in latents, and in what the models were shown: reported, never paid for, no gate.

    k-NN, linear    a class, from other episodes          images: their first label; pairs: their site
    retrieval       the same thing elsewhere              images: the last label, on another site; pairs: the
                                                          second text of a first one; questions: the answer
    position        the simulator's state, by ridge       episodes

Every reader is also given what needs no training: pixels of 16 x 16, or counts of tokens. At the sizes of the
presets models do not read better than these; a probe says what is there, not that training helped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.questions import QUESTIONS
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.statistics import Array, halves, probe_r2, ridge_map
from jepanet.learning.family import Encoded

NEIGHBOURS = 10
SIDE = 16
"""Of raw pictures, in pixels."""
MAX_COUNTED = 1024
"""Tokens that are counted: the most frequent ones of a shard."""
_RIDGE = 1e-2
_TINY = 1e-12
Found = dict[str, float]
"""Share of episodes that are read rightly, by the probe's name; of `position` R2."""


def probed(shard: Shard, encoded: Encoded) -> Found:
    """What probes read off what a model makes of a shard; nothing for kinds of data without probes."""
    kind = _KINDS.get(shard.schema.name)
    return {} if kind is None else kind(shard, encoded)


def probed_raw(shard: Shard) -> Found:
    """The same off pixels of 16 x 16 and counts of tokens."""
    kind = _KINDS.get(shard.schema.name)
    return {} if kind is None else kind(shard, None)


def classified(items: Array, classes: Array, site: tuple[int, ...]) -> Found:
    """`knn` and `linear`: the share of `items` [E, F] whose class [E] is told from other episodes.

    Each half of the episodes is read by what is known of the other; nearest neighbours vote by their cosine.
    `majority`: by the most frequent class.
    """
    side, right = halves(site), {"knn": 0, "linear": 0, "majority": 0}
    names, numbers = np.unique(classes, return_inverse=True)
    one_hot = np.eye(len(names))[numbers]
    for half in (0, 1):
        fit, score = side != half, side == half
        middle, spread = items[fit].mean(axis=0), items[fit].std(axis=0)
        read = (items - middle) / np.where(spread > _TINY, spread, 1.0)
        share = one_hot[fit].mean(axis=0)
        truth = numbers[score]
        right["majority"] += int((truth == share.argmax()).sum())
        weights = ridge_map(read[fit], one_hot[fit] - share, _RIDGE)
        right["linear"] += int((truth == (read[score] @ weights + share).argmax(axis=1)).sum())
        likeness = _cosines(read[score], read[fit])
        near = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
        weight = np.take_along_axis(likeness, near, axis=1).clip(min=0.0)
        votes = (one_hot[fit][near] * weight[:, :, None]).sum(axis=1)
        right["knn"] += int((truth == votes.argmax(axis=1)).sum())
    return {name: count / len(classes) for name, count in right.items()}


def retrieved(sought: Array, found: Array, wanted: Array, open_to: Array, first: int = 1) -> float | None:
    """The share of rows of `sought` [N, F] among whose `first` nearest of `found` [M, F] one is wanted.

    wanted: bool [N, M]; open_to: bool [N, M], what may be found. Rows that want nothing are left out; None
    where all are.
    """
    wanted = wanted & open_to
    asked = wanted.any(axis=1)
    if not asked.any():
        return None
    likeness = np.where(open_to, _cosines(sought, found), -np.inf)[asked]
    near = np.argsort(-likeness, axis=1, kind="stable")[:, :first]
    return float(np.take_along_axis(wanted[asked], near, axis=1).any(axis=1).mean())


def _images(shard: Shard, encoded: Encoded | None) -> Found:
    """A model's view of an image is the mean of what it makes of the whole of it, over the target places."""
    items = _pixels(shard.pictures) if encoded is None else encoded.actual.mean(axis=1)
    labels, sites = shard.array("labels"), np.asarray(shard.site)
    found = classified(items, labels[:, 0], shard.site)
    same, apart = labels[:, -1][:, None] == labels[:, -1], sites[:, None] != sites
    centred = items - items.mean(axis=0)
    return _with(found, "retrieval", retrieved(centred, centred, same, apart))


def _pairs(shard: Shard, encoded: Encoded | None) -> Found:
    texts = [shard.array(name) for name in ("first", "second")]
    if encoded is None:
        sought, found = _counts(*texts)
    else:
        sought, found = encoded.latents[:, 0], encoded.latents[:, 1]
    _, number = np.unique(texts[1], axis=0, return_inverse=True)
    same = number.reshape(-1, 1) == number.reshape(-1)
    everywhere = np.ones_like(same)
    read = classified(sought, np.asarray(shard.site), shard.site) if len(set(shard.site)) > 1 else {}
    read = _with(read, "retrieval", retrieved(sought, found, same, everywhere))
    return _with(read, "retrieval of 5", retrieved(sought, found, same, everywhere, 5))


def _questions(shard: Shard, encoded: Encoded | None) -> Found:
    """A model's view of a question about a picture is what it predicts of the answer."""
    answers, queries = shard.array("answers"), shard.array("queries")
    scenes, each = answers.shape[:2]
    _, numbers = np.unique(answers.reshape(scenes * each, -1), axis=0, return_inverse=True)
    classes, site = numbers.reshape(-1), tuple(number for number in shard.site for _ in range(each))
    if encoded is None:
        pixels = np.repeat(_pixels(shard.pictures), each, axis=0)
        asked = _counts(queries.reshape(scenes * each, -1))[0]
        items = np.concatenate([pixels / _scale(pixels), asked / _scale(asked)], axis=1)
    else:
        items = encoded.predicted.reshape(scenes * each, -1)
    # Questions about one picture stand together: halves are of pictures.
    return classified(items, classes, site)


def _episodes(shard: Shard, encoded: Encoded | None) -> Found:
    latents = _pixels(shard.pictures) if encoded is None else encoded.latents
    latents = latents.reshape(shard.episodes, shard.length, -1)
    return {"position": probe_r2(latents, shard.state.astype(np.float64), shard.site)}


_KINDS: Mapping[str, Callable[[Shard, Encoded | None], Found]] = {
    EPISODES.name: _episodes,
    IMAGES.name: _images,
    PAIRS.name: _pairs,
    QUESTIONS.name: _questions,
}


def _with(found: Found, name: str, value: float | None) -> Found:
    return found if value is None else {**found, name: value}


def _cosines(one: Array, other: Array) -> Array:
    """[N, M] of rows [N, F] and [M, F]; 0 of a row that is all zero."""
    unit = [item / np.maximum(np.linalg.norm(item, axis=1, keepdims=True), _TINY) for item in (one, other)]
    likeness: Array = unit[0] @ unit[1].T
    return likeness


def _scale(items: Array) -> float:
    return max(float(items.std()), _TINY)


def _pixels(pictures: np.ndarray) -> Array:
    """uint8 [N, 3, S, S] -> float64 [N, 3 * 16 * 16], each the mean of a part of the picture."""
    side = pictures.shape[-1]
    edges = np.linspace(0, side, min(SIDE, side) + 1).round().astype(int)[:-1]
    rows = np.add.reduceat(pictures, edges, axis=2, dtype=np.float64)
    blocks = np.add.reduceat(rows, edges, axis=3)
    size = np.diff([*edges, side]).astype(np.float64)
    means: Array = (blocks / (size[:, None] * size)).reshape(len(pictures), -1)
    return means


def _counts(*texts: np.ndarray) -> list[Array]:
    """Texts [N, L] -> how often each token of the shard stands in them, float64 [N, C]; 0 is padding."""
    tokens, often = np.unique(np.concatenate([item.reshape(-1) for item in texts]), return_counts=True)
    often = np.where(tokens == 0, 0, often)
    kept = np.sort(tokens[np.argsort(-often, kind="stable")[:MAX_COUNTED]])
    kept = kept[kept != 0]
    counted = []
    for item in texts:
        place = np.searchsorted(kept, item).clip(max=len(kept) - 1)
        known = kept[place] == item
        table = np.zeros((len(item), len(kept)))
        np.add.at(table, (np.nonzero(known)[0], place[known]), 1.0)
        counted.append(table)
    return counted
