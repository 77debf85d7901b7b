"""Names of modules and files in documents, docstrings and comments: each leads to something that is there.

A name that was left behind by a move misleads more than none, and nothing else would notice: neither the type
checker nor another test reads prose. The changelog tells what was, so it is not read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest

from jepanet.settings.config import Config

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "client"
READ = (
    "client",
    "tests",
    "benchmarks",
    "scripts",
    "deploy",
    "docs",
    ".ci",
    "contracts/src",
    "contracts/test",
)
SUFFIXES = {".py", ".md", ".sol", ".toml", ""}
NOT_READ = {"docs/changelog.md"}

_QUOTED = re.compile(r"`([A-Za-z_./][\w./-]*)(?:\(\))?`")
_FULL = re.compile(r"(?<![\w.\"'`/-])`?(jepanet(?:\.[a-z_]\w*)+(?:\.[A-Z]\w*)?)(?![\w.]*[\w\"'])`?")
_SOURCE_PATH = re.compile(r"(?<![\w/])(client/jepanet/[\w./-]*\w)")
_FILE_ENDINGS = (".py", ".md", ".sol", ".toml", ".json", ".txt")
_TAGS = re.compile(r"jepanet\.(training\.\w+|\w+\.\d+)|jepanet\.x(\.y)?")
"""Names that are hashed or stand in a file's header, and the example of a name."""


# ------------------------------------------------------------------ reading


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """What people read of a file: all of a document, the docstrings and comments of code; line by line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py" and not text.startswith("#!/usr/bin/env python3"):
        yield from enumerate(text.splitlines(), 1)
        return
    for node in ast.walk(_parsed(path)):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            # A docstring, of a module, class or function or beneath a constant or field.
            yield from enumerate(value.value.splitlines(), value.lineno)
    for number, line in enumerate(text.splitlines(), 1):
        if "#" in line:
            yield number, line.partition("#")[2]


def stale_names(line: str, where: Path) -> list[str]:
    """What `line` of a file in the folder `where` names of ours and is not there."""
    stale = [name for name in _FULL.findall(line) if not _TAGS.fullmatch(name) and not is_ours(name)]
    stale += [path for path in _SOURCE_PATH.findall(line) if not is_file(path, where)]
    stale += [name for name in _QUOTED.findall(line) if _is_stale(name, where)]
    return list(dict.fromkeys(stale))


def _is_stale(name: str, where: Path) -> bool:
    of_a_folder = name.replace("/", ".").split(".")[0] in _folders()
    if name.endswith(".py"):
        return not is_file(name, where)
    if "/" in name:
        return of_a_folder and "." not in name and not is_file(name, where)
    if not of_a_folder or "." not in name or name in _words_with_a_dot() or name.endswith(_FILE_ENDINGS):
        return False
    return not is_ours(f"jepanet.{name}") and not is_tail(name)


_MADE_BY_SETUP = "client/jepanet/dashboard"
"""Built by scripts/setup, and not there before."""


def is_file(name: str, where: Path) -> bool:
    """Whether a path leads somewhere: from the root, the file it stands in, or any folder of code."""
    if (ROOT / name).exists() or (where / name).exists() or name.startswith(_MADE_BY_SETUP):
        return True
    return any(f"{path}/".endswith(f"/{name.rstrip('/')}/") for path in _tree())


def is_ours(name: str) -> bool:
    """Whether a dotted name is a module or package of ours, or something defined in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        defined = _modules().get(".".join(parts[:length]))
        if defined is not None:
            return length == len(parts) or parts[length] in defined
    return False


def is_tail(name: str) -> bool:
    """Whether a dotted name is the end of a module's, as in `sending.nonces`, or something defined there."""
    parts = name.split(".")
    return any(
        module.endswith("." + ".".join(parts[:length])) and (length == len(parts) or parts[length] in defined)
        for length in range(len(parts), 0, -1)
        for module, defined in _modules().items()
    )


