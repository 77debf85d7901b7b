"""The demo's report: what was measured, what was paid, and whether the two agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from scripts.demonstration.cast import Node
from scripts.demonstration.ledger import Ledger

from jepanet.cid import to_cid
from jepanet.files import write_atomically
from jepanet.interface.terminal.output import tokens
from jepanet.operations.receipts.receipts import sheet_view
from jepanet.operations.views.json_form import json_form
from jepanet.protocol.assignment import training_seed
from jepanet.protocol.settling.sheet import ScoreSheet, decode_sheet
from jepanet.protocol.state import Round
from jepanet.types import Digest
from jepanet.work.requests.measuring import MeasureModels
from jepanet.work.worker import Worker

_METRICS = ("nmse", "skill", "pi", "rank", "probe_r2")
"""Some data have nothing that a probe could read."""
_ALL = dict.fromkeys(_METRICS)


def build_report(
    ledger: Ledger,
    nodes: list[Node],
    chain: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    audit: dict[str, Any],
    progress: list[dict[str, Any]],
    stages: dict[str, float],
) -> dict[str, Any]:
    """Everything in one JSON-able value."""
    return {
        "chain_id": chain["chain_id"],
        "contracts": chain["contracts"],
        "rounds": [_round(ledger, number, round_, nodes, chain) for number, round_ in ledger.rounds.items()],
        "balances": {
            node.name: {"address": node.address, "before": before[node.name], "after": after[node.name]}
            for node in nodes
        },
        "progress": progress,
        "verification": audit,
        "stages": stages,
    }


def _round(
    ledger: Ledger,
    number: int,
    round_: Round,
    nodes: list[Node],
    chain: dict[str, Any],
) -> dict[str, Any]:
    recorded = round_.recorded
    sheet = _sheet(recorded.sheet, nodes) if recorded else None
    nothing: dict[str, Any] = {"heldout": {"before": {}, "after": {}}, "receipts": [], "fees": []}
    view: Any = json_form(sheet_view(sheet, None)) if sheet else nothing
    claimed = ledger.claimed.get(number, {})
    params = round_.params
    salts = {item.solver: item.salt for item in round_.reveals}
    return {
        "round": number,
        "phase": ledger.phases[number],
        "base": to_cid(round_.base),
        "model": to_cid(recorded.model) if recorded else None,
        "sheet": to_cid(recorded.sheet, "dag-json") if recorded else None,
        "published": view.get("published", False),
        "note": view.get("note", ""),
        "improvement": recorded.improvement if recorded else None,
        "heldout": {
            when: {name: view["heldout"][when].get(name) for name in _METRICS} for when in ("before", "after")
        },
        "deltas": [
            {
                "solver": item["solver"],
                "seed": training_seed(
                    chain["chain_id"], chain["contracts"]["rounds"], round_.project_id, round_.id,
                    item["solver"], round_.seed, salts[item["solver"]],
                ).hex(),
                "cid": item["delta"],
                "verdict": "accepted" if item["verdict"] == "accepted" else "rejected",
                "reason": item["reason"] + (f": {item['detail']}" if item["detail"] else ""),
                "gain": item["gain"],
                "stderr": item["stderr"],
                "paid": item["paid"],
                "claimed": str(claimed.get(item["solver"], 0)),
            }
            for item in view["receipts"]
        ],
        "fees": [{name: item[name] for name in ("coordinator", "paid")} for item in view["fees"]],
        "escrow": {
            "funded": str(params.budget + params.fee + params.unseal_bond + 2 * ledger.keeper_reward),
            "keepers": str(ledger.keepers.get(number, 0)),
            "paid": str(recorded.payout if recorded else 0),
            "claimed": str(sum(claimed.values())),
            "returned": str(ledger.returned.get(number, 0)),
        },
        "transactions": ledger.transactions.get(number, {}),
        "chain_times": ledger.times.get(number, {}),
    }  # fmt: skip


def _sheet(digest: bytes, nodes: list[Node]) -> ScoreSheet | None:
    path = find_blob(digest, nodes)
    return decode_sheet(path.read_bytes()) if path else None


def find_blob(digest: bytes, nodes: list[Node]) -> Path | None:
    """A blob in any node's store, where files are named by their hash."""
    for node in nodes:
        for path in (node.folder / "data" / "blobs").glob(f"*/*/{digest.hex()}"):
            return path
    return None


