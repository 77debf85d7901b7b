"""What does the dashboard weigh, how soon is it there, and what does a page that is left open cost the node?

One process serves a node of 1,000 rounds with 200 deltas each (real stores and server, no chain and no peers;
a node itself keeps 64 ended rounds), Debian's Chromium looks at it. What each page asks is posted again and
again, and counted by the clock and by the server's CPU time; an open page is watched for as long as nobody
touches it, beside the same time without one. Long tasks are those that the browser itself reports.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "browser")]

ROUNDS, DELTAS = 1000, 200
READ = 60
"""The newest rounds, whose sheets pages read."""
REPEATS = 30
LOADS = 7
OPEN_SECONDS = 30.0
TARGETS = {
    "kilobytes": 150,
    "first_paint_s": 1.0,
    "server_ms": 100,
    "share_of_core": 0.01,
    "long_task_ms": 50,
}
RESULT = HERE / "results" / "dashboard.json"

OVERVIEW = [
    ("node.status", {}),
    ("node.health", {}),
    ("rounds.list", {"limit": 20}),
    ("rewards.list", {"limit": 20}),
    ("wallet.account", {}),
]
ROUND = {"round": ROUNDS - 5}
PAGES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "overview": OVERVIEW,
    "rounds": [("rounds.list", {"limit": 50})],
    "a round": [
        ("rounds.get", ROUND),
        ("rounds.schedule", ROUND),
        ("receipts.list", ROUND | {"limit": 50}),
        ("transactions.list", {"limit": 100}),
    ],
    "network": [("peers.list", {"limit": 50}), ("peers.banned", {"limit": 50})],
    "rewards": [("rewards.list", {"limit": 50})],
}
"""What a page asks for when it appears: `dashboard/src/pages`."""


def serve(orders: Connection, folder: Path) -> None:
    """Serves until it is told to end; says its CPU seconds whenever it is asked."""
    from dataclasses import replace

    from shown_node import ShownNode, shown

    from jepanet.protocol.settling.sheet import SHEET, derive_sheet
    from jepanet.protocol.state import OffChain, Own, Round
    from jepanet.types import RoundId
    from round_samples import GOOD, HARM, a_spec, digest, reports_of, some_facts
    from rpc_node import SPEC_BYTES, TOKEN

    node = ShownNode(folder)
    facts = some_facts(DELTAS, budget=100 * TOKEN, fee=2 * TOKEN)
    votes = [[GOOD if place % 3 else HARM for place in range(DELTAS)]] * 3
    node.blobs.budget = 1 << 30
    spec = node.blobs.put_bytes(SPEC_BYTES)
    settled, running = node.state.rounds[RoundId(26)], node.state.rounds[RoundId(30)]
    commits = tuple(
        replace(settled.commits[0], solver=item.solver, index=n) for n, item in enumerate(facts.reveals)
    )
    reveals = tuple(
        replace(settled.reveals[0], solver=item.solver, digest=item.digest) for item in facts.reveals
    )
    assert settled.recorded is not None
    base = replace(settled, commits=commits, reveals=reveals, params=replace(settled.params, spec=spec))
    recorded = settled.recorded

    def full(number: int) -> Round:
        """A sheet is held against what the chain says of its round: those that are read have their own."""
        if number < ROUNDS - READ:
            return replace(base, id=RoundId(number))
        mine = replace(facts, round_id=RoundId(number), spec=spec)
        sheet = derive_sheet(
            mine, a_spec(price=10**12), reports_of(mine, votes), model=digest(f"m{number}"), improvement=9_000
        )
        stored = node.blobs.put_bytes(SHEET.encode(sheet))
        result = replace(
            recorded, root=sheet.root, model=sheet.model, sheet=stored, payout=sheet.payout,
            improvement=sheet.improvement,
        )  # fmt: skip
        return replace(base, id=RoundId(number), shard=mine.shard, recorded=result)

    rounds = {RoundId(n): full(n) for n in range(1, ROUNDS)}
    rounds[RoundId(ROUNDS)] = replace(running, id=RoundId(ROUNDS), commits=commits)
    node.state = replace(
        node.state,
        rounds=rounds,
        own=dict.fromkeys(rounds, Own()),
        off_chain=dict.fromkeys(rounds, OffChain()),
    )
    node.engine.state = node.state  # type: ignore[attr-defined]
    with shown(folder, node=node) as found:
        orders.send((found.origin, found.read))
        while orders.recv() != "end":
            orders.send(time.process_time())


class Server:
    """The process that serves."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._orders, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, folder))
        self._process.start()
        self.origin, self.token = self._orders.recv()

    def cpu(self) -> float:
        self._orders.send("time")
        return float(self._orders.recv())

    def end(self) -> None:
        self._orders.send("end")
        self._process.join()

    def ask(self, calls: list[tuple[str, dict[str, Any]]]) -> float:
        """Milliseconds until a batch is answered. Raises: RuntimeError: one of them is an error."""
        batch = [
            {"jsonrpc": "2.0", "id": n, "method": name, "params": params}
            for n, (name, params) in enumerate(calls)
        ]
        heads = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.origin + "/", json.dumps(batch).encode(), heads)
        started = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        took = 1e3 * (time.perf_counter() - started)
        if b'"error"' in text:
            raise RuntimeError(text[:500])
        return took


