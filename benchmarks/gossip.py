"""How much gossip arrives, how soon, among five processes, beside a bare TCP round trip to each?"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blobs import Worker
from rich.console import Console
from rich.table import Table

NODES = 5
MESSAGE_BYTES = 1024
# name, messages per publisher, publishers, seconds between two messages of one publisher
LOADS = (
    ("1 publisher, 5 a second", 50, 1, 0.2),
    ("5 publishers, 2 a second each", 20, 5, 0.5),
    ("1 publisher, 50 a second", 200, 1, 0.02),
    ("1 publisher, burst", 200, 1, 0.0),
)
SETTLE_SECONDS = 8.0
RESULT = Path(__file__).parent / "results" / "gossip.json"


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else float("nan")


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(NODES) as pool:
        root = Path(name)
        shelf = root / "shelf"
        shelf.mkdir()
        (shelf / "ping").write_bytes(b"x" * MESSAGE_BYTES)
        workers = [Worker(root, f"node{index}", shelf) for index in range(NODES)]
        started = time.perf_counter()
        for index, worker in enumerate(workers):
            for other in workers[:index]:
                worker.ask(do="connect", address=other.address)
        while min(worker.ask(do="peers") for worker in workers) < NODES - 1:
            time.sleep(0.05)
        formed = time.perf_counter() - started
        time.sleep(1.5)  # one heartbeat: everybody is in everybody's mesh

        pings = [
            1e3 * workers[0].ask(do="bare", port=worker.bare, name="ping", target=str(root / "pong"))
            for _ in range(20)
            for worker in workers[1:]
        ]
        yardstick = statistics.median(pings)
        for title, count, publishers, pause in LOADS:
            command = {"do": "publish", "count": count, "size": MESSAGE_BYTES, "pause": pause}
            calls = [
                pool.submit(worker.ask, **command, name=f"{len(rows)}-{index}")
                for index, worker in enumerate(workers[:publishers])
            ]
            sent = {text: when for call in calls for text, when in call.result()}
            time.sleep(SETTLE_SECONDS)
            latencies = []
            copies = 0
            for worker in workers:
                seen: set[str] = set()
                for text, when in worker.ask(do="heard"):
                    if text in sent:
                        copies += text in seen
                        if text not in seen:
                            latencies.append(1e3 * (when - sent[text]))
                        seen.add(text)
            median = percentile(latencies, 0.5)
            rows.append(
                {
                    "load": title,
                    "delivered_percent": 100 * len(latencies) / (len(sent) * (NODES - 1)),
                    "duplicates": copies,
                    "p50_ms": median,
                    "p99_ms": percentile(latencies, 0.99),
                    "p50_ratio": median / yardstick,
                }
            )
        for worker in workers:
            worker.stop()

    table = Table("load", "delivered %", "duplicates", "p50 ms", "p99 ms", "p50 / bare TCP")
    for row in rows:
        table.add_row(
            str(row["load"]),
            f"{row['delivered_percent']:.1f}",
            str(row["duplicates"]),
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['p50_ratio']:.1f}",
        )
    console = Console()
    console.print(table)
    console.print(f"mesh of {NODES} formed in {formed:.2f} s; bare TCP round trip {yardstick:.2f} ms")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {
                "cpus": os.cpu_count(),
                "load_average": os.getloadavg()[0],
                "mesh_seconds": formed,
                "bare_tcp_ms": yardstick,
                "rows": rows,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
