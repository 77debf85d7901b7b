"""From a configuration to a running node: one wallet, one node."""

from __future__ import annotations

from jepanet.chain.contracts.deployment import Deployment
from jepanet.node.app import Advise, App
from jepanet.node.engine import Trace
from jepanet.node.wallet_lock import wallet_lock
from jepanet.settings.config import Config
from jepanet.settings.unlock import unlock


async def run_node(config: Config, *, advise: Advise, trace: Trace | None = None) -> None:
    """Runs a node until it is stopped.

    `advise` is called once, when the node has started. `trace` is told every step, for tests that kill it.

    Raises:
        Fatal: the operator must act; the message names the remedy, the code becomes the exit code.
    """
    deployment = Deployment.load(config.chain.deployment)
    wallet = unlock(config.wallet)
    with wallet_lock(config.wallet.directory, wallet.address, deployment.chain_id):
        await App(config, wallet, deployment, advise=advise, trace=trace).run()