@cache
def _modules() -> Mapping[str, frozenset[str]]:
    """Every module of ours -> the names it defines, those of its classes' members included."""
    found = {}
    for path in sorted((CLIENT / "jepanet").rglob("*.py")):
        parts = path.relative_to(CLIENT).with_suffix("").parts
        names = set()
        for node in ast.walk(_parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = frozenset(names)
    return found


@cache
def _folders() -> frozenset[str]:
    """Names of rooms, shelves and leaves, with which names in short form begin; `data.data` is JSON's."""
    root = CLIENT / "jepanet"
    names = {path.parent.name for path in root.rglob("*.py")} | {path.stem for path in root.glob("*.py")}
    return frozenset(names - {"jepanet", "data"})


@cache
def _tree() -> frozenset[str]:
    """Every module and folder of client, tests and benchmarks."""
    folders = (CLIENT, ROOT / "tests", ROOT / "benchmarks")
    modules = {path for folder in folders for path in folder.rglob("*.py")}
    return frozenset(str(path) for path in modules | {path.parent for path in modules})


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _words_with_a_dot() -> frozenset[str]:
    """What is spelt like a module's name and is none: keys of the configuration, events of the log."""
    keys = {
        f"{section}.{item.name}"
        for section, kind in get_type_hints(Config).items()
        if hasattr(kind, "__dataclass_fields__")
        for item in fields(kind)
    }
    literals = {
        node.value
        for path in (CLIENT / "jepanet").rglob("*.py")
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return frozenset(keys | {text for text in literals if re.fullmatch(r"[a-z_]+\.[a-z_]+", text)})


def _files() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    for folder in READ:
        for path in sorted((ROOT / folder).rglob("*")):
            hidden = "__pycache__" in path.parts or str(path.relative_to(ROOT)) in NOT_READ
            if path.is_file() and path.suffix in SUFFIXES and not hidden:
                yield path


# ------------------------------------------------------------------ what is named is there


def test_every_module_and_file_that_prose_names_is_there() -> None:
    stale = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in _files()
        for number, line in prose_of(path)
        for name in stale_names(line, path.parent)
    ]
    assert not stale, "\n".join(stale)


@pytest.mark.parametrize(
    "line",
    [
        "as in jepanet.chain.rpc, which",
        "see `jepanet.node.jobs`",
        "see `jepanet.protocol.transition.no_such_thing`.",
        "`jepanet.node.jobs.train_delta`",
        "client/jepanet/node/jobs.py says",
        "| who | `client/jepanet/chain/rpc.py` |",
        "(see `chain.rpc`)",
        "`protocol.rewards`",
        "`learning.train`",
        "`node/contribution.py`",
        "`federation/verify.py`",
        "`no_such_file.py`",
        "`tests/unit/no_such_test.py`",
    ],
)
def test_a_planted_stale_name_is_seen(line: str) -> None:
    assert len(stale_names(line, ROOT)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "jepanet.protocol.transition and `jepanet.protocol.rounds.Round`, in client/jepanet/cid.py.",
        "`sending.nonces`, `protocol.rounds.Round.phase`, `work/jobs.py`, `family.py`, `tests/recordings`",
        "keys `worker.device` and `chain.log_queries_above`, event `node.started`, `jepanet.shard.1`",
        "`python -m jepanet`, `jepanet verify`, `node.toml`, `p2p/node.key`, ~/.jepanet/wallets",
    ],
)
def test_a_true_name_passes(line: str) -> None:
    assert stale_names(line, ROOT) == []


# ------------------------------------------------------------------ what documents lead to

_TEST = re.compile(r"`(test\w+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def documents() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    for folder in ("docs", "deploy", "contracts"):
        yield from sorted((ROOT / folder).rglob("*.md"))


@cache
def known_names_of_tests() -> frozenset[str]:
    found: set[str] = set()
    solidity = [*(ROOT / "contracts" / "test").rglob("*.sol"), *(ROOT / "docs" / "reports").glob("*.sol")]
    for path in [*(ROOT / "tests").rglob("*.py"), *solidity]:
        found |= set(re.findall(r"\b(?:def|function) (test\w+)", path.read_text(encoding="utf-8")))
    return frozenset(found)


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """What may stand behind the # of a link to a document, as the forges make it of headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def dead_ends(text: str, where: Path) -> list[str]:
    """Tests that are not there, and links that lead nowhere."""
    ends = [name for name in _TEST.findall(text) if name not in known_names_of_tests()]
    for link in _LINK.findall(text):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = where.parent / file if file else where
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            ends.append(link)
    return ends


def test_every_test_and_link_in_a_document_leads_somewhere() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {end}"
        for path in documents()
        if str(path.relative_to(ROOT)) not in NOT_READ and "node_modules" not in path.parts
        for end in dead_ends(path.read_text(encoding="utf-8"), path)
    ]
    assert not dead, "\n".join(dead)


@pytest.mark.parametrize(
    "text", ["`test_that_nobody_wrote`", "[x](no-such.md)", "[x](README.md#no-such-part)", "[x](#nowhere)"]
)
def test_a_planted_dead_end_is_seen(text: str) -> None:
    assert len(dead_ends(text, ROOT / "README.md")) == 1
