"""A node's first `node.toml`: the keys that somebody has to think about, each with what it means."""

from __future__ import annotations

import json
from dataclasses import dataclass
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


def first_config(said: FirstConfig) -> str:
    """The text of `node.toml`."""
    lines = [
        "# A node's configuration. Every key: docs/operations.md. A variable JEPANET_<SECTION>_<KEY> of the",
        "# environment goes before this file; `jepanet config show` says which of them counts.",
        "",
        "[node]",
        _line("name", said.name, "in the log"),
        _line("roles", [said.role.value], "solver and coordinator exclude each other"),
        _line("data_dir", "data", "journal, blobs and network key; back up data/journal.sqlite"),
        "storage_gb = 20.0                # disk budget of the blob store",
        "",
        "[wallet]",
        _line("directory", "wallet", "keystores; back them up with their password"),
        *_password(said.password_file),
        "",
        "[chain]",
        _line("endpoints", list(said.endpoints), "several: the first that answers is used"),
        _line("deployment", said.deployment, "the network's contracts"),
        "# max_fee_gwei = 200.0           # never pay more per gas, base fee and tip together",
        "",
        "[p2p]",
        _line("listen", said.listen, "open this port in the firewall"),
        _line("announce", list(said.announce), 'where others reach it, as "/dns4/NAME/tcp/PORT"'),
        _line("bootstrap", list(said.bootstrap), "addresses of nodes that are there, ending in /p2p/PEER"),
        _line("allow_isolated", said.allow_isolated, "true only on the first node of a network"),
        "",
        "[projects]",
        _line("follow", list(said.follow), "ids of projects that you trust; empty follows every one"),
        "",
        *_of_role(said.role),
        "[log]",
        'level = "info"',
        "json = true",
        "",
        "[rpc]",
        "enabled = false                  # true: answer JSON-RPC on 127.0.0.1, as docs/rpc.md says",
        "port = 4780",
    ]
    return "\n".join(lines) + "\n"


def read_first_config(text: str, folder: Path) -> Config:
    """What a node would make of the text in `folder`; the environment is left out.

    Raises: Fatal: a value is wrong; the message names its key (exit code `CONFIG`).
    """
    tree = load_toml(text, "configuration", folder / "node.toml")
    return checked_config(tree, base=folder, environment={})


def _line(key: str, value: object, meaning: str) -> str:
    """JSON's strings, booleans and lists of them are TOML's too, if every character is written as it is."""
    return f"{f'{key} = {json.dumps(value, ensure_ascii=False)}':<32} # {meaning}"


def _password(file: str | None) -> list[str]:
    if file is not None:
        return [_line("password_file", file, "mode 0600; without this key it is asked for at start")]
    return ['# password_file = "password"     # mode 0600; without this key it is asked for at start']


def _of_role(role: Role) -> list[str]:
    if role is Role.SOLVER:
        return [
            "[solver]",
            'max_bond = "100"                 # tokens at stake in one round at most',
            "",
            *_WORKER,
        ]
    if role is Role.COORDINATOR:
        return _WORKER
    if role is Role.PROPOSER:
        return [
            "[proposer]",
            "rounds = 0                       # how many rounds each project shall reach; 0 opens none",
            '# dataset = "dataset"            # folder of `jepanet dataset build`',
            'budget = "100"                   # tokens per round that solvers can earn together',
            'fee = "2"                        # tokens per round for coordinators',
            'bond = "10"                      # a solver\'s for each commit',
            'unseal_bond = "20"               # yours, lost when the drawn shard is not unsealed in time',
            'price = "0.0005"                 # tokens per micro-nat of measured gain',
            "aggregators = []                 # addresses that may propose score sheets",
            "",
        ]
    return []


_WORKER = [
    "[worker]",
    'device = "cpu"                   # or "cuda:0"; `jepanet node check` holds it against the CPU',
    "threads = 1                      # more changes the bits of a training run",
    "",
]
