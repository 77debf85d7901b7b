"""The contract of a model family: all that training, scoring, planning and alignment ask of a model.

    recipe ──▶ Family                          Network, a model with weights; needs torch
               sizes, fields of the recipe     ├─ loss(batch)      what training minimises
               parameter_shapes                ├─ compare(shard)   what score and metrics compare
               initial_weights                 └─ weights()
               batches(shard, seed)            PlanningNetwork, where the family can plan
               network(weights, base) ───────▶ ├─ latents(frames)
               rotated(weights, rotation)      └─ step(latents, actions)

A `Family` is a value of one recipe: its sizes are read and checked, and everything but `batches` and
`network` works without torch. Nobody outside `families/` knows which family it is. A new one is a folder
beside `families/world` and a line in `families/registry.py`; `tests/unit/family_conformance.py` holds what
this contract promises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.schema import DataSchema
from jepanet.learning.data.shards import Shard
from jepanet.tensors import Arrays
from jepanet.types import Digest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
"""Shape of every parameter, in ascending name order. All are float32; an encoder's start with `encoder.`."""
NEXT_TOKEN = "next_token"  # noqa: S105
"""The part of a loss, in nats a token, by which a training with a vocabulary is judged."""
Weights = Mapping[str, np.ndarray]
"""Parameters by name, float32."""
Fields = Mapping[str, object]
"""The part of a recipe's JSON object that belongs to the family."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What others need to know of a family's sizes."""

    image: int
    """Side of the square RGB pictures it reads, in pixels; 0 when it reads none."""
    window: int
    """Fewest frames an episode must have to be trained on; 1 where it is a single thing."""
    frames: int
    """Pictures (or texts) encoded in one step of training; a recipe caps their number per round."""
    latent: int
    """Dimensions of a latent."""
    knots: int
    """Quadrature points of the SIGReg metric that the state guards read."""
    activations: int
    """Numbers that the forward pass of one batch keeps for the backward pass: an estimate from above, from
    which a recipe's memory follows (`memory.py`)."""
    rows: int = 1
    """Latents that one frame of an episode gives when a shard is compared (`Encoded.latents`)."""
    slots: int = 1
    """Places of a frame that are then predicted (`Encoded.predicted`)."""
    vocabulary: int | None = None
    """Tokens to choose the next one from, where its loss has a part `NEXT_TOKEN`; None where it has not."""
    longest: int = 0
    """Tokens of the longest text it reads; 0 when it reads none."""
    border: int = 0
    """The tokenizer's number of the token that is 0 in shards; 0 has that one's number there."""
    varying: bool = False
    """Whether tensors of its batches have other shapes from batch to batch, beyond their number of rows."""
    compared: int = 0
    """Multiplications that a comparison takes for each frame, as `Family.multiplications`; 0: no more than
    for one in a batch."""


@dataclass(frozen=True, slots=True)
class Description:
    """A family in the words of a model card."""

    title: str
    kind: str
    """What sort of model it is, in a few words."""
    use: str
    """One sentence on what it is for; `{environment}` stands for what it was trained on."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step trains on. Only the family knows what its tensors mean."""

    tensors: Mapping[str, Tensor]
    examples: Tensor
    """int64 [B]: the number, within the shard, of every example in the batch."""
    shared: frozenset[str] = frozenset()
    """Names of tensors that belong to the batch as a whole; every other one has a row for each example."""

    def to(self, device: str) -> Batch:
        return replace(self, tensors={name: item.to(device) for name, item in self.tensors.items()})

    def rows(self, first: int, last: int) -> Batch:
        """The part of it that holds the examples from `first` to before `last`."""
        tensors = {
            name: item if name in self.shared else item[first:last] for name, item in self.tensors.items()
        }
        return replace(self, tensors=tensors, examples=self.examples[first:last])


