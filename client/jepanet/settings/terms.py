"""Round terms from configuration: tokens as decimal text become wei, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path

from jepanet.addresses import checksum_address
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.protocol.documents.allow_list import MAX_LIST_BYTES, allow_list_of
from jepanet.protocol.documents.build import build_from
from jepanet.protocol.documents.fair_rules import check_fair
from jepanet.protocol.documents.scores import MAX_DELTAS
from jepanet.protocol.documents.spec import RoundSpec, encode_spec
from jepanet.protocol.documents.spec_checks import Methods, check_methods
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.protocol.settling.bond_rule import Deterrence, deterrence, lottery_of, most_paid
from jepanet.settings.config import ProposerSection
from jepanet.texts import read_text
from jepanet.tokens import exact
from jepanet.types import ZERO_DIGEST, Address, ProjectId

MAX_PHASE_SECONDS = 30 * 86400
"""`Admission.MAX_DURATION` of the contracts."""
_WEI = Decimal(10) ** 18
_AMOUNT = "write tokens as a decimal number, for example 12.5"
_HERE = "here"
_AUTO, _USUAL_BOND = "auto", 10 * 10**18
_DIGITS = 120
"""Enough that no amount below 2**120 wei is ever rounded; the default of 28 would lose digits silently."""


def round_terms(section: ProposerSection, methods: Methods) -> RoundTerms:
    """The `[proposer]` section in base units.

    `max_solvers` 0 becomes the most a score sheet holds: a round with more reveals could never be recorded.

    Raises:
        Fatal: an amount or address is malformed, or no round could be opened so (exit code `CONFIG`).
    """
    terms = RoundTerms(
        budget=wei(section.budget, "proposer.budget"),
        fee=wei(section.fee, "proposer.fee"),
        bond=_USUAL_BOND if section.bond == _AUTO else wei(section.bond, "proposer.bond"),
        unseal_bond=wei(section.unseal_bond, "proposer.unseal_bond"),
        price=wei(section.price, "proposer.price"),
        shrink_milli=section.shrink_milli,
        inner_steps=section.inner_steps,
        codec=section.codec,
        feedback_milli=section.feedback_milli,
        merge_rule=section.merge_rule,
        max_delta_bytes=section.max_delta_mb << 20,
        outer_lr_milli=section.outer_lr_milli,
        outer_momentum_milli=section.outer_momentum_milli,
        update_codec=section.update_codec,
        carry_milli=section.update_carry_milli,
        commit_seconds=section.commit_seconds,
        gap_seconds=section.gap_seconds,
        reveal_seconds=section.reveal_seconds,
        verify_seconds=section.verify_seconds,
        challenge_seconds=section.challenge_seconds,
        max_solvers=section.max_solvers or MAX_DELTAS,
        aggregators=section.aggregators,
        pay_cap=wei(section.pay_cap, "proposer.pay_cap") if section.pay_cap else None,
        allow_list=() if section.allow_list is None else listed_in(section.allow_list),
        drop_sigmas_milli=section.drop_sigmas_milli,
        to_reference_milli=section.to_reference_milli,
        pay_as_merged=section.pay_as_merged,
        pay_to_median_milli=section.pay_to_median_milli,
        usual_follows=section.usual_follows,
        variance_price_milli=section.variance_price_milli,
        evaluation_episodes=section.evaluation_episodes,
        evaluation_sigmas_milli=section.evaluation_sigmas_milli,
        committed_scores=section.committed_scores,
        audit_segments=section.audit_segments,
        audit_probability_milli=section.audit_probability_milli,
        audit_opened=section.audit_opened,
        audit_build={} if section.audit_build == _HERE else _named_build(section.audit_build),
        audit_mode=section.audit_mode,
    )
    _check(terms, methods)
    return _with_bond(terms, auto=section.bond == _AUTO)


def _named_build(text: str) -> dict[str, str]:
    try:
        return build_from(text)
    except Rejected as error:
        raise _bad(f"proposer.audit_build: {error.message}", error.remedy or 'write "here"') from error


def deterrence_of(terms: RoundTerms) -> Deterrence | None:
    """What the bond of these rounds is worth against what one delta can be paid; None where no solver is
    drawn for an audit. No recipe is known to terms: what its guard adds is not counted."""
    rule = terms.audit
    if rule is None or not rule.probability_milli:
        return None
    lottery = lottery_of(rule, terms.inner_steps, None)
    return deterrence(lottery, bond=terms.bond, most=most_paid(terms.budget, terms.pay_cap))


def _with_bond(terms: RoundTerms, *, auto: bool) -> RoundTerms:
    """The terms with a bond that deters. Raises: Fatal: the one that was written does not."""
    found = deterrence_of(terms)
    if found is None or found.deters:
        return terms
    assert found.least is not None, "somebody is drawn"
    if auto:
        return replace(terms, bond=found.least)
    raise _bad(
        f"proposer.bond: {exact(terms.bond)} tokens deter nobody in audited rounds: one delta can be paid "
        f"{exact(found.most)}, and with {terms.audit_probability_milli} thousandths of a chance to be "
        f"audited it takes {exact(found.least)}",
        'write bond = "auto", a smaller proposer.pay_cap or a larger proposer.audit_probability_milli',
    )


def _check(terms: RoundTerms, methods: Methods) -> None:
    """Refuses at start what contract and spec would refuse whenever a round is due."""
    for name in ("commit", "gap", "reveal", "verify", "challenge"):
        seconds = getattr(terms, f"{name}_seconds")
        if not 1 <= seconds <= MAX_PHASE_SECONDS:
            raise _bad(
                f"proposer.{name}_seconds: {seconds} is not from 1 to {MAX_PHASE_SECONDS}", "correct it"
            )
    if terms.max_solvers > MAX_DELTAS:
        raise _bad(
            f"proposer.max_solvers: {terms.max_solvers} are more than a score sheet holds ({MAX_DELTAS})",
            f"write at most {MAX_DELTAS}, or 0",
        )
    steps = max(1, terms.inner_steps)
    trial = RoundSpec(
        project=ProjectId(1),
        base=ZERO_DIGEST,
        recipe=ZERO_DIGEST,
        dataset=ZERO_DIGEST,
        inner_steps=steps,
        start_step=0,
        total_steps=steps,
        codec=terms.codec,
        feedback_milli=terms.feedback_milli,
        max_delta_bytes=terms.max_delta_bytes,
        price=terms.price,
        shrink_milli=terms.shrink_milli,
        merge=terms.merge,
        aggregators=terms.aggregators,
        update=terms.update,
        audit=terms.audit,
        pay_cap=terms.pay_cap,
        pay_as_merged=terms.pay_as_merged,
        pay_to_median_milli=terms.pay_to_median_milli,
        usual_follows=terms.usual_follows,
        variance_price_milli=terms.variance_price_milli,
        evaluation_episodes=terms.evaluation_episodes,
    )
    try:
        encode_spec(trial)
        check_methods(trial, methods)
        check_fair(trial)
    except Rejected as error:
        raise _bad(
            f"[proposer] makes a round spec that everybody refuses: {error.message}", "correct that key"
        ) from error


def listed_in(path: Path) -> tuple[Address, ...]:
    """The accounts of a file that `proposer.allow_list` names, each once, ascending.

    Raises:
        Fatal: it is missing, holds no address or too many, or a line is none (exit code `CONFIG`).
    """
    text = read_text(path, "allow-list", max_bytes=MAX_LIST_BYTES, absent="correct proposer.allow_list")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            found.append(checksum_address(word))
        except ValueError as error:
            raise _bad(f"{path}, line {number}: {error}", "write one address a line") from error
    try:
        return allow_list_of(found).accounts
    except Rejected as error:
        raise _bad(f"{path}: {error.message}", "list 1 to 65,536 addresses, one a line") from error


def wei(text: str, key: str, code: Exit = Exit.CONFIG) -> int:
    """A decimal number of tokens as wei. `key`: what it is called where it was written.

    Raises:
        Fatal: not a number, negative, too large, or finer than one wei (with `code`).
    """
    try:
        with localcontext(prec=_DIGITS):
            amount = Decimal(text) * _WEI
    except ArithmeticError as error:
        raise _bad(f"{key}: {text[:60]!r} is not a number of tokens", _AMOUNT, code) from error
    if not amount.is_finite() or amount < 0 or amount != amount.to_integral_value() or amount >= 1 << 120:
        raise _bad(f"{key}: {text[:60]!r} is negative, too large or finer than 18 decimals", _AMOUNT, code)
    return int(amount)


def amount(text: str, name: str) -> int:
    """A number of tokens on a command line as wei. Raises: Fatal as `wei` (exit code `USAGE`)."""
    return wei(text, name, Exit.USAGE)


def accounts(texts: Sequence[str]) -> list[Address]:
    """Addresses from a command line, in EIP-55 form.

    Raises:
        Fatal: one is malformed or has a wrong checksum (exit code `USAGE`).
    """
    try:
        return [checksum_address(text) for text in texts]
    except ValueError as error:
        raise Fatal(
            str(error), remedy="copy the address again from where it comes from", code=Exit.USAGE
        ) from error


def _bad(message: str, remedy: str, code: Exit = Exit.CONFIG) -> Fatal:
    return Fatal(message, remedy=remedy, code=code)
