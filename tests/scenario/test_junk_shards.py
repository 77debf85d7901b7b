"""A proposer sealed evaluation shards that hold no data: nothing is learnt, and no solver pays for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from network import TERMS, TOKEN, Network

from jepanet.cid import digest_of
from jepanet.errors import Exit
from jepanet.files import keep
from jepanet.learning.data.on_disk import SEALED_LIST, open_built
from jepanet.operations.projects import draft
from jepanet.protocol import facts
from jepanet.protocol.settling.sheet import ScoreSheet, decode_sheet
from jepanet.storage.blobs.blob_files import place_of
from jepanet.tensors import canonical_json
from jepanet.types import Verdict

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(600)]


def seal_junk(folder: Path) -> None:
    """Puts other bytes in place of every sealed shard, and their digests into the list that is bound."""
    tree = json.loads((folder / SEALED_LIST).read_bytes())
    for item, shard in zip(tree["shards"], open_built(folder).sealed, strict=True):
        data = b"no shard, number %d" % shard.index
        shard.path.write_bytes(data)
        item["digest"] = digest_of(data).hex()
    keep(folder / SEALED_LIST, canonical_json(tree), mode=0o600, code=Exit.DATASET)


def sheet_of(network: Network, round_id: int) -> ScoreSheet:
    (recorded,) = network.events(facts.ChainTrainingRecorded, round_id)
    return decode_sheet(place_of(network.judge.folder / "data" / "blobs", recorded.sheet).read_bytes())


def test_attack_junk_shards_are_refused_in_the_record_and_cost_no_solver_its_bond(
    new_network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draft, "check_shards", lambda *given: None)  # an honest proposer's own check
    network = new_network(solvers=2, spoil=seal_junk)
    network.run_nodes()
    round_id = network.play(commits=2)
    base = network.round(round_id).base
    network.wait_finished(round_id)
    sheet = sheet_of(network, round_id)
    assert [(row.verdict, row.reason) for row in sheet.rows] == [(Verdict.SPARED, "shard-refused")] * 2
    assert "the evaluation shard can score nothing" in sheet.note
    assert all(score.detail for report in sheet.reports for score in report.scores), "the record says why"
    assert sheet.model == network.state().projects[sheet.project_id].model == base
    released = network.events(facts.ChainBondReleased, round_id)
    whole = int(TERMS["bond"]) * TOKEN
    assert {(item.solver, item.amount) for item in released} == {
        (node.address, whole) for node in network.solvers
    }
    assert network.events(facts.ChainBondSlashed, round_id) == []
    paid = {item.account: item.amount for item in network.events(facts.ChainClaimed, round_id)}
    assert paid.pop(network.judge.address) > 0, "the proposer whose shard it was pays for the scoring"
    assert not any(paid.values())
