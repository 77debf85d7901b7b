"""Ten nodes in namespaces of their own, set up by commands as their operators would give them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.demonstration.cast import DemoFailed, jepanet, make_wallet
from scripts.longevity.processes import Kept
from scripts.rehearsing import namespaces
from scripts.rehearsing.namespaces import within
from scripts.rehearsing.plan import CHAIN, OUTSIDER, Plan

from jepanet.chain.devchain.anvil import free_port
from jepanet.operations.local_network.terms import TERMS, stretched
from jepanet.settings.first_config import FirstConfig, first_config
from jepanet.types import Role

ROOT = Path(__file__).resolve().parents[2]
_PORT = 4701
RECIPE = "tworoom-small"
_INNER_STEPS = 40
"""A quarter of the recipe's: the least by which merges still help, a second or two of one core."""
_SIZES = {"episodes": 28, "frames": 32, "evaluation_episodes": 20}
"""Shards of 2 MB: each travels to nine nodes in a round."""
_COMMIT, _REVEAL, _VERIFY = 30, 90, 90
"""Seconds. COMMIT lasts to its half when everybody has committed, the other two end when all is there."""
_BLOCK_SECONDS = "0.5"
_NICE = ("nice", "-n", "5")


class Network:
    """Router, relay, chain and nodes of one rehearsal, in `folder`; `close` ends everything."""

    def __init__(self, folder: Path, plan: Plan, roles: Sequence[tuple[str, str]]) -> None:
        self.folder, self.plan = folder, plan
        self.members = [CHAIN, OUTSIDER, *(name for name, _ in roles)]
        self.addresses = namespaces.members_of(self.members)
        self.nodes: list[Kept] = []
        self.project: dict[str, Any] = {}
        self._roles = roles
        self._router: subprocess.Popen[bytes] | None = None
        self._relay: subprocess.Popen[bytes] | None = None

    def __getitem__(self, name: str) -> Kept:
        return next(node for node in self.nodes if node.name == name)

    @property
    def chain(self) -> Path:
        return self.folder / "devnet"

    # ------------------------------------------------------------ the links

    def lay_links(self) -> None:
        """Namespaces, and the process that carries packets between them."""
        for member in self.members:
            namespaces.make(member)
        self._router = subprocess.Popen(
            [sys.executable, "-m", "scripts.rehearsing.router"], cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.order(
            members=self.members,
            links={name: asdict(link) for name, link in self.plan.links.items()},
            seed=self.plan.seed,
            chain=CHAIN,
        )

    def order(self, **what: Any) -> dict[str, Any]:
        """Tells the router something; its answer is what each member sent so far, but to the first order."""
        router = self._router
        assert router is not None and router.stdin is not None and router.stdout is not None
        try:
            router.stdin.write(json.dumps(what).encode() + b"\n")
            router.stdin.flush()
            line = router.stdout.readline()
        except OSError:
            line = b""
        if not line:
            raise DemoFailed("the router between the namespaces ended: see what it said above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    # ------------------------------------------------------------ chain and nodes

    def set_up(self, *, times: float, earlier: Path | None) -> None:
        """Chain, wallets, dataset, project, and nodes that run. `times`: see `terms.stretch`.

        `earlier`: the package of those that are to be upgraded.
        """
        port = free_port()
        made = jepanet(
            "devnet", "up", "--dir", self.chain, "--port", str(port), "--block-time", _BLOCK_SECONDS
        )
        self.rpc, self.deployment = made["rpc"], made["deployment"]
        relay = [sys.executable, "-m", "scripts.rehearsing.relay"]
        relay += [namespaces.namespace(CHAIN), self.addresses[CHAIN], str(port)]
        self._relay = subprocess.Popen(relay, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._relay.stdout is not None
        if not self._relay.stdout.readline():
            raise DemoFailed("the chain's endpoint within the network did not open: see what it said above")
        old = {item.member for item in self.plan.upgrades} if earlier else set[str]()
        for name, role in self._roles:
            wallet = make_wallet(self.folder / "nodes", name, role)
            node = Kept(name, role, wallet.folder, wallet.address, (*within(name), *_NICE))
            node.client = earlier if name in old else None
            self.nodes.append(node)
        funds = [node.address for node in self.nodes]
        jepanet("devnet", "fund", *funds, "--dir", self.chain, "--tokens", "100000", "--ether", "100")
        self._begin(times)

    def _begin(self, times: float) -> None:
        first, proposer = self.nodes[0], self["proposer"]
        endpoint = f"http://{self.addresses[CHAIN]}:{self.rpc.rpartition(':')[2]}"
        self._configure(first, endpoint, [])
        first.start()
        peer = first.wait_until_up()["peer"]
        self.bootstrap = f"/ip4/{self.addresses[first.name]}/tcp/{_PORT}/p2p/{peer}"
        for node in self.nodes[1:]:
            self._configure(node, endpoint, [self.bootstrap])
        coordinators = [node for node in self.nodes if node.role == "coordinator"]
        self._all(coordinators, lambda node: self.command(node, "stake", "deposit", "200"))
        data = self.folder / f"dataset-{self.plan.seed}-{self.plan.rounds}"
        solvers = sum(node.role == "solver" for node in self.nodes)
        sizes = {**_SIZES, "training_sites": solvers, "evaluation_shards": self.plan.rounds}
        options = [item for name, size in sizes.items() for item in ("--size", f"{name}={size}")]
        jepanet(
            "dataset", "build", "tworoom", "--recipe", RECIPE, "--out", data,
            "--seed", str(self.plan.seed), *options,
        )  # fmt: skip
        verifiers = [item for node in coordinators for item in ("--verifier", node.address)]
        self.project = self.command(
            proposer, "project", "create", "--dataset", data, "--recipe", RECIPE, *verifiers,
            "--threshold", str(len(coordinators) // 2 + 1),
        )  # fmt: skip
        joined = str(self.project["set"])
        self._all(coordinators, lambda node: self.command(node, "verifiers", "join", joined))
        phases = {"commit_seconds": _COMMIT, "reveal_seconds": _REVEAL, "verify_seconds": _VERIFY}
        terms = {
            **stretched({**TERMS, **phases}, times), "dataset": str(data), "rounds": self.plan.rounds,
            "inner_steps": _INNER_STEPS, "max_delta_mb": 1, "budget": "20", "fee": "3", "keep_deltas": True,
            "max_solvers": solvers, "aggregators": [first.address],
        }  # fmt: skip
        self._configure(proposer, endpoint, [self.bootstrap], terms=terms)
        # The proposer last: nobody shall miss the first round for being started later.
        for node in (*(item for item in self.nodes[1:] if item is not proposer), proposer):
            node.start()
            node.wait_until_up()

    def command(self, node: Kept, *arguments: str | Path) -> Any:
        """A `jepanet` command of this version with the node's configuration, within its namespace."""
        return jepanet(*arguments, "--config", node.config, within=within(node.name))

    def _all(self, nodes: Sequence[Kept], what: Any) -> None:
        with ThreadPoolExecutor(max(1, len(nodes))) as pool:
            list(pool.map(what, nodes))

    def _configure(
        self, node: Kept, endpoint: str, bootstrap: list[str], *, terms: dict[str, Any] | None = None
    ) -> None:
        own: dict[str, dict[str, object]] = {"node": {"storage_gb": 0.5}, "chain": {"confirmations": 1}}
        if terms is not None:
            own["proposer"] = terms
        address = self.addresses[node.name]
        said = FirstConfig(
            role=Role(node.role), name=node.name, endpoints=(endpoint,), deployment=str(self.deployment),
            password_file="password", listen=f"/ip4/{address}/tcp/{_PORT}", bootstrap=tuple(bootstrap),
            allow_isolated=not bootstrap, own=own,
        )  # fmt: skip
        # An earlier version may not know the sections at the end, which are off anyway.
        node.config.write_text(first_config(said).partition("\n[rpc]")[0])

    # ------------------------------------------------------------ ends

    def close(self) -> None:
        """Ends nodes, chain, relay and router, and removes the namespaces."""
        with ThreadPoolExecutor(max(1, len(self.nodes))) as pool:
            list(pool.map(Kept.stop, self.nodes))
        if (self.chain / "devnet.json").exists():
            jepanet("devnet", "down", "--dir", self.chain)
        for process in (self._relay, self._router):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(10)
        namespaces.clean()


def earlier_package(commit: str, folder: Path) -> Path:
    """The package of another commit, unpacked below `folder`; the folder for PYTHONPATH.

    Raises:
        DemoFailed: no such commit in this clone, or its contracts are not today's.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "client", "abi"], capture_output=True, check=False
    )
    if archive.returncode:
        raise DemoFailed(
            f"commit {commit} is not in this clone: fetch the history (git fetch --unshallow), name another "
            "by --upgrade-from, or leave upgrades out by --no-upgrades"
        )
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive.stdout, check=True)
    for path in sorted((ROOT / "abi").glob("*.json")):
        before = folder / "abi" / path.name
        if not before.is_file() or _abi(before) != _abi(path):
            raise DemoFailed(
                f"commit {commit} has other contracts ({path.name}), and no journal outlives a deployment: "
                "name a later commit by --upgrade-from"
            )
    return folder / "client"


def _abi(path: Path) -> object:
    return json.loads(path.read_text())["abi"]


def kept_folder(folder: Path, copy: Path) -> None:
    """The whole folder of a node that is stopped, as an operator keeps it before an upgrade."""
    shutil.copytree(folder, copy, ignore=lambda _, names: [name for name in names if name == "backups"])
    os.sync()
