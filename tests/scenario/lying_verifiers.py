"""A nursery whose coordinator does not do its audits, where a file beside its configuration says so: `skip`
signs no word, `copy` that of another account. Its aggregator and its own signature ask for nothing then. With
`inflate` both take a part of the verifiers' fee and pay it to a solver. Nothing of this is in the package.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

# Not there by itself where PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import nursery

_honestly = nursery._run


def _run(request: dict[str, Any]) -> None:
    if request["config"] != "None":
        flag = Path(request["config"]).parent.parent / "lies"
        if flag.exists():
            how = flag.read_text()
            (_inflate if how == "inflate" else _lie)(how)
    _honestly(request)


def _lie(how: str) -> None:
    from jepanet.protocol.settling.audit_words import audit_word
    from jepanet.roles import aggregator, coordinator
    from jepanet.roles.steps import scoring
    from jepanet.types import Address, Digest

    def word(finding: Digest, auditor: Address) -> Digest | None:
        return None if how == "skip" else audit_word(finding, Address("0x" + "11" * 20))

    scoring.audit_word = word  # type: ignore[assignment]
    aggregator.believed = lambda context, facts, documents, reports: list(reports)
    coordinator.check_words = lambda context, facts, documents, reports: None


INFLATED = 10**18
"""Wei that a forged sheet moves."""


def _inflate(_how: str) -> None:
    """A sheet in which root and sum agree with a row that does not follow from the scores."""
    from jepanet.protocol.commitment import merkle_root, result_leaf
    from jepanet.protocol.settling.reference import next_reference
    from jepanet.protocol.settling.rows import leaves_of
    from jepanet.roles import aggregator, coordinator
    from jepanet.types import Verdict

    honestly = aggregator.derive_sheet

    def forged(facts: Any, spec: Any, reports: Any, **rest: Any) -> Any:
        sheet = honestly(facts, spec, reports, **rest)
        best = max(sheet.rows, key=lambda row: (row.verdict is Verdict.ACCEPTED, row.gain))
        # Accepted, also where so small trainings did harm: the contract pays nothing to any other row.
        paid = replace(best, amount=best.amount + INFLATED, verdict=Verdict.ACCEPTED, reason="accepted")
        rows = tuple(paid if row is best else row for row in sheet.rows)
        fees = (replace(sheet.fees[0], amount=sheet.fees[0].amount - INFLATED), *sheet.fees[1:])
        leaves = leaves_of(rows, fees)
        return replace(
            sheet,
            rows=rows,
            fees=fees,
            root=merkle_root([result_leaf(facts.round_id, leaf) for leaf in leaves]),
            payout=sum(leaf.amount for leaf in leaves),
            reference=next_reference(rows, rest["norms"], spec.norms) if sheet.published else 0,
        )

    aggregator.derive_sheet = forged
    coordinator.check_sheet = lambda *_: None
    coordinator.hold_merge = lambda sheet, *_: sheet.improvement


nursery._run = _run

if __name__ == "__main__":
    nursery.main()
