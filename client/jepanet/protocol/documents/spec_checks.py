"""What a round's spec has to be beside well formed: something that this program can do, and of its round."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.types import ProjectId

USUAL_PAY = 1000
"""Thousandths of the round's median pay: the least to which a delta's may be limited."""
USUAL_LENGTH = 1000
"""Thousandths of the round's median norm: the least to which deltas may be shortened."""


@dataclass(frozen=True, slots=True)
class Methods:
    """Codecs and merge rules that this program has, by name; messages list them in this order."""

    codecs: tuple[str, ...]
    merge_rules: tuple[str, ...]


def check_methods(spec: RoundSpec, methods: Methods) -> None:
    """Holds a spec against what this program can do: nobody opens, joins or judges a round that it cannot.

    Raises:
        Rejected: reason `bad-field`; an unknown codec or merge rule, or a limit that shortens deltas of the
            usual length: what is measured of a part would be paid as if it were the whole.
    """
    if 0 < spec.norms.longest_milli < USUAL_LENGTH:
        raise Rejected(
            f"round spec: norms.longest_milli must be 0 or at least {USUAL_LENGTH}, not "
            f"{spec.norms.longest_milli}",
            reason="bad-field",
            remedy=f"write 0 or {USUAL_LENGTH} for norms.longest_milli",
        )
    if 0 < spec.norms.to_reference_milli < USUAL_LENGTH:
        raise Rejected(
            f"round spec: norms.to_reference_milli must be 0 or at least {USUAL_LENGTH}, not "
            f"{spec.norms.to_reference_milli}",
            reason="bad-field",
            remedy=f"write 0 or {USUAL_LENGTH} for it",
        )
    if spec.norms.reference_nano and not spec.norms.to_reference_milli:
        raise Rejected(
            "round spec: norms.reference_nano without norms.to_reference_milli",
            reason="bad-field",
            remedy="leave both out, or neither",
        )
    if 0 < spec.pay_to_median_milli < USUAL_PAY:
        raise Rejected(
            f"round spec: pay_to_median_milli must be 0 or at least {USUAL_PAY}, not "
            f"{spec.pay_to_median_milli}",
            reason="bad-field",
            remedy=f"write 0 or {USUAL_PAY} for it",
        )
    if (spec.usual_follows and not spec.pay_to_median_milli) or (spec.usual_worth and not spec.usual_follows):
        raise Rejected(
            "round spec: usual_worth goes with usual_follows, and that with pay_to_median_milli",
            reason="bad-field",
            remedy="write all of them, or neither of the first two",
        )
    if spec.usual_count and not spec.usual_worth:
        raise Rejected(
            "round spec: usual_count goes with usual_worth", reason="bad-field", remedy="leave it out"
        )
    named = [("codec", spec.codec, methods.codecs), ("merge.rule", spec.merge.rule, methods.merge_rules)]
    if spec.update is not None:
        named.append(("update.codec", spec.update.codec, methods.codecs))
    for key, name, known in named:
        if name not in known:
            wanted = f"one of {', '.join(known)}"
            raise Rejected(
                f"round spec: {key} must be {wanted}, not {name!r}",
                reason="bad-field",
                remedy=f"write {wanted} for {key}",
            )


def check_spec(spec: RoundSpec, *, project: ProjectId, base: bytes, recipe: bytes, dataset: bytes) -> None:
    """Holds a published spec against what the chain says of its round and project.

    Raises:
        Rejected: reason `wrong-spec`; the spec names another project, base, recipe or dataset.
    """
    for name, said, known in (
        ("project", spec.project, project),
        ("base", spec.base, base),
        ("recipe", spec.recipe, recipe),
        ("dataset", spec.dataset, dataset),
    ):
        if said != known:
            raise Rejected(f"the round's spec names another {name} than the chain", reason="wrong-spec")
