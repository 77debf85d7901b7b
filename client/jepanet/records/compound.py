"""Kinds made of others: optional values, lists, sets, pairs, dictionaries, records."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass
from itertools import repeat
from operator import attrgetter

from jepanet.records.kinds import Kind
from jepanet.records.marks import Size
from jepanet.records.refusal import Wrong, shown

_KEY = re.compile(r"0|-?[1-9][0-9]{0,77}")


class Maybe(Kind):
    """A value, or null."""

    def __init__(self, inner: Kind) -> None:
        self.inner = inner
        self.wanted = f"{inner.wanted}, or null"

    def read(self, tree: object) -> object:
        return None if tree is None else self.inner.read(tree)

    def write(self, value: object) -> object:
        return None if value is None else self.inner.write(value)


class Many(Kind):
    """A tuple of any length, or a frozen set, which is written in ascending order."""

    def __init__(
        self, inner: Kind, size: Size | None, container: type[tuple[object, ...] | frozenset[object]]
    ) -> None:
        self.inner, self._size, self._container = inner, size, container
        self.wanted = f"a list of {size.of('items')}" if size else "a list"

    def read(self, tree: object) -> object:
        if not isinstance(tree, list) or not self._fits(tree):
            raise self.wrong(tree)
        items = _each(repeat(self.inner.read), tree)
        if self._container is tuple:
            return tuple(items)
        members = frozenset(items)
        if len(members) != len(items):
            raise Wrong(" has an item twice", "write each item of {key} once")
        return members

    def write(self, value: object) -> list[object]:
        if not isinstance(value, self._container) or not self._fits(value):
            raise self.wrong(value)
        items = _each(repeat(self.inner.write), value)
        # Numbers before texts: wide numbers are written as either.
        return (
            items if self._container is tuple else sorted(items, key=lambda item: (type(item) is str, item))
        )

    def _fits(self, value: Collection[object]) -> bool:
        return self._size is None or len(value) in self._size


class Fixed(Kind):
    """A tuple whose parts have a type each."""

    def __init__(self, parts: Sequence[Kind]) -> None:
        self.parts = tuple(parts)
        self.wanted = f"a list of {len(self.parts)} items"

    def read(self, tree: object) -> tuple[object, ...]:
        if not isinstance(tree, list) or len(tree) != len(self.parts):
            raise self.wrong(tree)
        return tuple(_each((part.read for part in self.parts), tree))

    def write(self, value: object) -> list[object]:
        if type(value) is not tuple or len(value) != len(self.parts):
            raise self.wrong(value)
        return _each((part.write for part in self.parts), value)


def _each(steps: Iterable[Callable[[object], object]], items: Iterable[object]) -> list[object]:
    """What each step makes of its item; what is refused is named by its index."""
    done: list[object] = []
    try:
        for step, item in zip(steps, items, strict=False):
            done.append(step(item))  # its length is the index in the message
    except Wrong as wrong:
        wrong.inside(len(done))
        raise
    return done


class Table(Kind):
    """A dictionary by text or by number; numbers are keys in their only decimal spelling."""

    def __init__(self, key: Kind | None, inner: Kind, size: Size | None) -> None:
        """`key` None: by number."""
        self.key, self.inner, self._size = key, inner, size
        self.wanted = f"an object of {size.of('members')}" if size else "an object"

    def read(self, tree: object) -> dict[object, object]:
        found: dict[object, object] = {}
        for name, item in self._checked(tree).items():
            try:
                found[self._key(name)] = self.inner.read(item)
            except Wrong as wrong:
                wrong.inside(str(name))
                raise
        return found

    def write(self, value: object) -> dict[object, object]:
        written: dict[object, object] = {}
        for name, item in self._checked(value).items():
            try:
                written[str(name) if self.key is None else self.key.write(name)] = self.inner.write(item)
            except Wrong as wrong:
                wrong.inside(str(name))
                raise
        return written

    def _checked(self, value: object) -> dict[object, object]:
        if isinstance(value, dict) and (self._size is None or len(value) in self._size):
            return value
        raise self.wrong(value)

    def _key(self, name: object) -> object:
        if self.key is not None:
            return self.key.read(name)
        if type(name) is str and _KEY.fullmatch(name):
            return int(name)
        raise Wrong(" is a key that is not a whole number", "correct the key {key}")


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a record: its name in the tree, its kind, what it means, and the dataclass's field."""

    name: str
    kind: Kind
    meaning: str
    field: Field[object]
    left_out: bool = False
    """Whether it is no part of the tree where it holds its default."""

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.field.default is MISSING and self.field.default_factory is MISSING

    @property
    def default(self) -> object:
        """Its default. Raises: TypeError for a required one."""
        if self.field.default is not MISSING:
            return self.field.default
        if self.field.default_factory is MISSING:
            raise TypeError(f"{self.name} has no default")
        return self.field.default_factory()


