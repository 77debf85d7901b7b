"""The journal's codec: everything survives it, and what it would not have written is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, get_args

import pytest
from protocol_facts import (
    PROPOSER,
    SOLVER,
    VERIFIERS,
    block,
    committed,
    digest,
    node,
    play,
    recorded,
    result,
    settled,
    verify_phase,
)

from jepanet.errors import Exit, Fatal
from jepanet.protocol import duties, facts, journal_codec
from jepanet.protocol.state import Identity, NodeState
from jepanet.tensors import canonical_json
from jepanet.types import BlockRef, CancelCause, ClaimKind, Digest, ProjectId, Role, RoundId, SlashCause

pytestmark = pytest.mark.unit

SAMPLES: dict[str, Any] = {
    "int": 2**255 + 1,
    "str": "text with ünïcode",
    "bytes": b"\x00\xff",
    "bool": True,
    "Annotated[bool, LeftOut()]": True,
    "Digest": Digest(bytes(range(32))),
    "Annotated[Digest | None, LeftOut()]": Digest(bytes(range(1, 33))),
    "Address": SOLVER,
    "ProjectId": ProjectId(2**53),
    "RoundId": RoundId(2**53 - 1),
    "CancelCause": CancelCause.OVERTURNED,
    "SlashCause": SlashCause.NOT_UNSEALED,
    "ClaimKind": ClaimKind.UNSEAL_SHARE,
    "BlockRef": BlockRef(12, b"\x01" * 32, 1_700_000_000),
    "RoundParams": facts.RoundParams(
        ProjectId(1), digest("s"), 2**127, 0, 1, 1, 1, 1, 1, 1, 1, 0, bytes(32), bytes(32)
    ),
    "tuple[Address, ...]": VERIFIERS,
}


def sample(kind: type) -> Any:
    return kind(**{item.name: SAMPLES[str(item.type)] for item in fields(kind)})


@pytest.mark.parametrize("kind", get_args(facts.Fact), ids=lambda kind: kind.__name__)
def test_every_fact_survives(kind: type) -> None:
    fact = sample(kind)
    tag, text = journal_codec.encode_fact(fact)
    assert tag == kind.__name__ and journal_codec.decode_fact(tag, text) == fact
    assert canonical_json(json.loads(text)).decode() == text


@pytest.mark.parametrize("kind", get_args(duties.Duty), ids=lambda kind: kind.__name__)
def test_every_duty_survives(kind: type) -> None:
    duty = sample(kind)
    tag, text = journal_codec.encode_duty(duty)
    assert tag == kind.__name__ and journal_codec.decode_duty(tag, text) == duty


@pytest.mark.parametrize("kind", get_args(duties.Duty), ids=lambda kind: kind.__name__)
def test_duty_keys_name_every_field(kind: type) -> None:
    duty = sample(kind)
    key = duties.duty_key(duty)
    assert key.split("/")[0] == kind.__name__ and len(key.split("/")) == 1 + len(fields(kind))
    expected = None if kind is duties.OpenRound else duty.round_id
    assert duties.duty_round(duty) == expected


def busy_state() -> NodeState:
    state, _ = play(
        node(PROPOSER, *Role, rounds=9),
        *verify_phase(),
        facts.LocalScored(RoundId(7), digest("scores")),
        result(VERIFIERS[0]),
        facts.PeerSheet(RoundId(7), VERIFIERS[0], digest("sheet")),
        facts.LocalDutyFailed(RoundId(7), "TrainShard", "no-provider"),
        recorded(),
        settled(),
        block(1600),
    )
    return state


def test_a_snapshot_is_the_state_without_its_owner() -> None:
    state = busy_state()
    data = journal_codec.encode_state(state)
    assert journal_codec.decode_state(data, state.me) == state
    assert "me" not in json.loads(data)
    stranger = Identity(SOLVER, frozenset({Role.SOLVER}))
    assert journal_codec.decode_state(data, stranger).me == stranger


def test_equal_states_make_equal_snapshots() -> None:
    state = busy_state()
    turned = journal_codec.decode_state(journal_codec.encode_state(state), state.me)
    assert journal_codec.encode_state(turned) == journal_codec.encode_state(state)


def _refused(call: Any, *arguments: Any) -> None:
    with pytest.raises(Fatal) as caught:
        call(*arguments)
    assert caught.value.code is Exit.INCOMPATIBLE and caught.value.remedy


@pytest.mark.parametrize(
    "payload",
    [
        '{"repeat":0}',
        '{"extra":1,"repeat":0,"round_id":7}',
        '{"repeat":0.5,"round_id":7}',
        '{"repeat":true,"round_id":7}',
        '{"repeat":"0","round_id":7}',
        '{"repeat":0,"round_id":"7"}',
        '{"repeat":0,"round_id":"1_000"}',
        '{"repeat":0,"round_id":" 9007199254740993"}',
        '{"repeat":0,"round_id":null}',
        '{"repeat":0,"round_id":[7]}',
        '["repeat","round_id"]',
        '"text"',
        "null",
        '{"repeat": 0, "round_id": 7}',
        '{"round_id":7,"repeat":0}',
        "{",
        "",
    ],
)
def test_a_duty_nobody_wrote_is_refused(payload: str) -> None:
    assert journal_codec.decode_duty("PublishDelta", '{"repeat":0,"round_id":7}') == duties.PublishDelta(
        RoundId(7)
    )
    _refused(journal_codec.decode_duty, "PublishDelta", payload)


def test_large_integers_are_strings_and_only_they() -> None:
    edge = 2**53 - 1
    for value in (edge, -edge, edge + 1, -edge - 1, 0, 2**256 - 1):
        tag, text = journal_codec.encode_duty(duties.UnsealShard(RoundId(1), value))
        assert isinstance(json.loads(text)["index"], str) == (abs(value) > edge)
        assert journal_codec.decode_duty(tag, text) == duties.UnsealShard(RoundId(1), value)


def test_tags_of_the_other_direction_are_unknown() -> None:
    tag, text = journal_codec.encode_fact(committed(SOLVER))
    _refused(journal_codec.decode_duty, tag, text)
    _refused(journal_codec.decode_fact, "ChainSomethingElse", text)
    _refused(journal_codec.decode_fact, "ChainRevealed", text)


@pytest.mark.parametrize("value", ["DEADBEEF", "de ad", "abc", "zz", "0xab", 12, None])
def test_bytes_are_lower_case_hexadecimal(value: object) -> None:
    text = canonical_json({"round_id": 7, "sheet": value}).decode()
    _refused(journal_codec.decode_duty, "CheckSheet", text)


@pytest.mark.parametrize("aggregators", ["abc", {"a": 1}, None, [1]])
def test_a_list_is_a_list(aggregators: object) -> None:
    text = canonical_json({"aggregators": aggregators, "round_id": 7}).decode()
    _refused(journal_codec.decode_fact, "LocalRoundPrepared", text)


def _with(record: str, **changes: object) -> Any:
    tree = json.loads(journal_codec.encode_state(busy_state()))
    tree[record]["7"] |= changes
    return tree


def _without(record: str) -> Any:
    """As before a round's state was kept in three records."""
    tree = json.loads(journal_codec.encode_state(busy_state()))
    return {name: value for name, value in tree.items() if name != record}


