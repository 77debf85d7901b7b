"""Makes a recording of journals in the middle of a round: `python tests/scenario/record_journals.py NAME`.

A network plays one round, and of a second one until every delta is revealed and scored and the judge is
about to check the sheet: there it is killed, hub and first solver are killed too, and the second solver is
stopped as an operator would. What they leave (without blobs, keys and configurations), the chain, and what
this version reads from the journals go to tests/recordings/journals/. Run it with the version whose
journals are to be kept, before a change of the schema.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sqlite3
import sys
import tarfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from network import Network, Node, test_dataset

from faults import KillPlan
from jepanet.types import Phase
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
)

KEPT = (DATABASE, DATABASE + "-wal", "status.json")


def half_a_round(network: Network, folder: Path) -> int:
    """One round to its end, another to the moment before the sheet is checked."""
    network.run_nodes()
    network.wait_finished(network.play(commits=2, codec="topk10"))
    judge = network.judge
    judge.stop()
    judge.kills = KillPlan(folder / "killed", folder / "passed", ("start:CheckSheet",))
    judge.start()
    round_id = network.play(commits=2, codec="topk10")
    network.wait("the end of COMMIT", lambda: network.phase(round_id) > Phase.COMMIT)
    deadline = time.monotonic() + 240
    while judge.alive:
        assert time.monotonic() < deadline, judge.tail()
        time.sleep(0.2)
    assert judge.exit_status == -signal.SIGKILL, judge.tail()
    assert network.phase(round_id) is Phase.VERIFY
    time.sleep(3)
    network.hub.kill()
    network.nodes["solver-1"].kill()
    network.nodes["solver-2"].stop()
    network.stop_chain()
    return round_id


def read_from(node: Node, network: Network, folder: Path) -> dict[str, Any]:
    """What this version reads from a node's journal; works on a copy."""
    copy = folder / f"copy-{node.name}"
    shutil.copytree(node.folder / "data", copy, ignore=lambda _, names: set(names) - set(KEPT))
    database = copy / DATABASE
    who = {
        "address": node.address,
        "roles": list(node.roles),
        "rounds_to_play": network.rounds if node is network.hub else 0,
    }
    raw = {"schema": schema_version(database), "rows": rows_by_table(database)}
    with contextlib.closing(sqlite3.connect(database)) as open_:
        safe = {
            "salts": [list(row) for row in open_.execute("SELECT round_id, solver FROM salts ORDER BY 1, 2")],
            "signatures": [
                list(row)
                for row in open_.execute("SELECT kind, round_id, subject FROM signatures ORDER BY 1, 2, 3")
            ],
            "rounds": [row[0] for row in open_.execute("SELECT DISTINCT round_id FROM notes ORDER BY 1")],
        }
    opened = open_journal(copy, who, network.deployment)
    facts = facts_of(opened, safe)
    opened.journal.close()
    return {**who, **raw, "safe": safe, "facts": facts}


async def go_on(expected: dict[str, Any], network: Network, folder: Path) -> None:
    """Adds what each node is asked to do once the round is cancelled."""
    shutil.copyfile(network.folder / "chain.json", folder / "chain.json")
    deployment = network.deployment
    async with cancelled_later(folder, expected["round"], deployment) as (url, until):
        for name, node in expected["nodes"].items():
            opened = open_journal(folder / f"copy-{name}", node, deployment)
            assert await follow(opened, url, until) is None, name
            node["duties_once_cancelled"] = duties_since(opened, node["facts"])
            opened.journal.close()


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    name = sys.argv[1]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as place:
        folder = Path(place)
        network = Network.build(
            folder / "n", test_dataset(Path.home() / ".cache" / "jepanet-tests"), solvers=2
        )
        try:
            round_id = half_a_round(network, folder)
        finally:
            network.close()
        expected = {
            "round": round_id,
            "nodes": {node.name: read_from(node, network, folder) for node in network.nodes.values()},
        }
        asyncio.run(go_on(expected, network, folder))
        with tarfile.open(FOLDER / f"{name}.tar.xz", "w:xz", preset=9) as archive:
            for file in ("chain.json", "deployment.json"):
                archive.add(network.folder / file, file, filter=_nobody)
            for node in network.nodes.values():
                for file in KEPT:
                    if (node.folder / "data" / file).exists():
                        archive.add(node.folder / "data" / file, f"{node.name}/{file}", filter=_nobody)
        (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(f"round {round_id}: {(FOLDER / name).with_suffix('.tar.xz').stat().st_size} bytes")
    return 0


def _nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    sys.exit(main())
