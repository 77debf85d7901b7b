"""Plays the commands of a document in a folder, as somebody at a terminal would."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from warm_processes import DOOR

from documented_commands import ROOT, Block, Command, commands

PATIENCE = 240.0
"""Seconds for one command; it bounds a hang and says nothing about speed."""
_GOES_ON = re.compile(r"\bjepanet (node run|round watch|top)\b")
_ENV = {"BROWSER": "true", "COLUMNS": "160"}


@dataclass
class Stage:
    """Where the blocks of one set-up of a page are played."""

    folder: Path
    home: Path
    changed: dict[str, str] = field(default_factory=dict)
    """Texts of the page that stand for what differs from machine to machine -> what they are here."""
    answers: tuple[tuple[str, str], ...] = ()
    """What is asked at a terminal -> what is answered, each as often as it is asked."""
    after: tuple[tuple[str, Callable[[Stage, str], None]], ...] = ()
    """A command that begins so -> what somebody does next, who has read what it printed: sends ether."""
    variables: dict[str, str] = field(default_factory=dict)
    """Of the environment."""
    running: list[tuple[str, subprocess.Popen[bytes], Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """That of every command here: a home of its own, and this checkout's programs, which are forked."""
        forked = [str(Path(os.environ[DOOR]).parent / "bin")] if DOOR in os.environ else []
        path = os.pathsep.join([*forked, str(ROOT / ".venv/bin"), os.environ["PATH"]])
        here = {**os.environ, **_ENV, "PATH": path, "HOME": str(self.home)}
        kept = {name: value for name, value in here.items() if not name.startswith(("XDG_", "JEPANET_"))}
        return {**kept, **self.variables}

    def here(self, text: str) -> str:
        """A text of the page with what stands for something else replaced."""
        for usual, instead in self.changed.items():
            text = text.replace(usual, instead)
        return text


def play(stage: Stage, block: Block) -> None:
    """Plays a block's commands in order; what goes on does so until `end`.

    Raises:
        AssertionError: one ends with another code than the page says.
    """
    if block.language == "python":
        _play_python(stage, block)
        return
    for command in commands(block):
        started = time.monotonic()
        said = _play(stage, command, f"{block.page}:{command.line}")
        print(f"{time.monotonic() - started:6.1f} s  {block.page}:{command.line}  {command.text}", flush=True)
        for beginning, then in stage.after:
            if command.text.startswith(beginning):
                then(stage, said)


def end(stage: Stage) -> None:
    """Stops what goes on as Ctrl-C does: nodes end with 0, what only looks with 130, or 0 if it is done."""
    for text, process, log in stage.running:
        # Before it says something it is being loaded, and Ctrl-C ends the interpreter, not the command.
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and not log.stat().st_size and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE)
        assert code == 0 or (code == 130 and "node run" not in text), f"{text}: {log.read_text()[-3000:]}"
    stage.running.clear()


def _play(stage: Stage, command: Command, where: str) -> str:
    """Plays one command; what it printed, empty of one that goes on."""
    text = stage.here(command.text)
    if _GOES_ON.search(text):
        _start(stage, text, where)
        return ""
    asked = stage.answers if _asks(text) else ()
    code, said = (_at_terminal if asked else _without)(stage, text, *([asked] if asked else []))
    assert code == command.code, f"{where}: `{text}` ended with {code}, not {command.code}:\n{said[-3000:]}"
    return said


def _asks(text: str) -> bool:
    return re.search(r"\bjepanet (init|wallet)\b", text) is not None


def _without(stage: Stage, text: str) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", text], cwd=stage.folder, env=stage.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=PATIENCE,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace")


def _at_terminal(stage: Stage, text: str, answers: tuple[tuple[str, str], ...]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", text], cwd=stage.folder, env=stage.environment, start_new_session=True,
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said, answered = "", -2
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            said += os.read(ours, 65536).decode(errors="replace")
        except OSError:  # it has closed its side
            break
        line = said.rfind("\n")
        if line > answered and said.rstrip(" ").endswith(":"):
            for question, answer in answers:
                if question in said[line + 1 :]:
                    os.write(ours, f"{answer}\n".encode())
                    answered = line
                    break
    code = process.wait(max(1.0, deadline - time.monotonic()))
    os.close(ours)
    return code, said


def _start(stage: Stage, text: str, where: str) -> None:
    """Starts what goes on; of nodes, returns once they are up."""
    log = stage.home / f"{len(stage.running)}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"], cwd=stage.folder, env=stage.environment, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    stage.running.append((text, process, log))
    named = text.split()[-1]
    several = len(list((stage.folder / named).glob("*/node.toml"))) or 1
    deadline = time.monotonic() + PATIENCE
    while "node run" in text and log.read_text(errors="replace").count("node.started") < several:
        assert process.poll() is None and time.monotonic() < deadline, f"{where}: {log.read_text()[-3000:]}"
        time.sleep(0.1)


_NOTEBOOK = """
import ast, asyncio, inspect, pathlib, sys
text = pathlib.Path(sys.argv[1]).read_text()
done = eval(compile(text, sys.argv[2], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})
if inspect.iscoroutine(done):
    asyncio.run(done)
"""
"""Runs a file as a cell of a notebook, `await` at the top level."""


def _play_python(stage: Stage, block: Block) -> None:
    page = stage.home / "block.py"
    page.write_text("\n" * (block.line - 1) + stage.here(block.text))
    done = subprocess.run(
        [sys.executable, "-c", _NOTEBOOK, page, block.page], cwd=stage.folder, env=stage.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}: {done.stdout.decode()[-3000:]}"
