"""A local network: what is chosen once, the folders of its nodes, and how long its rounds are."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from filelock import FileLock

from jepanet.errors import Exit, Fatal
from jepanet.operations import devnet
from jepanet.operations.local_network import nodes as nodes_module
from jepanet.operations.local_network import plan as plan_module
from jepanet.operations.local_network.nodes import config_of, wallet_of, write_nodes
from jepanet.operations.local_network.plan import LOCK, Plan, Wanted, check_folder, finished, planned
from jepanet.operations.local_network.quickstart import quickstart
from jepanet.operations.local_network.terms import MOST, stretch, stretched
from jepanet.operations.views.local import Devnet, DevnetProcess
from jepanet.types import Role

pytestmark = pytest.mark.unit

ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that somebody listens on; no socket is opened."""
    ports: set[int] = set()
    monkeypatch.setattr(plan_module, "is_free", lambda port: port not in ports)
    monkeypatch.setattr(plan_module, "find_anvil", lambda: Path("anvil"))
    monkeypatch.setattr(nodes_module, "stretch", lambda: 2.0)
    return ports


@pytest.fixture
def chain(tmp_path: Path) -> Devnet:
    """What a chain's folder says of it; none runs."""
    file = tmp_path / "network.json"
    file.write_text(json.dumps({
        "schema": "jepanet/deployment/2", "chain_id": 31337, "confirmations": 1,
        "block": {"number": 5, "hash": "0x" + "11" * 32, "timestamp": 1},
        "contracts": {"token": ACCOUNT, "rounds": ACCOUNT, "lens": ACCOUNT},
    }))  # fmt: skip
    process = DevnetProcess(1, None, 8545, 31337, "http://127.0.0.1:8545", "ws://127.0.0.1:8545")
    return Devnet(process, 9, file, {})


def test_what_was_chosen_once_stays(tmp_path: Path, taken: set[int]) -> None:
    taken |= {8545, 4801, 4803, 4901}
    made = planned(tmp_path, Wanted(solvers=3))
    assert [name for name, _ in made.cast] == [
        "aggregator", "coordinator", "proposer", "solver-1", "solver-2", "solver-3",
    ]  # fmt: skip
    ports = [port for pair in made.ports for port in (pair.p2p, pair.rpc)]
    assert len({*ports, made.chain_port}) == 13 and not taken & {*ports, made.chain_port}
    taken |= set(ports)
    assert planned(tmp_path, Wanted()) == planned(tmp_path, Wanted(recipe="tworoom-small", solvers=3)) == made
    assert planned(tmp_path, Wanted()) == made != finished(tmp_path, made, 7)
    assert planned(tmp_path, Wanted()) == replace(made, project=7)


def ports_of(plan: Plan) -> set[int]:
    return {plan.chain_port, *(port for pair in plan.ports for port in (pair.p2p, pair.rpc))}


