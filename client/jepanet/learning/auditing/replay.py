"""A part of a training done again by a stranger, from a state that the trainer committed to.

On the build and with the threads of the trainer the same state, data and seed give the same bytes, so that
two digests are compared and nothing is estimated. Elsewhere sums are rounded otherwise: that is no evidence,
and how far the two ends lie apart is measured (`tolerance.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from jepanet.errors import Rejected
from jepanet.learning.auditing.auditable import check_auditable
from jepanet.learning.auditing.state_file import digests_of, read_state, state_cap
from jepanet.learning.auditing.tolerance import Distance, distance
from jepanet.learning.family import Batch
from jepanet.learning.machine.determinism import deterministic
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.beginning import begin
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.resuming.state import Parts, TrainingState, check_arrays
from jepanet.learning.training.resuming.trace import TracePoint, digest_of_batches, trace_point
from jepanet.learning.training.step.taking import Span, take_step
from jepanet.learning.training.supply import InMemory, Supply
from jepanet.tensors import Arrays

START = 0
"""The step after which nothing has been trained yet: its state follows from base and seed."""
_NEVER = 1e300
"""A gate remembers losses from before the segment, which the auditor has not seen: it ends no replay."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A state that a trainer committed to."""

    data: bytes
    """Untrusted, of its file."""
    point: TracePoint
    """Its digests."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a segment leads to."""

    point: TracePoint
    """The state at its end."""
    losses: tuple[float, ...]
    """Of each of its steps."""
    weights: Arrays
    """At its end, float32 by name: the claimed ones where a distance was measured."""
    distance: Distance | None = None
    """Of the claimed end from this one, where it was asked for."""


@dataclass(slots=True)
class Begun:
    """What replays of one training share: networks and data, which take longer to make than a small step."""

    kept: TrainingState | None = None

    def taken(self) -> TrainingState | None:
        """What the replay before has left, once."""
        found, self.kept = self.kept, None
        return found


def replay(
    recipe: Recipe,
    base: Arrays,
    supply: Supply,
    *,
    seed: bytes,
    span: Span,
    first: int,
    last: int,
    state: bytes | None,
    claimed: TracePoint | None,
    begun: Begun | None = None,
    end: Claimed | None = None,
    device: str = "cpu",
) -> Replayed:
    """Goes from the state after step `first` to that after step `last` again.

    `state`: untrusted bytes of the state after `first`, whose digests must be those of the point `claimed`;
    both None at `START`, whose state follows from `base` and `seed`. `end`: the state after `last`, whose
    distance from the one here is wanted; weights and moments are then held twice more. `begun`: of replays of
    one training by the same arguments before and after this one.

    Raises:
        Rejected: `not-auditable`; `state-differs`, naming the part, where the state is not the claimed one;
            as `read_state`, `TrainingState.restore` or the step itself, where that state leads nowhere; as
            `distance`, or of an end that is no state of such a training.
        Transient: a shard of a stream is missing or damaged.
    """
    check_auditable(recipe)
    supply.check(recipe.family)
    with closing(supply), deterministic():
        # What another replay was refused for may have spoiled what it went on from: it keeps nothing then.
        now = None if begun is None or state is None else begun.taken()
        if now is None:
            # A guard's gate would ask for losses on what is held out; the usual one sees this segment alone.
            now = begin(
                recipe,
                base,
                supply,
                DivergenceGate(_NEVER),
                seed=seed,
                frozen=recipe.family.frozen,
                device=device,
                base=base,
            )
        if state is not None:
            if claimed is None or claimed.step != first:
                raise ValueError("a state is that of a claimed point")
            fresh = now.parts()
            parts = _opened(Claimed(state, claimed), now)
            now.restore({**fresh, **parts}, first, 0, {})
        elif first != START:
            raise ValueError("only the first segment begins without a state")
        before = None if end is None else _copied(now.parts())
        losses, batches = list[float](), list[Batch]()
        while now.step < last:
            report, batches = take_step(now, recipe, span, device)
            losses.append(report.loss)
        point = trace_point(last, now.parts(), digest_of_batches(batches))
        weights, apart = now.weights(), None
        if end is not None and before is not None:
            theirs, ours = _opened(end, now), now.parts()
            for part in ("weights", "optimiser"):
                check_arrays(part, theirs[part], ours[part])
            apart = distance(before, ours, theirs, recipe.optimiser)
            weights = theirs["weights"]
        if begun is not None and isinstance(supply, InMemory):  # a stream's shards are closed
            now.gate = DivergenceGate(_NEVER)
            begun.kept = now
        return Replayed(point, tuple(losses), weights, apart)


NOT_ROUNDED = ("batch", "data", "streams")
"""Parts of a point that are equal on all builds: whole numbers, and what is only copied."""
_MADE = (*NOT_ROUNDED, "weights", "optimiser")


def differing(one: TracePoint, other: TracePoint, parts: Sequence[str] = _MADE) -> str | None:
    """The first of these parts in which two points differ, in the order in which a step makes them; None
    where they are equal."""
    for part in parts:
        if getattr(one, part) != getattr(other, part):
            return part
    return None


def _opened(claimed: Claimed, now: TrainingState) -> Parts:
    """The parts of a claimed state; their shapes are for whoever takes them up."""
    step, cap = claimed.point.step, state_cap(now.parts(), now.batches.examples)
    parts = read_state(claimed.data, step, max_bytes=cap)
    _check_claimed(parts, claimed.point)
    return parts


def _copied(parts: Parts) -> Parts:
    """Weights alone: all that a distance asks of where a part begins, and what the next step changes."""
    return {"weights": {name: array.copy() for name, array in parts["weights"].items()}}


def _check_claimed(parts: Parts, claimed: TracePoint) -> None:
    for part, found in digests_of(parts).items():
        if found != getattr(claimed, part):
            raise Rejected(
                f"the state after step {claimed.step} has {part} {found.hex()}, committed to was "
                f"{getattr(claimed, part).hex()}",
                reason="state-differs",
            )
