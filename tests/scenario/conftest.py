"""What scenarios share: a tiny real dataset, and one network for all tests that leave it usable."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from network import Network, test_dataset
from warm_processes import DOOR, warm_processes

from jepanet.telemetry import configure_logging


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos-seed", type=int, default=1, help="seed of the episodes of test_chain_chaos")
    parser.addoption("--chaos-episodes", default="", help="numbers of episodes, such as 31 or 30-39,45")
    parser.addoption(
        "--upgrade-from",
        default="690ebe9",
        help="commit whose nodes test_upgrade starts with; its contracts must be today's",
    )
    parser.addoption(
        "--audits-out", default="", help="folder of what audits found: what was played is not played again"
    )
    parser.addoption(
        "--attacks-out",
        default="",
        help="folder of what came of attacks: what was played is not played again",
    )


@pytest.fixture
def chaos_seed(request: pytest.FixtureRequest) -> int:
    """Seed of the episodes."""
    return int(request.config.getoption("--chaos-seed"))


@pytest.fixture
def chaos_episodes(request: pytest.FixtureRequest) -> list[int]:
    """The episodes asked for; none for all of them."""
    numbers: list[int] = []
    for part in filter(None, request.config.getoption("--chaos-episodes").split(",")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


@pytest.fixture
def audits_out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where findings of audits are kept, a line each."""
    folder = Path(request.config.getoption("--audits-out") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def upgrade_from(request: pytest.FixtureRequest) -> str:
    """The commit to upgrade from."""
    return str(request.config.getoption("--upgrade-from"))


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """This process sends transactions itself; only what goes wrong is worth a line."""
    configure_logging(level="error")


@pytest.fixture(scope="session")
def door() -> Iterator[Path]:
    """What is started in place of Python, to be forked of a process that has loaded everything."""
    with warm_processes() as door:
        yield door


@pytest.fixture(scope="module", autouse=True)
def forked_workers(door: Path) -> Iterator[None]:
    """Workers of this process and of nodes of a network are forked; others are started as they always are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DOOR, str(door))
        patch.setattr("jepanet.work.worker.sys", SimpleNamespace(executable=str(door)))
        yield


@pytest.fixture(scope="session")
def dataset() -> Path:
    """A tiny TwoRoom dataset, built once per machine."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return test_dataset(Path(home) / "jepanet-tests")


@pytest.fixture(scope="session")
def new_network(
    dataset: Path, anvil_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Network]]:
    """Builds networks and ends them when the session does."""
    made: list[Network] = []

    def build(**options: Any) -> Network:
        network = Network.build(tmp_path_factory.mktemp("network") / "n", dataset, **options)
        made.append(network)
        return network

    yield build
    for network in made:
        network.close()


@pytest.fixture(scope="session")
def network(new_network: Callable[..., Network]) -> Network:
    """A network of a hub, a judge and two solvers, for tests that leave it usable."""
    return new_network(solvers=2)


@pytest.fixture(scope="session")
def local_network(anvil_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for `jepanet quickstart`; test_quickstart fills it, or whoever calls it first."""
    folder = tmp_path_factory.mktemp("quickstart") / "local"
    yield folder
    down = [sys.executable, "-m", "jepanet", "devnet", "down", "--dir", str(folder / "devnet")]
    subprocess.run(down, capture_output=True, check=False, timeout=60)
