"""The state of a training between two steps as a file that strangers go on from.

It holds what a point of the trace digests, and nothing that it does not: whatever else a file of a stranger
said would be believed. So what only decides whether a training is ended early (the losses a gate remembers)
is not in it, and no recipe is audited that scales its losses (`check_auditable`).
"""

from __future__ import annotations

from jepanet.cid import blake3_of
from jepanet.errors import Rejected
from jepanet.learning.training.resuming.state import Parts
from jepanet.learning.training.resuming.trace import digest_of_arrays
from jepanet.tensors import MAX_HEADER_BYTES, decode_tensors, tensor_pieces
from jepanet.types import Digest

SCHEMA = "jepanet.state.2"
PARTS = ("weights", "optimiser", "streams", "data")
_ROOM = 1 << 20
"""Bytes for what is small: streams, and the lengths of names."""


def state_pieces(step: int, parts: Parts) -> list[memoryview]:
    """Canonical bytes of the state after `step`, whose parts are `parts`, in pieces that are views of those;
    what else is in those is left."""
    arrays = {f"{part}.{name}": item for part in PARTS for name, item in parts[part].items()}
    return tensor_pieces(arrays, {"schema": SCHEMA, "step": step})


def name_of_state(pieces: list[memoryview]) -> Digest:
    """BLAKE3 of a state file: what it is asked for by."""
    return blake3_of(pieces)


def state_cap(parts: Parts, examples: int) -> int:
    """Most bytes that a state file of a training has whose fresh state has these parts, of a shard of so many
    examples."""
    held = sum(item.nbytes for part in PARTS for item in parts[part].values())
    return held + 16 * examples + MAX_HEADER_BYTES + _ROOM


def read_state(data: bytes, step: int, *, max_bytes: int) -> Parts:
    """The parts of a state after `step`, from untrusted bytes. Shapes are for whoever goes on from it.

    Raises:
        Rejected: `too-large`, `truncated`, `malformed`, `not-canonical`; `wrong-step`; `wrong-shape` where an
            array is of no part.
    """
    arrays, header = decode_tensors(data, max_bytes=max_bytes, what="state of a training")
    if set(header) != {"schema", "step"} or header["schema"] != SCHEMA:
        raise Rejected(f"state of a training: its header is not that of a {SCHEMA}", reason="malformed")
    if type(header["step"]) is not int or header["step"] != step:
        raise Rejected(
            f"state of a training: it is that after step {header['step']!r:.40}, not after {step}",
            reason="wrong-step",
        )
    parts: Parts = {part: {} for part in PARTS}
    for key, array in arrays.items():
        part, _, name = key.partition(".")
        if part not in parts:
            raise Rejected(f"state of a training: {key!r:.100} is in none of its parts", reason="wrong-shape")
        parts[part][name] = array
    return parts


def digests_of(parts: Parts) -> dict[str, Digest]:
    """Of each part that a point of the trace has, as it has them."""
    return {part: digest_of_arrays(parts[part]) for part in PARTS}
