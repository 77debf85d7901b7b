"""The worker's child: whatever a job does to it costs that job alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from worker_jobs import Echo, Misbehave, Unknown

from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.types import Digest, RoundId
from jepanet.work.log_form import LogForm
from jepanet.work.requests.deriving import DeriveModel
from jepanet.work.requests.files import RoundFiles
from jepanet.work.requests.measuring import ProbeDevice
from jepanet.work.requests.request import Progress, Request
from jepanet.work.worker import DERIVATIONS, RunningJob, Worker

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def jobs_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    known = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *([known] if known else [])]))


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker(module="worker_jobs", job_timeout=60.0)
    yield worker
    await worker.stop()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def ends(pid: int, within: float = 30.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if gone(pid):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_job_takes_arguments_tells_progress_and_returns(worker: Worker) -> None:
    told: list[Progress] = []
    result = await worker.run(Echo(3, "ä\n\u2028"), told.append)
    assert told == [Progress(0, 3), Progress(1, 3), Progress(2, 3)]
    assert result.name == "ä\n\u2028"
    assert result.pid == worker.pid
    assert result.threads == "1"


async def test_how_sums_are_made_is_the_builds_alone(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable of an operator, and its honest training would not be reproduced on an equal build."""
    for name in ("MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"):
        monkeypatch.setenv(name, "COMPATIBLE")
    assert (await worker.run(Echo())).summing == ("MKL_NUM_THREADS",)


async def test_what_the_running_job_told_last_can_be_asked_for(worker: Worker) -> None:
    """The status file says how far training is, not only that it goes on."""
    assert worker.running is None
    seen: list[RunningJob | None] = []
    await worker.run(Echo(3), lambda _: seen.append(worker.running))
    told = [(item.job, item.progress) for item in seen if item is not None]
    assert told == [("echo", Progress(step, 3)) for step in range(3)]
    assert all(item is not None and item.seconds >= 0 for item in seen)
    assert worker.running is None
    with pytest.raises(Rejected):
        await worker.run(Misbehave("refuse"))
    assert worker.running is None


async def test_jobs_queue_up_in_one_child(worker: Worker) -> None:
    results = await asyncio.gather(*(worker.run(Echo(name=str(n))) for n in range(5)))
    assert [item.name for item in results] == list("01234")
    assert len({item.pid for item in results}) == 1


async def test_what_a_job_raises_on_purpose_arrives_as_it_was(worker: Worker) -> None:
    with pytest.raises(Rejected) as refused:
        await worker.run(Misbehave("refuse"))
    assert (refused.value.message, refused.value.reason) == ("training diverged", "diverged")
    assert refused.value.remedy == "lower the learning rate"
    with pytest.raises(Transient, match="the disk is busy"):
        await worker.run(Misbehave("later"))
    with pytest.raises(Fatal, match="no such device") as fatal:
        await worker.run(Misbehave("hopeless"))
    assert fatal.value.code is Exit.CONFIG


@pytest.mark.parametrize("how", ["defect", "no_record", "mistyped", "nothing that is known"])
async def test_a_defect_costs_one_job_and_not_the_child(worker: Worker, how: str) -> None:
    first = (await worker.run(Echo())).pid
    with pytest.raises(Rejected) as refused:
        await worker.run(Misbehave(how))
    assert refused.value.reason == "worker-error"
    assert len(refused.value.message) < 3000
    assert (await worker.run(Echo())).pid == first


@pytest.mark.parametrize("request_", [Unknown(), ProbeDevice("cpu")])
async def test_the_child_does_the_requests_of_its_table_and_no_others(
    worker: Worker, request_: Request[object]
) -> None:
    with pytest.raises(Rejected, match="is not a job"):
        await worker.run(request_)


@pytest.mark.parametrize("how", ["huge", "other_record"])
async def test_an_answer_that_is_none_is_refused(worker: Worker, how: str) -> None:
    with pytest.raises(Rejected) as refused:
        await worker.run(Misbehave(how))
    assert refused.value.reason == "worker-error"
    assert await worker.run(Echo())


async def test_what_a_job_prints_is_no_answer(worker: Worker) -> None:
    assert (await worker.run(Misbehave("noisy"))).name == "noisy"
    assert (await worker.run(Echo(name="next"))).name == "next"


