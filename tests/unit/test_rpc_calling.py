"""The typed client: a method for each of a node's, results that are the records they came from."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from jepanet.errors import Exit
from jepanet.operations.views.json_form import Wei, json_form
from jepanet.operations.views.node import Health, NodeStatus
from jepanet.protocol.documents.scores import REPORT, ScoreReport
from jepanet.protocol.off_chain import SignedScores
from jepanet.protocol.state import OffChain
from jepanet.rpc.calling.client import NodeClient
from jepanet.rpc.calling.declined import declined_by
from jepanet.rpc.calling.results import Unlike, record_from
from jepanet.rpc.codes import MEANINGS, Code
from jepanet.rpc.method import Scope
from jepanet.rpc.schemas import fields_with_hints
from jepanet.types import RoundId
from rpc_node import FACTS, ME, Asking, a_node

pytestmark = pytest.mark.unit

ASKED: dict[str, dict[str, Any]] = {
    "projects.get": {"project": 1},
    "rounds.get": {"round": 7},
    "rounds.schedule": {"round": 7},
    "rounds.commitments": {"round": 7},
    "receipts.list": {"round": 7},
    "deltas.list": {"round": 7},
    "scores.list": {"round": 7},
    "scores.verifiers": {"round": 7},
    "scores.get": {"round": 7, "coordinator": FACTS.members[0]},
    "receipts.get": {"round": 7, "solver": ME},
}


async def test_each_method_of_a_node_is_one_of_the_client_and_its_result_comes_back(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    report = REPORT.encode(ScoreReport(RoundId(7), FACTS.members[0], ()))
    arrived = OffChain(scores=(SignedScores(FACTS.members[0], node.blobs.put_bytes(report)),))
    node.state = replace(node.state, off_chain={**node.state.off_chain, RoundId(7): arrived})
    asking = Asking(node)
    over_http = asking.table.keys() - {"rpc.subscribe", "rpc.unsubscribe"}
    offered = {name.replace(".", "_"): asking.table[name] for name in over_http}
    assert offered.keys() == {name for name in vars(NodeClient) if not name.startswith("_")}
    for name, method in offered.items():
        function = getattr(NodeClient, name)
        given = dict(inspect.signature(function).parameters)
        del given["self"]
        assert [
            (item.name, item.default if item.default is not MISSING else inspect.Parameter.empty)
            for item, _ in fields_with_hints(method.params)
        ] == [(item.name, item.default) for item in given.values()], name
        assert get_type_hints(function)["return"] == method.result, name
        if method.scope is Scope.OPERATE:
            continue  # the same form as what is read
        result = await method.answer(method.read(ASKED.get(method.name, {})))
        back = record_from(method.result, json_form(result))
        assert json_form(back) == json_form(result) and back == result, name
    node.journal.close()
    node.blobs.close()


def test_attack_a_result_of_another_form_is_refused() -> None:
    good = {"healthy": True, "ready": False, "reasons": ["no-peers"], "remarks": [], "surroundings": None}
    assert record_from(Health, good | {"later": 1}) == Health(True, False, ("no-peers",))
    for wrong in (
        {"healthy": True, "ready": False},
        good | {"ready": 1},
        good | {"ready": None},
        good | {"reasons": "no-peers"},
        good | {"reasons": [1]},
        [],
        None,
    ):
        with pytest.raises(Unlike):
            record_from(Health, wrong)
    for hint, wrong in ((Wei, "1e9"), (Wei, 5), (int, True), (int | None, "5"), (tuple[int, str], [1])):
        with pytest.raises(Unlike):
            record_from(hint, wrong)
    with pytest.raises(Unlike, match=r"result\.wallet"):
        record_from(
            NodeStatus, {"written": 1, "moment": ["a", 1.0], "pid": 1, "process": None, "wallet": "0x"}
        )


def test_every_error_of_the_table_is_told_with_what_to_do() -> None:
    for code, meaning in MEANINGS.items():
        told = declined_by(
            {"code": int(code), "message": "forged \x1b[2J", "data": {"detail": "a \x1b[2J b"}}
        )
        assert told is not None and told.known is code
        assert told.remedy == meaning.remedy and meaning.message in told.message
        assert "\x1b" not in str(told), "nothing of it reaches a terminal as it is"
    later = declined_by({"code": -32050, "message": "?"})
    assert later is not None and later.known is None and "-32050" in later.message
    unavailable = declined_by({"code": Code.UNAVAILABLE, "message": ""})
    assert unavailable is not None and unavailable.code is Exit.TRY_AGAIN
    assert declined_by({"code": "5"}) is None and declined_by("no") is None
