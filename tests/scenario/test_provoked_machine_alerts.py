"""Alerts of a chain that cannot be followed, and of a machine that runs out, on a real node."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_watcher import Watcher, until
from alerted_node import Cast

from chain_proxy.reading import HeadAlone
from chain_proxy.sending import HangsUp
from chain_proxy.server import ProxyThread

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(420)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 256 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_chain_that_is_not_followed_and_a_machine_that_runs_out(
    anvil_binary: Path, prometheus_tools: Path, small_disk: Path, tmp_path: Path
) -> None:
    with ProxyThread() as proxies:
        cast = Cast(tmp_path, proxies, alone=True)
        (tmp_path / "watched/data").symlink_to(small_disk)
        watched = f"127.0.0.1:{cast.rpc_port}"
        cast.start("watched")
        watcher = None
        try:
            until("the watched node", cast.answers)
            watcher = Watcher(prometheus_tools, tmp_path / "prometheus", [watched])

            def fires(*names: str) -> None:
                assert watcher is not None
                found = watcher
                until(
                    lambda: f"{names} of {found.firing(watched)}",
                    lambda: set(names) <= found.firing(watched),
                    150,
                )

            until("a scrape", watcher.scraped)
            fires("DiskLow", "MemoryHigh")
            still = {"ChainNotFollowed", "ChainLagging", "NotCaughtUp", "AccountUnread"}
            until("the newest block", lambda: not still & watcher.firing(watched))

            # Blocks come, and nobody has them but by name.
            proxies.call(cast.front.set, HeadAlone())
            cast.chain("anvil_mine", "0x80")
            fires("ChainLagging", "ChainNotFollowed")
            proxies.call(cast.front.set)
            until("the end of it", lambda: not still & watcher.firing(watched))
            fires("JournalGrowing")
            proxies.call(cast.front.set, HangsUp())
            fires("AccountUnread")

            # It starts where it can read nothing that it has missed.
            cast.kill("watched")
            proxies.call(cast.front.set, HeadAlone())
            cast.start("watched")
            fires("NotCaughtUp")
        finally:
            if watcher is not None:
                watcher.close()
            cast.close()
