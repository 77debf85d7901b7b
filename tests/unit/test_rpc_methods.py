"""What a node's methods answer, out of its own state, journal and blobs, and in the form they announce."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jepanet.chain.contracts.deployment import Deployment
from jepanet.intents import Intent, IntentState
from jepanet.node.status import ChainHealth, status_of
from jepanet.protocol.documents.spec import SPEC
from jepanet.protocol.duties import SendClaim, duty_key
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
from jepanet.rpc.codes import Code
from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.handles.recent import RecentStatus
from jepanet.rpc.method import Scope
from jepanet.rpc.offered.node import Probes
from jepanet.rpc.offered.table import methods_of
from jepanet.settings.config import Config, config_from
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal, StoredDuty
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Address, BlockRef, Digest, ProjectId, Role, RoundId
from round_samples import GOOD, HARM, MISSING, a_spec, account, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

TOKEN = 10**18
ME = account("solver", 0)
KEY = "0123456789abcdef"
SPEC_BYTES = SPEC.encode(a_spec(price=5 * 10**14))
FACTS = some_facts(3, budget=100 * TOKEN, fee=2 * TOKEN)
SHEET_BYTES = SHEET.encode(
    derive_sheet(
        FACTS,
        a_spec(price=5 * 10**14),
        reports_of(FACTS, [[GOOD, HARM, MISSING]] * 3),
        model=digest("merged"),
        improvement=30_000,
    )
)
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


class ANode:
    """Stands for a running node: real stores, a state as the machine would have it."""

    def __init__(self, folder: Path, state: NodeState) -> None:
        self.config: Config = config_from(TREE, base=folder, environment={})
        self.deployment = Deployment(31337, 5, bytes(32), 1000, ME, FACTS.contract, ME, 3)
        self.journal = Journal.open(folder / "journal.sqlite")
        self.blobs = BlobStore(folder / "blobs", 1 << 20)
        self.state = state
        self.caught_up = True
        self.chain = ChainHealth(head=9, head_age=0.5, head_old=False, stalled=False, incomplete=False)
        self.peers = 3
        self.asked = 0

    async def status(self) -> dict[str, object]:
        self.asked += 1
        return status_of(
            self.state, [], chain=self.chain, cursor=7, peers=self.peers, peer_id="16Uiu2", addresses=(),
            rpc={"url": "http://127.0.0.1:4780/", "problem": None},
        )  # fmt: skip


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
    recorded = Recorded(bytes(32), digest("merged"), sheet, 19 * TOKEN, 30_000, 1400, bytes(32), 7)
    return replace(round_, recorded=recorded, status=Status.SETTLED)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ANode]:
    found = ANode(tmp_path, NodeState(Identity(ME, frozenset({Role.SOLVER}))))
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
    yield found
    found.journal.close()
    found.blobs.close()


class Asking:
    """A client, whose answers are held against what `rpc.discover` says of them."""

    def __init__(self, node: ANode) -> None:
        self.recent = RecentStatus(node.status)
        self.probes = Probes(node, self.recent)
        self.table = methods_of(node, self.recent, self.probes)
        self.dispatcher = Dispatcher(self.table, seconds=20.0, max_batch=10)

    async def all(self, method: str, **params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
        return json.loads(await self.dispatcher.answer(body.encode(), Scope.READ.includes) or "")

    async def get(self, method: str, **params: Any) -> Any:
        answer = await self.all(method, **params)
        assert "result" in answer, answer
        document = (await self.all("rpc.discover"))["result"]
        (described,) = [item for item in document["methods"] if item["name"] == method]
        assert set(params) <= {item["name"] for item in described["params"]}
        for item in described["params"]:
            if item["name"] in params:
                assert not misfits(params[item["name"]], item["schema"], document)
        assert not misfits(answer["result"], described["result"]["schema"], document), method
        return answer["result"]

    async def error(self, method: str, **params: Any) -> tuple[int, str]:
        answer = await self.all(method, **params)
        return answer["error"]["code"], answer["error"]["data"]["detail"]


def misfits(value: Any, schema: dict[str, Any], document: Any, place: str = "$") -> list[str]:
    """Where a value is not what a JSON Schema says: of that, what `rpc.schemas` writes."""
    known = {"$ref", "anyOf", "type", "enum", "pattern", "properties", "required", "additionalProperties",
             "items", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "minLength",
             "maxLength", "description"}  # fmt: skip
    assert set(schema) <= known, schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return misfits(value, document["components"]["schemas"][name], document, place)
    if "anyOf" in schema:
        tried = [misfits(value, item, document, place) for item in schema["anyOf"]]
        return [] if [] in tried else tried[0]
    kinds: dict[str, Any] = {"boolean": bool, "integer": int, "number": int | float, "string": str}
    kinds |= {"null": type(None), "array": list, "object": dict}
    kind = schema.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{place}: {value!r:.60} is no {kind}"]
    wrong = []
    if "pattern" in schema and not re.search(schema["pattern"], value):
        wrong.append(f"{place}: {value!r} is not like {schema['pattern']}")
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{place}: {value!r} is none of {schema['enum']}")
    if (
        not schema.get("minimum", -(10**99))
        <= (value if kind == "integer" else 0)
        <= schema.get("maximum", 10**99)
    ):
        wrong.append(f"{place}: {value!r} is out of bounds")
    if kind == "array":
        parts = schema["items"] if isinstance(schema["items"], list) else [schema["items"]] * len(value)
        if len(parts) != len(value):
            wrong.append(f"{place}: {len(value)} items")
        for n, (item, part) in enumerate(zip(value, parts, strict=False)):
            wrong += misfits(item, part, document, f"{place}[{n}]")
    if kind == "object":
        named, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        wrong += [f"{place}.{name}: missing" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            if name not in named and others is False:
                wrong.append(f"{place}.{name}: not announced")
            else:
                wrong += misfits(item, named.get(name, others), document, f"{place}.{name}")
    return wrong


async def test_the_status_is_put_together_once_for_all_who_ask(node: ANode) -> None:
    asking = Asking(node)
    status = await asking.get("node.status")
    assert (status["wallet"], status["peers"], status["running"]) == (ME, 3, True)
    assert status["rpc"] == {"url": "http://127.0.0.1:4780/", "problem": None}
    for _ in range(50):
        await asking.get("node.status")
    assert node.asked <= 3


async def test_health_and_readiness_are_apart(node: ANode) -> None:
    assert await Asking(node).get("node.health") == {"healthy": True, "ready": True, "reasons": []}
    node.peers, node.caught_up = 0, False
    asking = Asking(node)
    told = await asking.get("node.health")
    assert told == {"healthy": True, "ready": False, "reasons": ["catching-up", "no-peers"]}
    assert await asking.probes.health() == (True, {"healthy": True})
    assert (await asking.probes.ready())[0] is False
    node.chain = ChainHealth(head=9, head_age=99.0, head_old=True, stalled=True, incomplete=True)
    told = await Asking(node).get("node.health")
    assert not told["healthy"] and {"chain-stopped", "chain-stalled", "events-missing"} <= set(
        told["reasons"]
    )


async def test_a_node_that_does_not_answer_itself_is_not_healthy(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> dict[str, object]:
        raise RuntimeError("the network's thread is gone")

    monkeypatch.setattr(node, "status", never)
    assert await Asking(node).get("node.health") == {
        "healthy": False,
        "ready": False,
        "reasons": ["no-answer"],
    }


async def test_chain_and_projects_are_those_of_the_confirmed_block(node: ANode) -> None:
    asking = Asking(node)
    chain = await asking.get("chain.status")
    assert (chain["chain_id"], chain["confirmations"], chain["position"]["confirmed"]) == (31337, 3, 7)
    assert chain["endpoints"] == ["https://rpc.example.org:8545"]
    page = await asking.get("projects.list", limit=1)
    assert ([item["project"] for item in page["items"]], page["next"]) == ([1], "1")
    page = await asking.get("projects.list", limit=1, cursor=page["next"])
    assert ([item["project"] for item in page["items"]], page["next"]) == ([2], None)


async def test_rounds_are_listed_page_by_page_and_those_that_come_move_nothing(node: ANode) -> None:
    asking = Asking(node)
    first = await asking.get("rounds.list", limit=10)
    assert [item["round"] for item in first["items"]] == list(range(30, 20, -1))
    new = replace(node.state.rounds[RoundId(30)], id=RoundId(31))
    node.state = node.state.with_round(new)
    second = await asking.get("rounds.list", limit=10, cursor=first["next"])
    assert [item["round"] for item in second["items"]] == list(range(20, 10, -1))
    last = await asking.get("rounds.list", limit=10, cursor=second["next"])
    assert ([item["round"] for item in last["items"]], last["next"]) == ([10, 9, 8, 7], None)
    assert (await asking.get("rounds.list", project=2))["items"] == []


async def test_a_round_is_shown_with_the_figures_of_its_sheet_where_that_is_here(node: ANode) -> None:
    asking = Asking(node)
    here = await asking.get("rounds.get", round=7)
    assert (here["sheet_read"], here["payout"], here["price"]) == (True, str(19 * TOKEN), str(5 * 10**14))
    assert len(here["fees"]) == 3
    away = await asking.get("rounds.get", round=8)
    assert away["sheet_read"] is False and "fees" not in away
    running = await asking.get("rounds.get", round=9)
    assert running["sheet_read"] is False and running["payout"] is None
    assert await asking.error("rounds.get", round=3) == (
        Code.NOT_FOUND,
        "rounds that this node keeps: from 7 to 30",
    )
    node.state = replace(node.state, rounds={})
    assert await asking.error("rounds.get", round=3) == (
        Code.NOT_FOUND,
        "rounds that this node keeps: none yet",
    )


async def test_commitments_and_receipts_of_a_round(node: ANode) -> None:
    asking = Asking(node)
    page = await asking.get("rounds.commitments", round=7, limit=2)
    assert [item["solver"] for item in page["items"]] == [account("solver", 0), account("solver", 1)]
    page = await asking.get("rounds.commitments", round=7, limit=2, cursor=page["next"])
    assert [item["solver"] for item in page["items"]] == [account("solver", 2)] and page["next"] is None
    receipts: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await asking.get("receipts.list", round=7, limit=2, **cursor)
        receipts += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert {item["solver"]: item["verdict"] for item in receipts} == {
        account("solver", 0): "accepted", account("solver", 1): "excluded", account("solver", 2): "excluded",
    }  # fmt: skip
    told = await asking.get("receipts.get", round=7, solver=ME.lower())
    assert told["receipt"]["paid"] == str(19 * TOKEN)
    assert told["receipt"]["how"] == "(40,000 - 2,000) x 0.0005 = 19"
    assert told["words"]["outcome"] == "accepted: it is part of the next model"
    nobody = account("nobody")
    assert (await asking.error("receipts.get", round=7, solver=nobody))[0] == Code.NOT_FOUND
    assert (await asking.error("receipts.list", round=9))[0] == Code.NOT_FOUND
    assert (await asking.error("receipts.list", round=8))[0] == Code.UNAVAILABLE
    assert (await asking.error("receipts.get", round=7, solver="0x12"))[0] == Code.INVALID_PARAMS


async def test_attack_a_damaged_sheet_is_not_shown(node: ANode) -> None:
    recorded = node.state.rounds[RoundId(7)].recorded
    assert recorded is not None
    place = node.blobs.path(recorded.sheet)
    assert place is not None
    place.chmod(0o600)
    place.write_bytes(place.read_bytes().replace(b"accepted", b"excluded"))
    assert (await Asking(node).error("receipts.list", round=7))[0] == Code.UNAVAILABLE


async def test_rewards_are_what_results_grant_this_wallet(node: ANode) -> None:
    claim = SendClaim(RoundId(7))
    node.journal.record([], [StoredDuty(duty_key(claim), "SendClaim", "{}", 7)])
    asking = Asking(node)
    page = await asking.get("rewards.list")
    assert [
        (item["round"], item["part"], item["verdict"], item["paid"], item["claim"]) for item in page["items"]
    ] == [
        (8, "solver", None, None, None),
        (7, "solver", "accepted", str(19 * TOKEN), "pending"),
    ]
    page = await asking.get("rewards.list", limit=1)
    assert (len(page["items"]), page["next"]) == (1, "8")
    node.state = replace(node.state, me=Identity(FACTS.members[0], frozenset({Role.COORDINATOR})))
    (of_coordinator,) = (await Asking(node).get("rewards.list", cursor="8"))["items"]
    assert (of_coordinator["part"], of_coordinator["verdict"]) == ("coordinator", None)
    assert 0 < int(of_coordinator["paid"]) < TOKEN
    node.state = replace(node.state, me=Identity(account("nobody"), frozenset()))
    assert (await Asking(node).get("rewards.list"))["items"] == []


def an_intent(number: int, sender: Address = ME) -> Intent:
    return Intent(
        f"reveal/{number}", sender, 31337, number, FACTS.contract, b"the salt", 0, 90_000, 10**11, 10**9,
        (bytes([number]) * 32,), (b"raw bytes",), IntentState.SENT, None, f"https://rpc/{KEY} said no", 1.5e9,
    )  # fmt: skip


async def test_transactions_are_paged_by_the_store_and_tell_no_call(node: ANode) -> None:
    intents = JournalIntents(node.journal)
    for number in range(25):
        intents.put(an_intent(number))
    intents.put(an_intent(25, account("another")))
    asking = Asking(node)
    first = await asking.get("transactions.list", limit=20)
    assert [item["nonce"] for item in first["items"]] == list(range(24, 4, -1))
    intents.put(an_intent(26))
    second = await asking.get("transactions.list", limit=20, cursor=first["next"])
    assert ([item["nonce"] for item in second["items"]], second["next"]) == ([4, 3, 2, 1, 0], None)
    text = json.dumps(first)
    for secret in (b"the salt".hex(), b"raw bytes".hex(), KEY):
        assert secret not in text


async def test_attack_the_configuration_shows_no_secret(node: ANode) -> None:
    shown = await Asking(node).get("config.show")
    assert KEY not in json.dumps(shown) and "MY_PASSWORD" not in json.dumps(shown)
    assert shown["chain"]["endpoints"] == ["https://rpc.example.org:8545"]
    assert shown["chain"]["websocket"] == shown["wallet"]["password_env"] == "(hidden)"
    assert shown["wallet"]["password_credential"] is None
    assert shown["node"]["roles"] == ["solver"] and shown["rpc"]["port"] == 4780
    assert set(shown) == {
        "node",
        "wallet",
        "chain",
        "p2p",
        "solver",
        "proposer",
        "projects",
        "worker",
        "log",
        "rpc",
    }


async def test_the_document_names_every_method_once_and_describes_itself(node: ANode) -> None:
    asking = Asking(node)
    document = await asking.get("rpc.discover")
    names = [item["name"] for item in document["methods"]]
    assert names == sorted(asking.table) and len(names) == len(set(names))
    assert document["openrpc"] == "1.3.2" and document["info"]["version"]
    for method in document["methods"]:
        assert method["summary"] and method["tags"] == [{"name": "scope: read"}]
        needed = [item["required"] for item in method["params"]]
        assert needed == sorted(needed, reverse=True), "what is required comes first"
    references = set(re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(document)))
    assert references == {
        (kind, name) for kind in ("schemas", "errors") for name in document["components"][kind]
    }
    (listed,) = [item for item in document["methods"] if item["name"] == "rounds.list"]
    (limit,) = [item for item in listed["params"] if item["name"] == "limit"]
    assert limit["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "description": "entries of a page",
    }


def test_a_value_that_is_not_as_announced_is_noticed() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False,
              "required": ["a"]}  # fmt: skip
    assert not misfits({"a": 1}, schema, {})
    for value in ({}, {"a": "1"}, {"a": 1, "b": 2}, [], {"a": True}):
        assert misfits(value, schema, {})
