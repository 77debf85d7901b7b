"""Figures for Prometheus: what each collector makes of what it is given, and that labels stay few."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jepanet.intents import Intent, IntentState
from jepanet.metrics.chain import (
    AccountReading,
    EndpointReading,
    account_samples,
    chain_samples,
    endpoint_samples,
    transaction_samples,
)
from jepanet.metrics.exposition import METRICS
from jepanet.metrics.machine import (
    DiskReading,
    JobReading,
    WorkerReading,
    disk_samples,
    network_samples,
    traffic_samples,
    version_number,
    worker_samples,
)
from jepanet.metrics.metric import Sample
from jepanet.metrics.rounds import KINDS_APART, OpenDuty, duty_samples, round_samples
from jepanet.protocol.duties import SendClaim, duty_key
from jepanet.protocol.state import (
    Commit,
    FailedDuty,
    OffChain,
    Own,
    ProposedSheet,
    Reveal,
    Status,
)
from jepanet.traffic import Traffic
from jepanet.types import Role, RoundId
from metrics_page import CHAIN, ME, NOTHING, a_plain_round, state_of, whole_page
from round_samples import account, digest

pytestmark = pytest.mark.unit

SOLVER, PROPOSER = account("solver", 1), account("proposer")
SHEET = digest("sheet")


def values(samples: Iterable[Sample]) -> dict[str, float]:
    """`name` or `name{label,label}` -> value."""
    return {
        item.metric.name + (f"{{{','.join(item.labels)}}}" if item.labels else ""): item.value
        for item in samples
    }


def test_the_chain_as_it_was_seen() -> None:
    found = values(chain_samples(CHAIN, now=1000.0))
    assert found["jepanet_chain_lag_blocks"] == 3
    assert found["jepanet_clock_offset_seconds"] == 6.0  # it was first seen at 996 by this clock
    assert found["jepanet_chain_head_age_seconds"] == 4.0
    assert found["jepanet_node_caught_up"] == 1 and found["jepanet_chain_stalled"] == 0
    blind = values(chain_samples(replace(CHAIN, head=None, confirmed=None, stalled=True), now=1000.0))
    assert "jepanet_chain_lag_blocks" not in blind and "jepanet_clock_offset_seconds" not in blind
    assert blind["jepanet_chain_stalled"] == 1


def test_endpoints_of_one_name_are_one() -> None:
    one = EndpointReading("https://rpc.example", 10, 1, 2.0, False, True, False)
    two = EndpointReading("https://rpc.example", 5, 0, 1.0, True, False, False)
    found = list(endpoint_samples([one, two, replace(one, name="http://b")]))
    assert values(found)["jepanet_endpoint_requests_total{https://rpc.example}"] == 15
    assert values(found)["jepanet_endpoint_resting{https://rpc.example}"] == 1
    assert values(found)["jepanet_endpoint_lagging{http://b}"] == 1
    summed = next(
        item for item in found if item.metric.kind == "summary" and item.labels[0].startswith("https")
    )
    assert (summed.value, summed.observations) == (3.0, 15)


def an_intent(state: IntentState, created: float) -> Intent:
    return Intent("k", ME, 1, 1, PROPOSER, b"", 0, 1, 1, 1, (bytes(32),), (b"",), state, None, None, created)


def test_a_transaction_is_stuck_after_three_replacements() -> None:
    sent = [an_intent(IntentState.SENT, 1000 - age) for age in (134, 136)]
    done = [an_intent(IntentState.MINED, 0), an_intent(IntentState.FAILED, 0)]
    found = values(transaction_samples([*sent, *done], 1000.0, 45.0))
    assert found["jepanet_transactions_pending"] == 2
    assert found["jepanet_transactions_stuck"] == 1
    assert found["jepanet_transaction_oldest_age_seconds"] == 136
    assert found["jepanet_transactions_failed_recently"] == 1
    assert values(transaction_samples([], 1000.0, 45.0))["jepanet_transaction_oldest_age_seconds"] == 0


def test_an_account_that_nobody_read_is_no_empty_account() -> None:
    assert not list(account_samples(None))
    found = values(account_samples(AccountReading(5 * 10**17, 10**18, 2 * 10**18, 0, 3 * 10**18, 9.0)))
    assert found["jepanet_wallet_balance_ether"] == 0.5
    assert (found["jepanet_stake_free_tokens"], found["jepanet_stake_minimum_tokens"]) == (1, 3)


def test_phases_are_all_there_also_those_without_a_round() -> None:
    found = values(round_samples(state_of(a_plain_round(), now=1010), NOTHING))
    assert found["jepanet_rounds{commit}"] == 1
    assert sum(name.startswith("jepanet_rounds{") for name in found) == 10


def test_a_commitment_must_be_revealed_and_a_shard_unsealed() -> None:
    round_ = replace(a_plain_round(), commits=(Commit(ME, bytes(32), 0),))
    found = values(round_samples(state_of(round_, now=1100), NOTHING))
    assert found["jepanet_rounds_reveal_due"] == 1
    assert found["jepanet_reveal_left_seconds"] == 60
    assert found["jepanet_rounds_not_unsealed{other}"] == 1
    done = replace(round_, reveals=(Reveal(ME, digest("delta")),), shard=digest("shard"))
    found = values(round_samples(state_of(done, now=1100), NOTHING))
    assert found["jepanet_rounds_reveal_due"] == 0 and "jepanet_reveal_left_seconds" not in found
    assert found["jepanet_rounds_not_unsealed{other}"] == 0
    mine = state_of(round_, roles=[Role.PROPOSER], me=PROPOSER)
    assert values(round_samples(mine, NOTHING))["jepanet_rounds_not_unsealed{self}"] == 1


def test_a_verifier_is_told_of_sheets_and_of_deltas() -> None:
    judge = account("coordinator", 0)
    round_ = replace(
        a_plain_round(),
        commits=(Commit(SOLVER, bytes(32), 0),),
        reveals=(Reveal(SOLVER, digest("delta")),),
        shard=digest("shard"),
    )
    state = state_of(round_, roles=[Role.COORDINATOR], me=judge, now=1200)
    found = values(round_samples(state, replace(NOTHING, has=lambda _: False)))
    assert found["jepanet_deltas_unavailable"] == 1
    assert (found["jepanet_rounds_without_sheet"], found["jepanet_rounds_sheet_unsigned"]) == (1, 0)
    proposed = OffChain(sheets=(ProposedSheet(PROPOSER, SHEET, 1190),))
    found = values(round_samples(replace(state, off_chain={round_.id: proposed}), NOTHING))
    assert (found["jepanet_rounds_without_sheet"], found["jepanet_rounds_sheet_unsigned"]) == (0, 1)
    assert found["jepanet_deltas_unavailable"] == 0
    stranger = state_of(round_, roles=[Role.SOLVER], now=1200)
    missing = replace(NOTHING, has=lambda _: False)
    assert values(round_samples(stranger, missing))["jepanet_deltas_unavailable"] == 0


def test_a_challenge_is_told_to_who_has_a_part() -> None:
    round_ = replace(a_plain_round(), status=Status.DISPUTED, disputed_at=1090)
    assert values(round_samples(state_of(round_), NOTHING))["jepanet_rounds_challenged"] == 0
    mine = replace(round_, commits=(Commit(ME, bytes(32), 0),))
    assert values(round_samples(state_of(mine), NOTHING))["jepanet_rounds_challenged"] == 1


def test_what_is_settled_is_unclaimed_until_its_claim_is_done() -> None:
    settled = replace(
        a_plain_round(), status=Status.SETTLED, ended_at=1000, reveals=(Reveal(ME, digest("delta")),)
    )
    state = state_of(settled)
    assert values(round_samples(state, NOTHING))["jepanet_rounds_unclaimed"] == 1
    claimed = replace(NOTHING, done=lambda key: key == duty_key(SendClaim(settled.id)))
    found = values(round_samples(state, claimed))
    assert (found["jepanet_rounds_unclaimed"], found["jepanet_rounds_claimed"]) == (0, 1)
    slashed = state_of(replace(settled, slashed=(ME,)))
    found = values(round_samples(slashed, NOTHING))
    assert (found["jepanet_rounds_unclaimed"], found["jepanet_rounds_slashed"]) == (0, 1)


def test_an_aborted_training_counts_as_open_until_its_round_ends() -> None:
    aborted = replace(NOTHING, aborted=lambda _: True)
    ended = replace(a_plain_round(2), status=Status.CANCELLED)
    found = values(round_samples(state_of(a_plain_round(), ended, now=1010), aborted))
    assert found["jepanet_rounds_training_aborted"] == 1
    assert found["jepanet_rounds_training_aborted_recently"] == 2


def test_who_says_less_is_counted_as_who_says_more() -> None:
    low, high = "0x" + "1" * 40, "0x" + "2" * 40
    rounds = a_plain_round(), a_plain_round(2)
    apart = replace(NOTHING, apart=lambda number: ((low, "under"), (high, "over"))[: 3 - int(number)])
    found = values(round_samples(state_of(*rounds), apart))
    unpaid = {kind: found[f"jepanet_coordinators_unpaid{{{kind}}}"] for kind in KINDS_APART}
    assert unpaid == {"over": 1, "under": 2, "missed": 0, "share": 0, "unaudited": 0, "late": 0}


def test_duties_given_up_are_told_of_open_rounds_only() -> None:
    ended = replace(a_plain_round(2), status=Status.CANCELLED)
    state = state_of(a_plain_round(), ended, now=1010)
    given_up = Own(failed=(FailedDuty("TrainShard", "took-too-long"),))
    found = values(round_samples(replace(state, own=dict.fromkeys(state.own, given_up)), NOTHING))
    assert found["jepanet_duties_failed{TrainShard}"] == 1


def test_the_deadline_of_a_duty_is_that_of_its_window() -> None:
    state = state_of(a_plain_round(), now=1048)
    duties = [
        OpenDuty("TrainShard", RoundId(1), 3),
        OpenDuty("TrainShard", RoundId(9), 0),
        OpenDuty("OpenRound", None, 1),
    ]
    found = values(duty_samples(state, duties))
    assert found["jepanet_duties_open{TrainShard}"] == 2
    assert found["jepanet_duty_attempts{TrainShard,1}"] == 3
    assert found["jepanet_duty_attempts{TrainShard,9}"] == 0, "another round's is another duty"
    assert found["jepanet_duty_attempts{OpenRound,}"] == 1
    assert found["jepanet_duty_left_seconds{TrainShard}"] == 12
    assert found["jepanet_duty_left_ratio{TrainShard}"] == pytest.approx(0.2)
    assert "jepanet_duty_left_seconds{OpenRound}" not in found
    repeated = values(duty_samples(state, [OpenDuty("PublishDelta", RoundId(1), 0)]))
    assert "jepanet_duty_left_seconds{PublishDelta}" not in repeated


def test_the_pace_of_a_job_says_when_it_is_done() -> None:
    job = JobReading(seconds=30, step=10, steps=40, loss=0.25, rate=0.5)
    found = values(
        worker_samples([WorkerReading("jobs", 2, 1, job), WorkerReading("derivations", 0, 0, None)])
    )
    assert found["jepanet_job_remaining_seconds{jobs}"] == 60
    assert found["jepanet_job_loss{jobs}"] == 0.25
    assert found["jepanet_worker_deaths_total{jobs}"] == 1
    assert found["jepanet_worker_busy{derivations}"] == 0
    begun = values(worker_samples([WorkerReading("jobs", 1, 0, replace(job, rate=None))]))
    assert "jepanet_job_remaining_seconds{jobs}" not in begun


def test_network_traffic_and_disk() -> None:
    traffic = Traffic()
    traffic.blobs("delta").came(7)
    traffic.endpoint("http://a").went(5)
    traffic.endpoint("http://b").went(6)
    found = values(traffic_samples(traffic))
    assert found["jepanet_network_received_bytes_total{blob_delta}"] == 7
    assert found["jepanet_network_sent_bytes_total{chain}"] == 11
    found = values(network_samples(3, 1, 2, 4, None))
    assert (found["jepanet_peers{outbound}"], found["jepanet_peers{inbound}"]) == (3, 1)
    assert (found["jepanet_peers_gossiping"], found["jepanet_peers_banned"]) == (2, 4)
    assert "jepanet_port_reachable" not in found, "nobody could tell yet"
    for reachable in (True, False):
        assert values(network_samples(3, 1, 2, 4, reachable))["jepanet_port_reachable"] == reachable
    assert values(disk_samples(DiskReading(1, 2, 3, 4, 5))) == {
        "jepanet_blob_store_bytes": 1, "jepanet_blob_store_limit_bytes": 2, "jepanet_journal_bytes": 3,
        "jepanet_disk_free_bytes": 4, "jepanet_disk_size_bytes": 5,
    }  # fmt: skip


def test_versions_are_in_order() -> None:
    assert version_number("0.9.9") < version_number("0.10.0") < version_number("1.0.0rc1")
    assert version_number("unknown") == 0


def test_a_page_has_every_metric_and_the_process() -> None:
    families = {item.name: item for item in text_string_to_metric_families(whole_page().decode())}
    told = {sample.name for family in families.values() for sample in family.samples}
    for name, metric in METRICS.items():
        assert (f"{name}_sum" if metric.kind == "summary" else name) in told, name
    assert families["jepanet_network_received_bytes"].type == "counter"
    assert "process_resident_memory_bytes" in told and "process_open_fds" in told


def test_attack_no_label_is_an_address_a_digest_or_a_peer() -> None:
    page = whole_page().decode()
    assert not re.search(r"0x[0-9a-fA-F]{8}|[0-9a-f]{32}|16Uiu2|/p2p/", page)
    named = {label for metric in METRICS.values() for label in metric.labels}
    assert named == {
        "endpoint",
        "phase",
        "proposer",
        "duty",
        "worker",
        "direction",
        "kind",
        "role",
        "round",
        "version",
    }


def test_the_documentation_has_every_metric_as_it_is() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    told = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows
    }
    assert told == {item.name: (item.kind, item.labels, item.help) for item in METRICS.values()}
