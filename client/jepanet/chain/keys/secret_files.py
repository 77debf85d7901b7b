"""Files that hold a key or a password: who else may read them decides whether they are used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.texts import decode_text

MAX_SECRET_BYTES = 1 << 16
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


def read_secret(path: Path, what: str, *, credentials: Path | None = None) -> bytes:
    """The bytes of a secret file that nobody else can read, or that whoever runs the machine handed in.

    Container engines and service managers hand secrets in as files of root's with mode 0440 or 0444: those
    are taken where this process could not have made them, that is on a read-only mount, or in the folder
    `credentials` that the service manager names in $CREDENTIALS_DIRECTORY.

    Raises:
        Fatal: missing, not a file, larger than 64 KiB, or open to others (Exit.WALLET).
    """
    try:
        # Without O_NONBLOCK a named pipe would keep the process waiting for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Fatal(
            f"cannot read the {what} {path}: {why}",
            remedy="correct the path, or the permissions of the file",
            code=Exit.WALLET,
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Fatal(f"{path} is not a file", remedy=f"name the {what} itself", code=Exit.WALLET)
        if status.st_mode & _OTHERS and not _handed_in(path, descriptor, status, credentials):
            raise Fatal(
                f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o})",
                remedy=f"chmod 600 {path}; a container's secret must be root's and on a read-only mount",
                code=Exit.WALLET,
            )
        try:
            data = file.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise Fatal(
                f"cannot read the {what} {path}: {error.strerror}",
                remedy="check the disk or mount it is on",
                code=Exit.WALLET,
            ) from error
    if len(data) > MAX_SECRET_BYTES:
        raise Fatal(
            f"the {what} {path} is larger than {MAX_SECRET_BYTES} bytes",
            remedy="name the right file",
            code=Exit.WALLET,
        )
    return data


def read_secret_text(path: Path, what: str) -> str:
    """The text of a secret file. Raises: Fatal as `read_secret`, or when it is not UTF-8 (Exit.WALLET)."""
    return decode_text(read_secret(path, what), what, path, code=Exit.WALLET)


def _handed_in(path: Path, descriptor: int, status: os.stat_result, credentials: Path | None) -> bool:
    if status.st_uid != 0 or status.st_mode & _OTHERS & ~_OTHERS_READ:
        return False
    if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        return True
    return credentials is not None and path.resolve().parent == credentials.resolve()
