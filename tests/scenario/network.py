"""A whole network for scenarios: anvil, contracts, a real dataset, a project, node processes.

    hub      proposer and aggregator, the first peer
    judge    coordinator, the only verifier
    merger   aggregator, where it is to be a node of its own (`apart`)
    solver-1 ...

Windows are long and close early (`max_solvers` commits, all of them revealed), so a healthy round runs as
fast as the machine; what is left of the first half of COMMIT, which no round is spared, is skipped. A window
that somebody lets pass is skipped with `warp`, which moves the chain's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from warm_processes import DOOR

from faults import KillPlan
from jepanet.chain.contracts.all import Contracts
from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.deploying.deploy import deploy
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.chain.devchain.anvil import AnvilProcess, free_port, public_test_accounts
from jepanet.chain.endpoints.answers import parse_log
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.logs_to_facts import decode
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.chain.sending.fees import FeePolicy
from jepanet.chain.sending.sender import Sender
from jepanet.intents import Intent
from jepanet.learning.presets import preset
from jepanet.nesting import Json
from jepanet.operations import keys
from jepanet.operations.access import SigningAccess, open_chain, open_signing, open_worker
from jepanet.operations.auditing.rounds import show_round
from jepanet.operations.funds import stake, verifier_sets
from jepanet.operations.projects.create import create_project
from jepanet.operations.projects.draft import draft_project
from jepanet.operations.reading.history import open_history
from jepanet.operations.reading.library import open_library
from jepanet.operations.views.json_form import json_form
from jepanet.operations.views.projects import CreatedProject
from jepanet.protocol import facts
from jepanet.protocol.state import Identity, NodeState, Round
from jepanet.protocol.transition import genesis, transition
from jepanet.settings.config import load_config
from jepanet.types import Address, BlockRef, Phase, SlashCause

T = TypeVar("T")
CHAIN_ID = 31337
TOKEN = 10**18
PATIENCE = 240.0
"""Seconds a scenario waits for one thing; it bounds a hang and says nothing about speed."""
SIZES = {
    "training_sites": 2,
    "episodes": 6,
    "frames": 10,
    "public_episodes": 8,
    "probe_frames": 64,
    "evaluation_shards": 24,
    "evaluation_episodes": 8,
    "hidden_sites": 2,
    "image": preset("tworoom-tiny").family.sizes.image,
}
TERMS: dict[str, Any] = {
    "budget": "100",
    "fee": "2",
    "bond": "10",
    "unseal_bond": "20",
    "price": "0.0005",
    "inner_steps": 4,
    "max_delta_mb": 1,
    "commit_seconds": 3600,
    "gap_seconds": 1,
    "reveal_seconds": 3600,
    "verify_seconds": 3600,
    "challenge_seconds": 1,
}


class ScenarioFailed(AssertionError):
    """What did not happen, with the end of the logs to look at."""


# ------------------------------------------------------------------ processes


NURSERY = Path(__file__).with_name("nursery.py")


class Nursery:
    """The process that forks nodes (see `nursery.py`), and what it says about them."""

    def __init__(self, log: Path, program: Path = NURSERY) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [os.environ.get(DOOR, sys.executable), str(program)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
            )  # fmt: skip
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.ended: dict[int, int] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        self._said.get(timeout=PATIENCE)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "ended" in message:
                self.ended[message["ended"]] = message["status"]
            else:
                self._said.put(message)

    def start(self, config: Path, log: Path, kills: KillPlan | None) -> int:
        """Forks a node; returns its process id."""
        return self._start(["node", "run", "--config", str(config)], config, log, kills)

    def run(self, arguments: Sequence[str], log: Path) -> int:
        """Forks one command of the command line; returns its process id."""
        return self._start(arguments, None, log, None)

    def _start(self, arguments: Sequence[str], config: Path | None, log: Path, kills: KillPlan | None) -> int:
        assert self._process.stdin is not None
        request = {
            "id": 1,
            "arguments": list(arguments),
            "config": str(config),
            "log": str(log),
            "kills": kills.to_json() if kills else None,
        }
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._said.get(timeout=PATIENCE)["started"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


@dataclass
class Node:
    """One node: a folder with wallet and configuration, and its process."""

    name: str
    roles: tuple[str, ...]
    folder: Path
    address: Address
    nursery: Nursery
    kills: KillPlan | None = None
    pid: int | None = None
    starts: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    @property
    def journal(self) -> Path:
        return self.folder / "data" / "journal.sqlite"

    @property
    def alive(self) -> bool:
        return self.pid is not None and self.pid not in self.nursery.ended

    @property
    def exit_status(self) -> int | None:
        return self.nursery.ended.get(self.pid) if self.pid is not None else None

    def wallet(self) -> Wallet:
        return load_wallet(self.folder / "wallet", read_password(self.folder / "password"), None)

    def start(self) -> None:
        self.pid = self.nursery.start(self.config, self.log, self.kills)
        self.starts += 1

    def status(self) -> dict[str, Any] | None:
        """What the running process last wrote of itself."""
        try:
            status: dict[str, Any] = json.loads((self.folder / "data" / "status.json").read_text())
        except (OSError, ValueError):
            return None
        return status if status["pid"] == self.pid else None

    def stop(self) -> None:
        """SIGTERM, as an operator stops it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is said."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self.pid is None or not self.alive:
            return
        os.kill(self.pid, number)
        deadline = time.monotonic() + 30
        while self.alive:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.02)
        self.pid = None

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Its log lines, or those of one event."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if name is None or entry.get("event") == name:
                    found.append(entry)
        return found

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Reads the journal, which the node may be writing."""
        with contextlib.closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as database:
            return database.execute(statement, values).fetchall()

    def fed_to(self) -> int:
        """The newest block the node's state machine has heard of."""
        rows = self.query("SELECT value FROM meta WHERE name = 'cursor'")
        return int(rows[0][0]) if rows else -1

    def pending(self) -> list[str]:
        return [row[0] for row in self.query("SELECT key FROM outbox WHERE state = 'pending'")]

    def tail(self, count: int = 12) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


