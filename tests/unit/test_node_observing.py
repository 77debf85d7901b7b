"""A page of figures from a node's own stores: what it reads, and that no chain is asked for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jepanet.chain.endpoints.endpoint import Endpoint
from jepanet.metrics.chain import AccountReading
from jepanet.node.observing import metrics_page
from jepanet.roles.solver import TRAINING_NOTE
from jepanet.settings.paths import Paths
from jepanet.storage.journal import StoredDuty
from jepanet.storage.kept_intents import JournalIntents
from jepanet.traffic import Traffic
from jepanet.types import RoundId
from jepanet.work.worker import Worker
from metrics_page import CHAIN
from rpc_node import ANode, a_node, an_intent

pytestmark = pytest.mark.unit

DEAD = "http://127.0.0.1:1/secret-key-of-an-account"


async def page_of(node: ANode, folder: Path, endpoint: Endpoint) -> dict[str, float]:
    body = await metrics_page(
        config=node.config,
        paths=Paths(folder),
        state=node.state,
        journal=node.journal,
        blobs=node.blobs,
        chain=CHAIN,
        endpoints=[endpoint],
        account=AccountReading(10**18, 0, 0, 0, 0, 1.0),
        network=node.network,  # type: ignore[arg-type]  # peers and bans are all that is asked of it
        reachable=None,
        traffic=Traffic(),
        workers=[("jobs", Worker())],
    )
    text = body.decode()
    assert "secret" not in text
    return {
        sample.name + "".join(f"|{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sizes_of_journal(folder: Path) -> list[int]:
    return [item.stat().st_size for item in folder.glob("journal.sqlite*") if "lock" not in item.name]


async def test_a_page_is_put_together_without_a_request(tmp_path: Path) -> None:
    node, endpoint = a_node(tmp_path), Endpoint(DEAD, timeout=1.0, max_response=1000)
    found = await page_of(node, tmp_path, endpoint)
    assert endpoint.counts.requests == 0
    assert found["jepanet_endpoint_requests_total|http://127.0.0.1:1"] == 0
    assert found["jepanet_peers|outbound"] == 2 and found["jepanet_peers_gossiping"] == 2
    assert "jepanet_port_reachable" not in found, "nobody could tell yet"
    assert found["jepanet_blob_store_bytes"] == node.blobs.used() > 0
    assert found["jepanet_journal_bytes"] == sum(sizes_of_journal(tmp_path)) > 0
    assert found["jepanet_wallet_balance_ether"] == 1
    assert found["jepanet_disk_free_bytes"] < found["jepanet_disk_size_bytes"]


async def test_what_the_journal_holds_is_in_it(tmp_path: Path) -> None:
    node, endpoint = a_node(tmp_path), Endpoint(DEAD, timeout=1.0, max_response=1000)
    JournalIntents(node.journal).put(an_intent(1))
    node.journal.record([], [StoredDuty("TrainShard/9", "TrainShard", "{}", RoundId(9))])
    node.journal.put_note(9, TRAINING_NOTE, json.dumps({"status": "aborted(diverged)", "why": "x"}))
    node.journal.put_note(10, TRAINING_NOTE, json.dumps({"seed": "ab"}))
    found = await page_of(node, tmp_path, endpoint)
    assert found["jepanet_transactions_pending"] == found["jepanet_transactions_stuck"] == 1
    assert found["jepanet_duties_open|TrainShard"] == 1
    assert found["jepanet_rounds_training_aborted_recently"] == 1
    assert found["jepanet_rounds_unclaimed"] == 2  # rounds 7 and 8 are settled, and nothing was claimed
