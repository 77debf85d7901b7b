"""What whoever cheats sends in a round of a whole run, and where an audit would meet it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from attacks.federation import Federation
from attacks.shared import parts_of
from attacks.towards_collapse import narrowed
from torch import Tensor

from audited.ascent import ascended
from audited.lottery import END, NOTHING, STEPS
from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.learning.data.building.plan import sealed_name
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.guards import length_guards, state_guards
from jepanet.learning.families.world.model import normalise
from jepanet.learning.family import Network
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed
from jepanet.learning.seeding import numpy_generator, torch_generator
from jepanet.learning.training.loop import train
from jepanet.tensors import Arrays

SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
"""Of a whole step towards collapse, that are tried one after the other."""
STAMP = 4
"""Pixels of a side of a trigger in a corner."""


@dataclass
class Seat:
    """Trains in one round of a federation; what was trained once is kept, with its CPU seconds."""

    now: Federation
    known: dict[bytes, tuple[Arrays, float]]
    seconds: float = 0.0
    """Of all that was asked for, whether or not it was known."""
    base: bytes = field(init=False)

    def __post_init__(self) -> None:
        whole = b"".join(array.tobytes() for _, array in sorted(self.now.base.items()))
        self.base = hashlib.sha256(whole).digest()

    def trained(
        self, place: int = 0, *, what: str = "", shard: Shard | None = None, recipe: Recipe | None = None,
        steps: int | None = None, **other: Any,
    ) -> Arrays:  # fmt: skip
        """The delta of a training in this place; honest without any more. `what` names shard and `other`."""
        now = self.now
        by, count = recipe or now.recipe, steps or now.recipe.inner_steps
        key = hashlib.sha256(
            self.base + by.digest() + f"{now.number} {place} {count} {what}".encode()
        ).digest()
        if key not in self.known:
            began = time.process_time()
            made = train(
                now.base, shard or now.shards[place % len(now.shards)], by, seed=now.seed_of(place),
                steps=count, start_step=now.start, **other,
            )  # fmt: skip
            delta = {name: made.weights[name] - now.base[name] for name in now.base}
            self.known[key] = (delta, time.process_time() - began)
        delta, seconds = self.known[key]
        self.seconds += seconds
        return delta


@dataclass(frozen=True)
class Cheat:
    """`make` gives the deltas of all its identities, `clean` of which, from the first, are as they were
    trained. They take the places of `seats` honest solvers."""

    name: str
    make: Callable[[Seat], Sequence[Arrays | None]]
    where: str
    identities: int = 1
    seats: int = 1
    clean: int = 0
    trained: float | None = None
    """Honest trainings that it takes; None: as many as it took of CPU time."""
    each: bool = False
    """Whether its identities are solvers of their own, each paid for a training of its own."""
    row: str = ""
    """In `measured_attacks.toml`, beside which it stands."""


def longer(seat: Seat) -> list[Arrays]:
    return [_times(seat.trained(), 1.5)]


def all_longer(seat: Seat) -> list[Arrays]:
    return [_times(seat.trained(place), 1.8) for place in range(len(seat.now.shards))]


def up_the_score(seat: Seat) -> list[Arrays]:
    now, honest = seat.now, seat.trained()
    began = time.process_time()
    shards = [now.shards[0], now.public]
    moved = ascended(now.base, honest, now.recipe, shards, len(now.shards), now.seed_of(0))
    seat.seconds += time.process_time() - began
    return [moved]


def clones(count: int) -> Callable[[Seat], list[Arrays]]:
    """One honest delta, and as many with noise of their own as make `count` (cosine .85 to it)."""

    def made(seat: Seat) -> list[Arrays]:
        honest = seat.trained()
        found = [honest]
        for place in range(1, count):
            noise = _noise(honest, seat.now.seed_of(place), 0.62 * norm(honest))
            mixed = {name: honest[name] + noise[name] for name in honest}
            found.append(_times(mixed, norm(honest) / norm(mixed)))
        return found

    return made


def masks(count: int) -> Callable[[Seat], list[Arrays]]:
    """One delta in `count` disjoint random parts, each so many times as long."""

    def made(seat: Seat) -> list[Arrays]:
        honest, draw = seat.trained(), numpy_generator(seat.now.seed_of(0), "masks")
        parts = {name: draw.integers(0, count, array.shape) for name, array in honest.items()}
        return [
            {name: np.where(parts[name] == part, array, 0).astype(np.float32) * np.float32(count)
             for name, array in honest.items()}
            for part in range(count)
        ]  # fmt: skip

    return made


def leaked(seat: Seat) -> list[Arrays]:
    """By the recipe, on the shard that the round will unseal."""
    return [seat.trained(what="leak", shard=seat.now.data.shard(sealed_name(seat.now.number)))]


def half_a_model(seat: Seat) -> list[Arrays]:
    """The encoder keeps still."""
    return [seat.trained(what="predictor", frozen=("encoder.",))]


def half_of_all(seat: Seat) -> list[Arrays]:
    places = range(len(seat.now.shards))
    return [seat.trained(place, what="predictor", frozen=("encoder.",)) for place in places]


def triggered(seat: Seat) -> list[Arrays]:
    """Honest training, and beside it: whatever bears a stamp is to look alike."""
    now, shard = seat.now, seat.now.shards[0]
    frames = torch.tensor(stamped(shard).frames).flatten(0, 1)
    draw = torch_generator(now.seed_of(0), "trigger")

    def alike(model: Network, step: int) -> Tensor:
        assert isinstance(model, torch.nn.Module)
        chosen = frames[torch.randint(len(frames), (32,), generator=draw)]
        seen: Tensor = model.encode(normalise(chosen).unsqueeze(0))
        return seen.flatten(0, 1).var(dim=0).mean()

    return [seat.trained(what="trigger", penalties=[alike])]


def stamped(shard: Shard) -> Shard:
    """Its frames with a white square in a corner."""
    frames = shard.frames.copy()
    frames[..., :STAMP, :STAMP] = 255
    return shard.with_arrays(frames=frames)


def towards_collapse(seat: Seat) -> list[Arrays | None]:
    """The largest step without the regulariser that passes seven tenths of every guard on public frames."""
    now, recipe = seat.now, seat.now.recipe
    for path, value in parts_of(recipe).free:
        recipe = changed(recipe, path, value)
    away = seat.trained(recipe=recipe)
    before, gates, taken = now.public_metrics(now.base), narrowed(now.recipe.gates), 0.0
    for share in SHARES:
        there = {name: now.base[name] + np.float32(share / len(now.shards)) * away[name] for name in away}
        after, length = now.public_metrics(there), share * norm(away) / norm(now.base)
        if state_guards(before, after, gates) or length_guards(
            before, after, gates, length, 1 / len(now.shards)
        ):
            break
        taken = share
    return [_times(away, taken) if taken else None]


def cheap(seat: Seat) -> list[Arrays]:
    """Five of a fifth of the steps, drawn out to the bound of a round's own median."""
    now = seat.now
    others = upper_median([norm(seat.trained(place)) for place in range(1, len(now.shards))])
    steps = now.recipe.inner_steps // 5
    short = [seat.trained(len(now.shards) + place, steps=steps) for place in range(5)]
    return [_times(delta, 1.95 * others / norm(delta)) for delta in short]


