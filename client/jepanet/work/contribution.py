"""What a participant does to weights it has trained: align, subtract, compensate, encode.

    trained ─▶ turned back into the base's frame ─▶ minus base ─▶ plus what was left out before ─▶ encoded

A node and the laboratory both call this, so what the laboratory measures is what a node does.
"""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.deltas.feedback import with_feedback
from jepanet.federation.gauge import align, drift
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.metrics import frame_latents
from jepanet.learning.recipe import Recipe
from jepanet.tensors import Arrays


@dataclass(frozen=True, slots=True)
class Contribution:
    """A delta as its file holds it, and what belongs beside it."""

    parts: Arrays
    """For each weight `w` the parts of its codec as `w/part`."""
    left_out: Arrays | None
    """What the codec left out, float32 by weight, of which a share is added to the next delta; None where it
    leaves nothing that should be."""
    turned_degrees: float
    """Rms angle by which training had turned the latent frame against the base's."""


def contribution(
    trained: Arrays,
    base: Arrays,
    recipe: Recipe,
    *,
    codec: str,
    probe: Shard | None = None,
    left_out: Arrays | None = None,
    feedback: float = 1.0,
    device: str = "cpu",
) -> Contribution:
    """Encodes the way from `base` to `trained`, weights of one recipe, float32 by name.

    `probe`: public frames on which the two latent frames are compared, encoded on `device`; None leaves the
    frame as trained.
    `left_out`: what the delta before this one left out; `feedback`: the share of it, from 0 to 1, that is
    added to this one. At 0 nothing is left out for the next either.

    Raises:
        Rejected: the probe frames do not fit the recipe, or latents have too few directions to compare.
        ValueError: an unknown codec, or a share that is none.
    """
    turned, degrees = _in_frame_of(base, trained, recipe, probe, device)
    parts, rest = with_feedback(delta_of(turned, base), left_out, codec, feedback)
    return Contribution(parts, rest if CODECS[codec].feedback and feedback else None, degrees)


def _in_frame_of(
    base: Arrays, trained: Arrays, recipe: Recipe, probe: Shard | None, device: str
) -> tuple[Arrays, float]:
    """The trained weights, turned back where they left the base's frame by more than the recipe allows, and
    the rms angle in degrees by which they had left it.

    Raises:
        FrameDeficient: one of the frames has too few directions to compare.
    """
    if probe is None:
        return trained, 0.0
    theirs, ours = (frame_latents(weights, recipe, probe, device=device) for weights in (base, trained))
    found = drift(theirs, ours)
    if found.rms_degrees <= recipe.align_above:
        return trained, found.rms_degrees
    return align(trained, theirs, ours, recipe.family.rotated).weights, found.rms_degrees
