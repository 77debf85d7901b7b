"""What a soak came to: a trend for each figure of each node, starts before and after, and what is wrong."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from scripts.longevity.trends import Verdict, trend

MIB = float(1 << 20)
MOST_START_RATIO = 2.0
_GIB = float(1 << 30)
_BLOBS_OVER = 1.05
"""A store collects once a minute, and holds a little more than its budget in between."""
_BLOB_INDEX = 8 * MIB
"""The store's index with its write-ahead log, which its budget does not count."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How one figure of a node is judged. `tolerance`: see `trends.trend`. `may_grow`: it has no bound by
    design, and its slope is reported instead of being a failure."""

    name: str
    unit: str
    scale: float
    tolerance: float
    may_grow: bool = False


FIGURES = (
    Figure("memory", "MiB", MIB, 0.1),
    Figure("workers_memory", "MiB", MIB, 0.1),
    Figure("descriptors", "", 1.0, 0.1),
    Figure("threads", "", 1.0, 0.1),
    Figure("children", "", 1.0, 0.1),
    Figure("journal", "MiB", MIB, 0.1, may_grow=True),
    Figure("wal", "MiB", MIB, 0.1),
    Figure("blobs", "MiB", MIB, 0.1),
    Figure("log", "MiB", MIB, 0.1),
    Figure("output", "MiB", MIB, 0.1, may_grow=True),
    Figure("files", "", 1.0, 0.1, may_grow=True),  # nearly all are blobs, which their bytes bound
)


def bound_of(name: str, plan: Mapping[str, Any]) -> float | None:
    """What a figure may come to by the node's configuration, in its own unit; None without one."""
    if name == "blobs":
        return float(plan["storage_gb"]) * _GIB * _BLOBS_OVER + _BLOB_INDEX
    if name == "log":
        return float(plan["log_bytes"]) * (1 + int(plan["log_files"]))
    return None


def trends_of(
    samples: Sequence[Mapping[str, Any]], plan: Mapping[str, Any], warm_up: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """By node and figure, the trend over the samples after `warm_up` rounds, in the figure's own unit."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in sorted({name for item in samples for name in item["nodes"]}):
        mine = [item for item in samples if name in item["nodes"]]
        rounds = [item["rounds"] for item in mine]
        found[name] = {
            figure.name: asdict(
                trend(
                    rounds,
                    [item["nodes"][name][figure.name] for item in mine],
                    warm_up=warm_up,
                    tolerance=figure.tolerance,
                    bound=bound_of(figure.name, plan),
                )
            )
            for figure in FIGURES
        }
    return found


def build_report(
    samples: Sequence[Mapping[str, Any]],
    plan: Mapping[str, Any],
    starts: Mapping[str, Mapping[str, Sequence[float]]],
    warm_up: int,
) -> dict[str, Any]:
    """Everything in one JSON-able value. `starts`: seconds by `kept` or `fresh`, then by node."""
    last = samples[-1]
    paces = [item["seconds_a_round"] for item in samples if item["seconds_a_round"] is not None]
    kept, fresh = starts["kept"], starts["fresh"]
    return {
        **{name: last[name] for name in ("rounds", "settled", "cancelled", "slashed", "restarts")},
        "published": last.get("published"),
        "seconds_a_round": statistics.median(paces) if paces else None,
        "warm_up": warm_up,
        "samples": len(samples),
        "trends": trends_of(samples, plan, warm_up),
        "starts": {
            name: {
                "kept": statistics.median(kept[name]),
                "fresh": statistics.median(fresh[name]),
                "ratio": round(statistics.median(kept[name]) / statistics.median(fresh[name]), 2),
            }
            for name in kept
        },
    }


def failures(report: Mapping[str, Any]) -> list[str]:
    """What a good soak must show and this one did not."""
    found = [] if report["settled"] else ["no round was settled"]
    limits = {figure.name: figure for figure in FIGURES}
    for node, figures in report["trends"].items():
        found += [
            f"{node}: {name} grows by {item['slope']:.4g} a round"
            for name, item in figures.items()
            if item["verdict"] == Verdict.GROWS and not limits[name].may_grow
        ]
    found += [
        f"{node} starts in {item['ratio']} times a fresh node's time"
        for node, item in report["starts"].items()
        if item["ratio"] > MOST_START_RATIO
    ]
    if report["restarts"]:
        found.append(f"nodes ended by themselves {report['restarts']} times")
    return found


def print_report(console: Console, report: Mapping[str, Any]) -> None:
    table = Table("node", "figure", "median", "most", "a round, with its interval", "verdict")
    for node, figures in report["trends"].items():
        for figure in FIGURES:
            item = figures[figure.name]
            scale, unit = figure.scale, figure.unit
            slope = item["slope"] / scale
            between = f"{item['low'] / scale:+.4f} to {item['high'] / scale:+.4f}"
            table.add_row(
                node, figure.name, f"{item['level'] / scale:,.1f} {unit}",
                f"{item['highest'] / scale:,.1f} {unit}", f"{slope:+.4f} ({between})", item["verdict"],
            )  # fmt: skip
    console.print(table)
    for node, item in report["starts"].items():
        console.print(
            f"{node} starts in {item['kept']:.2f} s, fresh {item['fresh']:.2f} s: {item['ratio']} times",
            highlight=False,
        )