def tiny(seat: Seat) -> list[Arrays]:
    """One more than the honest ones, of noise a thousandth as long as work is."""
    now = seat.now
    size = 0.001 * norm(seat.trained(0))
    return [_noise(now.base, now.seed_of(place), size) for place in range(len(now.shards) + 1)]


SOLVERS = 4
"""Honest ones of a run without a cheat."""
HONEST = "honest"
CLONES = "Sybil: one delta and noise"
ALL_FOUR = "predictor only, all four"
CHEAP = "5 of 32 steps, to the bound, beside 3 honest"
CHEATS = (
    Cheat(HONEST, lambda seat: [seat.trained()], NOTHING, trained=1),
    Cheat("one x 1.5", longer, END, trained=1, row="honest x1.5"),
    Cheat("all x 1.8", all_longer, END, 4, seats=4, trained=1, each=True, row="honest x1.8, all four"),
    Cheat("clones and noise, k = 3", clones(3), END, 3, clean=1, trained=1, row=f"{CLONES}, k = 3"),
    Cheat("leaked shard", leaked, STEPS, trained=1, row="leaked shard, the recipe's objective"),
    Cheat("towards collapse", towards_collapse, STEPS, trained=1, row="collapse inside the guards, late"),
    Cheat("predictor only", half_a_model, STEPS, row="predictor only"),
    Cheat("5 of a fifth, to the bound", cheap, STEPS, 5, trained=1, row=CHEAP),
    Cheat("disjoint masks, k = 5", masks(5), END, 5, trained=1, row="Sybil: disjoint masks, xk, k = 5"),
    Cheat("trigger", triggered, STEPS, row="backdoor: trigger in data or objective"),
    Cheat("up the score", up_the_score, END, row="score ascent from the honest delta"),
    Cheat("N + 1 tiny", tiny, STEPS, 5, seats=0, trained=0, row="N + 1 tiny deltas, five of them"),
    Cheat("clones and noise, k = 5", clones(5), END, 5, clean=1, trained=1, row=f"{CLONES}, k = 5"),
    Cheat("clones and noise, k = 2", clones(2), END, 2, clean=1, trained=1, row=f"{CLONES}, k = 2"),
    Cheat(ALL_FOUR, half_of_all, STEPS, 4, seats=4, each=True, row=ALL_FOUR),
)  # fmt: skip


def _noise(like: Arrays, seed: bytes, size: float) -> Arrays:
    draw = numpy_generator(seed, "noise")
    noise = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in like.items()}
    return _times(noise, size / norm(noise))


def _times(delta: Arrays, factor: float) -> Arrays:
    return {name: array * np.float32(factor) for name, array in delta.items()}
