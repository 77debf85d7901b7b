"""One wallet, one node: two that send from the same account would take each other's nonces, and a coordinator
that signs two results for one round loses its stake."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from jepanet.errors import Exit, Fatal
from jepanet.telemetry import get_logger
from jepanet.types import Address

log = get_logger("node")


@contextmanager
def wallet_lock(keystores: Path, address: Address, chain_id: int) -> Iterator[None]:
    """Holds the wallet of `address` on this chain for as long as the block runs.

    Two locks, since either alone can miss the other node: one beside the keystore, for whoever uses that
    folder, in a container too; one in this user's state folder ($XDG_STATE_HOME), for a copy of the
    keystore. One of them suffices where the other cannot be made, as on a read-only mount. The system
    releases both with the process, however it ends.

    Raises:
        Fatal: another node holds it (`ALREADY_RUNNING`), or no lock can be made at all (`CONFIG`).
    """
    state = platformdirs.user_state_path("jepanet", appauthor=False)
    places = [keystores / f".{address}-{chain_id}.lock"]
    if state.is_absolute():  # without a home it would be a folder of that name wherever the node was started
        places.append(state / "wallets" / f"{address}-{chain_id}.lock")
    refused: list[str] = []
    with ExitStack() as held:
        for place in places:
            lock = FileLock(place, timeout=0, thread_local=False)
            try:
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                # The library takes some refusals of the system for a lock that somebody else holds.
                os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
                lock.acquire()
            except Timeout as error:
                raise Fatal(
                    f"the wallet {address} is in use by another node on chain {chain_id}",
                    remedy=f"stop that node, or give this one a wallet of its own (the lock is {place})",
                    code=Exit.ALREADY_RUNNING,
                ) from error
            except (OSError, NotImplementedError) as error:  # read-only, or a file system without locks
                refused.append(f"{place}: {error}")
            else:
                held.callback(lock.release)
        if len(refused) == len(places):
            raise Fatal(
                f"the wallet cannot be locked against a second node: {'; '.join(refused)}",
                remedy="set XDG_STATE_HOME to a folder that this user can write and that stays",
                code=Exit.CONFIG,
            )
        if refused:
            log.info("wallet.locked", missing=refused)
        yield
