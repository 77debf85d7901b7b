"""What a local network is: its recipe, its nodes and their ports, chosen once and kept in its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final

from jepanet.chain.devchain.anvil import find_anvil, is_free
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import read_capped, write_atomically, write_new
from jepanet.learning.sources.registry import OFFERS, dataset_for
from jepanet.operations.local_network.neighbours import make_known, neighbours
from jepanet.records.codec import JOURNAL, Codec
from jepanet.records.marks import Range, Size
from jepanet.types import Role

PLAN: Final = "network.json"
LOCK: Final = ".lock"
USUAL_RECIPE: Final = "tworoom-small"
USUAL_SOLVERS: Final = 2
MOST_SOLVERS: Final = 8
_CHAIN, _P2P, _RPC = 8545, 4801, 4901
"""Ports to look for free ones from; not the usual ones of nodes, which one of a real network may want."""
_LOOKED_AT = 1000

_Port = Annotated[int, Range(1, 65535)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for; None: whatever is usual, or was chosen before."""

    recipe: str | None = None
    solvers: int | None = None
    rounds: int | None = None
    chain_port: int | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    p2p: _Port
    rpc: _Port


@dataclass(frozen=True, slots=True)
class Plan:
    """A local network. `project` is 0 until it is registered, which is the last thing that is done."""

    HEAD: ClassVar = {"schema": "jepanet.local_network.1"}

    recipe: Annotated[str, Size(1, 100)]
    source: Annotated[str, Size(1, 100), "what its data are built from"]
    solvers: Annotated[int, Range(1, MOST_SOLVERS)]
    rounds: Annotated[int, Range(1)]
    chain_port: _Port
    ports: Annotated[tuple[Ports, ...], Size(4, 3 + MOST_SOLVERS)]
    """In the order of the cast."""
    project: Annotated[int, Range(0)] = 0

    @property
    def cast(self) -> tuple[tuple[str, Role], ...]:
        """Names and roles. The others meet through the first, so a node for each starts in this order."""
        first = (Role.AGGREGATOR, Role.COORDINATOR, Role.PROPOSER)
        solvers = [(f"solver-{number + 1}", Role.SOLVER) for number in range(self.solvers)]
        return (*((role.value, role) for role in first), *solvers)


CODEC = Codec(Plan, "plan of a local network", max_bytes=1 << 16, spelling=JOURNAL)


def planned(folder: Path, wanted: Wanted, known_in: Path | None = None) -> Plan:
    """The network of this folder; where it has none, one is chosen and written.

    `known_in`: the folder that leads to the other networks of this machine, whose ports are left to them.

    Raises:
        Fatal: the network is another than what is wanted, or no data are at hand for the recipe (exit code
            `USAGE`); anvil is missing (`TOOL_MISSING`); the port is taken, if only by
            another network (`PORT_IN_USE`).
    """
    known = _read(folder)
    if known is not None:
        _check_same(folder, known, wanted)
        return known
    find_anvil()
    made = _chosen(wanted, frozenset() if known_in is None else _ports_of_others(folder, known_in))
    write_new(folder / PLAN, CODEC.encode(made))
    if known_in is not None:
        make_known(known_in, folder)
    return made


def finished(folder: Path, plan: Plan, project: int) -> Plan:
    """Writes down that the network is whole."""
    made = replace(plan, project=project)
    write_atomically(folder / PLAN, CODEC.encode(made), mode=0o600)
    return made


def check_folder(folder: Path) -> None:
    """Raises: Fatal: the folder holds something that is no local network (exit code `USAGE`)."""
    if not os.path.lexists(folder) or (folder / PLAN).exists():
        return
    if not folder.is_dir() or any(item.name != LOCK for item in folder.iterdir()):
        raise Fatal(
            f"{folder} holds something else, and nothing was changed",
            remedy="name an empty folder, or one that is not there yet, with --out",
            code=Exit.USAGE,
        )


def _read(folder: Path) -> Plan | None:
    path = folder / PLAN
    if not path.exists():
        return None
    try:
        return CODEC.decode(read_capped(path, CODEC.max_bytes, CODEC.what))
    except Rejected as error:
        raise Fatal(
            f"{path} is no plan of a local network of this version: {error.message}",
            remedy="name another folder with --out",
            code=Exit.USAGE,
        ) from error


def _check_same(folder: Path, known: Plan, wanted: Wanted) -> None:
    for option in ("recipe", "solvers", "rounds", "chain_port"):
        asked, has = getattr(wanted, option), getattr(known, option)
        if asked is not None and asked != has:
            name = "--" + option.replace("_", "-")
            raise Fatal(
                f"the network in {folder} was begun with {name} {has}, and nothing was changed",
                remedy=f"leave {name} out to go on with it, or name another folder with --out",
                code=Exit.USAGE,
            )


def _ports_of_others(folder: Path, known_in: Path) -> frozenset[int]:
    """Those that other networks of this machine come back to, running or not."""
    taken: set[int] = set()
    for other in neighbours(known_in):
        try:
            plan = None if other == folder.resolve() else _read(other)
        except (Fatal, OSError):  # of another version, or of nobody's business
            continue
        if plan is not None:
            taken |= {plan.chain_port, *(port for pair in plan.ports for port in (pair.p2p, pair.rpc))}
    return frozenset(taken)


def _chosen(wanted: Wanted, taken: AbstractSet[int]) -> Plan:
    recipe = wanted.recipe or USUAL_RECIPE
    found = dataset_for(recipe)
    if found is None:
        at_hand = sorted({dataset.recipe for offer in OFFERS.values() for dataset in offer.datasets})
        raise Fatal(
            f"there are no data at hand for recipe {recipe!r:.100}",
            remedy=f"use --recipe with one of {', '.join(at_hand)}",
            code=Exit.USAGE,
        )
    offer, dataset = found
    task = offer.load()
    task.environment.require()
    shards = task.sizes[dataset.recipe].evaluation_shards
    rounds = shards if wanted.rounds is None else wanted.rounds
    if rounds > shards:
        raise Fatal(
            f"{rounds} rounds need as many sealed shards, and the dataset has {shards}",
            remedy=f"use --rounds {shards} or fewer",
            code=Exit.USAGE,
        )
    solvers = USUAL_SOLVERS if wanted.solvers is None else wanted.solvers
    p2p, rpc = _free_from(_P2P, taken), _free_from(_RPC, taken)
    ports = tuple(Ports(next(p2p), next(rpc)) for _ in range(3 + solvers))
    return Plan(recipe, offer.name, solvers, rounds, _chain_port(wanted.chain_port, taken), ports)


def _chain_port(wanted: int | None, taken: AbstractSet[int]) -> int:
    if wanted is None:
        return next(_free_from(_CHAIN, taken))
    if wanted in taken or not is_free(wanted):
        by = ", by another local network of this machine" if wanted in taken else ""
        raise Fatal(
            f"port {wanted} is already in use{by}",
            remedy="name another with --chain-port, or leave it out: a free one is taken",
            code=Exit.PORT_IN_USE,
        )
    return wanted


def _free_from(first: int, taken: AbstractSet[int]) -> Iterator[int]:
    for port in range(first, first + _LOOKED_AT):
        if port not in taken and is_free(port):
            yield port
    raise Fatal(
        f"none of the ports from {first} to {first + _LOOKED_AT - 1} is free",
        remedy="stop some of what listens there",
        code=Exit.PORT_IN_USE,
    )
