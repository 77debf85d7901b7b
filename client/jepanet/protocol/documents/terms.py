"""How a proposer opens its rounds."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class RoundTerms:
    """How a proposer opens its rounds: `[proposer]` of the configuration in base units (wei, seconds)."""

    budget: int
    fee: int
    bond: int
    unseal_bond: int
    price: int
    shrink_milli: int
    inner_steps: int
    """0: as many as the recipe says."""
    codec: str
    merge_rule: str
    max_delta_bytes: int
    outer_lr_milli: int
    outer_momentum_milli: int
    commit_seconds: int
    gap_seconds: int
    reveal_seconds: int
    verify_seconds: int
    challenge_seconds: int
    max_solvers: int
    aggregators: tuple[Address, ...]

    @property
    def longest_seconds(self) -> int:
        """From the opening to the end of the challenge window, if every phase takes its full time."""
        before = self.commit_seconds + self.gap_seconds + self.reveal_seconds
        return before + self.verify_seconds + self.challenge_seconds
