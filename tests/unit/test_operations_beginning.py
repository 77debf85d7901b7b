"""A node's first files, what its configuration comes to, and who said so."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import cli
from jepanet.operations.beginning import begin, node_address
from jepanet.operations.shown_config import settings
from jepanet.operations.views.local import Begun
from jepanet.settings.config import load_config, read_tree
from jepanet.settings.first_config import FirstConfig
from jepanet.types import Role

pytestmark = pytest.mark.unit

PEER = "/dns4/first.example.org/tcp/4701/p2p/16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg"
ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SAID = FirstConfig(
    role=Role.SOLVER, name="solver", endpoints=("http://127.0.0.1:8545",), deployment="deployment.json",
    password_file=None, listen="/ip4/127.0.0.1/tcp/4701", bootstrap=(PEER,), follow=(3,),
)  # fmt: skip


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    path = tmp_path / "network.json"
    path.write_text(json.dumps({
        "schema": "jepanet/deployment/2", "chain_id": 31337, "confirmations": 2,
        "block": {"number": 5, "hash": "0x" + "11" * 32, "timestamp": 1},
        "contracts": {"token": ACCOUNT, "rounds": ACCOUNT, "lens": ACCOUNT},
    }))  # fmt: skip
    return path


def begun(folder: Path, deployment: Path, said: FirstConfig = SAID) -> Begun:
    return begin(folder, said, deployment, password=True, light=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("role", Role)
def test_a_first_configuration_is_one_that_a_node_starts_with(
    role: Role, tmp_path: Path, deployment: Path
) -> None:
    made = begun(tmp_path / "node", deployment, replace(SAID, role=role))
    config = load_config(made.config, {})
    assert config.node.roles == (role,)
    assert config.chain.deployment.read_bytes() == deployment.read_bytes()
    assert config.p2p.bootstrap == (PEER,)
    assert config.projects.follow == (3,)
    assert made.addresses == (f"/ip4/127.0.0.1/tcp/4701/p2p/{made.peer}",)
    assert any(made.address in step for step in made.next)
    assert made.next[-1].startswith("jepanet node run")


def test_what_is_secret_is_its_owners_alone(tmp_path: Path, deployment: Path) -> None:
    made = begun(tmp_path / "node", deployment)
    folder = made.config.parent
    secrets = (made.keystore, folder / "password", folder / "data/p2p/node.key", made.config)
    assert [mode(path) for path in secrets] == [0o600] * 4
    assert mode(folder) == 0o700
    assert (folder / "password").read_text().strip() not in made.config.read_text()


def test_nothing_that_is_there_is_replaced(tmp_path: Path, deployment: Path) -> None:
    made = begun(tmp_path / "node", deployment)
    before = {path: path.read_bytes() for path in made.config.parent.rglob("*") if path.is_file()}
    with pytest.raises(Fatal, match="is there already") as caught:
        begun(tmp_path / "node", deployment)
    assert caught.value.code is Exit.CONFIG
    assert {path: path.read_bytes() for path in made.config.parent.rglob("*") if path.is_file()} == before


def test_an_interrupted_beginning_goes_on_with_the_same_wallet(tmp_path: Path, deployment: Path) -> None:
    made = begun(tmp_path / "node", deployment)
    made.config.unlink()
    again = begun(tmp_path / "node", deployment)
    assert (again.address, again.peer) == (made.address, made.peer)


def test_another_networks_deployment_is_not_replaced(tmp_path: Path, deployment: Path) -> None:
    made = begun(tmp_path / "node", deployment)
    made.config.unlink()
    deployment.write_text(deployment.read_text().replace("31337", "1"))
    with pytest.raises(Fatal, match="another network's"):
        begun(tmp_path / "node", deployment)


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoints": ("localhost",)},
        {"listen": "here"},
        {"bootstrap": ("/ip4/1.2.3.4/tcp/1",)},
        {"announce": ("/ip4/0.0.0.0/tcp/1",)},
        {"endpoints": ('http://a"\n[node]\nname = "x',)},
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_written(
    wrong: dict[str, tuple[str, ...]], tmp_path: Path, deployment: Path
) -> None:
    with pytest.raises(Fatal) as caught:
        begun(tmp_path / "node", deployment, replace(SAID, **wrong))  # type: ignore[arg-type]
    assert caught.value.code is Exit.CONFIG
    assert not (tmp_path / "node").exists()


def test_the_address_is_known_before_the_first_start_and_stays(tmp_path: Path, deployment: Path) -> None:
    config = load_config(begun(tmp_path / "node", deployment).config, {})
    (config.node.data_dir / "p2p" / "node.key").unlink()
    first = node_address(config)
    assert node_address(config) == first
    announced = replace(config, p2p=replace(config.p2p, announce=("/dns4/a.example.org/tcp/4701",)))
    assert node_address(announced).addresses == (f"/dns4/a.example.org/tcp/4701/p2p/{first.peer}",)
    unknown = replace(config, p2p=replace(config.p2p, listen="/ip4/127.0.0.1/tcp/0"))
    assert node_address(unknown).addresses == ()


def test_every_setting_says_where_it_comes_from_and_none_tells_a_secret(
    tmp_path: Path, deployment: Path
) -> None:
    said = replace(SAID, endpoints=("https://rpc.example.org/v3/key-of-a-provider",))
    made = begun(tmp_path / "node", deployment, said)
    environment = {
        "JEPANET_WORKER_THREADS": "2",
        "JEPANET_CHAIN_WEBSOCKET": "wss://a.example.org/key-of-mine",
    }
    config = load_config(made.config, environment)
    rows = {item.key: item for item in settings(config, read_tree(made.config), environment)}
    assert (rows["worker.threads"].value, rows["worker.threads"].source) == (2, "JEPANET_WORKER_THREADS")
    assert rows["node.name"].source == "file"
    assert rows["chain.stuck_seconds"].source == "default"
    assert rows["chain.websocket"].source == "JEPANET_CHAIN_WEBSOCKET"
    assert "key-of" not in repr(rows)


def test_without_a_terminal_what_is_missing_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["init", "solver", "--out", str(tmp_path / "node"), "--first"])
    assert result.exit_code == Exit.USAGE
    for option in ("--rpc", "--deployment", "--password-file"):
        assert option in result.output
    assert "--bootstrap" not in result.output
    assert not (tmp_path / "node").exists()


def test_options_alone_make_a_node(tmp_path: Path, deployment: Path) -> None:
    line = ["init", "coordinator", "--out", str(tmp_path / "node"), "--rpc", "http://127.0.0.1:1", "--first",
            "--deployment", str(deployment), "--new-password", "--light", "--json"]  # fmt: skip
    result = CliRunner().invoke(cli, line)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert load_config(Path(told["config"]), {}).p2p.allow_isolated
    assert any("stake deposit" in step for step in told["next"])
