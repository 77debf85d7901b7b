"""The command line: commands explain themselves, an error is one line and a number, nothing loads early."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner

from jepanet import __version__
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.interface import cli as module
from jepanet.interface.cli import COMMANDS, cli, main
from jepanet.interface.terminal.output import emit, pairs, shown, table, tokens
from jepanet.operations.views.funds import Account, JoinedSet
from jepanet.operations.views.json_form import Wei
from jepanet.types import Address

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
SILENT = {"node run", "completion"}
"""Commands that print no result: one runs until it is stopped, one prints a script."""


@pytest.fixture(autouse=True)
def logging_is_left_as_it_was() -> Iterator[None]:
    """The entry point sends log lines to the standard error of its day, which a test replaces and closes."""
    yield
    structlog.reset_defaults()


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} is listed and cannot be loaded"
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


EVERY = dict(walk(cli))
LEAVES = {name: command for name, command in EVERY.items() if not isinstance(command, click.Group)}


def helped(*arguments: str) -> str:
    result = CliRunner().invoke(cli, [*arguments, "--help"])
    assert result.exit_code == 0, result.output
    return result.output


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of the entry point."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


# ------------------------------------------------------------------ the reference


def test_the_reference_is_what_the_commands_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader = SourceFileLoader("jepanet_cli_reference", str(ROOT / "scripts" / "write_cli_reference"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    written = importlib.util.module_from_spec(spec)
    loader.exec_module(written)
    page = (ROOT / "docs/cli-reference.md").read_text(encoding="utf-8")
    assert page == written.page_of(cli), "run scripts/write_cli_reference"
    assert all(f"# jepanet {name}\n" in page for name in EVERY)
    monkeypatch.setattr(LEAVES["node run"], "help", "Something else.")
    assert page != written.page_of(cli)


# ------------------------------------------------------------------ help


def test_the_table_of_commands_is_the_folder_of_their_arguments() -> None:
    folder = Path(module.__file__).parent / "arguments"
    shelves = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert set(COMMANDS) == {path.stem for path in folder.glob("*.py")} - {"__init__"} | shelves


@pytest.mark.parametrize("name", EVERY)
def test_every_command_explains_itself(name: str) -> None:
    text = helped(*name.split())
    assert "Usage:" in text
    assert EVERY[name].help, "it says nothing of itself"


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_shows_an_example_that_names_it(name: str) -> None:
    text = helped(*name.split())
    assert "Example" in text
    assert f"jepanet {name}" in " ".join(text.split())


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_that_prints_can_print_json(name: str) -> None:
    options = {option for parameter in LEAVES[name].params for option in parameter.opts}
    assert ("--json" in options) != (name in SILENT)


@pytest.mark.parametrize("name", LEAVES)
def test_every_example_is_accepted_by_the_parser(name: str) -> None:
    """Parses the example's arguments; files it names need not exist."""
    text = " ".join((LEAVES[name].help or "").replace("\b", "").split())
    example = text.split(f"jepanet {name}", 1)[1].split("jepanet ")[0].split()
    known = {option for parameter in LEAVES[name].params for option in parameter.opts}
    used = [word for word in example if word.startswith("--")]
    assert set(used) <= known, "the example names an option the command does not have"
    required = [p for p in LEAVES[name].params if p.required and isinstance(p, click.Option)]
    for parameter in required:
        assert set(parameter.opts) & set(used), f"the example lacks {parameter.opts[0]}"


def test_the_help_of_the_whole_lists_every_command_once() -> None:
    text = helped()
    for name, what in COMMANDS.items():
        assert what in " ".join(text.split())
        assert sum(line.split()[:1] == [name] for line in text.splitlines()) == 1


