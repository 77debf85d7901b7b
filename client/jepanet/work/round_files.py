"""The files of one round, opened: what every job about a round begins with."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.federation.deltas.delta import Schema, decode_delta, schema_of
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.checkpoint import Model, load_model
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.tensors import Arrays
from jepanet.work.methods import known_spec
from jepanet.work.requests import RoundFiles


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
        )


def open_round(files: RoundFiles) -> OpenedRound:
    """Raises: Rejected as the readers of recipe, spec and model."""
    recipe = read_recipe(files.recipe.read_bytes())
    spec = known_spec(files.spec.read_bytes())
    return OpenedRound(recipe, spec, load_model(files.base, recipe))
