"""`jepanet backup`: what a node cannot make anew, in one file, whether the node runs or not.

The journal is copied first: every delta that it has sealed was in the store before the journal said so.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from jepanet import __version__
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.keys.keystore import address_in
from jepanet.chain.keys.wallet_files import find_wallet
from jepanet.cid import digest_file, names_file
from jepanet.errors import Exit, Fatal
from jepanet.files import sync_directory
from jepanet.operations.backups import manifest as names
from jepanet.operations.backups.archive import archive_size, write_archive
from jepanet.operations.backups.draft_folder import drafted
from jepanet.operations.backups.manifest import Entry, Manifest, most_bytes
from jepanet.operations.views.backups import BackedUp
from jepanet.p2p.identity import load_or_create_node_key, peer_id_of
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths
from jepanet.storage.blobs.blob_files import place_of
from jepanet.storage.held import Hold
from jepanet.storage.online_copy import copy_database, kept_stopped, pinned_digests, sealed_digests

_COPIES = 3
"""Room for copies of the databases and the archive, in sizes of the databases; the rest is read in place."""


def back_up(
    config: Config, source: Path, target: Path, *, variables: tuple[str, ...] = (), everything: bool = False
) -> BackedUp:
    """Writes the archive `target`, whole or not at all, readable by its owner alone.

    Args:
        source: the file that `config` was read from.
        variables: of the environment, that count in it.
        everything: with every file that the node keeps for others (models, sheets, updates), not its own
            sealed deltas alone.

    Raises:
        Fatal: there is something at `target` (exit code `CONFIG`), the node has never run (`NOT_FOUND`), a
            file cannot be read or is damaged, or there is no room (`DISK_FULL`). Nothing is left of it.
    """
    paths = Paths(config.node.data_dir)
    if not paths.journal.is_file():
        raise Fatal(
            f"there is no journal in {paths.root}: this node has never run, and has nothing to lose but its "
            "wallet",
            remedy="check node.data_dir; copy the keystore and its password",
            code=Exit.NOT_FOUND,
        )
    made = int(time.time())
    with drafted(target) as draft, kept_stopped(paths.journal) as stopped:
        sources = _files(config, source)
        sources |= _copies(paths, draft, Hold(made, stopped))
        wanted = _blobs(sources, everything=everything)
        found, missing = _sound(paths.blobs, wanted)
        sources |= found
        dataset, left_out = _dataset(config.proposer.dataset)
        sources |= dataset
        manifest = Manifest(
            made=made,
            client=__version__,
            stopped=stopped,
            wallet=address_in(find_wallet(config.wallet.directory, config.wallet.address).path),
            peer=_peer(paths),
            deployment=_deployment(config),
            variables=variables,
            files=tuple(_entry(name, path) for name, path in sources.items()),
        )
        _written(manifest, sources, draft / "archive", target)
    return BackedUp(
        archive=target,
        bytes=target.stat().st_size,
        sha256=digest_file(target).hex(),
        files=len(manifest.files),
        sealed=len(found),
        stopped=stopped,
        missing=missing,
        left_out=left_out,
        variables=variables,
    )


def _files(config: Config, source: Path) -> dict[str, Path]:
    """Small files beside the databases, by their names in the archive."""
    wallet = find_wallet(config.wallet.directory, config.wallet.address)
    found = {
        names.CONFIG: source,
        names.DEPLOYMENT: config.chain.deployment,
        f"wallet/{wallet.address}.json": wallet.path,
    }
    key = Paths(config.node.data_dir).network / names.NODE_KEY
    if key.is_file():
        found[names.NODE_KEY] = key
    paused = Paths(config.node.data_dir).paused
    if paused.is_file():
        found[names.PAUSED] = paused
    if config.proposer.allow_list is not None:
        found[names.ALLOWED] = config.proposer.allow_list
    return found


def _copies(paths: Paths, draft: Path, hold: Hold) -> dict[str, Path]:
    there = {names.JOURNAL: paths.journal, names.COMMANDS: paths.root / names.COMMANDS,
             names.BLOB_INDEX: paths.blobs / "index.sqlite"}  # fmt: skip
    there = {name: path for name, path in there.items() if path.is_file()}
    _expect_room(draft, _COPIES * sum(path.stat().st_size for path in there.values()))
    for name, path in there.items():
        copy_database(path, draft / name, hold if name == names.JOURNAL else None)
    return {name: draft / name for name in there}


def _blobs(sources: Mapping[str, Path], *, everything: bool) -> list[bytes]:
    """Digests of what is to be kept: pinned, so that of rounds that ended nothing is asked for."""
    if names.BLOB_INDEX not in sources:
        return []
    pinned = pinned_digests(sources[names.BLOB_INDEX])
    return sorted(pinned if everything else pinned & sealed_digests(sources[names.JOURNAL]))


def _sound(blobs: Path, wanted: list[bytes]) -> tuple[dict[str, Path], tuple[str, ...]]:
    found, missing = {}, []
    for digest in wanted:
        path = place_of(blobs, digest)
        try:
            sound = names_file(digest, path)
        except OSError:
            sound = False
        if sound:
            found[f"blobs/{digest.hex()}"] = path
        else:
            missing.append(digest.hex())
    return found, tuple(missing)


def _dataset(folder: Path | None) -> tuple[dict[str, Path], tuple[str, ...]]:
    """A proposer's dataset, sealed shards and their secrets included; and what of the folder is left out."""
    found: dict[str, Path] = {}
    left_out: list[str] = []
    if folder is None or not folder.is_dir():
        return found, ()
    for parent, folders, files in os.walk(folder):
        for name in sorted(files + [item for item in folders if (Path(parent) / item).is_symlink()]):
            path = Path(parent) / name
            inside = str(path.relative_to(folder))
            if most_bytes(names.DATASET + inside) is None or path.is_symlink() or not path.is_file():
                left_out.append(inside)
            else:
                found[names.DATASET + inside] = path
    return found, tuple(left_out)


def _entry(name: str, path: Path) -> Entry:
    most = most_bytes(name)
    try:
        size = path.stat().st_size
        if most is None or not path.is_file() or size > most:
            raise Fatal(
                f"{path} has {size} bytes; as {name} a backup holds a file of at most {most}",
                remedy="correct the configuration, or move the file away",
                code=Exit.CONFIG,
            )
        return Entry(name, size, digest_file(path))
    except OSError as error:
        raise Fatal(
            f"{path} cannot be read: {error.strerror}",
            remedy="correct the path, or the permissions of the file",
            code=Exit.CONFIG,
        ) from error


def _peer(paths: Paths) -> str:
    key = paths.network / names.NODE_KEY
    return peer_id_of(load_or_create_node_key(key)) if key.is_file() else ""


def _deployment(config: Config) -> str:
    deployment = Deployment.load(config.chain.deployment)
    return f"{deployment.chain_id}/{deployment.rounds}"


def _written(manifest: Manifest, sources: Mapping[str, Path], draft: Path, target: Path) -> None:
    _expect_room(draft.parent, archive_size(manifest))
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        write_archive(file, manifest, sources)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, target)  # never in place of a file that came meanwhile
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise
        draft.replace(target)
    sync_directory(target.parent)


def _expect_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Fatal(
            f"the backup takes {needed} bytes of room, the disk of {folder.parent} has {free}",
            remedy="free space there, or name a place on another disk with --out",
            code=Exit.DISK_FULL,
        )
