"""A model as arrays, read from a file whose every tensor is checked against its recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from jepanet.cid import digest_of, parse_digest, to_cid
from jepanet.errors import Exit, Fatal
from jepanet.files import read_capped
from jepanet.learning import model_file
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.tensors import Arrays
from jepanet.types import Digest


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model and what its file says of it.

    weights: float32 by name, read-only, of the recipe's shapes. digest: CID of the file. round: of the
    project, 0 for a first model. parent: CID of the model that it was merged from, None for a first model.
    """

    weights: Arrays = field(repr=False)
    recipe: Recipe = field(repr=False)
    digest: str
    round: int
    parent: str | None

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return self.recipe.parameters()


def load_model(
    file: str | PathLike[str], *, recipe: str | PathLike[str] | Recipe, digest: str | None = None
) -> Model:
    """The model in a file.

    recipe: a preset's name, a recipe's file in TOML or JSON, or a recipe. digest: the CID, or 64 hex digits,
    that the file must have; None takes any.

    Raises:
        Fatal: no such recipe (exit code `USAGE`); no such file (`NOT_FOUND`); another digest
            (`VERIFICATION_FAILED`).
        Rejected: `digest` is none; or it is no model of this recipe: `too-large`, `truncated`,
            `malformed`, `not-canonical`, `wrong-recipe`, `wrong-shape` or `non-finite`.
    """
    path = Path(file)
    chosen = recipe if isinstance(recipe, Recipe) else recipe_named(str(recipe))
    wanted = None if digest is None else parse_digest(digest)
    if not path.is_file():
        raise Fatal(f"there is no file {path}", remedy="name a model's file", code=Exit.NOT_FOUND)
    return model_of(read_capped(path, model_file.model_cap(chosen), "model"), chosen, wanted)


def model_of(data: bytes, recipe: Recipe, wanted: Digest | None = None) -> Model:
    """The model in the bytes of a file, which must have the digest `wanted` if there is one.

    Raises: as `load_model`.
    """
    digest = digest_of(data)
    if wanted is not None and digest != wanted:
        raise Fatal(
            f"the model's digest is {to_cid(digest)}, not {to_cid(wanted)}",
            remedy="get the file anew, from somebody else",
            code=Exit.VERIFICATION_FAILED,
        )
    model = model_file.load_model(data, recipe)
    header = model.header
    parent = None if header.parent is None else to_cid(header.parent)
    return Model(model.weights, recipe, to_cid(digest), header.round, parent)
