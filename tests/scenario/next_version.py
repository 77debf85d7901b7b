"""A version after this one, for tests of upgrades: the client with one more migration of the journal.

The new code stops where a test says, so that it is killed there and nowhere else: in the middle of the copy
that is kept of the old journal, or in the middle of the migration.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CLIENT = _HERE.parents[1] / "client"
SCHEMA = 5
"""Of its journal."""
PLACES = ("copy", "migration")
"""Where it can be stopped."""

_STOP = """
def _stop_at(place):
    import pathlib, time
    folder = pathlib.Path({folder!r})
    if (folder / place).exists():
        (folder / (place + ".reached")).touch()
        while True:
            time.sleep(1)
"""
_MIGRATION = """
def _next(sql):
    sql.execute("CREATE TABLE of_next (seq INTEGER PRIMARY KEY) STRICT")
    sql.execute("INSERT INTO of_next SELECT seq FROM fed")
    sql.execute("DROP TABLE snapshots")
    _stop_at("migration")
    sql.execute("CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT")


"""
_NURSERY = """
import os, sys
sys.path[:0] = [{client!r}, {tests!r}]
os.environ["PYTHONPATH"] = {client!r}
import jepanet
assert jepanet.__file__.startswith({client!r})
import nursery
nursery.main()
"""


@dataclass(frozen=True)
class NextVersion:
    """Its `client`, the program that starts its nodes (see `nursery`), and where it is told to stop."""

    client: Path
    nursery: Path
    orders: Path

    def stop_at(self, place: str | None) -> None:
        """From now on its nodes stop there; nowhere if it is None."""
        for item in self.orders.iterdir():
            item.unlink()
        if place is not None:
            (self.orders / place).touch()

    def stopped_at(self, place: str) -> bool:
        return (self.orders / f"{place}.reached").exists()

    def environment(self) -> dict[str, str]:
        """For its command line."""
        return {**os.environ, "PYTHONPATH": str(self.client)}


def next_version(folder: Path) -> NextVersion:
    """Makes one in `folder`."""
    client, orders = folder / "client", folder / "orders"
    shutil.copytree(_CLIENT, client, ignore=shutil.ignore_patterns("__pycache__", "dashboard"))
    shutil.copytree(_CLIENT.parent / "abi", folder / "abi")
    orders.mkdir()
    stop = _STOP.format(folder=str(orders))
    schema, backup = "jepanet/storage/schema.py", "jepanet/storage/upgrades/backup.py"
    _planted(client / schema, "def journal_schema", f"{stop}\n{_MIGRATION}def journal_schema")
    _planted(
        client / schema, "store_events_once(sql, read_log)),", "store_events_once(sql, read_log), _next),"
    )
    _planted(client / backup, "def keep_copy", f"{stop}\n\ndef keep_copy")
    _planted(client / backup, "connection.backup(copy)", 'connection.backup(copy); _stop_at("copy")')
    nursery = folder / "nursery.py"
    nursery.write_text(_NURSERY.format(client=str(client), tests=str(_HERE)))
    return NextVersion(client, nursery, orders)


def _planted(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new))
