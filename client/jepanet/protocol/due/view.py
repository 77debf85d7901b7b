"""One round as the rules read it: what is known of it, the clock, and what follows from both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from jepanet.protocol.state import NodeState, OffChain, Own, Round
from jepanet.types import Address, Phase, Role

COURTESY = 15
"""Seconds others leave to the role that owns a duty before they do it themselves."""
REPEAT = 6
"""Seconds between repetitions of a gossip message while its phase lasts: gossip loses messages."""
MAX_REPEATS = 50


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round at the current block, in the eyes of this node."""

    state: NodeState
    round: Round
    own: Own
    off_chain: OffChain
    phase: Phase
    members: tuple[Address, ...]
    """The round's verifiers."""

    @classmethod
    def of(cls, state: NodeState, round_: Round) -> Self:
        own, off_chain = state.own[round_.id], state.off_chain[round_.id]
        phase = round_.phase(state.now, state.me.resolve_duration)
        return cls(state, round_, own, off_chain, phase, state.members(round_))

    @property
    def me(self) -> Address:
        return self.state.me.address

    @property
    def now(self) -> int:
        """Timestamp of the current block (seconds)."""
        return self.state.now

    @property
    def threshold(self) -> int:
        """Signatures that a result needs."""
        return self.state.threshold(self.round)

    @property
    def proposes(self) -> bool:
        """Whether the round is this node's own, and the node still works as a proposer."""
        return self.round.proposer == self.me and self.has(Role.PROPOSER)

    @property
    def wait(self) -> int:
        """Seconds left to the proposer before others do what is open to anyone."""
        return 0 if self.proposes else COURTESY

    def has(self, role: Role) -> bool:
        return role in self.state.me.roles

    def signatures(self, sheet: bytes) -> int:
        """Signatures the contract will count: those of a slashed verifier void the whole record."""
        slashed = self.round.slashed
        return sum(
            1 for item in self.off_chain.results if item.sheet == sheet and item.coordinator not in slashed
        )

    def repeat(self, since: int, lasts: int) -> int:
        """Number of the repetition that is due: every `REPEAT` seconds, at most `MAX_REPEATS` in a phase."""
        interval = max(REPEAT, lasts // MAX_REPEATS)
        return min(max(0, self.now - since) // interval, MAX_REPEATS)

    def repeat_in_verify(self) -> int:
        """`repeat`, counted from the start of VERIFY."""
        return self.repeat(self.round.reveal_end, self.round.params.verify_duration)