def served_ms(server: Server) -> dict[str, dict[str, float]]:
    """Of every page: milliseconds a request takes by the clock, and of the server's CPU time."""
    figures = {}
    for name, calls in PAGES.items():
        server.ask(calls)
        before = server.cpu()
        took = sorted(server.ask(calls) for _ in range(REPEATS))
        used = 1e3 * (server.cpu() - before) / REPEATS
        figures[name] = {"p50_ms": took[REPEATS // 2], "longest_ms": took[-1], "cpu_ms": used}
    return figures


def looked_at(browser: Browser, server: Server) -> dict[str, float]:
    """First paint, the longest task while every list is scrolled, and what a page that is left open costs."""
    paints, rows, longest = [], 0, 0.0
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto(f"{server.origin}/dashboard/")
    page.get_by_label("Token").fill(server.token)
    page.get_by_role("button", name="Open").click()
    page.locator("main .card").first.wait_for()
    for _ in range(LOADS):
        page.reload()
        page.locator("main .card").first.wait_for()
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    page.evaluate("""() => { window.tasks = []; new PerformanceObserver(list => list.getEntries().forEach(
        item => window.tasks.push(item.duration))).observe({ type: "longtask" }); }""")
    for name in ("rounds", f"rounds/{ROUNDS - 5}", "rewards"):
        page.evaluate("name => { location.hash = '#/' + name }", name)
        page.locator("main tbody tr").nth(40).wait_for()
        rows = max(rows, page.locator("main tbody tr").count())
        page.evaluate("window.tasks.length = 0")
        for _ in range(60):
            page.mouse.wheel(0, 120)
            page.wait_for_timeout(30)
        longest = max([longest, *page.evaluate("window.tasks")])
    page.evaluate("location.hash = '#/overview'")
    time.sleep(2)
    before = server.cpu()
    time.sleep(OPEN_SECONDS)
    with_page = server.cpu() - before
    context.close()
    time.sleep(2)
    before = server.cpu()
    time.sleep(OPEN_SECONDS)
    without = server.cpu() - before
    return {
        "first_paint_ms": statistics.median(paints),
        "most_rows": rows,
        "long_task_ms": longest,
        "share_of_core": (with_page - without) / OPEN_SECONDS,
        "share_without": without / OPEN_SECONDS,
    }


def main() -> None:
    from jepanet.rpc.transport.pages import read_pages

    pages = read_pages()
    weight = sum(len(item.packed) for item in {id(item): item for item in pages.values()}.values())
    chromium = shutil.which(os.environ.get("JEPANET_CHROMIUM") or "chromium")
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name))
        figures: dict[str, Any] = {"packed_bytes": weight, "pages": served_ms(server)}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            figures |= looked_at(browser, server)
            browser.close()
        server.end()

    table = Table("page", "p50 ms", "longest ms", "CPU ms", title=f"{ROUNDS:,} rounds of {DELTAS} deltas")
    for page, item in figures["pages"].items():
        table.add_row(page, *(f"{item[key]:.1f}" for key in ("p50_ms", "longest_ms", "cpu_ms")))
    console = Console()
    console.print(table)
    rows, paint, task = figures["most_rows"], figures["first_paint_ms"], figures["long_task_ms"]
    console.print(
        f"{weight / 1000:.0f} kB in all; first paint {paint:.0f} ms; at most {rows} rows; longest task while"
        f" scrolling {task:.0f} ms (0: none of 50 or more); an open page takes {figures['share_of_core']:.2%}"
        f" of a core, the node without one {figures['share_without']:.2%}"
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures | {"targets": TARGETS}, indent=1) + "\n")


if __name__ == "__main__":
    main()
