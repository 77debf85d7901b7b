"""A round that is measured over a part of its shard and takes over what is usual, between real nodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from network import Network
from test_verify import verify

from jepanet.cid import to_cid
from jepanet.errors import Exit
from jepanet.protocol.documents.spec import RoundSpec, decode_spec
from jepanet.protocol.settling.sheet import ScoreSheet, decode_sheet
from jepanet.protocol.settling.within_error import gains_within_error

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(600)]

TERMS = {"evaluation_episodes": 4, "evaluation_sigmas_milli": 2000, "usual_follows": True}
"""A sealed shard has eight."""


@pytest.fixture(scope="module")
def network(new_network: Callable[..., Network]) -> Network:
    """One whose project has no round yet: what a round is measured over follows from the one before."""
    return new_network(solvers=2)


@pytest.fixture(scope="module")
def rounds(network: Network) -> list[int]:
    """Two settled rounds."""
    network.run_nodes()
    found = []
    for _ in range(2):
        found.append(network.play(commits=2, **TERMS))
        network.wait_finished(found[-1])
    return found


def documents(network: Network, number: int, folder: Path) -> tuple[RoundSpec, ScoreSheet]:
    """Of a round that a stranger with an empty folder has verified."""
    code, report = verify(network, number, folder, "--peer", network.bootstrap[0])
    assert (code, report["agrees"]) == (Exit.OK, True), json.dumps(report, indent=1)
    round_ = network.round(number)
    assert round_.recorded is not None
    spec = (folder / to_cid(round_.params.spec, "dag-json")).read_bytes()
    sheet = (folder / to_cid(round_.recorded.sheet, "dag-json")).read_bytes()
    return decode_spec(spec), decode_sheet(sheet)


def test_a_stranger_measures_the_same_part_and_finds_the_same_usual_worth(
    network: Network, rounds: list[int], tmp_path: Path
) -> None:
    first, second = (documents(network, number, tmp_path / str(number)) for number in rounds)
    spec, sheet = first
    assert spec.evaluation_episodes == 4 and spec.usual_follows and not spec.usual_worth
    later, _ = second
    assert later.usual_worth == (sheet.usual if sheet.published else 0)
    # Four steps of training mostly gain less than two errors over four episodes, or nothing at all.
    little = not sheet.published or gains_within_error(sheet.rows, 2000, measured=4, usual=4)
    assert later.evaluation_episodes == (0 if little else 4)
