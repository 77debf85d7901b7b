"""`jepanet node run`: configuration to running node."""

from __future__ import annotations

from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.log_stream import make_errors_patient
from jepanet.node.app import App
from jepanet.node.engine import Trace
from jepanet.node.wallet_lock import wallet_lock
from jepanet.operations.checks.preflight import refuse_to_start
from jepanet.operations.keys import unlock
from jepanet.settings.config import load_config
from jepanet.telemetry import configure_logging


async def run_node(config_path: Path, *, trace: Trace | None = None) -> None:
    """Runs a node until it is stopped.

    Raises:
        Fatal: the operator must act; the message names the remedy, the code becomes the exit code.
    """
    config = load_config(config_path)
    make_errors_patient()
    configure_logging(level=config.log.level, json=config.log.json)
    await refuse_to_start(config)
    deployment = Deployment.load(config.chain.deployment)
    wallet = unlock(config.wallet)
    with wallet_lock(config.wallet.directory, wallet.address, deployment.chain_id):
        await App(config, wallet, deployment, trace=trace).run()
