"""What the nodes of a network received, read off their logs and status files; for `round_bytes.py`.

A blob belongs to the round that made it, by its digest, whenever it was fetched: a solver fetches what leads
to a round's model when the next round opens. Gossip and requests to the chain have no digest: they belong to
the time between two readings of the status files.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from network import Network, Node

from jepanet.protocol import facts
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, decode_sheet
from jepanet.storage.blobs.blob_files import place_of
from jepanet.tensors import header_of
from jepanet.types import Digest, Verdict

STATUS_EVERY = 2.5
"""Seconds after which a running node has written its status again."""


@dataclass(frozen=True, slots=True)
class Made:
    """What one round made: digests, in hex."""

    number: int
    base: str
    spec: str
    recipe: str
    model: str
    update: str | None
    remainder: str | None
    deltas: tuple[str, ...]
    accepted: tuple[str, ...]

    @property
    def published(self) -> bool:
        return self.model != self.base

    def kinds(self) -> dict[str, str]:
        """Digest -> kind of everything that may travel for it."""
        found = dict.fromkeys(self.deltas, "delta")
        if self.published:
            found[self.model] = "model"
        for kind, digest in (("update", self.update), ("remainder", self.remainder)):
            if digest is not None:
                found[digest] = kind
        return found


def role_of(node: Node) -> str:
    (role,) = node.roles
    return role


def kept(network: Network, digest: bytes) -> Path:
    """A blob's file in the store of whichever node has it."""
    for node in network.nodes.values():
        path = place_of(node.folder / "data" / "blobs", digest)
        if path.is_file():
            return path
    raise FileNotFoundError(digest.hex())


def made_by(network: Network, number: int) -> Made:
    """What a recorded round made, from its score sheet."""
    (recorded,) = network.events(facts.ChainTrainingRecorded, number)
    data = kept(network, recorded.sheet).read_bytes()
    assert len(data) <= MAX_SHEET_BYTES
    sheet = decode_sheet(data)
    remainder = None
    if sheet.update is not None:
        head = header_of(kept(network, sheet.update).read_bytes(), what="update")
        remainder = str(head["remainder"]) or None
    round_ = network.round(number)
    return Made(
        number=number,
        base=round_.base.hex(),
        spec=round_.params.spec.hex(),
        recipe=network.state().projects[round_.project_id].recipe.hex(),
        model=sheet.model.hex(),
        update=None if sheet.update is None else sheet.update.hex(),
        remainder=remainder,
        deltas=tuple(row.digest.hex() for row in sheet.rows),
        accepted=tuple(row.digest.hex() for row in sheet.rows if row.verdict is Verdict.ACCEPTED),
    )


def transfers(node: Node) -> Iterable[tuple[str, str, int]]:
    """(digest, kind, bytes) of every transfer to this node, successful or not."""
    for line in node.events():
        if line.get("event") in ("blob.fetched", "blob.missed"):
            yield str(line["digest"]).removeprefix("0x"), str(line["kind"]), int(line["bytes"])


def received(network: Network, wanted: Mapping[str, str]) -> dict[str, Counter[str]]:
    """By node, bytes of the blobs in `wanted` (digest -> kind), by kind."""
    found: dict[str, Counter[str]] = {name: Counter() for name in network.nodes}
    for name, node in network.nodes.items():
        for digest, _, count in transfers(node):
            if digest in wanted:
                found[name][wanted[digest]] += count
    return found


def ways(network: Network, model: str) -> Counter[str]:
    """How the nodes came by a model that they did not merge: `whole`, or by which route it was derived."""
    found: Counter[str] = Counter()
    for node in network.nodes.values():
        derived = False
        for line in node.events("model.derived"):
            if str(line["model"]).removeprefix("0x") == model:
                found["+".join(map(str, line["route"]))] += 1
                derived = True
        fetched = {digest for digest, kind, _ in transfers(node) if kind == "model"}
        found["whole"] += not derived and model in fetched
    return +found


@dataclass
class Readings:
    """The counters of every node's status file, read twice."""

    network: Network
    before: dict[str, tuple[int, dict[str, int]]] = field(default_factory=dict)

    def begin(self) -> None:
        self.before = self._read()

    def passed(self) -> dict[str, dict[str, int]]:
        """Bytes received since `begin`, by node: `gossip`, `rpc`, `shard`, `document`, `other`. A node that
        was started since counts from its start."""
        time.sleep(STATUS_EVERY)
        found = {}
        for name, (process, counted) in self._read().items():
            earlier, base = self.before.get(name, (0, {}))
            same = base if process == earlier else {}
            found[name] = {key: count - same.get(key, 0) for key, count in counted.items()}
        return found

    def _read(self) -> dict[str, tuple[int, dict[str, int]]]:
        found = {}
        for name, node in self.network.nodes.items():
            status: Any = node.status()
            if status is not None:
                traffic = status["traffic"]
                counted = {kind: int(flow["received"]) for kind, flow in traffic["blobs"].items()}
                counted["gossip"] = int(traffic["gossip"]["received"])
                counted["rpc"] = sum(int(flow["received"]) for flow in traffic["endpoints"].values())
                found[name] = (int(status["pid"]), counted)
        return found


def digest_of_hex(text: str) -> Digest:
    return Digest(bytes.fromhex(text))


def by_role(network: Network, figures: Mapping[str, int]) -> dict[str, list[int]]:
    """Figures of nodes, by their role."""
    found: dict[str, list[int]] = {}
    for name, figure in figures.items():
        found.setdefault(role_of(network.nodes[name]), []).append(figure)
    return found


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
