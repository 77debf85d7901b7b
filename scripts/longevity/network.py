"""A local network as an operator sets it up by commands, whose rounds are as short as they can be.

A project has at most 256 sealed shards and each round uses one up, so hundreds of rounds take several
projects. They run side by side: each has a proposer of its own, and all share solvers, coordinator and
aggregator.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

from scripts.demonstration.cast import DemoFailed, jepanet, make_wallet
from scripts.longevity.processes import Kept

from jepanet.chain.devchain.anvil import free_port
from jepanet.files import write_atomically
from jepanet.learning import recipes
from jepanet.operations.local_network.terms import TERMS, stretched
from jepanet.settings.first_config import FirstConfig, first_config
from jepanet.types import Role

SHARDS = 250
"""Of a project, so that many rounds: below what contracts allow, with some to spare."""
RECIPE = "tworoom-tiny"
_LASTS = "total_steps = 100\n"
"""Of that recipe: ten rounds, after which its learning rate is nil."""
SIZES = {
    "training_sites": 2, "episodes": 6, "frames": 10, "public_episodes": 8, "probe_frames": 64,
    "evaluation_episodes": 8, "hidden_sites": 2, "image": 32,
}  # fmt: skip
_MANY = 30
STORAGE_GB = 0.02
"""So little that the blob store must collect within a hundred rounds."""
LOG_BYTES, LOG_FILES = 1 << 16, 2
BLOCK_SECONDS = 0.5
_COMMIT, _REVEAL, _VERIFY = 20, 30, 60
"""Seconds. COMMIT lasts to its half when everybody has committed, the other two end when all is there."""
_INNER_STEPS = 10
_PLAN = "soak.json"


def rounds_of(rounds: int, projects: int) -> list[int]:
    """How many rounds each project plays: as even as can be."""
    return [rounds // projects + (place < rounds % projects) for place in range(projects)]


def projects_for(rounds: int) -> int:
    """Three where there are rounds enough, so that one trains while others wait for blocks; more where their
    shards would not last. In few rounds one: the first of each project may be over before torch is loaded."""
    return max(3 if rounds >= _MANY else 1, -(-rounds // SHARDS))


def recipe_for(rounds: int) -> str:
    """The text of a recipe that still learns after so many rounds."""
    text = resources.files(recipes).joinpath(f"{RECIPE}.toml").read_text()
    if text.count(_LASTS) != 1:
        raise DemoFailed(f"the preset {RECIPE} does not say {_LASTS.strip()!r} any more: correct {__name__}")
    return text.replace(_LASTS, f"total_steps = {rounds * _INNER_STEPS}\n")


class Network:
    """The folder of a soak: a devnet, the datasets, and a folder for each node."""

    def __init__(self, folder: Path, plan: dict[str, Any], nodes: list[Kept]) -> None:
        self.folder, self.plan, self.nodes = folder, plan, nodes

    @property
    def chain(self) -> Path:
        return self.folder / "devnet"

    @property
    def rpc(self) -> str:
        return str(self.plan["rpc"])

    def __getitem__(self, name: str) -> Kept:
        return next(node for node in self.nodes if node.name == name)

    @classmethod
    def of(cls, folder: Path) -> Network | None:
        """The one that an earlier call set up in this folder; `plan["ready"]` says whether it got done."""
        try:
            plan = json.loads((folder / _PLAN).read_text())
        except (OSError, ValueError):
            return None
        nodes = [
            Kept(item["name"], item["role"], folder / "nodes" / item["name"], item["address"])
            for item in plan["nodes"]
        ]
        return cls(folder, plan, nodes)

    @classmethod
    def set_up(cls, folder: Path, *, rounds: int, solvers: int, seed: str, times: float) -> Network:
        """Chain, wallets, datasets, nodes that run, projects. `times`: see `terms.stretch`.

        Raises:
            DemoFailed: a command did not do what it should.
        """
        for stale in ("devnet", "nodes"):
            shutil.rmtree(folder / stale, ignore_errors=True)
        shares = rounds_of(rounds, projects_for(rounds))
        chain = jepanet(
            "devnet", "up", "--dir", folder / "devnet", "--port", str(free_port()),
            "--block-time", str(BLOCK_SECONDS),
        )  # fmt: skip
        cast = [("aggregator", "aggregator"), ("coordinator", "coordinator")]
        cast += [(f"solver-{number + 1}", "solver") for number in range(solvers)]
        cast += [(f"proposer-{number + 1}", "proposer") for number in range(len(shares))]
        nodes = []
        for name, role in cast:
            made = make_wallet(folder / "nodes", name, role)
            nodes.append(Kept(name, role, made.folder, made.address))
        listed = [{"name": node.name, "role": node.role, "address": node.address} for node in nodes]
        plan = {
            "ready": False, "rounds": rounds, "shares": shares, "seed": seed, "times": round(times, 2),
            "rpc": chain["rpc"], "websocket": chain["websocket"], "deployment": chain["deployment"],
            "storage_gb": STORAGE_GB, "log_bytes": LOG_BYTES, "log_files": LOG_FILES, "nodes": listed,
        }  # fmt: skip
        network = cls(folder, plan, nodes)
        addresses = [node.address for node in nodes]
        options = ["--dir", str(network.chain), "--tokens", "1000000", "--ether", "1000"]
        jepanet("devnet", "fund", *addresses, *options)
        network._keep_plan()
        network._begin(shares, seed, times)
        plan["ready"] = True
        network._keep_plan()
        return network

    def _keep_plan(self) -> None:
        write_atomically(self.folder / _PLAN, (json.dumps(self.plan, indent=1) + "\n").encode())

    def _begin(self, shares: list[int], seed: str, times: float) -> None:
        aggregator, coordinator = self["aggregator"], self["coordinator"]
        self._configure(aggregator, [])
        aggregator.start()
        bootstrap = aggregator.wait_until_up()["addresses"][:1]
        # The others find it again at the same place after it was restarted.
        self._configure(aggregator, [], listen=bootstrap[0].rpartition("/p2p/")[0])
        for node in self.nodes[1:]:
            self._configure(node, bootstrap)
        jepanet("stake", "deposit", "200", "--config", coordinator.config)
        projects = []
        recipe = self.folder / "recipe.toml"
        recipe.write_text(recipe_for(max(shares)))
        for number, share in enumerate(shares, 1):
            data = self.folder / f"dataset-{number}-{share}-{seed}"
            sizes = {**SIZES, "evaluation_shards": share}
            options = [item for name, size in sizes.items() for item in ("--size", f"{name}={size}")]
            jepanet(
                "dataset", "build", "tworoom", "--recipe", recipe, "--out", data, "--workers", "1",
                "--seed", f"{seed}/{number}", *options,
            )  # fmt: skip
            proposer = self[f"proposer-{number}"]
            terms = {
                **stretched({**TERMS, "commit_seconds": _COMMIT, "reveal_seconds": _REVEAL,
                             "verify_seconds": _VERIFY}, times),
                "dataset": str(data), "rounds": share, "inner_steps": _INNER_STEPS, "max_delta_mb": 1,
                "budget": "10", "fee": "1", "max_solvers": sum(node.role == "solver" for node in self.nodes),
                "aggregators": [aggregator.address],
            }  # fmt: skip
            made = jepanet(
                "project", "create", "--dataset", data, "--recipe", recipe, "--verifier", coordinator.address,
                "--threshold", "1", "--config", proposer.config,
            )  # fmt: skip
            jepanet("verifiers", "join", str(made["set"]), "--config", coordinator.config)
            projects.append(made["project"])
            # Each opens rounds of its own project alone, and would not have another's shards.
            self._configure(proposer, bootstrap, terms=terms)
        self.plan["projects"] = projects

    def _configure(
        self, node: Kept, bootstrap: list[str], *, terms: dict[str, Any] | None = None,
        listen: str = "/ip4/127.0.0.1/tcp/0",
    ) -> None:  # fmt: skip
        own: dict[str, dict[str, object]] = {
            "node": {"storage_gb": STORAGE_GB},
            "chain": {"websocket": self.plan["websocket"], "poll_seconds": 0.25, "confirmations": 1},
            "log": {"file": "log.jsonl", "max_bytes": LOG_BYTES, "keep": LOG_FILES},
        }
        if terms is not None:
            own["proposer"] = terms
        said = FirstConfig(
            role=Role(node.role), name=node.name, endpoints=(self.rpc,),
            deployment=str(self.plan["deployment"]), password_file="password", listen=listen,
            bootstrap=tuple(bootstrap), allow_isolated=not bootstrap, own=own,
        )  # fmt: skip
        node.config.write_text(first_config(said))

    def start(self) -> None:
        """Starts what does not run, and waits until all are up."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_until_up()

    def stop(self) -> None:
        """Ends every node; the chain goes on."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(Kept.stop, self.nodes))

    def take_down(self) -> None:
        """Ends every node and the chain, which keeps its state."""
        self.stop()
        if (self.chain / "devnet.json").exists():
            jepanet("devnet", "down", "--dir", self.chain)

    def take_up(self) -> None:
        """The chain again, where it does not run: on its old port, for that stands in the configurations."""
        if not (self.chain / "devnet.json").exists():
            jepanet(
                "devnet", "up", "--dir", self.chain, "--port", self.rpc.rpartition(":")[2],
                "--block-time", str(BLOCK_SECONDS),
            )  # fmt: skip
