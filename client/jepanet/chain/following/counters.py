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
    ChainTrainingRecorded,
    ChainVerifierSetCreated,
)
from jepanet.types import CancelCause, Phase, RoundId

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RoundCounters:
    """What storage holds of one round's events. `claimed` in wei; None where storage cannot tell."""

    commits: int
    reveals: int
    drawn: bool
    unsealed: bool
    recorded: bool
    challenged: bool
    settled: bool
    cancelled: bool
    claimed: int | None


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
    claimed: int = 0
    kinds: set[type] = field(default_factory=set)


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
                seen.kinds.add(type(fact))
                seen.commits += isinstance(fact, ChainCommitted)
                seen.reveals += isinstance(fact, ChainRevealed)
                seen.claimed += fact.amount if isinstance(fact, ChainClaimed) else 0

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
        drawn=ChainBeaconDrawn in kinds,
        unsealed=ChainShardUnsealed in kinds,
        recorded=ChainTrainingRecorded in kinds,
        challenged=ChainChallenged in kinds,
        settled=ChainRoundSettled in kinds,
        cancelled=ChainRoundCancelled in kinds,
        claimed=None if counters.claimed is None else seen.claimed,
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
    rounds = await contracts.rounds.count(block)
    wanted = [RoundId(key) for key in range(max(1, rounds - newest + 1), rounds + 1) if key not in known]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(round_id: RoundId) -> RoundCounters:
        async with slots:
            return _counters(await contracts.rounds.round(round_id, block))

    found = await asyncio.gather(*(one(key) for key in wanted))
    return Counters(
        verifier_sets=await contracts.verifier_sets.count(block),
        projects=await contracts.registry.count(block),
        rounds=rounds,
        of_rounds=dict(zip(wanted, found, strict=True)),
    )


def _counters(view: RoundView) -> RoundCounters:
    # A sweep counts as claimed, and a forfeited unseal bond is paid without being counted.
    uncounted = view.claimed == view.payout or view.cause is not CancelCause.NONE
    return RoundCounters(
        commits=view.commits,
        reveals=view.reveals,
        drawn=view.beacon_drawn,
        unsealed=view.unsealed,
        recorded=any(view.root),
        challenged=int(view.challenger, 16) != 0,
        settled=view.phase is Phase.SETTLED,
        cancelled=view.phase is Phase.CANCELLED,
        claimed=None if uncounted else view.claimed,
    )
