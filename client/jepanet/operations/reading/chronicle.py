"""What the chain said beyond the state of a node: rounds that a node forgets, and where it was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.logs_to_facts import decode
from jepanet.protocol.facts import (
    ChainEvent,
    ChainProjectCreated,
    ChainRoundCancelled,
    ChainRoundOpened,
    ChainRoundSettled,
    ChainTrainingRecorded,
)
from jepanet.protocol.state import Round
from jepanet.types import BlockRef, Digest, ProjectId, RoundId

MOST_ROUNDS: Final = 5_000
"""Rounds that are kept: of more, the oldest ended ones of the project that has the most are left out."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact, and the hash of the transaction whose log it is, as the endpoint names it."""

    fact: ChainEvent
    transaction: bytes


def noted(log: RawLog, block: BlockRef) -> Noted | None:
    """As `decode`, with the transaction. Raises: as `decode`."""
    fact = decode(log, block)
    return None if fact is None else Noted(fact, log.tx_hash)


@dataclass(frozen=True, slots=True)
class Said:
    """Where the chain says it."""

    transaction: bytes
    block: BlockRef


@dataclass(frozen=True, slots=True)
class SaidOfRound:
    """Where a round was opened, got its result, and ended. None: not yet."""

    opened: Said
    recorded: Said | None = None
    ended: Said | None = None


@dataclass(frozen=True, slots=True)
class Founding:
    """The model that a project began with, and where the project was created."""

    model: Digest
    said: Said


@dataclass(frozen=True, slots=True)
class Chronicle:
    """Mappings are replaced, never changed in place."""

    past: Mapping[RoundId, Round] = field(default_factory=dict)
    """Ended rounds that a node's state holds no more."""
    said: Mapping[RoundId, SaidOfRound] = field(default_factory=dict)
    """Of all rounds, also those of the state."""
    founded: Mapping[ProjectId, Founding] = field(default_factory=dict)
    only: ProjectId | None = None
    """The project whose rounds are kept; None: of all, so that those of others take room of each other."""

    def after(
        self, facts: Sequence[Noted], told: Mapping[RoundId, Round], kept: Mapping[RoundId, Round]
    ) -> Chronicle:
        """With one more block: its facts, the rounds of the state before the block ended, and after it."""
        found = self
        for item in facts:
            found = found._with(item)
        gone = {} if len(told) == len(kept) else {key: told[key] for key in told if key not in kept}
        if not gone:
            return found
        past = {**found.past, **{key: item for key, item in gone.items() if self._wants(item.project_id)}}
        extra = _surplus(past)
        for key in extra:
            del past[key]
        said = {key: item for key, item in found.said.items() if key not in extra} if extra else found.said
        return replace(found, past=past, said=said)

    def _with(self, item: Noted) -> Chronicle:
        fact = item.fact
        if not isinstance(
            fact,
            ChainProjectCreated
            | ChainRoundOpened
            | ChainTrainingRecorded
            | ChainRoundSettled
            | ChainRoundCancelled,
        ):
            return self
        here = Said(item.transaction, fact.block)
        if isinstance(fact, ChainProjectCreated):
            founding = Founding(fact.model, here)
            return replace(self, founded={**self.founded, fact.project_id: founding})
        known = self.said.get(fact.round_id)
        if isinstance(fact, ChainRoundOpened):
            if not self._wants(fact.project_id):
                return self
            told = SaidOfRound(here)
        elif known is None:
            return self
        elif isinstance(fact, ChainTrainingRecorded):
            told = replace(known, recorded=here)
        else:
            told = replace(known, ended=here)
        return replace(self, said={**self.said, fact.round_id: told})

    def _wants(self, project: ProjectId) -> bool:
        return self.only in (None, project)


def _surplus(past: Mapping[RoundId, Round]) -> set[RoundId]:
    """What is to be left out: nobody's rounds push out those of a project that has fewer."""
    found: set[RoundId] = set()
    if len(past) <= MOST_ROUNDS:
        return found
    of_project: dict[ProjectId, list[RoundId]] = {}
    for key in sorted(past, reverse=True):
        of_project.setdefault(past[key].project_id, []).append(key)
    while len(past) - len(found) > MOST_ROUNDS:
        found.add(max(of_project.values(), key=len).pop())
    return found
