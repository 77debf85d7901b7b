"""Where every command ends: whatever was raised becomes a message, a remedy and an exit code.

No traceback reaches a person unasked. What nobody foresaw is written to a file that the message names;
`JEPANET_TRACEBACK=1` prints any error's traceback.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from pathlib import Path

from jepanet.errors import Exit, Fatal, JepanetError, Transient
from jepanet.interface.terminal.layout import harmless
from jepanet.interface.terminal.standard_streams import ReaderGone
from jepanet.lifetime import code_of_end, name_of_end, was_stopped
from jepanet.log_stream import LogStream

TRACEBACK = "JEPANET_TRACEBACK"
READER_GONE = 141
"""128 + SIGPIPE, as of any program whose output is no longer read."""
_FAULTS_KEPT = 20
_REMEDIES = {
    errno.EACCES: "check who owns it and its permissions, or choose another path",
    errno.EPERM: "check who owns it and its permissions, or choose another path",
    errno.EROFS: "it lies on a read-only file system: choose another path",
    errno.ENOENT: "check the path: something on it does not exist",
    errno.ENOTDIR: "check the path: something on it is a file, not a folder",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "move it away, or choose another path",
    errno.ENOTEMPTY: "empty it, or choose another path",
    errno.ELOOP: "its symbolic links lead in a circle: mend them",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.EXDEV: "choose a path on the same file system",
}
_LIMITS = {
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the machine's limit on open files (fs.file-max)",
    errno.EAGAIN: "raise the limit on processes (ulimit -u), or end some",
    errno.ENOMEM: "free memory or lift the limit (ulimit -v, the container's)",
}


def ended(error: BaseException, *, as_json: bool = False) -> int:
    """Prints what ended a command on standard error and returns its exit code. Raises nothing."""
    if isinstance(error, ReaderGone):
        return READER_GONE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(Exit.FAILURE if error.code else Exit.OK)
    if was_stopped() or _interrupted(error):
        _say(f"jepanet: {name_of_end()}\n  what to do: call again; what is finished is kept")
        return code_of_end()
    if os.environ.get(TRACEBACK, "") not in ("", "0"):
        _say("".join(traceback.format_exception(error)).rstrip())
    told = explained(error)
    if as_json:
        _say(json.dumps({"error": told.message, "remedy": told.remedy, "code": int(told.code)}))
    else:
        _say(f"jepanet: {told.message}" + (f"\n  what to do: {told.remedy}" if told.remedy else ""))
    return int(told.code)


def explained(error: BaseException) -> JepanetError:
    """The same failure in words, with a remedy and an exit code."""
    while isinstance(error, BaseExceptionGroup):
        error = next(
            (item for item in error.exceptions if isinstance(item, JepanetError)), error.exceptions[0]
        )
    match error:
        case Transient() if error.remedy is None:
            again = "call again; if it repeats, look at the endpoints (`jepanet node check`) or take others"
            return Transient(error.message, remedy=again, code=error.code)
        case JepanetError():
            return error
        case OSError():
            return _of_system(error)
        case MemoryError():
            return Fatal("memory ran out", remedy=_LIMITS[errno.ENOMEM], code=Exit.OUT_OF_MEMORY)
        case ImportError():
            return Fatal(
                f"the installation is incomplete: {_one_line(error)}",
                remedy="install the package with everything it requires (scripts/setup)",
                code=Exit.TOOL_MISSING,
            )
        case UnicodeError():
            return Fatal(
                f"text that is not valid: {_one_line(error)}",
                remedy="give file names, files and arguments as UTF-8",
                code=Exit.CONFIG,
            )
        case EOFError():
            return Fatal(
                "standard input ended before a question was answered",
                remedy="answer at a terminal, or with the option that the question is about",
                code=Exit.USAGE,
            )
        case RuntimeError() if "home directory" in str(error):
            return Fatal(
                "a path begins with ~, and no home directory is known",
                remedy="set HOME, or name an absolute path",
                code=Exit.CONFIG,
            )
        case RecursionError():
            return Fatal("the input is nested too deeply", remedy="give one with fewer levels")
    return Fatal(f"a fault nobody foresaw: {type(error).__name__}: {_one_line(error)}", remedy=_kept(error))


def _interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt caused it: libraries make other errors of one that hits their imports."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _of_system(error: OSError) -> JepanetError:
    number = error.errno or 0
    cause = error.strerror or _one_line(error) or type(error).__name__
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    named = " -> ".join(names)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        what = f"{named or 'a file'} cannot be written: {cause}"
        return Fatal(what, remedy="free some disk space, or lift the quota", code=Exit.DISK_FULL)
    if number == errno.EADDRINUSE:
        what = f"an address is in use: {cause}"
        return Fatal(what, remedy="stop what listens there or choose another port", code=Exit.PORT_IN_USE)
    if number in _LIMITS:
        code = Exit.OUT_OF_MEMORY if number == errno.ENOMEM else Exit.FAILURE
        return Fatal(f"the system refuses: {cause}", remedy=_LIMITS[number], code=code)
    if named:
        remedy = _REMEDIES.get(number, "check the path, its permissions and its disk")
        return Fatal(f"{named}: {cause}", remedy=remedy, code=Exit.CONFIG)
    if number == errno.ENOENT:  # every other path is named
        return Fatal("the working directory is gone", remedy="change to one that exists", code=Exit.CONFIG)
    return Fatal(f"the system refuses: {cause}", remedy=f"see what was refused: {TRACEBACK}=1 jepanet ...")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _kept(error: BaseException) -> str:
    """Writes the traceback where people are not bothered by it; what to do about the fault."""
    try:
        from jepanet.interface.folders import state_folder

        folder = state_folder("faults")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in sorted(folder.glob("*.txt"))[: -_FAULTS_KEPT + 1]:
            old.unlink(missing_ok=True)
        path: Path = folder / f"{time.time_ns()}-{os.getpid()}.txt"
        path.write_text("".join(traceback.format_exception(error)), "utf-8", "backslashreplace")
    except Exception:
        return f"repeat it with {TRACEBACK}=1 and report what it prints"
    return f"report it with {path}; {TRACEBACK}=1 prints the same"


def _say(text: str) -> None:
    """One message on standard error, if that can be written at all. It may hold words of strangers: of a
    peer's file, an endpoint's answer, a name in a folder."""
    text = "\n".join(map(harmless, text.split("\n")))
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
        if isinstance(sys.stderr, LogStream):
            sys.stderr.drain()
    except (OSError, ValueError, AttributeError):
        pass
