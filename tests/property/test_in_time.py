"""Whatever a minority lists, and whichever reports a sheet has: whoever was in time keeps its fee."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepanet.protocol.documents.openings import HeardCommitment, Opening
from jepanet.protocol.documents.score_commitments import commitment_of, in_order
from jepanet.protocol.settling.in_time import in_time
from round_samples import CHAIN, CONTRACT, GOOD, report_of, some_facts

pytestmark = pytest.mark.property


@settings(max_examples=60, deadline=None)
@given(st.sampled_from((2, 3, 5, 7)), st.data())
def test_a_minority_takes_no_fee_and_a_majority_that_reports_unmasks_copiers(
    size: int, data: st.DataObject
) -> None:
    facts = some_facts(1, size)
    liars = set(data.draw(st.permutations(facts.members))[: (size - 1) // 2])
    copiers = {who for who in liars if data.draw(st.booleans())}
    plain = {who: report_of(facts, who, [GOOD]) for who in facts.members}
    words = {who: commitment_of(item, bytes(32), CHAIN, CONTRACT) for who, item in plain.items()}
    reports = []
    for who, item in plain.items():
        others = set(facts.members) - {who}
        listed = {o for o in others if data.draw(st.booleans())} if who in liars else others - copiers
        heard = in_order([HeardCommitment(o, words[o], bytes(65)) for o in listed])
        reports.append(replace(item, opening=Opening(bytes(32), heard, bytes(65))))
    picked = [item for item in reports if data.draw(st.booleans())]
    inside = {item.coordinator for item in picked}
    early = in_time(picked, size, CHAIN, CONTRACT)
    assert inside - liars <= early
    if 2 * len(inside - liars) > size:
        assert not early & copiers
