"""Whether a proposer's next round could open: its terms, and the verifier sets of its projects. Pure."""

from __future__ import annotations

from jepanet.chain.contracts.all import Configuration, SetView
from jepanet.chain.contracts.readiness import NOT_READY
from jepanet.errors import Exit
from jepanet.operations.checks.findings import Finding, failed, fine, warned
from jepanet.operations.projects.deterring import deterring_words
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.settings.config import SolverSection
from jepanet.settings.terms import deterrence_of, wei
from jepanet.tokens import exact
from jepanet.types import Address, Readiness

_BOND_UNIT = 10**9
_LONGEST_PHASE = 30 * 86_400


def judge_terms(terms: RoundTerms, deployed: Configuration) -> list[Finding]:
    """Holds `[proposer]` against the least that the contracts take: each refusal is a row."""
    amounts = (
        ("budget", terms.budget, deployed.minimum_budget),
        ("bond", terms.bond, deployed.minimum_bond),
        ("unseal_bond", terms.unseal_bond, deployed.minimum_bond),
    )
    phase = deployed.minimum_phase_duration
    durations = (
        ("commit_seconds", terms.commit_seconds, phase),
        ("gap_seconds", terms.gap_seconds, phase),
        ("reveal_seconds", terms.reveal_seconds, phase),
        ("verify_seconds", terms.verify_seconds, phase),
        ("challenge_seconds", terms.challenge_seconds, deployed.minimum_challenge_duration),
    )
    wrong = [f"{name} is below {exact(least)} tokens" for name, amount, least in amounts if amount < least]
    wrong += [
        f"{name} is finer than a billionth of a token"
        for name, amount, _ in amounts[1:]
        if amount % _BOND_UNIT
    ]
    wrong += [
        f"{name} is not between {least} and {_LONGEST_PHASE}"
        for name, seconds, least in durations
        if not least <= seconds <= _LONGEST_PHASE
    ]
    remedy = "correct [proposer]: the network refuses such rounds"
    return [*(failed("terms", text, remedy, Exit.CONFIG) for text in wrong), *judge_bond(terms)]


def judge_bond(terms: RoundTerms) -> list[Finding]:
    """Whether the bond of rounds whose solvers are drawn for audits makes every cheat not pay. One that is
    below the least for a delta altered at its end is no bond of such terms (`round_terms`)."""
    found = deterrence_of(terms)
    if found is None:
        return []
    text = "; ".join(deterring_words(found))
    usual = wei(SolverSection().max_bond, "solver.max_bond")
    rows = [] if found.bond <= usual else [
        warned(
            "bond",
            f"the bond of {exact(found.bond)} tokens is more than solvers put up by default "
            f"(solver.max_bond = {exact(usual)})",
            "write a smaller proposer.pay_cap, or tell your solvers to raise theirs",
        )
    ]  # fmt: skip
    if not found.undeterred:
        return [*rows, fine("bond", text)]
    remedy = (
        "raise proposer.audit_opened or proposer.audit_probability_milli, or write fewer audit_segments or a "
        "smaller pay_cap, if that is too much to earn"
    )
    return [*rows, warned("bond", text, remedy)]


def judge_set(
    project_id: int,
    set_id: int,
    found: SetView,
    ready: Readiness,
    *,
    me: Address,
    admitted: bool,
    hold: int,
    escrow: int,
) -> list[Finding]:
    """What would refuse this wallet's next round of a project.

    Args:
        hold: seconds for which a round could hold the set's members.
        escrow: budget and fee of a round, in wei.
    """
    row = f"round of project {project_id}"
    if not admitted:
        return [
            failed(
                row, f"verifier set {set_id} has not admitted {me}",
                f"ask its curator {found.curator} for `jepanet verifiers admit {set_id} {me}`", Exit.REJECTED,
            )
        ]  # fmt: skip
    if hold > found.max_hold:
        text = (
            f"it could hold the members of set {set_id} for {hold} s, and they agreed to {found.max_hold} s"
        )
        return [failed(row, text, "shorten the phases in [proposer], or use another set", Exit.REJECTED)]
    if ready is Readiness.CAP_EXHAUSTED or found.escrow_at_risk + escrow > found.cap:
        text = (
            f"with it, {exact(found.escrow_at_risk + escrow)} tokens of escrow would hang on set {set_id}, "
            f"whose cap is {exact(found.cap)}"
        )
        return [failed(row, text, "wait for its other rounds to end, or lower the budget", Exit.REJECTED)]
    if ready is not Readiness.READY:
        why, remedy = NOT_READY[ready]
        return [failed(row, f"verifier set {set_id}: {why}", remedy, Exit.REJECTED)]
    return [fine(row, f"verifier set {set_id} would carry it")]
