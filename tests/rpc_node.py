"""A node for tests of JSON-RPC: real stores, a state as the machine would have it, and a client that holds
answers to what the node says of them."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.sending.fees import Fees
from jepanet.cid import digest_of
from jepanet.errors import Rejected, Transient
from jepanet.intents import Intent, IntentState
from jepanet.node.engine import Engine
from jepanet.node.heard import Heard
from jepanet.node.pausing import Pauses
from jepanet.node.rereading import Stretch
from jepanet.node.status import ChainHealth, Surroundings, status_of
from jepanet.operations.views.funds import Account, Admission, CreatedSet, JoinedSet, LeftSet, Sent
from jepanet.operations.views.json_form import Wei
from jepanet.p2p.peers.bans import Ban, BanList
from jepanet.p2p.transfer.underway import Transfer
from jepanet.protocol.documents.spec import SPEC
from jepanet.protocol.facts import RoundParams
from jepanet.protocol.settling.sheet import SHEET, derive_sheet
from jepanet.protocol.state import (
    Commit,
    Identity,
    NodeState,
    OffChain,
    Own,
    Project,
    Recorded,
    Reveal,
    Round,
    Status,
    VerifierSet,
)
from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.handles.holdings import Holdings
from jepanet.rpc.handles.recent import RecentStatus
from jepanet.rpc.handles.sending import Sending, Sendings
from jepanet.rpc.method import Scope
from jepanet.rpc.offered.node import Probes
from jepanet.rpc.offered.table import methods_of
from jepanet.rpc.transport.invitations import Invitations
from jepanet.settings.config import Config, config_from
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.traffic import Traffic
from jepanet.types import Address, BlockRef, Digest, ProjectId, Role, RoundId
from jepanet.work.worker import RunningJob
from round_samples import GOOD, HARM, MISSING, a_spec, account, digest, reports_of, some_facts

TOKEN = 10**18
ME = account("solver", 0)
KEY = "0123456789abcdef"
SPEC_BYTES = SPEC.encode(a_spec(price=5 * 10**14))
FACTS = replace(some_facts(3, budget=100 * TOKEN, fee=2 * TOKEN), spec=digest_of(SPEC_BYTES))
OUTCOME = derive_sheet(
    FACTS,
    a_spec(price=5 * 10**14),
    reports_of(FACTS, [[GOOD, HARM, MISSING]] * 3),
    model=digest("merged"),
    improvement=30_000,
)
SHEET_BYTES = SHEET.encode(OUTCOME)
TREE = {
    "node": {"data_dir": "data", "roles": ["solver"]},
    "wallet": {"directory": "wallets", "password_env": "MY_PASSWORD"},
    "chain": {
        "endpoints": [f"https://user:{KEY}@rpc.example.org:8545/v3/{KEY}?key={KEY}"],
        "websocket": f"wss://rpc.example.org/{KEY}",
        "deployment": "deployment.json",
    },
    "rpc": {"enabled": True},
}


PEERS = tuple(f"16Uiu2HAm{letter * 44}" for letter in "ABC")
"""Ids of peers in form; nobody has such keys."""


@dataclass(frozen=True)
class APeer:
    peer_id: str
    address: str = "/ip4/127.0.0.1/tcp/4701"
    outbound: bool = True
    gossiping: bool = True
    latency: float | None = 0.0123


class ANetwork:
    """Stands for a network: connects to everybody but those who are `away`."""

    def __init__(self, bans: BanList) -> None:
        self._bans = bans
        self.connected = [APeer(item) for item in PEERS[:2]]
        self.away: set[str] = set()
        self.downloads: list[Transfer] = []
        self.ended: list[Transfer] = []

    async def peers(self) -> list[APeer]:
        return self.connected

    def transfers(self) -> list[Transfer]:
        return self.downloads

    def fetched(self) -> list[Transfer]:
        return self.ended

    def bans(self) -> dict[str, Ban]:
        return self._bans.active()

    async def connect(self, address: str) -> None:
        where, _, peer = address.rpartition("/p2p/")
        if not where or peer in self.bans():
            raise Rejected(f"{address} of /home/secret", reason="banned")
        if peer in self.away:
            raise Transient("no route to /home/secret")
        self.connected.append(APeer(peer, where))

    async def ban(self, peer_id: str, reason: str) -> None:
        if not peer_id.startswith("16Uiu2"):
            raise Rejected("not a peer id of /home/secret")
        self._bans.ban(peer_id, reason)
        self.connected = [item for item in self.connected if item.peer_id != peer_id]


class AReading:
    """Stands for what reads blocks again: 1001 to 1050 are stored."""

    stored: tuple[int, int] | None = (1001, 1050)

    def __init__(self) -> None:
        self.progress: Stretch | None = None

    def begin(self, first: int) -> Stretch:
        if self.stored is None or not self.stored[0] <= first <= self.stored[1]:
            raise Rejected(f"/home/secret has no block {first}")
        self.progress = Stretch(first, first - 1, self.stored[1])
        return self.progress


@dataclass
class AWorker:
    running: RunningJob | None = None


class ANode:
    """Stands for a running node: real stores, a state as the machine would have it."""

    def __init__(self, folder: Path, state: NodeState) -> None:
        self.config: Config = config_from(TREE, base=folder, environment={})
        self.deployment = Deployment(31337, 5, bytes(32), 1000, ME, FACTS.contract, ME, 3)
        self.journal = Journal.open(folder / "journal.sqlite")
        self.blobs = BlobStore(folder / "blobs", 1 << 20)
        self.state = state
        self.traffic = Traffic()
        self.network = ANetwork(BanList(folder / "bans.json", time.monotonic))
        self.heard = Heard(time.time)
        self.engine = Engine(self.journal, state.me, {})
        self.worker = AWorker()
        self.pauses = Pauses(folder / "paused.json", frozenset(state.me.roles), self.engine.hold)
        self.caught_up = True
        self.excluded_bps = 2_000
        self.rereading = AReading()
        held = (2 * TOKEN, TOKEN, 30 * TOKEN, 10 * TOKEN, 0, 0)
        self.account = Account(ME, *map(Wei, held))
        self.read = 0
        self.holdings = Holdings(self.held)
        self.sender: Any = None
        self.sendings = self.all_sendings()
        self.withdrawn: list[int | None] = []
        self.wished: list[tuple[str, Any]] = []
        """What else was sent: its kind, and what was asked for."""
        self.mined = asyncio.Event()
        """Unset: a withdrawal is sent and not mined."""
        self.mined.set()
        self.loop: Any = None
        """Where it answers, for whoever asks in another thread."""
        self.refuses: Exception | None = None
        self.chain = ChainHealth(head=9, head_age=0.5, head_old=False, stalled=False, incomplete=False)
        self.around = Surroundings(False, 1, 50 << 30, 100 << 30)
        self.looked_around = 0
        self.peers = 3
        self.asked = 0
        self.serving: dict[str, object] = {"url": "http://127.0.0.1:4780/", "problem": None}

    async def surroundings(self) -> Surroundings:
        self.looked_around += 1
        return self.around

    async def held(self) -> Account:
        self.read += 1
        return self.account

    async def fees(self) -> Fees:
        return Fees(2 * 10**9, 1)

    async def withdraw(self, amount: int | None) -> Sent:
        self.withdrawn.append(amount)
        await self.mined.wait()
        if self.refuses is not None:
            raise self.refuses
        return Sent("0x" + "ab" * 32, self.account)

    def all_sendings(self) -> Sendings:
        """`withdraw` as above; the others take note."""

        def of(kind: str, told: Any) -> Sending[Any, Any]:
            async def send(wanted: Any) -> Any:
                self.wished.append((kind, wanted))
                if self.refuses is not None:
                    raise self.refuses
                return told

            return Sending(send)

        sent = Sent("0x" + "ab" * 32, self.account)
        return Sendings(
            deposit=of("deposit", sent), withdraw=Sending(self.withdraw), unbond=of("unbond", sent),
            collect=of("collect", sent),
            create=of("create", CreatedSet(4, (ME,), 1, ME, Wei(TOKEN), 600)),
            admit=of("admit", Admission(4, ME, admitted=True, unchanged=False)),
            join=of("join", JoinedSet(4, False, True, Wei(TOKEN), 600, Wei(TOKEN), self.account)),
            leave=of("leave", LeftSet(4, False, 1)),
        )  # fmt: skip

    async def status(self) -> dict[str, object]:
        self.asked += 1
        return status_of(
            self.state, [], chain=self.chain, cursor=7, peers=self.peers, peer_id="16Uiu2", addresses=(),
            rpc=self.serving,
        )  # fmt: skip

    async def metrics(self) -> bytes:
        self.asked += 1
        return b"jepanet_peers 3\n"


def a_round(number: int, sheet: Digest | None, spec: Digest) -> Round:
    terms = RoundParams(
        project_id=ProjectId(1), spec=spec, budget=100 * TOKEN, fee=2 * TOKEN, bond=TOKEN, unseal_bond=TOKEN,
        commit_duration=60, gap=10, reveal_duration=90, verify_duration=120, challenge_duration=60,
        max_solvers=0, extension=bytes(32), allow_list=bytes(32),
    )  # fmt: skip
    deltas = [(item.solver, item.digest) for item in FACTS.reveals]
    round_ = Round(
        RoundId(number), ProjectId(1), account("proposer"), terms, digest("base"), 1, bytes(32), 1000, 1060,
        commits=tuple(Commit(solver, digest(solver), n) for n, (solver, _) in enumerate(deltas)),
        reveals=tuple(Reveal(solver, delta) for solver, delta in deltas),
    )  # fmt: skip
    if sheet is None:
        return round_
    recorded = Recorded(
        OUTCOME.root, OUTCOME.model, sheet, OUTCOME.payout, OUTCOME.improvement, 1400, bytes(32), 7
    )
    return replace(round_, recorded=recorded, shard=FACTS.shard, status=Status.SETTLED)


def a_node(folder: Path) -> ANode:
    """A solver's, with rounds 7 to 30: the sheet of 7 is stored, that of 8 is not, the others run."""
    found = ANode(folder, NodeState(Identity(ME, frozenset({Role.SOLVER}))))
    sheet, spec = found.blobs.put_bytes(SHEET_BYTES), found.blobs.put_bytes(SPEC_BYTES)
    rounds = {RoundId(7): a_round(7, sheet, spec), RoundId(8): a_round(8, digest("elsewhere"), spec)}
    rounds |= {RoundId(n): a_round(n, None, spec) for n in range(9, 31)}
    projects = {
        ProjectId(n): Project(
            ProjectId(n), account("proposer"), digest("recipe"), digest("dataset"), digest("model"),
            bytes(32), 8, 1, digest("metadata"), rounds=24,
        )
        for n in (1, 2)
    }  # fmt: skip
    found.state = replace(
        found.state,
        block=BlockRef(9, bytes(32), 1100),
        rounds=rounds,
        own=dict.fromkeys(rounds, Own()),
        off_chain=dict.fromkeys(rounds, OffChain()),
        projects=projects,
        verifier_sets={1: VerifierSet(FACTS.members, 2)},
    )
    return found


