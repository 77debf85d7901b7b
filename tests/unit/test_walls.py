"""The walls of the house: who may import whom, read off the source.

Every import statement counts, wherever it stands: at the top, inside a function, or under TYPE_CHECKING.
A room that needs something from beside it takes it as an argument (a Protocol, a callable) and `node` joins
the two.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SOURCE = Path(__file__).resolve().parents[2] / "client"
PACKAGE = "jepanet"

LEAVES = frozenset(
    {
        "types",
        "addresses",
        "cid",
        "division",
        "errors",
        "files",
        "intents",
        "log_file",
        "log_stream",
        "process_identity",
        "records",
        "repetition",
        "recent_lines",
        "telemetry",
        "lifetime",
        "nesting",
        "tensors",
        "tokens",
        "texts",
        "traffic",
    }
)
_MIDDLE = frozenset({"protocol", "chain", "p2p", "storage", "learning", "federation", "settings", "work"})

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {"errors", "interface.python"}
        | {"operations.in_memory", "operations.views", "operations.auditing.failed"}
    ),
    "types": frozenset(),
    "errors": frozenset(),
    "tokens": frozenset(),
    "division": frozenset(),
    "plain_structlog": frozenset(),
    "repetition": frozenset({"plain_structlog"}),
    "recent_lines": frozenset(),
    "telemetry": frozenset({"log_file", "log_stream", "plain_structlog", "recent_lines", "repetition"}),
    "log_file": frozenset({"log_stream", "errors"}),
    "log_stream": frozenset(),
    "lifetime": frozenset(),
    "process_identity": frozenset(),
    "traffic": frozenset(),
    "addresses": frozenset({"types"}),
    "cid": frozenset({"types", "errors"}),
    "nesting": frozenset({"errors"}),
    "tensors": frozenset({"errors", "nesting"}),
    "records": frozenset({"types", "addresses", "errors", "nesting", "tensors"}),
    "intents": frozenset({"types"}),
    "files": frozenset({"types", "cid", "errors", "telemetry"}),
    "texts": frozenset({"errors", "nesting"}),
    "protocol": frozenset(
        {"types", "addresses", "cid", "division", "errors", "nesting", "records", "tensors"}
    ),
    "chain": LEAVES | {"protocol"},
    "p2p": LEAVES | {"protocol"},
    "storage": LEAVES,
    "learning": LEAVES,
    "federation": LEAVES,
    "work": LEAVES | {"protocol", "learning", "federation"},
    "settings": LEAVES
    | {
        "protocol",
        "chain.contracts.deployment",
        "chain.deploying.parameters",
        "chain.keys",
        "chain.sending.fees",
        "p2p.options",
    },
    "roles": LEAVES
    | {"protocol", "chain", "p2p", "storage"}
    | {"work.requests", "work.reaching", "work.arriving", "work.drawn_training"},
    "operations": LEAVES | _MIDDLE,
    "metrics": LEAVES | {"protocol"},
    "node": LEAVES | _MIDDLE | {"roles", "metrics"},
    "rpc": LEAVES | {"operations", "settings", "storage", "protocol", "chain.contracts.deployment"},
    "lab": LEAVES | {"work", "learning", "federation"},
    "interface": LEAVES | {"node", "rpc", "operations", "settings", "protocol", "lab"},
    "__main__": frozenset({"interface"}),
}
"""Room -> what it may import of ours beside itself: whole rooms, or parts of one by their dotted names."""

PARTS_MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "work.requests": LEAVES | {"protocol"},
    "work.reaching": LEAVES | {"protocol", "work.requests"},
    "work.arriving": LEAVES,
    "work.drawn_training": LEAVES | {"protocol", "work.requests"},
}
"""Module or shelf -> the same, without the rest of its room: for rooms that may not import all of it."""

FAMILIES = "jepanet.learning.families"
FAMILY_REGISTRY = f"{FAMILIES}.registry"
A_FAMILY_MAY_IMPORT = tuple(
    f"{PACKAGE}.learning.{part}"
    for part in (
        *("family", "recipe", "objectives", "pooling", "frozen_base", "backbone_file"),
        *("seeding", "transformer", "text_pairs", "data"),
    )
)
"""What of learning a family may import beside its own folder: never a sibling."""
USES_THE_REGISTRY = (f"{PACKAGE}.learning.recipe_reader",)
"""Who may ask for a family by name. Training, evaluation, planning and other rooms find one in a recipe."""

ONLY_IN: Mapping[str, frozenset[str]] = {
    "web3": frozenset({"chain"}),
    "eth_account": frozenset({"chain"}),
    "libp2p": frozenset({"p2p"}),
    "multiaddr": frozenset({"p2p"}),
    "trio": frozenset({"p2p"}),
    "aiohttp": frozenset({"chain", "operations", "rpc"}),
    "sqlite3": frozenset({"storage"}),
    "torch": frozenset({"learning", "federation", "work"}),
    "transformers": frozenset({"learning"}),
    "peft": frozenset({"learning"}),
    "tokenizers": frozenset({"learning"}),
    "gguf": frozenset({"learning"}),
    "gymnasium": frozenset({"learning"}),
    "minigrid": frozenset({"learning"}),
    "stable_worldmodel": frozenset({"learning"}),
    "tomllib": frozenset({"texts"}),
    "platformdirs": frozenset({"node", "interface"}),
    "click": frozenset({"interface"}),
    "rich": frozenset({"interface"}),
    "mlflow": frozenset({"operations"}),
    "av": frozenset({"learning"}),
    "pyarrow": frozenset({"learning"}),
    "prometheus_client": frozenset({"metrics"}),
}
"""Foreign package -> the rooms that may import it. Files of people are read by `texts` alone."""

READS_ENVIRONMENT = frozenset(
    {"settings", "work", "interface", "jepanet.chain.devchain.anvil", "jepanet.node.tracing"}
    | {"jepanet.operations.mlflow_tracking", "jepanet.learning.training.step.compiled"}
)
"""Rooms, and four modules: `anvil` looks for a developer's tool, `mlflow_tracking` keeps MLflow quiet, and
`compiled` tells torch's compiler where to write."""

