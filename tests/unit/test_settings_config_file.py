"""A path names a node's configuration: a file, a folder with its node.toml, or a folder of several nodes."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import cli
from jepanet.interface.configured import CONFIG_FILE
from jepanet.settings.config import load_config
from jepanet.settings.config_file import config_file, config_files
from rpc_served import config_file as written

pytestmark = pytest.mark.unit


def made(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")


def test_a_file_stands_for_itself_also_one_that_is_not_there(tmp_path: Path) -> None:
    for file in (tmp_path / "any.toml", Path("nowhere/node.toml")):
        assert config_file(file) == file and config_files(file) == (file,)


def test_a_folder_stands_for_its_own_before_those_below_it(tmp_path: Path) -> None:
    one, two, own = tmp_path / "a" / "node.toml", tmp_path / "b" / "node.toml", tmp_path / "node.toml"
    made(two)
    assert config_file(tmp_path) == two, "there is no other"
    made(one)
    assert config_files(tmp_path) == (one, two)
    assert config_file(tmp_path / "a") == one
    made(own)
    assert config_file(tmp_path) == own


def test_a_folder_of_several_nodes_names_them(tmp_path: Path) -> None:
    made(*(tmp_path / f"solver-{number}" / "node.toml" for number in range(1, 10)))
    with pytest.raises(Fatal) as refused:
        config_file(tmp_path)
    text = str(refused.value)
    assert refused.value.code is Exit.CONFIG and "9 nodes" in text and "and more" in text
    assert f"{tmp_path}/solver-1, {tmp_path}/solver-2" in text and "solver-9" not in text
    assert refused.value.remedy == f"name one of them, for example --config {tmp_path}/solver-1"


def test_a_folder_without_a_node_is_told(tmp_path: Path) -> None:
    for take in (config_file, config_files, load_config):
        with pytest.raises(Fatal, match=r"holds no node\.toml") as refused:
            take(tmp_path)
        assert refused.value.code is Exit.CONFIG


def options(name: str, command: click.Command) -> list[tuple[str, click.Option]]:
    if isinstance(command, click.Group):
        return [item for key, each in command.commands.items() for item in options(f"{name} {key}", each)]
    return [
        (name, item) for item in command.params if isinstance(item, click.Option) and "--config" in item.opts
    ]


def test_every_command_takes_a_folder() -> None:
    """`node run` takes several, and finds them by the same function."""
    context = click.Context(cli)
    found = [
        item
        for name in cli.list_commands(context)
        if (each := cli.get_command(context, name)) is not None
        for item in options(name, each)
    ]
    assert len(found) > 30
    assert [name for name, item in found if item.type is not CONFIG_FILE] == ["node run"]


def test_a_command_reads_the_configuration_of_a_folder(tmp_path: Path) -> None:
    written(tmp_path)
    for given in (tmp_path, tmp_path / "node.toml"):
        shown = CliRunner().invoke(cli, ["config", "show", "--config", str(given), "--json"])
        assert str(tmp_path / "data") in shown.stdout
    made(tmp_path / "several" / "a" / "node.toml", tmp_path / "several" / "b" / "node.toml")
    refused = CliRunner().invoke(cli, ["rewards"], env={"JEPANET_CONFIG": str(tmp_path / "several")})
    assert isinstance(refused.exception, Fatal) and "2 nodes" in str(refused.exception)
