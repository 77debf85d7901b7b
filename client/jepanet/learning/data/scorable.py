"""Whether a shard can measure anything: a score is fitted on one half of its episodes and read off the other.

A shard comes from a stranger. One that leaves a half without a site, or repeats an episode in both halves,
gives numbers that were never measured: every candidate, noise included, would gain exactly 0 with error 0.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard

LEAST_EPISODES_OF_A_SITE = 2
"""One for each half."""


def check_sites(site: tuple[int, ...]) -> None:
    """Both halves must hold every site.

    Raises:
        Rejected: reason `thin-sites`.
    """
    thin = sorted(number for number, count in Counter(site).items() if count < LEAST_EPISODES_OF_A_SITE)
    if thin:
        raise Rejected(
            f"site {thin[0]} has one episode: with at least {LEAST_EPISODES_OF_A_SITE} of each site, one "
            "half is fitted and the other scored",
            reason="thin-sites",
        )


def check_scorable(shard: Shard, *, minimum: int) -> None:
    """Checks that the grounded score, cross-fitted by halves, has something to fit and to score.

    Raises:
        Rejected: `too-few-episodes` (less than `minimum`), `thin-sites`, or `repeated-episodes`.
    """
    if shard.episodes < minimum:
        raise Rejected(
            f"an evaluation shard of {shard.episodes} episodes is too small for the grounded score, "
            f"which wants {minimum}",
            reason="too-few-episodes",
        )
    check_sites(shard.site)
    seen: dict[bytes, int] = {}
    unit, shown = shard.schema.unit, " and ".join(shard.schema.shown)
    for index in range(shard.episodes):
        content = hashlib.sha256()
        for name in shard.schema.shown:
            content.update(shard.arrays[name][index].tobytes())
        twin = seen.setdefault(content.digest(), index)
        if twin != index:
            raise Rejected(
                f"{unit}s {twin} and {index} show the same {shown}: nothing may be both fitted and scored",
                reason="repeated-episodes",
            )
