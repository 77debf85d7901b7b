"""Answers about this machine: keystores, and a chain for development."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jepanet.operations.views.json_form import MERGED
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class Keystore:
    """A wallet's account and its encrypted file."""

    address: Address
    keystore: Path


@dataclass(frozen=True, slots=True)
class DevnetProcess:
    """The anvil of a devnet. `process` distinguishes it from another one with the same number."""

    pid: int
    process: str | None
    port: int
    chain_id: int
    rpc: str
    websocket: str


@dataclass(frozen=True, slots=True)
class Devnet:
    anvil: DevnetProcess = field(metadata=MERGED)
    head: int
    deployment: Path
    contracts: Mapping[str, Address]
    """By their names in `deployment.json`."""


@dataclass(frozen=True, slots=True)
class DevnetStopped:
    """The process that ended, and the file with the chain's state."""

    stopped: int
    state: Path


@dataclass(frozen=True, slots=True)
class DevnetFunded:
    """Who got so many whole tokens and ether each."""

    funded: tuple[Address, ...]
    tokens: int
    ether: int


@dataclass(frozen=True, slots=True)
class Installation:
    """Versions, and a digest (hex) over ABIs and bytecode of the contracts that are spoken to."""

    client: str
    python: str
    torch: str | None
    """None where it is not installed."""
    abi: str


@dataclass(frozen=True, slots=True)
class PinnedPackage:
    """A package at the one version that is used, and the one that is installed; None where there is none."""

    name: str
    version: str
    found: str | None


@dataclass(frozen=True, slots=True)
class SimulatorPackages:
    """Packages of the simulators in an environment, as they were found, and what brings those that are
    missing or of another version; nothing where there are none such."""

    environment: Path
    packages: tuple[PinnedPackage, ...]
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node's peer id, and whole addresses that others write into `p2p.bootstrap`."""

    peer: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """The files of a new node, and what is left to do before it can run, in order."""

    address: Address
    keystore: Path
    config: Path
    peer: str
    addresses: tuple[str, ...]
    next: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LocalNode:
    """A node of a local network, and the port at which it answers JSON-RPC while it runs."""

    name: str
    address: Address
    config: Path
    rpc_port: int


@dataclass(frozen=True, slots=True)
class LocalNetwork:
    """A network on one machine that is ready to run, with its project and how many rounds that is to play.
    `windows`: how many seconds each phase of them lasts at most."""

    folder: Path
    recipe: str
    rounds: int
    project: int
    windows: Mapping[str, int]
    chain: Devnet
    nodes: tuple[LocalNode, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of a configuration as others may see it, and what said so: a variable, the file, or nobody."""

    key: str
    value: bool | int | float | str | tuple[str | int, ...] | None
    source: str
    """`default`, `file`, or the name of the variable."""
