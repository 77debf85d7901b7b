"""A node's first `node.toml`: the keys that somebody has to think about, each with what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jepanet.settings.config import Config, checked_config
from jepanet.texts import load_toml
from jepanet.types import Role


@dataclass(frozen=True, slots=True)
class FirstConfig:
    """What a first configuration says. Relative paths are relative to the file."""

    role: Role
    name: str
    endpoints: tuple[str, ...]
    deployment: str
    password_file: str | None
    listen: str
    announce: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    allow_isolated: bool = False
    follow: tuple[int, ...] = ()
    own: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By section and key: values that stand in place of the usual ones, or beside them."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A line of a section; one that is `left` out is a comment, which says what the key is by itself."""

    name: str
    value: object
    meaning: str = ""
    left: bool = False

    def line(self, own: Mapping[str, object]) -> str:
        # JSON's strings, booleans and lists of them are TOML's too, if every character is written as it is.
        value = json.dumps(own.get(self.name, self.value), ensure_ascii=False)
        text = f"{'# ' if self.left and self.name not in own else ''}{self.name} = {value}"
        return f"{text:<32} # {self.meaning}" if self.meaning else text


def first_config(said: FirstConfig) -> str:
    """The text of `node.toml`."""
    lines = [
        "# A node's configuration. Every key: docs/start/configuration.md. A variable",
        "# JEPANET_<SECTION>_<KEY> goes before this file; `jepanet config show` says which of them counts.",
    ]
    for section, keys in _sections(said).items():
        own = said.own.get(section, {})
        usual = [key.name for key in keys]
        beside = [_Key(name, value) for name, value in own.items() if name not in usual]
        lines += ["", f"[{section}]", *(key.line(own) for key in [*keys, *beside])]
    return "\n".join(lines) + "\n"


def read_first_config(text: str, folder: Path) -> Config:
    """What a node would make of the text in `folder`; the environment is left out.

    Raises: Fatal: a value is wrong; the message names its key (exit code `CONFIG`).
    """
    tree = load_toml(text, "configuration", folder / "node.toml")
    return checked_config(tree, base=folder, environment={})


def _sections(said: FirstConfig) -> dict[str, tuple[_Key, ...]]:
    return {
        "node": (
            _Key("name", said.name, "in the log"),
            _Key("roles", [said.role.value], "solver and coordinator exclude each other"),
            _Key("data_dir", "data", "journal, blobs and network key; back up data/journal.sqlite"),
            _Key("storage_gb", 20.0, "disk budget of the blob store"),
        ),
        "wallet": (
            _Key("directory", "wallet", "keystores; back them up with their password"),
            _Key(
                "password_file",
                said.password_file or "password",
                "mode 0600; without this key it is asked for at start",
                left=said.password_file is None,
            ),
        ),
        "chain": (
            _Key("endpoints", list(said.endpoints), "several: the first that answers is used"),
            _Key("deployment", said.deployment, "the network's contracts"),
            _Key("max_fee_gwei", 200.0, "never pay more per gas, base fee and tip together", left=True),
        ),
        "p2p": (
            _Key("listen", said.listen, "open this port in the firewall"),
            _Key("announce", list(said.announce), 'where others reach it, as "/dns4/NAME/tcp/PORT"'),
            _Key("bootstrap", list(said.bootstrap), "addresses of nodes that are there, ending in /p2p/PEER"),
            _Key("allow_isolated", said.allow_isolated, "true only on the first node of a network"),
        ),
        "projects": (
            _Key("follow", list(said.follow), "ids of projects that you trust; empty follows every one"),
        ),
        **_of_role(said.role),
        "log": (_Key("level", "info"), _Key("json", True)),
        "rpc": (
            _Key("enabled", False, "true: answer JSON-RPC on 127.0.0.1, as docs/rpc.md says"),
            _Key("port", 4780),
        ),
        "metrics": (
            _Key("enabled", False, "true: GET /metrics for Prometheus on that port; needs rpc.enabled"),
        ),
    }


def _of_role(role: Role) -> dict[str, tuple[_Key, ...]]:
    if role is Role.SOLVER:
        return {"solver": (_Key("max_bond", "100", "tokens at stake in one round at most"),), **_WORKER}
    if role is Role.COORDINATOR:
        return _WORKER
    return {"proposer": _PROPOSER} if role is Role.PROPOSER else {}


_PROPOSER = (
    _Key("rounds", 0, "how many rounds each project shall reach; 0 opens none"),
    _Key("dataset", "dataset", "folder of `jepanet dataset build`", left=True),
    _Key("budget", "100", "tokens per round that solvers can earn together"),
    _Key("fee", "2", "tokens per round for coordinators"),
    _Key("bond", "auto", "a solver's for each commit: 10, or what deters where solvers are audited"),
    _Key("unseal_bond", "20", "yours, lost when the drawn shard is not unsealed in time"),
    _Key("price", "0.0005", "tokens per micro-nat of measured gain"),
    _Key("aggregators", [], "addresses that may propose score sheets"),
)
_WORKER: dict[str, tuple[_Key, ...]] = {
    "worker": (
        _Key("device", "cpu", 'or "cuda:0"; `jepanet node check` holds it against the CPU'),
        _Key("threads", 1, "more changes the bits of a training run"),
    )
}
