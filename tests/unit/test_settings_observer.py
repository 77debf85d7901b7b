"""Who only looks needs a chain and a deployment: by options, environment, or the file of any node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import cli
from jepanet.settings.observer_config import load_observer

pytestmark = pytest.mark.unit

CHAIN = '[chain]\nendpoints = ["http://file:1"]\ndeployment = "net.json"\n'
READING = (
    "round list", "round show", "verify", "audit", "model export", "model card", "project list",
    "project show", "verifiers show",
)  # fmt: skip


def look(path: Path | None = None, **changes: Any) -> Any:
    given: dict[str, Any] = {"endpoints": (), "deployment": None, "environment": {}, **changes}
    return load_observer(path, **given)


def written(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text)
    return path


def test_options_alone_are_enough(tmp_path: Path) -> None:
    seen = look(endpoints=("http://a:1", "http://b:2"), deployment=tmp_path / "d.json")
    assert seen.chain.endpoints == ("http://a:1", "http://b:2")
    assert seen.chain.deployment == tmp_path / "d.json"
    assert seen.p2p.bootstrap == ()


def test_a_relative_deployment_is_relative_to_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    path = written(home, CHAIN)
    assert look(path, deployment=Path("d.json")).chain.deployment == tmp_path / "d.json"
    assert look(path).chain.deployment == home / "net.json"


def test_a_file_without_wallet_and_roles_is_enough(tmp_path: Path) -> None:
    seen = look(written(tmp_path, CHAIN + '[p2p]\nbootstrap = ["/ip4/1.2.3.4/tcp/1/p2p/x"]\n'))
    assert seen.chain.endpoints == ("http://file:1",)
    assert seen.p2p.bootstrap == ("/ip4/1.2.3.4/tcp/1/p2p/x",)


@pytest.mark.parametrize("rest", ["[wallet]\ndirectory = 7\n", '[node]\nroles = ["king"]\n'])
def test_what_only_a_node_needs_is_not_judged(tmp_path: Path, rest: str) -> None:
    assert look(written(tmp_path, CHAIN + rest)).chain.deployment == tmp_path / "net.json"


def test_options_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    path, environment = written(tmp_path, CHAIN), {"JEPANET_CHAIN_ENDPOINTS": "http://env:1"}
    assert look(path, environment=environment).chain.endpoints == ("http://env:1",)
    option = look(path, environment=environment, endpoints=("http://option:1",))
    assert option.chain.endpoints == ("http://option:1",)
    alone = look(environment={**environment, "JEPANET_CHAIN_DEPLOYMENT": "/d.json"})
    assert alone.chain.deployment == Path("/d.json")


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({}, ("--rpc URL", "--deployment FILE")),
        ({"endpoints": ("http://a:1",)}, ("--deployment FILE",)),
        ({"deployment": Path("d.json")}, ("--rpc URL",)),
    ],
)
def test_too_little_is_wrong_usage_and_says_what_lacks(
    changes: dict[str, Any], lacks: tuple[str, ...]
) -> None:
    with pytest.raises(Fatal) as caught:
        look(**changes)
    assert caught.value.code is Exit.USAGE
    for option in lacks:
        assert option in str(caught.value.remedy)


@pytest.mark.parametrize(
    "text",
    [
        CHAIN + "[cahin]\n",
        CHAIN + "[p2p]\nbootstrp = []\n",
        CHAIN.replace("http://", "ftp://"),
        CHAIN + "timeout_seconds = 0\n",
        CHAIN + "[worker]\nthreads = 0\n",
        "[chain]\n",
        "not toml",
    ],
)
def test_a_wrong_file_is_refused_as_a_node_would(tmp_path: Path, text: str) -> None:
    with pytest.raises(Fatal) as caught:
        look(written(tmp_path, text))
    assert caught.value.code is Exit.CONFIG
    assert caught.value.remedy


@pytest.mark.parametrize("name", READING)
def test_every_reading_command_can_do_without_a_file(name: str) -> None:
    command: click.Command = cli
    for word in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--rpc", "--deployment", "--config"} <= options
    assert not any(p.required for p in command.params if "--config" in p.opts)


@pytest.mark.parametrize("name", ["round list", "project list"])
def test_without_any_of_it_a_reading_command_says_what_to_give(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_CONFIG", raising=False)
    result = CliRunner().invoke(cli, name.split())
    assert isinstance(result.exception, Fatal)
    assert result.exception.code is Exit.USAGE