@dataclass(frozen=True, slots=True)
class Terms:
    """Scalar tensors of one step."""

    loss: Tensor
    """What is minimised, before penalties that are added from outside."""
    parts: Mapping[str, Tensor]
    """Its parts as they are reported at the end of training, by name."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the score and the metrics compare, float64, over E episodes.

    latents [N, T, D]: all that the state guards look at: of every frame of N = E episodes, or of what a
    family's regulariser looks at in their place. actual [E, S, D]: what was to be predicted; predicted
    [E, S, D']: what the model predicts of it without seeing it; unchanged [E, S, D]: a guess that nothing
    changes. Slot s of the last three is one and the same place.
    nats [E], tokens [E]: what each episode's next tokens cost in all, and how many there are, where the
    family has a vocabulary. told [E]: nats by which the parts of each episode are told to belong together,
    beyond a guess among other episodes, where the family learns to.
    """

    latents: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray
    unchanged: np.ndarray
    nats: np.ndarray | None = None
    tokens: np.ndarray | None = None
    told: np.ndarray | None = None

    @property
    def finite(self) -> bool:
        """Whether all that a score or a metric reads is. Metrics of what is not have no whole millionths."""
        read = (self.latents, self.actual, self.predicted, self.unchanged, self.nats, self.told)
        return all(bool(np.isfinite(item).all()) for item in read if item is not None)


class Batches(Protocol):
    """Batches without end that can be left at any place and taken up again there."""

    @property
    def examples(self) -> int:
        """How many different examples the shard has: when as many were drawn, an epoch is over."""

    def __iter__(self) -> Iterator[Batch]: ...

    def __next__(self) -> Batch: ...

    def lie_on(self, device: str) -> None:
        """From here on, large arrays lie where the model trains, if they fit: a batch is then put together
        there instead of being sent, whole, at every step. The same batches are drawn."""

    def position(self) -> Arrays:
        """What the batches from here on follow from, beside shard and seed."""

    def go_to(self, position: Arrays) -> None:
        """Goes on from a position, which comes from a file.

        Raises:
            Rejected: it is none in this shard (`bad-position`).
        """


class Family(Protocol):
    """One model family at the sizes of one recipe. Families of equal sizes are equal."""

    @property
    def name(self) -> str:
        """As recipes and model files spell it."""

    @property
    def schema(self) -> DataSchema:
        """The kind of data that it trains on."""

    @property
    def sizes(self) -> Sizes: ...

    @property
    def description(self) -> Description: ...

    @property
    def frozen(self) -> tuple[str, ...]:
        """How names of parameters start that no training changes."""

    @property
    def turns(self) -> bool:
        """Whether its latents can be turned (`rotated`), so that a solver may bring them back into the base's
        frame. Recipes of a family that cannot never align, and need no probe."""

    def fields(self) -> dict[str, object]:
        """Its fields of a recipe, as JSON; `FamilyKind.read` reads them back."""

    def parameter_shapes(self) -> Shapes: ...

    def multiplications(self) -> int:
        """Of numbers in matrix products and convolutions, in one forward pass of the loss over a batch as
        large as it may be: from it follows, without torch, whether a node has the time (`computing.py`)."""

    def initial_weights(self, seed: bytes) -> Arrays:
        """Weights before any training; the same seed gives the same bytes on every machine."""

    def check_shard(self, shard: Shard) -> None:
        """Raises: Rejected (`shard-mismatch`) when it holds another kind of data, or not of these sizes."""

    def batches(self, shard: Shard, seed: bytes) -> Batches:
        """Batches without end, on the CPU; the same seed gives the same ones.

        Every example of a site is drawn before any of that site is drawn twice.

        Raises:
            Rejected: episodes too short (`shard-mismatch`).
        """

    def widened(self, times: int) -> Family:
        """The same family with batches so many times as large."""

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        """A model on `device` with copies of `weights`, which `check_weights` has passed.

        `base`: the weights with which a round's training begins, for an objective that holds on to what they
        encode (`frozen_base.py`); None in a training from scratch, and where nothing is trained.
        """

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        """The same model with latents z R in place of z; R is orthogonal, float64 [D, D].

        Raises:
            ValueError: the matrix is not orthogonal or not of the model's size.
            Rejected: the family does not turn (`cannot_turn`).
        """


@dataclass(frozen=True, slots=True)
class FrozenFile:
    """A file that a family's networks read beside their weights, and nothing changes."""

    digest: Digest
    bytes: int
    """It has at most."""
    numbers: int
    """Of weights that it holds; each process that trains or measures holds them too."""


@runtime_checkable
class Resting(Protocol):
    """A family whose networks may rest on a file that every node holds which trains or measures."""

    @property
    def rests_on(self) -> FrozenFile | None: ...


def frozen_file(family: Family) -> FrozenFile | None:
    """The file that a family's networks rest on; None for one that needs nothing but its weights."""
    return family.rests_on if isinstance(family, Resting) else None


