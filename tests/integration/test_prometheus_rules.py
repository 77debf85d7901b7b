"""Prometheus' own checker on what a node serves and on the rules that are shipped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from metrics_page import whole_page

pytestmark = pytest.mark.integration

RULES = Path(__file__).resolve().parents[2] / "deploy/prometheus"


def promtool(tools: Path, *arguments: str, page: bytes = b"") -> tuple[int, str]:
    done = subprocess.run(
        [tools / "promtool", *arguments], input=page, capture_output=True, cwd=RULES, check=False, timeout=120
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_metrics_are_named_by_convention(prometheus_tools: Path) -> None:
    assert promtool(prometheus_tools, "check", "metrics", page=whole_page()) == (0, "")
    spoilt = whole_page().replace(b"jepanet_peers_banned", b"jepanet_peers_banned_total")
    assert promtool(prometheus_tools, "check", "metrics", page=spoilt)[0] != 0


def test_rules_are_valid(prometheus_tools: Path) -> None:
    code, said = promtool(prometheus_tools, "check", "rules", "alerts.yml")
    assert code == 0, said


def test_every_rule_fires_where_it_should_and_nowhere_else(prometheus_tools: Path) -> None:
    code, said = promtool(prometheus_tools, "test", "rules", "alerts.test.yml")
    assert code == 0, said
