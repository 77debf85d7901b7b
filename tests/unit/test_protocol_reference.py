"""Attacks on the reference norm: a majority moves it by what it is paid, and drawn-out steps by a quarter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import NormCaps, decode_spec, encode_spec
from jepanet.protocol.documents.spec_checks import check_methods
from jepanet.protocol.settling.reference import check_reference, next_reference
from jepanet.protocol.settling.rows import Row
from jepanet.protocol.settling.sheet import check_sheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.types import Verdict
from jepanet.work.methods import METHODS
from round_samples import GOOD, a_spec, account, digest, recover, reports_of, some_facts

pytestmark = pytest.mark.unit

FIRST, LATER = NormCaps(to_reference_milli=1000), NormCaps(to_reference_milli=1000, reference_nano=100)
NEW = digest("new model")


def rows(*paid: tuple[int, int], verdict: Any = Verdict.ACCEPTED) -> tuple[list[Row], dict[Any, int]]:
    """Rows of (norm, amount), and the norms."""
    made = [
        Row(account(f"{i}"), digest(f"{i}"), verdict, "accepted", 0, 0, amount)
        for i, (_, amount) in enumerate(paid)
    ]
    return made, {row.digest: size for row, (size, _) in zip(made, paid, strict=True)}


def test_it_is_the_length_below_which_half_of_the_pay_lies() -> None:
    assert next_reference(*rows((90, 10), (110, 10), (100, 10)), FIRST) == 100
    assert next_reference(*rows((90, 10), (110, 10)), FIRST) == 110
    assert next_reference(*rows((90, 10)), NormCaps()) == 0


def test_attack_a_majority_of_tiny_deltas_moves_nothing() -> None:
    honest = [(100, 50)] * 4
    assert next_reference(*rows(*[(2, 1)] * 40, *honest), LATER) == 100
    assert next_reference(*rows(*[(2, 0)] * 400, *honest), LATER) == 100


def test_attack_all_draw_out_their_steps_and_the_bound_follows_slowly() -> None:
    assert next_reference(*rows(*[(1000, 50)] * 4), LATER) == 125
    assert next_reference(*rows(*[(1000, 50)] * 4), FIRST) == 1000, "the first has none before it"


def test_attack_whoever_is_alone_in_a_round_with_tiny_steps_takes_no_length_from_the_next() -> None:
    """A reference that may rise by a quarter would take 31 rounds to come back from a thousandth."""
    assert next_reference(*rows((1, 5)), LATER) == 50
    assert next_reference(*rows((70, 5)), LATER) == 70, "honest lengths do fall from round to round"


def test_attack_rounds_in_which_nobody_is_paid_say_nothing_of_what_is_usual() -> None:
    assert next_reference(*rows(*[(1, 0)] * 9, (100, 0)), LATER) == 100
    assert next_reference(*rows(*[(1, 0)] * 9, (100, 0)), FIRST) == 0


def test_what_is_not_merged_does_not_count() -> None:
    made, norms = rows((100, 10), (900, 0), (900, 0))
    made[1:] = [replace(row, verdict=Verdict.SPARED) for row in made[1:]]
    assert next_reference(made, norms, FIRST) == 100


def test_a_sheet_carries_it_and_one_without_the_rule_does_not() -> None:
    facts, spec = some_facts(3), a_spec(norms=FIRST)
    norms = {item.digest: 70 + place for place, item in enumerate(facts.reveals)}
    sheet = derive_sheet(
        facts, spec, reports_of(facts, [[GOOD] * 3] * 3), model=NEW, improvement=30_000, norms=norms
    )
    assert sheet.reference == 71
    assert decode_sheet(encode_sheet(sheet)) == sheet
    check_sheet(sheet, facts, spec, recover)
    withheld = derive_sheet(
        facts, spec, reports_of(facts, [[GOOD] * 3] * 3), model=facts.base, improvement=0, norms=norms
    )
    assert withheld.reference == 0
    plain = derive_sheet(facts, a_spec(), reports_of(facts, [[GOOD] * 3] * 3), model=NEW, improvement=1)
    assert b"reference" not in encode_sheet(plain)
    with pytest.raises(Rejected):
        check_sheet(replace(plain, reference=5), facts, a_spec(), recover)


def test_attack_a_proposer_writes_another_reference() -> None:
    check_reference(a_spec(norms=LATER), 100)
    check_reference(a_spec(norms=FIRST), 0)
    check_reference(a_spec(), 100)
    for spec, due in ((a_spec(norms=LATER), 99), (a_spec(norms=LATER), 0), (a_spec(norms=FIRST), 100)):
        with pytest.raises(Rejected) as caught:
            check_reference(spec, due)
        assert caught.value.reason == "wrong-reference"


def test_documents_of_before_keep_their_bytes_and_a_bound_cuts_no_usual_length() -> None:
    assert b"reference" not in encode_spec(a_spec())
    spec = a_spec(norms=LATER)
    assert decode_spec(encode_spec(spec)) == spec
    check_methods(spec, METHODS)
    for norms in (NormCaps(to_reference_milli=999), NormCaps(reference_nano=5)):
        with pytest.raises(Rejected, match="reference"):
            check_methods(a_spec(norms=norms), METHODS)
