"""`jepanet restore`: a node's folder out of a backup, in a place where nothing is yet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from jepanet.cid import digest_file
from jepanet.errors import Exit, Fatal
from jepanet.files import sync_directory, write_new
from jepanet.operations.backups import manifest as names
from jepanet.operations.backups.archive import archive_size, read_archive
from jepanet.operations.backups.draft_folder import drafted
from jepanet.operations.backups.manifest import Entry, Manifest, restored_place
from jepanet.operations.backups.restored_config import restored_config
from jepanet.operations.views.backups import Restored
from jepanet.settings.config import Config, config_from, read_tree

_CONFIG = "node.toml"


def restore(
    archive: Path,
    folder: Path,
    *,
    sha256: str | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Restored:
    """Makes `folder` out of an archive, whole or not at all. The node does not start before its release.

    Args:
        sha256: what `jepanet backup` said of the archive; without it only damage is found, not who made it.
        environment: variables that the configuration may count on.

    Raises:
        Fatal: there is something at `folder` (exit code `CONFIG`); the archive is missing (`NOT_FOUND`), no
            whole backup or not the one that was named (`DAMAGED`); there is no room (`DISK_FULL`).
    """
    if sha256 is not None and archive.is_file() and digest_file(archive).hex() != sha256.lower():
        raise Fatal(
            f"{archive} is not the backup with SHA-256 {sha256}",
            remedy="name the archive that `jepanet backup` printed this digest of",
            code=Exit.DAMAGED,
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with drafted(folder) as draft:
        node = draft / "node"
        manifest = read_archive(archive, _into(node))
        for required in (names.CONFIG, names.DEPLOYMENT, names.JOURNAL):
            if not any(entry.name == required for entry in manifest.files):
                raise Fatal(
                    f"{archive} holds no {required}",
                    remedy="use another copy of the backup",
                    code=Exit.DAMAGED,
                )
        present = frozenset(item.name for item in node.iterdir())
        text = restored_config(node / f"{_CONFIG}.original", present=present)
        write_new(node / _CONFIG, text.encode(), mode=0o600)
        lacking = [name for name in manifest.variables if name not in environment]
        config = None
        if not lacking:  # else it may lack a key that a node needs
            config = config_from(read_tree(node / _CONFIG), base=folder.absolute(), environment=environment)
        for inside in sorted(node.rglob("*"), reverse=True):
            if inside.is_dir():
                sync_directory(inside)
        node.rename(folder)
        sync_directory(folder.parent)
    return Restored(
        folder=folder,
        config=folder / _CONFIG,
        wallet=manifest.wallet,
        made=manifest.made,
        files=len(manifest.files),
        next=_next(manifest, config, folder / _CONFIG, lacking),
    )


def _into(node: Path) -> Callable[[Manifest], Callable[[Entry], BinaryIO]]:
    def begin(manifest: Manifest) -> Callable[[Entry], BinaryIO]:
        node.mkdir(mode=0o700)
        free, needed = shutil.disk_usage(node).free, archive_size(manifest)
        if free < needed:
            raise Fatal(
                f"the backup takes {needed} bytes of room, the disk of {node.parent.parent} has {free}",
                remedy="free space there, or name a place on another disk with --out",
                code=Exit.DISK_FULL,
            )
        return lambda entry: _new_file(node, entry)

    return begin


def _new_file(node: Path, entry: Entry) -> BinaryIO:
    """A new file in the folder that is being made, where nothing is a link: all of it was made here."""
    place = restored_place(entry.name)
    path = node / place
    for parent in reversed(place.parents):
        (node / parent).mkdir(mode=0o700, exist_ok=True)
    mode = 0o400 if entry.name.startswith("blobs/") else 0o600
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    return os.fdopen(descriptor, "wb")


def _next(manifest: Manifest, config: Config | None, file: Path, lacking: list[str]) -> tuple[str, ...]:
    """What is left to do before the node can run, in order, for people."""
    steps = [
        "make sure that the node this was copied from will never run again: two of one wallet and journal "
        "lose nonces, bonds and stake",
    ]
    if lacking:
        steps.append(f"set {', '.join(lacking)}: the configuration counted on them")
    password = config.wallet.password_file if config else None
    if password is not None and not password.is_file():
        steps.append(f"put the wallet's password into {password} (mode 0600)")
    backbones = config.worker.backbones if config else None
    if backbones is not None and not backbones.is_dir():
        steps.append(f"put the backbones into {backbones}, or take worker.backbones out")
    how = "--moved (it was stopped before the backup, and has not run since) or --lost"
    if not manifest.stopped:
        how = "--lost (it ran while the backup was made)"
    steps.append(f"jepanet node release --config {file} {how}")
    return (*steps, f"jepanet node check --config {file}", f"jepanet node run --config {file}")
