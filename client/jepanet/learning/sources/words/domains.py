"""Which meanings a site has: most of its own domain, some of every other; no two sites have one in common.

Sites of one domain each were measured: what one solver learns then harms the next-token loss of the others'
domains, at up to 22 standard errors, though the average of all helps. A tenth of each other domain mends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jepanet.learning.sources.words.wordnet import Meaning, meanings

TRAINED = ("act", "artifact", "communication", "person")
"""Whose descriptions are plain English: those of animals and plants name their genus above all."""
UNSEEN = "state"
EVALUATED = (*TRAINED, UNSEEN)
"""Domains of the evaluation shards: other meanings of those that are trained on, and one nobody knows."""
OWN, OTHER = 7, 1
"""Shares of a site's own domain and of each other one."""
_PARTS = 5
_PUBLIC, _HIDDEN = 0, 1
"""Of five meanings of a domain that is trained on, one is public, one hidden, the others belong to sites."""


@dataclass(frozen=True, slots=True)
class Site:
    """A source of meanings."""

    number: int
    domain: str
    """Its own one."""
    index: int
    """Of a training site, or of an evaluation shard."""
    count: int
    """Of those: what they draw from is divided among so many."""


def public_texts() -> Iterator[str]:
    """Both texts of every public meaning."""
    for domain in TRAINED:
        for meaning in public_pool(domain):
            yield from (meaning.description, meaning.name)


def public_pool(domain: str) -> tuple[Meaning, ...]:
    """What everybody starts from, of a domain that is trained on."""
    return meanings()[domain][_PUBLIC::_PARTS]


def hidden_pool(site: Site) -> tuple[Meaning, ...]:
    """What an evaluation shard may have; no other one has any of it, since they are shown one by one."""
    there = meanings()[site.domain]
    if site.domain in TRAINED:
        there = there[_HIDDEN::_PARTS]
    return there[site.index :: site.count]


def training_pool(site: Site, domain: str) -> tuple[Meaning, ...]:
    """What a training site may have of a domain; no other one has any of it."""
    left = [item for place, item in enumerate(meanings()[domain]) if place % _PARTS not in (_PUBLIC, _HIDDEN)]
    owners = [
        index for index in range(site.count) for _ in range(OWN if own_domain(index) == domain else OTHER)
    ]
    return tuple(item for place, item in enumerate(left) if owners[place % len(owners)] == site.index)


def own_domain(index: int) -> str:
    """Of a training site."""
    return TRAINED[index % len(TRAINED)]


def shares(site: Site, episodes: int) -> dict[str, int]:
    """How many pairs of every domain a training site has."""
    whole = OWN + OTHER * (len(TRAINED) - 1)
    counts = {domain: episodes * OTHER // whole for domain in TRAINED if domain != site.domain}
    return {site.domain: episodes - sum(counts.values()), **counts}
