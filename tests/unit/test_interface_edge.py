"""The edge of every command: whatever is raised, and whatever the streams are, there is no traceback."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.interface.cli import cli
from jepanet.interface.edge import READER_GONE, ended, explained
from jepanet.interface.folders import data_folder
from jepanet.interface.terminal.standard_streams import ReaderGone

pytestmark = pytest.mark.unit

JEPANET = [sys.executable, "-m", "jepanet.interface.entry"]


# ------------------------------------------------------------------ errors in words


@pytest.mark.parametrize(
    ("error", "code", "named"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), Exit.CONFIG, "/a/b: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "/a"), Exit.CONFIG, "/a: Read-only"),
        (OSError(errno.EPERM, "Not permitted", "/a", None, "/b"), Exit.CONFIG, "/a -> /b"),
        (FileExistsError(errno.EEXIST, "File exists", b"/a\xff"), Exit.CONFIG, "/a"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/a/b"), Exit.CONFIG, "/a/b"),
        (OSError(errno.ENOSPC, "No space left on device"), Exit.DISK_FULL, "a file"),
        (OSError(errno.EDQUOT, "Quota exceeded", "/a"), Exit.DISK_FULL, "/a"),
        (OSError(errno.EADDRINUSE, "Address in use"), Exit.PORT_IN_USE, "in use"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), Exit.FAILURE, "Too many"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Exit.OUT_OF_MEMORY, "allocate"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Exit.FAILURE, "reset"),
        (FileNotFoundError(errno.ENOENT, "No such file"), Exit.CONFIG, "working directory is gone"),
        (OSError("in words only"), Exit.FAILURE, "in words only"),
        (OSError(), Exit.FAILURE, "OSError"),
        (MemoryError(), Exit.OUT_OF_MEMORY, "memory"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), Exit.CONFIG, "invalid start byte"),
        (UnicodeEncodeError("ascii", "\xff", 0, 1, "ordinal"), Exit.CONFIG, "ordinal"),
        (RecursionError("deep"), Exit.FAILURE, "nested"),
        (EOFError(), Exit.USAGE, "standard input"),
        (ModuleNotFoundError("No module named 'torch'"), Exit.TOOL_MISSING, "torch"),
        (OverflowError("too large"), Exit.FAILURE, "OverflowError: too large"),
        (KeyError("x"), Exit.FAILURE, "KeyError"),
        (Rejected("refused", remedy="do"), Exit.REJECTED, "refused"),
        (ExceptionGroup("many", [ValueError("x"), Fatal("the cause", remedy="do", code=Exit.WALLET)]),
         Exit.WALLET, "the cause"),
        (ExceptionGroup("one", [ExceptionGroup("two", [PermissionError(errno.EACCES, "no", "/a")])]),
         Exit.CONFIG, "/a: no"),
    ],
)  # fmt: skip
def test_an_error_has_words_a_remedy_and_a_code(
    error: BaseException, code: Exit, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    told = explained(error)
    assert told.code == code
    assert named in told.message
    assert told.remedy
    assert "\n" not in told.message


def test_what_may_heal_by_itself_says_to_call_again() -> None:
    told = explained(Transient("eth_getBlockByNumber: Unknown block (JSON-RPC error -32000)"))
    assert told.code == Exit.TRY_AGAIN
    assert told.remedy is not None
    assert told.remedy.startswith("call again")
    assert explained(Transient("x", remedy="wait")).remedy == "wait"


def test_what_nobody_foresaw_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for _ in range(25):
        assert ended(ZeroDivisionError("by\nzero")) == Exit.FAILURE
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "ZeroDivisionError: by zero" in err
    kept = sorted((tmp_path / "jepanet" / "faults").iterdir())
    assert len(kept) == 20
    assert str(kept[-1]) in err
    assert "ZeroDivisionError" in kept[-1].read_text()


def test_without_a_folder_the_fault_is_still_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    assert ended(ZeroDivisionError(), as_json=True) == Exit.FAILURE
    assert "JEPANET_TRACEBACK=1" in json.loads(capsys.readouterr().err)["remedy"]


def test_a_traceback_is_printed_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JEPANET_TRACEBACK", "1")
    assert ended(Fatal("wrong", code=Exit.WALLET)) == Exit.WALLET
    assert "Fatal: wrong" in capsys.readouterr().err


@pytest.mark.parametrize("traceback", ["0", "1"])
def test_attack_a_strangers_words_in_an_error_move_no_terminal(
    traceback: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JEPANET_TRACEBACK", traceback)
    words = "torch \x1b[2J\x1b[HAll 3 reproduced.\x1b[8m\x9b2J\u202e\r"
    assert ended(Rejected(f"made with {words}", remedy=f"use\n{words}")) == Exit.REJECTED
    err = capsys.readouterr().err
    assert "All 3 reproduced." in err and err.count("\n") >= 3
    assert all(each.isprintable() or each == "\n" for each in err)


def test_an_error_made_of_an_interrupt_is_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ImportError("cannot import") from None
    except ImportError as error:
        assert ended(error) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_reader_that_has_gone_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(ReaderGone()) == READER_GONE
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stream", [None, "broken"])
def test_a_broken_standard_error_keeps_the_code(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def write(self, _: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Broken() if stream else None)
    assert ended(Fatal("wrong", code=Exit.WALLET)) == Exit.WALLET


def test_without_a_home_there_is_no_folder_called_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError()))
    with pytest.raises(Fatal, match="no home directory"):
        data_folder("devnet")
    with pytest.raises(RuntimeError) as caught:
        Path("~/.jepanet").expanduser()
    told = explained(caught.value)
    assert (told.code, told.remedy) == (Exit.CONFIG, "set HOME, or name an absolute path")


def folders_by_default(group: click.Group, path: str = "jepanet") -> Iterator[tuple[str, Any]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from folders_by_default(command, f"{path} {name}")
            continue
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                default = parameter.get_default(click.Context(command))
                if isinstance(default, str | Path):
                    yield f"{path} {name} {parameter.opts[0]}", Path(default).expanduser()


def test_no_command_writes_into_the_working_directory_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "JEPANET_WALLET_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    found = dict(folders_by_default(cli))
    assert "jepanet lab compare --out" in found and "jepanet verify --inputs" in found
    outside = {name: path for name, path in found.items() if not path.is_relative_to(tmp_path / "home")}
    assert outside == {}


# ------------------------------------------------------------------ processes


def run(arguments: Sequence[str], shell: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    line = f'exec "$0" "$@" {shell}'
    return subprocess.run(
        ["/bin/sh", "-c", line, *JEPANET, *arguments],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.subprocess
@pytest.mark.parametrize(
    ("shell", "code"),
    [(">/dev/full", Exit.DISK_FULL), (">&-", Exit.FAILURE), (">&- 2>&- <&-", Exit.FAILURE),
     (">/dev/full 2>/dev/full", Exit.DISK_FULL), ("2>&-", Exit.OK), ("2>/dev/full", Exit.OK)],
)  # fmt: skip
def test_streams_that_cannot_be_written(shell: str, code: Exit) -> None:
    done = run(("wallet", "list", "--dir", "/nowhere"), shell)
    assert done.returncode == code
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    if code and "2>" not in shell:
        assert done.stderr.count("standard output cannot be written") == 1
        assert "what to do" in done.stderr


@pytest.mark.subprocess
def test_a_reader_that_closes_its_end_sees_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*JEPANET, "wallet", "list", "--dir", "/nowhere"],
        stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (READER_GONE, "")


@pytest.mark.subprocess
def test_a_file_does_not_take_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """What is printed would be written into it: into a journal, for one."""
    program = (
        "import os, sys;"
        "from jepanet.interface.terminal.standard_streams import open_standard_streams as o; o();"
        f"n = os.open({str(tmp_path / 'file')!r}, os.O_CREAT | os.O_RDWR); sys.exit(n)"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, program], timeout=60
    )
    assert done.returncode >= 3


@pytest.mark.subprocess
def test_a_narrow_encoding_prints_all_the_same() -> None:
    program = (
        "from jepanet.interface.terminal.standard_streams import open_standard_streams as o; o();"
        "from jepanet.interface.terminal.output import table; table('± …', ('a',), [('\\udcff é',)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xb1" in done.stdout


# ------------------------------------------------------------------ signals

WATCH = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
sys.argv[1:] = ["wallet", "list", "--dir", "/nowhere"]
from jepanet.interface.entry import main
main()
"""


