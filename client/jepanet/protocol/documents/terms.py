"""How a proposer opens its rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jepanet.protocol.documents.spec import EXACT, TRACE, AuditRule, MergeRule, UpdateRule
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
    feedback_milli: int
    """Thousandths of what that codec left out of a solver's delta that go into its next."""
    merge_rule: str
    max_delta_bytes: int
    outer_lr_milli: int
    outer_momentum_milli: int
    update_codec: str
    """How the way from base to next model is coded; empty: not at all."""
    carry_milli: int
    """Thousandths of what that code left out that go into the next update."""
    commit_seconds: int
    gap_seconds: int
    reveal_seconds: int
    verify_seconds: int
    challenge_seconds: int
    max_solvers: int
    aggregators: tuple[Address, ...]
    pay_cap: int | None = None
    """Wei that one delta is paid at most; None: the budget."""
    allow_list: tuple[Address, ...] = ()
    """Who may commit; empty: everybody."""
    drop_sigmas_milli: int = 0
    """Thousandths of a standard error by which a merge has to be worse with a delta to be made without it; 0:
    it is made with all, or withheld."""
    to_reference_milli: int = 0
    """Thousandths of the last merged round's usual length at which deltas are measured and merged at most; 0:
    no bound but by the round's own median."""
    pay_as_merged: bool = False
    """Whether deltas are paid for their gain as one of those that are merged."""
    pay_to_median_milli: int = 0
    """Thousandths of a round's median pay that one delta is paid at most; 0: no such limit."""
    usual_follows: bool = False
    """Whether what is usual follows from round to round, where pay is limited by it."""
    variance_price_milli: int = 0
    """Thousandths of a nat that a gain counts less for each nat of lost log variance."""
    evaluation_episodes: int = 0
    """Of a sealed shard, over which rounds are measured; 0: all of it."""
    evaluation_sigmas_milli: int = 0
    """Thousandths of a standard error: where half of the last merged round's deltas or more gained or harmed
    by less, the next round is measured over all episodes; 0: never."""
    committed_scores: bool = False
    """Whether coordinators commit to their scores before any are opened."""
    audit_segments: int = 0
    """Parts of a training that can be repeated by themselves; 0: none."""
    audit_probability_milli: int = 0
    """Thousandths of a chance that a solver's training is audited before it is paid."""
    audit_opened: int = 1
    """Parts of a drawn training that are audited beside its first and its last."""
    audit_build: Mapping[str, str] = field(default_factory=dict)
    """What trainings are computed by; empty: what the proposer's own machine computes by."""
    audit_mode: str = EXACT
    """How what an audit leads to is compared."""

    @property
    def longest_seconds(self) -> int:
        """From the opening to the end of the challenge window, if every phase takes its full time."""
        before = self.commit_seconds + self.gap_seconds + self.reveal_seconds
        return before + self.verify_seconds + self.challenge_seconds

    @property
    def audit(self) -> AuditRule | None:
        """What a round's spec says of audits."""
        if not self.audit_segments:
            return None
        build = dict(self.audit_build) or None
        return AuditRule(
            segments=self.audit_segments,
            probability_milli=self.audit_probability_milli,
            opened=self.audit_opened,
            build=build,
            mode=self.audit_mode,
            trace=TRACE,
        )

    @property
    def merge(self) -> MergeRule:
        """What a round's spec says of its merge."""
        return MergeRule(
            self.merge_rule, self.outer_lr_milli, self.outer_momentum_milli, self.drop_sigmas_milli
        )

    @property
    def update(self) -> UpdateRule | None:
        """What a round's spec says of the coded update."""
        return UpdateRule(self.update_codec, self.carry_milli) if self.update_codec else None
