"""What can be checked before a node starts: an operator learns of a mistake before it costs anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jepanet.node.access import open_chain
from jepanet.node.accounts import balances
from jepanet.node.config import load_config
from jepanet.node.keys import unlock
from jepanet.node.terms import round_terms, wei
from jepanet.types import Role


async def preflight(config_path: Path) -> dict[str, Any]:
    """Unlocks the wallet, checks chain and contracts, and reports balances and head.

    Raises: Fatal or Transient, as `jepanet node run` would.
    """
    config = load_config(config_path)
    wei(config.solver.max_bond, "solver.max_bond")
    if Role.PROPOSER in config.node.roles:
        round_terms(config.proposer)
    wallet = unlock(config.wallet)
    async with open_chain(config) as chain:
        head = await chain.rpc.head()
        held = await balances(chain, wallet.address)
        needs = await chain.contracts.vault.minimum_verifier_stake("latest")
    report: dict[str, Any] = {"roles": ", ".join(config.node.roles), "head": head.ref.number, **held}
    if Role.COORDINATOR in config.node.roles:
        report["stake_needed_as_coordinator"] = str(needs)
    return report
