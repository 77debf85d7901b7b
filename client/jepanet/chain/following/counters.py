"""What the contracts count, compared with their logs: the test that no log is missing.

An event is gone for good once the endpoint's log index has forgotten it; the state it led to is not. So for
every kind of event that the machine depends on there is a number or a flag in the contracts' storage, read on
one named block, that the logs up to that block must reproduce.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.contracts.views import RoundView
from jepanet.protocol.facts import (
    ChainBeaconDrawn,
    ChainBeaconFixed,
    ChainChallenged,
    ChainClaimed,
    ChainCommitted,
    ChainFact,
    ChainProjectCreated,
    ChainRevealed,
    ChainRoundCancelled,
    ChainRoundOpened,
    ChainRoundSettled,
    ChainShardUnsealed,
    ChainSwept,
    ChainTrainingRecorded,
    ChainVerifierSetCreated,
)
from jepanet.types import ClaimKind, Phase, RoundId

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RoundCounters:
    """What storage holds of one round's events.

    `beacon_block`: the block that was fixed last, 0 without one. `unclaimed`: wei that are left of a settled
    round's payout.
    """

    commits: int
    reveals: int
    beacon_block: int
    drawn: bool
    unsealed: bool
    recorded: bool
    challenges: int
    settled: bool
    cancelled: bool
    unclaimed: int


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals, and the rounds that were looked at."""

    verifier_sets: int
    projects: int
    rounds: int
    of_rounds: Mapping[RoundId, RoundCounters]


@dataclass(slots=True)
class _Seen:
    opened_in: int
    commits: int = 0
    reveals: int = 0
    beacon_block: int = 0
    challenges: int = 0
    payout: int = 0
    paid: int = 0
    kinds: set[type] = field(default_factory=set)

    def take(self, fact: ChainFact) -> None:
        self.kinds.add(type(fact))
        match fact:
            case ChainCommitted():
                self.commits += 1
            case ChainRevealed():
                self.reveals += 1
            case ChainBeaconFixed():
                self.beacon_block = fact.block_number
            case ChainTrainingRecorded():
                self.payout = fact.payout
            case ChainChallenged():
                self.challenges += 1
            case ChainClaimed() if fact.kind is not ClaimKind.UNSEAL_SHARE:
                self.paid += fact.amount
            case ChainSwept():
                self.paid += fact.amount


class LogTally:
    """The same numbers, from logs. `blocks`: every confirmed one with events, by number, in order."""

    def __init__(self, blocks: Iterable[tuple[int, Sequence[ChainFact]]]) -> None:
        self.verifier_sets: list[int] = []
        self.projects: list[int] = []
        self.rounds: dict[RoundId, _Seen] = {}
        for number, facts in blocks:
            for fact in facts:
                self._take(number, fact)

    def _take(self, number: int, fact: ChainFact) -> None:
        if isinstance(fact, ChainVerifierSetCreated):
            self.verifier_sets.append(number)
        elif isinstance(fact, ChainProjectCreated):
            self.projects.append(number)
        elif isinstance(fact, ChainRoundOpened):
            self.rounds[fact.round_id] = _Seen(number)
        else:
            round_id = getattr(fact, "round_id", None)
            seen = None if round_id is None else self.rounds.get(round_id)
            if seen is not None:
                seen.take(fact)

    def missing_since(self, chain: Counters) -> int | None:
        """The first block from which logs must be read again to agree with the contracts; None if they do.

        0 where not even that is known: from the deployment on.
        """
        suspects = [
            made[-1] if made else 0
            for made, counted in ((self.verifier_sets, chain.verifier_sets), (self.projects, chain.projects))
            if len(made) != counted
        ]
        for round_id in range(1, chain.rounds + 1):
            if round_id not in self.rounds:
                before = self.rounds.get(RoundId(round_id - 1))
                suspects.append(before.opened_in if before else 0)
                break
        for key, counters in chain.of_rounds.items():
            seen = self.rounds.get(key)
            if seen is not None and not _agree(seen, counters):
                suspects.append(seen.opened_in)
        return min(suspects, default=None)


def _agree(seen: _Seen, counters: RoundCounters) -> bool:
    kinds = seen.kinds
    return counters == RoundCounters(
        commits=seen.commits,
        reveals=seen.reveals,
        beacon_block=seen.beacon_block,
        drawn=ChainBeaconDrawn in kinds,
        unsealed=ChainShardUnsealed in kinds,
        recorded=ChainTrainingRecorded in kinds,
        challenges=seen.challenges,
        settled=ChainRoundSettled in kinds,
        cancelled=ChainRoundCancelled in kinds,
        unclaimed=seen.payout - seen.paid if ChainRoundSettled in kinds else 0,
    )


async def read_counters(
    contracts: Contracts, block: bytes, *, known: Collection[RoundId] = (), newest: int = 512
) -> Counters:
    """The counters on one block.

    Args:
        block: its hash.
        known: rounds that need not be looked at again.
        newest: at most so many rounds are looked at, the newest first.

    Raises:
        Transient: no endpoint has the state of this block.
    """
    rounds = await contracts.lens.round_count(block)
    wanted = [RoundId(key) for key in range(max(1, rounds - newest + 1), rounds + 1) if key not in known]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(round_id: RoundId) -> RoundCounters:
        async with slots:
            return _counters(await contracts.lens.round(round_id, block))

    found = await asyncio.gather(*(one(key) for key in wanted))
    return Counters(
        verifier_sets=await contracts.lens.set_count(block),
        projects=await contracts.lens.project_count(block),
        rounds=rounds,
        of_rounds=dict(zip(wanted, found, strict=True)),
    )


def _counters(view: RoundView) -> RoundCounters:
    return RoundCounters(
        commits=view.commits,
        reveals=view.reveals,
        beacon_block=view.beacon_block,
        drawn=view.beacon_drawn,
        unsealed=view.unsealed,
        recorded=view.recorded,
        challenges=view.challenges,
        settled=view.phase is Phase.SETTLED,
        cancelled=view.phase is Phase.CANCELLED,
        unclaimed=view.unclaimed,
    )
