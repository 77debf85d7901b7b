"""Answers about projects and datasets. Digests are CIDs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jepanet.operations.views.json_form import MERGED, OPTIONAL, Wei
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class CreatedProject:
    """A project made from a dataset. `created` is False when it existed, so that nothing was sent."""

    project: int
    created: bool
    set: int
    name: str
    recipe: str
    dataset: str
    model: str
    evaluation_shards: int
    evaluation_root: str
    """0x-hex."""
    note: str | None = field(default=None, metadata=OPTIONAL)
    """What is missing before a round can open."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project as the contracts hold it."""

    project: int
    owner: Address
    recipe: str
    dataset: str
    model: str
    verifier_set: int
    evaluation_shards: int
    evaluation_shards_used: int
    active_round: int | None


@dataclass(frozen=True, slots=True)
class KnownProject:
    """A project as a node knows it at its newest confirmed block; `followed`: it works for it."""

    project: int
    owner: Address
    recipe: str
    dataset: str
    model: str
    verifier_set: int
    evaluation_shards: int
    rounds: int
    active_round: int | None
    followed: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A field of a round's rules, by its dotted key, with its value as in JSON and its meaning, if it says
    more than the key."""

    key: str
    value: object
    meaning: str


@dataclass(frozen=True, slots=True)
class ProjectTerms:
    """What a round promises and asks for. `paid`: to solvers and verifiers by its result, None before
    there is one; `left`: what of budget and fee is not paid. `words`: the same as sentences. `rules`: every
    field of its spec, none where the node has not fetched that."""

    round: int
    proposer: Address
    budget: Wei
    paid: Wei | None
    left: Wei
    fee: Wei
    bond: Wei
    words: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class ProjectDetails:
    """A project with its verifiers, of whom `threshold` must sign a result, and the terms of its newest
    round, if the node keeps one. Whoever opens the next may set others."""

    known: KnownProject = field(metadata=MERGED)
    verifiers: tuple[Address, ...]
    threshold: int | None
    """None where the node has not seen the set registered."""
    terms: ProjectTerms | None


@dataclass(frozen=True, slots=True)
class Shard:
    """A public shard. `kind` is training, public or probe."""

    kind: str
    site: int
    episodes: int
    bytes: int
    cid: str


@dataclass(frozen=True, slots=True)
class SealedShard:
    """An evaluation shard that nobody sees before it is drawn."""

    index: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Dataset:
    directory: Path
    environment: str
    data: str
    """The kind of data in its shards."""
    licence: str
    """Of what it was built from; empty: a simulator played it."""
    shards: tuple[Shard, ...]
    sealed: tuple[SealedShard, ...]
    note: str | None = field(default=None, metadata=OPTIONAL)
    """Who may know what is sealed."""


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One shard, as `jepanet dataset pictures`, `captions` or `pairs` write it, or a file of a dataset."""

    file: Path
    data: str
    """The kind of data."""
    unit: str
    """One of its episodes in words."""
    episodes: int
    sites: dict[int, int]
    """Episodes of each."""
    arrays: dict[str, str]
    """Type and shape of each."""
    environment: str
    """What it was made from, as its header says; empty: it does not say."""
    bytes: int
    cid: str
