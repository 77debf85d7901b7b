"""What goes wrong with a real node, and that its page says what happened and what to do.

How long each took is printed (`-s`): a node that is killed, an endpoint that is gone or silent, clocks that
lie apart, a disk that is full.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import network as networks
import pytest
from network import Network, Node, Nursery, deploy_on
from playwright.sync_api import Browser, Locator, Page, expect

from chain_proxy import ChainProxy, ProxyThread
from chain_proxy.sending import Freezes
from jepanet.chain.devchain.anvil import AnvilProcess, free_port
from jepanet.errors import Exit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

T = TypeVar("T")


def beside(what: Callable[[], T]) -> T:
    """In a thread of its own: Playwright has a loop in this one, and a network runs loops of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(what).result()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, anvil_binary: Path) -> Iterator[Network]:
    """A chain with the contracts, and nobody on it yet."""
    folder = tmp_path_factory.mktemp("chain")
    anvil = AnvilProcess(
        port=free_port(), chain_id=networks.CHAIN_ID, state=folder / "chain.json", log=folder / "anvil.log"
    )
    beside(lambda: networks._wait_for(anvil.start()))
    deployment = beside(lambda: networks._wait_for(deploy_on(anvil, 1)))
    deployment.save(folder / "deployment.json")
    made = Network(folder, anvil, deployment, Nursery(folder / "nursery.log"), 1, 1, folder)
    made.rpc("evm_setIntervalMining", [1])
    yield made
    beside(made.close)


@pytest.fixture(scope="module")
def endpoint(chain: Network) -> Iterator[tuple[ProxyThread, ChainProxy]]:
    with ProxyThread() as proxies:
        yield proxies, proxies.start(chain.anvil.url)


class Lone:
    """A solver without peers, and a page of it."""

    def __init__(self, node: Node, port: int, page: Page) -> None:
        self.node, self.page = node, page
        self._port = port

    def sign_in(self) -> None:
        tokens = self.node.config.parent / "data/rpc/read.token"
        self.page.goto(f"http://127.0.0.1:{self._port}/dashboard/")
        self.page.get_by_label("Token").fill(tokens.read_text().strip())
        self.page.get_by_role("button", name="Open").click()
        expect(self.page.get_by_role("status").first).to_contain_text("Well")

    @property
    def worries(self) -> Locator:
        return self.page.locator(".worries")

    @property
    def alert(self) -> Locator:
        return self.page.get_by_role("alert")


def start(chain: Network, home: Path, url: str, page: Page) -> Lone:
    address = networks.new_wallet(home)
    node = Node(home.name, ("solver",), home, address, chain.nursery)
    chain.nodes[home.name] = node
    beside(lambda: chain.fund([address]))
    port = free_port()
    node.config.write_text(
        f"""\
[node]
roles = ["solver"]
data_dir = "data"
storage_gb = 1
[wallet]
directory = "wallet"
password_file = "password"
[chain]
endpoints = ["{url}"]
deployment = "{chain.folder / "deployment.json"}"
poll_seconds = 0.5
[p2p]
listen = "/ip4/127.0.0.1/tcp/0"
allow_isolated = true
[rpc]
enabled = true
port = {port}
[log]
json = true
"""
    )
    node.start()
    beside(lambda: chain.wait("the node to serve its page", lambda: _serves(node)))
    return Lone(node, port, page)


def _serves(node: Node) -> bool:
    return ((node.status() or {}).get("rpc") or {}).get("url") is not None


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture
def lone(
    chain: Network, endpoint: tuple[ProxyThread, ChainProxy], page: Page, tmp_path: Path
) -> Iterator[Lone]:
    found = start(chain, tmp_path / "node", endpoint[1].url, page)
    found.sign_in()
    yield found
    beside(found.node.kill)


def said(where: Locator, what: str, fault: str, begun: float) -> None:
    expect(where).to_contain_text(what)
    print(f"\n{fault}: the page said so after {time.monotonic() - begun:.1f} s")


def test_a_node_that_is_killed_is_missed(lone: Lone) -> None:
    begun = time.monotonic()
    beside(lone.node.kill)
    said(lone.alert, "The node does not answer", "a node killed", begun)
    expect(lone.alert).to_contain_text("jepanet node run")


def test_a_node_that_is_stopped_says_so(lone: Lone) -> None:
    begun = time.monotonic()
    beside(lone.node.stop)
    said(lone.alert, "The node was stopped", "a node stopped", begun)
    lone.node.start()
    expect(lone.alert).to_have_count(0)


@pytest.mark.parametrize("kind", ["gone", "silent"])
def test_an_endpoint_that_does_not_answer_is_told(
    chain: Network, page: Page, tmp_path: Path, kind: str
) -> None:
    with ProxyThread() as proxies:
        proxy = proxies.start(chain.anvil.url)
        lone = start(chain, tmp_path / f"node-{kind}", proxy.url, page)
        lone.sign_in()
        begun = time.monotonic()
        if kind == "silent":
            proxies.call(proxy.set, Freezes())
        else:
            proxies.close()
        said(lone.worries, "No endpoint of the chain answers", f"an endpoint {kind}", begun)
        expect(lone.worries).to_contain_text("jepanet node check")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Your node needs you")
        if kind == "silent":
            proxies.call(proxy.set)
            expect(lone.worries).to_have_count(0)
        beside(lone.node.kill)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB: from the start it is nearly full, as nodes count."""
    if os.getuid() != 0:
        pytest.skip("a file system of its own takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_is_told(
    chain: Network, endpoint: tuple[ProxyThread, ChainProxy], page: Page, small_disk: Path
) -> None:
    lone = start(chain, small_disk / "node", endpoint[1].url, page)
    lone.sign_in()
    expect(lone.worries).to_contain_text("The disk is nearly full")
    begun = time.monotonic()
    with contextlib.suppress(OSError), (small_disk / "filling").open("wb", buffering=0) as filling:
        while filling.write(bytes(1 << 16)):
            pass
    told = lone.page.get_by_text(re.compile("The disk is full|no room", re.IGNORECASE)).first
    expect(told).to_be_visible()
    print(f"\na disk full: the page said so after {time.monotonic() - begun:.1f} s")
    said(lone.alert, "The node has ended", "a node that found no room", begun)
    expect(lone.alert).to_contain_text("Make room on its disk")
    while lone.node.alive:
        time.sleep(0.1)
    assert lone.node.exit_status == Exit.DISK_FULL
    (small_disk / "filling").unlink()
    lone.node.start()
    expect(lone.alert).to_have_count(0)
    beside(lone.node.kill)


def test_clocks_that_lie_apart_are_told(chain: Network, lone: Lone) -> None:
    begun = time.monotonic()
    chain.warp(2 * 3600)
    said(lone.worries, "behind the chain's", "clocks two hours apart", begun)
    expect(lone.worries).to_contain_text("timedatectl set-ntp true")
