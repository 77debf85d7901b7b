"""What happens in a rehearsal, drawn from its seed: links, partitions, upgrades. Pure.

Every node has one link to the middle of the network; the way between two nodes is both of their links. Delay
and loss of a link are half of what the way shall have, so any way lies within the given bounds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

DELAY_MS = (20.0, 150.0)
"""Of a way, in one direction: least and most."""
LOSS_PERCENT = (0.5, 2.0)
CHAIN = "chain"
"""The member of the network that the chain's endpoint is."""
OUTSIDER = "outsider"
"""Who looks on and recomputes; it runs no node."""


@dataclass(frozen=True, slots=True)
class Link:
    """Of one member: milliseconds in one direction, and the share of packets that are lost, 0 to 1."""

    delay_ms: float
    loss: float


@dataclass(frozen=True, slots=True)
class Partition:
    """`members` reach nobody but each other from the end of round `after` on, for `rounds` rounds.

    `chain`: nor do they reach the chain.
    """

    after: int
    rounds: int
    members: tuple[str, ...]
    chain: bool


@dataclass(frozen=True, slots=True)
class Upgrade:
    """`member` begins as the earlier version, and is stopped, backed up and started as this one at the end of
    round `after`."""

    after: int
    member: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`links` by member, the chain's endpoint and the outsider among them."""

    seed: int
    rounds: int
    links: dict[str, Link]
    partitions: tuple[Partition, ...]
    upgrades: tuple[Upgrade, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def cast(solvers: int, coordinators: int) -> list[tuple[str, str]]:
    """(name, role) of every node. The aggregator comes first: the others meet the network through it."""
    return [
        ("aggregator", "aggregator"),
        ("proposer", "proposer"),
        *((f"coordinator-{number + 1}", "coordinator") for number in range(coordinators)),
        *((f"solver-{number + 1}", "solver") for number in range(solvers)),
    ]


def draw_plan(seed: int, rounds: int, names: Sequence[str], *, upgrades: bool = True) -> Plan:
    """The plan of a seed, the same wherever it is drawn.

    Two partitions, of two nodes each, in rehearsals of six rounds or more: one from everything, one from
    peers alone. Of coordinators at most one is cut off at a time, and never the proposer or the aggregator:
    rounds shall go on, which is what is looked at. In shorter ones there is one partition, of one round.
    """
    dice = random.Random(seed)
    links = {name: _link(dice) for name in (CHAIN, OUTSIDER, *names)}
    solvers = [name for name in names if name.startswith("solver")]
    coordinators = [name for name in names if name.startswith("coordinator")]
    partitions = []
    whole = rounds >= 6
    lengths = ((0.3, max(1, rounds // 16), True), (0.65, max(1, rounds // 25), False))
    for share, length, chain in lengths if whole else lengths[:1]:
        cut = [dice.choice(solvers)] if len(solvers) > 1 else []
        cut += [dice.choice(coordinators)] if len(coordinators) > 2 else []
        if cut:
            partitions.append(Partition(max(1, round(share * rounds)), length, tuple(cut), chain))
    chosen = ["aggregator", dice.choice(coordinators), dice.choice(solvers), "proposer"]
    at = [max(1, round(share * rounds)) for share in (0.12, 0.24, 0.5, 0.8)]
    steps = tuple(Upgrade(after, name) for after, name in zip(at, chosen, strict=True)) if upgrades else ()
    return Plan(seed, rounds, links, tuple(partitions), steps)


def _link(dice: random.Random) -> Link:
    delay, loss = dice.uniform(*DELAY_MS) / 2, dice.uniform(*LOSS_PERCENT) / 200
    return Link(round(delay, 1), round(loss, 5))