@pytest.mark.subprocess
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_the_first_imports_ends_it(number: signal.Signals) -> None:
    """With a handler, not by the default action: process 1 has none."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH.format(number=int(number))], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 128 + number
    assert done.stdout == ""
    assert done.stderr.strip() == f"jepanet: ended by {number.name}"


RUNNING = """
import signal, sys
import jepanet.operations.keys as keys
def listed(_):
    signal.raise_signal({number})
    {wait}
keys.listed = listed
sys.argv[1:] = ["wallet", "list", "--dir", "/nowhere"]
from jepanet.interface.entry import main
main()
"""
IN_A_LOOP = """
    import asyncio
    async def wait():
        try:
            asyncio.get_running_loop().call_soon(signal.raise_signal, {number})
            await asyncio.sleep(60)
        finally:
            print("cleaned up")
    asyncio.run(wait())
"""


@pytest.mark.subprocess
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("loop", [False, True])
def test_term_and_hup_end_a_command_like_an_interrupt(number: signal.Signals, loop: bool) -> None:
    program = RUNNING.format(number=int(number), wait="")
    if loop:
        first = f"    signal.raise_signal({int(number)})\n"
        program = program.replace(first, IN_A_LOOP.format(number=int(number)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(
        "jepanet: interrupted" if number == signal.SIGINT else f"jepanet: ended by {number.name}"
    ) or done.stderr.startswith("\njepanet")
    assert done.stdout == ("cleaned up\n" if loop else "")


@pytest.mark.subprocess
def test_what_the_starter_ignores_stays_ignored() -> None:
    program = RUNNING.format(number=int(signal.SIGHUP), wait="return []")
    done = subprocess.run(
        ["/bin/sh", "-c", 'trap "" HUP; exec "$0" -c "$1"', sys.executable, program],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.subprocess
def test_an_interrupt_in_a_destructor_is_not_lost() -> None:
    program = (
        "import signal, sys\nfrom jepanet.lifetime import end_like_interrupt\nend_like_interrupt()\n"
        "class A:\n    def __del__(self):\n        signal.raise_signal(signal.SIGINT)\n"
        "try:\n    A()\n    import time; time.sleep(20)\n"
        "except KeyboardInterrupt:\n    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (7, "")


def test_a_comparison_looks_at_the_folder_of_its_models_before_it_trains() -> None:
    """It found out after hours."""
    line = ["lab", "compare", "--preset", "small", "--export", "/dev/null/x"]
    result = CliRunner().invoke(cli, line, standalone_mode=False)
    assert isinstance(result.exception, Fatal) and result.exception.code is Exit.USAGE
    assert "/dev/null" in result.exception.message
