"""The part of an evaluation shard over which a round is measured: the beacon chooses its episodes.

A sealed shard may hold as many episodes as several would. One digest of it is on chain, so that whoever
unseals it can neither serve a part alone nor swap one; and which episodes a shorter measurement takes is
known to nobody before the commitments are closed.
"""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.data.scorable import LEAST_EPISODES_OF_A_SITE
from jepanet.learning.data.shards import Shard
from jepanet.learning.recipe import Recipe

_TAG = b"jepanet episodes of a round v1"


def check_part(episodes: int, manifest: DatasetManifest, recipe: Recipe) -> None:
    """Whether a round of the recipe can be measured over so many episodes of a dataset's shards; 0: over all.

    Raises:
        Rejected: reason `unsuitable-dataset`.
    """
    if not episodes:
        return
    least = max(recipe.score.minimum_episodes, LEAST_EPISODES_OF_A_SITE * len(manifest.evaluation.sites))
    most = manifest.evaluation.episodes
    if not least <= episodes <= most:
        fits = f"{least} to {most}, or 0 for all" if least <= most else "0, for all"
        raise Rejected(
            f"the round is to be measured over {episodes} episodes: recipe {recipe.name!r} scores on {least} "
            f"or more, and a sealed shard of the dataset has {most}",
            reason="unsuitable-dataset",
            remedy=f"who proposes it writes proposer.evaluation_episodes = {fits}, or builds a dataset with "
            f"--size evaluation_episodes={max(least, episodes)}",
        )


def part_of(shard: Shard, episodes: int, beacon: bytes) -> Shard:
    """So many episodes of a shard, of its sites in turn, in the shard's order.

    Which of a site's episodes come first follows from the round's beacon (32 bytes).
    """
    turns: list[tuple[int, bytes, int]] = []
    seen: Counter[int] = Counter()
    for word, place in sorted((_word(beacon, place), place) for place in range(shard.episodes)):
        site = shard.site[place]
        turns.append((seen[site], word, place))
        seen[site] += 1
    taken = np.zeros(shard.episodes, dtype=bool)
    taken[[place for _, _, place in sorted(turns)[:episodes]]] = True
    return shard.chosen(taken)


def _word(beacon: bytes, place: int) -> bytes:
    return hashlib.sha256(_TAG + beacon + place.to_bytes(4, "big")).digest()
