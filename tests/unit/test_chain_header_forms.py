"""Headers with fields of a fork to come, and who may show them."""

from __future__ import annotations

import pytest

from jepanet.chain.endpoints.answers import Header, Malformed
from jepanet.chain.endpoints.header_forms import HeaderForms
from jepanet.types import BlockRef

pytestmark = pytest.mark.unit


def header(number: int, *, proven: bool) -> Header:
    root = bytes(32) if proven else None
    return Header(BlockRef(number, number.to_bytes(32, "big"), number), bytes(32), 1, 1, receipts_root=root)


def test_since_a_fork_no_header_gives_its_hash() -> None:
    forms = HeaderForms()
    for number in range(5):
        forms.take(header(number, proven=True))
    for number in (5, 6, 5, 7):
        assert forms.take(header(number, proven=False)).ref.number == number
    forms.take(header(4, proven=True))  # a block before it still does
    assert forms.disproven() is None


def test_attack_a_field_of_ones_own_on_a_block_before_one_that_gives_its_hash() -> None:
    forms = HeaderForms()
    forms.take(header(9, proven=True))
    for number in (1, 9):
        with pytest.raises(Malformed, match="fields of its own"):
            forms.take(header(number, proven=False))


def test_attack_what_was_taken_on_trust_is_read_again_once_it_is_known_to_be_no_fork() -> None:
    forms = HeaderForms()
    forms.take(header(4, proven=True))
    for number in (6, 5, 7):
        forms.take(header(number, proven=False))
    assert forms.disproven() is None
    forms.take(header(7, proven=True))
    assert forms.disproven() == 5
    assert forms.disproven() is None, "told once"
    forms.take(header(8, proven=True))
    assert forms.disproven() is None
