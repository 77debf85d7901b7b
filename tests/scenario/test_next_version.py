"""An upgrade within a round that is killed in the middle, and the way back: the round's bond is not lost.

`tests/unit/test_storage_upgrade_killed.py` kills a conversion before each of its steps,
`tests/unit/test_operations_backups.py` a backup and a restore before each of theirs; here are real nodes.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from network import Network, Node, Nursery
from next_version import PLACES, SCHEMA, NextVersion, next_version

from jepanet.errors import Exit
from jepanet.protocol import facts
from jepanet.storage.journal import Journal
from jepanet.types import Phase

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]
SALTS = "SELECT * FROM salts"


def jepanet(*words: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "jepanet", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def answered(*words: object, environment: Mapping[str, str] | None = None) -> Any:
    done = jepanet(*words, "--json", environment=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def schema_of(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def rows_of(journal: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def copies(node: Node) -> list[str]:
    """Whole copies of an older journal beside it."""
    beside = (item.name for item in node.journal.parent.glob("journal.sqlite.schema-*"))
    return sorted(name for name in beside if not name.endswith(".partial"))


@pytest.fixture
def coming(tmp_path: Path) -> Iterator[tuple[NextVersion, Nursery]]:
    """The version after this one, and what starts its nodes."""
    version = next_version(tmp_path / "next")
    nursery = Nursery(tmp_path / "next.log", version.nursery)
    yield version, nursery
    nursery.close()


def test_an_upgrade_that_is_killed_is_ended_later_and_can_be_taken_back(
    new_network: Callable[..., Network], coming: tuple[NextVersion, Nursery], tmp_path: Path
) -> None:
    version, nursery = coming
    network = new_network(solvers=2)
    node = network.nodes["solver-1"]
    network.run_nodes("hub", "judge", "solver-1")
    round_id = network.play(commits=2)  # stays in COMMIT until the other solver comes
    network.wait("its commitment", lambda: network.events(facts.ChainCommitted, round_id))
    network.wait("to know of it", lambda: not any("commit" in key for key in node.pending()))
    archive = tmp_path / "before.backup"
    answered("backup", "--config", node.config, "--out", archive)
    node.kill()
    salts, ours = node.query(SALTS), node.nursery
    assert len(salts) == 1 and schema_of(node.journal) == SCHEMA - 1

    # Killed within the copy, and within the migration: each time the journal is the old one, and whole.
    for place in PLACES:
        version.stop_at(place)
        node.nursery = nursery
        node.start()
        network.wait(f"the {place} to be half done", lambda place=place: version.stopped_at(place))
        node.kill()
        assert copies(node) == ([] if place == "copy" else ["journal.sqlite.schema-4"])
        with Journal.open(node.journal) as journal:
            assert journal.database.rows(SALTS) == salts
            assert journal.database.row("SELECT name FROM sqlite_schema WHERE name = 'of_next'") is None
        assert schema_of(node.journal) == SCHEMA - 1
    node.nursery = ours
    network.run_nodes("solver-1")  # this version's node goes on with it, and a new copy is due after that
    node.kill()

    # The next start of the new version ends it; this version then refuses the folder, and changes nothing.
    version.stop_at(None)
    node.nursery = nursery
    network.run_nodes("solver-1")
    (upgraded,) = node.events("schema.upgraded")
    assert Path(upgraded["backup"]).name in copies(node) and upgraded["now"] == SCHEMA
    kept = Path(upgraded["backup"])
    assert (schema_of(node.journal), schema_of(kept)) == (SCHEMA, SCHEMA - 1)
    assert node.query(SALTS) == rows_of(kept, SALTS) == salts
    later = tmp_path / "later.backup"
    answered("backup", "--config", node.config, "--out", later, environment=version.environment())
    node.kill()
    told = jepanet("node", "run", "--config", node.config)
    assert told.returncode == Exit.INCOMPATIBLE and "knows up to 4" in told.stderr
    assert schema_of(node.journal) == SCHEMA and node.query(SALTS) == salts

    # A backup of the new version is none for this one, and it says so before the node could sign.
    answered("restore", later, "--out", tmp_path / "too-new")
    refused = jepanet("node", "release", "--lost", "--config", tmp_path / "too-new/node.toml")
    assert refused.returncode == Exit.INCOMPATIBLE, refused.stderr

    # Back by the copy, as docs/operations.md tells it: nothing was sealed, signed or sent meanwhile.
    for suffix in ("", "-wal", "-shm"):
        node.journal.with_name(node.journal.name + suffix).unlink(missing_ok=True)
    kept.rename(node.journal)
    node.nursery = ours
    network.run_nodes("solver-1")
    assert node.query(SALTS) == salts
    node.kill()

    # And by the backup from before, elsewhere: held until somebody says that the other copy is gone.
    _restored(network, node, archive, tmp_path / "elsewhere")
    network.run_nodes("solver-2", "restored")
    network.wait_phase(round_id, Phase.SETTLED)
    revealed = {item.solver.lower() for item in network.events(facts.ChainRevealed, round_id)}
    assert node.address.lower() in revealed
    assert network.broken_promises(round_id) == []


def _restored(network: Network, node: Node, archive: Path, new: Path) -> None:
    """The node of an archive in the place of the other, once its operator has released it."""
    password = (node.folder / "password").read_bytes()
    network.nodes.pop(node.name)
    shutil.rmtree(node.folder)
    answered("restore", archive, "--out", new)
    (new / "password").touch(mode=0o600)
    (new / "password").write_bytes(password)
    held = jepanet("node", "run", "--config", new / "node.toml")
    assert held.returncode == Exit.HELD, held.stderr
    answered("node", "release", "--lost", "--config", new / "node.toml")
    network.nodes["restored"] = Node("restored", node.roles, new, node.address, network.nursery)
