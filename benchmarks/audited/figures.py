"""What whole runs with audits come to, beside what is computed of one round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from audit_economics import TARGET, Attack, as_measured, read_attacks
from audit_economics import Terms as Computed

from audited.cheats import CHEATS, HONEST, SOLVERS, Cheat
from audited.lottery import Hand, Left, Terms, drawn_often
from jepanet.learning.presets import preset
from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.settling.bond_rule import Lottery

RULE = AuditRule(segments=32, probability_milli=250, opened=1)
Row = dict[str, Any]
"""A run as it is kept."""


@dataclass(frozen=True)
class Played:
    """By one lottery, with what was caught left out of the rounds; in the same."""

    caught: int
    left: float
    same: float
    """By the same lottery, over what was paid as if nobody had been drawn."""
    error: float
    """Of its model, over that of the honest run."""


@dataclass(frozen=True)
class Figures:
    """Of one run, in an honest seat's pay of the honest run for each honest training; in that alone where
    nothing is trained."""

    trained: float
    without: float
    """Without audits."""
    audited: Left
    needed: float
    """Bond at which the target is met, in that of the rule: 0 where no bond is needed."""
    hidden: float | None
    """Kept to one segment between; None where it is saved work."""
    others: float
    """What each honest seat is paid beside it, without audits."""
    played: Played | None


def terms_of(honest: Row) -> Terms:
    """R is the largest pay of an honest delta in the honest run, the same in all rounds."""
    most = max(amount for it in honest["unseen"] for amount in it["pay"])
    return Terms.of(RULE, preset(honest["recipe"]).inner_steps, most)


def figures(cheat: Cheat, attack: Attack, row: Row, honest: Row, lotteries: int) -> Figures:
    terms, many = terms_of(honest), row["identities"]
    trained = row["trained"] if cheat.trained is None else cheat.trained
    due = float(np.sum([it["pay"] for it in honest["unseen"]])) / SOLVERS
    unit = due * (many if cheat.each else 1)
    per, paid = unit * (trained or 1), [it["pay"][:many] for it in row["unseen"]]
    left = drawn_often(terms, paid, cheat.clean, cheat.where, lotteries)
    hidden = None
    if attack.aside:
        kept = drawn_often(terms, paid, cheat.clean, cheat.where, lotteries, kept_to_one=True)
        hidden = kept.mean / unit / attack.aside
    whole = left.mean + left.bonds * terms.bond
    beside = [amount for it in row["unseen"] for amount in it["pay"][many:]]
    played = None
    if drawn := row.get("drawn"):
        hand, again = Hand(terms, drawn["lottery"]), [it["pay"][:many] for it in drawn["rounds"]]
        played = Played(
            caught=sum(len(it) for it in drawn["caught"]),
            left=hand.left(again, cheat.clean, cheat.where)[0] / per,
            same=hand.left(paid, cheat.clean, cheat.where)[0] / per,
            error=drawn["model"]["nmse"] / honest["model"]["nmse"],
        )
    return Figures(
        trained=trained,
        without=float(np.sum(paid)) / per,
        audited=Left(left.mean / per, left.error / per, left.untouched, left.bonds),
        needed=max(0.0, whole - TARGET * unit * trained) / (left.bonds * terms.bond),
        hidden=hidden,
        others=sum(beside) / due / (len(beside) / len(paid)) if beside else 0.0,
        played=played,
    )


def tables(rows: Sequence[Row], lotteries: int) -> str:
    """Of all runs what lotteries leave, then of those that were played on; means over seeds."""
    drawn = [
        "| run | seeds | trainings | no audits | audited | computed | of the bond | nobody caught "
        "| in one segment | others |",
        "|---|" + "---:|" * 9,
    ]
    played = ["| run | seeds | caught | left | by the same lottery alone | error |", "|---|" + "---:|" * 5]
    known = {it.name: it for it in read_attacks()}
    usual = Computed.of("rule", Lottery(RULE.probability_milli, RULE.opened, RULE.segments), 2.0)
    honest = {row["seed"]: row for row in rows if row["run"] == HONEST}
    for cheat in CHEATS:
        those = [row for row in rows if row["run"] == cheat.name and row["seed"] in honest and cheat.row]
        if not those:
            continue
        attack = known[cheat.row]
        found = [figures(cheat, attack, row, honest[row["seed"]], lotteries) for row in those]
        computed = as_measured(attack, usual)
        error = 2 * float(np.mean([it.audited.error for it in found])) / len(found) ** 0.5
        cells = [
            str(len(found)), _mean([it.trained for it in found]), _mean([it.without for it in found]),
            f"**{_mean([it.audited.mean for it in found])}** ± {error:.2f}",
            _mean([computed.earned if computed.rate is None else computed.rate]),
            _mean([it.needed for it in found]), _mean([it.audited.untouched for it in found]),
            _mean([it.hidden for it in found if it.hidden is not None]), _mean([it.others for it in found]),
        ]  # fmt: skip
        drawn.append(f"| {cheat.name} | {' | '.join(cells)} |")
        if again := [it.played for it in found if it.played]:
            told = [
                str(len(again)), str(sum(it.caught for it in again)), _mean([it.left for it in again]),
                _mean([it.same for it in again]), _mean([it.error for it in again]),
            ]  # fmt: skip
            played.append(f"| {cheat.name} | {' | '.join(told)} |")
    return "\n".join([*drawn, "", *played])


def bond_told(rows: Sequence[Row]) -> str:
    """What R and the bond are, in an honest seat's mean pay of a round; and what the first seat, in whose
    place cheats stand, is paid for honest work, in the mean seat's."""
    told: list[str] = []
    for row in rows:
        if row["run"] == HONEST:
            terms, paid = terms_of(row), np.sum([it["pay"] for it in row["unseen"]], axis=0)
            due, first = paid.mean() / row["rounds"], paid[0] / paid.mean()
            told.append(
                f"seed {row['seed']}: R {terms.most / due:.2f}, bond {terms.bond / due:.2f} of an honest "
                f"seat's mean pay of a round; the first seat earns {first:.2f} of the mean"
            )
    return "\n".join(told)


def _mean(values: Sequence[float]) -> str:
    return f"{float(np.mean(values)):.2f}".replace("-", "−") if values else "–"
