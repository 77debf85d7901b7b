"""Bad input for every command, argument, option, configuration key and file a person writes.

Generated from the commands and the configuration themselves, so that what is added is covered; with what can
only be thought of by hand beside it. A case is a command line, the exit codes that may answer it, and what it
needs on disk.
"""

# ruff: noqa: E501 - a table of command lines, one a line

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import click

from jepanet.errors import Exit
from jepanet.interface.cli import cli
from jepanet.settings.config import Config

ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
"""The first of anvil's public accounts."""
DEPLOYMENT = {
    "schema": "jepanet/deployment/2",
    "chain_id": 31337,
    "block": {"number": 5, "hash": "0x" + "11" * 32, "timestamp": 1_700_000_000},
    "contracts": dict.fromkeys(("token", "rounds", "lens"), ACCOUNT),
    "confirmations": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """`codes`: exit codes that are right. `prepare` writes what the line needs into its folder."""

    group: str
    name: str
    line: tuple[str, ...]
    codes: tuple[int, ...]
    prepare: Callable[[Path], None] = lambda folder: None
    environment: dict[str, str] = field(default_factory=dict)


def all_cases() -> list[Case]:
    """Every case; `FOLDER` in a command line stands for the case's own folder."""
    return [*usage(), *parameters(), *keys(), *variables(), *files(), *by_hand()]


# ------------------------------------------------------------------ commands


def leaves() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""

    def walk(
        command: click.Command, words: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                yield from walk(inner, (*words, name))
        else:
            yield words, command

    yield from walk(cli, ())


def usage() -> Iterator[Case]:
    """Command lines that are wrong in form."""
    usage_only = (int(Exit.USAGE),)
    yield Case("usage", "no such command", ("nodes",), usage_only)
    for words, command in leaves():
        called = " ".join(words)
        yield Case("usage", f"{called}: unknown option", (*words, "--no-such-option"), usage_only)
        yield Case(
            "usage", f"{called}: option without value", (*words, *_needed(command), "--json=5"), usage_only
        )
        if any(item.required for item in command.params):
            yield Case("usage", f"{called}: nothing given", words, usage_only)
        if not any(item.nargs == -1 for item in command.params):
            more = ("surplus",) * (1 + sum(isinstance(item, click.Argument) for item in command.params))
            yield Case(
                "usage", f"{called}: surplus arguments", (*words, *more), (int(Exit.USAGE), int(Exit.CONFIG))
            )
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag:
                line = (*words, *_needed(command, but=option), option.opts[0])
                yield Case("usage", f"{called} {option.opts[0]}: no value", line, usage_only)


def _needed(command: click.Command, *, but: click.Parameter | None = None) -> tuple[str, ...]:
    """Good values for what a command requires, as far as form goes."""
    words: list[str] = []
    for item in command.params:
        if item is but or not item.required:
            continue
        value = _good(item)
        words += [value] if isinstance(item, click.Argument) else [item.opts[0], value]
    return tuple(words)


def _good(item: click.Parameter) -> str:
    if item.name in ("config_path", "config"):
        return "FOLDER/node.toml"
    if isinstance(item.type, click.Path):
        return "FOLDER/set" if item.name == "directory" else "FOLDER/file"
    if isinstance(item.type, click.Choice):
        return str(item.type.choices[0])
    return ACCOUNT if item.name in ("members", "addresses", "address") else "1"


_NUMBERS = ("x", "-1", "1e3", "0x10", "", " ", "9" * 80, "NaN")
_NO_NUMBERS = ("x", "-1", "0x10", "", " ", "nan", "inf", "1e400")
_PATHS = ("FOLDER/absent", "FOLDER/loop", "FOLDER/file/below", "/dev/null/x", "x" * 300)


def parameters() -> Iterator[Case]:
    """A wrong value for every argument and option."""
    for words, command in leaves():
        for item in command.params:
            if isinstance(item, click.Option) and item.is_flag:
                continue
            values: tuple[str, ...] = ()
            codes: tuple[int, ...] = (int(Exit.USAGE),)
            if isinstance(item.type, click.types.IntParamType | click.types.FloatParamType):
                values = _NUMBERS if isinstance(item.type, click.types.IntParamType) else _NO_NUMBERS
            elif isinstance(item.type, click.Choice):
                values = ("", "no-such-choice")
            elif isinstance(item.type, click.Path) and item.name not in ("out", "directory", "export"):
                values, codes = (
                    _PATHS,
                    (int(Exit.USAGE), int(Exit.CONFIG), int(Exit.WALLET), int(Exit.NOT_FOUND)),
                )
            if words == ("doctor",) and item.name == "bundle":
                values = tuple(value for value in values if value != "FOLDER/absent")  # a file that it makes
            if words == ("restore",) and item.name == "folder":
                codes = (*codes, int(Exit.DAMAGED))  # of the archive, which is read first
            for value in values:
                given = (value,) if isinstance(item, click.Argument) else (item.opts[0], value)
                rest = _needed(command, but=item)
                if isinstance(item, click.Argument):
                    line = (*words, *rest, "--", *given)
                else:
                    line = (*words, *rest, *given)
                label = value if len(value) < 20 else f"{value[:8]}… of {len(value)}"
                yield Case("parameter", f"{' '.join(words)} {item.name}={label!r}", line, codes)


# ------------------------------------------------------------------ configuration


def config_text(folder: Path, changes: dict[str, Any] | None = None) -> str:
    """A configuration that is right in form, with keys (`section.key`) replaced; None drops one."""
    tree: dict[str, dict[str, Any]] = {
        "node": {"data_dir": "data", "roles": ["solver"]},
        "wallet": {"directory": "keys", "password_file": "password"},
        "chain": {
            "endpoints": ["http://127.0.0.1:1"],
            "deployment": "deployment.json",
            "timeout_seconds": 1.0,
        },
    }
    for key, value in (changes or {}).items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    lines: list[str] = []
    for section, values in tree.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {toml(value)}" for name, value in values.items() if value is not None]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).replace("inf", "inf")
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + "}"
    return str(value) if isinstance(value, int) else json.dumps(value)


def _writes(text: str | bytes, name: str = "node.toml") -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        path = folder / name
        path.unlink(missing_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text, encoding="utf-8")

    return prepare


_CHECK = ("node", "check", "--config", "FOLDER/node.toml")


def keys() -> Iterator[Case]:
    """A value of a wrong type, and one out of bounds, for every key of the configuration."""
    config = (int(Exit.CONFIG),)
    for section, kind in get_type_hints(Config).items():
        for key, hint in get_type_hints(kind).items():
            name = f"{section}.{key}"
            for value in _wrong(hint):
                text = config_text(Path(), {name: value})
                yield Case("key", f"{name} = {toml(value)[:24]}", _CHECK, config, _writes(text))
        yield Case(
            "key", f"[{section}] unknown key", _CHECK, config,
            _writes(config_text(Path(), {f"{section}.no_such_key": 1})),
        )  # fmt: skip


def _wrong(hint: Any) -> list[Any]:
    parts = (
        [part for part in get_args(hint) if part is not type(None)] if get_origin(hint) is not tuple else []
    )
    kind = parts[0] if parts else hint
    if get_origin(kind) is tuple:
        return ["not a list", 7, [[1]], {"a": 1}]
    if kind in (int, float):
        return ["seven", True, [1], -1, *([float("nan"), float("inf")] if kind is float else [1.5])]
    if kind is bool:
        return ["yes", 1, []]
    return [7, True, ["a"], {"a": 1}]


def variables() -> Iterator[Case]:
    """Environment variables that are misspelt or hold the wrong thing."""
    config = (int(Exit.CONFIG),)
    good = _writes(config_text(Path()))
    for section in get_type_hints(Config):
        name = f"JEPANET_{section.upper()}_NO_SUCH_KEY"
        yield Case("variable", name, _CHECK, config, good, {name: "1"})
    for name, value in (
        ("JEPANET_NODE_ROLES", "solver,king"), ("JEPANET_NODE_ROLES", ","), ("JEPANET_NODE_STORAGE_GB", "much"),
        ("JEPANET_NODE_STORAGE_GB", "nan"), ("JEPANET_CHAIN_ENDPOINTS", "localhost:8545"),
        ("JEPANET_CHAIN_CONFIRMATIONS", "-1"), ("JEPANET_CHAIN_CONFIRMATIONS", "two"),
        ("JEPANET_CHAIN_WEBSOCKET", "http://127.0.0.1"), ("JEPANET_P2P_ALLOW_ISOLATED", "maybe"),
        ("JEPANET_WORKER_THREADS", "0"), ("JEPANET_LOG_JSON", "2"), ("JEPANET_WALLET_ADDRESS", ACCOUNT.replace("F", "f")),
        ("JEPANET_PROJECTS_FOLLOW", "one"), ("JEPANET_CHAIN_TIMEOUT_SECONDS", "0"),
    ):  # fmt: skip
        yield Case("variable", f"{name}={value}", _CHECK, config, good, {name: value})
    yield Case("variable", "JEPANET_LOG_LEVEL=loud", ("status", "--config", "FOLDER/node.toml"),
               (int(Exit.USAGE),), good, {"JEPANET_LOG_LEVEL": "loud"})  # fmt: skip


# ------------------------------------------------------------------ files


def files() -> Iterator[Case]:
    """Configuration, deployment, password and keystore files that are damaged or foreign."""
    config, wallet = (int(Exit.CONFIG),), (int(Exit.WALLET), int(Exit.CONFIG))
    for label, content in (
        ("empty", b""), ("no TOML", b"= = ="), ("UTF-16", "[node]".encode("utf-16")), ("Latin-1", b"[node]\nname='\xe9'"),
        ("NUL bytes", b"\0" * 64), ("a key twice", b"[node]\nname='a'\nname='b'"), ("huge", b"#" * (4 << 20)),
        ("deep", b"a=" + b"[" * 3000), ("unknown section", b"[nodes]\n"), ("a table that is a value", b"node = 1"),
    ):  # fmt: skip
        yield Case("file", f"configuration {label}", _CHECK, config, _writes(content))

    def deployment(content: bytes) -> Callable[[Path], None]:
        def prepare(folder: Path) -> None:
            _writes(config_text(folder))(folder)
            (folder / "deployment.json").write_bytes(content)

        return prepare

    broken: dict[str, Any] = {
        "other schema": {**DEPLOYMENT, "schema": "x"},
        "no chain id": {key: value for key, value in DEPLOYMENT.items() if key != "chain_id"},
        "negative chain id": {**DEPLOYMENT, "chain_id": -1},
        "chain id as text": {**DEPLOYMENT, "chain_id": "31337"},
        "short hash": {**DEPLOYMENT, "block": {"number": 5, "hash": "0x11", "timestamp": 1}},
        "no block": {**DEPLOYMENT, "block": None},
        "a contract missing": {**DEPLOYMENT, "contracts": {"token": ACCOUNT}},
        "a wrong checksum": {
            **DEPLOYMENT,
            "contracts": {**DEPLOYMENT["contracts"], "lens": ACCOUNT.replace("F", "f")},
        },  # type: ignore[dict-item]
        "confirmations as a list": {**DEPLOYMENT, "confirmations": []},
        "a list": [],
    }
    contents = {label: json.dumps(tree).encode() for label, tree in broken.items()} | {
        "empty": b"", "no JSON": b"{", "deep": b"[" * 100_000, "NUL bytes": b"\0" * 9, "Latin-1": b'{"a": "\xe9"}',
        "huge": b" " * (4 << 20), "a key twice": b'{"schema": 1, "schema": 2}',
    }  # fmt: skip
    for label, content in contents.items():
        yield Case("file", f"deployment {label}", ("project", "list", "--config", "FOLDER/node.toml"), config,
                   deployment(content))  # fmt: skip
        yield Case("file", f"deployment {label}, observer",
                   ("round", "list", "--rpc", "http://127.0.0.1:1", "--deployment", "FOLDER/deployment.json"),
                   config, deployment(content))  # fmt: skip

    change = ("wallet", "password", ACCOUNT, "--dir", "FOLDER/keys", "--password-file", "FOLDER/password",
              "--new-password-file", "FOLDER/password")  # fmt: skip
    for label, content in (
        ("empty", b""), ("only a line end", b"\n"), ("Latin-1", b"caf\xe9\n"), ("huge", b"x" * (1 << 20)), ("NUL", b"\0"),
    ):  # fmt: skip

        def prepare(folder: Path, content: bytes = content) -> None:
            _writes(config_text(folder))(folder)
            (folder / "keys").mkdir(exist_ok=True)
            (folder / "password").write_bytes(content)
            (folder / "password").chmod(0o600)

        yield Case("file", f"password {label}", ("wallet", "new", "--dir", "FOLDER/keys", "--light", "--password-file",
                                                 "FOLDER/password"), wallet, prepare)  # fmt: skip
    for label, content in (
        ("empty", b""), ("no JSON", b"{"), ("another version", b'{"version": 1}'), ("a list", b"[]"), ("binary", b"\xff" * 99),
        ("no crypto", json.dumps({"version": 3, "address": ACCOUNT}).encode()), ("deep", b"[" * 100_000),
        ("expensive scrypt", json.dumps({"version": 3, "address": ACCOUNT[2:], "id": "x", "crypto": {
            "cipher": "aes-128-ctr", "cipherparams": {"iv": "00" * 16}, "ciphertext": "00" * 32, "mac": "00" * 32,
            "kdf": "scrypt", "kdfparams": {"n": 1 << 40, "r": 8, "p": 1, "dklen": 32, "salt": "00" * 32}}}).encode()),
    ):  # fmt: skip

        def prepare(folder: Path, content: bytes = content) -> None:
            _writes(config_text(folder))(folder)
            (folder / "keys").mkdir(exist_ok=True)
            (folder / "keys" / "one.json").write_bytes(content)
            (folder / "password").write_bytes(b"a password of some length\n")
            (folder / "password").chmod(0o600)

        yield Case("file", f"keystore {label}", change, (*wallet, int(Exit.NOT_FOUND)), prepare)
        yield Case("file", f"key file {label}", ("wallet", "import", "FOLDER/keys/one.json", "--dir", "FOLDER/other",
                                                 "--password-file", "FOLDER/password"), wallet, prepare)  # fmt: skip


# ------------------------------------------------------------------ by hand


def by_hand() -> Iterator[Case]:
    """What no list of types gives."""
    good = _writes(config_text(Path()))
    usage_or_config = (
        int(Exit.USAGE),
        int(Exit.CONFIG),
        int(Exit.NOT_FOUND),
        int(Exit.DATASET),
        int(Exit.WALLET),
    )
    config = ("--config", "FOLDER/node.toml")
    observer = ("--rpc", "http://127.0.0.1:1", "--deployment", "FOLDER/deployment.json")
    many = "0x" + "11" * 20
    lines: dict[str, tuple[str, ...]] = {
        "fund absurd tokens": ("devnet", "fund", ACCOUNT, "--tokens", "1" + "0" * 70, "--dir", "FOLDER/devnet"),
        "fund absurd ether": ("devnet", "fund", ACCOUNT, "--ether", "1" + "0" * 70, "--dir", "FOLDER/devnet"),
        "fund no address": ("devnet", "fund", "0x12", "--dir", "FOLDER/devnet"),
        "fund a wrong checksum": ("devnet", "fund", ACCOUNT.replace("F", "f"), "--dir", "FOLDER/devnet"),
        "fund without a devnet": ("devnet", "fund", ACCOUNT, "--dir", "FOLDER/devnet"),
        "status without a devnet": ("devnet", "status", "--dir", "FOLDER/devnet"),
        "down without a devnet": ("devnet", "down", "--dir", "FOLDER/devnet"),
        "devnet in a file": ("devnet", "up", "--dir", "FOLDER/file"),
        "devnet port 0": ("devnet", "up", "--dir", "FOLDER/devnet", "--port", "0"),
        "devnet port high": ("devnet", "up", "--dir", "FOLDER/devnet", "--port", "65536"),
        "devnet block time": ("devnet", "up", "--dir", "FOLDER/devnet", "--block-time", "nan"),
        "deposit nothing": ("stake", "deposit", "0", *config),
        "deposit less than nothing": ("stake", "deposit", *config, "--", "-5"),
        "deposit words": ("stake", "deposit", "many", *config),
        "deposit infinity": ("stake", "deposit", "inf", *config),
        "deposit an exponent": ("stake", "deposit", "1e400", *config),
        "deposit 19 decimals": ("stake", "deposit", "0." + "0" * 18 + "1", *config),
        "deposit 10,000 digits": ("stake", "deposit", "1" * 10_000, *config),
        "unbond words": ("stake", "unbond", "all", *config),
        "unbond nothing": ("stake", "unbond", "0", *config),
        "verifiers twice the same": ("verifiers", "create", ACCOUNT, ACCOUNT, "--threshold", "2", *config),
        "verifiers wrong checksum": ("verifiers", "create", ACCOUNT.replace("F", "f"), "--threshold", "1", *config),
        "verifiers threshold above": ("verifiers", "create", ACCOUNT, "--threshold", "2", *config),
        "verifiers threshold 0": ("verifiers", "create", ACCOUNT, "--threshold", "0", *config),
        "verifiers no minority": ("verifiers", "create", ACCOUNT, many, "--threshold", "1", *config),
        "verifiers 33": ("verifiers", "create", *(f"0x{n:040x}" for n in range(1, 34)), "--threshold", "17", *config),
        "challenge short evidence": ("round", "challenge", "1", "--evidence", "0x12", *config),
        "challenge words": ("round", "challenge", "1", "--evidence", "lies", *config),
        "project of no dataset": ("project", "create", "--dataset", "FOLDER/keys", "--name", "a", "--verifier", ACCOUNT, *config),
        "project of a file": ("project", "create", "--dataset", "FOLDER/file", "--name", "a", "--verifier", ACCOUNT, *config),
        "project long name": ("project", "create", "--dataset", "FOLDER/keys", "--name", "a" * 10_000, "--verifier", ACCOUNT, *config),
        "project empty name": ("project", "create", "--dataset", "FOLDER/keys", "--name", "", "--verifier", ACCOUNT, *config),
        "project set and verifier": ("project", "create", "--dataset", "FOLDER/keys", "--set", "1", "--verifier", ACCOUNT, *config),
        "verify retrain no address": ("verify", "1", "--retrain", "me", *config),
        "observer ftp": ("round", "list", "--rpc", "ftp://x", "--deployment", "FOLDER/deployment.json"),
        "observer no scheme": ("round", "list", "--rpc", "127.0.0.1:8545", "--deployment", "FOLDER/deployment.json"),
        "observer without deployment": ("round", "list", "--rpc", "http://127.0.0.1:1"),
        "observer bad peer": ("verify", "1", *observer, "--peer", "somewhere"),
        "observer peer without id": ("verify", "1", *observer, "--peer", "/ip4/127.0.0.1/tcp/1"),
        "dataset unknown size": ("dataset", "build", "tworoom", "--out", "FOLDER/new", "--size", "colour=9"),
        "dataset size no number": ("dataset", "build", "tworoom", "--out", "FOLDER/new", "--size", "image=big"),
        "dataset size without value": ("dataset", "build", "tworoom", "--out", "FOLDER/new", "--size", "image"),
        "dataset size twice": ("dataset", "build", "tworoom", "--out", "FOLDER/new", "--size", "image=16", "--size", "image=32"),
        "dataset negative": ("dataset", "build", "tworoom", "--out", "FOLDER/new", "--size", "image=-1"),
        "dataset enormous": ("dataset", "build", "tworoom", "--out", "FOLDER/new", "--size", "image=100000"),
        "dataset one evaluation episode": ("dataset", "build", "tworoom", "--out", "FOLDER/new", "--size", "evaluation_episodes=1"),
        "dataset in a file": ("dataset", "build", "tworoom", "--out", "FOLDER/file"),
        "dataset below a file": ("dataset", "build", "tworoom", "--out", "FOLDER/file/x"),
        "inspect no dataset": ("dataset", "inspect", "FOLDER/keys"),
        "inspect a file": ("dataset", "inspect", "FOLDER/file"),
        "inspect nothing": ("dataset", "inspect", "FOLDER/absent"),
        "lab no arm": ("lab", "compare", "--preset", "small", "--arms", "magic", "--out", "FOLDER/lab"),
        "lab no seeds": ("lab", "compare", "--preset", "small", "--seeds", ",", "--out", "FOLDER/lab"),
        "lab words for seeds": ("lab", "compare", "--preset", "small", "--seeds", "a,b", "--out", "FOLDER/lab"),
        "lab into a file": ("lab", "compare", "--preset", "small", "--out", "FOLDER/file"),
        "lab no recipe": ("lab", "compare", "--preset", "small", "--recipe", "no-such-recipe", "--out", "FOLDER/lab"),
        "study seeds": ("lab", "study", "codecs", "--seeds", "x", "--out", "FOLDER/lab"),
        "status before a start": ("status", *config),
        "rescan before a start": ("node", "rescan", "7", *config),
        "configuration in an empty folder": ("status", "--config", "FOLDER/keys"),
        "rescan of a folder without a node": ("node", "rescan", "7", "--config", "FOLDER/keys"),
        "import a folder": ("wallet", "import", "FOLDER/keys", "--dir", "FOLDER/other"),
        "new into a file": ("wallet", "new", "--dir", "FOLDER/file", "--light", "--password-file", "FOLDER/good-password"),
        "list a file": ("wallet", "list", "--dir", "FOLDER/file"),
        "password of nobody": ("wallet", "password", ACCOUNT, "--dir", "FOLDER/keys", "--password-file", "FOLDER/good-password"),
        "password no address": ("wallet", "password", "me", "--dir", "FOLDER/keys"),
    }  # fmt: skip
    for name, line in lines.items():
        yield Case("by hand", name, line, usage_or_config, good)
    unreachable = (int(Exit.CHAIN_UNREACHABLE),)
    for name, line in {
        "project list": ("project", "list", *config), "project show": ("project", "show", "1", *observer),
        "round list": ("round", "list", *observer), "round show": ("round", "show", "1", *config),
        "verifiers show": ("verifiers", "show", "1", *observer), "verify": ("verify", "1", *observer),
        "model card": ("model", "card", "1", *observer, "--out", "FOLDER/card"),
    }.items():  # fmt: skip
        yield Case("no chain", name, line, unreachable, good)
