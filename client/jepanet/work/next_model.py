"""The next model of a round: from its accepted deltas, or from the coded update of whoever merged them.

    deltas ──▶ merged ──▶ outer step ──────────────────────────────▶ weights, velocity     no update rule
    deltas ──▶ merged ──▶ outer step ──▶ coded ──▶ update, remainder ─▶ weights, velocity  with one
                                         update file ───────────────▶ weights, velocity

Everybody who makes a round's model goes through `next_model`: who merges, repeats, derives or verifies. None
of it needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader
from jepanet.federation.judging.judge import merge
from jepanet.federation.merging.coded import CodedStep, apply_update, coded_step
from jepanet.federation.merging.rules import combined
from jepanet.federation.merging.update_files import Update, remainder_bytes, update_bytes
from jepanet.files import write_atomically
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.protocol.documents.spec import UpdateRule
from jepanet.tensors import Arrays
from jepanet.types import Digest, RoundId
from jepanet.work.requests.merging import AcceptedDelta
from jepanet.work.round_files import OpenedRound

Way = Sequence[tuple[Digest, Arrays]] | Update
"""What leads from a base to the next model: the accepted deltas, in any order, or their coded update."""


@dataclass(frozen=True, slots=True)
class NextModel:
    """A round's new model. The same bytes on every CPU, whichever way led to it."""

    weights: Arrays
    data: bytes
    """The model file."""
    update: bytes | None = None
    """The file of the coded update, where deltas were merged under an update rule."""
    remainder: bytes | None = None
    """The file of what its code left out, where that is carried on."""

    @property
    def digest(self) -> Digest:
        return digest_of(self.data)


def next_weights(
    round_: OpenedRound, way: Sequence[tuple[Digest, Arrays]], remainder: Arrays | None
) -> Arrays:
    """The weights alone that `next_model` makes of deltas. Raises: as it."""
    if round_.spec.update is None:
        return _merged(round_, way)[0]
    return _coded(round_, round_.spec.update, way, remainder).weights


def next_model(round_: OpenedRound, number: RoundId, way: Way, remainder: Arrays | None = None) -> NextModel:
    """The model that a round makes of its base. `remainder`: that of the base, where deltas are merged.

    Raises:
        ValueError: no deltas, or one twice.
        Rejected: reason `non-finite`; no code can hold the step.
    """
    spec, base = round_.spec, round_.base
    lr, momentum = spec.merge.outer_lr_milli, spec.merge.outer_momentum_milli
    if isinstance(way, Update):
        weights, velocity = apply_update(
            base.weights, way.values, base.velocity, lr_milli=lr, momentum_milli=momentum
        )
        return NextModel(weights, _file(round_, number, weights, velocity, way.remainder))
    rule = spec.update
    if rule is None:
        weights, velocity = _merged(round_, way)
        return NextModel(weights, _file(round_, number, weights, velocity, None))
    made = _coded(round_, rule, way, remainder)
    header = DeltaHeader(spec.base, spec.recipe)
    left = None if made.remainder is None else remainder_bytes(made.remainder, header)
    named = None if left is None else digest_of(left)
    return NextModel(
        made.weights,
        _file(round_, number, made.weights, made.velocity, named),
        update_bytes(made.parts, header, rule.codec, named),
        left,
    )


def _merged(round_: OpenedRound, way: Sequence[tuple[Digest, Arrays]]) -> tuple[Arrays, Arrays]:
    spec, base = round_.spec, round_.base
    return merge(
        base.weights,
        base.velocity,
        way,
        rule=spec.merge.rule,
        longest_milli=spec.norms.to_own_median_milli,
        lr_milli=spec.merge.outer_lr_milli,
        momentum_milli=spec.merge.outer_momentum_milli,
    )


def _coded(
    round_: OpenedRound, rule: UpdateRule, way: Sequence[tuple[Digest, Arrays]], remainder: Arrays | None
) -> CodedStep:
    spec, base = round_.spec, round_.base
    return coded_step(
        base.weights,
        combined(way, spec.merge.rule, spec.norms.to_own_median_milli),
        base.velocity,
        remainder,
        codec=rule.codec,
        carry_milli=rule.carry_milli,
        lr_milli=spec.merge.outer_lr_milli,
        momentum_milli=spec.merge.outer_momentum_milli,
    )


def _file(
    round_: OpenedRound, number: RoundId, weights: Arrays, velocity: Arrays | None, remainder: Digest | None
) -> bytes:
    header = ModelHeader.of(round_.recipe, number, round_.spec.base, remainder)
    return model_bytes(weights, header, velocity)


def opened(item: AcceptedDelta) -> bytes:
    """The bytes of a delta or update. Raises: Rejected (`hash-mismatch`)."""
    data = item.path.read_bytes()
    if digest_of(data) != item.digest:
        raise Rejected(f"the file of {item.digest.hex()} has another hash", reason="hash-mismatch")
    return data


def write_beside(data: bytes | None, target: Path | None) -> Digest | None:
    """Writes what was made beside the model, where it was and is wanted; its digest in any case."""
    if data is None:
        return None
    if target is not None:
        write_atomically(target, data)
    return digest_of(data)
