"""A node's first files: wallet, network key, deployment and `node.toml`, made once and never replaced."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.keys.wallet_files import WalletFile, find_wallet, list_wallets
from jepanet.errors import Exit, Fatal
from jepanet.files import read_capped, write_new
from jepanet.operations import keys
from jepanet.operations.views.local import Begun, NodeAddress
from jepanet.p2p.identity import load_or_create_node_key, peer_id_of
from jepanet.p2p.interfaces import announced_for
from jepanet.p2p.options import check_addresses, check_announced, parse_listen
from jepanet.settings.config import Config
from jepanet.settings.first_config import FirstConfig, first_config, read_first_config
from jepanet.settings.paths import Paths, make_private
from jepanet.texts import MAX_TEXT_BYTES
from jepanet.types import Role

_NAMES = ("node.toml", "deployment.json", "password")
_DATASET = "dataset"


def begin(folder: Path, said: FirstConfig, deployment: Path, *, password: bool, light: bool = False) -> Begun:
    """Makes a node's folder. A second call after an interrupted one goes on with the wallet that is there.

    `password`: make a random one in the folder; else it is that of `said.password_file`, or asked for twice.
    `light`: as `keys.new`.

    Raises:
        Fatal: a configuration is there, or a value is wrong: then nothing was written (exit code `CONFIG`);
            a file cannot be written or the password is unusable (`WALLET`).
    """
    config_file, copy, password_file = (folder / name for name in _NAMES)
    if os.path.lexists(config_file):
        raise Fatal(
            f"{config_file} is there already, and nothing was changed",
            remedy="name another folder with --out, or edit the file",
            code=Exit.CONFIG,
        )
    Deployment.load(deployment)
    if password:
        said = replace(said, password_file=password_file.name)
    text = first_config(replace(said, deployment=copy.name))
    config = read_first_config(text, folder)
    check_addresses(said.listen, said.bootstrap)
    check_announced(said.announce)
    make_private(folder)
    _copied(deployment, copy)
    if password and not os.path.lexists(password_file):
        write_new(password_file, os.urandom(24).hex().encode() + b"\n", mode=0o600)
    file = _wallet(config, light=light)
    where = node_address(config)
    write_new(config_file, text.encode(), mode=0o600)
    return Begun(
        file.address, file.path, config_file, where.peer, where.addresses, _next(said.role, file, config_file)
    )


def node_address(config: Config) -> NodeAddress:
    """How others reach the node of a configuration, from its key, which is made if there is none yet.

    Without addresses where the system is to choose the port, or no interface is up.

    Raises: Fatal: the key is open to others or damaged, or an address is wrong (exit code `CONFIG`).
    """
    check_announced(config.p2p.announce)
    port = parse_listen(config.p2p.listen)[2]
    paths = Paths(config.node.data_dir)
    make_private(paths.root)
    peer = peer_id_of(load_or_create_node_key(paths.network / "node.key"))
    reached = config.p2p.announce or (announced_for(config.p2p.listen) if port else ())
    return NodeAddress(peer, tuple(f"{address}/p2p/{peer}" for address in reached))


def _copied(source: Path, copy: Path) -> None:
    """The deployment file beside the configuration, as it was when the operator looked at it."""
    data = read_capped(source, MAX_TEXT_BYTES, "deployment file")
    try:
        write_new(copy, data, mode=0o644)
    except FileExistsError:
        if read_capped(copy, MAX_TEXT_BYTES, "deployment file") != data:
            raise Fatal(
                f"{copy} is another network's, and was not replaced",
                remedy="name another folder with --out, or move that file away",
                code=Exit.CONFIG,
            ) from None


def _wallet(config: Config, *, light: bool) -> WalletFile:
    section = config.wallet
    if list_wallets(section.directory):
        return find_wallet(section.directory)
    made = keys.new(section.directory, section.password_file, light=light)
    return WalletFile(made.address, made.keystore)


def _next(role: Role, file: WalletFile, config: Path) -> tuple[str, ...]:
    """What is left to do, in order, for people."""
    dataset = config.parent / _DATASET
    steps = [f"send ether for gas to {file.address}"]
    match role:
        case Role.SOLVER:
            steps.append(
                "send it tokens for the bonds of its commits; the node deposits them as it needs them"
            )
        case Role.COORDINATOR:
            steps += [
                "send it tokens for its stake",
                f"jepanet stake deposit 200 --config {config}",
                f"jepanet verifiers join SET --config {config}   (the proposer names the set)",
            ]
        case Role.PROPOSER:
            steps += [
                "send it tokens for the escrow of its rounds",
                f"jepanet dataset build tworoom --out {dataset}, and name it in [proposer]",
                f"jepanet project create --dataset {dataset} --verifier ADDRESS --config {config}",
                "write how many rounds to play into proposer.rounds",
            ]
        case Role.AGGREGATOR:
            steps.append(f"give {file.address} to the proposer, for proposer.aggregators")
    return (*steps, f"jepanet node check --config {config}", f"jepanet node run --config {config}")
