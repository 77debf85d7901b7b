"""Numbers of a training by hand in the real MLflow: all of them, once, and nothing leaves the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jepanet.errors import Exit

pytestmark = pytest.mark.integration

RUN = bytes(range(32))
PROGRAM = """
import json, socket, sys
from pathlib import Path

reached = []
def refused(*asked, **_):
    reached.append(repr(asked[-2:]))
    raise OSError("nobody is to be reached")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refused

from jepanet.errors import Fatal
from jepanet.operations.mlflow_tracking import open_mlflow

folder = Path(sys.argv[1])
for begun in ([1, 2, 3], [2, 3, 4]):  # killed at step 3, from which steps 2 and 3 are done again
    run = open_mlflow(folder / "store", bytes(range(32)), {"recipe": "tworoom-small", "steps": 4})
    run.add([(step, {"loss": 4.0 - step}) for step in begun])
    run.add([(begun[-1], {"validation": 0.5})])
run.end("early_stop", "bafy")
(folder / "file").write_bytes(b"")
try:
    open_mlflow(folder / "file", bytes(32), {})
except Fatal as error:
    refusal = [int(error.code), error.message]

import threading, time
for thread in threading.enumerate():  # whatever it does by the way has a second to be seen
    if thread is not threading.current_thread():
        thread.join(1.0)
print(json.dumps([reached, refusal]))
"""


def test_a_training_is_in_mlflow_once_and_nothing_was_reached(tmp_path: Path) -> None:
    """In a process that looks neither like a test nor like CI, where MLflow would report nothing anyway."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    elsewhere = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_REGISTRY_URI": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env=kept | elsewhere, check=True, capture_output=True, text=True,
    )  # fmt: skip
    reached, refusal = json.loads(done.stdout.splitlines()[-1])
    assert reached == []
    assert refusal[0] == Exit.CONFIG and "cannot be used as a store" in refusal[1]
    written = {path.name: path.read_text() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    assert [line.split()[1:] for line in written["loss"].splitlines()] == [
        ["3.0", "1"], ["2.0", "2"], ["1.0", "3"], ["0.0", "4"],
    ]  # fmt: skip
    assert [line.split()[1:] for line in written["validation"].splitlines()] == [["0.5", "3"], ["0.5", "4"]]
    assert written["recipe"] == "tworoom-small" and written["steps"] == "4"
    assert written["jepanet.run"] == RUN.hex()
    assert written["jepanet.status"] == "early_stop" and written["jepanet.model"] == "bafy"
