"""A proposer's own shards as what the builder of datasets records: rows of files, as they were dealt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import read_capped
from jepanet.learning.data.building.plan import Environment, Layout
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.data.shards import MAX_SHARD_BYTES, Shard, check_schema, load_shard
from jepanet.learning.data.sizes import Counts
from jepanet.learning.recipe import Recipe
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE, PROBE_SITE
from jepanet.learning.sources.own_shards.dealing import Deal, Place

BUILDER_VERSION = 1
"""Raised whenever the same files, sizes and secret would give other bytes."""
VOCABULARY = "vocabulary"
"""In a shard's header: the digest of the pairs that its tokens are joined by."""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One of a proposer's files, and the digest it had when it was read."""

    path: Path
    digest: bytes
    shard: Shard


def open_file(path: Path, recipe: Recipe) -> OwnFile:
    """Reads a shard that is to be dealt, and asks the recipe whether it can train on such things.

    Raises:
        Fatal: missing (`NOT_FOUND`), no shard, one of recorded episodes, or none for the recipe (`DATASET`).
    """
    try:
        data = read_capped(path, MAX_SHARD_BYTES, "shard")
        shard = load_shard(data)
        check_schema(shard, recipe.family.schema)
        recipe.family.check_shard(shard)
    except Rejected as error:
        raise _refused(f"{path}: {error.message}", error.remedy) from error
    if shard.schema.state is not None:
        raise _refused(
            f"{path} holds recorded {shard.schema.name}, whose frames follow each other",
            "make a dataset of a robot's recordings by `jepanet dataset lerobot`",
        )
    return OwnFile(path, hashlib.sha256(data).digest(), shard)


def _refused(why: str, remedy: str | None = None) -> Fatal:
    usual = "name files of `jepanet dataset pictures`, `captions` or `pairs`, and the recipe they are for"
    return Fatal(why, remedy=remedy or usual, code=Exit.DATASET)


def environment_of(files: tuple[OwnFile, ...], deal: Deal, licence: str, secret: bytes) -> Environment:
    """What the builder needs.

    Raises:
        Fatal: files whose tokens have other vocabularies, or whose arrays do not go together (`DATASET`).
    """
    vocabularies = {str(file.shard.header.get(VOCABULARY, "")) for file in files}
    if len(vocabularies) > 1:
        raise _refused(
            "the files have tokens of several vocabularies",
            "make all of them with one --vocabulary",
        )
    schema = files[0].shard.schema
    shapes = [
        {name: array.shape[1:] for name, array in file.shard.arrays.items() if array.dtype != np.uint16}
        for file in files
    ]
    if odd := next((file for file, found in zip(files, shapes, strict=True) if found != shapes[0]), None):
        raise _refused(f"{odd.path} has arrays of other sizes than {files[0].path}")
    name = f"own {schema.name}"
    hidden = hashlib.sha256(secret + b"".join(file.digest for file in files)).hexdigest()
    recorder = Recorder(
        environment=name,
        files=tuple((file.path.resolve(), file.digest) for file in files),
        rows=deal.rows,
        widths={key: max(file.shard.arrays[key].shape[-1] for file in files) for key in schema.arrays},
        vocabulary=vocabularies.pop(),
    )
    return Environment(
        name=name,
        version=BUILDER_VERSION,
        require=_nothing,
        sites=partial(_sites, hidden),
        record=recorder,
        probe_site=PROBE_SITE,
        episode_size=partial(_size, 4 + max(_bytes(file.shard, recorder.widths) for file in files)),
        schema=schema,
        licence=licence,
    )


@dataclass(frozen=True, slots=True)
class Site:
    """`deal`: a digest of everything that decides what lies where; a part of it is secret."""

    number: int
    part: str
    deal: str


def _sites(deal: str, generator: np.random.Generator, sizes: Counts) -> Layout:
    """The public seed deals nothing."""
    return Layout(
        training=tuple(Site(index, "training", deal) for index in range(sizes.training_sites)),
        hidden=tuple(Site(HIDDEN_SITE + index, "sealed", deal) for index in range(sizes.hidden_sites)),
        public=(Site(GREY_SITE, "public", deal),),
    )


def _nothing() -> None:
    """Own shards need no package."""


def _bytes(shard: Shard, widths: Mapping[str, int]) -> int:
    """Of one thing, its texts as wide as the widest."""
    return sum(array[:1].nbytes // array.shape[-1] * widths[name] for name, array in shard.arrays.items())


def _size(each: int, recording: Recording, frames: int) -> int:
    return each


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes a shard of the rows that were dealt to it."""

    environment: str
    files: tuple[tuple[Path, bytes], ...]
    """Each with its digest."""
    rows: Mapping[str, tuple[tuple[int, Place], ...]]
    widths: Mapping[str, int]
    """Of the last axis of every array, over all files."""
    vocabulary: str

    def __call__(self, recording: Recording) -> Shard:
        """Raises: Fatal: a file is another one than was read before (exit code `DATASET`)."""
        rows = self.rows[recording.name]
        shards = {number: self._read(number) for number in sorted({place[0] for _, place in rows})}
        schema = next(iter(shards.values())).schema
        arrays = {
            name: np.stack([shards[number].arrays[name][row] for _, (number, row) in rows])
            for name in schema.arrays
        }
        header = recording.header(self.environment)
        if self.vocabulary:
            header[VOCABULARY] = self.vocabulary
        return Shard(schema, arrays, tuple(site for site, _ in rows), header)

    def _read(self, number: int) -> Shard:
        path, digest = self.files[number]
        data = read_capped(path, MAX_SHARD_BYTES, "shard")
        if hashlib.sha256(data).digest() != digest:
            raise _refused(f"{path} was changed meanwhile", "run the same command again")
        shard = load_shard(data)
        return shard.with_arrays(
            **{name: _widened(array, self.widths[name]) for name, array in shard.arrays.items()}
        )


def _widened(array: np.ndarray, width: int) -> np.ndarray:
    """Texts uint16 [..., L] filled up to [..., width]; other arrays as they are."""
    if array.dtype != np.uint16 or array.shape[-1] == width:
        return array
    return np.pad(
        array, [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])], constant_values=PADDING
    )