def test_two_networks_of_a_machine_share_no_port_though_neither_runs(tmp_path: Path, taken: set[int]) -> None:
    known, folders = tmp_path / "known", [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    first, second = (planned(folder, Wanted(), known) for folder in folders[:2])
    assert not ports_of(first) & ports_of(second) and not taken
    assert planned(folders[0], Wanted(), known) == first
    with pytest.raises(Fatal, match="another local network") as caught:
        planned(folders[2], Wanted(chain_port=first.chain_port), known)
    assert caught.value.code is Exit.PORT_IN_USE
    (folders[1] / "network.json").write_text("{")
    assert not ports_of(first) & ports_of(planned(folders[2], Wanted(), known)), "one unread hides no other"
    for folder in (folders[0], folders[2]):
        shutil.rmtree(folder)
    folders[2].mkdir()
    assert planned(folders[2], Wanted(), known) == first, "what has gone holds nothing"
    folders[0].mkdir()
    assert planned(folders[0], Wanted(), Path("/proc/nowhere")) == first, "where nothing is kept it goes on"


@pytest.mark.parametrize(
    "other", [Wanted(recipe="image-tiny"), Wanted(solvers=3), Wanted(rounds=2), Wanted(chain_port=9000)]
)
def test_another_network_takes_another_folder(other: Wanted, tmp_path: Path, taken: set[int]) -> None:
    made = planned(tmp_path, Wanted())
    with pytest.raises(Fatal, match="was begun with --") as caught:
        planned(tmp_path, other)
    assert caught.value.code is Exit.USAGE
    assert planned(tmp_path, Wanted()) == made


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    check_folder(tmp_path / "new")
    check_folder(tmp_path)
    (tmp_path / "letters").write_text("mine")
    for path in (tmp_path, tmp_path / "letters"):
        with pytest.raises(Fatal, match="something else"):
            check_folder(path)
    (tmp_path / "network.json").write_text('{"mine": 1}')
    with pytest.raises(Fatal, match="no plan") as caught:
        planned(tmp_path, Wanted())
    assert caught.value.code is Exit.USAGE
    assert (tmp_path / "network.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    ("wanted", "says", "code"),
    [
        (Wanted(recipe="backbone-135m"), "no data at hand", Exit.USAGE),
        (Wanted(recipe="no such"), "no data at hand", Exit.USAGE),
        (Wanted(rounds=9), "sealed shards", Exit.USAGE),
        (Wanted(chain_port=8600), "already in use", Exit.PORT_IN_USE),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    wanted: Wanted, says: str, code: Exit, tmp_path: Path, taken: set[int]
) -> None:
    taken.add(8600)
    with pytest.raises(Fatal, match=says) as caught:
        planned(tmp_path, wanted)
    assert caught.value.code is code
    assert not list(tmp_path.iterdir())


def test_without_anvil_nothing_is_begun(
    tmp_path: Path, taken: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise Fatal("anvil was not found", code=Exit.TOOL_MISSING)

    monkeypatch.setattr(plan_module, "find_anvil", missing)
    with pytest.raises(Fatal, match="anvil"):
        planned(tmp_path, Wanted())
    assert not list(tmp_path.iterdir())


def test_without_what_data_are_built_from_nothing_is_begun(
    tmp_path: Path, taken: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(Fatal, match="simulator is not installed") as caught:
        planned(tmp_path, Wanted())
    assert caught.value.code is Exit.DATASET
    assert not list(tmp_path.iterdir())


class Silent:
    """Hears how far a quickstart is, and holds it against nothing."""

    def step(self, what: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...


def test_two_calls_at_once_do_not_make_the_same_network(tmp_path: Path) -> None:
    with FileLock(tmp_path / LOCK), pytest.raises(Fatal, match="another call") as caught:
        quickstart(tmp_path, Wanted(), Silent())
    assert caught.value.code is Exit.ALREADY_RUNNING


def test_a_folder_that_cannot_be_made_is_told_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match="cannot be written") as caught:
        quickstart(tmp_path / "file" / "local", Wanted(), Silent())
    assert "or choose another" in str(caught.value.remedy)


def made_nodes(folder: Path, chain: Devnet) -> Plan:
    folder.mkdir(exist_ok=True)
    plan = planned(folder, Wanted())
    write_nodes(folder, plan, chain)
    return plan


def test_every_node_has_a_wallet_ports_and_the_first_one_to_meet(
    tmp_path: Path, taken: set[int], chain: Devnet
) -> None:
    folder = tmp_path / "local"
    plan = made_nodes(folder, chain)
    configs = {name: config_of(folder, name) for name, _ in plan.cast}
    assert [config.node.roles for config in configs.values()] == [(role,) for _, role in plan.cast]
    assert len({wallet_of(config) for config in configs.values()}) == 5
    assert [config.rpc.port for config in configs.values()] == [pair.rpc for pair in plan.ports]
    assert all(config.rpc.enabled and config.rpc.host == "127.0.0.1" for config in configs.values())
    first = configs.pop("aggregator")
    assert first.p2p.allow_isolated and not first.p2p.bootstrap
    met = {config.p2p.bootstrap for config in configs.values()}
    assert len(met) == 1 and str(plan.ports[0].p2p) in met.pop()[0]
    proposer = configs[Role.PROPOSER.value].proposer
    assert proposer.aggregators == (wallet_of(first),)
    assert proposer.rounds == 8 and proposer.max_solvers == 2 and proposer.commit_seconds == 180
    assert proposer.dataset is not None and proposer.dataset.resolve() == (folder / "dataset").resolve()


def test_a_second_call_replaces_nothing_and_makes_what_is_missing(
    tmp_path: Path, taken: set[int], chain: Devnet
) -> None:
    folder = tmp_path / "local"
    made_nodes(folder, chain)
    lost = folder / "proposer" / "node.toml"  # as if killed before it was written
    lost.unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    made_nodes(folder, chain)
    assert {path: path.read_bytes() for path in before} == before
    assert {path for path in folder.rglob("*") if path.is_file()} == {*before, lost}


def test_a_lost_chain_is_not_begun_anew_under_those_who_count_on_it(tmp_path: Path) -> None:
    (tmp_path / "deployment.json").write_text("{}")
    with pytest.raises(Fatal, match="is lost") as caught:
        asyncio.run(devnet.running(tmp_path, port=8545, chain_id=31337, block_time=1.0))
    assert caught.value.code is Exit.DAMAGED
    assert (tmp_path / "deployment.json").read_text() == "{}"


@pytest.mark.parametrize(("share", "times"), [(1.0, 1.0), (0.25, 4.0), (0.01, MOST)])
def test_phases_grow_with_the_work_that_a_machine_has_beside(share: float, times: float) -> None:
    """A demo on a busy machine lost its rounds: nobody had trained when the time to commit was over."""
    clock = iter(step * 0.25 for step in range(100))
    shown: list[float] = []

    def wall() -> float:
        shown.append(next(clock))
        return shown[-1]

    found = stretch(1.0, wall, lambda: shown[-1] * share)
    assert found == pytest.approx(times, rel=0.3)
    terms = stretched(
        {"commit_seconds": 90, "reveal_seconds": 60, "verify_seconds": 120, "gap_seconds": 1}, 2.5
    )
    assert terms == {"commit_seconds": 225, "reveal_seconds": 150, "verify_seconds": 300, "gap_seconds": 1}
