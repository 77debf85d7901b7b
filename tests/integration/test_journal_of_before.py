"""Journals that an earlier version left within a round.

One of a deployment that this version speaks to is opened, replayed and carried on. One of the contracts
before is refused in words and left as it is, for the version that wrote it to end its rounds.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from chain_fixtures import require_anvil

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.following.earlier_logs import read_earlier_log
from jepanet.errors import Exit, Fatal
from jepanet.protocol.state import Status
from jepanet.storage.journal import Journal
from recorded_journals import (
    DATABASE,
    FOLDER,
    cancelled_later,
    duties_since,
    facts_of,
    follow,
    open_journal,
    rows_by_table,
    schema_version,
    unpack,
)

pytestmark = pytest.mark.integration

NAMES = sorted(path.name.removesuffix(".tar.xz") for path in FOLDER.glob("*.tar.xz"))
OF_OTHER_CONTRACTS = ("schema-3",)
"""Recorded with the contracts that four addresses named: nothing of theirs is spoken to any more."""


@pytest.fixture(params=[name for name in NAMES if name not in OF_OTHER_CONTRACTS])
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The unpacked files, and what the version that wrote them read from them."""
    return tmp_path, unpack(request.param, tmp_path)


def test_there_is_a_recording() -> None:
    assert NAMES


@pytest.mark.parametrize("name", OF_OTHER_CONTRACTS)
def test_a_journal_of_the_contracts_before_is_refused_in_words_and_left_as_it_is(
    name: str, tmp_path: Path
) -> None:
    expected = unpack(name, tmp_path)
    with pytest.raises(Fatal) as stale:
        Deployment.load(tmp_path / "deployment.json")
    assert stale.value.code is Exit.CONFIG and "deployment/2" in stale.value.message
    for folder, node in expected["nodes"].items():
        database = tmp_path / folder / DATABASE
        with pytest.raises(Fatal) as refused:
            Journal.open(database, read_earlier_log)
        assert refused.value.code is Exit.INCOMPATIBLE
        assert "whose contracts this version does not speak to" in refused.value.message
        assert "run the version that wrote it" in str(refused.value.remedy)
        assert (schema_version(database), rows_by_table(database)) == (node["schema"], node["rows"])


def test_every_journal_reads_as_it_did(recording: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = recording
    for name, node in expected["nodes"].items():
        database = folder / name / DATABASE
        assert (schema_version(database), rows_by_table(database)) == (node["schema"], node["rows"]), name
        opened = open_journal(folder / name, node, Deployment.load(folder / "deployment.json"))
        try:
            found = json.loads(json.dumps(facts_of(opened, node["safe"])))
        finally:
            opened.journal.close()
        for what, before in node["facts"].items():
            assert found[what] == before, (name, what)


def test_a_migration_leaves_a_backup_beside_the_journal(recording: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = recording
    for name, node in expected["nodes"].items():
        home = folder / name
        open_journal(home, node, Deployment.load(folder / "deployment.json")).journal.close()
        backups = [path for path in home.iterdir() if _is_older_journal(path, node)]
        if schema_version(home / DATABASE) == node["schema"]:
            assert not backups, "nothing was migrated, so nothing is kept twice"
        else:
            assert len(backups) == 1, sorted(path.name for path in home.iterdir())
            assert rows_by_table(backups[0]) == node["rows"]
            assert backups[0].stat().st_mode & 0o077 == 0, "it holds salts: for its owner alone"


def _is_older_journal(path: Path, node: dict[str, Any]) -> bool:
    if path.name == DATABASE or not path.is_file() or path.read_bytes()[:16] != b"SQLite format 3\0":
        return False
    with closing(sqlite3.connect(path)) as database:
        return bool(database.execute("PRAGMA user_version").fetchone()[0] == node["schema"])


async def test_every_journal_goes_on_with_the_chain(recording: tuple[Path, dict[str, Any]]) -> None:
    require_anvil()
    folder, expected = recording
    deployment = Deployment.load(folder / "deployment.json")
    async with cancelled_later(folder, expected["round"], deployment) as (url, until):
        for name, node in expected["nodes"].items():
            opened = open_journal(folder / name, node, deployment)
            try:
                missing = await asyncio.wait_for(follow(opened, url, until), 60)
                state = opened.engine.state
                assert missing is None, f"{name}: logs are missing from block {missing}"
                assert state.block is not None and state.block.number == until, name
                assert opened.engine.caught_up, name
                assert state.rounds[expected["round"]].status is Status.CANCELLED, name
                assert duties_since(opened, node["facts"]) == node["duties_once_cancelled"], name
            finally:
                opened.journal.close()
            again = open_journal(folder / name, node, deployment)
            assert again.engine.state == state, f"{name}: what was learnt survives a restart"
            again.journal.close()
