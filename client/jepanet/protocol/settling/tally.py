"""From signed scores to decisions: integers only, so every node gets the same result.

k..n reports ─ decide ─▶ one decision a delta ─ (merge and measure) ─ `rows.pay` ─▶ rows, fees
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import (
    MAX_DELTAS,
    ScoreReport,
    SignedScore,
)
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.audit_draw import is_drawn
from jepanet.protocol.settling.reasons import (
    DISPUTED,
    DUPLICATE,
    MACHINE_FAILED,
    NOT_AUDITED,
    SHARD_REFUSED,
    against_solver,
)
from jepanet.protocol.settling.standing import not_fetched
from jepanet.protocol.state import NodeState, Round
from jepanet.types import Address, Digest, ProjectId, RoundId, Verdict


@dataclass(frozen=True, slots=True)
class RevealedDelta:
    solver: Address
    digest: Digest
    index: int
    """Order of commitment."""


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """What the chain says of a round whose deltas are being judged."""

    chain_id: int
    contract: Address
    round_id: RoundId
    project_id: ProjectId
    spec: Digest
    base: Digest
    shard: Digest
    budget: int
    fee: int
    members: tuple[Address, ...]
    threshold: int
    reveals: tuple[RevealedDelta, ...]
    """In order of commitment."""
    beacon: int | None = None
    """Draws whose training is audited."""

    @property
    def revealed(self) -> int:
        """How many different deltas there are."""
        return len({item.digest for item in self.reveals})


@dataclass(frozen=True, slots=True)
class Decision:
    """The coordinators' common verdict on one delta, before money."""

    solver: Address
    digest: Digest
    verdict: Verdict
    reason: str
    gain: int
    stderr: int


def facts_of(state: NodeState, round_: Round, chain_id: int, contract: Address) -> RoundFacts:
    """The facts of a round in VERIFY or later, read off the state machine.

    Raises:
        Rejected: reason `not-unsealed`; the evaluation shard of the round is not known yet.
    """
    if round_.shard is None:
        raise Rejected(f"round {round_.id} has no evaluation shard yet", reason="not-unsealed")
    order = {commit.solver: commit.index for commit in round_.commits}
    reveals = [RevealedDelta(item.solver, item.digest, order[item.solver]) for item in round_.reveals]
    return RoundFacts(
        chain_id=chain_id,
        contract=contract,
        round_id=round_.id,
        project_id=round_.project_id,
        spec=round_.params.spec,
        base=round_.base,
        shard=round_.shard,
        budget=round_.params.budget,
        fee=round_.params.fee,
        members=state.members(round_),
        threshold=state.threshold(round_),
        reveals=tuple(sorted(reveals, key=lambda item: item.index)),
        beacon=round_.beacon,
    )


def decide(facts: RoundFacts, reports: Sequence[ScoreReport]) -> tuple[Decision, ...]:
    """One decision for every revealed delta, ascending by solver.

    * A digest that an earlier commit owns is EXCLUDED as `duplicate`, whatever the reports say: the later
      commit may be that of the solver who did the work, so it never costs the whole bond.
    * INVALID needs `threshold` coordinators that say so: for a fault of form, or for what an audit found.
    * ACCEPTED needs more than half of the reports.
    * EXCLUDED costs a part of the bond. It needs `threshold` coordinators that could not fetch the delta; or
      as many that name a reason against the solver (`reasons.REASONS`), and of those who have the delta more
      than half. So a minority takes no bond, not even with the help of those who saw nothing, and where
      measurements of honest machines fall on both sides of a rule's cut, nobody loses.
    * All the rest is SPARED.
    * Gain and standard error are lower medians over all reports (an unmeasured delta counts as 0), so they
      lie between honest values as long as most reports are honest.

    Raises:
        Rejected: reason `bad-reports`; fewer than `threshold`, a coordinator twice, not of the set, or a
            report that does not score exactly the revealed deltas.
    """
    check_reports(facts, reports)
    votes: dict[Address, list[SignedScore]] = {item.solver: [] for item in facts.reveals}
    for report in reports:
        for score in report.scores:
            votes[score.solver].append(score)
    owners: dict[Digest, Address] = {}
    for item in sorted(facts.reveals, key=lambda item: item.index):
        owners.setdefault(item.digest, item.solver)
    return tuple(
        _decision(item, votes[item.solver], facts.threshold, owner=owners[item.digest])
        for item in sorted(facts.reveals, key=lambda item: item.solver.lower())
    )


