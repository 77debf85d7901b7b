"""What can be checked before a node starts: an operator learns of a mistake before it costs anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jepanet.errors import Exit, Fatal
from jepanet.node.access import open_chain
from jepanet.node.accounts import balances
from jepanet.node.config import P2PSection, load_config
from jepanet.node.keys import unlock
from jepanet.node.projects import open_dataset
from jepanet.node.terms import round_terms, wei
from jepanet.p2p.config import check_addresses
from jepanet.types import Role


def check_network(section: P2PSection) -> None:
    """What of `[p2p]` can be judged without a network.

    Raises:
        Fatal: no peer to start from (exit code `NO_PEERS`), or an address nobody could use (`CONFIG`).
    """
    check_addresses(section.listen, section.bootstrap)
    if not section.bootstrap and not section.allow_isolated:
        raise Fatal(
            "p2p.bootstrap names no peer, so this node would never meet another",
            remedy="add a peer's multiaddress, or set p2p.allow_isolated = true on the first node",
            code=Exit.NO_PEERS,
        )


async def preflight(config_path: Path) -> dict[str, Any]:
    """Checks terms, dataset and addresses, unlocks the wallet, checks chain and contracts, reports balances.

    Raises: Fatal or Transient, as `jepanet node run` would.
    """
    config = load_config(config_path)
    wei(config.solver.max_bond, "solver.max_bond")
    if Role.PROPOSER in config.node.roles:
        round_terms(config.proposer)
        if config.proposer.dataset is not None:
            open_dataset(config.proposer.dataset)
    check_network(config.p2p)
    wallet = unlock(config.wallet)
    async with open_chain(config) as chain:
        head = await chain.rpc.head()
        held = await balances(chain, wallet.address)
        needs = await chain.contracts.vault.minimum_verifier_stake("latest")
    report: dict[str, Any] = {"roles": ", ".join(config.node.roles), "head": head.ref.number, **held}
    if Role.COORDINATOR in config.node.roles:
        report["stake_needed_as_coordinator"] = str(needs)
    return report
