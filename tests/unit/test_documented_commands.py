"""Every command in a document says what it needs, is one for a shell, and one that the real parser takes."""

from __future__ import annotations

import re
import subprocess

import click
import pytest

from documented_commands import (
    NEEDS,
    NOT_RUN,
    ROOT,
    RUN_BY,
    Block,
    blocks,
    blocks_of,
    calls,
    commands,
    mentioned,
    pages,
    parsed,
    undeclared,
)

pytestmark = pytest.mark.unit

BLOCKS = blocks("bash", "python")


def test_every_block_declares_what_it_needs() -> None:
    wrong = [
        item
        for path in pages()
        for item in undeclared(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "```bash\njepanet status\n```\n",
        "```python\nprint(1)\n```\n",
        "<!-- wants: nothing -->\n```bash\njepanet status\n```\n",
        "<!-- needs: nothing -->\n\n```bash\njepanet status\n```\n",
        "```\njepanet status\n```\n",
        "```console\nsudo jepanet status\n```\n",
        "   ```\n   deploy/contracts.py verify x.json\n   ```\n",
        "Call\n\n    jepanet status\n",
        "Call\n\n    JEPANET_CONFIG=x scripts/test\n",
    ],
)
def test_one_that_declares_nothing_is_seen(text: str) -> None:
    assert len(undeclared(text, "page.md")) == 1


def test_what_needs_no_declaration_passes() -> None:
    drawn = "```text\njepanet status\n```\n```toml\n[rpc]\n```\n```\n ┌─▶\n```\n"
    assert not undeclared(drawn + "<!-- needs: x -->\n```bash\nls\n```\n")


def test_lines_are_commands_with_the_code_that_they_end_with() -> None:
    block = next(
        blocks_of(
            "# A\n## B\n<!-- needs: a chain -->\n```bash\n# nothing\na 'b # c'   # ends with 28: no node\n"
            "d \\\n  --e     # and so on\n```\n"
        )
    )
    assert (block.heading, block.kind, block.said, block.line) == ("B", NEEDS, "a chain", 5)
    assert [(item.text, item.line, item.code) for item in commands(block)] == [
        ("a 'b # c'", 6, 28),
        ("d --e", 8, 0),
    ]


@pytest.mark.parametrize("block", [item for item in BLOCKS if item.kind == RUN_BY], ids=str)
def test_what_runs_a_command_elsewhere_is_there(block: Block) -> None:
    assert (ROOT / block.said).is_file()


def test_few_commands_are_not_run() -> None:
    """Who adds one says why, and counts it here."""
    reasons = [block.page for block in BLOCKS if block.kind == NOT_RUN]
    outside = [page for page in reasons if not page.startswith(("docs/reports/", "docs/decisions/"))]
    assert len(outside) == 10, outside


# ------------------------------------------------------------------ the shell and the parser


@pytest.mark.subprocess
@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_a_block_is_one_for_a_shell(block: Block) -> None:
    read = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_the_parser_takes_every_call_with_all_its_options(block: Block) -> None:
    for command in commands(block):
        for arguments in calls(command.text):
            try:
                parsed(arguments)
            except click.exceptions.Exit:
                pass  # --help
            except click.ClickException as error:
                raise AssertionError(f"{block.page}:{command.line}: {error.format_message()}") from error


@pytest.mark.parametrize(
    "command",
    ["jepanet no-such", "jepanet status --no-such", "jepanet verify", "sudo x/bin/jepanet round show one"],
)
def test_a_call_that_the_parser_refuses_is_seen(command: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(calls(command)[0])


def test_every_command_and_option_that_prose_mentions_is_there() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: `{span}`: {fault}"
        for path in pages()
        for span in re.findall(r"`(jepanet [^`]+)`", path.read_text(encoding="utf-8").replace("\n", " "))
        if (fault := mentioned(span))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("span", ["jepanet no-such", "jepanet node no-such", "jepanet verify 3 --no-such"])
def test_a_mention_of_what_is_not_there_is_seen(span: str) -> None:
    assert mentioned(span)
