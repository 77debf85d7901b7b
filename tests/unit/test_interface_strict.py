"""No option is ignored in silence, and no text or number is taken that nothing could be meant by."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import cli
from jepanet.interface.strict import MOST_CHARACTERS, StrictCommand, StrictGroup
from jepanet.operations import devnet
from jepanet.settings.config import config_from
from jepanet.settings.terms import wei

pytestmark = pytest.mark.unit

ADDRESS = "0x" + "11" * 20


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Any:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


EVERY = dict(walk(cli))
LEAVES = {path: item for path, item in EVERY.items() if not isinstance(item, click.Group)}
FETCHING = [path for path, item in LEAVES.items() if "offline" in {p.name for p in item.params}]
_PEER = "/ip4/1.2.3.4/tcp/4701/p2p/16Uiu2HAm1"


def refused(*words: object) -> str:
    """What wrong usage is answered with."""
    result = CliRunner().invoke(cli, [*map(str, words)], standalone_mode=False)
    error = result.exception
    if isinstance(error, Fatal):
        assert error.code is Exit.USAGE, error
        return error.message
    assert isinstance(error, click.UsageError), (error, result.output)
    return error.format_message()


def test_every_command_is_strict() -> None:
    for path, command in EVERY.items():
        kind = StrictGroup if isinstance(command, click.Group) else StrictCommand
        assert isinstance(command, kind), " ".join(path)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_no_option_takes_the_last_of_two_values(path: tuple[str, ...]) -> None:
    for item in LEAVES[path].params:
        if isinstance(item, click.Option) and not (item.multiple or item.is_flag or item.count):
            option = item.opts[0]
            assert "given twice" in refused(*path, option, *"1" * item.nargs, option, *"2" * item.nargs)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_no_word_is_longer_than_any_use_for_it(path: tuple[str, ...]) -> None:
    said = refused(*path, "x" * (MOST_CHARACTERS + 1))
    assert str(MOST_CHARACTERS) in said
    assert len(said) < 200


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_number_has_both_bounds(path: tuple[str, ...]) -> None:
    for item in LEAVES[path].params:
        if isinstance(item.type, click.types.IntParamType | click.types.FloatParamType):
            bounds = (getattr(item.type, "min", None), getattr(item.type, "max", None))
            assert None not in bounds, f"{item.name} goes on for ever"


@pytest.mark.parametrize("path", FETCHING, ids=" ".join)
def test_peers_are_not_ignored_offline(path: tuple[str, ...], tmp_path: Path) -> None:
    words: list[object] = [*path, *("1" for item in LEAVES[path].params if isinstance(item, click.Argument))]
    if path[0] == "model":
        words += ["--out", tmp_path / "m"]
    if path[0] == "train":
        words += ["--recipe", "tworoom-tiny", "--data", f"bafkrei{'a' * 52}", "--out", tmp_path / "t"]
    config = tmp_path / "node.toml"
    config.write_text('[chain]\nendpoints = ["http://127.0.0.1:1"]\ndeployment = "d"\n')
    for order in (("--offline", "--peer", _PEER), ("--peer", _PEER, "--offline")):
        assert "--offline" in refused(*words, "--config", config, *order)


@pytest.mark.parametrize(
    "words",
    [
        ("devnet", "fund", ADDRESS, "--tokens", 10**70),
        ("devnet", "fund", ADDRESS, "--ether", 10**70),
        ("devnet", "fund", ADDRESS, ADDRESS),
        ("devnet", "up", "--block-time", "nan"),
        ("devnet", "up", "--block-time", "inf"),
        ("devnet", "up", "--chain-id", 2**200),
        ("dataset", "build", "tworoom", "--out", "x", "--size", "episodes=2", "--size", "episodes=3"),
        ("dataset", "build", "tworoom", "--out", "x", "--size", "episodes=\u00b2"),
        ("dataset", "build", "tworoom", "--out", "x", "--size", "episodes=" + "9" * 4000),
        ("round", "show", 10**80),
        ("verifiers", "show", 2**48),
        ("claim", 1, 0),
    ],
    ids=lambda words: " ".join(map(str, words))[:50],
)
def test_what_cannot_be_meant_is_wrong_usage(
    words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(refused(*words)) < 400


def test_a_kept_chain_does_not_change_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("chain-state.json", "deployment.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(devnet.Deployment, "load", lambda path: SimpleNamespace(chain_id=31337))
    with pytest.raises(Fatal, match="chain 31337") as caught:
        asyncio.run(devnet.up(tmp_path, port=8545, chain_id=5, block_time=1.0))
    assert caught.value.code is Exit.USAGE
    assert "--chain-id 31337" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("node", "name", "x" * 5000),
        ("node", "data_dir", "x" * 5000),
        ("projects", "follow", [10**30]),
        ("projects", "follow", [-(10**30)]),
    ],
    ids=["text", "path", "large", "small"],
)
def test_a_configuration_takes_nothing_without_end(
    section: str, key: str, value: Any, tmp_path: Path
) -> None:
    tree: dict[str, dict[str, Any]] = {
        "node": {"data_dir": "d", "roles": ["solver"]},
        "wallet": {"directory": "w"},
        "chain": {"endpoints": ["http://x"], "deployment": "d"},
        "projects": {},
    }
    tree[section][key] = value
    with pytest.raises(Fatal) as caught:
        config_from(tree, base=tmp_path, environment={})
    assert caught.value.code is Exit.CONFIG
    assert len(caught.value.message) < 200


def test_an_amount_is_not_repeated_to_its_last_digit() -> None:
    with pytest.raises(Fatal) as caught:
        wei("9" * 4000, "AMOUNT")
    assert len(caught.value.message) < 200
