"""What the page of a whole network lets people copy is what the command line takes, and holds no key."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jepanet.interface.cli import cli
from jepanet.interface.handles import Inputs
from jepanet.interface.observed_page import options_of
from jepanet.rpc.observing.commands import commands_of

pytestmark = pytest.mark.unit

PEER = "/ip4/192.0.2.7/tcp/4701/p2p/16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg"


def options(*urls: str, deployment: str = "/net/deployment.json", offline: bool = False) -> str:
    where: Any = SimpleNamespace(
        chain=SimpleNamespace(endpoints=urls, deployment=Path(deployment)), p2p=SimpleNamespace(bootstrap=())
    )
    return options_of(where, Inputs(Path("/kept"), () if offline else (PEER,), offline))


@pytest.mark.parametrize("offline", [False, True])
def test_every_command_is_one_that_the_command_line_takes(offline: bool) -> None:
    given = options(
        "http://127.0.0.1:8545", "https://b.example.org", deployment="/my nets/d.json", offline=offline
    )
    project: Any = SimpleNamespace(exported=7)
    commands = [item.command for item in commands_of(project, given)]
    assert len(commands) == 4
    for text in commands:
        program, *words = shlex.split(text)
        assert program == "jepanet" and "/my nets/d.json" in words
        command: click.Command = cli
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, text
            command = found
        context = command.make_context("it", words)
        assert context.params["endpoints"] == ("http://127.0.0.1:8545", "https://b.example.org")


def test_before_a_round_is_settled_there_is_nothing_to_copy() -> None:
    project: Any = SimpleNamespace(exported=None)
    assert commands_of(project, "") == ()


def test_attack_a_key_in_an_endpoint_is_not_shown() -> None:
    shown = options("https://user:secret@rpc.example.org/v3/0123456789abcdef?key=fedcba98")
    assert shown.startswith("--rpc https://rpc.example.org/YOUR-KEY --deployment")
    assert not [part for part in ("secret", "0123456789abcdef", "fedcba98") if part in shown]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --config FILE of a running node, or --rpc URL"),
        (("--project", "1"), "go with --rpc URL"),
        (("--peer", PEER), "go with --rpc URL"),
        (("--rpc", "http://127.0.0.1:1", "--operate"), "nothing to operate"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_CONFIG", raising=False)
    result = CliRunner().invoke(cli, ["dashboard", *words])
    assert isinstance(result.exception, click.UsageError | SystemExit)
    told = result.output if isinstance(result.exception, SystemExit) else result.exception.format_message()
    assert said in told
