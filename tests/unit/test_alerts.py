"""Alert rules and board: names in them are metrics of a node, every rule has its page and two cases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jepanet.metrics.exposition import METRICS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
CASES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.test.yml").read_text())["tests"]
BOARD = json.loads((ROOT / "deploy/grafana/nodes.json").read_text())
PAGE = (ROOT / "docs/alerts.md").read_text()

_OF_PROMETHEUS = frozenset(
    {"up", "ALERTS", "process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds"}
    | {"process_max_fds", "process_cpu_seconds_total"}
)
_WORDS = frozenset({"and", "or", "on", "ignoring", "without", "by", "group_left"})
_FUNCTIONS = frozenset({"abs", "changes", "delta", "increase", "max", "rate", "sum", "label_values"})


def metrics_in(expression: str) -> set[str]:
    """Names of metrics in an expression of PromQL, as it is written here."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(without|on|ignoring|by|group_left) *\([^)]*\)", " ", expression)
    names = set(re.findall(r"[a-zA-Z_][a-zA-Z0-9_]*", re.sub(r"\b\d+(\.\d+)?(e\d+)?\b", " ", bare)))
    return names - _WORDS - _FUNCTIONS


def labels_in(expression: str) -> Iterator[tuple[str, str]]:
    """Each label that a metric is selected by."""
    for name, inside in re.findall(r"([a-zA-Z_]\w*)\{([^}]*)\}", expression):
        yield from ((name, label) for label in re.findall(r"(\w+) *=", inside))


def known(name: str) -> bool:
    if name in _OF_PROMETHEUS:
        return True
    base = re.sub(r"_(sum|count)$", "", name)
    if base != name and base in METRICS:
        return METRICS[base].kind == "summary"
    return name in METRICS and METRICS[name].kind != "summary"


def expressions() -> Iterator[tuple[str, str]]:
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    for panel in BOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", ()))
    yield from (("annotation", item["expr"]) for item in BOARD["annotations"]["list"])


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_names_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    names = metrics_in(expression)
    assert names and all(map(known, names)), f"{where}: {sorted(filter(lambda name: not known(name), names))}"
    for name, label in labels_in(expression):
        own = METRICS[name].labels if name in METRICS else ("alertstate", "alertname")
        assert label in {*own, "job", "instance"}, f"{where}: {name} has no label {label}"


def test_a_slip_in_an_expression_is_seen() -> None:
    assert metrics_in('rate(jepanet_pears_total{a="b"}[5m]) > 1e9 and on (x) up == 0') == {
        "jepanet_pears_total",
        "up",
    }
    assert not known("jepanet_pears_total") and not known("jepanet_endpoint_request_duration_seconds")
    assert not known("jepanet_peers_sum")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_since_when_and_where_to_read(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+[smhd]", rule["for"])
    assert rule["annotations"]["summary"].startswith("{{ $labels.instance }}: ")
    anchor = rule["alert"].lower()
    assert rule["annotations"]["runbook"] == f"docs/alerts.md#{anchor}"
    section = PAGE.partition(f"\n## {rule['alert']}\n")[2].partition("\n## ")[0]
    assert f"`{rule['expr']}`" in section, "the page shows another expression"
    assert re.search(r"^- \S", section, re.MULTILINE), "the page does not say what to do"
    row = re.search(
        rf"^\| \[{rule['alert']}\]\(#{anchor}\)(?: ✓)? \| (\w+) \| ([\w ]+) \|", PAGE, re.MULTILINE
    )
    after = "at once" if rule["for"] == "0s" else rule["for"]
    assert row is not None and row.groups() == (rule["labels"]["severity"], after)


def test_rules_and_pages_are_the_same_and_enough() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) >= 20
    assert re.findall(r"^## (Jepanet\w+)$", PAGE, re.MULTILINE) == sorted(names, key=names.index)


def test_each_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [
        (item["alertname"], bool(item["exp_alerts"])) for case in CASES for item in case["alert_rule_test"]
    ]
    assert sorted(cases) == sorted((rule["alert"], fires) for rule in RULES for fires in (True, False))


def test_the_board_shows_every_metric_but_names_of_versions_and_roles() -> None:
    shown = {
        re.sub(r"_(sum|count)$", "", name)
        for _, expression in expressions()
        for name in metrics_in(expression)
    }
    hidden = {"jepanet_build_info", "jepanet_node_role"}  # one lists the nodes, the other is for queries
    beside = {
        "jepanet_chain_head_block_number",
        "jepanet_chain_confirmed_block_number",
    }  # their difference is
    assert set(METRICS) - shown == hidden | beside


def test_panels_of_the_board_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_the_page_marks_those_that_scenarios_provoke() -> None:
    marked = set(re.findall(r"^\| \[Jepanet(\w+)\]\(\S+\) ✓ \|", PAGE, re.MULTILINE))
    names = {rule["alert"].removeprefix("Jepanet") for rule in RULES}
    scenarios = sorted((ROOT / "tests/scenario").glob("test_provoked*.py"))
    named = {word for path in scenarios for word in re.findall(r'"(\w+)"', path.read_text())} & names
    assert marked == named and len(marked) >= 20
