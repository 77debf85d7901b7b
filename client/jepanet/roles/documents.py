"""What roles must know of a project's recipe and dataset, which another room reads for them.

Roles import nothing of `learning`. `Documents` is what they ask for; `jepanet.node.documents` answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jepanet.protocol.documents.spec import Gates, NormCaps, RoundSpec
from jepanet.types import Digest


@dataclass(frozen=True, slots=True)
class RecipeSummary:
    """What rounds depend on in a recipe."""

    inner_steps: int
    """Local steps of a round, unless the proposer's terms say otherwise."""
    total_steps: int
    """Length of the learning-rate schedule, in local steps."""
    gates: Gates
    norms: NormCaps
    aligns: bool
    """Whether solvers compare their latent frame with the base's, for which they need the probe frames."""
    max_model_bytes: int
    """Size that no model or remainder file of the recipe exceeds."""
    dense_bytes: int
    """Its weights in float32."""
    training_bytes: int
    """Memory that training takes where this node trains; an estimate from above."""
    measuring_bytes: int
    """Memory that measuring one model beside its base takes there."""
    delta_bytes: int
    """Memory that every further delta takes there; 0 where deltas lie in other memory."""
    shards: int = 1
    """Training shards that a round assigns to each solver."""
    mix: int = 1
    """How many of them a training reads before its first step."""
    torch: str = ""
    """Version of torch that whoever trains or measures must have, as far as it is written; empty: any."""
    step_operations: int = 0
    """Operations of one step of training."""
    measuring_operations: int = 0
    """Operations of measuring one model on one episode, at least."""
    looking_operations: int = 0
    """Operations of the look at a base before a training; 0 where the recipe asks for none."""
    measured_every: int = 0
    """Steps between two measurements of its guard, each of which ends a segment; 0: it has none."""
    least: float = 0.0
    """Score that a base must have to be trained from, as solvers find it on the public shard; 0: any."""
    grounded: bool = False
    """Whether candidates are scored by how they foresee the base's latents, which collapsing helps to."""
    backbone: Digest | None = None
    """File that its networks read beside the model's weights: whoever trains or measures holds it."""
    backbone_bytes: int = 0
    """That file has at most."""


class PublicFile(Protocol):
    """A file that a manifest names."""

    @property
    def digest(self) -> Digest: ...

    @property
    def bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PublicShards:
    """What a manifest names for solvers."""

    training: Sequence[PublicFile]
    """In the order in which rounds assign them."""
    probe: PublicFile | None
    """Episodes on which latent frames are compared; there where the recipe aligns."""
    evaluated: int = 0
    """Episodes over which a round is measured."""
    public: PublicFile | None = None
    """Episodes on which a base is scored before anybody trains from it."""


class SealedShard(Protocol):
    """An evaluation shard that only its proposer has until a beacon selects it."""

    @property
    def index(self) -> int: ...

    @property
    def digest(self) -> Digest: ...

    @property
    def blinding(self) -> bytes: ...

    @property
    def path(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class OwnDataset:
    """The files of a dataset that this node's operator built."""

    public: Sequence[Path]
    sealed: Sequence[SealedShard]


class Documents(Protocol):
    """Reads recipes, manifests and datasets. None of it needs torch."""

    @property
    def max_recipe_bytes(self) -> int: ...

    @property
    def max_manifest_bytes(self) -> int: ...

    @property
    def max_shard_bytes(self) -> int: ...

    def recipe(self, data: bytes) -> RecipeSummary:
        """Raises: Rejected for what is no recipe."""

    def check_audits(self, spec: RoundSpec, recipe: bytes) -> None:
        """Raises: Rejected, nobody could audit trainings by the recipe as the spec says (`not-auditable`,
        `not-calibrated`)."""

    def shards(self, manifest: bytes, recipe: bytes, episodes: int) -> PublicShards:
        """The shards of a manifest that can serve a recipe. `episodes`: over which a round is to be measured;
        0: all of an evaluation shard.

        Raises:
            Rejected: it is no manifest, or nobody's work under the recipe could be trained or scored on it.
        """

    def encoded_bytes(self, recipe: bytes, codec: str) -> int:
        """Most bytes that a delta or update file has under a recipe.

        Raises:
            Rejected: it is no recipe, or there is no such codec (`bad-codec`).
        """

    def remainder_of(self, model: Path) -> Digest | None:
        """The remainder that a model file names, for its next merge; None where there is none.

        Raises:
            Rejected: it is no model file.
        """

    def own_dataset(self, directory: Path) -> OwnDataset:
        """A built dataset, every file of which is hashed on the way: not on the event loop.

        Raises:
            Fatal: it is incomplete, damaged, or its secrets can be read by others.
        """
