"""Records: what is written is read again, and every wrong value is refused by its key, bounds and remedy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from math import inf, nan
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.records.codec import JOURNAL, Codec, Tagged, check, rejected
from jepanet.records.kinds import Real, Spelling
from jepanet.records.marks import (
    PRINTABLE,
    SAFE_INTEGER,
    WORD,
    DecimalText,
    Hidden,
    LeftOut,
    OneOf,
    Range,
    Size,
)
from jepanet.records.problems import problems_of
from jepanet.records.reference import Entry, holdings, reference
from jepanet.records.refusal import Wrong
from jepanet.tensors import canonical_json
from jepanet.types import Address, Digest, RoundId, Verdict

pytestmark = pytest.mark.unit

ADDRESS = Address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Part:
    width: Annotated[int, Range(1, 512), "cells side by side"] = 3
    rate: Annotated[float, Range(0.0, 1.0, above=True)] = 0.5


@dataclass(frozen=True, slots=True)
class Whole:
    HEAD: ClassVar = {"version": 1}

    digest: Digest
    account: Address
    words: Annotated[tuple[Annotated[str, Size(1, 8), WORD], ...], Size(1, 3), "what it is called"]
    verdict: Annotated[Verdict, OneOf((Verdict.ACCEPTED, Verdict.EXCLUDED))]
    amount: Annotated[int, DecimalText(10**30)]
    signature: Annotated[bytes, Size(2, 2)]
    colours: frozenset[Colour]
    by_round: dict[RoundId, Part]
    by_name: Annotated[dict[Annotated[str, Size(1, 4)], int], Size(0, 2)]
    pairs: tuple[tuple[str, int], ...]
    note: Annotated[str, Size(0, 10), PRINTABLE] = ""
    switch: bool = False
    limit: Annotated[int | None, Range(0), "none: no limit"] = None
    part: Part = field(default_factory=Part)
    parts: tuple[Part, ...] = ()
    file: Path | None = None
    secret: Annotated[str | None, Size(1, 5), Hidden()] = None


CODEC = Codec(Whole, "thing")
GOOD = Whole(
    digest=Digest(bytes(range(32))),
    account=ADDRESS,
    words=("ab", "c.d"),
    verdict=Verdict.EXCLUDED,
    amount=10**25,
    signature=b"\x00\xff",
    colours=frozenset(Colour),
    by_round={RoundId(2**53): Part(), RoundId(3): Part(1, 1.0)},
    by_name={"a": -5},
    pairs=(("x", 1), ("", SAFE_INTEGER)),
    limit=0,
    parts=(Part(512), Part(rate=1e-9)),
    file=Path("/a/b"),
)


def test_what_is_written_is_read_again_in_canonical_form() -> None:
    data = CODEC.encode(GOOD)
    assert CODEC.decode(data) == GOOD
    assert canonical_json(json.loads(data)) == data
    assert json.loads(data)["version"] == 1
    assert json.loads(data)["colours"] == ["blue", "red"]


def test_a_whole_float_comes_back_as_a_float() -> None:
    again = CODEC.decode(CODEC.encode(GOOD)).by_round[RoundId(3)].rate
    assert type(again) is float


# (key of the field, value, the words that follow the key)
WRONG: list[tuple[str, Any, str]] = [
    ("version", 2, "version must be 1, not 2"),
    ("version", True, "version must be 1, not true"),
    ("digest", "0x00", "digest must be 32 bytes in lower-case hex with 0x, not '0x00'"),
    ("digest", "0x" + "AA" * 32, "digest must be 32 bytes in lower-case hex with 0x"),
    ("digest", "0x" + " a" * 32, "digest must be 32 bytes in lower-case hex with 0x"),
    ("digest", "aa" * 33, "digest must be 32 bytes in lower-case hex with 0x"),
    ("digest", None, "digest must be 32 bytes in lower-case hex with 0x, not null"),
    ("account", ADDRESS.lower(), f"account must be an address in EIP-55 form, not '{ADDRESS.lower()}'"),
    ("account", ADDRESS[:-1] + "c", f"account: {ADDRESS[:-1]}c is mistyped: its capital letters"),
    ("account", "0x12", "account: '0x12' is not an address: that is 0x and 40 hex digits"),
    ("account", 5, "account must be an address in EIP-55 form, not 5"),
    ("words", [], "words must be a list of 1 to 3 items, not a list of 0"),
    ("words", ["a"] * 4, "words must be a list of 1 to 3 items, not a list of 4"),
    ("words", {"a": 1}, "words must be a list of 1 to 3 items, not an object of 1"),
    ("words", ["a", "B"], "words[1] must be a lower-case word of 1 to 8 characters, not 'B'"),
    ("words", ["a\n"], "words[0] must be a lower-case word of 1 to 8 characters, not 'a\\n'"),
    ("verdict", 3, "verdict must be one of 1, 2, not 3"),
    ("verdict", True, "verdict must be one of 1, 2, not true"),
    ("verdict", 1.0, "verdict must be one of 1, 2, not 1.0"),
    ("amount", 5, f"amount must be a decimal string from 0 to {10**30}, not 5"),
    ("amount", "05", f"amount must be a decimal string from 0 to {10**30}, not '05'"),
    ("amount", str(10**30 + 1), f"amount must be a decimal string from 0 to {10**30}, not '1"),
    ("amount", "9" * 5000, f"amount must be a decimal string from 0 to {10**30}, not '999"),
    ("signature", "0x00", "signature must be 2 bytes in lower-case hex with 0x, not '0x00'"),
    ("colours", ["red", "red"], "colours has an item twice"),
    ("colours", ["red", "green"], "colours[1] must be one of red, blue, not 'green'"),
    ("colours", [["red"]], "colours[0] must be one of red, blue, not a list of 1"),
    ("by_round", {"03": {"rate": 1, "width": 1}}, "by_round.03 is a key that is not a whole number"),
    ("by_round", {"3": {"rate": 0, "width": 1}}, "by_round.3.rate must be a finite number of more"),
    ("by_name", {"a": 1, "b": 2, "c": 3}, "by_name must be an object of at most 2 members, not an object"),
    ("by_name", {"abcde": 1}, "by_name.abcde must be text of 1 to 4 characters, not 'abcde'"),
    ("by_name", {"a b": 1.0}, "by_name['a b'] must be a whole number, not 1.0"),
    ("pairs", [["a"]], "pairs[0] must be a list of 2 items, not a list of 1"),
    ("pairs", [["a", 1], ["b", "2"]], "pairs[1][1] must be a whole number, not '2'"),
    ("note", "é", "note must be printable ASCII of at most 10 characters, not 'é'"),
    ("note", "x" * 5000, "note must be printable ASCII of at most 10 characters, not 'xxx"),
    ("switch", 1, "switch must be true or false, not 1"),
    ("switch", None, "switch must be true or false, not null"),
    ("limit", -1, "limit must be a whole number, 0 or more, not -1"),
    ("limit", 2**53, "limit must be a whole number, 0 or more, within 2**53, not 9007199254740992"),
    ("limit", 1 << 200_000, "limit must be a whole number, 0 or more, within 2**53, not a number of"),
    ("part", [], "part must be an object, not a list of 0"),
    ("part", {"width": 3}, "part.rate is missing"),
    ("part", {"rate": 1, "width": 3, "x": 1}, "part.x is unknown"),
    ("part", {"rate": 1, "width": 3, "\x1b[2J": 1}, "part['\\x1b[2J'] is unknown"),
    ("part", {"rate": 1, "width": 0}, "part.width must be a whole number from 1 to 512, not 0"),
    ("part", {"rate": 1, "width": 1.0}, "part.width must be a whole number from 1 to 512, not 1.0"),
    ("part", {"rate": True, "width": 1}, "part.rate must be a finite number of more than 0, at most 1"),
    ("part", {"rate": nan, "width": 1}, "part.rate must be a finite number of more than 0, at most 1, not n"),
    ("part", {"rate": inf, "width": 1}, "part.rate must be a finite number of more than 0, at most 1, not i"),
    ("parts", [{"rate": 1, "width": 1}, {"rate": 1, "width": 513}], "parts[1].width must be a whole number"),
    ("file", "a\0b", "file must be a path of at most 4096 characters, not 'a\\x00b'"),
    ("secret", "password", "secret must be text of 1 to 5 characters, not a str that is not shown"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "words"), WRONG, ids=[words[:60] for _, _, words in WRONG])
def test_a_wrong_value_is_refused_by_key_bounds_and_remedy(name: str, value: Any, words: str) -> None:
    tree = {**CODEC.tree(GOOD), name: value}
    with pytest.raises(Rejected) as caught:
        CODEC.read(tree)
    assert caught.value.reason == "bad-field"
    assert caught.value.message.startswith(f"thing: {words}")
    assert len(caught.value.message) < 250
    assert caught.value.message.isprintable()
    assert name in (caught.value.remedy or "") or "address" in (caught.value.remedy or "")


@pytest.mark.parametrize("name", ["version", *(item.name for item in fields(Whole))])
def test_a_missing_field_is_named(name: str) -> None:
    tree = {key: item for key, item in CODEC.tree(GOOD).items() if key != name}
    with pytest.raises(Rejected, match=f"^thing: {name} is missing"):
        CODEC.read(tree)


@pytest.mark.parametrize("tree", [None, [], "x", 3, 1.5, True])
def test_what_is_no_object_is_refused(tree: object) -> None:
    with pytest.raises(Rejected, match=r"^thing must be an object, not "):
        CODEC.read(tree)


def test_writing_holds_the_same_bounds() -> None:
    for changes, words in (
        ({"part": Part(0)}, "part.width must be a whole number from 1 to 512, not 0"),
        ({"part": Part(rate=1)}, "part.rate must be a finite number"),
        ({"part": GOOD}, "part must be a Part, not a Whole"),
        ({"words": ["a"]}, "words must be a list of 1 to 3 items"),
        ({"digest": Digest(bytes(31))}, "digest must be 32 bytes in lower-case hex with 0x, not '31 bytes'"),
        ({"by_round": {RoundId(1): Part(999)}}, "by_round.1.width must be"),
        ({"verdict": 1}, "verdict must be one of 1, 2, not 1"),
        ({"pairs": (("a", True),)}, "pairs[0][1] must be a whole number, not true"),
    ):
        with pytest.raises(Rejected) as caught:
            check(replace(GOOD, **changes), "thing")  # type: ignore[arg-type]  # wrong on purpose
        assert caught.value.message.startswith(f"thing: {words}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-1], "bad-json"),
        (lambda data: data + b"\n", "not-canonical"),
        (lambda data: data.replace(b'"version":1', b'"version":1,"version":1'), "not-canonical"),
        (lambda data: data.replace(b'"limit":0', b'"limit":NaN'), "bad-json"),
        (lambda data: data.replace(b'"limit":0', b'"limit":' + b"9" * 5000), "bad-json"),
        (lambda data: data.replace(b'"limit":0', b'"limit":' + b"[" * 70 + b"]" * 70), "bad-json"),
        (lambda data: data + b" " * (1 << 20), "too-large"),
    ],
)
def test_other_bytes_are_refused_for_their_reason(change: Any, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        CODEC.decode(change(CODEC.encode(GOOD)))
    assert caught.value.reason == reason


def test_the_journal_s_spelling() -> None:
    codec = Codec(Whole, "thing", spelling=JOURNAL)
    tree = codec.tree(replace(GOOD, account=Address("nobody")))
    assert tree["digest"] == bytes(range(32)).hex()
    assert codec.read(tree).account == "nobody"

    @dataclass(frozen=True)
    class Wide:
        number: int

    for number in (0, SAFE_INTEGER, -SAFE_INTEGER, SAFE_INTEGER + 1, -SAFE_INTEGER - 1, 2**256 - 1):
        tree = Codec(Wide, "wide", spelling=JOURNAL).tree(Wide(number))
        assert isinstance(tree["number"], str) == (abs(number) > SAFE_INTEGER)
        assert Codec(Wide, "wide", spelling=JOURNAL).read(tree) == Wide(number)
    for wrong in (
        SAFE_INTEGER + 1,
        "7",
        str(SAFE_INTEGER),
        "0" + str(2**60),
        "9" * 100,
        "+" + str(2**60),
        True,
    ):
        with pytest.raises(Rejected, match="number must be a whole number, beyond"):
            Codec(Wide, "wide", spelling=JOURNAL).read({"number": wrong})


def test_defaults_fill_what_is_missing_only_where_the_spelling_has_them() -> None:
    codec = Codec(Part, "part", spelling=Spelling(defaults=True, longest=3))
    assert codec.read({}) == Part()
    assert codec.read({"width": 9}) == Part(9)
    with pytest.raises(Rejected, match="x is unknown") as caught:
        codec.read({"x": 1})
    assert "known: width, rate" in (caught.value.remedy or "")
    with pytest.raises(Rejected, match="rate is missing"):
        Codec(Part, "part").read({"width": 9})


@dataclass(frozen=True, slots=True)
class Grown:
    """A record that two fields came to later."""

    HEAD: ClassVar = {"version": 1}

    name: str
    share: Annotated[int, Range(0, 1000), LeftOut(), "of the whole"] = 1000
    part: Annotated[Part | None, LeftOut()] = None


def test_a_field_that_came_later_leaves_older_documents_their_bytes() -> None:
    codec = Codec(Grown, "grown")
    old = b'{"name":"a","version":1}'
    assert codec.encode(Grown("a")) == old
    assert codec.decode(old) == Grown("a")
    for new in (Grown("a", 0), Grown("a", part=Part()), Grown("a", 999, Part(5))):
        assert codec.decode(codec.encode(new)) == new
    assert codec.tree(Grown("a", 7)) == {"version": 1, "name": "a", "share": 7}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"share": 1000}, "share is left out where it holds its default"),
        ({"part": None}, "part is left out where it holds its default"),
        ({"share": 1000, "part": {"width": 1, "rate": 1}}, "share is left out"),
        ({"share": 1001}, "share must be a whole number from 0 to 1000"),
        ({"share": True}, "share must be a whole number"),
        ({"part": {"width": 1}}, "part.rate is missing"),
        ({"other": 1}, "other is unknown"),
    ],
)
def test_attack_a_second_spelling_of_a_field_that_is_left_out(more: Any, message: str) -> None:
    with pytest.raises(Rejected, match=message) as caught:
        Codec(Grown, "grown").read({"version": 1, "name": "a", **more})
    assert caught.value.remedy


def test_a_field_that_is_left_out_is_held_to_its_bounds_when_written() -> None:
    for wrong in (Grown("a", 1001), Grown("a", True), Grown("a", part=3)):  # type: ignore[arg-type]
        with pytest.raises(Rejected, match=r"(share|part) must"):
            Codec(Grown, "grown").encode(wrong)


def test_a_configuration_may_write_out_a_default_that_documents_leave_out() -> None:
    codec = Codec(Grown, "grown", spelling=Spelling(defaults=True))
    assert codec.read({"version": 1, "name": "a", "share": 1000, "part": None}) == Grown("a")


def test_the_reference_lists_a_field_that_is_left_out() -> None:
    found = {entry.key: entry for entry in reference(Codec(Grown, "grown"))}
    assert found["share"] == Entry("share", "a whole number from 0 to 1000", "1000", "of the whole")


def test_a_required_field_cannot_be_left_out() -> None:
    @dataclass(frozen=True)
    class Odd:
        field: Annotated[int, LeftOut()]

    with pytest.raises(TypeError, match="has no default"):
        Codec(Odd, "odd").read({})


def test_addresses_can_be_mended() -> None:
    @dataclass(frozen=True)
    class Someone:
        account: Address

    codec = Codec(Someone, "someone", spelling=Spelling(addresses="mended"))
    assert codec.read({"account": ADDRESS.lower()}).account == ADDRESS
    with pytest.raises(Rejected, match="mistyped"):
        codec.read({"account": ADDRESS[:-1] + "c"})


@pytest.mark.parametrize("bounds", [Range(), Range(0), Range(None, 5), Range(0, above=True)])
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_no_bounds_let_pass_what_is_not_finite(bounds: Range, value: float) -> None:
    real = Real(bounds)
    for step in (real.read, real.write):
        with pytest.raises(Wrong, match="must be a finite number"):
            step(value)


def test_a_caller_s_own_error() -> None:
    def refuse(message: str, remedy: str) -> Fatal:
        return Fatal(message, remedy=remedy, code=Exit.CONFIG)

    with pytest.raises(Fatal) as caught:
        Codec(Part, "part", refuse=refuse).read({"width": 0, "rate": 1})
    assert caught.value.code is Exit.CONFIG
    with pytest.raises(Rejected) as rejection:
        Codec(Part, "part", refuse=rejected("bad-part")).read([])
    assert rejection.value.reason == "bad-part"


def test_tags_choose_the_class() -> None:
    both: Tagged[Part | Whole] = Tagged({"part": Part, "thing": Whole}, "message")
    assert both.tag_of(Part()) == "part"
    assert both.codec("part").decode(both.codec("part").encode(Part())) == Part()
    for tag in ("other", None, 3, [], "x" * 5000):
        with pytest.raises(Rejected) as caught:
            both.codec(tag)
        assert len(str(caught.value)) < 200
    with pytest.raises(TypeError):
        both.tag_of(3)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("hint", [Any, int | str, list[int], complex, tuple[int, ...] | frozenset[int]])
def test_a_type_without_a_place_is_an_error_at_first_use(hint: Any) -> None:
    kind = type("Odd", (), {"__annotations__": {"field": hint}})
    with pytest.raises(TypeError, match="has no place in a record"):
        Codec(dataclass(frozen=True)(kind), "odd").read({"field": 1})


def test_the_reference_names_every_field_with_bounds_default_and_meaning() -> None:
    found = {entry.key: entry for entry in reference(CODEC)}
    assert found["part.width"] == Entry(
        "part.width", "a whole number from 1 to 512", "3", "cells side by side"
    )
    assert found["parts[].rate"].allowed == "a finite number of more than 0, at most 1"
    assert found["words"].meaning == "what it is called"
    assert found["words"].allowed.startswith("a list of 1 to 3 items, each a lower-case word of 1 to 8")
    assert found["words"].default is None
    assert found["limit"].default == "null"
    assert found["pairs"].default is None
    outer = {key.partition(".")[0].removesuffix("[]") for key in found}
    assert outer == {item.name for item in fields(Whole)}


@dataclass(frozen=True, slots=True)
class Pair:
    """A record that holds its fields against each other."""

    low: Annotated[int, Range(0, 9), "the lower"]
    high: Annotated[int, Range(0, 9), "the higher"] = 9
    parts: tuple[Part, ...] = ()
    shape: tuple[int, Annotated[int, Range(1, 2)]] = (1, 1)
    more: Annotated[Grown | None, "if any"] = None

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise Rejected("low must not exceed high", reason="bad")


PAIR = Codec(Pair, "pair", spelling=Spelling(defaults=True))


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"low": 1}, []),
        ([], ["pair must be an object, not a list of 0"]),
        ({"low": 10, "high": -1, "x": 1}, ["pair: x is unknown", "pair: low must", "pair: high must"]),
        ({}, ["pair: low is missing"]),
        ({"low": 1, "parts": [{}, {"width": 0, "rate": 0}, 3]},
         ["pair: parts[1].width must", "pair: parts[1].rate must", "pair: parts[2] must be an object"]),
        ({"low": 1, "shape": [True, 3]}, ["pair: shape[0] must", "pair: shape[1] must"]),
        ({"low": 1, "shape": [1]}, ["pair: shape must be a list of 2 items"]),
        ({"low": 1, "more": {"version": 2, "share": -1}},
         ["pair: more.version must be 1", "pair: more.name is missing", "pair: more.share must"]),
        ({"low": 1, "more": {"version": 1, "name": "a", "part": {"width": 0}}},
         ["pair: more.part.width must"]),
        ({"low": 5, "high": 4}, ["low must not exceed high"]),
        ({"low": 5, "high": 4, "shape": 1}, ["pair: shape must"]),
    ],
)  # fmt: skip
def test_all_problems_of_a_tree_at_once(tree: Any, found: list[str]) -> None:
    problems = list(problems_of(PAIR.record, tree, "pair"))
    assert len(problems) == len(found)
    for problem, start in zip(problems, found, strict=True):
        assert problem.message.startswith(start) and problem.remedy
        assert not problem.key or problem.key in problem.message


def test_what_a_record_holds_is_told_with_what_it_may_hold() -> None:
    value = Pair(1, parts=(Part(),), more=Grown("a", part=Part(4)))
    found = {item.entry.key: item for item in holdings(PAIR, value)}
    assert list(found) == ["low", "high", "parts", "shape", "more.name", "more.share", "more.part.width",
                           "more.part.rate"]  # fmt: skip
    assert [key for key, item in found.items() if item.usual] == [
        "high", "shape", "more.share", "more.part.rate"
    ]  # fmt: skip
    assert found["low"].value == 1 and found["low"].entry == Entry(
        "low", "a whole number from 0 to 9", None, "the lower"
    )
    assert found["parts"].value == [{"width": 3, "rate": 0.5}]
    (last,) = (item for item in holdings(PAIR, Pair(1)) if item.entry.key == "more")
    assert last.value is None and last.usual and last.entry.meaning == "if any"
