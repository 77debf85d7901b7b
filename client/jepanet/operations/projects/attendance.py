"""Who of a project's people is there: what each wallet is, and which verifier of a round is missing."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

from jepanet.operations.views.rounds import RoundVerifiers, VerifierPresence
from jepanet.protocol.state import NodeState, Round
from jepanet.types import Address


class Spoken(Protocol):
    """The newest message of a wallet: the peer that it came from, and when, seconds of Unix."""

    @property
    def peer(self) -> str: ...

    @property
    def at(self) -> int: ...


def parts_of(state: NodeState) -> Mapping[Address, tuple[str, ...]]:
    """Of every wallet with a part in a project, or in a round that the node keeps, which parts."""
    coordinators = {
        member
        for project in state.projects.values()
        if (judges := state.verifier_sets.get(project.verifier_set)) is not None
        for member in judges.members
    }
    kept = state.rounds.values()
    people = {
        "proposer": {item.proposer for item in kept},
        "solver": {commit.solver for item in kept for commit in item.commits},
        "coordinator": coordinators | {member for item in kept for member in state.members(item)},
        "aggregator": {wallet for own in state.own.values() for wallet in own.aggregators},
    }
    found: dict[Address, tuple[str, ...]] = {}
    for part, wallets in people.items():
        for wallet in wallets:
            found[wallet] = (*found.get(wallet, ()), part)
    return found


def verifiers_of(
    state: NodeState, round_: Round, words: Mapping[Address, Spoken], connected: Set[str]
) -> RoundVerifiers:
    """`words`: by wallet, its newest message. `connected`: ids of the peers that are."""
    known, beside = state.verifier_sets.get(round_.verifier_set), state.off_chain[round_.id]
    scored = {item.coordinator for item in beside.scores}
    if state.own[round_.id].scores is not None:
        scored.add(state.me.address)
    rows = []
    for member in state.members(round_):
        word = words.get(member)
        rows.append(
            VerifierPresence(
                verifier=member,
                own=member == state.me.address,
                scored=member in scored,
                peer=None if word is None else word.peer,
                connected=word is not None and word.peer in connected,
                heard=None if word is None else word.at,
            )
        )
    return RoundVerifiers(int(round_.id), None if known is None else known.threshold, tuple(rows))
