"""The nodes of a local network: a folder for each, with wallet and configuration as `jepanet init` makes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jepanet.chain.keys.wallet_files import find_wallet
from jepanet.operations.beginning import begin, node_address
from jepanet.operations.local_network.plan import Plan
from jepanet.operations.local_network.terms import TERMS, stretch, stretched
from jepanet.operations.views.local import Devnet
from jepanet.settings.config import Config, load_config
from jepanet.settings.first_config import FirstConfig
from jepanet.types import Address, Role

DATASET_FOLDER: Final = "dataset"


def write_nodes(folder: Path, plan: Plan, chain: Devnet) -> None:
    """The folder of each node that has none yet. The first is where the others meet the network."""
    bootstrap: tuple[str, ...] = ()
    for (name, role), ports in zip(plan.cast, plan.ports, strict=True):
        if not config_file(folder, name).exists():
            said = FirstConfig(
                role=role, name=name, endpoints=(chain.anvil.rpc,), deployment="", password_file=None,
                listen=f"/ip4/127.0.0.1/tcp/{ports.p2p}", bootstrap=bootstrap, allow_isolated=not bootstrap,
                own=_own(folder, plan, role, ports.rpc, chain.anvil.websocket),
            )  # fmt: skip
            begin(folder / name, said, chain.deployment, password=True, light=True)
        bootstrap = bootstrap or node_address(config_of(folder, name)).addresses


def _own(folder: Path, plan: Plan, role: Role, rpc_port: int, websocket: str) -> dict[str, dict[str, object]]:
    """What a node of a local network has of its own in `node.toml`, by section."""
    own: dict[str, dict[str, object]] = {
        "node": {"storage_gb": 2.0},
        "chain": {"websocket": websocket, "poll_seconds": 0.5},
        "log": {"json": False},
        "rpc": {"enabled": True, "port": rpc_port},
    }
    if role is Role.PROPOSER:
        own["proposer"] = {
            "rounds": plan.rounds,
            "dataset": f"../{DATASET_FOLDER}",
            "aggregators": [wallet_of(config_of(folder, Role.AGGREGATOR.value))],
            **stretched(TERMS, stretch()),
            "max_solvers": plan.solvers,
        }
    return own


def config_file(folder: Path, name: str) -> Path:
    """Of the node of that name in the network's folder."""
    return folder / name / "node.toml"


def config_of(folder: Path, name: str) -> Config:
    """What it says; the environment is left out. Raises: Fatal as `load_config`."""
    return load_config(config_file(folder, name), {})


def wallet_of(config: Config) -> Address:
    """The account of a node, whose key stays locked."""
    return find_wallet(config.wallet.directory).address
