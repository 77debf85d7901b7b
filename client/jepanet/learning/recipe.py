"""What every solver of a project runs: sizes, objective, optimiser, schedule, gates, score; canonical JSON.

A recipe comes from the network, so every number has bounds: none of them makes a node allocate without
limit or train for days. The defaults are those of the measured TwoRoom recipe.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from math import isfinite
from typing import Any, TypeVar, cast

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest

SCHEMA = "jepanet.recipe.1"
FAMILY = "world"
TRAINING_VERSION = 2
"""Raised whenever the same weights, shard, recipe and seed would give another model."""
MAX_RECIPE_BYTES = 16 * 1024
MAX_PARAMETERS = 32_000_000
MAX_FRAMES_PER_ROUND = 4_000_000
"""Cap on frames encoded in one round of training: inner steps x windows x window."""

T = TypeVar("T")


def _whole(default: int, low: int, high: int) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _real(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _bad(message: str) -> Rejected:
    return Rejected(message, reason="bad-recipe")


def _check(record: Any) -> None:
    """Types and bounds of every field that carries bounds."""
    for item in fields(record):
        value, where = getattr(record, item.name), f"{type(record).__name__}.{item.name}"
        if is_dataclass(item.default):
            if type(value) is not type(item.default):
                raise _bad(f"{where} must be a {type(item.default).__name__}")
            continue
        default: Any = item.default
        entries: tuple[Any, ...]
        if isinstance(default, tuple):
            if type(value) is not tuple or len(value) != len(default):
                raise _bad(f"{where} must hold {len(default)} integers")
            entries = value
            expected: type = int
        else:
            entries, expected = (value,), type(default)
        for entry in entries:
            if type(entry) is not expected:
                raise _bad(f"{where} must be a {expected.__name__}, not {type(entry).__name__}")
            if "low" in item.metadata:
                low, high = item.metadata["low"], item.metadata["high"]
                if not (isfinite(cast(float, entry)) and low <= cast(float, entry) <= high):
                    raise _bad(f"{where} is {entry}, outside [{low}, {high}]")


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """Widths of the world model (`models/world/model.py`)."""

    image: int = _whole(64, 16, 128)
    """Side of the square RGB frames in pixels; a multiple of 16."""
    actions: int = _whole(2, 1, 16)
    latent: int = _whole(64, 2, 512)
    channels: tuple[int, int, int] = field(default=(24, 48, 64), metadata={"low": 1, "high": 256})
    hidden: int = _whole(256, 4, 2048)
    predictor: int = _whole(384, 4, 2048)

    def __post_init__(self) -> None:
        _check(self)
        if self.image % 16:
            raise _bad("model.image must be a multiple of 16")


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW with decoupled weight decay (Loshchilov & Hutter 2019), warm-up and cosine by global step."""

    learning_rate: float = _real(2e-3, 1e-7, 0.1)
    beta1: float = _real(0.9, 0.0, 0.9999)
    beta2: float = _real(0.95, 0.0, 0.99999)
    weight_decay: float = _real(1e-4, 0.0, 1.0)
    clip: float = _real(1.0, 1e-4, 1e4)
    """Cap on the global L2 norm of the gradient."""
    warmup: int = _whole(5, 0, 10_000)
    """Steps of linear warm-up at the start of every round: each round starts with a fresh optimiser."""
    cooldown: float = _real(0.0, 0.0, 1.0)
    """Share of a round's steps, at its end, over which the rate falls linearly towards zero: a delta then
    carries less of the noise of its last batches."""
    final: float = _real(0.1, 0.0, 1.0)
    """Learning rate at the end of the schedule, as a share of the peak."""

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True)
class Objective:
    """Prediction error + weight * (SIGReg + guard * sketched moments)."""

    weight: float = _real(0.03, 0.0, 10.0)
    directions: int = _whole(64, 1, 1024)
    """Random directions drawn anew in every step."""
    knots: int = _whole(17, 3, 129)
    """Quadrature points of the characteristic-function test on [0, 3]."""
    guard: float = _real(40.0, 0.0, 1e4)

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True)
class Gates:
    """Thresholds of the state guards (`guard.py`) and of significant harm."""

    variance_floor: float = _real(0.9, 0.0, 1.0)
    """Least latent variance, relative to the base."""
    variance_ceiling: float = _real(1.15, 1.0, 100.0)
    """Most latent variance, relative to the base ..."""
    variance_cap: float = _real(1.2, 0.0, 100.0)
    """... or this much, whichever is more: a young model's variance still grows towards 1."""
    sigreg_log: float = _real(0.12, 0.0, 10.0)
    """Most growth of log SIGReg."""
    rank_ratio: float = _real(0.93, 0.0, 1.0)
    """Least effective rank, relative to the base."""
    healthy_variance: float = _real(0.8, 0.0, 10.0)
    """Once a base has this latent variance, no merge may fall below it."""
    harm_sigmas: float = _real(3.0, 0.0, 100.0)
    """Harm is significant when gain + this many standard errors is below zero."""

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True)
class Score:
    """Parameters of the grounded score (`evaluate.GroundedScorer`)."""

    eigenvalue_floor: float = _real(0.01, 1e-6, 1.0)
    """Target directions kept: eigenvalues above this share of the largest."""
    ridge: float = _real(1e-3, 1e-8, 10.0)
    """Ridge penalty relative to the mean eigenvalue of the features."""
    minimum_episodes: int = _whole(4, 4, 10_000)
    """Fewest episodes of an evaluation shard."""

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    schema: str = SCHEMA
    family: str = FAMILY
    name: str = "tworoom"
    model: ModelSizes = ModelSizes()
    optimiser: Optimiser = Optimiser()
    objective: Objective = Objective()
    gates: Gates = Gates()
    score: Score = Score()
    colour: bool = True
    """One random linear map of colours per batch (channel gains, a sign), shared by all of its frames ..."""
    hues: bool = True
    """... and any rotation of colour space; otherwise only an order of the channels. A small model learns
    more slowly with it."""
    symmetry: bool = True
    """One random reflection or transposition per batch, of frames and 2-D actions alike."""
    windows: int = _whole(32, 2, 1024)
    """Windows in a batch."""
    window: int = _whole(4, 3, 32)
    """Frames in a window: two are context, the rest are predicted one step ahead."""
    inner_steps: int = _whole(40, 1, 20_000)
    """H: local steps of one round."""
    total_steps: int = _whole(640, 1, 10_000_000)
    """Length of the learning-rate schedule in local steps; the last rate holds afterwards."""
    warm_steps: int = _whole(150, 0, 20_000)
    """Steps of the public warm start that makes the model of round 0."""
    warm_rate: float = _real(2e-3, 1e-7, 0.1)
    """Peak learning rate of the warm start; that of a round may be lower, for deltas that still help when
    averaged."""
    align_above: float = _real(0.0, 0.0, 180.0)
    """A solver whose latent frame has turned by more than this against the base's (rms principal angle on the
    public probe frames, degrees) turns it back before it forms its delta. 0: always; 180: never."""
    explode: float = _real(20.0, 2.0, 1e6)
    """Training stops when the loss exceeds this multiple of its running median."""

    def __post_init__(self) -> None:
        _check(self)
        if self.schema != SCHEMA:
            raise _bad(f"schema {self.schema[:40]!r} is not {SCHEMA!r}")
        if self.family != FAMILY:
            raise _bad(f"model family {self.family[:40]!r} is not one of: {FAMILY}")
        if not 1 <= len(self.name) <= 64 or not self.name.isprintable():
            raise _bad("name must have 1 to 64 printable characters")
        frames = self.windows * self.window
        if frames * max(self.inner_steps, self.warm_steps) > MAX_FRAMES_PER_ROUND:
            raise _bad(f"more than {MAX_FRAMES_PER_ROUND} frames in one round of training")
        if self.symmetry and self.model.actions != 2:
            raise _bad("symmetry needs 2-D actions (x, y)")
        if self.parameters() > MAX_PARAMETERS:
            raise _bad(f"model has more than {MAX_PARAMETERS} parameters")

    @property
    def aligns(self) -> bool:
        """Whether solvers need the public probe frames."""
        return self.align_above < 180.0

    def parameters(self) -> int:
        """Upper estimate of the number of parameters (exact: `models.world.schema.parameter_shapes`)."""
        sizes = self.model
        one, two, three = sizes.channels
        cells = (sizes.image // 16) ** 2
        convolutions = one * 49 + two * (one * 9 + 1) + three * (two * 9 + 1)
        head = (three * cells + 3) * sizes.hidden + (sizes.hidden + 1) * sizes.latent
        width, inputs = sizes.predictor, 2 * (sizes.latent + sizes.actions)
        return convolutions + head + (inputs + 1 + width + 1 + sizes.latent) * width + sizes.latent

    def to_bytes(self) -> bytes:
        """Canonical JSON; its SHA-256 is the recipe's digest."""
        return canonical_json(_tree(self))

    def digest(self) -> Digest:
        return digest_of(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Recipe:
        """Parses a recipe from the network.

        Raises:
            Rejected: over 16 KiB, not canonical JSON, a field missing, unknown, mistyped or out of bounds.
        """
        tree = parse_json(data, max_bytes=MAX_RECIPE_BYTES, what="recipe")
        recipe = _build(cls, tree, "recipe")
        # 1 and 1.0 are one number in canonical JSON, so equal recipes have equal bytes.
        if recipe.to_bytes() != data:
            raise _bad("recipe is not in its own canonical form")
        return recipe


def _tree(record: Any) -> Any:
    if is_dataclass(record):
        return {item.name: _tree(getattr(record, item.name)) for item in fields(record)}
    return list(record) if isinstance(record, tuple) else record


def _build(kind: type[T], tree: Any, where: str) -> T:
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]  # kind is always a dataclass
    if not isinstance(tree, dict) or set(tree) != set(known):
        raise _bad(f"{where} must be an object with exactly the fields {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for name, item in known.items():
        value, default = tree[name], item.default
        if is_dataclass(default):
            value = _build(type(default), value, f"{where}.{name}")
        elif isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value[:64])
        elif type(default) is float and type(value) is int and abs(value) <= 2**53:
            value = float(value)
        values[name] = value
    return kind(**values)
