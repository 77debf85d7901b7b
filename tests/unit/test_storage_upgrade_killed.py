"""kill -9 before every single step of an upgrade: the journal is the old or the new one, never a mixture, and
the next start ends what was begun."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from earlier_journal import a_round_before, tables
from protocol_facts import SOLVER

from jepanet.chain.following.earlier_logs import read_earlier_log
from jepanet.protocol.journal_codec import encode_fact
from jepanet.storage.journal import Journal, StoredBlock

pytestmark = [pytest.mark.unit, pytest.mark.subprocess]


def die_before(step: int, path: Path) -> int:
    """Opens the journal in a child that is killed before its `step`th statement, sync or rename.

    Returns: the child's wait status, 0 if it came to the end.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    taken = 0

    def count(*_: object) -> None:
        nonlocal taken
        taken += 1
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(call: Any) -> Any:
        def run(*arguments: Any, **named: Any) -> Any:
            count()
            return call(*arguments, **named)

        return run

    connect = sqlite3.connect

    def watched(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **named)
        connection.set_trace_callback(count)
        return connection

    try:
        sqlite3.connect = watched  # type: ignore[assignment]  # the same signature
        os.fsync = counted(os.fsync)
        Path.replace = counted(Path.replace)  # type: ignore[method-assign]
        Journal.open(path, read_earlier_log).close()
        os._exit(0)
    finally:
        os._exit(1)


def test_a_killed_upgrade_is_ended_by_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "node" / "journal.sqlite"
    before = a_round_before(SOLVER)
    before.write(path)
    content = tables(path)
    versions = []
    for step in range(1, 2_000):
        status = die_before(step, path)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), f"step {step} ended with {status}"
        # Looked at in a copy: opening the file itself would tidy up what the kill left.
        shutil.copytree(path.parent, tmp_path / "seen")
        found = tables(tmp_path / "seen" / path.name)
        ((version,),) = found["version"]
        versions.append(version)
        assert version == 4 or found == content, f"torn at step {step}"
        copies = [item.name for item in path.parent.iterdir() if ".schema-" in item.name]
        assert {name.removesuffix(".partial") for name in copies} <= {"journal.sqlite.schema-3"}
        shutil.rmtree(tmp_path / "seen")
    assert versions.count(3) > 50, "the kills came before the upgrade began, or after it"
    assert versions == sorted(versions)
    assert tables(path.with_name("journal.sqlite.schema-3")) == content
    with Journal.open(path) as journal:
        told = [item for _, item in journal.facts()]
        assert len(told) == len(before.inputs)
        for fact, item in zip(before.inputs, told, strict=True):
            if not isinstance(item, StoredBlock):
                assert (item.tag, item.payload) == encode_fact(fact)
