"""What a node's methods answer, out of its own state, journal and blobs, and in the form they announce."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from jepanet.errors import Transient
from jepanet.node.rereading import Stretch
from jepanet.node.status import ChainHealth, Surroundings
from jepanet.operations.views.funds import Account
from jepanet.protocol.documents.scores import REPORT, ScoreReport, SignedScore
from jepanet.protocol.duties import SendClaim, duty_key
from jepanet.protocol.off_chain import SignedScores
from jepanet.protocol.state import (
    Identity,
    OffChain,
    Reveal,
    Status,
)
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.holdings import Holdings
from jepanet.rpc.method import Scope
from jepanet.storage.journal import StoredDuty
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Digest, Role, RoundId, Verdict
from round_samples import account, digest
from rpc_node import FACTS, KEY, ME, OUTCOME, PEERS, TOKEN, ANode, Asking, a_node, an_intent, check

pytestmark = pytest.mark.unit


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ANode]:
    found = a_node(tmp_path)
    yield found
    found.journal.close()
    found.blobs.close()


async def test_the_status_is_put_together_once_for_all_who_ask(node: ANode) -> None:
    asking = Asking(node)
    status = await asking.get("node.status")
    assert (status["wallet"], status["peers"], status["running"]) == (ME, 3, True)
    assert status["rpc"] == {"url": "http://127.0.0.1:4780/", "problem": None}
    for _ in range(50):
        await asking.get("node.status")
    assert node.asked <= 3


async def test_health_and_readiness_are_apart(node: ANode) -> None:
    around = {"endpoints_silent": False, "clock_ahead": 1, "disk_free": 50 << 30, "disk_total": 100 << 30}
    well = {"healthy": True, "ready": True, "reasons": [], "remarks": [], "surroundings": around}
    assert await Asking(node).get("node.health") == well
    node.peers, node.caught_up = 0, False
    asking = Asking(node)
    told = await asking.get("node.health")
    assert told == well | {"ready": False, "reasons": ["catching-up", "no-peers"]}
    assert await asking.probes.health() == (True, {"healthy": True})
    assert (await asking.probes.ready())[0] is False
    node.chain = ChainHealth(head=9, head_age=99.0, head_old=True, stalled=True, incomplete=True)
    told = await Asking(node).get("node.health")
    assert not told["healthy"] and {"chain-stopped", "chain-stalled", "events-missing"} <= set(
        told["reasons"]
    )


async def test_what_a_node_depends_on_is_told_to_who_has_a_token_alone(node: ANode) -> None:
    node.around = Surroundings(True, -130, 20 << 20, 100 << 30)
    asking = Asking(node)
    assert (await asking.probes.ready())[0] is True, "a probe has no endpoint asked"
    assert node.looked_around == 0
    told = await asking.get("node.health")
    assert (told["ready"], told["reasons"]) == (False, ["endpoints-silent"])
    assert told["remarks"] == ["clock-apart", "disk-full"]
    for _ in range(20):
        await asking.get("node.health")
    assert node.looked_around <= 2
    node.around = Surroundings(False, None, 900 << 20, 100 << 30)
    assert (await Asking(node).get("node.health"))["remarks"] == ["disk-low"]


async def test_a_node_that_does_not_answer_itself_is_not_healthy(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> dict[str, object]:
        raise RuntimeError("the network's thread is gone")

    monkeypatch.setattr(node, "status", never)
    told = await Asking(node).get("node.health")
    assert (told["healthy"], told["ready"], told["reasons"]) == (False, False, ["no-answer"])


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
    assert (here["sheet_read"], here["payout"], here["price"]) == (True, str(OUTCOME.payout), str(5 * 10**14))
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
    excluded = await asking.get("receipts.get", round=7, solver=account("solver", 1))
    assert excluded["words"]["bond"].startswith("1 token, of which 0.2 are lost and 0.8 return")
    nobody = account("nobody")
    assert (await asking.error("receipts.get", round=7, solver=nobody))[0] == Code.NOT_FOUND
    assert "did not commit" in (await asking.error("receipts.get", round=7, solver=nobody))[1]
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


async def test_deltas_and_scores_of_a_round_are_those_that_are_here(node: ANode) -> None:
    asking = Asking(node)
    node.blobs.put_bytes(b"a delta")
    round_ = node.state.rounds[RoundId(7)]
    stored = sha256(b"a delta").digest()
    node.state = node.state.with_round(
        replace(round_, reveals=(Reveal(ME, Digest(stored)), *round_.reveals[1:]))
    )
    page = await asking.get("deltas.list", round=7, limit=2)
    assert [item["size"] for item in page["items"]] == [7, None] and page["next"] == "2"
    coordinator = FACTS.members[0]
    report = ScoreReport(
        RoundId(7),
        coordinator,
        tuple(
            SignedScore(solver, digest(solver), Verdict.ACCEPTED, "gain", 5, 1, bytes(65), "fine")
            for solver in sorted(account("solver", n) for n in range(3))
        ),
    )
    good, bad = node.blobs.put_bytes(REPORT.encode(report)), node.blobs.put_bytes(b"no scores")
    others = FACTS.members[1:]
    arrived = OffChain(
        scores=(
            SignedScores(coordinator, good),
            SignedScores(others[0], bad),
            SignedScores(others[1], good),
        )
    )
    node.state = replace(node.state, off_chain={**node.state.off_chain, RoundId(7): arrived})
    page = await asking.get("scores.list", round=7)
    assert [item["stored"] for item in page["items"]] == [True, True, True]
    page = await asking.get("scores.get", round=7, coordinator=coordinator, limit=2)
    assert [(item["verdict"], item["gain"]) for item in page["items"]] == [("accepted", 5)] * 2
    last = await asking.get("scores.get", round=7, coordinator=coordinator, cursor=page["next"])
    assert len(last["items"]) == 1 and last["next"] is None
    for other in others:  # no scores at all, and those of somebody else
        assert (await asking.error("scores.get", round=7, coordinator=other))[0] == Code.UNAVAILABLE
    assert (await asking.error("scores.get", round=7, coordinator=ME))[0] == Code.NOT_FOUND


async def test_rewards_are_what_results_grant_this_wallet(node: ANode) -> None:
    claim = SendClaim(RoundId(7))
    node.journal.record([], [StoredDuty(duty_key(claim), "SendClaim", "{}", 7)])
    asking = Asking(node)
    page = await asking.get("rewards.list")
    assert [
        (item["round"], item["part"], item["verdict"], item["paid"], item["claim"], item["lost"])
        for item in page["items"]
    ] == [
        (8, "solver", None, None, None, None),
        (7, "solver", "accepted", str(19 * TOKEN), "pending", "0"),
    ]
    whole = node.state
    slashed = replace(whole.rounds[RoundId(8)], slashed=(whole.me.address,))
    node.state = replace(whole, rounds={**whole.rounds, slashed.id: slashed})
    (lost, _) = (await asking.get("rewards.list"))["items"]  # the chain alone tells that of an invalid delta
    assert (lost["verdict"], lost["paid"]) == ("invalid", "0") and int(lost["lost"]) == slashed.params.bond
    node.state = whole
    page = await asking.get("rewards.list", limit=1)
    assert (len(page["items"]), page["next"]) == (1, "8")
    node.state = replace(node.state, me=Identity(FACTS.members[0], frozenset({Role.COORDINATOR})))
    (of_coordinator,) = (await Asking(node).get("rewards.list", cursor="8"))["items"]
    assert (of_coordinator["part"], of_coordinator["verdict"]) == ("coordinator", None)
    assert 0 < int(of_coordinator["paid"]) < TOKEN
    node.state = replace(node.state, me=Identity(account("solver", 1), frozenset({Role.SOLVER})))
    assert of_coordinator["published"] is True and of_coordinator["lost"] is None
    (of_excluded,) = (await Asking(node).get("rewards.list", cursor="8"))["items"]
    assert (of_excluded["verdict"], of_excluded["lost"]) == ("excluded", str(TOKEN // 5))
    node.state = replace(node.state, me=Identity(account("nobody"), frozenset()))
    assert (await Asking(node).get("rewards.list"))["items"] == []


async def test_peers_are_listed_page_by_page(node: ANode) -> None:
    asking = Asking(node)
    first = await asking.get("peers.list", limit=1)
    second = await asking.get("peers.list", limit=1, cursor=first["next"])
    assert {item["peer"] for item in (*first["items"], *second["items"])} == set(PEERS[:2])
    assert second["next"] is None


async def test_an_operator_connects_to_peers_and_bans_them(node: ANode) -> None:
    asking = Asking(node)
    address = f"/ip4/127.0.0.9/tcp/4701/p2p/{PEERS[2]}"
    node.network.away = {PEERS[2]}
    assert await asking.error("peers.connect", address=address) == (
        Code.UNAVAILABLE,
        "nobody of this id answers at this address",
    )
    node.network.away = set()
    assert (await asking.get("peers.connect", address=address))["address"] == "/ip4/127.0.0.9/tcp/4701"
    banned = await asking.get("peers.ban", peer=PEERS[2])
    assert (banned["peer"], banned["times"]) == (PEERS[2], 1) and 3590 < banned["seconds"] <= 3600
    assert [item["peer"] for item in (await asking.get("peers.banned"))["items"]] == [PEERS[2]]
    assert PEERS[2] not in {item["peer"] for item in (await asking.get("peers.list"))["items"]}
    assert (await asking.error("peers.connect", address=address))[0] == Code.INVALID_PARAMS
    for wrong in ("", "nobody", "1" * 40, "16Uiu2HAm/../etc" + "A" * 30):
        code, detail = await asking.error("peers.ban", peer=wrong)
        assert code == Code.INVALID_PARAMS and "secret" not in detail
    code, detail = await asking.error("peers.connect", address="/nowhere")
    assert code == Code.INVALID_PARAMS and "secret" not in detail


async def test_attack_who_may_read_changes_nothing(node: ANode) -> None:
    asking = Asking(node)
    claim = SendClaim(RoundId(7))
    node.journal.record([], [StoredDuty(duty_key(claim), "SendClaim", "{}", 7)])
    node.journal.reject(duty_key(claim), "no-row")
    node.engine.state = node.state
    calls = {
        "peers.connect": {"address": f"/ip4/127.0.0.9/tcp/4701/p2p/{PEERS[2]}"},
        "peers.ban": {"peer": PEERS[0]},
        "chain.rescan": {"first": 1001},
        "rewards.claim": {"round": 7},
        "stake.withdraw": {},
        "stake.deposit": {"amount": "7"},
        "stake.unbond": {"amount": "7"},
        "stake.collect": {},
        "verifiers.create": {"members": [ME], "threshold": 1},
        "verifiers.admit": {"set": 4, "proposer": ME},
        "verifiers.join": {"set": 4},
        "verifiers.leave": {"set": 4},
        "dashboard.invite_operator": {},
        "dashboard.operates": {},
        "node.pause": {"role": "solver"},
        "node.resume": {"role": "solver"},
        "node.drain": {},
    }
    assert calls.keys() == {name for name, method in asking.table.items() if method.scope is Scope.OPERATE}
    for method, params in calls.items():
        answer = await asking.all(method, Scope.READ, **params)
        assert answer["error"]["code"] == Code.OUT_OF_SCOPE, method
    assert len(node.network.connected) == 2 and not node.network.bans() and not node.pauses.paused
    assert node.journal.duty_state(duty_key(claim)) == "rejected" and node.withdrawn == node.wished == []
    assert node.rereading.progress is None


async def test_a_claim_that_was_given_up_is_tried_by_the_node_itself(node: ANode) -> None:
    """By its journal: nobody else sends from this wallet, and what was done before is not done again."""
    asking = Asking(node)
    node.engine.state = node.state
    claim = SendClaim(RoundId(7))
    assert (await asking.error("rewards.claim", round=7))[0] == Code.NOT_FOUND, "not handed out yet"
    node.journal.record([], [StoredDuty(duty_key(claim), "SendClaim", "{}", 7)])
    node.journal.reject(duty_key(claim), "no-row")
    assert await asking.get("rewards.claim", round=7) == [{"duty": duty_key(claim), "state": "pending"}]
    assert [row.key for row in node.journal.pending()] == [duty_key(claim)]
    node.journal.record([], [], done=[duty_key(claim)])
    assert await asking.get("rewards.claim", round=7) == [{"duty": duty_key(claim), "state": "done"}]
    assert node.journal.pending() == []
    assert (await asking.error("rewards.claim", round=9))[0] == Code.NOT_FOUND, "it runs"
    assert (await asking.error("rewards.claim", round=3))[0] == Code.NOT_FOUND, "nobody knows it"


async def test_a_project_is_told_with_the_terms_of_its_newest_round(node: ANode) -> None:
    asking = Asking(node)
    told = await asking.get("projects.get", project=1)
    assert (told["project"], told["rounds"], told["threshold"]) == (1, 24, 2)
    assert told["verifiers"] == list(FACTS.members)
    terms = told["terms"]
    assert (terms["round"], terms["budget"], terms["paid"]) == (30, str(100 * TOKEN), None)
    assert terms["left"] == str(102 * TOKEN), "budget and fee"
    rules = {item["key"]: item["value"] for item in terms["rules"]}
    assert rules["price"] == str(5 * 10**14) and rules["merge.rule"] == "mean"
    words = "\n".join(terms["words"])
    for said in ("100 tokens", "2 of 3 verifiers", "everybody may commit", "0.0005 tokens", "60 s to train"):
        assert said in words
    assert (await asking.get("projects.get", project=2))["terms"] is None, "no round of it is kept"
    code, detail = await asking.error("projects.get", project=3)
    assert code == Code.NOT_FOUND and "from 1 to 2" in detail


async def test_what_a_result_paid_is_not_left_and_rules_that_are_no_rules_are_not_told(node: ANode) -> None:
    paid = node.state.rounds[RoundId(7)]
    limited = replace(paid.params, spec=node.blobs.put_bytes(b"no spec"), allow_list=b"1" * 32, max_solvers=5)
    node.state = replace(node.state, rounds={RoundId(7): replace(paid, params=limited)}, verifier_sets={})
    told = await Asking(node).get("projects.get", project=1)
    assert (told["verifiers"], told["threshold"]) == ([], None)
    left = str(102 * TOKEN - OUTCOME.payout)
    assert (told["terms"]["paid"], told["terms"]["left"]) == (str(OUTCOME.payout), left)
    assert told["terms"]["rules"] == [] and "allow list" in told["terms"]["words"][1]
    assert "5 of them" in told["terms"]["words"][1] and "tokens; where" not in str(told)


async def test_blocks_are_read_again_one_stretch_at_a_time(node: ANode) -> None:
    asking = Asking(node)
    assert (await asking.get("chain.status"))["rescan"] is None
    for outside in (0, 1000, 1051):
        code, detail = await asking.error("chain.rescan", first=outside)
        assert code == Code.INVALID_PARAMS and "1001 to 1050" in detail
    begun = await asking.get("chain.rescan", first=1020)
    assert begun == {"first": 1020, "at": 1019, "until": 1050}
    node.rereading.progress = Stretch(1020, 1033, 1050)
    assert (await asking.get("chain.status"))["rescan"] == {"first": 1020, "at": 1033, "until": 1050}
    code, detail = await asking.error("chain.rescan", first=1010)
    assert code == Code.UNDER_WAY and "block 1033 of 1050" in detail
    node.rereading.progress, node.rereading.stored = None, None
    code, detail = await asking.error("chain.rescan", first=1)
    assert code == Code.INVALID_PARAMS and "none yet" in detail and "secret" not in detail


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
        "metrics",
    }


async def test_the_document_names_every_method_once_and_describes_itself(node: ANode) -> None:
    asking = Asking(node)
    document = await asking.get("rpc.discover")
    names = [item["name"] for item in document["methods"]]
    assert names == sorted(asking.table) and len(names) == len(set(names))
    assert document["openrpc"] == "1.3.2" and document["info"]["version"]
    for method in document["methods"]:
        assert method["summary"] and method["tags"] == [
            {"name": f"scope: {asking.table[method['name']].scope}"}
        ]
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
    document = {"components": {"schemas": {"A": schema}}}
    check({"a": 1}, {"$ref": "#/components/schemas/A"}, document)
    for value in ({}, {"a": "1"}, {"a": 1, "b": 2}, [], {"a": True}):
        with pytest.raises(ValidationError):
            check(value, {"$ref": "#/components/schemas/A"}, document)


async def test_the_schedule_of_a_round_says_when_its_phases_end(node: ANode) -> None:
    told = await Asking(node).get("rounds.schedule", round=9)
    assert (told["opened"], told["commit_end"], told["reveal_start"]) == (1000, 1060, 1070)
    assert (told["reveal_end"], told["verify_end"]) == (1160, 1280)
    assert (told["phase"], told["now"], told["bond"]) == ("reveal", 1100, str(TOKEN))
    assert told["challenge_end"] is None and told["ended"] is None
    assert told["recorded"] is None
    round_ = node.state.rounds[RoundId(7)]
    node.state = node.state.with_round(replace(round_, recorded_at=1290))
    told = await Asking(node).get("rounds.schedule", round=7)
    assert (told["recorded"], told["challenge_end"]) == (1290, 1400)


async def test_what_the_wallet_holds_is_asked_seldom_and_a_failure_is_told(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking(node)
    told = await asking.get("wallet.account")
    assert (told["address"], told["tokens"], told["stake_free"]) == (ME, str(TOKEN), str(30 * TOKEN))
    for _ in range(20):
        await asking.get("wallet.account")
    assert node.read == 1

    async def fails() -> Account:
        raise Transient("https://rpc/KEY said no")

    broken = Holdings(fails)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await broken.get()
        assert refused.value.code is Code.UNAVAILABLE and "KEY" not in str(refused.value.detail)
    monkeypatch.setattr(node.holdings, "_at", -1000.0)
    await asking.get("wallet.account")
    assert node.read == 2


async def test_a_peer_is_shown_with_the_wallet_that_spoke_through_it_and_its_parts(node: ANode) -> None:
    asking = Asking(node)
    rows = (await asking.get("peers.list"))["items"]
    assert {(item["wallet"], item["heard"], *item["parts"]) for item in rows} == {(None, None)}
    node.heard.note(FACTS.members[0], PEERS[0])
    node.heard.note(ME, PEERS[1])
    rows = {item["peer"]: item for item in (await asking.get("peers.list"))["items"]}
    assert (rows[PEERS[0]]["wallet"], rows[PEERS[0]]["parts"]) == (FACTS.members[0], ["coordinator"])
    assert (rows[PEERS[1]]["wallet"], rows[PEERS[1]]["parts"]) == (ME, ["solver"])
    assert rows[PEERS[1]]["heard"] > 1_700_000_000


async def test_of_each_verifier_it_is_told_whether_it_is_there_and_whether_it_has_scored(node: ANode) -> None:
    first, second, third = FACTS.members[:3]
    arrived = OffChain(scores=(SignedScores(first, digest("report")),))
    node.state = replace(
        node.state,
        me=Identity(third, frozenset({Role.COORDINATOR})),
        off_chain={**node.state.off_chain, RoundId(9): arrived},
        own={**node.state.own, RoundId(9): replace(node.state.own[RoundId(9)], scores=digest("mine"))},
    )
    node.heard.note(first, PEERS[0])
    node.heard.note(second, PEERS[2])
    told = await Asking(node).get("scores.verifiers", round=9)
    assert (told["round"], told["threshold"]) == (9, 2)
    rows = {item["verifier"]: item for item in told["verifiers"]}
    shown = {
        who: (row["own"], row["scored"], row["peer"], row["connected"], row["heard"] is None)
        for who, row in rows.items()
    }
    assert shown[first] == (False, True, PEERS[0], True, False)
    assert shown[second] == (False, False, PEERS[2], False, False)
    assert shown[third] == (True, True, None, False, True)
    assert (await Asking(node).error("scores.verifiers", round=3))[0] == Code.NOT_FOUND


async def test_bonds_are_free_at_the_latest_when_the_last_result_could_stand(node: ANode) -> None:
    asking = Asking(node)
    assert (await asking.get("rounds.schedule", round=9))["bonds_until"] == 1280 + 60
    assert (await asking.get("rounds.schedule", round=7))["bonds_until"] is None
    recorded = replace(node.state.rounds[RoundId(7)], status=Status.OPEN)
    node.state = node.state.with_round(recorded)
    assert (await asking.get("rounds.schedule", round=7))["bonds_until"] == 1400
    node.state = node.state.with_round(replace(recorded, status=Status.DISPUTED, disputed_at=1090))
    assert (await asking.get("rounds.schedule", round=7))["bonds_until"] is None


async def test_what_a_transaction_costs_is_told_with_the_gas_that_the_newest_ones_took(node: ANode) -> None:
    assert await Asking(node).get("wallet.fee") == {"max_fee": str(2 * 10**9), "gas": None}
    intents = JournalIntents(node.journal)
    intents.put(an_intent(1))
    intents.put(replace(an_intent(2), gas=120_000))
    assert (await Asking(node).get("wallet.fee"))["gas"] == 120_000


async def test_only_a_token_that_operates_is_told_that_it_does(node: ANode) -> None:
    asking = Asking(node)
    assert await asking.get("dashboard.operates") is True
    declined = await asking.all("dashboard.operates", Scope.READ)
    assert declined["error"]["code"] == Code.OUT_OF_SCOPE


async def test_the_status_says_how_far_this_wallet_is_in_a_round(node: ANode) -> None:
    rounds = {item["round"]: item for item in (await Asking(node).get("node.status"))["rounds"]}
    assert (rounds[30]["committed"], rounds[30]["revealed"]) == (True, True)
    node.state = node.state.with_round(replace(node.state.rounds[RoundId(30)], reveals=()))
    rounds = {item["round"]: item for item in (await Asking(node).get("node.status"))["rounds"]}
    assert (rounds[30]["committed"], rounds[30]["revealed"]) == (True, False)
