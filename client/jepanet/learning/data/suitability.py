"""Whether a dataset can serve a recipe: asked before anybody trains, stakes or waits for a score."""

from __future__ import annotations

from jepanet.errors import Rejected
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.data.on_disk import BuiltDataset
from jepanet.learning.data.scorable import check_scorable
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.recipe import Recipe


def _unsuitable(why: str, remedy: str | None = None) -> Rejected:
    return Rejected(why, reason="unsuitable-dataset", remedy=remedy)


def check_manifest(manifest: DatasetManifest, recipe: Recipe) -> None:
    """What the manifest alone says: whether its evaluation shards can be scored, its episodes be trained on.

    Raises:
        Rejected: reason `unsuitable-dataset`.
    """
    data = recipe.family.schema.name
    if manifest.data != data:
        raise _unsuitable(f"the dataset holds {manifest.data}, and recipe {recipe.name!r} trains on {data}")
    if recipe.aligns and manifest.probe is None:
        raise _unsuitable(
            f"by recipe {recipe.name!r} solvers compare frames of reference: the dataset has no probe for it",
            "choose a recipe whose align_above is 180",
        )
    episodes, wanted = manifest.evaluation.episodes, recipe.score.minimum_episodes
    if episodes < wanted:
        raise _unsuitable(
            f"evaluation shards have {episodes} episodes and recipe {recipe.name!r} scores on {wanted} "
            "or more",
            f"build the dataset with --size evaluation_episodes={wanted} or more",
        )
    window = recipe.family.sizes.window
    frames = manifest.parameters.get("frames", window)
    if frames < window:
        raise _unsuitable(
            f"episodes have {frames} frames and recipe {recipe.name!r} trains on windows of {window}",
            f"build the dataset with --size frames={window} or more",
        )


def check_evaluation(shard: Shard, manifest: DatasetManifest, recipe: Recipe) -> None:
    """An evaluation shard is what its manifest announced, and can be scored.

    Raises:
        Rejected: `unsuitable-dataset`, or as `check_scorable`.
    """
    if set(shard.site) != set(manifest.evaluation.sites) or shard.episodes != manifest.evaluation.episodes:
        raise _unsuitable(
            f"the evaluation shard holds {shard.episodes} episodes of sites {_named(set(shard.site))}; its "
            f"manifest announces {manifest.evaluation.episodes} of {_named(set(manifest.evaluation.sites))}"
        )
    check_scorable(shard, minimum=recipe.score.minimum_episodes)


def check_shards(built: BuiltDataset, recipe: Recipe) -> None:
    """Reads every shard of a dataset on disk: lengths, actions, and that nobody trains where it is evaluated.

    Raises:
        Rejected: as above, or what `load_shard` refuses.
    """
    manifest = built.manifest
    check_manifest(manifest, recipe)
    trained: set[int] = set()
    paths = [built.training_path(index) for index in range(len(manifest.training))]
    for path in (*paths, built.public_path):
        shard = load_shard(path)
        recipe.family.check_shard(shard)
        trained |= set(shard.site)
        if shard.length < recipe.family.sizes.window:
            raise _unsuitable(
                f"{path.name}: episodes of {shard.length} frames, and recipe {recipe.name!r} trains on "
                f"windows of {recipe.family.sizes.window}"
            )
    if manifest.probe is not None:
        recipe.family.check_shard(load_shard(built.probe_path))
    digests = [sealed.digest for sealed in built.sealed]
    for sealed in built.sealed:
        if digests.count(sealed.digest) > 1:  # the contract refuses the second, and the unseal bond is lost
            raise _unsuitable(f"{sealed.path.name}: another sealed shard holds the same data")
        shard = load_shard(sealed.path)
        recipe.family.check_shard(shard)
        check_evaluation(shard, manifest, recipe)
        if shared := trained & set(shard.site):
            raise _unsuitable(f"{sealed.path.name}: sites {_named(shared)} are trained on as well")


def _named(sites: set[int]) -> str:
    shown = sorted(sites)
    return ", ".join(map(str, shown[:8])) + (", ..." if len(shown) > 8 else "")
