"""A node for alerts to be about, and what is done to it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alert_watcher import until
from network import CHAIN_ID, Nursery, deploy_on, fund_on, new_wallet, run_async

from chain_proxy.reading import HeadLags, OtherChain
from chain_proxy.sending import Slow
from chain_proxy.server import ProxyThread
from jepanet.chain.devchain.anvil import AnvilProcess, free_port


class Cast:
    """A chain, a node that waits for others, and the node that is watched, behind endpoints of many kinds, or
    behind one `alone`, which is `front`."""

    def __init__(self, folder: Path, proxies: ProxyThread, *, alone: bool = False) -> None:
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
        self.front = proxies.start(self.anvil.url)
        behind = [] if alone else [lagging.url, stranger.url, slow.url, dead]
        self._write("watched", "coordinator", [self.front.url, *behind], [peer])

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
