"""Model files: canonical safetensors of weights, with the outer step's momentum beside them.

Tensors are `model.<name>` and, once an outer step has run, `velocity.<name>`: whoever holds a model of
round r holds all that is needed to derive round r + 1 from its deltas or its coded update. Where updates are
coded and what the code leaves out is carried on, the header names the file of that remainder, which whoever
merges needs too. It has the field `remainder` only then, so that models of before keep their bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepanet.errors import Rejected
from jepanet.files import read_capped
from jepanet.learning.family import check_weights
from jepanet.learning.recipe import Recipe
from jepanet.tensors import MAX_HEADER_BYTES, Arrays, decode_tensors, encode_tensors, header_of
from jepanet.types import Digest

SCHEMA = "jepanet.model.1"
_MODEL, _VELOCITY = "model.", "velocity."
_FIELDS = {"schema", "family", "recipe", "round", "parent"}
_REMAINDER = "remainder"


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """What a model file says of itself. `parent` is the digest of the model it was merged from."""

    recipe: Digest
    round: int
    """0 for the warm start."""
    parent: Digest | None
    family: str
    remainder: Digest | None = None
    """Of the file that the next merge takes with it."""

    @classmethod
    def of(
        cls, recipe: Recipe, number: int, parent: Digest | None = None, remainder: Digest | None = None
    ) -> ModelHeader:
        """The header of a model of round `number`, trained under `recipe`."""
        return cls(recipe.digest(), number, parent, recipe.family.name, remainder)


@dataclass(frozen=True, slots=True)
class Model:
    weights: Arrays
    velocity: Arrays | None
    """Momentum of the outer step; None before the first."""
    header: ModelHeader


def model_bytes(weights: Arrays, header: ModelHeader, velocity: Arrays | None = None) -> bytes:
    """Canonical bytes of a model; the same weights, velocity and header give the same digest."""
    arrays = {_MODEL + name: array for name, array in weights.items()}
    arrays |= {_VELOCITY + name: array for name, array in (velocity or {}).items()}
    fields = {
        "schema": SCHEMA,
        "family": header.family,
        "recipe": header.recipe.hex(),
        "round": header.round,
        "parent": None if header.parent is None else header.parent.hex(),
    }
    if header.remainder is not None:
        fields["remainder"] = header.remainder.hex()
    return encode_tensors(arrays, fields)


def model_cap(recipe: Recipe) -> int:
    """Most bytes a model file of this recipe can have."""
    return 2 * 4 * recipe.parameters() + MAX_HEADER_BYTES + 8


def remainder_of(path: Path) -> Digest | None:
    """The remainder that a model file names for its next merge; None where there is none.

    The file is one whose digest is known: of the rest nothing is looked at.

    Raises:
        Rejected: `malformed` or `truncated`; it is no model file.
    """
    with path.open("rb") as file:
        header = header_of(file.read(8 + MAX_HEADER_BYTES), what="model")
    if header.get("schema") != SCHEMA:
        raise Rejected(f"model: header is not that of a {SCHEMA}", reason="malformed")
    return _digest(header[_REMAINDER], _REMAINDER) if _REMAINDER in header else None


def load_model(source: bytes | Path, recipe: Recipe) -> Model:
    """A model from untrusted bytes or an untrusted file; the arrays are read-only views.

    Raises:
        Rejected: `too-large`, `truncated`, `malformed`, `not-canonical`, `wrong-recipe`, `wrong-shape` or
            `non-finite`.
    """
    cap = model_cap(recipe)
    data = source if isinstance(source, bytes) else read_capped(source, cap, "model")
    arrays, header = decode_tensors(data, max_bytes=cap, what="model")
    if (
        set(header) - {_REMAINDER} != _FIELDS
        or header["schema"] != SCHEMA
        or header["family"] != recipe.family.name
    ):
        raise Rejected(
            f"model: header is not that of a {SCHEMA} of family {recipe.family.name}", reason="malformed"
        )
    if header["recipe"] != recipe.digest().hex():
        raise Rejected("model: trained under another recipe", reason="wrong-recipe")
    number, parent = header["round"], header["parent"]
    if type(number) is not int or not 0 <= number < 2**32:
        raise Rejected("model: round must be a non-negative integer", reason="malformed")
    weights, velocity = _part(arrays, _MODEL), _part(arrays, _VELOCITY)
    if len(weights) + len(velocity) != len(arrays):
        raise Rejected("model: a tensor is neither model.* nor velocity.*", reason="wrong-shape")
    check_weights(weights, recipe.family, what="model")
    if velocity:
        check_weights(velocity, recipe.family, what="velocity")
    # Null is no second spelling of a field that is not there.
    remainder = _digest(header[_REMAINDER], _REMAINDER) if _REMAINDER in header else None
    before = None if parent is None else _digest(parent, "parent")
    if remainder is not None and before is None:
        raise Rejected("model: a remainder, and no model before it that could leave one", reason="malformed")
    return Model(weights, velocity or None, ModelHeader.of(recipe, number, before, remainder))


def _part(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _digest(value: object, name: str) -> Digest:
    try:
        digest = bytes.fromhex(str(value))
    except ValueError:
        digest = b""
    if len(digest) != 32 or digest.hex() != value:
        raise Rejected(f"model: {name} must be 64 hex digits", reason="malformed")
    return Digest(digest)
