"""A folder of a stranger's files is no place to take modules from, whoever works in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

WORKER = """
import asyncio
from jepanet.work.worker import Worker

async def main():
    worker = Worker(module="worker_jobs", job_timeout=60.0)
    await worker.start()
    await worker._process.stdout.read(1) if worker._process.stdin.close() is None else None

asyncio.run(main())
"""
SEVERAL = """
import asyncio, sys
from pathlib import Path
from jepanet.interface.arguments.node import _programs
from jepanet.interface.several import run_together

asyncio.run(run_together(_programs((Path("a.toml"), Path("b.toml")))))
"""
POOL = """
from click.testing import CliRunner
from jepanet.interface.cli import cli
CliRunner().invoke(cli, ["version"])
import subprocess, sys
subprocess.run([sys.executable, "-c", "import random"], check=True)
"""
CONFIG = """
[node]
data_dir = "{name}"
roles = ["solver"]
[wallet]
directory = "wallet"
password_file = "password"
[chain]
endpoints = ["http://127.0.0.1:1"]
deployment = "deployment.json"
[p2p]
listen = "/ip4/127.0.0.1/tcp/0"
allow_isolated = true
"""


@pytest.mark.parametrize("started", [WORKER, SEVERAL, POOL], ids=["worker", "several", "others"])
def test_attack_modules_in_the_working_directory_are_not_run(started: str, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = f"open({str(sprung)!r}, 'w')\n"
    (tmp_path / "jepanet").mkdir()
    for name in ("jepanet/__init__", "jepanet/__main__", "torch", "trio", "random"):
        (tmp_path / f"{name}.py").write_text(trap)
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(CONFIG.format(name=name))
    script = (
        tmp_path / "elsewhere" / "script.py"
    )  # its folder, and not the working directory, is its own path
    script.parent.mkdir()
    script.write_text(started)
    here = str(Path(__file__).parent)
    known = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), here)))
    subprocess.run(
        [sys.executable, script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": known}, capture_output=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert not sprung.exists()
