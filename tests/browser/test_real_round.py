"""A whole round of a real network, as a solver's dashboard shows it: live, to the claim, and over a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from network import Network, test_dataset
from playwright.sync_api import Browser, Page, expect

from jepanet.chain.devchain.anvil import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


T = TypeVar("T")


def beside(what: Callable[[], T]) -> T:
    """In a thread of its own: Playwright has a loop in this one, and a network runs loops of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(what).result()


@pytest.fixture
def network(tmp_path: Path, anvil_binary: Path) -> Iterator[Network]:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    made = beside(lambda: Network.build(tmp_path / "n", test_dataset(Path(home) / "jepanet-tests")))
    yield made
    beside(made.close)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()


@contextmanager
def observer_of(network: Network) -> Iterator[str]:
    """`jepanet dashboard` of somebody who runs no node; the link that it prints."""
    words = ["--rpc", network.anvil.url, "--deployment", str(network.folder / "deployment.json")]
    words += ["--peer", *network.bootstrap, "--inputs", str(network.folder / "observed")]
    command = [sys.executable, "-m", "jepanet", "dashboard", *words, "--port", "0", "--json"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["link"]
        finally:
            process.terminate()
            assert process.wait(20) == 143


def see_the_same_without_a_node(page: Page, link: str, number: int, receipt: dict[str, Any]) -> None:
    """The sheet comes from a real peer, the rest from the chain."""
    page.goto(link)
    expect(page.locator("dt:text-is('Score sheets read') + dd")).to_have_text("1 of 1", timeout=60_000)
    expect(page.get_by_role("status").first).to_contain_text("Up to date")
    page.evaluate(f"location.hash = '#/rounds/{number}'")
    rows = page.get_by_role("table", name=f"Deltas of round {number}").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text=receipt["solver"][-4:])).to_contain_text(receipt["verdict"].capitalize())
    page.evaluate("location.hash = '#/fetch'")
    expect(page.locator("main")).to_contain_text(f"jepanet verify {number} --rpc")
    page.close()


def test_a_round_is_followed_to_its_claim_and_a_kill_is_told(
    network: Network, page: Page, pictures: Path | None
) -> None:
    solver = network.nodes["solver-1"]
    network.answering["solver-1"] = free_port()
    network.write_configs()
    beside(network.run_nodes)

    def listens() -> bool:
        served = (solver.status() or {}).get("rpc") or {}
        return served.get("url") is not None

    beside(lambda: network.wait("the solver to answer JSON-RPC", listens))
    page.goto(f"http://127.0.0.1:{network.answering['solver-1']}/dashboard/")
    page.get_by_label("Token").fill((solver.config.parent / "data/rpc/read.token").read_text().strip())
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("status").first).to_contain_text("Well")
    expect(page.locator("main")).to_contain_text("No round is open")
    page.evaluate(
        """() => { window.seen = new Set(); setInterval(() => {
            window.seen.add(document.querySelector('.standing').textContent); }, 50); }"""
    )

    number = beside(lambda: network.play(commits=2))
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"round {number} is")
    beside(lambda: network.wait_finished(number))
    expect(page.locator("main")).to_contain_text("No round is open")
    seen = " ".join(page.evaluate("[...window.seen]"))
    for phase in ("training", "reveal", "scoring", "challenge window"):
        assert f"round {number}, {phase}" in seen, f"{phase} was not shown: {seen}"

    page.evaluate(f"location.hash = '#/rounds/{number}'")
    rows = page.get_by_role("table", name=f"Deltas of round {number}").locator("tbody tr")
    expect(rows).to_have_count(2)
    mine = rows.filter(has_text="you")
    mine.get_by_role("button", name="Why").click()
    expect(page.locator("tr.below")).to_contain_text("Payment")
    sent = page.get_by_role("table", name=f"Transactions of round {number}")
    expect(sent).to_contain_text("commit")
    expect(sent).to_contain_text("reveal")
    receipts = beside(lambda: network.receipts(number))["receipts"]
    expected = next(item for item in receipts if item["solver"] == solver.address)
    expect(mine).to_contain_text(expected["verdict"].capitalize())
    if pictures is not None:
        page.screenshot(path=pictures / "real-round.png", full_page=True)
    page.evaluate("location.hash = '#/rewards'")
    expect(page.get_by_role("table", name="Rewards")).to_contain_text("Claimed")
    with observer_of(network) as link:
        see_the_same_without_a_node(page.context.new_page(), link, number, expected)

    beside(solver.kill)
    expect(page.get_by_role("alert")).to_contain_text("The node does not answer")
    beside(solver.start)
    expect(page.get_by_role("alert")).to_have_count(0, timeout=90_000)
    expect(page.get_by_role("table", name="Rewards")).to_contain_text(f"Round {number}")
