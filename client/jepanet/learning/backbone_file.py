"""Weights that adapters stand beside and nothing trains: a file that its SHA-256 names, and where it lies.

A recipe names the file; every node that trains or measures by it holds the whole. It is read once a process,
hashed before anything is made of it, and held by all networks together: nothing changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from jepanet.cid import digest_file, to_cid
from jepanet.errors import Rejected, Transient
from jepanet.learning.family import Shapes
from jepanet.tensors import MAX_HEADER_BYTES, Arrays, encode_tensors
from jepanet.types import Digest

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = "jepanet.backbone.1"
ENDING = ".backbone"
"""Of the file in an operator's folder: 64 hex digits and this."""
_FLOAT32 = "F32"


def backbone_bytes(weights: Arrays) -> bytes:
    """Canonical bytes of a backbone's float32 weights, by their names in `transformers`."""
    return encode_tensors(weights, {"schema": SCHEMA})


def most_bytes(shapes: Shapes) -> int:
    """That a file of these weights has."""
    return 4 * sum(prod(shape) for shape in shapes.values()) + MAX_HEADER_BYTES + 8


@dataclass(frozen=True, slots=True)
class Shelf:
    """Folders that hold backbones, and those that were read."""

    folders: Sequence[Path] = ()
    held: dict[str, Mapping[str, Tensor]] = field(default_factory=dict)


_SHELF: ContextVar[Shelf | None] = ContextVar("backbones", default=None)


@contextmanager
def backbones_in(folders: Sequence[Path]) -> Iterator[None]:
    """Whatever needs a backbone inside looks for it in these folders: an operator's, or a blob store."""
    token = _SHELF.set(Shelf(tuple(folders)))
    try:
        yield
    finally:
        _SHELF.reset(token)


def backbone_weights(digest: str, shapes: Shapes) -> Mapping[str, Tensor]:
    """The weights of a backbone whose file has this SHA-256 (hex), on the CPU; nobody may change them.

    Raises:
        Transient: no folder has it.
        Rejected: it is not of these shapes (`wrong-backbone`); nobody can train by such a recipe.
    """
    shelf = _SHELF.get() or Shelf()
    if digest not in shelf.held:
        found = _read(_found(digest, shelf.folders), digest, shapes)
        shelf.held.clear()  # one at a time: it may be as large as the machine allows
        shelf.held[digest] = found
    _check_shapes({name: tuple(item.shape) for name, item in shelf.held[digest].items()}, shapes, digest)
    return shelf.held[digest]


def place_of(folder: Path, digest: str) -> Path | None:
    """Where a backbone lies in an operator's folder or a blob store; None where it is in neither form."""
    places = (folder / f"{digest}{ENDING}", folder / digest[:2] / digest[2:4] / digest)
    return next((path for path in places if path.is_file()), None)


def _found(digest: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        path = place_of(folder, digest)
        if path is not None and digest_file(path).hex() == digest:
            return path
    where = " or ".join(map(str, folders)) or "any folder: none is named"
    raise Transient(
        f"the backbone {to_cid(Digest(bytes.fromhex(digest)))}, beside which the recipe trains adapters, is "
        f"not in {where}",
        remedy=f"put its file, {digest}{ENDING}, into the folder worker.backbones or JEPANET_BACKBONES",
    )


def _read(path: Path, digest: str, shapes: Shapes) -> Mapping[str, Tensor]:
    """Its digest is that of the recipe; what is in it, its maker chose."""
    from safetensors import SafetensorError, safe_open

    if path.stat().st_size > most_bytes(shapes):
        raise _wrong(digest, f"it has {path.stat().st_size:,} bytes")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = list(file.keys())
            slices = {name: file.get_slice(name) for name in names[: len(shapes) + 1]}
            kinds = {str(item.get_dtype()) for item in slices.values()}
            if kinds - {_FLOAT32}:
                raise _wrong(digest, f"it holds {', '.join(sorted(kinds))}")
            _check_shapes({name: tuple(item.get_shape()) for name, item in slices.items()}, shapes, digest)
            found = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise _wrong(digest, f"it is no safetensors: {error}") from error
    odd = next((name for name, item in found.items() if not bool(item.isfinite().all())), None)
    if odd is not None:
        raise _wrong(digest, f"{odd} holds NaN or infinity")
    return found


def _check_shapes(found: Shapes, wanted: Shapes, digest: str) -> None:
    if found != wanted:
        odd = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        raise _wrong(digest, f"of the recipe's architecture it lacks, or has in another shape, {odd[0]}")


def _wrong(digest: str, why: str) -> Rejected:
    return Rejected(
        f"backbone {digest[:16]} is not what the recipe describes: {why}", reason="wrong-backbone"
    )