NOWHERE = frozenset({"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"})
"""Formats that run code when they are read."""

NOT_IN_PROTOCOL = frozenset(
    {"asyncio", "concurrent", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "random"}
    | {"secrets", "select", "signal", "socket", "structlog", "subprocess", "sys", "threading", "time", "uuid"}
    | set(ONLY_IN)
)
"""What would let the rules depend on anything but their arguments."""

BANNED_NAMES = frozenset({"utils", "common", "helpers", "manager", "core"})


@dataclass(frozen=True)
class Import:
    module: str
    line: int
    at_start: bool
    """Runs when the importing module is imported: not inside a function, not under TYPE_CHECKING."""


# ------------------------------------------------------------------ reading


def room_of(module: str) -> str:
    """`jepanet.chain.endpoints.failover` -> `chain`; `jepanet` itself -> the empty string."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports_of(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every import in `source`, relative ones resolved against `module`, with literal dynamic ones."""

    def walk(node: ast.AST, at_start: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside = at_start and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                inside = False
            yield from found(child, at_start)
            yield from walk(child, inside)

    def found(node: ast.AST, at_start: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, at_start)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if is_package else module.split(".")[:-1]
                kept = package[: len(package) - node.level + 1]
                base = ".".join([*kept, base] if base else kept)
            for alias in node.names:
                # `from jepanet.node import app` names a module, `from jepanet.types import Phase` does not.
                yield Import(f"{base}.{alias.name}", node.lineno, at_start)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = _dotted(node.func)
            if name.endswith("import_module") or name == "__import__":
                yield Import(str(node.args[0].value), node.lineno, at_start)
        elif isinstance(node, ast.Constant) and (named := module_named_by(node.value)):
            yield Import(named, node.lineno, False)

    yield from walk(ast.parse(source), True)


def module_named_by(value: object) -> str | None:
    """The module of ours that a literal like "jepanet.work.jobs:run" or "jepanet.work.jobs" names.

    Whoever holds such a string reaches the module as surely as by an import.
    """
    if not isinstance(value, str) or not _NAME_OF_OURS.fullmatch(value):
        return None
    parts = value.replace(":", ".").split(".")
    known = modules()
    return next((name for n in range(len(parts), 1, -1) if (name := ".".join(parts[:n])) in known), None)


_NAME_OF_OURS = re.compile(rf"{PACKAGE}(\.[a-z_]+)+(:[A-Za-z_.]+)?")


def breaches_of(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What in `source` crosses a wall, one line each."""
    room = room_of(module)
    breaches = []

    def report(line: int, why: str) -> None:
        breaches.append(f"{module}:{line}: {why}")

    for item in imports_of(source, module, is_package=is_package):
        top = item.module.split(".")[0]
        if top == PACKAGE:
            target = room_of(item.module)
            if (why := _family_breach(item.module, module)) is not None:
                report(item.line, why)
                continue
            # `from jepanet import __version__` and the room's own modules are free.
            if target not in ("", "__version__") and not _allowed(item.module, module):
                report(item.line, f"{room or 'the package root'} may not import {target}")
            continue
        if top in NOWHERE:
            report(item.line, f"{top} runs code when it reads; use jepanet.tensors")
        if room == "protocol" and top in NOT_IN_PROTOCOL:
            report(item.line, f"protocol is pure and may not import {top}")
        elif top in ONLY_IN and room not in ONLY_IN[top]:
            report(item.line, f"{top} may be imported in {', '.join(sorted(ONLY_IN[top]))} only")

    for node in ast.walk(ast.parse(source)):
        if _reads_environment(node) and not {room, module} & READS_ENVIRONMENT:
            report(node.lineno, "the environment is read in settings; take the value as an argument")
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func)
        if called in ("torch.load", "torch.save"):
            report(node.lineno, f"{called} uses pickle; use jepanet.tensors")
        if any(word.arg == "allow_pickle" for word in node.keywords):
            report(node.lineno, "allow_pickle runs code when it reads; use jepanet.tensors")
    return breaches


def _family_breach(target: str, module: str) -> str | None:
    """Why `module` may not import `target` for what it says of model families, or None."""
    ours, theirs = _family_of(module), _family_of(target)
    if theirs is not None and theirs != ours and module != FAMILY_REGISTRY:
        return f"family {theirs} is known to its own folder and the registry alone; go through the contract"
    of_learning = ours is not None and theirs is None and _is_in(target, f"{PACKAGE}.learning")
    if of_learning and not any(_is_in(target, allowed) for allowed in A_FAMILY_MAY_IMPORT):
        return "of learning, a family imports the contract, recipe, pooling, objectives, seeding, data alone"
    if _is_in(target, FAMILY_REGISTRY) and not any(_is_in(module, shelf) for shelf in USES_THE_REGISTRY):
        return "the registry is for reading recipes; take the recipe and its family as arguments"
    return None


def _family_of(module: str) -> str | None:
    """`jepanet.learning.families.world.model` -> `world`."""
    inside = module.removeprefix(f"{FAMILIES}.")
    if inside == module or _is_in(module, FAMILY_REGISTRY):
        return None
    return inside.split(".")[0]


def _is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def _allowed(target: str, module: str) -> bool:
    names, room = target.split(".")[1:], room_of(module)
    part = next((part for part in PARTS_MAY_IMPORT if _is_in(module, f"{PACKAGE}.{part}")), None)
    allowed = MAY_IMPORT.get(room, frozenset()) if part is None else PARTS_MAY_IMPORT[part]
    allowed |= {part or room}
    return any(".".join(names[:length]) in allowed for length in range(1, len(names) + 1))


def _reads_environment(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and _dotted(node) in ("os.environ", "os.getenv")


def _dotted(node: ast.AST) -> str:
    """`a.b.c` for a chain of names, otherwise the empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


@cache
def modules() -> Mapping[str, tuple[str, bool]]:
    """Every module of ours: name -> (source, whether it is a package)."""
    found = {}
    for path in sorted((SOURCE / PACKAGE).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        found[".".join(parts[:-1] if is_package else parts)] = (path.read_text(), is_package)
    return found


def reached_at_start(entry: str, sources: Mapping[str, tuple[str, bool]]) -> dict[str, str]:
    """Every module, ours or foreign, that importing `entry` imports: name -> the module that asked for it."""
    reached: dict[str, str] = {entry: entry}
    waiting = [entry]
    while waiting:
        module = waiting.pop()
        source, is_package = sources[module]
        for item in imports_of(source, module, is_package=is_package):
            if not item.at_start:
                continue
            parts = item.module.split(".")
            for length in range(1, len(parts) + 1):  # importing a.b.c imports a and a.b first
                name = ".".join(parts[:length])
                if name not in reached and (name in sources or length == 1):
                    reached[name] = module
                    if name in sources:
                        waiting.append(name)
    return reached


def imported_by(sources: Mapping[str, tuple[str, bool]]) -> dict[str, set[str]]:
    """Module of ours -> the modules of ours it imports, wherever the import stands; packages left out."""
    code = {name for name, (_, is_package) in sources.items() if not is_package}
    found = {}
    for name in code:
        source, is_package = sources[name]
        asked = {item.module for item in imports_of(source, name, is_package=is_package)}
        # `from a.b import c` names the module a.b.c, or something inside of a.b.
        asked |= {module.rpartition(".")[0] for module in asked - code}
        found[name] = asked & code - {name}
    return found


def circles_of(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules from which an import chain leads back to themselves."""

    def reached_from(start: str) -> set[str]:
        reached: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            module = waiting.pop()
            if module not in reached:
                reached.add(module)
                waiting += graph[module]
        return reached

    return sorted(module for module in graph if module in reached_from(module))


# ------------------------------------------------------------------ the walls hold


def test_every_room_has_its_place_in_the_table() -> None:
    rooms = {room_of(name) for name in modules()}
    assert rooms == set(MAY_IMPORT), f"rooms without a row, or rows without a room: {rooms ^ set(MAY_IMPORT)}"
    inward = {room for room, allowed in MAY_IMPORT.items() if "interface" in allowed}
    assert inward == {"__main__"}, "nothing imports interface"


def test_the_architecture_shows_the_same_table() -> None:
    text = (SOURCE.parent / "docs/architecture.md").read_text()
    section = text.partition("\n## Walls\n")[2].partition("\n## ")[0]
    shown = {}
    for rooms, allowed in re.findall(r"^\| (`.*?) \| (.*?) \|$", section, re.MULTILINE):
        leaves = LEAVES if "leaves" in allowed.split(", ") else frozenset()
        for room in re.findall(r"`([\w.]+)`", rooms):
            shown[room] = leaves | frozenset(re.findall(r"`([\w.]+)`", allowed))
    kept = {**MAY_IMPORT, **PARTS_MAY_IMPORT}
    kept[PACKAGE] = kept.pop("")  # what is public
    del kept["__main__"]  # the two lines behind `python -m jepanet`
    assert shown == kept


def test_no_import_crosses_a_wall() -> None:
    breaches = [
        breach
        for name, (source, is_package) in modules().items()
        for breach in breaches_of(source, name, is_package=is_package)
    ]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize(
    "entry",
    [
        "jepanet.interface.cli",
        "jepanet.node.app",
        "jepanet.work.derivations",
        "jepanet.learning.presets",
        "jepanet.learning.families.world.family",
        "jepanet.operations.in_memory.evaluating",
        "jepanet.interface.python.network",
    ],
)
def test_a_node_starts_without_torch(entry: str) -> None:
    reached = reached_at_start(entry, modules())
    assert "torch" not in reached, f"torch is imported by {reached.get('torch')} when {entry} is imported"


def test_no_chain_of_imports_is_a_circle() -> None:
    circles = circles_of(imported_by(modules()))
    assert not circles, f"these import each other: {circles}"


def test_configuration_is_read_without_numpy() -> None:
    reached = reached_at_start("jepanet.settings.config", modules())
    assert "numpy" not in reached, f"numpy is imported by {reached.get('numpy')}"


def test_no_module_is_called_a_drawer() -> None:
    drawers = [name for name in modules() if set(name.split(".")) & BANNED_NAMES]
    assert not drawers, f"a module is named after its one reason to exist: {drawers}"


# ------------------------------------------------------------------ the checker sees


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("jepanet.types", "import jepanet.errors"),
        ("jepanet.tensors", "from jepanet.cid import digest_of"),
        ("jepanet.records.codec", "from jepanet.texts import read_json"),
        ("jepanet.addresses", "from jepanet.errors import Rejected"),
        ("jepanet.plain_structlog", "from jepanet.errors import Rejected"),
        ("jepanet.repetition", "from jepanet.telemetry import get_logger"),
        ("jepanet.protocol.transition", "import asyncio"),
        ("jepanet.protocol.transition", "from time import time"),
        ("jepanet.protocol.transition", "from jepanet.telemetry import get_logger"),
        ("jepanet.protocol.transition", "if TYPE_CHECKING:\n    import web3"),
        ("jepanet.protocol.transition", "def later():\n    import random"),
        ("jepanet.protocol.transition", "from ..chain import rpc"),
        ("jepanet.chain.endpoints.failover", "from jepanet.p2p import host"),
        ("jepanet.chain.endpoints.failover", "from jepanet import storage"),
        ("jepanet.p2p.host", "import sqlite3"),
        ("jepanet.p2p.host", "from jepanet.learning.training.loop import train"),
        ("jepanet.storage.journal", "from jepanet.protocol.journal_codec import encode_fact"),
        ("jepanet.storage.journal", "import tomllib"),
        ("jepanet.settings.config", "import tomllib"),
        ("jepanet.storage.journal", "import os\nos.environ.get('HOME')"),
        ("jepanet.learning.training.loop", "from jepanet.federation import delta"),
        ("jepanet.learning.training.loop", "import pickle"),
        ("jepanet.learning.training.loop", "import torch\ntorch.load('model')"),
        ("jepanet.federation.deltas.delta", "import numpy as np\nnp.load('x', allow_pickle=True)"),
        ("jepanet.learning.training.loop", "from jepanet.learning.families.world.model import WorldModel"),
        ("jepanet.learning.training.loop", "from jepanet.learning.families import registry"),
        ("jepanet.learning.evaluation.metrics", "from jepanet.learning.families.world import schema"),
        ("jepanet.learning.planning.rollout", "from ..families.world.model import normalise"),
        ("jepanet.learning.recipe_reader", "import jepanet.learning.families.world.sizes"),
        ("jepanet.learning.presets", "FAMILY = 'jepanet.learning.families.world.family:World'"),
        (
            "jepanet.learning.families.image.model",
            "from jepanet.learning.families.world.model import Encoder",
        ),
        ("jepanet.learning.families.image.model", "from jepanet.learning.families import registry"),
        ("jepanet.learning.families.world.model", "from jepanet.learning.training.loop import train"),
        ("jepanet.learning.families.world.model", "from jepanet.learning.evaluation import metrics"),
        ("jepanet.lab.play", "from jepanet.learning.families.world.schema import init_weights"),
        ("jepanet.work.contribution", "from jepanet.learning.families.world import rotation"),
        ("jepanet.roles.solver", "import torch"),
        ("jepanet.roles.solver", "from jepanet.node import config"),
        ("jepanet.roles.solver", "from jepanet.work.worker import Worker"),
        ("jepanet.roles.proposer", "from jepanet.learning.recipe import Recipe"),
        ("jepanet.roles.aggregator", "from jepanet.federation.judging.judge import SHARD_REFUSED"),
        ("jepanet.roles.solver", "job = 'jepanet.work.jobs:run'"),
        ("jepanet.roles.solver", "def later():\n    return ['jepanet.work.jobs']"),
        ("jepanet.work.requests", "from jepanet.learning.recipe import Recipe"),
        ("jepanet.work.requests.training", "from jepanet.learning.recipe import Recipe"),
        ("jepanet.work.requests.training", "from jepanet.work.training import train_delta"),
        ("jepanet.work.requests.training", "from jepanet.work import reaching"),
        ("jepanet.work.worker", "CONFIG = 'jepanet.settings.config:load'"),
        ("jepanet.node.app", "import web3.exceptions"),
        ("jepanet.node.app", "import trio"),
        ("jepanet.node.app", "from importlib import import_module\nimport_module('torch')"),
        ("jepanet.node.app", "from jepanet.interface import cli"),
        ("jepanet.node.app", "from jepanet.operations.access import ChainAccess"),
        ("jepanet.node.app", "def later():\n    from jepanet.lab import play"),
        ("jepanet.node.app", "from jepanet.rpc.service import RpcService"),
        ("jepanet.node.app", "import aiohttp"),
        ("jepanet.rpc.service", "from jepanet.node.app import Node"),
        ("jepanet.rpc.service", "from prometheus_client import generate_latest"),
        ("jepanet.metrics.rounds", "from jepanet.storage.journal import Journal"),
        ("jepanet.metrics.chain", "from jepanet.node.app import Node"),
        ("jepanet.rpc.offered.node", "from jepanet.chain.endpoints.failover import Rpc"),
        ("jepanet.rpc.offered.node", "from jepanet.interface.terminal import output"),
        ("jepanet.operations.status", "from jepanet.node.status import write_status"),
        ("jepanet.operations.access", "from jepanet.roles.proposer import Proposer"),
        ("jepanet.operations.access", "if TYPE_CHECKING:\n    from jepanet.node import app"),
        ("jepanet.settings.network", "from jepanet.p2p.host import P2PNode"),
        ("jepanet.settings.fees", "from jepanet.chain.endpoints.failover import Rpc"),
        ("jepanet.settings.fees", "from jepanet import chain"),
        ("jepanet.settings.deployment_arguments", "from jepanet.chain.deploying.plan import plan"),
        ("jepanet.settings.paths", "from jepanet.storage.journal import Journal"),
        ("jepanet.interface.cli", "from jepanet.chain import wallet"),
        ("jepanet.interface.cli", "from jepanet.roles import solver"),
        ("jepanet.interface.arguments.claim", "from jepanet.storage.journal import Journal"),
        ("jepanet.interface.arguments.verify", "from jepanet.work.worker import Worker"),
        ("jepanet", "from jepanet.node import app"),
        ("jepanet", "from jepanet.interface.cli import cli"),
        ("jepanet", "from jepanet.operations import access"),
        ("jepanet", "WHERE = {'jepanet.learning.training.loop': ('train',)}"),
    ],
)
def test_a_planted_breach_is_seen(module: str, line: str) -> None:
    assert len(breaches_of(line, module, is_package=module == "jepanet")) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("jepanet.cid", "from jepanet.errors import Rejected"),
        ("jepanet.protocol.transition", "from jepanet.protocol.state import Round\nfrom . import state"),
        ("jepanet.chain.following.logs_to_facts", "from jepanet.protocol import facts\nimport web3"),
        ("jepanet.learning.training.loop", "import torch"),
        ("jepanet.learning.training.loop", "from jepanet.learning.family import Network"),
        ("jepanet.learning.families.world.model", "from jepanet.learning.families.world.sizes import World"),
        ("jepanet.learning.families.world.model", "from jepanet.learning.data.shards import Shard"),
        ("jepanet.learning.families.registry", "HERE = 'jepanet.learning.families.world.family:World'"),
        ("jepanet.learning.recipe_reader", "from jepanet.learning.families.registry import family_kind"),
        ("jepanet.node.app", "from jepanet.roles import solver"),
        (
            "jepanet.roles.solver",
            "from jepanet.work.requests.training import TrainDelta\nkind = 'jepanet.recipe.1'",
        ),
        ("jepanet.work.requests.training", "from jepanet.work.requests.files import RoundFiles"),
        ("jepanet.work.worker", "JOBS = 'jepanet.work.jobs'"),
        ("jepanet.texts", "import tomllib"),
        ("jepanet.settings.fees", "from jepanet.chain.sending.fees import FeePolicy"),
        ("jepanet.interface.cli", "from jepanet import __version__\nimport click"),
        ("jepanet", "WHERE = {'jepanet.operations.in_memory.training': ('train',)}"),
    ],
)
def test_an_honest_import_passes(module: str, line: str) -> None:
    assert breaches_of(line, module) == []


def test_a_planted_circle_is_seen() -> None:
    sources = {
        "jepanet.a": ("from jepanet.b.c import x", False),
        "jepanet.b": ("", True),
        "jepanet.b.c": ("def later():\n    from jepanet import d", False),
        "jepanet.d": ("from jepanet.errors import Fatal", False),
        "jepanet.errors": ("", False),
    }
    assert circles_of(imported_by(sources)) == []
    sources["jepanet.d"] = ("from jepanet import a", False)
    assert circles_of(imported_by(sources)) == ["jepanet.a", "jepanet.b.c", "jepanet.d"]


def test_the_start_is_followed_through_modules_and_packages() -> None:
    sources = {
        "jepanet": ("", True),
        "jepanet.node": ("from . import jobs", True),
        "jepanet.node.app": ("def late():\n    import sqlite3", False),
        "jepanet.work.jobs": ("import torch.nn", False),
    }
    reached = reached_at_start("jepanet.node.app", {**sources, "jepanet.node": ("", True)})
    assert "torch" not in reached and "sqlite3" not in reached
    sources["jepanet.node.app"] = (
        "from jepanet.node import engine\nfrom jepanet.work.jobs import train",
        False,
    )
    assert reached_at_start("jepanet.node.app", sources)["torch"] == "jepanet.work.jobs"
