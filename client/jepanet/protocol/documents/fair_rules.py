"""Rules by which honest work would lose its bond, its place or its pay: no node enters a round that has them.

A proposer chooses the rules of its rounds, and every number of them is public. But nobody reads twenty
before each round, and some values turn a rule against those it is there for: a norm cap below the length of
honest deltas takes every bond, a tolerance above every gain lets a sheet say anything.
"""

from __future__ import annotations

from operator import attrgetter

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import RoundSpec

_LEAST = {
    "norms.to_base_milli": 500,  # honest deltas: 24 to 153 thousandths; above it costs the bond
    "norms.to_median_milli": 1500,  # honest norms of one round: up to 1.67 of its upper median, 1.25 usually
    "similarity_milli": 800,  # two seeds on one shard: up to .89, and other shards far below
    "gates.harm_sigmas_milli": 3000,  # by which 3 to 5 % of honest deltas were out, late ones far more
    "gates.variance_ceiling_milli": 1020,
    "gates.sigreg_log_milli": 20,
}
_MOST = {
    "norms.zero_nano": 1_000_000,
    "score_tolerance": 20_000,  # ten times the usual one; whole rounds gain 3,000 to 80,000 micro-nats
    "shrink_milli": 5000,
    "gates.variance_floor_milli": 980,
    "gates.rank_ratio_milli": 990,
}
_LEAST_IF_ANY = {  # 0 stands for no bound; beside it what honest deltas cost at most
    "gates.variance_per_length_milli": 590,
    "gates.sigreg_per_length_milli": 660,
    "gates.rank_per_length_milli": 130,
}


def check_fair(spec: RoundSpec) -> None:
    """Raises: Rejected (`unfair-rules`): a number of a rule lies where it hurts honest work."""
    for bounds, wrong, word in (
        (_LEAST, int.__lt__, "at least"),
        (_LEAST_IF_ANY, _below, "at least"),
        (_MOST, int.__gt__, "at most"),
    ):
        for name, bound in bounds.items():
            said: int = attrgetter(name)(spec)
            if wrong(said, bound):
                raise Rejected(
                    f"round spec: {name} is {said:,}, honest work loses by it: nodes take {word} {bound:,}",
                    reason="unfair-rules",
                    remedy=f"write {word} {bound:,} for it, or leave it out",
                )


def _below(said: int, bound: int) -> bool:
    return 0 < said < bound
