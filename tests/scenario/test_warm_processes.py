"""A forked process is like any other: the same bytes and exit status, and an end with whoever has it."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from jepanet.errors import Exit
from jepanet.learning.presets import preset
from jepanet.types import Digest
from jepanet.work.requests.training import MakeFirstModel
from jepanet.work.worker import DERIVATIONS, Worker

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(300)]

PATIENCE = 120.0
WORKER = ("-P", "-m", "jepanet.work.child")


def started(door: Path, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    same = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    return subprocess.Popen(
        [door, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, **same, **environment},
    )  # fmt: skip


def first_model(dataset: Path, folder: Path) -> Digest:
    """Of a tiny recipe, by a worker of this process."""
    folder.mkdir()
    (folder / "recipe.json").write_bytes(preset("tworoom-tiny").to_bytes())
    asked = MakeFirstModel(
        folder / "recipe.json", dataset / "public.safetensors", seed=bytes(32), target=folder / "model"
    )

    async def made() -> Digest:
        worker = Worker()
        try:
            return (await worker.run(asked)).digest
        finally:
            await worker.stop()

    return asyncio.run(made())


def test_it_makes_the_same_bytes_as_a_worker_that_was_not_forked(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked = first_model(dataset, tmp_path / "forked")
    monkeypatch.setattr("jepanet.work.worker.sys", sys)
    assert first_model(dataset, tmp_path / "real") == forked


def test_it_ends_when_nobody_writes_to_it_any_more_and_says_how(door: Path) -> None:
    done = started(door, *WORKER, DERIVATIONS)
    done.communicate(timeout=PATIENCE)
    assert done.returncode == 0
    lost = started(door, *WORKER, "jepanet.no_such_table")
    assert lost.wait(PATIENCE) == Exit.WORKER
    lost.communicate()


def test_it_ends_with_whoever_has_it(door: Path) -> None:
    one = started(door, *WORKER, DERIVATIONS)
    assert one.stdout is not None and one.stdin is not None
    one.stdin.write(b'{"id": 1}\n')
    one.stdin.flush()
    assert one.stdout.readline(), "it answers that this is no request"
    one.kill()
    assert select.select([one.stdout], [], [], PATIENCE)[0] and one.stdout.read() == b""
    one.communicate()


def test_what_is_no_worker_or_of_other_code_is_not_forked(door: Path, tmp_path: Path) -> None:
    asked = "import sys; print('torch' in sys.modules)"
    assert started(door, "-c", asked).communicate(timeout=PATIENCE)[0] == b"False\n"
    for package in ("jepanet", "jepanet/work"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "jepanet/work/child.py").write_text("print('of other code')")
    other = started(door, *WORKER, DERIVATIONS, PYTHONPATH=str(tmp_path))
    assert other.communicate(timeout=PATIENCE)[0] == b"of other code\n"