def _with_key(key: str) -> Any:
    tree = json.loads(journal_codec.encode_state(busy_state()))
    tree["rounds"][key] = tree["rounds"].pop("7")
    return tree


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {},
        _with("rounds", status="asleep"),
        _with("own", issued=["a", "a"]),
        _with("own", issued="abc"),
        _with("own", prepared=1),
        _with("rounds", commits=[["solver", "00", 0]]),
        _with("off_chain", scores=[[SOLVER]]),
        _with("rounds", prepared=True),
        _without("own"),
        _without("off_chain"),
        _with_key("07"),
        _with_key("1_0"),
        _with_key("seven"),
    ],
)
def test_a_snapshot_nobody_wrote_is_refused(tree: Any) -> None:
    _refused(journal_codec.decode_state, canonical_json(tree), busy_state().me)


def test_a_damaged_snapshot_is_refused() -> None:
    state = busy_state()
    data = journal_codec.encode_state(state)
    _refused(journal_codec.decode_state, data[:-1], state.me)
    _refused(journal_codec.decode_state, data.replace(b"{", b"{ ", 1), state.me)


def test_what_has_no_place_in_the_journal_is_an_error_at_once() -> None:
    with pytest.raises(TypeError, match="no place in the journal"):
        journal_codec.encode_duty(duties.UnsealShard(RoundId(1), 0.5))  # type: ignore[arg-type]  # wrong on purpose
