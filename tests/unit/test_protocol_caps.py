"""Attacks on the limit of one delta's pay: who saw the shard is held to it, and nobody to next to nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import ScoreReport
from jepanet.protocol.documents.spec import MergeRule, check_methods, encode_spec
from jepanet.protocol.settling.caps import pay_limit, usual_pay
from jepanet.protocol.settling.sheet import derive_sheet
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.types import Digest, Verdict
from jepanet.work.methods import METHODS
from round_samples import a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

CAPPED = a_spec(pay_to_median_milli=1500, merge=MergeRule(drop_sigmas_milli=1000), price=1)
NEW = digest("new model")


def paid(*gains: int, dropped: tuple[int, ...] = (), spec: object = CAPPED) -> list[int]:
    """Amounts by place of deltas with these gains."""
    facts: RoundFacts = some_facts(len(gains))
    names: list[Digest] = [item.digest for item in facts.reveals]
    reports: tuple[ScoreReport, ...] = reports_of(
        facts, [[(Verdict.ACCEPTED, "accepted", gain, 0) for gain in gains]] * 3
    )
    sheet = derive_sheet(
        facts,
        spec,
        reports,
        model=NEW,
        improvement=5,
        dropped=[names[place] for place in dropped],  # type: ignore[arg-type]
    )
    amounts = {row.digest: row.amount for row in sheet.rows}
    return [amounts[name] for name in names]


def test_attack_who_saw_the_shard_earns_half_as_much_again_as_is_usual() -> None:
    assert paid(80_000, 9_000, 10_000, 11_000, spec=a_spec(price=1)) == [80_000, 9_000, 10_000, 11_000]
    assert paid(80_000, 9_000, 10_000, 11_000) == [16_500, 9_000, 10_000, 11_000]
    assert paid(3_000_000, 9_000, 10_000, 11_000) == [16_500, 9_000, 10_000, 11_000]


def test_attack_deltas_that_earn_next_to_nothing_hold_nobody_to_it() -> None:
    """Identities are free: whatever their number, and whether they were merged or dropped."""
    honest = (9_000, 10_000, 11_000, 12_000)
    tiny = (400,) * 40
    assert paid(*honest, *tiny)[:4] == list(honest)
    assert paid(*honest, *tiny, dropped=tuple(range(4, 44)))[:4] == list(honest)
    assert paid(*honest, *[0] * 40)[:4] == list(honest)


def test_what_was_dropped_still_says_what_is_usual() -> None:
    """A leaked shard makes the work of others redundant: dropped, they hold it to theirs all the same."""
    assert paid(80_000, 9_000, 10_000, 11_000, dropped=(1, 2)) == [16_500, 0, 0, 11_000]


@pytest.mark.parametrize("gains", [(50_000,), (50_000, 5_000), (50_000, 0, 0, 0), (0, 0)])
def test_few_are_held_to_nothing(gains: tuple[int, ...]) -> None:
    assert paid(*gains) == list(gains)


def test_the_smaller_of_two_limits_holds() -> None:
    both = replace(CAPPED, pay_cap=9_500)
    assert paid(80_000, 9_000, 10_000, 11_000, spec=both) == [9_500, 9_000, 9_500, 9_500]
    assert paid(80_000, 9_000, 10_000, 11_000, spec=replace(CAPPED, pay_cap=90_000))[0] == 16_500
    assert pay_limit(a_spec(), []) is None and usual_pay([]) == 0


def test_documents_of_before_keep_their_bytes() -> None:
    assert b"pay_to_median" not in encode_spec(a_spec()) and b"variance_price" not in encode_spec(a_spec())
    check_methods(CAPPED, METHODS)
    with pytest.raises(Rejected, match="pay_to_median"):
        check_methods(a_spec(pay_to_median_milli=999), METHODS)
