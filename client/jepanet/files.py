"""Files as they are written and kept: whole or not at all, and what is kept carries its digest.

NAME            the content
NAME.sha256     its SHA-256, as `sha256sum --check` reads it; without it, or with another, it is absent
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jepanet.cid import digest_file, digest_of
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.telemetry import get_logger
from jepanet.types import Digest

log = get_logger("files")

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk, a quota or a file system without room answers."""
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
_DIGEST_CHARACTERS = 64
_SIDECAR = ".sha256"


def write_atomically(
    path: Path, data: bytes, *, mode: int = 0o644, code: Exit = Exit.CONFIG, durable: bool = True
) -> None:
    """Replaces `path` by `data` with permissions `mode`; after a crash it is the old or the new file.

    With `durable` it is on the disk when the call returns.

    Raises:
        Fatal: the disk is full (`DISK_FULL`), or the folder cannot be written (`code`).
    """
    with _explained(path, code):
        temporary = _draft(path, data, mode, durable=durable)
        try:
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_directory(path.parent)


def write_new(path: Path, data: bytes, *, mode: int = 0o600, code: Exit = Exit.CONFIG) -> None:
    """As `write_atomically`, but never in place of a file that is there.

    Where the file system has no hard links, the name is taken first and the content follows: after a crash in
    between an empty file is left, and nobody's content was lost.

    Raises:
        FileExistsError: there is such a file. Fatal: as `write_atomically`.
    """
    with _explained(path, code):
        temporary = _draft(path, data, mode)
    try:
        with _explained(path, code, but=(FileExistsError,)):
            try:
                os.link(temporary, path)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
                temporary.replace(path)
            sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Makes the entries of a directory (a creation, a rename) survive a power cut, where it can be asked."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


def check_writable(folder: Path, *, code: Exit = Exit.CONFIG) -> None:
    """Makes `folder` if need be and tries a file in it, before work whose result it is to hold.

    Raises:
        Fatal: it cannot be made or written (`code`), or its disk is full.
    """
    with _explained(folder, code):
        folder.mkdir(parents=True, exist_ok=True)
        _draft(folder / "writable", b"", 0o600).unlink()


def read_capped(path: Path, max_bytes: int, what: str) -> bytes:
    """The content of a file of at most `max_bytes`.

    Raises:
        Rejected: the file is larger (`too-large`).
        Fatal: it is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise Fatal(
            f"{what} {path} cannot be read: {error.strerror}",
            remedy="correct the path, or the permissions of the file",
            code=Exit.NOT_FOUND,
        ) from error
    if len(data) > max_bytes:
        raise Rejected(f"{what} {path} has more than {max_bytes} bytes", reason="too-large")
    return data


# ------------------------------------------------------------------ what is kept


def keep(path: Path, data: bytes, *, mode: int = 0o644, code: Exit = Exit.CONFIG) -> Digest:
    """Writes a file that later calls rely on, and its digest beside it; returns the digest.

    Raises:
        Fatal: as `write_atomically`.
    """
    digest = digest_of(data)
    write_atomically(path, data, mode=mode, code=code)
    # The content first: without its digest it counts as absent, and is made again.
    write_atomically(_sidecar(path), f"{digest.hex()}  {path.name}\n".encode(), mode=mode, code=code)
    return digest


def kept_digest(path: Path) -> Digest | None:
    """The digest of a kept file; None if it is absent, unreadable, or not what was kept (which is logged)."""
    try:
        digest = digest_file(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        tell_damage(path, f"cannot be read: {error.strerror}")
        return None
    return digest if _is_what_was_kept(path, digest) else None


def kept(path: Path, max_bytes: int) -> bytes | None:
    """The content of a kept file; None if it is absent, larger, or not what was kept (which is logged)."""
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        tell_damage(path, f"cannot be read: {error.strerror}")
        return None
    if len(data) > max_bytes:
        tell_damage(path, f"has more than {max_bytes} bytes")
        return None
    return data if _is_what_was_kept(path, digest_of(data)) else None


def tell_damage(path: Path, why: str) -> None:
    """Names a kept file that counts as absent, and is made again, because of `why`."""
    log.error("file.damaged", path=str(path), why=why, then="it counts as absent and is made again")


def _is_what_was_kept(path: Path, digest: Digest) -> bool:
    try:
        with _sidecar(path).open("rb") as file:
            said = file.read(_DIGEST_CHARACTERS)
    except OSError:
        tell_damage(path, "has no digest beside it")
        return False
    if said != digest.hex().encode():
        tell_damage(path, "differs from its digest")
        return False
    return True


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + _SIDECAR)


def _draft(path: Path, data: bytes, mode: int, *, durable: bool = True) -> Path:
    """`data` under a fresh name beside `path`; nothing is left of it if that fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)


@contextmanager
def _explained(path: Path, code: Exit, but: tuple[type[OSError], ...] = ()) -> Iterator[None]:
    """Turns what the system refuses into an error that says what to do; `but` passes."""
    try:
        yield
    except OSError as error:
        if isinstance(error, but):
            raise
        full = error.errno in FULL
        raise Fatal(
            f"{path} cannot be written: {error.strerror}",
            remedy="free some disk space, or lift the quota"
            if full
            else "check the folder, its permissions and its mount, or choose another",
            code=Exit.DISK_FULL if full else code,
        ) from error
