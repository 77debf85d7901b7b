"""Wall and CPU seconds in which a solver comes by the model of a round; for `round_bytes.py`.

What a solver fetched in a round that was played is fetched once more, by a fresh process from another one
over libp2p, and the model is derived from it once more by the same job: alone on the machine, so that seconds
mean something.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from byte_ledger import Made, digest_of_hex, kept, transfers
from network import Network

from jepanet.tensors import header_of
from jepanet.work.jobs import run
from jepanet.work.requests.deriving import DeriveModel
from jepanet.work.requests.files import RoundFiles
from jepanet.work.requests.merging import AcceptedDelta

WORKER = Path(__file__).with_name("p2p_worker.py")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one solver: `fetch_cpu` is that of both ends of its transfers."""

    fetch_wall: float
    fetch_cpu: float
    derive_wall: float
    derive_cpu: float


class _Peer:
    """A `p2p_worker.py` process."""

    def __init__(self, folder: Path, shelf: Path) -> None:
        settings = {
            "listen": "/ip4/127.0.0.1/tcp/0",
            "topic": "benchmark",
            "node_key": secrets.token_hex(32),
            "directory": str(folder),
            "shelf": str(shelf),
        }
        self.child = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.address = str(self._read()["address"])

    def _read(self) -> Any:
        assert self.child.stdout is not None
        return json.loads(self.child.stdout.readline())

    def ask(self, **command: Any) -> Any:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(command) + "\n")
        self.child.stdin.flush()
        return self._read()["answer"]

    def cpu(self) -> float:
        times = psutil.Process(self.child.pid).cpu_times()
        return float(times.user + times.system)

    def end(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait(20)


class Replay:
    """Two processes that know each other; `close` ends them."""

    def __init__(self, folder: Path) -> None:
        self._shelf, self._target = folder / "shelf", folder / "target"
        self._shelf.mkdir(parents=True)
        self._server = _Peer(folder / "server", self._shelf)
        self._client = _Peer(folder / "client", folder / "nothing")
        warm = bytes(1 << 20)  # connections up, windows as in a node that has run for a while
        name = hashlib.sha256(warm).hexdigest()
        (self._shelf / name).write_bytes(warm)
        self._fetch([name])

    def close(self) -> None:
        self._client.end()
        self._server.end()

    def solver(self, network: Network, name: str, made: Made) -> Spent:
        """The exchange of one solver in one round."""
        wanted = made.kinds()
        fetched = [
            digest for digest, _, count in transfers(network.nodes[name]) if digest in wanted and count
        ]
        names = list(dict.fromkeys(fetched))
        for digest in names:
            shutil.copyfile(kept(network, digest_of_hex(digest)), self._shelf / digest)
        cpu = -self._client.cpu() - self._server.cpu()
        wall = self._fetch(names)
        cpu += self._client.cpu() + self._server.cpu()
        if not made.published or made.model in names:
            return Spent(wall, cpu, 0.0, 0.0)
        request = self._derivation(network, made, by_update=made.update in names)
        began, spent = time.perf_counter(), time.process_time()
        derived = run(request)
        spent, took = time.process_time() - spent, time.perf_counter() - began
        if derived.digest != digest_of_hex(made.model):
            raise RuntimeError(f"round {made.number} derives another model here: {derived.cause}")
        return Spent(wall, cpu, took, spent)

    def _fetch(self, names: Sequence[str]) -> float:
        shutil.rmtree(self._target, ignore_errors=True)
        wall = 0.0
        for name in names:
            wall += self._client.ask(
                do="fetch", digest=name, directory=str(self._target), providers=[self._server.address]
            )
        return wall

    def _derivation(self, network: Network, made: Made, *, by_update: bool) -> DeriveModel:
        def file(digest: str) -> Path:
            return kept(network, digest_of_hex(digest))

        def item(digest: str) -> AcceptedDelta:
            return AcceptedDelta(digest_of_hex(digest), file(digest))

        remainder = None
        if not by_update and made.update is not None:
            named = header_of(file(made.base).read_bytes(), what="base").get("remainder")
            remainder = None if named is None else file(str(named))
        drafts = self._target.parent
        return DeriveModel(
            round=RoundFiles(base=file(made.base), recipe=file(made.recipe), spec=file(made.spec)),
            number=network.round(made.number).id,
            deltas=() if by_update else tuple(item(digest) for digest in sorted(made.accepted)),
            update=item(made.update) if by_update and made.update is not None else None,
            remainder=remainder,
            expected=digest_of_hex(made.model),
            target=drafts / "model",
            update_target=drafts / "update" if made.update is not None and not by_update else None,
            remainder_target=drafts / "remainder" if made.remainder is not None and not by_update else None,
        )
