"""`jepanet recipe from-backbone`, `jepanet dataset pairs`, `jepanet dataset tokenizer`: models of others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jepanet.cid import digest_of, to_cid
from jepanet.errors import Exit, Fatal
from jepanet.files import check_writable, write_atomically
from jepanet.learning.backbone_file import ENDING, backbone_bytes
from jepanet.learning.data.own_texts import Numbering, pairs_shard, texts_of
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.pretrained.folder import Pretrained
from jepanet.learning.pretrained.recipe import Adapting, Wanted, adapted, beginning, recipe_from
from jepanet.learning.pretrained.tokenizer import FILE, learnt_tokenizer, tokenizer_at
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.recipes.spelling import toml_of
from jepanet.operations.views.recipes import BackboneWritten, PairsWritten, TokenizerWritten

_SEED = digest_of(b"jepanet adapters")
"""Of the adapters that a first model begins with: they are the backbone, whatever they are drawn from."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the operator says of a backbone's recipe."""

    name: str
    context: int
    latent: int
    border: int | None = None
    """Token that begins and ends a text; None: as the model's configuration says."""
    rank: int | None = None
    """Of adapters; None: the whole model is trained."""
    alpha: float | None = None
    targets: tuple[str, ...] | None = None
    """None for the usual ones."""


def recipe_from_backbone(source: Path, folder: Path, chosen: Chosen) -> BackboneWritten:
    """Writes a recipe and its first model, and beside adapters the file of the backbone.

    Raises:
        Fatal: the source is no backbone, or the folder cannot be written (exit code `CONFIG`).
    """
    place = Pretrained.at(source)
    recipe = recipe_from(place, Wanted(chosen.name, chosen.context, chosen.latent, chosen.border))
    weights = beginning(recipe, found := place.weights())
    check_writable(folder)
    file, digest = None, None
    if chosen.rank is not None:
        data = backbone_bytes(found)
        digest = digest_of(data)
        file = folder / f"{digest.hex()}{ENDING}"
        write_atomically(file, data)
        recipe = adapted(recipe, digest.hex(), Adapting(chosen.rank, chosen.alpha, chosen.targets))
        weights = recipe.family.initial_weights(_SEED)
    model, name = model_bytes(weights, ModelHeader.of(recipe, 0)), chosen.name
    write_atomically(folder / f"{name}.toml", toml_of(recipe).encode())
    write_atomically(folder / f"{name}.model", model)
    return BackboneWritten(
        recipe=folder / f"{name}.toml",
        recipe_cid=to_cid(recipe.digest()),
        model=folder / f"{name}.model",
        model_cid=to_cid(digest_of(model)),
        parameters=recipe.parameters(),
        backbone=file,
        backbone_cid=None if digest is None else to_cid(digest),
    )


def write_pairs(
    source: Path, path: Path, *, tokenizer: Path, recipe: str, longest: int | None, keys: tuple[str, str]
) -> PairsWritten:
    """Writes a shard of a file of JSON lines, in the tokens of a recipe's model.

    Raises:
        Fatal: as `pairs_shard`, `tokenizer_at` and `recipe_named`; the recipe predicts no tokens (`USAGE`).
    """
    read = recipe_named(recipe)
    sizes = read.family.sizes
    if sizes.vocabulary is None:
        raise Fatal(f"recipe {read.name!r} trains on no texts", remedy="name another recipe", code=Exit.USAGE)
    most = sizes.longest if longest is None else min(longest, sizes.longest)
    made = pairs_shard(
        source, tokenizer_at(tokenizer), Numbering(sizes.vocabulary, sizes.border, most), keys
    )  # fmt: skip
    read.family.check_shard(made.shard)
    digest = save_shard(path, made.shard)
    return PairsWritten(path, made.shard.episodes, made.left_out, path.stat().st_size, to_cid(digest))


def write_tokenizer(source: Path, folder: Path, *, size: int, keys: tuple[str, str]) -> TokenizerWritten:
    """Writes `tokenizer.json`, learnt from the texts of a file of JSON lines.

    Raises:
        Fatal: as `pairs_shard`; the folder cannot be written (exit code `CONFIG`).
    """
    check_writable(folder)
    text = learnt_tokenizer(texts_of(source, keys), size)
    write_atomically(folder / FILE, text.encode())
    return TokenizerWritten(folder / FILE, size)
