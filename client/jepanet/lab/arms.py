"""The arms of a comparison: what is trained, by whom, and how the parts become one model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed

Scheme = Literal["federated", "local", "pooled", "start"]
Attack = Literal["noise", "reversed", "absent"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train on the sites of all solvers.

    federated: every round each solver trains from the global model on its own shard; deltas are merged.
    local: each solver trains alone for as many steps. pooled: one model on all shards together, on as many
    samples as all solvers together. start: nobody trains; what all others begin with.
    """

    name: str
    scheme: Scheme = "federated"
    wide: bool = False
    """Pooled alone: as many steps as one solver, with the batches of all, not the steps of all."""
    outer_lr: float = 1.0
    outer_momentum: float = 0.0
    align: bool = False
    """Every solver turns its latent frame onto the base's (Procrustes) before it forms its delta."""
    anchor: float = 0.0
    """Weight of the frame anchor on the public probe frames; 0: none."""
    frozen_encoder: bool = False
    own_start: bool = False
    """Every solver begins round 1 from random weights of its own instead of the public warm start."""
    changes: tuple[tuple[str, object], ...] = ()
    """(field of the recipe, its value for this arm), for example `("objective.weight", 0.0)`."""
    split: int = 1
    """Rounds of this arm for each round of the comparison, each with so many times fewer local steps."""
    rule: str = "mean"
    codec: str = "fp32"
    feedback: float = 1.0
    """The share of what a lossy codec left out of one delta that is added to the next (error feedback)."""
    update_codec: str = ""
    """How the way from one global model to the next is coded; empty: the exact outer step."""
    update_carry: float = 1.0
    """Share of what that code left out that goes into the next update; in thousandths."""
    attackers: int = 0
    attack: Attack = "noise"
    """What attackers send: noise ten times as large as their honest delta, that delta times -1, or nothing,
    which shows what the loss of their data alone does."""
    tail: int = 1
    """The result is the mean of the global models of this many last rounds."""

    def start(self, base: Recipe) -> Recipe:
        """The recipe of the public warm start: an arm changes what its solvers do, not what the public did
        before, unless it is about just that."""
        about = tuple(item for item in self.changes if item[0].startswith("warm_"))
        return replace(self, changes=about, split=1).recipe(base)

    def recipe(self, base: Recipe) -> Recipe:
        """The recipe of this arm.

        Raises:
            Rejected: a change names no field, or a value out of bounds.
        """
        for path, value in self.changes:
            base = changed(base, path, value)
        if base.inner_steps % self.split:
            raise Rejected(
                f"{base.inner_steps} steps do not split into {self.split} rounds", reason="bad-recipe"
            )
        return replace(base, inner_steps=base.inner_steps // self.split)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


_DILOCO = Arm("diloco", outer_lr=1.0, outer_momentum=0.6)
ARMS: Mapping[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("start", scheme="start"),
        Arm("local", scheme="local"),
        # What collapses: no regulariser, no common start. Held by nothing, and then by the frame anchor.
        Arm("naive", own_start=True, changes=(("objective.weight", 0.0),)),
        Arm("naive-anchored", own_start=True, changes=(("objective.weight", 0.0),), anchor=0.3),
        Arm("fedavg"),
        _DILOCO,
        replace(_DILOCO, name="aligned", align=True),
        Arm("network", outer_lr=0.7, outer_momentum=0.6, align=True),
        replace(_DILOCO, name="anchored", align=True, anchor=0.1),
        replace(_DILOCO, name="frozen-encoder", frozen_encoder=True),
        Arm("pooled", scheme="pooled"),
        Arm("pooled-wide", scheme="pooled", wide=True),
    )
}
"""DiLoCo's outer step: Douillard et al. 2023 (arXiv:2311.08105); federated averaging: McMahan et al. 2017."""

BEST = "aligned"
"""The arm that stands for the federation in targets."""
_FEDERATIONS = (BEST, "network", "diloco", "fedavg")
CONTROLS: Mapping[str, str] = {
    "start": "what everybody begins with: nobody trains",
    "local": "every solver alone, as many steps as it takes in the federation; the mean of their models",
    "local, best one": "the best of these models by its error on unseen sites, which nobody could know",
    "naive": "plain averages from starts of their own without a regulariser: what collapses",
    "naive-anchored": "the same, held by the frame anchor",
    "fedavg": "plain averages from the public start",
    "diloco": "outer step with learning rate 1 and momentum 0.6",
    "aligned": "the same, deltas turned into the base's frame where the recipe says so",
    "anchored": "the same again, held by the frame anchor",
    "network": "the outer step that rounds of a network take: learning rate 0.7, momentum 0.6",
    "frozen-encoder": "frozen: what encodes is the start's, everything else is trained",
    "pooled": "one model on all data, as many steps as all solvers together",
    "pooled-wide": "one model on all data, as many steps as one solver, each with the batches of all",
}
"""What each row that stands beside the federation is."""


def federation_of(names: Collection[str]) -> str | None:
    """The arm that stands for the federation among those that ran; None: there is none."""
    return next((name for name in _FEDERATIONS if name in names), None)


def chosen(names: str) -> tuple[Arm, ...]:
    """Arms by name, separated by commas, in the order given.

    Raises:
        Fatal: an unknown name.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in ARMS]
    if unknown or not wanted:
        raise Fatal(
            f"no arm is called {', '.join(unknown) or repr(names)}",
            remedy=f"arms: {', '.join(ARMS)}",
            code=Exit.USAGE,
        )
    return tuple(ARMS[name] for name in dict.fromkeys(wanted))
