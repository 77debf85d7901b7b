"""The job that makes a recorded model again, from the model before it, instead of fetching it.

A model that comes out with another digest than the record's is never written. Then every input is looked at
again, so that the operator is told what is wrong and not only that something is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, permutations

from jepanet.cid import digest_of
from jepanet.errors import Fatal, Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.files import read_capped, write_atomically
from jepanet.learning.model_file import load_model, model_cap
from jepanet.learning.recipe_reader import read_recipe
from jepanet.tensors import Arrays
from jepanet.types import Digest
from jepanet.work.methods import known_spec
from jepanet.work.next_model import NextModel, Way, next_model, opened, write_beside
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from jepanet.work.requests.merging import AcceptedDelta
from jepanet.work.requests.request import OnProgress
from jepanet.work.round_files import OpenedRound

_MOST_ORDERS = 24
"""Other orders of deltas that are tried for a record that no right order gives."""


class _Unusable(Exception):
    """An input is not what the round says; the text begins with which."""


def derive_model(request: DeriveModel, on_progress: OnProgress) -> DerivedModel:
    """Makes a round's model and keeps it if it is the recorded one. Neither data nor torch are needed.

    Raises:
        Rejected: as the readers of recipe and spec.
    """
    request.target.unlink(missing_ok=True)
    try:
        round_ = _round(request)
        way = _way(request, round_)
        remainder = None if request.update else _remainder(request, round_)
        made = _made(request, round_, way, remainder)
    except _Unusable as error:
        return DerivedModel(None, None, None, str(error))
    if made.digest != request.expected:
        return DerivedModel(made.digest, None, None, _cause(request, round_, way, remainder))
    write_atomically(request.target, made.data)
    update = write_beside(made.update, request.update_target)
    left = write_beside(made.remainder, request.remainder_target)
    if request.update is not None:
        update = request.update.digest
    return DerivedModel(made.digest, update, left, "")


def _round(request: DeriveModel) -> OpenedRound:
    recipe = read_recipe(request.round.recipe.read_bytes())
    spec = known_spec(request.round.spec.read_bytes())
    try:
        data = read_capped(request.round.base, model_cap(recipe), "base model")
        if digest_of(data) != spec.base:
            raise _Unusable(f"base: the file of {spec.base.hex()} has another hash")
        return OpenedRound(recipe, spec, load_model(data, recipe))
    except (Rejected, Fatal) as error:
        raise _Unusable(f"base: {error.message}") from error


def _way(request: DeriveModel, round_: OpenedRound) -> Way:
    if request.update is not None:
        try:
            return round_.update(_bytes(request.update, "update"))
        except Rejected as error:
            raise _Unusable(f"{_part(error, 'update')}: {error.message}") from error
    deltas = []
    for item in request.deltas:
        name = f"delta {item.digest.hex()}"
        try:
            deltas.append((item.digest, round_.as_it_counts(round_.delta(_bytes(item, name)))))
        except Rejected as error:
            raise _Unusable(f"{_part(error, 'delta')}: {name}: {error.message}") from error
    if len({digest for digest, _ in deltas}) != len(request.deltas) or not deltas:
        raise _Unusable("delta: there is none, or one is named twice")
    return deltas


def _bytes(item: AcceptedDelta, name: str) -> bytes:
    try:
        return opened(item)
    except OSError as error:
        raise Rejected(f"{name} cannot be read: {error.strerror}", reason="unreadable") from error


def _part(error: Rejected, part: str) -> str:
    return "codec" if error.reason == "bad-codec" else part


def _remainder(request: DeriveModel, round_: OpenedRound) -> Arrays | None:
    try:
        data = request.remainder.read_bytes() if request.remainder else None
        return round_.opened_remainder(data)
    except (Rejected, OSError) as error:
        raise _Unusable(f"remainder: {error}") from error


def _made(request: DeriveModel, round_: OpenedRound, way: Way, remainder: Arrays | None) -> NextModel:
    try:
        return next_model(round_, request.number, way, remainder)
    except Rejected as error:
        raise _Unusable(f"build: {error.message}") from error


def _cause(request: DeriveModel, round_: OpenedRound, way: Way, remainder: Arrays | None) -> str:
    """Which mistake of whoever made the record would explain it; `build` if none that is known does."""
    for cause, other, changed, left in _mistakes(round_, way, remainder):
        try:
            if next_model(other, request.number, changed, left).digest == request.expected:
                return cause
        except Rejected:
            continue
    return (
        "build: base, deltas or update, and remainder are those of the round: this machine computes "
        "differently, or the record is false"
    )


def _mistakes(
    round_: OpenedRound, way: Way, remainder: Arrays | None
) -> Iterator[tuple[str, OpenedRound, Way, Arrays | None]]:
    if not isinstance(way, Sequence):
        return
    deltas = [delta for _, delta in sorted(way, key=lambda item: item[0])]
    for order in islice(permutations(deltas), 1, 1 + _MOST_ORDERS):
        # Digests that put them into this order.
        changed = [(Digest(place.to_bytes(32, "big")), delta) for place, delta in enumerate(order)]
        yield "order: the record adds the deltas in another order than by digest", round_, changed, remainder
    rule = round_.spec.update
    if rule is None:
        return
    if remainder is not None:
        yield "remainder: the record was made without that of the base", round_, way, None
    for codec in CODECS:
        if codec != rule.codec:
            spec = replace(round_.spec, update=replace(rule, codec=codec))
            cause = f"codec: the record codes the update as {codec}, not as {rule.codec}"
            yield cause, replace(round_, spec=spec), way, remainder