def test_the_summary_of_a_command_needs_no_import() -> None:
    """`jepanet --help` must not pay for what only a command needs."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
    assert not {
        name for name in names if name.startswith(("jepanet.node", "jepanet.interface.arguments", "rich"))
    }


@pytest.mark.parametrize(
    "path", sorted((Path(module.__file__).parent / "arguments").rglob("*.py")), ids=lambda p: p.stem
)
def test_a_command_imports_its_work_only_when_it_runs(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            heavy = ("jepanet.node", "jepanet.operations", "rich")
            assert not (node.module or "").startswith(heavy), ast.unparse(node)


# ------------------------------------------------------------------ errors


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ended(capsys, "--version")
    assert (code, out.strip()) == (0, f"jepanet, version {__version__}")


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("--nonsense",), ("wallet", "nonsense"), ("round", "show", "x"), ("verify",),
     ("round", "show", "0", "--config", "x"), ("devnet", "up", "--port", "70000"),
     ("status",), ("project", "create", "--dataset", "/nowhere")],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_CONFIG", raising=False)
    code, out, err = ended(capsys, *arguments)
    assert code == Exit.USAGE
    assert out == ""
    assert "Traceback" not in err
    assert err.strip()


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any) -> Any:
        raise error

    from jepanet.settings import config

    monkeypatch.setattr(config, "load_config", load)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Fatal("the wallet is locked", remedy="name a password file", code=Exit.WALLET), Exit.WALLET),
        (Fatal("wrong chain", code=Exit.WRONG_CHAIN), Exit.WRONG_CHAIN),
        (
            Transient("no endpoint answers", remedy="add one", code=Exit.CHAIN_UNREACHABLE),
            Exit.CHAIN_UNREACHABLE,
        ),
        (Rejected("refused", reason="why"), Exit.REJECTED),
        (Fatal("whatever"), Exit.FAILURE),
    ],
)
def test_an_error_is_one_line_with_its_remedy_and_its_number(
    error: Any, code: Exit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(error, monkeypatch)
    ended_with, out, err = ended(capsys, "status", "--config", "node.toml")
    assert ended_with == code
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == f"jepanet: {error.message}"
    assert lines[1:] == ([f"  what to do: {error.remedy}"] if error.remedy else [])


def test_with_json_an_error_is_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(Fatal("wrong chain", remedy="look", code=Exit.WRONG_CHAIN), monkeypatch)
    code, out, err = ended(capsys, "status", "--config", "node.toml", "--json")
    assert code == Exit.WRONG_CHAIN
    assert out == ""
    assert json.loads(err) == {"error": "wrong chain", "remedy": "look", "code": 13}


def test_interrupting_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(KeyboardInterrupt(), monkeypatch)
    code, _, err = ended(capsys, "status", "--config", "node.toml")
    assert code in (1, 130)
    assert "Traceback" not in err


def test_an_unknown_log_level_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JEPANET_LOG_LEVEL", "loud")
    code, _, err = ended(capsys, "wallet", "list", "--dir", "/nowhere")
    assert code == Exit.USAGE
    assert "JEPANET_LOG_LEVEL" in err


@pytest.mark.parametrize("command", ["stake deposit", "stake unbond", "stake withdraw", "verifiers create"])
@pytest.mark.parametrize("text", ["ten", "1e400", "0.0000000000000000001", "nan"])
def test_an_amount_that_is_none_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], command: str, text: str
) -> None:
    given = [text] if command.startswith("stake") else ["0x" + "1" * 40, "--threshold", "1", "--cap", text]
    code, _, err = ended(capsys, *command.split(), *given, "--config", "/nowhere/node.toml")
    assert code == Exit.USAGE
    assert ("AMOUNT" in err or "--cap" in err) and "12.5" in err


def test_a_missing_configuration_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ended(capsys, "status", "--config", str(tmp_path / "node.toml"))
    assert code == Exit.CONFIG
    assert "node.toml" in err


def test_the_configuration_may_come_from_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JEPANET_CONFIG", str(tmp_path / "from-environment.toml"))
    code, _, err = ended(capsys, "status")
    assert code == Exit.CONFIG
    assert "from-environment.toml" in err


# ------------------------------------------------------------------ output


@pytest.mark.parametrize(
    ("wei", "text"),
    [(0, "0"), (10**18, "1"), ("1500000000000000000", "1.5"), (1, "0"), (10**12, "0.000001"),
     (1234567 * 10**18, "1,234,567"), (10**17 * 3, "0.3"), (100 * 10**18, "100")],
)  # fmt: skip
def test_tokens_for_people(wei: int | str, text: str) -> None:
    assert tokens(wei) == text


def test_of_a_wallet_only_the_amounts_become_tokens() -> None:
    nothing, hundred = Wei(0), Wei(100 * 10**18)
    account = Account(Address("0x01"), nothing, nothing, hundred, nothing, nothing, nothing)
    told = shown(JoinedSet(4, False, True, hundred, 600, Wei(10**17), account))
    assert told["set"] == 4 and told["joined_before"] is False and told["address"] == "0x01"
    assert told["minimum_stake"] == "0.1" and told["stake_free"] == "100"
    assert told["cap"] == "100" and told["max_hold_seconds"] == 600
    assert list(told)[:3] == ["set", "joined_before", "active"]


def test_json_is_sorted_and_complete(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"b": 1, "a": "10" * 20}, True, lambda _: pytest.fail("not for people"))
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": "10" * 20, "b": 1}
    assert out.index('"a"') < out.index('"b"')


def test_what_strangers_wrote_cannot_draw_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table("Receipts", ("detail",), [("[/red]",), ("[link=http://x]paid[/link]",), ("\x1b[2J\x07\rpaid 9",)])
    out = capsys.readouterr().out
    assert "[/red]" in out
    assert "[link=http://x]paid[/link]" in out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\r" not in out
    assert "paid 9" in out


def test_tables_show_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    table("Rounds", ("round", "phase"), [(1, "commit"), (2, "[bold]markup[/bold]")])
    pairs("Thing", {"empty": None, "amount": 3})
    out = capsys.readouterr().out
    for cell in ("Rounds", "commit", "[bold]markup[/bold]", "amount", "3"):
        assert cell in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["lab", "compare", "--seeds", ""],
        ["lab", "compare", "--arms", ""],
        ["lab", "study", "codecs", "--seeds", ""],
    ],
)
def test_an_empty_list_is_refused_and_is_not_the_default(arguments: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "out")])
    code = done.exception.code if isinstance(done.exception, Fatal) else done.exit_code
    assert code == Exit.USAGE and not (tmp_path / "out").exists()
