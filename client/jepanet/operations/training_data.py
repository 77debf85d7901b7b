"""What a training by hand trains on: files and folders of one's own, or shards that their CIDs name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.cid import from_cid, to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest
from jepanet.learning.data.pictures import ENDINGS
from jepanet.learning.data.shards import MAX_SHARD_BYTES
from jepanet.operations.reading.library import Library
from jepanet.telemetry import get_logger
from jepanet.types import Digest
from jepanet.work.requests.files import UNSIZED, TrainingShard

log = get_logger("training")

PAUSE = 2.0
"""Seconds until a shard that no peer had is asked for again."""
TRIES = 30
_LOOKED_AT = 10_000
"""Names in a folder that is no dataset, to say what it is."""

Place = Path | str
"""A file or folder, or a CID."""


@dataclass(frozen=True, slots=True)
class NamedShard:
    """A shard that its CID names, and the bytes that it has at most."""

    digest: Digest
    most: int
    sized: bool = True
    """Whether a manifest says so; else it is what any shard may have."""


@dataclass(frozen=True, slots=True)
class ChosenData:
    """What is trained on, in this order, and those of it that are still to be fetched."""

    shards: tuple[TrainingShard, ...]
    coming: tuple[NamedShard, ...] = ()


def shards_at(data: Path) -> tuple[TrainingShard, ...]:
    """A shard's file itself, or the training shards of a dataset's folder, in the order of their names.

    Raises:
        Fatal: there are none (exit code `NOT_FOUND`).
    """
    found = [data] if data.is_file() else sorted(data.glob("training-*.safetensors"))
    if not found:
        raise Fatal(
            f"{data} holds no training shards",
            remedy=_instead_of(data),
            code=Exit.NOT_FOUND,
        )
    return tuple(TrainingShard.of(path) for path in found)


def _instead_of(folder: Path) -> str:
    """What to give in place of a folder that is no dataset, by what lies in it."""
    inside = [path for path, _ in zip(folder.rglob("*"), range(_LOOKED_AT), strict=False)]
    endings = {path.suffix.lower() for path in inside}
    if (folder / "meta" / "info.json").is_file():
        return (
            f"these are recordings of a robot: `jepanet dataset lerobot {folder} --out DIR` makes a dataset"
        )
    shards = sorted(path.name for path in inside if path.suffix == ".safetensors" and path.parent == folder)
    if shards:
        return f"name the shard that is to be trained on: {', '.join(shards[:4])}"
    if endings & set(ENDINGS):
        return f"make a shard of its pictures: `jepanet dataset pictures {folder} --out FILE --image N`"
    if ".jsonl" in endings:
        return "make a shard of its texts by `jepanet dataset pairs` or `jepanet dataset captions`"
    return "name a shard's file, a folder of `jepanet dataset build` or `dataset split`, or a CID"


def place_named(text: str) -> Place:
    """A path where there is one, else a CID.

    Raises:
        Fatal: neither (exit code `NOT_FOUND`).
    """
    if Path(text).exists():
        return Path(text)
    try:
        from_cid(text)
    except Rejected as error:
        raise Fatal(
            f"{text} is neither a file or folder that is there nor a CID",
            remedy="name a shard's file, a folder of `jepanet dataset build` or `dataset split`, or a CID",
            code=Exit.NOT_FOUND,
        ) from error
    return text


async def chosen_data(places: Sequence[Place], library: Library, mix: int) -> ChosenData:
    """The shards at all places, of which those are here that a training by a recipe of this `mix` reads at
    once.

    Raises: Fatal as `shards_at`; Rejected, Transient, Fatal as `Library.get`; Rejected for what is no
        manifest.
    """
    named: list[TrainingShard | NamedShard] = []
    for place in places:
        named += shards_at(place) if isinstance(place, Path) else await _named(place, library)
    shards: list[TrainingShard] = []
    coming: list[NamedShard] = []
    for item in named:
        if isinstance(item, TrainingShard):
            shards.append(item)
        elif len(shards) < mix or library.has(item.digest):
            shards.append(await _obtained(item, library))
        else:
            path = library.place(item.digest, "raw")
            size = item.most if item.sized else UNSIZED
            shards.append(TrainingShard(path, item.digest, size, awaited=True))
            coming.append(item)
    return ChosenData(tuple(shards), tuple(coming))


async def _named(text: str, library: Library) -> Sequence[NamedShard]:
    """The shard of a CID, or the training shards of the dataset manifest that it names."""
    digest, codec = from_cid(text)
    if codec == "raw":
        return (NamedShard(digest, MAX_SHARD_BYTES, sized=False),)
    path = await library.get("dataset manifest", digest, codec, max_bytes=MAX_MANIFEST_BYTES)
    manifest = DatasetManifest.from_bytes(path.read_bytes())
    return [NamedShard(Digest(entry.digest), entry.bytes) for entry in manifest.training]


async def _obtained(shard: NamedShard, library: Library) -> TrainingShard:
    """A shard that is here, or was fetched. Raises: as `Library.get`; the message names it."""
    name = f"training shard {to_cid(shard.digest)}"
    path = await library.get(name, shard.digest, "raw", max_bytes=shard.most)
    return TrainingShard(path, shard.digest, path.stat().st_size)


async def bring(shards: Sequence[NamedShard], library: Library) -> None:
    """Fetches shards one after the other, while a training waits for them.

    Raises: as `Library.get`, of one that no peer had in `TRIES` pauses; what was trained is kept for the next
        call.
    """
    for shard in shards:
        for attempt in range(TRIES):
            try:
                await _obtained(shard, library)
                break
            except Transient as error:
                if attempt == TRIES - 1:
                    raise
                log.info("shard.missed", shard=to_cid(shard.digest), why=str(error), then="asked for again")
                await asyncio.sleep(PAUSE)
