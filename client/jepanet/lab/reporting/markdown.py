"""A comparison's report as Markdown: what was run, which control is which, every table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def rendered(report: dict[str, Any]) -> str:
    """The text of `report.md`, from what `report.json` holds."""
    setting, federation = report["setting"], report["controls"]["federation"]
    seeds = ", ".join(map(str, report["seeds"]))
    lines = [
        f"# {report['recipe']}: who trains how, compared",
        "",
        f"Recipe `{report['recipe']}` (family {report['family']}, `{report['recipe_digest'][:12]}…`), data "
        f"`{setting['environment']}`, sites `{setting['sites']}`: {setting['solvers']} solvers with "
        f"{setting['training']} episodes each, {report['rounds']} rounds of {report['inner_steps']} steps, "
        f"seeds {seeds}. After ± stands half of the 95 % interval over seeds.",
        "",
        "## Which arm is which",
        "",
        *(f"- `{name}`: {arm['what']}" for name, arm in report["arms"].items()),
        "",
        "## Arms",
        "",
        *_table(report["table"]["columns"], report["table"]["rows"]),
        "",
    ]
    if federation is not None:
        lines += [
            f"## The federation (`{federation}`) beside each control",
            "",
            *_table(report["controls"]["columns"], report["controls"]["rows"]),
            "",
        ]
    if report["probes"]["rows"]:
        lines += ["## Probes", "", report["probes"]["note"], ""]
        lines += [*_table(report["probes"]["columns"], report["probes"]["rows"]), ""]
    if report["targets"]:
        lines += [
            "## Targets",
            "",
            *_table(("what", "target", "mean", "by seed", ""), target_rows(report)),
            "",
        ]
    if report["notes"]:
        lines += ["## Notes", "", *(f"- {note}" for note in report["notes"]), ""]
    if report["exported"]:
        lines += ["## Models", ""]
        lines += _table(
            ("arm", "seed", "solver", "model"),
            [
                (
                    item["arm"],
                    item["seed"],
                    "all" if item["solver"] is None else item["solver"] + 1,
                    item["model"],
                )
                for item in report["exported"]
            ],
        )
        lines.append("")
    return "\n".join(lines)


def target_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """(what, target, mean, by seed, outcome) of every target."""
    return [
        (
            item["name"],
            item["wanted"],
            ("-" if item["why"] else "not run") if item["value"] is None else f"{item['value']:.3f}",
            " ".join(f"{value:.3f}" for value in item["seeds"]),
            item["why"] or {None: "", True: "met", False: "MISSED"}[item["met"]],
        )
        for item in report["targets"]
    ]


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"

    return [line(columns), "|" + "---|" * len(columns), *(line(row) for row in rows)]
