"""What a rehearsal came to: from the chain, the journals, the router and an outsider who recomputes."""

from __future__ import annotations

import itertools
import sqlite3
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from scripts.demonstration.cast import DemoFailed, jepanet
from scripts.rehearsing.duties import given_up, missed_commits
from scripts.rehearsing.namespaces import within
from scripts.rehearsing.network import Network
from scripts.rehearsing.plan import CHAIN, OUTSIDER
from scripts.rehearsing.watching import Recovery, Watch

from jepanet.chain.following.logs_to_facts import ChainEvent
from jepanet.protocol import facts
from jepanet.types import SlashCause

_AUDITS_AT_ONCE = 4
BROKEN_PROMISES = frozenset(
    {SlashCause.NOT_REVEALED, SlashCause.INVALID, SlashCause.EQUIVOCATION, SlashCause.OVERTURNED,
     SlashCause.NOT_UNSEALED}
)  # fmt: skip
"""Bonds that nobody who keeps the rules loses. A part of a bond goes with a delta that does harm, which a
small training may do without meaning to."""


async def build_report(
    network: Network, watch: Watch, recoveries: Sequence[Recovery], counts: Mapping[str, Any], checked: int
) -> dict[str, Any]:
    """Everything in one JSON-able value."""
    names = {node.address.lower(): node.name for node in network.nodes}
    solvers = {node.name: node.address for node in network.nodes if node.role == "solver"}
    rounds = rounds_of(watch.facts)
    unsigned = missed_signatures(watch.facts, names)
    return {
        "plan": {**asdict(network.plan), "links": {k: asdict(v) for k, v in network.plan.links.items()}},
        "nodes": {node.name: node.address for node in network.nodes},
        "rounds": rounds,
        "ends": watch.rounds,
        "events": watch.events,
        "peers": watch.peers,
        "missed": {
            "given_up": {node.name: dict(found) for node in network.nodes if (found := _given_up(node))},
            "commits": missed_commits(commits_of(watch.facts), solvers),
            "signatures": unsigned,
        },
        "slashed": [
            {"round": int(item.round_id), "who": names.get(item.account.lower(), item.account),
             "cause": item.cause.name.lower(), "promise": item.cause in BROKEN_PROMISES}
            for item in watch.facts if isinstance(item, facts.ChainBondSlashed)
        ],
        "recoveries": [
            {"member": item.member, "peers_before": item.peers_before, "peers": item.peers,
             "chain": item.chain}
            for item in recoveries
        ],
        "traffic": {name: dict(count) for name, count in counts.items()},
        "verified": verify(network, watch.facts, checked),
    }  # fmt: skip


def _given_up(node: Any) -> Counter[str]:
    try:
        return given_up(node.folder / "data" / "journal.sqlite")
    except sqlite3.Error as error:
        return Counter({f"journal unreadable: {error}": 1})


def rounds_of(found: Iterable[ChainEvent]) -> dict[str, int]:
    """How many rounds were opened, and what became of them."""
    kinds = Counter(type(item).__name__ for item in found)
    return {
        "opened": kinds["ChainRoundOpened"],
        "settled": kinds["ChainRoundSettled"],
        "cancelled": kinds["ChainRoundCancelled"],
        "published": kinds["ChainModelAdvanced"],
        "commits": kinds["ChainCommitted"],
        "reveals": kinds["ChainRevealed"],
        "claims": kinds["ChainClaimed"],
    }


def commits_of(found: Iterable[ChainEvent]) -> dict[int, list[str]]:
    """By round, who committed."""
    by_round: dict[int, list[str]] = {}
    for item in found:
        if isinstance(item, facts.ChainRoundOpened):
            by_round.setdefault(int(item.round_id), [])
        elif isinstance(item, facts.ChainCommitted):
            by_round.setdefault(int(item.round_id), []).append(item.solver)
    return by_round