async def measure_progress(
    ledger: Ledger, nodes: list[Node], recipe: Path, controls: Mapping[str, Path]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every global model of the run, and every control, on all shards unsealed in it: one scale for all.

    The shards are public by now, and no model was trained on any of them.
    """
    models: dict[bytes, int] = {}
    for number, round_ in ledger.rounds.items():
        models.setdefault(round_.base, number - 1)
        if round_.recorded is not None:
            models.setdefault(round_.recorded.model, number)
    paths = {digest: find_blob(digest, nodes) for digest in models}
    shards = [find_blob(item.shard, nodes) for item in ledger.rounds.values() if item.shard is not None]
    known = [digest for digest in models if paths[digest] is not None]
    worker = Worker()
    try:
        measured = await worker.run(
            MeasureModels(
                recipe=recipe,
                models=tuple(path for path in (*map(paths.get, known), *controls.values()) if path),
                shards=tuple(path for path in shards if path is not None),
            )
        )
    finally:
        await worker.stop()
    found = [{**_ALL, **metrics} for metrics in measured.metrics]
    return (
        [
            {"round": models[digest], "model": to_cid(Digest(digest)), **metrics}
            for digest, metrics in zip(known, found[: len(known)], strict=True)
        ],
        [{"name": name, **metrics} for name, metrics in zip(controls, found[len(known) :], strict=True)],
    )


def write_report(report: dict[str, Any], path: Path) -> None:
    """Writes report.json."""
    write_atomically(path, (json.dumps(report, indent=1) + "\n").encode())


def print_report(console: Console, report: dict[str, Any], directory: Path) -> None:
    """Tables per round, receipts, balances."""
    overview = Table(title="Global model on each round's sealed shard", title_justify="left")
    for name in ("round", "nmse before", "after", "skill after", "PI after", "rank", "probe R²",
                 "gain (µnats)", "published", "paid", "returned"):  # fmt: skip
        overview.add_column(name, justify="right")
    for item in report["rounds"]:
        before, after = item["heldout"]["before"], item["heldout"]["after"]
        overview.add_row(
            str(item["round"]), _number(before["nmse"]), _number(after["nmse"]), _number(after["skill"]),
            _number(after["pi"]), _number(after["rank"], 2), _number(after["probe_r2"]),
            str(item["improvement"]), "yes" if item["published"] else f"no: {item['note']}",
            tokens(item["escrow"]["paid"]), tokens(item["escrow"]["returned"]),
        )  # fmt: skip
    console.print(overview)
    curve = Table(title="Every global model on all shards unsealed in this run", title_justify="left")
    for name in ("after round", "score", "nmse", "skill", "PI", "rank", "probe R²", "model"):
        curve.add_column(name, justify="left" if name == "model" else "right")
    for item in report["progress"]:
        curve.add_row(
            str(item["round"]), *(_number(item[name]) for name in ("score", "nmse", "skill", "pi")),
            _number(item["rank"], 2), _number(item["probe_r2"]), item["model"],
        )  # fmt: skip
    for item in report["controls"]:
        curve.add_row(
            item["name"], *(_number(item[name]) for name in ("score", "nmse", "skill", "pi")),
            _number(item["rank"], 2), _number(item["probe_r2"]), "control, equal steps in all",
        )  # fmt: skip
    console.print(curve)
    if not report["controls"]:
        console.print("no controls: they were not asked for, or the machine was too busy to train them")
    receipts = Table(title="Receipts (gains in µnats, payments in tokens)", title_justify="left")
    for name in ("round", "solver", "verdict", "reason", "gain", "± s.e.", "paid", "claimed"):
        receipts.add_column(
            name, justify="right" if name in ("gain", "± s.e.", "paid", "claimed") else "left"
        )
    for item in report["rounds"]:
        for delta in item["deltas"]:
            receipts.add_row(
                str(item["round"]), delta["solver"], delta["verdict"], delta["reason"], str(delta["gain"]),
                str(delta["stderr"]), tokens(delta["paid"]), tokens(delta["claimed"]),
            )  # fmt: skip
    console.print(receipts)
    balances = Table(title="Balances (tokens)", title_justify="left")
    for name in ("who", "address", "before", "after", "stake after", "change"):
        balances.add_column(name, justify="left" if name in ("who", "address") else "right")
    for name, item in report["balances"].items():
        first, last = _worth(item["before"]), _worth(item["after"])
        stake = int(item["after"]["stake_free"]) + int(item["after"]["stake_locked"])
        change = last - first
        sign = "-" if change < 0 else "+"
        balances.add_row(
            name, item["address"], tokens(first), tokens(last), tokens(stake), sign + tokens(abs(change))
        )
    console.print(balances)
    escrow = [item["escrow"] for item in report["rounds"]]
    paid, claimed = (sum(int(item[key]) for item in escrow) for key in ("paid", "claimed"))
    agree = "equals" if paid == claimed else "DIFFERS FROM"
    console.print(
        f"paid out of escrow {tokens(paid)}, {agree} the sum claimed {tokens(claimed)}", highlight=False
    )
    console.print(
        f"round {report['verification']['round']} recomputed by a stranger: agrees", highlight=False
    )
    console.print(f"report {directory / 'report.json'}, picture {directory / 'heldout.png'}, "
                  f"{report['seconds_total']:.0f} s in all", highlight=False)  # fmt: skip


def _worth(balance: dict[str, str]) -> int:
    return sum(int(balance[name]) for name in ("tokens", "stake_free", "stake_locked", "stake_unbonding"))


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"
