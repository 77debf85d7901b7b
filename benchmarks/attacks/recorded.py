"""Rounds of an honest federation, kept with what attackers make in them, for rules held side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attacks.attempt import drawn_out
from attacks.judging import CODEC
from attacks.rounds import LEARNING_RATE, MOMENTUM, Data
from jepanet.federation.deltas.delta import decode_parts, delta_of, encode_parts, schema_of
from jepanet.federation.judging.judge import merge
from jepanet.federation.judging.similarity import norm
from jepanet.files import write_atomically
from jepanet.learning.data.building.plan import PUBLIC, sealed_name, training_name
from jepanet.learning.data.shards import Shard
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.training.loop import train, warm_start
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from jepanet.types import Digest

CHEAP, CHEAP_STEPS = 5, 5
"""Deltas of so little work, and by how much less than an honest one."""


@dataclass(frozen=True)
class Recorded:
    """One round: where it begins, what honest work and attackers make of it."""

    number: int
    base: Arrays
    velocity: Arrays | None
    last_norms: tuple[float, ...]
    """Of the deltas merged in the round before, over the norm of its base; none in the first."""
    deltas: dict[str, Arrays]
    """`honest 0`, `cheap 0`, `noise 0` (of the honest norm), `leak`; as they arrive."""
    sealed: Shard
    report: Shard
    """Other episodes of the same sites, which nothing was chosen by."""


def recorded(
    recipe: Recipe,
    data: Data,
    seed: int,
    solvers: int,
    wanted: Sequence[int],
    folder: Path,
    *,
    sealed: int,
) -> list[Recorded]:
    """The wanted rounds, from 0, of one seed; trained once and then read from `folder`. `sealed`: shards that
    rounds may draw; those after them are reported on."""
    secret = derive(bytes(32), f"rules {seed}")
    shards = [data.shard(training_name(place)) for place in range(solvers)]
    base, velocity = warm_start(recipe, data.shard(PUBLIC), derive(secret, "start")), None
    last: tuple[float, ...] = ()
    found = []
    for number in range(max(wanted) + 1):
        drawn, report = (data.shard(sealed_name(place)) for place in (number, sealed + number))
        path = folder / f"{recipe.name}-{seed}-{solvers}-{number}.safetensors"
        deltas = _read(path)
        if not deltas:
            deltas = deltas_of(recipe, base, shards, drawn, secret, number, number in wanted)
            _write(path, deltas)
        deltas = {name: as_arrived(delta, base) for name, delta in deltas.items()}
        if number in wanted:
            found.append(Recorded(number, base, velocity, last, deltas, drawn, report))
        honest = [deltas[f"honest {place}"] for place in range(solvers)]
        last = tuple(norm(delta) / norm(base) for delta in honest)
        base, velocity = merge(
            base, velocity, [(Digest(bytes([place]) * 32), delta) for place, delta in enumerate(honest)],
            lr_milli=LEARNING_RATE, momentum_milli=MOMENTUM,
        )  # fmt: skip
    return found


def deltas_of(
    recipe: Recipe,
    base: Arrays,
    shards: Sequence[Shard],
    sealed: Shard,
    secret: bytes,
    number: int,
    all_: bool,
) -> dict[str, Arrays]:
    """What solvers train in a round: the honest ones, and with `all_` who plays the rules."""
    start = number * recipe.inner_steps

    def trained(what: str, shard: Shard, steps: int) -> Arrays:
        seed = derive(secret, f"round {number} {what}")
        return delta_of(train(base, shard, recipe, seed=seed, steps=steps, start_step=start).weights, base)

    deltas = {
        f"honest {place}": trained(f"honest {place}", shard, recipe.inner_steps)
        for place, shard in enumerate(shards)
    }
    if not all_:
        return deltas
    for place in range(CHEAP):
        shard = shards[place % len(shards)]
        deltas[f"cheap {place}"] = trained(f"cheap {place}", shard, recipe.inner_steps // CHEAP_STEPS)
        draw = numpy_generator(secret, f"noise {number} {place}")
        noise = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in base.items()}
        deltas[f"noise {place}"] = drawn_out(noise, norm(deltas["honest 0"]))
    deltas["leak"] = trained("leak", sealed, 2 * recipe.inner_steps)
    return deltas


def as_arrived(delta: Arrays, base: Arrays) -> Arrays:
    """Coded and decoded."""
    return decode_parts(encode_parts(delta, CODEC), schema_of(base), CODEC)


def _read(path: Path) -> dict[str, Arrays]:
    found: dict[str, Arrays] = {}
    if path.exists():
        arrays, _ = decode_tensors(path.read_bytes(), max_bytes=1 << 30, what="recorded deltas")
        for name, array in arrays.items():
            what, _, weight = name.partition("|")
            found.setdefault(what, {})[weight] = array
    return found


def _write(path: Path, deltas: dict[str, Arrays]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"{what}|{name}": array for what, delta in deltas.items() for name, array in delta.items()}
    write_atomically(path, encode_tensors(arrays, {"kind": "recorded deltas"}))