def missed_signatures(found: Iterable[ChainEvent], names: Mapping[str, str]) -> dict[str, list[int]]:
    """By coordinator, the recorded rounds whose result was recorded without its signature."""
    members: tuple[str, ...] = ()
    missed: dict[str, list[int]] = {}
    for item in found:
        if isinstance(item, facts.ChainVerifierSetCreated):
            members = item.members
        elif isinstance(item, facts.ChainTrainingRecorded):
            for place, member in enumerate(members):
                if not item.signers >> place & 1:
                    missed.setdefault(names.get(member.lower(), member), []).append(int(item.round_id))
    return missed


def verify(network: Network, found: Sequence[ChainEvent], checked: int) -> list[dict[str, Any]]:
    """`jepanet verify` of settled rounds, spread over all, from a namespace of its own and by peers alone."""
    settled = [int(item.round_id) for item in found if isinstance(item, facts.ChainRoundSettled)]
    if not settled or not checked:
        return []
    chosen = sorted({settled[round(place)] for place in spread(len(settled), checked)})
    endpoint = f"http://{network.addresses[CHAIN]}:{network.rpc.rpartition(':')[2]}"

    def one(number: int) -> dict[str, Any]:
        try:
            audit = jepanet(
                "verify", str(number), "--rpc", endpoint, "--deployment", network.deployment,
                "--inputs", network.folder / "outsider" / str(number), "--peer", network.bootstrap,
                within=within(OUTSIDER),
            )  # fmt: skip
        except DemoFailed as error:
            return {"round": number, "agrees": False, "why": str(error)[:400]}
        return {"round": number, "agrees": audit["agrees"]}

    # At once: most of it is waiting for a chain that is far away.
    with ThreadPoolExecutor(_AUDITS_AT_ONCE) as pool:
        return list(pool.map(one, chosen))


def spread(count: int, wanted: int) -> list[float]:
    """Places from 0 to count - 1, `wanted` of them (or all), the first and the last among them."""
    wanted = min(count, wanted)
    return [0.0] if wanted < 2 else [place * (count - 1) / (wanted - 1) for place in range(wanted)]


def failures(report: Mapping[str, Any]) -> list[str]:
    """What a good rehearsal must show and this one did not."""
    found = []
    rounds = report["rounds"]
    if rounds["settled"] * 10 < rounds["opened"] * 8:
        found.append(f"only {rounds['settled']} of {rounds['opened']} rounds were settled")
    if not rounds["published"]:
        found.append("no model was published")
    found += [
        f"{item['who']} lost its bond in round {item['round']}: {item['cause']}"
        for item in report["slashed"] if item["promise"]
    ]  # fmt: skip
    found += [f"round {item['round']} does not verify" for item in report["verified"] if not item["agrees"]]
    found += [
        f"{item['member']} has not come back after a partition"
        for item in report["recoveries"] if item["peers"] is None or item["chain"] is None
    ]  # fmt: skip
    found += [f"{item['member']} ended by itself" for item in report["events"] if item["what"] == "ended"]
    return found


def print_report(console: Console, report: Mapping[str, Any]) -> None:
    table = Table("node", "sent, KiB", "received, KiB", "of it chain, KiB", "packets lost", "cut",
                  "commits missed", "signatures missed", "duties given up")  # fmt: skip
    missed = report["missed"]
    for name, count in report["traffic"].items():
        table.add_row(
            name, *(f"{count[key] / 1024:,.0f}" for key in ("sent", "received")),
            f"{(count['to_chain'] + count['from_chain']) / 1024:,.0f}", f"{count['lost']:,}",
            f"{count['cut']:,}", str(len(missed["commits"].get(name, []))),
            str(len(missed["signatures"].get(name, []))),
            str(sum(missed["given_up"].get(name, {}).values())),
        )  # fmt: skip
    console.print(table)
    for item in report["recoveries"]:
        console.print(f"{item['member']}: peers as before after {item['peers']} s, the chain after "
                      f"{item['chain']} s", highlight=False)  # fmt: skip
    ends = [item["at"] for item in report["ends"]]
    if len(ends) > 1:
        between = [b - a for a, b in itertools.pairwise(ends)]
        console.print(f"a round takes {statistics.median(between):.1f} s", highlight=False)
