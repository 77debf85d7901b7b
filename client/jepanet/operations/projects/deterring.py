"""What the bond of a round is worth against what its audits find: in figures and in sentences."""

from __future__ import annotations

from jepanet.operations.views.audits import Deterring
from jepanet.operations.views.json_form import Wei
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.bond_rule import Deterrence, deterrence, lottery_of, most_paid
from jepanet.tokens import exact


def deterrence_of_round(
    spec: RoundSpec, *, bond: int, budget: int, measured_every: int | None = None
) -> Deterrence | None:
    """Of a round by its rules, its bond and its budget (wei); None where no solver is drawn for an audit.
    `measured_every`: as `lottery_of`."""
    rule = spec.audit
    if rule is None or not rule.probability_milli:
        return None
    lottery = lottery_of(rule, spec.inner_steps, measured_every)
    return deterrence(lottery, bond=bond, most=most_paid(budget, spec.pay_cap))


def shown_deterrence(found: Deterrence) -> Deterring:
    """For whoever asks what a round's audits come to."""
    assert found.least is not None, "somebody is drawn"
    return Deterring(
        deters=found.deters,
        chance=round(float(found.chance), 6),
        most_paid=Wei(found.most),
        bond=Wei(found.bond),
        least_bond=Wei(found.least),
        between=found.between,
        undeterred=found.undeterred,
        least_for_one=None if found.least_for_one is None else Wei(found.least_for_one),
        words=deterring_words(found),
    )


def deterring_words(found: Deterrence) -> tuple[str, ...]:
    """Sentences without a full stop: of a cheat that is met whenever its solver is drawn, and of one that
    keeps to the parts between the first and the last."""
    return (_of_the_last(found), *((_between(found),) if found.between else ()))


def _of_the_last(found: Deterrence) -> str:
    assert found.least is not None, "somebody is drawn"
    said = (
        f"whoever alters a trained delta is found with a chance of {float(found.chance):.3g} and then loses "
        f"a bond of {exact(found.bond)} tokens; undetected it is paid at most {exact(found.most)}"
    )
    if found.deters:
        return f"{said}: that does not pay"
    return f"{said}: that pays, for deterring takes a bond of {exact(found.least)}"


def _between(found: Deterrence) -> str:
    parts = f"the {found.between} parts between the first and the last"
    if not found.guard_known:
        parts += " (more, where a guard of the recipe measures in between)"
    if not found.undeterred:
        return f"nor does it pay to cheat in a single one of {parts}"
    where = "any" if found.undeterred == found.between else f"at most {found.undeterred}"
    least = "no bond is enough, for none of them is drawn"
    if found.least_for_one is not None:
        least = f"in a single one until the bond is {exact(found.least_for_one)}"
    return f"a cheat that keeps to {where} of {parts} may still pay, {least}"
