"""Records: what they hold comes back, one wrong field is named by its key, hostile bytes are refused."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from math import nan
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jepanet.addresses import checksum_address
from jepanet.errors import Fatal, JepanetError, Rejected
from jepanet.learning.data import manifest, sizes
from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe_reader import read_recipe, recipe_of
from jepanet.protocol import duties, facts
from jepanet.protocol.documents import messages
from jepanet.protocol.documents.scores import REPORT
from jepanet.protocol.documents.spec import SPEC
from jepanet.protocol.settling.sheet import SHEET
from jepanet.protocol.state import NodeState
from jepanet.records import compound, kinds
from jepanet.records.codec import DOCUMENT, JOURNAL, Codec
from jepanet.records.compiling import record_of
from jepanet.records.kinds import Spelling
from jepanet.records.marks import SAFE_INTEGER, Size
from jepanet.settings.config import Config, config_from
from jepanet.tensors import canonical_json

pytestmark = pytest.mark.property

HEX = Spelling(prefix="")
CODECS: dict[str, Codec[Any]] = {
    "spec": SPEC,
    "report": REPORT,
    "sheet": SHEET,
    "manifest": manifest._MANIFEST,
    "state": Codec(NodeState, "state", spelling=JOURNAL),
    "binding": Codec(messages.Binding, "binding", spelling=HEX),
    **{
        kind.__name__: Codec(kind, kind.__name__, spelling=spelling)
        for kinds_, spelling in ((facts.Fact, JOURNAL), (duties.Duty, JOURNAL), (messages.Body, HEX))
        for kind in get_args(kinds_)
    },
}
NAMES = st.sampled_from(sorted(CODECS))
FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
"""Drawing a whole state is slow."""
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: checksum_address("0x" + raw.hex()))
WIDE = st.integers(-(2**255), 2**256 - 1).map(lambda n: n if abs(n) <= SAFE_INTEGER else str(n))


def ascending(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: (type(item) is str, item))


def lengths(size: Size | None) -> dict[str, int]:
    low = size.low if size else 0
    return {"min_size": low, "max_size": max(low, min(size.high if size else 3, low + 3))}


def trees(kind: kinds.Kind) -> st.SearchStrategy[Any]:
    """Trees that `kind` reads: its bounds are taken from it, so a field that is added is covered too."""
    match kind:
        case kinds.Flag():
            return st.booleans()
        case kinds.Whole():
            return st.integers(int(kind._low), int(kind._high))
        case kinds.WideWhole():
            return WIDE
        case kinds.Decimal():
            return st.integers(0, kind._high).map(str)
        case kinds.Text():
            size = kind._size or Size(0, 8)
            if kind._pattern is None:
                return st.text(st.characters(codec="utf-8"), **lengths(size))
            return st.from_regex(kind._pattern, fullmatch=True).filter(lambda text: len(text) in size)
        case kinds.Hex():
            return st.binary(**lengths(kind._size)).map(lambda raw: kind._prefix + raw.hex())
        case kinds.Account():
            return ADDRESSES
        case kinds.Choice():
            return st.sampled_from(sorted(kind._members))
        case kinds.Document():
            return st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), st.booleans())
        case compound.Maybe():
            return st.none() | trees(kind.inner)
        case compound.Many():
            unique = kind._container is frozenset
            found = st.lists(trees(kind.inner), unique=unique, **lengths(kind._size))
            return found.map(ascending) if unique else found
        case compound.Fixed():
            return st.tuples(*map(trees, kind.parts)).map(list)
        case compound.Table():
            keys = trees(kind.key) if kind.key else st.integers(-(10**9), 10**20).map(str)
            return st.dictionaries(keys, trees(kind.inner), **lengths(kind._size))
        case compound.Record():
            head = {name: st.just(value) for name, value in kind._head.items()}
            parts = {part.name: part for part in kind.parts}
            found = {name: trees(part.kind) for name, part in parts.items() if not part.left_out}
            later = {name: later_trees(part) for name, part in parts.items() if part.left_out}
            return st.fixed_dictionaries(head | found, optional=later)
    raise AssertionError(f"{type(kind).__name__} has no strategy")


def later_trees(part: compound.Part) -> st.SearchStrategy[Any]:
    """Trees of a field that is left out where it holds its default."""
    return trees(part.kind).filter(lambda tree: part.kind.read(tree) != part.default)


@FEW
@given(name=NAMES, data=st.data())
def test_what_is_read_is_written_again(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    tree = data.draw(trees(codec.record))
    record = codec.read(tree)
    assert codec.tree(record) == tree
    assert codec.read(json.loads(canonical_json(tree))) == record


def places(tree: Any, key: str = "") -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Every place in a tree: its dotted key, and what puts another value there."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, item in inner:
        path = f"{key}[{name}]" if isinstance(tree, list) else f"{key}.{name}".removeprefix(".")

        def put(value: Any, name: Any = name) -> None:
            tree[name] = value

        yield path, put
        yield from places(item, path)


@FEW
@given(name=NAMES, data=st.data())
def test_one_wrong_field_is_named_by_its_key(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    tree = data.draw(trees(codec.record).filter(lambda tree: any(True for _ in places(tree))))
    key, put = data.draw(st.sampled_from(list(places(tree))))
    embedded = name == "SayScores" and key.startswith("report")
    put({"\0": nan})  # refused by every kind; by those that take objects, for what is inside
    with pytest.raises(Rejected) as caught:
        codec.read(tree)
    assert embedded or caught.value.message.startswith(f"{codec.what}: {named(key)}")


def named(key: str) -> str:
    """The part of a key up to a name that messages put in quotes."""
    plain = []
    for part in key.split("."):
        if not part or not all(c.isascii() and (c.isalnum() or c in "_-[]") for c in part):
            break
        plain.append(part)
    return ".".join(plain)


@pytest.mark.parametrize("name", PRESETS)
def test_one_wrong_field_of_a_recipe_is_named_by_its_key(name: str) -> None:
    keys = [key for key, _ in places(json.loads(PRESETS[name].to_bytes()))]
    assert {"optimiser.clip", "name", "schema", "family", "gates"} <= set(keys)
    assert ("model.channels[2]" in keys) == (PRESETS[name].family.name == "world")
    for key in keys:
        tree = json.loads(PRESETS[name].to_bytes())
        dict(places(tree))[key]({"\0": nan})
        with pytest.raises(Rejected) as caught:
            recipe_of(tree)
        assert caught.value.message.startswith(f"recipe: {key}")
        assert caught.value.reason == "bad-recipe"


def test_one_wrong_size_of_a_dataset_is_named_by_its_key() -> None:
    for item in fields(sizes.Parameters):
        for value in (0, -1, 1.0, True, None, "1", 2**60, [], nan):
            with pytest.raises(
                Rejected, match=f"^dataset parameters: {item.name} must be a whole number from"
            ):
                sizes.Parameters.from_json({item.name: value})


DECODERS: dict[str, Callable[[bytes], Any]] = {name: codec.decode for name, codec in CODECS.items()}
DECODERS["recipe"] = read_recipe
HOSTILE = st.sampled_from(
    [b'{"version":1,"version":1}', b"[" * 100_000, b'{"a":' * 20_000, b"9" * 5000, b"-" + b"9" * 5000, b"NaN",
     b"-Infinity", b"1e999", b'"\\ud800"', b"\xff\xfe{}", b"", b"\0", b'{"\\ud800":1}', b"-0", b"1.0"]
)  # fmt: skip


@FEW
@given(name=st.sampled_from(sorted(DECODERS)), data=HOSTILE | st.binary(max_size=200))
def test_hostile_bytes_are_refused_and_nothing_else(name: str, data: bytes) -> None:
    with pytest.raises(Rejected):
        DECODERS[name](data)


@FEW
@given(name=NAMES, data=st.data(), hostile=HOSTILE)
def test_hostile_bytes_inside_a_good_document(name: str, data: st.DataObject, hostile: bytes) -> None:
    good = canonical_json(data.draw(trees(CODECS[name].record)))
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    changed = good[:start] + hostile + good[end:]
    try:
        record = CODECS[name].decode(changed)
    except Rejected:
        return
    assert CODECS[name].encode(record) == changed


VALUES = st.recursive(
    st.booleans() | st.integers() | st.just(1 << 12_000) | st.floats() | st.text(max_size=20)
    | st.just("x" * 5000) | st.just(datetime.datetime(2026, 1, 1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@FEW
@given(section=st.sampled_from([item.name for item in fields(Config)]), data=st.data())
def test_any_value_in_a_configuration_is_taken_or_named(section: str, data: st.DataObject) -> None:
    tree: dict[str, Any] = {
        "node": {"data_dir": "d", "roles": ["solver"]},
        "wallet": {"directory": "w"},
        "chain": {"endpoints": ["http://x"], "deployment": "d"},
    }
    kind = next(part.kind for part in record_of(Config, DOCUMENT).parts if part.name == section)
    assert isinstance(kind, compound.Record)
    key = data.draw(st.sampled_from([part.name for part in kind.parts]))
    tree.setdefault(section, {})[key] = data.draw(VALUES)
    environment = {}
    if data.draw(st.booleans()):
        variable = f"JEPANET_{section}_{key}".upper()
        environment = {variable: data.draw(st.text(st.characters(exclude_characters="\0"), max_size=20))}
    try:
        config_from(tree, base=Path("/"), environment=environment)
    except JepanetError as error:
        assert isinstance(error, Fatal)
        assert key in error.message or f"JEPANET_{section}_{key}".upper() in error.message
        assert len(error.message) < 400
        assert error.remedy
