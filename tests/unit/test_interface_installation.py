"""`jepanet version` and `jepanet completion`."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from jepanet import __version__
from jepanet.chain.contracts import abi as exported
from jepanet.interface.arguments.completion import VARIABLE
from jepanet.interface.cli import COMMANDS, cli

pytestmark = pytest.mark.unit


def test_version_says_what_is_installed_and_which_contracts_are_spoken_to() -> None:
    result = CliRunner().invoke(cli, ["version", "--json"])
    assert json.loads(result.stdout) == {
        "client": __version__,
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "abi": exported.abi_digest().hex(),
    }
    shown = CliRunner().invoke(cli, ["version"]).stdout
    assert __version__ in shown and "torch" in shown


def test_the_digest_depends_on_every_abi_and_on_the_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, load = exported.abi_digest(), exported.load_abi
    files = {path.stem for path in (Path(__file__).resolve().parents[2] / "abi").glob("*.json")}
    found = {plain}
    for name in files:
        for change in ({"entries": ()}, {"code": "00"}, {"runtime": "00"}):

            def changed(asked: str, name: str = name, change: dict[str, object] = change) -> object:
                return replace(load(asked), **change) if asked == name else load(asked)  # type: ignore[arg-type]

            monkeypatch.setattr(exported, "load_abi", changed)
            found.add(exported.abi_digest())
    assert len(found) == 1 + 3 * len(files)


@pytest.mark.subprocess
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_the_script_that_asks_this_program(shell: str) -> None:
    """A process: click asks bash for its version."""
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert VARIABLE in result.stdout and f"{shell}_complete" in result.stdout


def test_what_the_script_asks_is_answered_with_commands_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(words: str, count: int) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(count))
        monkeypatch.setenv(VARIABLE, "bash_complete")
        result = CliRunner().invoke(cli, [], prog_name="jepanet", complete_var=VARIABLE)
        assert result.exit_code == 0, result.output
        return [line.partition(",")[2] for line in result.stdout.splitlines()]

    assert answered("jepanet ", 1) == list(COMMANDS)
    assert answered("jepanet ver", 1) == ["verifiers", "verify", "version"]
    assert "--retrain" in answered("jepanet verify --", 2)
    assert answered("jepanet completion ", 2) == ["bash", "zsh", "fish"]


def test_a_shell_that_nobody_knows_is_wrong_usage() -> None:
    assert CliRunner().invoke(cli, ["completion", "tcsh"]).exit_code == 2
