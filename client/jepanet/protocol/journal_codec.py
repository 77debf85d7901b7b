"""Facts, duties and state as canonical JSON with stable tags, for the journal.

A tag is the class name. Fields are read by name and type, so a journal written by another version of a class
is refused instead of misread. Integers beyond 2**53 - 1 (amounts, beacons) are written as decimal strings.
"""

from __future__ import annotations

from typing import TypeVar, get_args

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.protocol import duties, facts
from jepanet.protocol.state import Identity, NodeState
from jepanet.records.codec import JOURNAL, Codec, Tagged
from jepanet.tensors import canonical_json, parse_json

T = TypeVar("T")
_MAX_BYTES = 64 << 20


def _incompatible(why: str, _: str = "") -> Fatal:
    return Fatal(
        f"the journal holds an entry this version cannot read: {why}",
        remedy="run the version that wrote it until its rounds have ended, or use a new data directory",
        code=Exit.INCOMPATIBLE,
    )


def _by_name(kinds: object, what: str) -> Tagged[T]:
    return Tagged(
        {kind.__name__: kind for kind in get_args(kinds)}, what, spelling=JOURNAL, refuse=_incompatible
    )


_FACTS: Tagged[facts.Fact] = _by_name(facts.Fact, "fact")
_DUTIES: Tagged[duties.Duty] = _by_name(duties.Duty, "duty")
_STATE = Codec(NodeState, "snapshot", spelling=JOURNAL, refuse=_incompatible)
_IDENTITY = Codec(Identity, "identity", spelling=JOURNAL, refuse=_incompatible)


def encode_fact(fact: facts.Fact) -> tuple[str, str]:
    """(tag, JSON) of a fact. Raises: TypeError for a value of another type than its field's."""
    return _encoded(_FACTS, fact)


def decode_fact(tag: str, payload: str) -> facts.Fact:
    """Raises: Fatal when the journal was written by an incompatible version."""
    return _decoded(_FACTS, tag, payload)


def encode_duty(duty: duties.Duty) -> tuple[str, str]:
    """(tag, JSON) of a duty. Raises: TypeError for a value of another type than its field's."""
    return _encoded(_DUTIES, duty)


def decode_duty(tag: str, payload: str) -> duties.Duty:
    """Raises: Fatal when the journal was written by an incompatible version."""
    return _decoded(_DUTIES, tag, payload)


def encode_state(state: NodeState) -> bytes:
    """A snapshot; `me` is left out, it comes from configuration."""
    tree = _plain(_STATE, state)
    del tree["me"]
    return canonical_json(tree)


def decode_state(data: bytes, me: Identity) -> NodeState:
    """Raises: Fatal when the snapshot was written by an incompatible version."""
    tree = _parsed(data, "snapshot")
    if not isinstance(tree, dict):
        raise _incompatible("a snapshot is an object")
    return _STATE.read({**tree, "me": _IDENTITY.tree(me)})


def _encoded(records: Tagged[T], value: T) -> tuple[str, str]:
    tag = records.tag_of(value)
    return tag, canonical_json(_plain(records.codec(tag), value)).decode()


def _plain(codec: Codec[T], value: T) -> dict[str, object]:
    try:
        return codec.tree(value)
    except Fatal as error:  # a defect of this program: nothing was read that another version had written
        raise TypeError(f"it has no place in the journal: {error.__cause__}") from error


def _decoded(records: Tagged[T], tag: str, payload: str) -> T:
    return records.codec(tag).read(_parsed(payload.encode(errors="surrogatepass"), f"journal entry {tag}"))


def _parsed(data: bytes, what: str) -> object:
    """The node wrote this itself, so bytes that do not parse mean a damaged store, not a bad peer."""
    try:
        return parse_json(data, max_bytes=_MAX_BYTES, what=what)
    except Rejected as error:
        raise _incompatible(error.message) from error
