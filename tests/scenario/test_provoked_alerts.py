"""Alerts on a real node: a Prometheus with the shipped rules watches what is done to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from network import CHAIN_ID, Nursery, deploy_on, fund_on, new_wallet, run_async

from chain_proxy.reading import HeadLags, OtherChain
from chain_proxy.sending import Slow
from chain_proxy.server import ProxyThread
from jepanet.chain.devchain.anvil import AnvilProcess, free_port

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(420)]

RULES = Path(__file__).resolve().parents[2] / "deploy/prometheus/alerts.yml"
PATIENCE = 90.0


class Watcher:
    """A Prometheus that scrapes one node every second, with the rules as shipped, but without their waits."""

    def __init__(self, tools: Path, folder: Path, target: str) -> None:
        folder.mkdir()
        # An alert that waits is the same, only later; a head is old after ten seconds, not two minutes.
        rules, waits = re.subn(r"for: \w+", "for: 0s", RULES.read_text())
        rules, lowered = re.subn(r"(jepanet_chain_head_age_seconds > )120", r"\g<1>10", rules)
        assert waits >= 20 and lowered == 1
        (folder / "alerts.yml").write_text(rules)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            "rule_files: [alerts.yml]\n"
            f"scrape_configs: [{{job_name: jepanet, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        self._url = f"127.0.0.1:{free_port()}"
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [tools / "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                 f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={self._url}"],
                stdout=log, stderr=log,
            )  # fmt: skip

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self._url}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def firing(self) -> set[str]:
        """Names of alerts, without what they all begin with."""
        try:
            found = self.ask("alerts")["alerts"]
        except OSError:  # it starts
            return set()
        return {item["labels"]["alertname"].removeprefix("Jepanet") for item in found}

    def scraped(self) -> bool:
        try:
            return bool(self.ask("query?query=up==1")["result"])
        except OSError:
            return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait(20)


def until(what: str, holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"{what} did not come about in {PATIENCE:g} s"
        time.sleep(0.3)


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
        (self.folder / name / "node.toml").write_text(
            f'[node]\nroles = ["{role}"]\ndata_dir = "data"\nstorage_gb = 1\n'
            '[wallet]\ndirectory = "wallet"\npassword_file = "password"\n'
            f'[chain]\nendpoints = {json.dumps(endpoints)}\ndeployment = "../deployment.json"\n'
            f'[p2p]\nlisten = "/ip4/127.0.0.1/tcp/{listen}"\nbootstrap = {json.dumps(peers)}\n'
            "allow_isolated = true\n"
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


@pytest.fixture
def cast(tmp_path: Path, anvil_binary: Path) -> Iterator[Cast]:
    with ProxyThread() as proxies:
        made = Cast(tmp_path, proxies)
        try:
            yield made
        finally:
            made.close()


def test_what_alerts_are_about_makes_them_fire(cast: Cast, prometheus_tools: Path, tmp_path: Path) -> None:
    cast.start("watched")
    until("the watched node", cast.answers)
    watcher = Watcher(prometheus_tools, tmp_path / "prometheus", f"127.0.0.1:{cast.rpc_port}")

    def fires(*names: str) -> None:
        until(f"{names} of {watcher.firing()}", lambda: set(names) <= watcher.firing())

    try:
        until("a scrape", watcher.scraped)
        checked = subprocess.run(
            [prometheus_tools / "promtool", "check", "metrics"],
            input=cast.page(), capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
        # How it was set up: no stake, endpoints that lag, err, are slow or dead; nobody who dials it.
        fires(
            "StakeBelowMinimum",
            "EndpointLagging",
            "EndpointWrongChain",
            "EndpointFailing",
            "EndpointSlow",
            "PortNotReachable",
        )
        still = {"NodeDown", "NoPeers", "ChainHeadOld", "ClockSkewed", "GasLow", "Restarting"}
        assert not still & watcher.firing()
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
