"""Amounts: decimal text becomes wei exactly, or the mistake is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jepanet.chain.sending.fees import FeePolicy
from jepanet.errors import Exit, Fatal
from jepanet.protocol.documents.scores import MAX_DELTAS
from jepanet.protocol.documents.spec import TRACE, UpdateRule
from jepanet.settings.config import ChainSection, ProposerSection
from jepanet.settings.fees import fee_policy
from jepanet.settings.terms import listed_in, round_terms, wei
from jepanet.types import Address
from jepanet.work.methods import METHODS

pytestmark = pytest.mark.unit

AGGREGATOR = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0), ("1", 10**18), ("12.5", 125 * 10**17), ("0.000000000000000001", 1), (".5", 5 * 10**17),
        ("1e3", 10**21), ("0.1", 10**17), ("123456789.123456789123456789", 123456789123456789123456789),
        ("340282366920938463.463374607431768211", 340282366920938463463374607431768211),
        ("1329227995784915872.903807060280344575", 2**120 - 1),
    ],
)  # fmt: skip
def test_tokens_become_wei_exactly(text: str, amount: int) -> None:
    assert wei(text, "proposer.budget") == amount


def test_digits_beyond_wei_are_refused_however_many_there_are() -> None:
    for decimals in (19, 28, 40, 100):
        with pytest.raises(Fatal):
            wei("1." + "0" * (decimals - 1) + "1", "proposer.budget")


@pytest.mark.parametrize(
    "text",
    ["", "ten", "1,5", "0x10", "-1", "-0.1", "nan", "inf", "-inf", "sNaN", "1e-19", "1e19",
     "1329227995784915872.903807060280344576",
     "1e999999",
     "1e-999999", "0.0000000000000000001", "1 000"],
)  # fmt: skip
def test_what_is_no_amount_is_named_with_its_key(text: str) -> None:
    with pytest.raises(Fatal) as caught:
        wei(text, "proposer.budget")
    assert caught.value.code is Exit.CONFIG
    assert "proposer.budget" in caught.value.message
    assert caught.value.remedy


def test_the_section_becomes_terms_in_base_units() -> None:
    section = ProposerSection(
        rounds=3, budget="100", fee="2.5", price="0.0005", max_delta_mb=2,
        aggregators=(AGGREGATOR,),
    )  # fmt: skip
    terms = round_terms(section, METHODS)
    assert terms.budget == 100 * 10**18
    assert terms.fee == 25 * 10**17
    assert terms.price == 5 * 10**14
    assert terms.max_delta_bytes == 2 << 20
    assert terms.aggregators == (AGGREGATOR,)


def test_the_update_s_codec_becomes_a_rule_of_the_spec() -> None:
    assert round_terms(ProposerSection(), METHODS).update == UpdateRule("int8", 1000)
    assert round_terms(ProposerSection(update_codec=""), METHODS).update is None
    terms = round_terms(ProposerSection(update_codec="int6", update_carry_milli=950), METHODS)
    assert terms.update == UpdateRule("int6", 950)


def test_the_share_of_the_residual_becomes_one_of_the_spec() -> None:
    assert round_terms(ProposerSection(), METHODS).feedback_milli == 1000
    assert round_terms(ProposerSection(feedback_milli=950), METHODS).feedback_milli == 950


FIRST, SECOND = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def test_a_file_of_addresses_says_who_may_commit(tmp_path: Path) -> None:
    assert round_terms(ProposerSection(), METHODS).allow_list == ()
    path = tmp_path / "solvers.txt"
    path.write_text(f"# ours\n{FIRST}\n\n  {SECOND}  # a friend\n{FIRST.lower()}\n")
    assert round_terms(ProposerSection(allow_list=path), METHODS).allow_list == (SECOND, FIRST)


AUDITED: dict[str, Any] = {"audit_segments": 16}


def test_the_bond_is_ten_tokens_and_in_audited_rounds_what_deters() -> None:
    assert round_terms(ProposerSection(), METHODS).bond == 10 * 10**18
    assert round_terms(ProposerSection(bond="7.5"), METHODS).bond == 75 * 10**17
    # Three times what one delta can be paid, where one of four is audited.
    assert round_terms(ProposerSection(**AUDITED), METHODS).bond == 300 * 10**18
    assert round_terms(ProposerSection(**AUDITED, pay_cap="20"), METHODS).bond == 60 * 10**18
    assert round_terms(ProposerSection(**AUDITED, pay_cap="2"), METHODS).bond == 10 * 10**18
    often = ProposerSection(**AUDITED, audit_probability_milli=500)
    assert round_terms(often, METHODS).bond == 100 * 10**18
    never = ProposerSection(**AUDITED, audit_probability_milli=0)  # states, and no verifier looks at them
    assert round_terms(never, METHODS).bond == 10 * 10**18
    assert round_terms(ProposerSection(audit_probability_milli=1), METHODS).bond == 10 * 10**18


def test_attack_no_round_opens_in_which_altering_a_delta_pays() -> None:
    section = ProposerSection(**AUDITED, pay_cap="20", bond="60")
    assert round_terms(section, METHODS).bond == 60 * 10**18
    for less in (
        replace(section, bond="59.999999999"),
        replace(section, pay_cap="20.000000001"),
        replace(section, pay_cap=""),
        replace(section, audit_probability_milli=249),
    ):
        with pytest.raises(Fatal, match="deter nobody") as caught:
            round_terms(less, METHODS)
        assert caught.value.code is Exit.CONFIG and "pay_cap" in str(caught.value.remedy)


def test_a_build_is_that_of_this_machine_or_one_that_is_written_down() -> None:
    terms = round_terms(ProposerSection(**AUDITED), METHODS)
    assert terms.audit_build == {} and terms.audit is not None and terms.audit.trace == TRACE
    written = ProposerSection(**AUDITED, audit_build="torch=2.13.0+cpu, cpu=AVX2")
    assert round_terms(written, METHODS).audit_build == {"torch": "2.13.0+cpu", "cpu": "AVX2"}
    for wrong in ("", "there", "torch=2, torch=3", "Torch=2", "torch=" + "2" * 65):
        with pytest.raises(Fatal) as caught:
            round_terms(replace(written, audit_build=wrong), METHODS)
        assert caught.value.code is Exit.CONFIG


def test_the_cap_on_pay_becomes_one_of_the_spec() -> None:
    assert round_terms(ProposerSection(), METHODS).pay_cap is None
    assert round_terms(ProposerSection(pay_cap="2.5"), METHODS).pay_cap == 25 * 10**17
    for wrong in ("0", "-1", "much"):
        with pytest.raises(Fatal, match="pay_cap"):
            round_terms(ProposerSection(pay_cap=wrong), METHODS)


@pytest.mark.parametrize("content", ["", "# nobody", "0x12", f"{FIRST} {SECOND}", FIRST.lower() + "00"])
def test_a_file_that_lists_nobody_or_nonsense_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "solvers.txt"
    path.write_text(content)
    with pytest.raises(Fatal) as caught:
        listed_in(path)
    assert caught.value.code is Exit.CONFIG and caught.value.remedy
    with pytest.raises(Fatal, match=r"no allow-list") as caught:
        listed_in(tmp_path / "none.txt")
    assert caught.value.code is Exit.CONFIG


AMOUNTS = {"budget", "fee", "bond", "unseal_bond", "price"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"budget": "much"}, "proposer.budget"),
        ({"fee": "-1"}, "proposer.fee"),
        ({"bond": ""}, "proposer.bond"),
        ({"unseal_bond": "nan"}, "proposer.unseal_bond"),
        ({"price": "1e-30"}, "proposer.price"),
        ({"aggregators": (AGGREGATOR,) * 2}, "aggregator"),
        ({"gap_seconds": 0}, "proposer.gap_seconds"),
        ({"challenge_seconds": 0}, "proposer.challenge_seconds"),
        ({"verify_seconds": 30 * 86400 + 1}, "proposer.verify_seconds"),
        ({"codec": "zip"}, "codec"),
        ({"merge_rule": "sum"}, "rule"),
        ({"update_codec": "zip"}, "update.codec"),
        ({"outer_lr_milli": 0}, "outer_lr_milli"),
        ({"outer_momentum_milli": 1000}, "outer_momentum_milli"),
        ({"shrink_milli": 100_001}, "shrink_milli"),
        ({"feedback_milli": 1001}, "feedback_milli"),
        ({"inner_steps": 10_000_001}, "inner_steps"),
        ({"max_delta_mb": 1 << 20}, "max_delta_bytes"),
        ({"max_solvers": MAX_DELTAS + 1}, "proposer.max_solvers"),
    ],
)
def test_a_bad_term_names_its_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(Fatal) as caught:
        round_terms(ProposerSection(dataset=Path("data"), **change), METHODS)
    assert caught.value.code is Exit.CONFIG
    assert key in caught.value.message
    assert caught.value.remedy
    assert ("decimal number" in caught.value.remedy) == (key.split(".")[-1] in AMOUNTS)


def test_attack_no_round_takes_more_solvers_than_a_sheet_holds() -> None:
    """One more, revealed, and nothing could be recorded: bonds return, everybody's work is lost."""
    assert round_terms(ProposerSection(max_solvers=0), METHODS).max_solvers == MAX_DELTAS
    assert round_terms(ProposerSection(max_solvers=MAX_DELTAS), METHODS).max_solvers == MAX_DELTAS
    assert round_terms(ProposerSection(max_solvers=3), METHODS).max_solvers == 3


