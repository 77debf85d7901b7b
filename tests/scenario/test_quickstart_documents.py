"""Every command of the documents, in the order of the pages, beside the network of test_quickstart.

Named so that it comes after that one, whose network has a round that was paid; by itself it makes one first.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented_play import PATIENCE, Stage, end, play
from documented_setups import SETUPS, Ground

import python_page
from documented_commands import NEEDS, Block, blocks

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

NETWORK = "the network"
PLAYED = [block for block in blocks("bash", "python") if block.kind == NEEDS]
"""All but those of docs/python.md, which other tests play."""
FIRST = next(block for block in PLAYED if block.said == NETWORK)
"""The three commands of the README: its nodes go on while the others are played."""


@pytest.fixture(scope="module")
def ground(local_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The network, its nodes running, round 1 paid."""
    ground = Ground(local_network, tmp_path_factory.mktemp("documents"))
    stage = Stage(local_network.parent, ground.room / "home")
    play(stage, FIRST)
    config = local_network / "solver-1/node.toml"
    watch = [sys.executable, "-m", "jepanet", "round", "watch", "1", "--config", config]
    subprocess.run(watch, check=True, capture_output=True, timeout=2 * PATIENCE)
    yield ground
    end(stage)


@pytest.mark.parametrize("block", [item for item in PLAYED if item.said in SETUPS], ids=str)
def test_a_block_does_what_its_page_says(block: Block, ground: Ground) -> None:
    stage = ground.stage(block.said, block.page)
    try:
        play(stage, block)
    finally:
        end(stage)


def test_every_need_has_a_set_up() -> None:
    assert {block.said for block in PLAYED} == {NETWORK, *SETUPS, *python_page.NEEDS}
    assert [block.page for block in PLAYED if block.said == NETWORK] == ["README.md"]
    assert {block.page for block in PLAYED if block.said in python_page.NEEDS} == {"docs/python.md"}


def test_another_exit_code_than_the_page_names_is_seen(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tmp_path / "home")
    with pytest.raises(AssertionError, match="ended with 1, not 0"):
        play(stage, Block("page.md", 1, "", "bash", "false\n"))
    play(stage, Block("page.md", 1, "", "bash", "false  # ends with 1: it is\n"))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        play(stage, Block("page.md", 1, "", "python", "1 / 0\n"))