class Record(Kind):
    """A frozen dataclass: an object with exactly its fields.

    Where the spelling has defaults, fields with one may be missing.
    """

    def __init__(self, kind: type, parts: Sequence[Part], *, defaults: bool) -> None:
        self.kind = kind
        self.parts = tuple(parts)
        self.wanted = f"a {kind.__name__}"
        self._head: dict[str, object] = dict(getattr(kind, "HEAD", {}))
        self._names = frozenset([*self._head, *(part.name for part in parts)])
        self._defaults = defaults
        self._readers = [(part.name, part.kind.read) for part in parts]
        self._writers = [(part.name, attrgetter(part.field.name), part.kind.write) for part in parts]
        self._left_out = {part.name: (part.field.name, part.default) for part in parts if part.left_out}

    def read(self, tree: object) -> object:
        if not isinstance(tree, dict):
            raise Kind.wrong(_OBJECT, tree)
        if self._left_out or tree.keys() != self._names:
            return self.kind(**self.values(tree))
        if self._head:
            self._check_head(tree)
        values: list[object] = []
        name = ""
        try:
            for name, read in self._readers:
                values.append(read(tree[name]))
        except Wrong as wrong:
            wrong.inside(name)
            raise
        return self.kind(*values)

    def write(self, value: object) -> dict[str, object]:
        if not isinstance(value, self.kind):
            raise self.wrong(value)
        tree: dict[str, object] = self._head.copy()
        name = ""
        try:
            for name, get, write in self._writers:
                tree[name] = write(get(value))
        except Wrong as wrong:
            wrong.inside(name)
            raise
        for name, (attribute, default) in self._left_out.items():
            if getattr(value, attribute) == default:
                del tree[name]
        return tree

    def values(self, tree: object) -> dict[str, object]:
        """What is read, by the names of the dataclass; also where names are missing or unknown."""
        if not isinstance(tree, dict):
            raise Kind.wrong(_OBJECT, tree)
        for wrong in self.misnamed(tree):
            raise wrong
        values: dict[str, object] = {}
        for part in self.parts:
            if part.name in tree:
                try:
                    values[part.field.name] = self._value(part, tree[part.name])
                except Wrong as wrong:
                    wrong.inside(part.name)
                    raise
        return values

    def misnamed(self, tree: dict[object, object]) -> Iterator[Wrong]:
        """Each name that is unknown, each constant that is another, each field that is missing."""
        for name in tree:
            if name not in self._names:
                known = ", ".join([*self._head, *(part.name for part in self.parts)])
                yield Wrong(" is unknown", f"remove {{key}}; known: {known}").inside(str(name))
        try:
            self._check_head(tree)
        except Wrong as wrong:
            yield wrong
        for part in self.parts:
            if part.name not in tree and (part.required or not (self._defaults or part.left_out)):
                yield Wrong(" is missing", "add {key}").inside(part.name)

    def _value(self, part: Part, tree: object) -> object:
        value = part.kind.read(tree)
        if part.left_out and not self._defaults and value == part.default:
            raise Wrong(" is left out where it holds its default", "remove {key}")
        return value

    def _check_head(self, tree: dict[object, object]) -> None:
        for name, constant in self._head.items():
            if name not in tree:
                raise Wrong(" is missing", "add {key}").inside(name)
            found = tree[name]
            if type(found) is not type(constant) or found != constant:
                raise Wrong(
                    f" must be {constant!r}, not {shown(found)}", "use a release that reads this {key}"
                ).inside(name)


class _Object(Kind):
    wanted = "an object"


_OBJECT = _Object()