@pytest.mark.parametrize("cap", [1e-12, 0.01, 1.0, 5.0, 200.0, 1e300])
def test_any_fee_cap_makes_a_policy(cap: float) -> None:
    section = ChainSection(endpoints=("http://a:1",), deployment=Path("d"), max_fee_gwei=cap)
    policy = fee_policy(section)
    assert policy.max_tip <= policy.max_fee
    assert policy.max_fee == max(1, int(min(cap, 1e9) * 10**9))
    assert fee_policy(replace(section, max_fee_gwei=200.0)).max_tip == FeePolicy().max_tip


@pytest.mark.parametrize(
    ("keys", "tips"),
    [
        ({}, (1, 50)),
        ({"max_tip_gwei": 3.0}, (1, 3)),
        ({"min_tip_gwei": 30.0}, (30, 50)),
        ({"min_tip_gwei": 60.0}, (60, 60)),
        ({"min_tip_gwei": 25.0, "max_tip_gwei": 30.0}, (25, 30)),
        ({"max_fee_gwei": 20.0}, (1, 20)),
    ],
)
def test_tips_are_bounded_as_configured(keys: dict[str, float], tips: tuple[int, int]) -> None:
    policy = fee_policy(ChainSection(endpoints=("http://a:1",), deployment=Path("d"), **keys))
    least = 1 if tips[0] == 1 else tips[0] * 10**9
    assert (policy.min_tip, policy.max_tip) == (least, tips[1] * 10**9)
