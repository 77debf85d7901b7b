"""Several programs as one: one log, told ends, one stop in order."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.arguments.node import _programs
from jepanet.interface.cli import cli
from jepanet.interface.several import Program, run_together

pytestmark = [pytest.mark.unit, pytest.mark.subprocess]

PATIENT = """
import signal, sys, time
def end(*_):
    print("stopped", file=sys.stderr, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", file=sys.stderr, flush=True)
while True:
    time.sleep(60)
"""
FAILING = "import sys; sys.stderr.write('half a line'); sys.exit(17)"


def program(name: str, source: str) -> Program:
    return Program(name, (sys.executable, "-c", source))


def test_a_stop_ends_the_last_one_named_first_and_every_line_has_a_name(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def played() -> tuple[int, str]:
        code = asyncio.create_task(run_together([program("a", PATIENT), program("bb", PATIENT)]))
        said = ""
        while said.count("| up") < 2:
            await asyncio.sleep(0.02)
            said += capfd.readouterr().err
        os.kill(os.getpid(), signal.SIGTERM)
        return await code, said

    code, said = asyncio.run(played())
    assert code == 0
    assert sorted(said.splitlines()) == ["a  | up", "bb | up"]
    assert capfd.readouterr().err.splitlines() == [
        "bb | stopped", "bb | ended with code 0", "a  | stopped", "a  | ended with code 0",
    ]  # fmt: skip


ORPHAN = """
import os, sys, time
from jepanet.lifetime import die_with_parent
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:  # its parent is killed before it could ask to be ended with it
        time.sleep(0.01)
    die_with_parent(parent)
    sys.stdout.write("an orphan goes on")
    sys.stdout.flush()
    os._exit(0)
os.kill(parent, 9)
"""


def test_attack_a_kill_between_two_calls_leaves_no_orphan() -> None:
    """The output is read to its end: until nobody holds it, the orphan neither."""
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_the_end_of_one_is_told_while_the_others_go_on(capfd: pytest.CaptureFixture[str]) -> None:
    async def played() -> tuple[int, str]:
        code = asyncio.create_task(run_together([program("a", PATIENT), program("b", FAILING)]))
        said = ""
        while "| up" not in said or "code 17" not in said:
            await asyncio.sleep(0.02)
            said += capfd.readouterr().err
        assert not code.done()
        os.kill(os.getpid(), signal.SIGINT)
        return await code, said

    code, said = asyncio.run(played())
    assert code == 17
    assert "b | half a line\n" in said
    assert "b | ended with code 17; the others go on\n" in said


def configuration(folder: Path, **keys: str) -> Path:
    folder.mkdir()
    path = folder / "node.toml"
    data, password = keys.get("data", "data"), keys.get("password", "password_file = 'password'")
    path.write_text(
        f'[node]\ndata_dir = "{data}"\nroles = ["solver"]\n[wallet]\ndirectory = "wallet"\n{password}\n'
        '[chain]\nendpoints = ["http://127.0.0.1:1"]\ndeployment = "deployment.json"\n'
    )
    return path


def test_what_cannot_run_beside_each_other_is_refused_before_anything_starts(tmp_path: Path) -> None:
    one, other = configuration(tmp_path / "one"), configuration(tmp_path / "other")
    assert [item.name for item in _programs((one, other))] == [str(one), str(other)]
    same = configuration(tmp_path / "same", data=str(tmp_path / "one" / "data"))
    asks = configuration(tmp_path / "asks", password="")
    for files, says in (((one, same), "data directory"), ((one, asks), "password")):
        with pytest.raises(Fatal, match=says) as caught:
            _programs(files)
        assert caught.value.code is Exit.CONFIG


def test_a_shell_that_fills_in_an_option_names_the_other_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [configuration(tmp_path / name) for name in "ab"]
    started: list[str] = []

    async def run(programs: list[Program]) -> int:
        started.extend(item.line[-1] for item in programs)
        return 0

    monkeypatch.setattr("jepanet.interface.several.run_together", run)
    assert CliRunner().invoke(cli, ["node", "run", "--config", *map(str, files)]).exit_code == 0
    assert started == [str(file) for file in files]
