"""Alerts on a real node: a Prometheus with the shipped rules watches what is done to it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alert_watcher import Watcher, until
from network import CHAIN_ID, Nursery, deploy_on, fund_on, new_wallet, run_async

from chain_proxy.reading import HeadLags, OtherChain
from chain_proxy.sending import Slow
from chain_proxy.server import ProxyThread
from jepanet.chain.devchain.anvil import AnvilProcess, free_port

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(420)]


class Cast:
    """A chain, a node that waits for others, and the node that is watched, behind endpoints of many kinds."""

    def __init__(self, folder: Path, proxies: ProxyThread) -> None:
        self.folder = folder
        self.anvil = AnvilProcess(port=free_port(), chain_id=CHAIN_ID, log=folder / "anvil.log")
        run_async(self.anvil.start())
        self.deployment = run_async(deploy_on(self.anvil, 1))
        self.deployment.save(folder / "deployment.json")
        self.chain("anvil_mine", "0x40")
        self.chain("evm_setIntervalMining", 1)
        lagging, stranger = proxies.start(self.anvil.url), proxies.start(self.anvil.url)
        proxies.call(lagging.set, HeadLags(blocks=30))
        proxies.call(stranger.set, OtherChain())
        slow = proxies.start(self.anvil.url)
        proxies.call(slow.set, Slow(seconds=3.0))
        self.nursery = Nursery(folder / "nursery.log")
        self.rpc_port = free_port()
        self.wallets = {name: new_wallet(folder / name) for name in ("other", "watched")}
        run_async(fund_on(self.anvil, self.deployment, list(self.wallets.values()), 1))
        self._port = free_port()
        self._write("other", "aggregator", [self.anvil.url], [])
        self._pids: dict[str, int] = {}
        self.start("other")
        until("the first node", lambda: self._status("other"))
        peer = self._status("other")["addresses"][0]
        dead = f"http://127.0.0.1:{free_port()}"
        behind = [lagging.url, stranger.url, slow.url, dead]
        self._write("watched", "coordinator", [self.anvil.url, *behind], [peer])

    def chain(self, method: str, *params: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.anvil.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert "error" not in json.load(answer)

    def _write(self, name: str, role: str, endpoints: list[str], peers: list[str]) -> None:
        listen = self._port if name == "other" else 0
        told = [] if name == "other" else [f"/ip4/127.0.0.1/tcp/{free_port()}"]
        (self.folder / name / "node.toml").write_text(
            f'[node]\nroles = ["{role}"]\ndata_dir = "data"\nstorage_gb = 1\n'
            '[wallet]\ndirectory = "wallet"\npassword_file = "password"\n'
            f'[chain]\nendpoints = {json.dumps(endpoints)}\ndeployment = "../deployment.json"\n'
            f'[p2p]\nlisten = "/ip4/127.0.0.1/tcp/{listen}"\nbootstrap = {json.dumps(peers)}\n'
            f"announce = {json.dumps(told)}\nallow_isolated = true\n"
            f"[rpc]\nenabled = {json.dumps(name == 'watched')}\nport = {self.rpc_port}\n"
            f"[metrics]\nenabled = {json.dumps(name == 'watched')}\naccount_seconds = 10\n"
        )

    def _status(self, name: str) -> Any:
        try:
            return json.loads((self.folder / name / "data/status.json").read_text())
        except (OSError, ValueError):
            return None

    def start(self, name: str) -> None:
        # The watched one's log goes to a full disk.
        log = Path("/dev/full") if name == "watched" else self.folder / "other.log"
        self._pids[name] = self.nursery.start(self.folder / name / "node.toml", log, None)

    def kill(self, name: str) -> None:
        pid = self._pids.pop(name)
        os.kill(pid, 9)
        until(f"the end of {name}", lambda: pid in self.nursery.ended)

    @contextlib.contextmanager
    def few_descriptors(self, share: float) -> Iterator[None]:
        """Meanwhile, what the watched node has open is this share of what it may have."""
        pid = self._pids["watched"]
        held = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (int(held / share), before[1]))
        yield
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def page(self) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.rpc_port}/metrics", timeout=5) as answer:
            body: bytes = answer.read()
            return body

    def answers(self) -> bool:
        try:
            return bool(self.page())
        except OSError:
            return False

    def close(self) -> None:
        for name in list(self._pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pids[name], 9)
        self.nursery.close()
        run_async(self.anvil.stop())


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
