"""Alerts on a real node: a Prometheus with the shipped rules watches what is done to it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from alert_watcher import Watcher, until
from alerted_node import Cast

from chain_proxy.server import ProxyThread

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(420)]


class _NewerPage(BaseHTTPRequestHandler):
    """What Prometheus reads of a node of a later version, as far as one rule looks at it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"jepanet_build_version_number 99000000\n")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def newer() -> Iterator[str]:
    """Where such a page is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _NewerPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def cast(tmp_path: Path, anvil_binary: Path) -> Iterator[Cast]:
    with ProxyThread() as proxies:
        made = Cast(tmp_path, proxies)
        try:
            yield made
        finally:
            made.close()


def test_what_alerts_are_about_makes_them_fire(
    cast: Cast, newer: str, prometheus_tools: Path, tmp_path: Path
) -> None:
    cast.start("watched")
    until("the watched node", cast.answers)
    watched = f"127.0.0.1:{cast.rpc_port}"
    watcher = Watcher(prometheus_tools, tmp_path / "prometheus", [watched, newer])

    def fires(*names: str) -> None:
        until(lambda: f"{names} of {watcher.firing(watched)}", lambda: set(names) <= watcher.firing(watched))

    try:
        until("a scrape", watcher.scraped)
        checked = subprocess.run(
            [prometheus_tools / "promtool", "check", "metrics"],
            input=cast.page(), capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
        # How it was set up: no stake, endpoints that lag, err, are slow or dead; it tells others a port at
        # which nothing listens; another node is of a later version.
        fires(
            "StakeBelowMinimum",
            "EndpointLagging",
            "EndpointWrongChain",
            "EndpointFailing",
            "EndpointSlow",
            "PortNotReachable",
            "VersionBehind",
        )
        still = {
            "NodeDown",
            "NoPeers",
            "ChainHeadOld",
            "ClockSkewed",
            "GasLow",
            "Restarting",
            "DescriptorsLow",
        }
        assert not still & watcher.firing(watched)
        with cast.few_descriptors(0.85):
            fires("DescriptorsLow")
        cast.chain("anvil_setBalance", cast.wallets["watched"], hex(10**16))
        cast.chain("evm_increaseTime", 120)
        fires("GasLow", "ClockSkewed")
        cast.kill("other")
        fires("NoPeers")
        cast.chain("evm_setIntervalMining", 0)
        fires("ChainHeadOld")
        for _ in range(4):
            cast.kill("watched")
            cast.start("watched")
            until("the watched node again", cast.answers)
            before = time.monotonic()
            until("a scrape of it", lambda before=before: time.monotonic() > before + 2.5)  # type: ignore[misc]
        fires("Restarting", "LogLinesLost")
        cast.kill("watched")
        fires("NodeDown")
    finally:
        watcher.close()