@pytest.mark.parametrize(("lowest", "written"), [("debug", ["debug", "warning"]), ("info", ["warning"])])
async def test_a_worker_writes_its_log_as_its_node_does(
    capfd: pytest.CaptureFixture[str], lowest: str, written: list[str]
) -> None:
    worker = Worker(module="worker_jobs", job_timeout=60.0, log_form=LogForm(lowest, json=True))
    said, deadline = "", time.monotonic() + 30
    try:
        await worker.run(Misbehave("logs"))
        # Lines are written beside the work, so the last of them, a warning, may come after its answer.
        while '"warning"' not in said and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            said += capfd.readouterr().err
    finally:
        await worker.stop()
    told = [json.loads(line) for line in said.splitlines() if "job.told" in line]
    assert [(line["level"], line["room"], line["number"]) for line in told] == [
        (level, "test", 7) for level in written
    ]


async def test_a_child_that_dies_in_a_job_is_replaced(worker: Worker) -> None:
    first = (await worker.run(Echo())).pid
    with pytest.raises(Transient, match="status -9"):
        await worker.run(Misbehave("die"))
    assert worker.pid is None
    assert (await worker.run(Echo())).pid != first


async def test_a_child_that_died_between_jobs_is_replaced(worker: Worker) -> None:
    first = (await worker.run(Echo())).pid
    os.kill(first, signal.SIGKILL)
    assert await ends(first)
    try:
        result = await worker.run(Echo())
    except Transient:  # its end was not noticed yet: the outbox tries again
        result = await worker.run(Echo())
    assert result.pid != first


async def test_a_job_over_its_time_is_killed() -> None:
    worker = Worker(module="worker_jobs", job_timeout=60.0)
    try:
        pid = (await worker.run(Echo())).pid
        worker._timeout = 0.5
        with pytest.raises(Transient, match=r"took longer than 0\.5 s"):
            await worker.run(Misbehave("busy"))
        assert gone(pid)
    finally:
        await worker.stop()


async def test_attack_a_job_that_never_ends_is_not_repeated_without_end() -> None:
    """Another job has its own time."""
    worker = Worker(module="worker_jobs", job_timeout=0.2)
    try:
        await worker.start()
        asked = Misbehave("sleep")
        with pytest.raises(Transient):
            await worker.run(asked)
        with pytest.raises(Transient):
            await worker.run(Misbehave("busy"))
        with pytest.raises(Rejected, match=r"took longer than 0\.2 s, 2 times") as caught:
            await worker.run(asked)
        assert caught.value.reason == "took-too-long" and "job_timeout_seconds" in (caught.value.remedy or "")
    finally:
        await worker.stop()


async def test_cancelling_kills_the_job(worker: Worker) -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(worker.run(Misbehave("busy"), lambda told: started.set_result(told.step)))
    pid = await asyncio.wait_for(started, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(pid)
    assert await worker.run(Echo())


async def test_jobs_that_cannot_be_loaded_end_the_node() -> None:
    worker = Worker(module="no_such_jobs")
    with pytest.raises(Fatal, match="cannot load no_such_jobs") as caught:
        await worker.run(Echo())
    assert caught.value.code is Exit.WORKER
    assert caught.value.remedy


_PARENT = """
import asyncio, sys
from jepanet.work.worker import Worker
from jepanet.telemetry import configure_logging
from worker_jobs import Misbehave
configure_logging()
job = Misbehave(sys.argv[1])
asyncio.run(Worker(module="worker_jobs").run(job, lambda told: print(told.step, flush=True)))
"""


def node_that_trains(how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PARENT, how],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["sleep", "busy"])
async def test_a_node_killed_outright_leaves_no_trainer_behind(how: str) -> None:
    with node_that_trains(how) as parent:
        try:
            assert parent.stdout is not None
            child = int(await asyncio.to_thread(parent.stdout.readline))
            assert not gone(child)
            parent.kill()
            assert await ends(child), "the trainer outlived its node"
        finally:
            parent.kill()


async def test_a_worker_for_derivations_loads_no_torch_and_does_nothing_else(tmp_path: Path) -> None:
    for name in ("base", "recipe", "spec"):
        (tmp_path / name).write_bytes(b"{}")
    files = RoundFiles(*(tmp_path / name for name in ("base", "recipe", "spec")))
    deriver = Worker(module=DERIVATIONS, job_timeout=60.0)
    try:
        request = DeriveModel(
            files, RoundId(1), deltas=(), update=None, remainder=None, expected=Digest(bytes(32)),
            target=tmp_path / "target",
        )  # fmt: skip
        with pytest.raises(Rejected, match="recipe"):
            await deriver.run(request)
        loaded = [item.path for item in psutil.Process(deriver.pid).memory_maps()]
        assert loaded and not [path for path in loaded if "libtorch" in path]
        with pytest.raises(Rejected) as caught:
            await deriver.run(ProbeDevice("cpu"))
        assert caught.value.reason == "worker-error"
    finally:
        await deriver.stop()
