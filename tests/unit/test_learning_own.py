"""Own shards become a dataset: what is dealt where, that nobody can tell, that nothing lies on both sides."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.plan import PUBLIC, plan, sealed_name, training_name
from jepanet.learning.data.on_disk import BuiltDataset, open_built
from jepanet.learning.data.pictures import square
from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.questions import QUESTIONS
from jepanet.learning.data.shards import Shard, load_shard, save_shard
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.spelling import toml_of
from jepanet.learning.sources.own_shards import dataset
from jepanet.learning.sources.own_shards.dataset import environment_of, open_file
from jepanet.learning.sources.own_shards.dealing import Deal, Wanted, dealt
from jepanet.learning.sources.own_shards.likeness import looks_of
from jepanet.operations.own_datasets import split_shards
from jepanet.operations.views.projects import Dataset
from learning_shards import RECIPE as WORLD_RECIPE
from learning_shards import disc_shard
from own_pictures import KINDS, drawn

pytestmark = [pytest.mark.unit, pytest.mark.subprocess]

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))


def _small(recipe: Recipe, **batch: int) -> Recipe:
    """It scores on eight episodes, and a batch is as small."""
    family = replace(recipe.family, **batch)  # type: ignore[type-var]
    return replace(recipe, score=replace(recipe.score, minimum_episodes=8), family=family)


TINY, TEXTS = _small(preset("image-tiny"), images=6), _small(preset("language-tiny"), pairs=3)
USUAL = Wanted(2, 2, 8)


def packed(picture: Image.Image, quality: int | None, side: int = 48) -> np.ndarray:
    """As a file of that quality is read; None: without loss."""
    file = io.BytesIO()
    picture.save(file, "PNG" if quality is None else "JPEG", quality=quality or 75)
    return square("test", file.getvalue(), side)


def pictures(count: int, seed: int = 1) -> Shard:
    generator = np.random.default_rng(seed)
    images = [packed(drawn(KINDS[number % 4], generator), None) for number in range(count)]
    labels = np.arange(count, dtype=np.int32)[:, None]
    return Shard(IMAGES, {"images": np.stack(images), "labels": labels}, (0,) * count, {})


def texts(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> Shard:
    def rows(given: Sequence[Sequence[int]]) -> np.ndarray:
        filled = np.zeros((len(given), max(map(len, given))), np.uint16)
        for row, tokens in enumerate(given):
            filled[row, : len(tokens)] = tokens
        return filled

    return Shard(PAIRS, {"first": rows(first), "second": rows(second)}, (0,) * len(first), {})


def deal(
    *shards: Shard,
    sealed: Sequence[Shard] = (),
    secret: bytes = SECRET,
    recipe: Recipe = TINY,
    wanted: Wanted = USUAL,
) -> Deal:
    looks = [looks_of(shard) for shard in shards], [looks_of(shard) for shard in sealed]
    return dealt(*looks, wanted, recipe, secret, recipe.family.sizes.image)


def places_of(found: Deal) -> dict[str, set[tuple[int, int]]]:
    """Places by the names of shards."""
    return {name: {place for _, place in rows} for name, rows in found.rows.items()}


# ------------------------------------------------------------------ what is alike


def as_shard(images: Sequence[np.ndarray]) -> Shard:
    labels = np.zeros((len(images), 1), np.int32)
    return Shard(IMAGES, {"images": np.stack(images), "labels": labels}, (0,) * len(images), {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_is_packed_lighter_or_larger_is_nearly_the_same(kind: str) -> None:
    picture, lighter = drawn(kind, np.random.default_rng(7)), np.int64(4)
    own = packed(picture, None)
    near = [
        packed(picture, 90),
        packed(picture, 70),
        packed(picture.resize((160, 160)), None),
        np.clip(own + lighter, 0, 255).astype(np.uint8),
    ]
    looks = looks_of(as_shard([own, *near]))
    assert looks.counted_in(looks.chosen([0])).tolist() == [1] * 5 and len(set(looks.contents)) == 5


def test_different_pictures_are_hardly_ever_nearly_the_same() -> None:
    looks = looks_of(pictures(400))
    assert (looks.counted_in(looks) == 1).sum() > 396


def test_pairs_of_one_first_text_are_nearly_the_same_however_wide_their_arrays() -> None:
    narrow = looks_of(texts([[5, 6], [7, 8]], [[1], [1]]))
    wide = looks_of(texts([[5, 6], [5, 6], [7, 8, 9, 9]], [[1], [2], [1]]))
    assert narrow.counted_in(wide).tolist() == [2, 0] and wide.counted_in(narrow).tolist() == [1, 1, 0]
    assert narrow.contents[0] == wide.contents[0] != wide.contents[1]


def test_a_picture_with_another_caption_shows_the_same() -> None:
    images = np.repeat(pictures(1).array("images"), 2, axis=0)
    queries, answers = np.ones((2, 1, 3), np.uint16), np.array([[[1, 2]], [[3, 4]]], np.uint16)
    shard = Shard(QUESTIONS, {"images": images, "queries": queries, "answers": answers}, (0, 0), {})
    assert len(set(looks_of(shard).contents)) == 1


# ------------------------------------------------------------------ what is dealt where


def test_everything_lies_in_one_shard_and_sealed_shards_have_as_many_of_every_file() -> None:
    found = deal(pictures(90, 1), pictures(60, 2), pictures(60, 3), wanted=Wanted(3, 4, 9))
    places = places_of(found)
    assert set(places) == {PUBLIC, *map(sealed_name, range(4)), *map(training_name, range(3))}
    assert sum(map(len, places.values())) == len(set.union(*places.values()))
    assert sum(map(len, places.values())) + found.left_out == 210
    for index in range(4):
        rows = found.rows[sealed_name(index)]
        assert [sum(place[0] == file for _, place in rows) for file in range(3)] == [3, 3, 3]
        assert {(site, place[0]) for site, place in rows} == {(1000, 0), (1001, 1), (1002, 2)}
    files = [{place[0] for place in places[training_name(site)]} for site in range(3)]
    assert files == [{0, 1, 2}] * 3, "sites mix"


def test_attack_copies_and_near_copies_never_lie_on_both_sides() -> None:
    """Half of the pictures are there as they are, again, and packed anew: what is sealed has no copy."""
    alone, double = pictures(60, 1).array("images"), pictures(60, 2).array("images")
    near = np.clip(double + np.int64(3), 0, 255).astype(np.uint8)
    whole = as_shard([*alone, *double, *near, *double])
    looks = looks_of(whole)
    for secret in (SECRET, OTHER, bytes(32)):
        found = deal(whole, secret=secret, wanted=Wanted(2, 3, 16))
        both = dict[bool, list[int]]({True: [], False: []})
        for name, there in places_of(found).items():
            both[name.startswith("sealed")] += [row for _, row in there]
        assert set(both[True]) <= set(range(60)) and len(both[True]) == 48
        assert not looks.chosen(both[True]).counted_in(looks.chosen(both[False])).any()
        assert len({looks.contents[row] for row in both[False]}) == len(both[False])


def test_sealed_files_alone_are_sealed_but_for_what_resembles_the_others() -> None:
    shared, apart = pictures(80, 1), pictures(40, 2)
    images = apart.array("images").copy()
    images[:5], images[5:8] = shared.array("images")[:5], images[10:13]
    found = deal(shared, sealed=[apart.with_arrays(images=images)], wanted=Wanted(2, 2, None))
    for name, places in places_of(found).items():
        assert {file for file, _ in places} == ({1} if name.startswith("sealed") else {0})
    assert found.sizes.evaluation_episodes == 16 and found.left_out == 5 + 3 + (40 - 8 - 32)


@pytest.mark.parametrize(
    ("count", "wanted", "says"),
    [
        (40, Wanted(2, 4, None), "32 images for 4 sealed shards of 8, and 18 for 2 training shards and a "
                                 "public one of 6; there are 40 that differ"),
        (40, Wanted(2, 2, 20), "40 images for 2 sealed shards of 20"),
        (20, Wanted(8, 1, None), "8 images for 1 sealed shards of 8, and 54 for 8 training"),
    ],
)  # fmt: skip
def test_too_few_things_say_how_many_are_wanted(count: int, wanted: Wanted, says: str) -> None:
    with pytest.raises(Fatal, match="wants") as caught:
        deal(pictures(count), wanted=wanted)
    assert says in caught.value.message and "--rounds" in (caught.value.remedy or "")
    assert caught.value.code is Exit.DATASET


def test_copies_do_not_count_for_what_is_to_be_sealed() -> None:
    images = pictures(30).array("images")
    near = np.clip(images + np.int64(3), 0, 255).astype(np.uint8)
    with pytest.raises(Fatal, match="there are 60 that differ, and 0 to seal that resemble no other"):
        deal(as_shard([*images, *near]))


def test_a_sealed_shard_below_what_the_recipe_scores_on_is_refused() -> None:
    with pytest.raises(Fatal, match="--each 4 is too few: recipe 'image-tiny' scores on 8 or more"):
        deal(pictures(60), wanted=Wanted(2, 2, 4))


# ------------------------------------------------------------------ the dataset


def built(
    tmp_path: Path, *shards: Shard, recipe: Recipe = TINY, secret: bytes | None = SECRET, **options: object
) -> tuple[Dataset, BuiltDataset]:
    (tmp_path / "recipe.toml").write_text(toml_of(recipe))
    paths = [tmp_path / f"{index}.safetensors" for index in range(len(shards))]
    for path, shard in zip(paths, shards, strict=True):
        save_shard(path, shard)
    given: Mapping[str, object] = {
        "recipe": str(tmp_path / "recipe.toml"), "sites": 2, "rounds": 2, "each": 8, "sealed": (),
        "licence": "MIT", "workers": 1, "evaluation_seed": secret, "progress": None, **options,
    }  # fmt: skip
    made = split_shards(paths, tmp_path / "out", **given)  # type: ignore[arg-type]
    return made, open_built(tmp_path / "out")


def test_attack_what_is_sealed_does_not_follow_from_the_manifest(tmp_path: Path) -> None:
    """Whoever has the files deals them by what is published; by the same secret one gets the same."""
    shard = pictures(80)
    made, found = built(tmp_path, shard)
    assert made.note is not None and "whoever has these files" in made.note
    rows = {image.tobytes(): row for row, image in enumerate(shard.array("images"))}

    def of(path: Path) -> set[int]:
        return {rows[image.tobytes()] for image in load_shard(path).array("images")}

    sealed = set.union(*(of(found.evaluation_path(index)) for index in range(2)))
    published = set.union(of(found.public_path), *(of(found.training_path(index)) for index in range(2)))
    assert not sealed & published and sealed | published <= set(range(80))
    header = load_shard(found.training_path(0)).header

    def guess(secret: bytes) -> set[int]:
        places = places_of(deal(shard, secret=secret))
        return {row for name, there in places.items() if name.startswith("sealed") for _, row in there}

    assert guess(SECRET) == sealed
    seeds = (
        found.manifest.seed,
        found.manifest.public.digest,
        bytes(32),
        bytes.fromhex(str(header["build"])),
    )
    assert all(guess(seed) != sealed for seed in seeds)
    assert SECRET.hex() not in found.manifest.to_bytes().decode()


def test_a_build_is_taken_up_and_kept_and_other_files_are_refused(tmp_path: Path) -> None:
    made, found = built(tmp_path, pictures(80), secret=None)
    again, same = built(tmp_path, pictures(80), secret=None)
    assert made == again and found.manifest == same.manifest
    found.training_path(0).write_bytes(b"damaged")
    assert built(tmp_path, pictures(80), secret=None)[1].manifest == found.manifest
    with pytest.raises(Fatal, match="another seed"):
        built(tmp_path, pictures(80, 2), secret=None)


def test_a_dataset_that_sealed_another_file_is_not_taken_for_this_one(tmp_path: Path) -> None:
    apart = [tmp_path / "one", tmp_path / "two"]
    for seed, path in enumerate(apart, 5):
        save_shard(path, pictures(40, seed))
    made, found = built(tmp_path, pictures(80), secret=None, sealed=(apart[0],))
    assert "whoever" not in (made.note or "")
    with pytest.raises(Fatal, match="hold other data"):
        built(tmp_path, pictures(80), secret=None, sealed=(apart[1],))
    assert open_built(tmp_path / "out").sealed == found.sealed


def test_texts_of_several_widths_are_one_dataset(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)

    def some(longest: int) -> Shard:
        lengths = [longest, *generator.integers(1, longest + 1, 39).tolist()]
        first = [generator.integers(1, 900, length + 2).tolist() for length in lengths]
        return texts(first, [generator.integers(1, 900, 3).tolist() for _ in lengths])

    _, found = built(tmp_path, some(5), some(9), recipe=TEXTS)
    assert found.manifest.data == PAIRS.name and found.manifest.licence == "MIT"
    assert load_shard(found.evaluation_path(1)).array("first").shape == (8, 11)
    assert found.manifest.evaluation.sites == (1000, 1001)


def test_pictures_with_texts_keep_their_vocabulary(tmp_path: Path) -> None:
    recipe = _small(preset("vision-language-tiny"), scenes=4)
    generator = np.random.default_rng(4)
    images = [packed(drawn(KINDS[number % 4], generator), None, 56) for number in range(60)]
    arrays = {
        "images": np.stack(images),
        "queries": generator.integers(1, 20, (60, 5, 3)).astype(np.uint16),
        "answers": generator.integers(1, 20, (60, 5, 2)).astype(np.uint16),
    }
    _, found = built(tmp_path, Shard(QUESTIONS, arrays, (0,) * 60, {"vocabulary": "abc"}), recipe=recipe)
    assert load_shard(found.evaluation_path(0)).header["vocabulary"] == "abc"
    assert found.manifest.parameters["image"] == 56


@pytest.mark.parametrize(
    ("shards", "options", "says"),
    [
        ([texts([[1]], [[1]])], {}, "trains on images"),
        ([pictures(60)], {"licence": ""}, "a licence has 1 to 400"),
        ([pictures(60)], {"licence": "a\x1bb"}, "a licence has 1 to 400"),
    ],
)
def test_what_cannot_be_dealt_is_refused_by_name(
    tmp_path: Path, shards: list[Shard], options: dict[str, object], says: str
) -> None:
    with pytest.raises(Fatal, match=says) as caught:
        built(tmp_path, *shards, **options)
    assert caught.value.remedy and not (tmp_path / "out").exists()


def test_recorded_episodes_are_dealt_by_recording_elsewhere(tmp_path: Path) -> None:
    save_shard(tmp_path / "episodes", disc_shard(1))
    with pytest.raises(Fatal, match="recorded episodes, whose frames follow each other") as caught:
        open_file(tmp_path / "episodes", WORLD_RECIPE)
    assert "dataset lerobot" in (caught.value.remedy or "")


def test_attack_a_file_that_is_too_large_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_shard(tmp_path / "large", pictures(20))
    monkeypatch.setattr(dataset, "MAX_SHARD_BYTES", 1000)
    with pytest.raises(Fatal, match="has more than 1000 bytes"):
        open_file(tmp_path / "large", TINY)


def test_a_file_that_is_changed_meanwhile_is_not_dealt(tmp_path: Path) -> None:
    save_shard(tmp_path / "a", pictures(60))
    file = open_file(tmp_path / "a", TINY)
    found = deal(file.shard)
    environment = environment_of((file,), found, "MIT", SECRET)
    save_shard(tmp_path / "a", pictures(60, 2))
    with pytest.raises(Fatal, match="was changed meanwhile"):
        environment.record(plan(environment, found.sizes, bytes(32), SECRET)[PUBLIC])


def test_tokens_of_several_vocabularies_are_refused(tmp_path: Path) -> None:
    shard = texts([[1, number] for number in range(1, 60)], [[1]] * 59)
    for name, vocabulary in (("a", "one"), ("b", "two")):
        save_shard(tmp_path / name, replace(shard, header={"vocabulary": vocabulary}))
    files = tuple(open_file(tmp_path / name, TEXTS) for name in ("a", "b"))
    with pytest.raises(Fatal, match="several vocabularies"):
        environment_of(files, deal(*(file.shard for file in files[:1]), recipe=TEXTS), "MIT", SECRET)


def test_a_look_is_of_what_is_scored() -> None:
    shard = pictures(4)
    other = shard.with_arrays(labels=shard.array("labels") + 1)
    assert looks_of(shard).contents == looks_of(other).contents
