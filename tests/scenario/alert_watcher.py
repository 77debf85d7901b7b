"""A Prometheus that scrapes nodes every second, with the rules as shipped, but without their waits."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from jepanet.chain.devchain.anvil import free_port

RULES = Path(__file__).resolve().parents[2] / "deploy/prometheus/alerts.yml"
PATIENCE = 90.0
LOWERED = (
    ("jepanet_chain_head_age_seconds", "120", "10"),
    ("jepanet_account_age_seconds", "1800", "30"),
    ("delta(jepanet_journal_bytes[6h])", "5e8", "1e4"),
    ("process_resident_memory_bytes", "4e9", "5e7"),
    ("jepanet_duty_attempts", "10", "2"),
)
"""Figures that no test can wait for, or should bring about: the alert is the same, only sooner."""


class Watcher:
    """Watches `targets` (host and port of each node) from its folder."""

    def __init__(self, tools: Path, folder: Path, targets: Collection[str]) -> None:
        folder.mkdir()
        # An alert that waits is the same, only later.
        rules, waits = re.subn(r"for: \w+", "for: 0s", RULES.read_text())
        assert waits >= 20
        for figure, limit, lower in LOWERED:
            rules, lowered = re.subn(rf"({re.escape(figure)} > ){limit}\b", rf"\g<1>{lower}", rules)
            assert lowered == 1, figure
        (folder / "alerts.yml").write_text(rules)
        jobs = f"[{{job_name: jepanet, static_configs: [{{targets: {json.dumps([*targets])}}}]}}]"
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            "rule_files: [alerts.yml]\n"
            f"scrape_configs: {jobs}\n"
        )
        self._targets = len(targets)
        self._url = f"127.0.0.1:{free_port()}"
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [tools / "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                 f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={self._url}"],
                stdout=log, stderr=log,
            )  # fmt: skip

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self._url}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def firing(self, target: str | None = None) -> set[str]:
        """Names of alerts, of one node or of all, without what they all begin with."""
        try:
            found = self._ask("alerts")["alerts"]
        except OSError:  # it starts
            return set()
        return {
            item["labels"]["alertname"].removeprefix("Jepanet")
            for item in found
            if target in (None, item["labels"].get("instance"))
        }

    def scraped(self) -> bool:
        """Whether every node has answered once."""
        try:
            return len(self._ask("query?query=up==1")["result"]) == self._targets
        except OSError:
            return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait(20)


def until(what: Callable[[], str] | str, holds: Callable[[], object], patience: float = PATIENCE) -> None:
    """Waits. `what` is asked for when it did not come about."""
    end = time.monotonic() + patience
    while not holds():
        told = what if isinstance(what, str) else what()
        assert time.monotonic() < end, f"{told} did not come about in {patience:g} s"
        time.sleep(0.3)
