"""The files of one round, opened: what every job about a round begins with."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.contract import Schema
from jepanet.federation.deltas.delta import decode_delta, most_file_bytes, schema_of
from jepanet.federation.merging.lengths import no_longer, reference_length
from jepanet.federation.merging.update_files import Update, decode_remainder, decode_update
from jepanet.learning.model_file import Model, load_model
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.tensors import Arrays
from jepanet.types import Digest
from jepanet.work.methods import known_spec
from jepanet.work.requests.files import RoundFiles


@dataclass(frozen=True, slots=True)
class OpenedRound:
    """Recipe, spec and base model of a round. The weights were checked against the recipe on opening."""

    recipe: Recipe
    spec: RoundSpec
    base: Model

    @property
    def schema(self) -> Schema:
        return schema_of(self.base.weights)

    def delta(self, data: bytes) -> Arrays:
        """The delta in a file of this round. Raises: Rejected as `decode_delta`."""
        return decode_delta(
            data,
            schema=self.schema,
            max_bytes=self.spec.max_delta_bytes,
            base=self.spec.base,
            recipe=self.spec.recipe,
            codec=self.spec.codec,
            frozen=self.recipe.family.frozen,
            audited=self.spec.audit is not None,
        )

    def as_it_counts(self, delta: Arrays) -> Arrays:
        """A delta as it is measured and merged: no longer than the round's reference allows, if any."""
        norms = self.spec.norms
        if not norms.referred:
            return delta
        base = self.base.weights
        return no_longer(delta, reference_length(base, norms.reference_nano, norms.to_reference_milli))

    def update(self, data: bytes) -> Update:
        """The coded update in a file of this round.

        Raises:
            Rejected: as `decode_update`, or `no-update-rule`.
        """
        rule = self.spec.update
        if rule is None:
            raise Rejected("the round's spec has no update rule", reason="no-update-rule")
        return decode_update(
            data,
            schema=self.schema,
            max_bytes=most_file_bytes(self.schema, rule.codec),
            base=self.spec.base,
            recipe=self.spec.recipe,
            codec=rule.codec,
            carries=rule.carry_milli > 0,
        )

    @property
    def remainder(self) -> Digest | None:
        """Of the file that a merge of this round takes beside the deltas; None where it takes none."""
        rule = self.spec.update
        return self.base.header.remainder if rule is not None and rule.carry_milli else None

    def opened_remainder(self, data: bytes | None) -> Arrays | None:
        """What is in the file of `remainder`; None where there is none, whatever is given.

        Raises:
            Rejected: reason `no-remainder`, `hash-mismatch`, or as `decode_remainder`.
        """
        parent = self.base.header.parent
        if self.remainder is None or parent is None:
            return None
        if data is None:
            raise Rejected(
                f"the merge takes remainder {self.remainder.hex()} of the base, and it is not here",
                reason="no-remainder",
            )
        if digest_of(data) != self.remainder:
            raise Rejected(
                f"the file of remainder {self.remainder.hex()} has another hash", reason="hash-mismatch"
            )
        return decode_remainder(data, schema=self.schema, base=parent, recipe=self.spec.recipe)


def open_round(files: RoundFiles) -> OpenedRound:
    """Raises: Rejected as the readers of recipe, spec and model."""
    recipe = read_recipe(files.recipe.read_bytes())
    spec = known_spec(files.spec.read_bytes())
    return OpenedRound(recipe, spec, load_model(files.base, recipe))