class FamilyKind(Protocol):
    """How the registry knows a family: called, it gives the family at its usual sizes.

    It is a frozen dataclass whose fields are the family's of a recipe, with bounds, meaning and default
    (`jepanet.records`): files that people write are read, described and checked by it.
    """

    def __call__(self) -> Family: ...

    def read(self, fields: Fields) -> Family:
        """Raises: Rejected (`bad-recipe`), naming a field that is missing, unknown or out of bounds."""


class Network(Protocol):
    """A model with its weights, in torch; a `torch.nn.Module` where several processes are to train it."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """Every parameter, under the names of `Family.parameter_shapes`."""

    def weights(self) -> Arrays:
        """Copies of the parameters, float32, in ascending name order."""

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        """Loss of a batch that is on the model's device; random numbers come from `generator` on the CPU.

        Where several processes share a batch, each is given some of its rows, and what is returned is the
        loss of the whole on every one of them: whatever is averaged over examples is `pooled`
        (`pooling.py`), and what is drawn here is for the whole batch, not for its rows.
        """

    def compare(self, shard: Shard) -> Encoded:
        """What score and metrics compare, of every episode of a shard."""


@runtime_checkable
class FrameEncoder(Protocol):
    """A network that encodes single frames: what a frame anchor holds in place."""

    def latents(self, frames: Tensor) -> Tensor:
        """uint8 frames [N, 3, S, S] -> latents [N, D] on the model's device."""


@runtime_checkable
class PlanningNetwork(FrameEncoder, Protocol):
    """A network that can plan: it says what follows from an action."""

    def step(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        """Latents [M, D] of the last two frames, actions [M, A] after each -> the next latents [M, D]."""


def frame_encoder(network: Network) -> FrameEncoder:
    """Raises: Rejected (`no-frames`) when the network does not encode single frames."""
    if not isinstance(network, FrameEncoder):
        raise Rejected("a model of this family does not encode single frames", reason="no-frames")
    return network


def cannot_turn(family: Family) -> Rejected:
    """What `rotated` of a family raises that does not turn (`no-rotation`)."""
    return Rejected(
        f"latents of family {family.name} cannot be turned",
        reason="no-rotation",
        remedy="recipes of this family set align_above to 180",
    )


def can_plan(family: Family, weights: Weights) -> bool:
    """Whether models of a family can plan; `weights` are those of any."""
    return isinstance(family.network(weights), PlanningNetwork)


class _PlansElsewhere:
    """A network on a device that is given and gives what is on the CPU, where plans are made."""

    def __init__(self, network: PlanningNetwork, device: str) -> None:
        self._network, self._device = network, device

    def latents(self, frames: Tensor) -> Tensor:
        return self._network.latents(frames).cpu()

    def step(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        there = (item.to(self._device) for item in (before, now, acted, acting))
        return self._network.step(*there).cpu()


def planning_network(family: Family, weights: Weights, device: str = "cpu") -> PlanningNetwork:
    """A network that computes on `device`; what it is given and gives is on the CPU.

    Raises: Rejected (`no-planning`) when the family cannot plan.
    """
    network = family.network(weights, device)
    if not isinstance(network, PlanningNetwork):
        raise Rejected(f"a model of family {family.name} cannot plan", reason="no-planning")
    return network if device == "cpu" else _PlansElsewhere(network, device)


def check_weights(weights: Weights, family: Family, *, what: str = "weights") -> None:
    """Checks names, shapes, dtype and finiteness against the family's sizes.

    Raises:
        Rejected: reason `wrong-shape` or `non-finite`, naming the tensor.
    """
    shapes = family.parameter_shapes()
    if set(weights) != set(shapes):
        odd = sorted(set(weights) ^ set(shapes))[:4]
        raise Rejected(f"{what}: tensors missing or unknown: {', '.join(odd)}", reason="wrong-shape")
    for name, shape in shapes.items():
        array = weights[name]
        if array.shape != shape or array.dtype != np.float32:
            raise Rejected(
                f"{what}: {name} is {array.dtype}{list(array.shape)}, not float32{list(shape)}",
                reason="wrong-shape",
            )
        if not np.isfinite(array).all():
            raise Rejected(f"{what}: {name} holds NaN or infinity", reason="non-finite")
