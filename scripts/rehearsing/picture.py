"""A picture of a rehearsal: when rounds ended, who had how many peers, and what each node sent."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jepanet.files import write_atomically


def draw(report: Mapping[str, Any], path: Path) -> None:
    """Writes a PNG. Raises: Fatal: it cannot be written; whatever matplotlib raises."""
    image = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # a screen, a notebook or TeX may not be there
        figure = Figure(figsize=(12, 10), layout="constrained")
        rounds, peers, traffic = figure.subplots(3, 1, height_ratios=(2, 3, 2))
        _rounds(rounds, report)
        _peers(peers, report)
        _traffic(traffic, report)
        figure.savefig(image, dpi=100, format="png")
    write_atomically(path, image.getvalue())


def _happenings(axis: Axes, report: Mapping[str, Any]) -> None:
    """Partitions as shades, upgrades as lines."""
    since = None
    for event in report["events"]:
        if event["what"] == "cut":
            since = event["at"]
        elif event["what"] == "healed" and since is not None:
            axis.axvspan(since, event["at"], color="tab:red", alpha=0.15)
        elif event["what"] == "upgraded":
            axis.axvline(event["at"], color="tab:green", linestyle=":")


def _rounds(axis: Axes, report: Mapping[str, Any]) -> None:
    ends = report["ends"]
    axis.step([item["at"] for item in ends], range(1, len(ends) + 1), where="post", color="tab:blue")
    gone = [(item["at"], place + 1) for place, item in enumerate(ends) if item["phase"] == "cancelled"]
    axis.plot([at for at, _ in gone], [place for _, place in gone], "x", color="tab:red", label="cancelled")
    axis.set_title("rounds ended (red: two nodes are cut off; green: a node is upgraded)", fontsize=10)
    if gone:
        axis.legend()
    _happenings(axis, report)


def _peers(axis: Axes, report: Mapping[str, Any]) -> None:
    cut = {name for event in report["events"] if event["what"] == "cut" for name in event["members"]}
    for name in report["nodes"]:
        points = [(item["at"], item[name]) for item in report["peers"] if name in item]
        x, y = [point[0] for point in points], [point[1] for point in points]
        if name in cut:
            axis.plot(x, y, label=name, linewidth=2)
        else:
            axis.plot(x, y, color="0.75", linewidth=0.8)
    axis.set_title("peers that a node is connected to (grey: nodes that are never cut off)", fontsize=10)
    if cut:
        axis.legend(fontsize=8)
    _happenings(axis, report)
    axis.set_xlabel("seconds")


def _traffic(axis: Axes, report: Mapping[str, Any]) -> None:
    names = list(report["traffic"])
    for shift, key, colour in ((-0.2, "sent", "tab:blue"), (0.2, "received", "tab:orange")):
        places = [place + shift for place in range(len(names))]
        sizes = [report["traffic"][name][key] / 2**20 for name in names]
        axis.bar(places, sizes, 0.4, label=key, color=colour)
    axis.set_xticks(range(len(names)), names, rotation=20, fontsize=8)
    axis.set_title("MiB of IP packets, the chain's and the peers'", fontsize=10)
    axis.legend()