def an_intent(number: int, sender: Address = ME) -> Intent:
    return Intent(
        f"reveal/{number}", sender, 31337, number, FACTS.contract, b"the salt", 0, 90_000, 10**11, 10**9,
        (bytes([number]) * 32,), (b"raw bytes",), IntentState.SENT, None, f"https://rpc/{KEY} said no", 1.5e9,
    )  # fmt: skip


class Client:
    """Whoever calls methods; answers are held against what `rpc.discover` says of them."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    async def all(self, method: str, scope: Scope = Scope.OPERATE, **params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
        return json.loads(await self.dispatcher.answer(body.encode(), scope.includes) or "")

    async def get(self, method: str, **params: Any) -> Any:
        answer = await self.all(method, **params)
        assert "result" in answer, answer
        document = (await self.all("rpc.discover"))["result"]
        (described,) = [item for item in document["methods"] if item["name"] == method]
        assert set(params) <= {item["name"] for item in described["params"]}
        for item in described["params"]:
            if item["name"] in params:
                check(params[item["name"]], item["schema"], document)
        check(answer["result"], described["result"]["schema"], document)
        return answer["result"]

    async def error(self, method: str, **params: Any) -> tuple[int, str]:
        answer = await self.all(method, **params)
        return answer["error"]["code"], answer["error"]["data"]["detail"]


class Asking(Client):
    """A client of a node."""

    def __init__(self, node: ANode) -> None:
        self.recent = RecentStatus(node.status)
        self.probes = Probes(node, self.recent)
        self.invitations = Invitations()
        self.table = methods_of(
            node, self.recent, self.probes, self.invitations, node.holdings, node.sendings
        )
        super().__init__(Dispatcher(self.table, seconds=20.0, max_batch=10))


def check(value: Any, schema: dict[str, Any], document: Any) -> None:
    """Raises: ValidationError: a value is not as a schema within an OpenRPC document says."""
    whole = {"components": document["components"], "allOf": [schema]}
    Draft7Validator(whole).validate(value)
