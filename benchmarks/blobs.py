"""How fast does a blob arrive from one and two sources, and in how much memory, beside bare TCP?"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

SIZES = (1, 10, 50, 200)
REPEATS = 3
RESULT = Path(__file__).parent / "results" / "blobs.json"
MB = 1_000_000


class Worker:
    """A `p2p_worker.py` process."""

    def __init__(self, root: Path, name: str, shelf: Path) -> None:
        settings = {
            "listen": "/ip4/127.0.0.1/tcp/0",
            "topic": "benchmark",
            "node_key": secrets.token_hex(32),
            "directory": str(root / name),
            "shelf": str(shelf),
        }
        self.child = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("p2p_worker.py")), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started = self._read()
        self.address, self.bare = started["address"], int(started["bare"])

    def _read(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        answer: dict[str, Any] = json.loads(self.child.stdout.readline())
        return answer

    def ask(self, **command: Any) -> Any:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(command) + "\n")
        self.child.stdin.flush()
        return self._read()["answer"]

    def stop(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait(20)


class Peak:
    """The largest resident memory of a process while inside, in bytes; sampled every 20 ms."""

    def __init__(self, worker: Worker) -> None:
        self._process = psutil.Process(worker.child.pid)
        self._done = threading.Event()
        self.bytes = self._process.memory_info().rss

    def __enter__(self) -> Peak:
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self.bytes = max(self.bytes, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def main() -> None:
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shelf = root / "shelf"
        shelf.mkdir()
        digests = {}
        for size in SIZES:
            content = secrets.token_bytes(MB) * size
            digest = hashlib.sha256(content).digest()
            (shelf / digest.hex()).write_bytes(content)
            digests[size] = digest.hex()
        sources = [Worker(root, f"source{index}", shelf) for index in range(2)]
        client = Worker(root, "client", shelf / "none")
        target = root / "here"

        def fetch(size: int, providers: list[Worker]) -> float:
            shutil.rmtree(target, ignore_errors=True)
            seconds = client.ask(
                do="fetch",
                digest=digests[size],
                directory=str(target),
                providers=[source.address for source in providers],
            )
            return size / float(seconds)

        def bare(size: int) -> float:
            seconds = client.ask(
                do="bare", port=sources[0].bare, name=digests[size], target=str(root / "bare")
            )
            return size / float(seconds)

        for size in SIZES:
            fetch(size, sources)  # connections up, manifests cached, windows as in a long-running node
            with Peak(client) as reader, Peak(sources[0]) as writer:
                speeds = [
                    (bare(size), fetch(size, sources[:1]), fetch(size, sources)) for _ in range(REPEATS)
                ]
            yardstick, one, two = (statistics.median(column) for column in zip(*speeds, strict=True))
            rows.append(
                {
                    "megabytes": size,
                    "bare_tcp_mb_per_s": yardstick,
                    "one_source_mb_per_s": one,
                    "two_sources_mb_per_s": two,
                    "one_source_ratio": one / yardstick,
                    "two_sources_ratio": two / yardstick,
                    "client_peak_rss_mb": reader.bytes / MB,
                    "source_peak_rss_mb": writer.bytes / MB,
                }
            )
        for worker in (client, *sources):
            worker.stop()

    table = Table("MB", "bare TCP MB/s", "1 source MB/s", "2 sources MB/s", "ratio 1", "ratio 2", "RSS MB")
    for row in rows:
        table.add_row(
            f"{row['megabytes']:.0f}",
            f"{row['bare_tcp_mb_per_s']:.0f}",
            f"{row['one_source_mb_per_s']:.1f}",
            f"{row['two_sources_mb_per_s']:.1f}",
            f"{row['one_source_ratio']:.2f}",
            f"{row['two_sources_ratio']:.2f}",
            f"{row['client_peak_rss_mb']:.0f} / {row['source_peak_rss_mb']:.0f}",
        )
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "at": time.time(), "rows": rows}, indent=1
        )
    )


if __name__ == "__main__":
    main()