# ------------------------------------------------------------------ the network


@dataclass
class Network:
    """See the module's text. Make one with `build`; `close` ends everything."""

    folder: Path
    anvil: AnvilProcess
    deployment: Deployment
    nursery: Nursery
    confirmations: int
    block_time: int
    dataset: Path
    port: int = field(default_factory=free_port)
    nodes: dict[str, Node] = field(default_factory=dict)
    rounds: int = 0
    bootstrap: tuple[str, ...] = ()
    project: CreatedProject | None = None
    log_queries_above: int = 1024
    endpoints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By node, what its configuration names instead of the chain itself; such a node polls only."""
    answering: dict[str, int] = field(default_factory=dict)
    """By node, the port at which it answers JSON-RPC and Prometheus; the others do not."""
    stuck_seconds: dict[str, float] = field(default_factory=dict)
    """By node, after how long a transaction of it is stuck, where that is not the usual time."""

    @classmethod
    def build(
        cls,
        folder: Path,
        dataset: Path,
        *,
        solvers: int = 2,
        judges: int = 1,
        confirmations: int = 1,
        block_time: int = 1,
        recipe: str = "tworoom-tiny",
        apart: bool = False,
        nursery: Path = NURSERY,
        spoil: Callable[[Path], None] | None = None,
    ) -> Network:
        """`judges`: verifiers, of whom more than half must sign.
        `spoil`: what a dishonest proposer does to its dataset before it registers the project."""
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / "dataset"
        shutil.copytree(dataset, own)
        if spoil is not None:
            spoil(own)
        anvil = AnvilProcess(
            port=free_port(), chain_id=CHAIN_ID, state=folder / "chain.json", log=folder / "anvil.log"
        )
        _wait_for(anvil.start())
        network: Network | None = None
        try:
            deployment = _wait_for(deploy_on(anvil, confirmations))
            deployment.save(folder / "deployment.json")
            parent = Nursery(folder / "nursery.log", nursery)
            network = cls(folder, anvil, deployment, parent, confirmations, block_time, own)
            network._settle_in(solvers, judges, recipe, apart)
            _keep_first_model(own, dataset)
        except BaseException:
            (network.close if network else lambda: _wait_for(anvil.stop()))()
            raise
        return network

    def _settle_in(self, solvers: int, judges: int, recipe: str, apart: bool) -> None:
        self._join("hub", ("proposer",) if apart else ("proposer", "aggregator"))
        self._join("judge", ("coordinator",))
        for number in range(1, judges):
            self._join(f"judge-{number + 1}", ("coordinator",))
        if apart:
            self._join("merger", ("aggregator",))
        for number in range(solvers):
            self._join(f"solver-{number + 1}", ("solver",))
        self.fund(node.address for node in self.nodes.values())
        self.write_configs()
        hub, set_of = self.hub, self.judges
        # One after the other: both write a judge's intents file.
        for judge in set_of:
            _wait_for(signed(judge.config, lambda access: stake.deposit(access, 200 * TOKEN)))
        draft = draft_project(
            self.dataset, recipe=recipe, name="scenario", verifier_set=None,
            verifiers=[judge.address for judge in set_of], threshold=judges // 2 + 1,
        )  # fmt: skip

        async def create(access: SigningAccess) -> CreatedProject:
            async with open_worker() as worker:
                return await create_project(access, worker, draft, load_config(hub.config).proposer)

        self.project = _wait_for(signed(hub.config, create))
        set_id = self.project.set
        for judge in set_of:
            _wait_for(signed(judge.config, lambda access: verifier_sets.join_set(access, set_id)))
        self.rpc("evm_setIntervalMining", [self.block_time])
        hub.start()
        self.wait("the hub to be up", lambda: hub.status() is not None)
        status = hub.status()
        assert status is not None
        self.bootstrap = tuple(status["addresses"][:1])
        self.write_configs()

    def _join(self, name: str, roles: tuple[str, ...]) -> Node:
        home = self.folder / "nodes" / name
        address = new_wallet(home)
        node = Node(name, roles, home, address, self.nursery)
        self.nodes[name] = node
        return node

    @property
    def hub(self) -> Node:
        return self.nodes["hub"]

    @property
    def judge(self) -> Node:
        return self.nodes["judge"]

    @property
    def judges(self) -> list[Node]:
        return [node for node in self.nodes.values() if "coordinator" in node.roles]

    @property
    def aggregators(self) -> list[Node]:
        return [node for node in self.nodes.values() if "aggregator" in node.roles]

    @property
    def solvers(self) -> list[Node]:
        return [node for node in self.nodes.values() if "solver" in node.roles]

    def fund(self, addresses: Iterable[str], tokens: int = 2000) -> None:
        _wait_for(fund_on(self.anvil, self.deployment, list(addresses), tokens))

    def write_configs(self, **terms: Any) -> None:
        for node in self.nodes.values():
            write_config(self, node, {**TERMS, **terms})

    def run_nodes(self, *names: str) -> None:
        """Starts the named nodes that do not run, and waits until each has written its status."""
        chosen = [self.nodes[name] for name in names] or list(self.nodes.values())
        for node in chosen:
            if not node.alive:
                node.start()
        for node in chosen:
            self.wait(f"{node.name} to be up", lambda node=node: node.status() is not None)

    def play(self, *, commits: int, **terms: Any) -> int:
        """Has the hub open one more round that closes after this many commits; returns its id."""
        before = len(self.state().rounds)
        self.rounds = before + 1
        self.hub.stop()
        self.write_configs(max_solvers=commits, **terms)
        self.hub.start()
        self.wait("the round to open", lambda: len(self.state().rounds) > before)
        return max(int(key) for key in self.state().rounds)

    # -------------------------------------------------------------- the chain

    def rpc(self, method: str, params: Sequence[Any] = ()) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        request = urllib.request.Request(
            self.anvil.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            reply = json.load(answer)
        if "error" in reply:
            raise ScenarioFailed(f"{method}: {reply['error']}")
        return reply["result"]

    def rpc_batch(self, method: str, params: Iterable[Sequence[Any]]) -> list[Any]:
        """The results of many calls of one method in a single request, in order."""
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(each)}
            for number, each in enumerate(params)
        ]
        request = urllib.request.Request(
            self.anvil.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            replies = sorted(json.load(answer), key=lambda reply: int(reply["id"]))
        return [reply["result"] for reply in replies]

    def warp(self, seconds: int) -> None:
        """Moves the chain's clock forward and mines a block that says so."""
        self.rpc("evm_increaseTime", [seconds])
        self.rpc("evm_mine")

    def out_of_patience(self, number: int, *nodes: Node) -> None:
        """Moves the clock, between fetches that fail, until these nodes, which score a round, give up;
        without any named, the judge."""
        verify, waiting = int(TERMS["verify_seconds"]), nodes or (self.judge,)
        self.warp(verify // 4)

        def fetches(node: Node) -> int:
            return len(node.events("blob.missed"))

        def asked_again(node: Node, before: int) -> bool:
            scored = any(item["round"] == number for item in node.events("delta.scored"))
            return scored or fetches(node) > before

        for _ in range(3):
            for node, before in [(node, fetches(node)) for node in waiting]:
                self.wait("one more fetch in vain, or scores", partial(asked_again, node, before))
            self.warp(verify // 48 + 1)

    def fork(self, depth: int) -> None:
        """Replaces the newest `depth` blocks by empty ones under the eyes of every node, and restarts killed
        ones meanwhile.

        Only a node that has followed the chain to its head sees a fork in its whole depth, so no block comes
        until all have done so, before the fork and after it.
        """
        self.rpc("evm_setIntervalMining", [0])
        self.wait("every node at the head", self._all_at_head, revive=True)
        self.rpc("anvil_reorg", [depth, []])
        self.wait("every node at the new head", self._all_at_head, revive=True)
        self.rpc("evm_setIntervalMining", [self.block_time])

    def _all_at_head(self) -> bool:
        head = self.rpc("eth_getBlockByNumber", ["latest", False])["hash"]
        newest = "SELECT lower(hex(hash)) FROM blocks ORDER BY number DESC LIMIT 1"
        expected = [(head.removeprefix("0x"),)]
        return all(node.query(newest) == expected for node in self.nodes.values())

    def skip_to_the_end_of_commit(self) -> None:
        """COMMIT of a round that is full lasts to its half: there is nothing to wait for."""
        closed = self.events(facts.ChainCommitsClosed)
        head = self.rpc("eth_getBlockByNumber", ["latest", False])
        left = max((item.at for item in closed), default=0) - int(head["timestamp"], 16)
        if left > 0:
            self.warp(left)

    def logs(self) -> list[dict[str, Any]]:
        """Canonical logs of the followed contracts."""
        wanted = {
            "fromBlock": "0x0",
            "toBlock": "latest",
            "address": [str(item) for item in self.deployment.followed],
        }
        found: list[dict[str, Any]] = self.rpc("eth_getLogs", [wanted])
        return found

    def events(self, kind: type[T], round_id: int | None = None) -> list[T]:
        """Decoded events of one kind, oldest first."""
        found = []
        for raw in self.logs():
            placed = parse_log(raw)
            fact = decode(placed.log, BlockRef(placed.number, placed.block_hash, 0))
            if isinstance(fact, kind) and round_id in (None, getattr(fact, "round_id", None)):
                found.append(fact)
        return found

    def broken_promises(self, round_id: int) -> list[facts.ChainBondSlashed]:
        """Bonds lost in a round, but for parts of harmful deltas: so small trainings may do harm."""
        slashed = self.events(facts.ChainBondSlashed, round_id)
        return [item for item in slashed if item.cause is not SlashCause.EXCLUDED]

    def state(self) -> NodeState:
        """The chain folded by the protocol's own rules, up to the newest block."""
        state = genesis(Identity(Address("0x" + "0" * 40), frozenset()))
        for raw in self.logs():
            placed = parse_log(raw)
            fact = decode(placed.log, BlockRef(placed.number, placed.block_hash, 0))
            if fact is not None:
                state, _ = transition(state, fact)
        head = self.rpc("eth_getBlockByNumber", ["latest", False])
        ref = BlockRef(int(head["number"], 16), bytes.fromhex(head["hash"][2:]), int(head["timestamp"], 16))
        return transition(state, facts.ChainBlock(ref))[0]

    def round(self, round_id: int) -> Round:
        return next(item for key, item in self.state().rounds.items() if key == round_id)

    def phase(self, round_id: int) -> Phase:
        state = self.state()
        return next(item.phase(state.now) for key, item in state.rounds.items() if key == round_id)

    # -------------------------------------------------------------- waiting

    def wait(
        self, what: str, condition: Callable[[], Any], *, within: float = PATIENCE, revive: bool = False
    ) -> Any:
        """Waits until `condition` holds. A node that ends meanwhile is an error, or restarted if `revive`."""
        deadline = time.monotonic() + within
        while True:
            for node in self.nodes.values():
                if node.exit_status is None:
                    continue
                if not revive or node.exit_status != -signal.SIGKILL:
                    raise ScenarioFailed(
                        f"{node.name} ended with {node.exit_status} while waiting for {what}:\n{node.tail()}"
                    )
                node.start()
            self.skip_to_the_end_of_commit()
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                ends = "\n".join(f"--- {node.name}\n{node.tail()}" for node in self.nodes.values())
                raise ScenarioFailed(f"waited {within:.0f} s for {what}\n{ends}")
            time.sleep(0.3)

    def wait_phase(self, round_id: int, *phases: Phase, **options: Any) -> None:
        names = " or ".join(item.name for item in phases)
        self.wait(f"round {round_id} to be in {names}", lambda: self.phase(round_id) in phases, **options)

    def wait_finished(self, round_id: int, **options: Any) -> None:
        """Settled, everything owed claimed, and no running node has anything left to do."""
        self.wait_phase(round_id, Phase.SETTLED, **options)
        settled = self.events(facts.ChainRoundSettled, round_id)[0].block.number

        def idle() -> bool:
            started = [node for node in self.nodes.values() if node.pid is not None]
            return all(node.alive and node.fed_to() >= settled and not node.pending() for node in started)

        self.wait(f"round {round_id}: every outbox empty", idle, **options)

    def receipts(self, round_id: int, inputs_folder: Path | None = None) -> Any:
        """`jepanet round show ROUND --json`, in this process."""
        return _wait_for(self._receipts(round_id, inputs_folder or self.folder / "receipts"))

    async def _receipts(self, round_id: int, folder: Path) -> Json:
        peers = self.bootstrap
        async with (
            open_chain(load_config(self.judge.config).chain) as chain,
            open_history(chain) as history,
            open_library(chain.deployment, folder, peers=peers, offline=False) as library,
        ):
            return json_form(await show_round(history, library, round_id))

    # -------------------------------------------------------------- ends

    def stop_chain(self) -> None:
        """SIGTERM: anvil writes its state file."""
        _wait_for(self.anvil.stop())

    def start_chain(self) -> None:
        """Takes the chain up again from its state file, with the same port and block time."""
        _wait_for(self.anvil.start())
        self.rpc("evm_setIntervalMining", [self.block_time])

    def close(self) -> None:
        for node in self.nodes.values():
            node.kill()
        self.nursery.close()
        with contextlib.suppress(Exception):
            self.stop_chain()


# ------------------------------------------------------------------ pieces


def new_wallet(home: Path) -> Address:
    """A light wallet and its password file in a folder of its own."""
    home.mkdir(parents=True)
    password = home / "password"
    password.touch(mode=0o600)
    password.write_text(os.urandom(16).hex() + "\n")
    return Address(keys.new(home / "wallet", password, light=True).address)


def write_config(network: Network, node: Node, terms: dict[str, Any]) -> None:
    """A node's TOML file, as an operator would write it."""
    first = node.name == "hub"
    listen = network.port if first else 0
    lines = [
        "[node]",
        f'name = "{node.name}"',
        f"roles = {json.dumps(list(node.roles))}",
        'data_dir = "data"',
        "storage_gb = 1",
        "[wallet]",
        'directory = "wallet"',
        'password_file = "password"',
        "[chain]",
        *(
            [f"endpoints = {json.dumps(network.endpoints[node.name])}"]
            if node.name in network.endpoints
            else [f'endpoints = ["{network.anvil.url}"]', f'websocket = "{network.anvil.ws_url}"']
        ),
        f'deployment = "{network.folder / "deployment.json"}"',
        f"confirmations = {network.confirmations}",
        "poll_seconds = 0.5",
        f"log_queries_above = {network.log_queries_above}",
        *(
            [f"stuck_seconds = {network.stuck_seconds[node.name]}"]
            if node.name in network.stuck_seconds
            else []
        ),
        "[p2p]",
        f'listen = "/ip4/127.0.0.1/tcp/{listen}"',
        f"bootstrap = {json.dumps([] if first else list(network.bootstrap))}",
        f"allow_isolated = {'true' if first else 'false'}",
        "[log]",
        "json = true",
    ]
    if node.name in network.answering:
        lines += ["[rpc]", "enabled = true", f"port = {network.answering[node.name]}"]
        lines += ["[metrics]", "enabled = true"]
    if first:
        own = {
            **terms,
            "dataset": str(network.dataset),
            "rounds": network.rounds,
            "aggregators": [item.address for item in network.aggregators],
        }
        lines += ["[proposer]", *(f"{key} = {json.dumps(value)}" for key, value in own.items())]
    node.config.write_text("\n".join(lines) + "\n")


def test_dataset(cache: Path) -> Path:
    """A tiny TwoRoom dataset of the real simulator, built once and kept."""
    from jepanet.learning.data.sizes import Parameters
    from jepanet.learning.simulators.tworoom.dataset import TASK
    from jepanet.operations.datasets import build_dataset

    made = f"{TASK.environment.version} {TASK.environment.name} {Parameters(**SIZES).to_json()}"
    target = cache / f"tworoom-{hashlib.sha256(made.encode()).hexdigest()[:12]}"
    build_dataset(
        "tworoom",
        target,
        hashlib.sha256(b"scenario").digest(),
        dict(SIZES),
        workers=1,
        evaluation_seed=None,
        progress=None,
    )
    return target


test_dataset.__test__ = False  # type: ignore[attr-defined]  # a helper: pytest would take it for a test


def _keep_first_model(made: Path, cache: Path) -> None:
    """The warm start is the same in every network of the same dataset: the next one finds it done."""
    (cache / "project").mkdir(exist_ok=True)
    for name in ("project/model.safetensors", "model-origin.json.sha256", "model-origin.json"):
        if not (cache / name).exists():
            draft = cache / f"{name}.{os.getpid()}"
            shutil.copyfile(made / name, draft)
            draft.replace(cache / name)


def deployer() -> Wallet:
    """The first public test account of anvil: its key is printed in every anvil log, and worth nothing."""
    return Wallet.from_key(public_test_accounts(1)[0].key)


class MemoryIntents:
    """Intents of a key that lives as long as a test."""

    def __init__(self) -> None:
        self._rows: dict[str, Intent] = {}

    def intents(self, sender: str) -> list[Intent]:
        return [intent for intent in self._rows.values() if intent.sender == sender]

    def put(self, intent: Intent) -> None:
        self._rows[intent.key] = intent


def sender_of(rpc: Rpc, wallet: Wallet) -> Sender:
    return Sender(rpc, wallet, MemoryIntents(), FeePolicy(), 1, error_decoder(), poll=0.1)


async def deploy_on(anvil: AnvilProcess, confirmations: int) -> Deployment:
    rpc = Rpc([anvil.url], CHAIN_ID)
    try:
        made = await deploy(rpc, deployer(), DeployParameters.for_devnet(deployer().address))
        return replace(made, confirmations=confirmations)
    finally:
        await rpc.close()


async def fund_on(anvil: AnvilProcess, deployment: Deployment, addresses: list[str], tokens: int) -> None:
    from jepanet.chain.contracts.abi import UnsignedCall

    rpc = Rpc([anvil.url], CHAIN_ID)
    try:
        token, sender = Contracts.of(rpc, deployment).token, sender_of(rpc, deployer())
        calls = []
        for address in addresses:
            receiver = Address(address)
            calls.append(sender.send(f"mint/{receiver}", token.mint(receiver, tokens * TOKEN)))
            gift = UnsignedCall(to=receiver, data=b"", value=10 * TOKEN, contract="ether")
            calls.append(sender.send(f"ether/{receiver}", gift))
        await asyncio.gather(*calls)
    finally:
        await rpc.close()


async def signed(config: Path, action: Callable[[SigningAccess], Awaitable[T]]) -> T:
    """What a command does that signs: opens the handles of a configuration, and calls the action once."""
    async with open_signing(load_config(config)) as access:
        return await action(access)


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


run_async = _wait_for
__all__ = ["Network", "Node", "ScenarioFailed", "deploy_on", "fund_on", "run_async"]
