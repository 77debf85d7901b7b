"""Verifiers sign one sheet, whatever was sent to whom: after each other, and in turn where nobody has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from protocol_facts import (
    AGGREGATOR,
    REVEAL_END,
    ROUND,
    VERIFIERS,
    VERIFY_END,
    ask,
    block,
    digest,
    node,
    play,
    recorded,
    result,
    verify_phase,
)

from jepanet.protocol import duties, facts
from jepanet.protocol.due.table import round_duties
from jepanet.protocol.duties import Duty
from jepanet.protocol.state import NodeState
from jepanet.types import Address, Digest, Role

pytestmark = pytest.mark.unit

C0, C1, C2 = VERIFIERS
MORE = tuple(Address(f"0x{n:040x}") for n in range(14, 16))
TURN = (VERIFY_END - REVEAL_END) // 24
WAIT = (VERIFY_END - REVEAL_END) // 4
BEGIN = REVEAL_END + 10


def verifier(who: Address, sheet: str | None, *, checked: bool = True) -> NodeState:
    """Heard that sheet of the aggregator first, and came to it by itself at BEGIN."""
    state, _ = play(
        node(who, Role.COORDINATOR), *verify_phase(), facts.LocalScored(ROUND, digest("s")), block(BEGIN)
    )
    if sheet is not None:
        state, _ = play(state, facts.PeerSheet(ROUND, AGGREGATOR, digest(sheet)))
    if sheet is not None and checked:
        state, _ = play(state, facts.LocalSheetChecked(ROUND, digest(sheet), 5))
    return state


def signs(asked: Sequence[Duty]) -> list[tuple[Digest, Address]]:
    return [(item.sheet, item.after) for item in asked if isinstance(item, duties.SignSheet)]


class Verifiers:
    """Nodes that do what they are asked at once, and hear each other; a second passes at a time."""

    def __init__(self, states: dict[Address, NodeState]) -> None:
        self.states, self.signed = states, dict[Address, Digest]()
        self.slow: set[tuple[Address, Digest]] = set()
        """Who never comes to which sheet by itself."""

    def tell(self, who: Address, *told: facts.Fact) -> None:
        self.states[who], asked = play(self.states[who], *told)
        for duty in asked:
            if isinstance(duty, duties.CheckSheet) and (who, duty.sheet) not in self.slow:
                self.tell(who, facts.LocalSheetChecked(ROUND, duty.sheet, 5))
            if isinstance(duty, duties.SignSheet) and who not in self.signed:
                self.signed[who] = duty.sheet
                self.tell(who, facts.LocalResultSigned(ROUND, duty.sheet, 5, b"signed"))
                for other in self.states:
                    if other != who:
                        self.tell(other, facts.PeerResult(ROUND, who, duty.sheet, 5, b"signed"))

    def until(self, end: int, order: Sequence[Address]) -> None:
        for now in range(BEGIN, end):
            for who in order:
                self.tell(who, block(now))


@pytest.mark.parametrize("order", list(permutations(VERIFIERS)))
def test_attack_an_aggregator_that_sends_each_another_sheet_splits_nobody(
    order: tuple[Address, ...],
) -> None:
    """Equal rows, root and model, another gain on each: all three would be signed, and none by two. The round
    then expired, with the deltas public and nobody paid."""
    three = {who: verifier(who, f"for {who}", checked=False) for who in VERIFIERS}
    for who, state in three.items():
        three[who], _ = play(state, facts.LocalSheetChecked(ROUND, digest(f"for {who}"), 5))
    network = Verifiers(three)
    network.until(BEGIN + 3 * TURN, order)
    assert len(network.signed) == 3 and len(set(network.signed.values())) == 1


def test_two_that_signed_apart_at_one_moment_are_followed_by_the_third_who_was_away() -> None:
    """Killed, and started again: it signs after either, as soon as it has come to that sheet itself."""
    for first, other in permutations((("one", C0), ("other", C1))):
        state, asked = play(verifier(C2, None), result(C0, "one"), result(C1, "other"))
        checks = {item.sheet for item in asked if isinstance(item, duties.CheckSheet)}
        assert checks == {digest("one"), digest("other")}
        (name, signer), (left, _) = first, other
        state, asked = play(state, facts.LocalSheetChecked(ROUND, digest(name), 5))
        assert signs(asked) == [(digest(name), signer)]
        state, _ = play(state, facts.LocalResultSigned(ROUND, digest(name), 5, b"mine"))
        assert signs(ask(state, facts.LocalSheetChecked(ROUND, digest(left), 5))) == []
        assert state.own[ROUND].result is not None and state.own[ROUND].result.sheet == digest(name)


def test_the_sheet_of_most_comes_first_then_that_of_the_first_in_the_set() -> None:
    state, _ = play(verifier(C2, None), result(C1, "other"), result(C0, "one"))
    state, _ = play(state, *(facts.LocalSheetChecked(ROUND, digest(name), 5) for name in ("other", "one")))
    assert signs(due(state)) == [(digest("one"), C0), (digest("other"), C1)]
    crowd = node(C2, Role.COORDINATOR)
    five = [replace(item, members=(*VERIFIERS, *MORE), threshold=3)
            if isinstance(item, facts.ChainVerifierSetCreated) else item
            for item in verify_phase()]  # fmt: skip
    state, _ = play(crowd, *five, facts.LocalScored(ROUND, digest("s")), block(BEGIN))
    told = (result(C0, "one"), result(C1, "other"), result(MORE[0], "other"))
    state, _ = play(state, *told)
    state, _ = play(state, *(facts.LocalSheetChecked(ROUND, digest(name), 5) for name in ("one", "other")))
    assert [after for _, after in signs(due(state))] == [C1, MORE[0], C0]


def due(state: NodeState) -> list[Duty]:
    """In the order in which they are begun: the first that can be done signs."""
    return list(round_duties(state, state.rounds[ROUND]))


def test_alone_they_sign_in_turn() -> None:
    for place, who in enumerate(VERIFIERS):
        state = verifier(who, "sheet")
        mine = (digest("sheet"), who)
        if place == 0:
            assert signs(due(state)) == [mine]
            continue
        assert signs(ask(state, block(BEGIN + place * TURN - 1))) == []
        assert signs(ask(state, block(BEGIN + place * TURN))) == [mine]


def test_after_the_signature_of_another_nobody_waits_for_a_turn() -> None:
    assert signs(ask(verifier(C2, "sheet"), result(C1, "sheet"))) == [(digest("sheet"), C1)]


def test_what_another_signed_is_checked_before_an_own_choice_is_signed() -> None:
    """As long as it takes to check it, a quarter of VERIFY at most: nobody stops others by naming nothing."""
    state = verifier(C1, "mine")
    state, asked = play(state, result(C0, "other"), block(BEGIN + TURN))
    assert duties.CheckSheet(ROUND, digest("other")) in asked and signs(asked) == []
    both = ask(state, facts.LocalSheetChecked(ROUND, digest("other"), 5))
    assert signs(both) == [(digest("other"), C0), (digest("mine"), C1)], "the first that can be done signs"
    assert signs(ask(state, block(BEGIN + WAIT + TURN - 1))) == []
    assert signs(ask(state, block(BEGIN + WAIT + TURN))) == [(digest("mine"), C1)]
    refused = facts.LocalDutyFailed(ROUND, "CheckSheet", "wrong-model", digest("other"))
    assert signs(ask(state, refused)) == [(digest("mine"), C1)]


def test_attack_who_was_heard_with_two_results_leads_nobody() -> None:
    state = verifier(C1, "mine")
    state, _ = play(state, result(C0, "mine"), result(C0, "other"))
    fresh, asked = play(verifier(C1, "mine"), result(C0, "other"), result(C0, "third"), block(BEGIN + TURN))
    assert signs(asked) == [(digest("mine"), C1)]
    assert fresh.own[ROUND].result is None


def test_late_in_verify_all_have_had_their_turn_before_it_ends() -> None:
    for who in VERIFIERS:
        late, _ = play(verifier(who, "sheet", checked=False), block(VERIFY_END - 5))
        assert signs(ask(late, facts.LocalSheetChecked(ROUND, digest("sheet"), 5))) == [
            (digest("sheet"), who)
        ]


def test_nothing_is_signed_once_verify_is_over() -> None:
    state = verifier(C1, "sheet")
    assert signs(ask(state, block(VERIFY_END))) == []
    assert signs(ask(state, recorded(), result(C0, "sheet"))) == []


def test_nothing_is_signed_after_the_own_result() -> None:
    state, _ = play(verifier(C0, "sheet"), facts.LocalResultSigned(ROUND, digest("sheet"), 5, b"mine"))
    assert signs(ask(state, result(C1, "other"), block(VERIFY_END - 1))) == []
