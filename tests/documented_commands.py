"""Blocks of code in the documents, each with what the comment above it declares.

    <!-- needs: a running solver -->       played by the tests in the set-up of that name
    <!-- run by: scripts/test browser -->  the test, or the script, that does just this
    <!-- not run here: systemd -->         looked at alone, for want of what is named

A block of commands is fenced as `bash`. Behind a command, `# ends with 28` names its exit code where it
is not 0.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from jepanet.interface.cli import cli

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("docs", "deploy", "contracts", "benchmarks")
WRITTEN = {"docs/cli-reference.md", "docs/rpc-reference.md", "docs/changelog.md"}
"""By scripts, of what the code says; and what tells of former versions."""
NEEDS, RUN_BY, NOT_RUN = "needs", "run by", "not run here"

_FENCE = re.compile(
    r"(?:^[ \t]*<!-- (?P<kind>[a-z ]+): (?P<said>[^\n]+?) -->\n)?"
    r"^(?P<indent>[ \t]*)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(
    r"^\s*(?:[A-Z_]+=\S+ )*(?:sudo |\S*/)?"
    r"(?:jepanet|scripts/|deploy/contracts\.py|forge|\S*slither|docker|python3?)\b"
)
_CODE = re.compile(r"\bends with (\d+)\b")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    """Of its first line of code."""
    heading: str
    language: str
    text: str
    kind: str = ""
    """NEEDS, RUN_BY or NOT_RUN; empty where nothing is declared."""
    said: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a block, continuation lines joined, without its comment."""

    text: str
    line: int
    code: int = 0


def pages() -> Iterator[Path]:
    """Every document that people read, README first."""
    yield ROOT / "README.md"
    yield ROOT / "CONTRIBUTING.md"
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.md")):
            if path.relative_to(ROOT).as_posix() not in WRITTEN and "node_modules" not in path.parts:
                yield path


def blocks_of(text: str, page: str = "") -> Iterator[Block]:
    """The fenced blocks of a page's text, in order."""
    headings = [(match.start(), match[1]) for match in re.finditer(r"^#{1,3} (.+)$", text, re.MULTILINE)]
    for match in _FENCE.finditer(text):
        above = [title for at, title in headings if at < match.start()]
        indent = match["indent"]
        yield Block(
            page=page,
            line=text.count("\n", 0, match.start("text")) + 1,
            heading=above[-1] if above else "",
            language=match["language"].strip(),
            text=re.sub(rf"^{indent}", "", match["text"], flags=re.MULTILINE),
            kind=match["kind"] or "",
            said=match["said"] or "",
        )


def blocks(*languages: str) -> list[Block]:
    """Every block of these languages, page by page."""
    return [
        block
        for path in pages()
        for block in blocks_of(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
        if block.language in languages
    ]


def commands(block: Block) -> list[Command]:
    """What a block has a shell do, line by line."""
    found: list[Command] = []
    pending = ""
    for number, line in enumerate(block.text.splitlines(), block.line):
        code, comment = _parted(line)
        pending = f"{pending} {code.strip()}" if pending else code.strip()
        if pending.endswith("\\"):
            pending = pending[:-1].rstrip()
        elif pending:
            ends = _CODE.search(comment)
            found.append(Command(pending, number, int(ends[1]) if ends else 0))
            pending = ""
    return found


def _parted(line: str) -> tuple[str, str]:
    """A line's code and its comment: a # that begins a word outside of quotes."""
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at], line[at:]
    return line, ""


def undeclared(text: str, page: str = "") -> list[str]:
    """Blocks of commands or Python whose needs nobody declared, and commands that stand in no such block."""
    wrong = []
    for block in blocks_of(text, page):
        if block.language in ("bash", "python"):
            if block.kind not in (NEEDS, RUN_BY, NOT_RUN):
                wrong.append(
                    f"{block}: say what it needs in a comment above it (tests/documented_commands.py)"
                )
        elif block.language in ("", "sh", "shell", "console") and _has_commands(block.text):
            wrong.append(f"{block}: fence commands as ```bash")
    without = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, line in enumerate(without.splitlines(), 1):
        if line.startswith("    ") and _COMMAND.match(line):
            wrong.append(f"{page}:{number}: fence commands as ```bash")
    return wrong


def _has_commands(text: str) -> bool:
    return any(_COMMAND.match(line) for line in text.splitlines())


# ------------------------------------------------------------------ calls of `jepanet`

_PLACEHOLDERS = {
    "CID": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    "SOLVER": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "ADDRESS": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0xAbc…": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0xDef…": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "0x123…": "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    "0x456…": "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
    "MULTIADDR": "/ip4/127.0.0.1/tcp/4701/p2p/16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg",
    "ROUND": "1",
    "SET": "1",
}
"""What stands for something of the reader's own -> one that there could be (accounts of anvil)."""


def calls(command: str) -> list[list[str]]:
    """The arguments of every `jepanet` that a command line calls, placeholders filled in."""
    found = []
    for words in _simple(command):
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["sudo"]:
            words = words[3:] if words[1] == "-u" else words[1:]
        if words[:1] == ["docker"] and "exec" in words:
            words = [
                *words[words.index("exec") + 2 :],
                "--config",
                "node.toml",
            ]  # the image's environment has it
        if words and (words[0] == "jepanet" or words[0].endswith("bin/jepanet")):
            found.append([_PLACEHOLDERS.get(word, word) for word in words[1:]])
    return found


def _simple(command: str) -> Iterator[list[str]]:
    """The words of each simple command of a line, without what is redirected."""
    words: list[str] = []
    redirected = False
    reader = shlex.shlex(command, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    reader.commenters = ""
    for word in reader:
        if set(word) <= set("();<>|&"):
            redirected = set(word) <= set("<>")
            if not redirected:
                yield words
                words = []
        elif not redirected:
            words.append(word)
    yield words


def parsed(arguments: list[str]) -> None:
    """Has the real parser read a command line, as far as it can without looking at a disk.

    Raises:
        click.UsageError: it would refuse it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click.Path, "convert", lambda _self, value, _param, _ctx: Path(value))
        group: click.Command = cli
        context: click.Context | None = None
        name = "jepanet"
        while True:
            context = group.make_context(name, list(arguments), parent=context)
            if not isinstance(group, click.Group):
                return
            rest = [*context._protected_args, *context.args]
            _, below, arguments = group.resolve_command(context, rest)
            assert below is not None
            name, group = str(below.name), below


def mentioned(span: str) -> str:
    """What is wrong with a mention as `jepanet verify --retrain`: a command or option that is not there."""
    words = span.split()[1:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        below = command.get_command(click.Context(command), words[0])
        if below is None:
            return f"no command {words[0]}"
        command, words = below, words[1:]
    options = command.get_params(click.Context(command, help_option_names=["-h", "--help"]))
    known = {name for item in options for name in item.opts}
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return ", ".join(f"no option {name}" for name in given if name not in known)