def check_reports(facts: RoundFacts, reports: Sequence[ScoreReport]) -> None:
    """Raises: Rejected with reason `bad-reports` (see `decide`)."""

    def refuse(why: str) -> Rejected:
        return Rejected(f"round {facts.round_id}: {why}", reason="bad-reports")

    if not 1 <= len(facts.reveals) <= MAX_DELTAS:
        raise refuse(f"{len(facts.reveals)} revealed deltas, a sheet holds 1 to {MAX_DELTAS}")
    coordinators = [report.coordinator for report in reports]
    if len(set(coordinators)) != len(coordinators):
        raise refuse("a coordinator reports twice")
    if len(reports) < max(1, facts.threshold):
        raise refuse(f"{len(reports)} reports, {facts.threshold} are needed")
    revealed = {item.solver: item.digest for item in facts.reveals}
    for report in reports:
        if report.coordinator not in facts.members:
            raise refuse(f"{report.coordinator} is not in the verifier set")
        if report.round_id != facts.round_id:
            raise refuse(f"{report.coordinator} reports on round {report.round_id}")
        scored = {score.solver: score.digest for score in report.scores}
        if scored != revealed or len(report.scores) != len(revealed):
            raise refuse(f"{report.coordinator} does not score exactly the revealed deltas")


def drawn_solvers(facts: RoundFacts, spec: RoundSpec) -> frozenset[Address]:
    """Whose training is audited, of those that revealed."""
    return frozenset(
        item.solver
        for item in facts.reveals
        if is_drawn(spec.audit, facts.beacon, facts.round_id, item.solver)
    )


def _decision(
    item: RevealedDelta, votes: Sequence[SignedScore], threshold: int, *, owner: Address
) -> Decision:
    if owner != item.solver:
        return Decision(item.solver, item.digest, Verdict.EXCLUDED, DUPLICATE, 0, 0)
    if sum(vote.verdict is Verdict.INVALID for vote in votes) >= threshold:
        reason = _most_frequent(vote.reason for vote in votes if vote.verdict is Verdict.INVALID)
        return Decision(item.solver, item.digest, Verdict.INVALID, reason, 0, 0)
    gain = _lower_median([vote.gain for vote in votes])
    stderr = _lower_median([vote.stderr for vote in votes])
    if 2 * sum(vote.verdict is Verdict.ACCEPTED for vote in votes) > len(votes):
        reason = _most_frequent(vote.reason for vote in votes if vote.verdict is Verdict.ACCEPTED)
        return Decision(item.solver, item.digest, Verdict.ACCEPTED, reason, gain, stderr)
    verdict, reason = _out(votes, threshold)
    return Decision(item.solver, item.digest, verdict, reason, gain, stderr)


def _out(votes: Sequence[SignedScore], threshold: int) -> tuple[Verdict, str]:
    """EXCLUDED or SPARED, and why, for a delta that is neither invalid nor accepted."""
    against = [vote for vote in votes if against_solver(vote.verdict, vote.reason)]
    missed = [vote.reason for vote in against if not_fetched(vote)]
    if len(missed) >= threshold:
        return Verdict.EXCLUDED, _most_frequent(missed)
    seen = len(votes) - len(missed)
    if len(against) >= threshold and 2 * (len(against) - len(missed)) > seen:
        named = [
            vote.reason for vote in against if vote.verdict is Verdict.EXCLUDED and not not_fetched(vote)
        ]
        return Verdict.EXCLUDED, _most_frequent(named or missed)
    said = Counter(vote.reason for vote in votes if vote.verdict is Verdict.EXCLUDED)
    spared = (reason for reason in (SHARD_REFUSED, NOT_AUDITED, MACHINE_FAILED) if said[reason] >= threshold)
    return Verdict.SPARED, next(spared, DISPUTED)


def _most_frequent(reasons: Iterable[str]) -> str:
    """The alphabet breaks ties."""
    count = Counter(reasons)
    return min(count, key=lambda reason: (-count[reason], reason))


def _lower_median(values: Sequence[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]
