"""Whether a node could do its work: an operator learns of a mistake before it costs anything.

`node check` prints every row. `node run` takes the same rows: it refuses what no waiting heals before
anything is opened, and logs the others once it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.errors import Fatal, JepanetError
from jepanet.operations.access import ChainAccess, open_chain
from jepanet.operations.checks.bootstrap import check_peers
from jepanet.operations.checks.endpoints import check_endpoints
from jepanet.operations.checks.findings import Finding, Level, failures, fine, from_error, refusal
from jepanet.operations.checks.machine import check_device, check_journal, check_machine, check_settings
from jepanet.operations.checks.standing import Standing
from jepanet.operations.funds.accounts import balances
from jepanet.operations.status import is_running
from jepanet.settings.config import Config, load_config
from jepanet.settings.unlock import unlock
from jepanet.telemetry import get_logger
from jepanet.types import Address

log = get_logger("node")

_USUAL_DEVICE = "cpu"


class NotReady(Fatal):
    """At least one row is a failure; `report` holds them all."""

    def __init__(self, report: dict[str, Any], rows: list[Finding]) -> None:
        bad = failures(rows)
        names = ", ".join(dict.fromkeys(row.check for row in bad))
        super().__init__(
            f"{len(bad)} of {len(rows)} checks failed: {names}",
            remedy="each row says what to do",
            code=bad[0].code,
        )
        self.report = report


async def preflight(config_path: Path) -> dict[str, Any]:
    """Every check there is: `rows`, and the account's balances (wei as text) where they could be read.

    Raises:
        NotReady: some row is a failure; its code is the first one's.
    """
    rows: list[Finding] = []
    report: dict[str, Any] = {}
    try:
        config = load_config(config_path)
    except Fatal as error:
        rows.append(from_error("configuration", error))
    else:
        rows.append(fine("configuration", str(config_path)))
        report = await _look(config, rows)
    report["rows"] = [row.view() for row in rows]
    report["ready"] = not failures(rows)
    if not report["ready"]:
        raise NotReady(report, rows)
    return report


async def _look(config: Config, rows: list[Finding]) -> dict[str, Any]:
    report: dict[str, Any] = {"roles": ", ".join(config.node.roles)}
    rows += check_settings(config)
    rows += check_machine(config, running=is_running(config.node.data_dir))
    rows.append(await check_device(config))
    wallet: Wallet | None = None
    try:
        wallet = unlock(config.wallet)
        rows.append(fine("wallet", wallet.address))
    except JepanetError as error:
        rows.append(from_error("wallet", error))
    try:
        deployment = Deployment.load(config.chain.deployment)
    except Fatal as error:
        return _with(report, rows, from_error("deployment", error))
    rows += check_journal(config.node.data_dir, deployment)
    rows += await check_endpoints(config.chain, deployment)
    rows += await check_peers(config.p2p, deployment) if not _unusable(rows) else []
    try:
        async with open_chain(config) as chain:
            rows.append(fine("deployment", f"chain {deployment.chain_id}, contracts in place"))
            report["head"] = (await chain.rpc.head()).ref.number
            if wallet is not None:
                rows += await Standing(config, chain, wallet.address).findings()
                report.update(await balances(chain, wallet.address))
    except JepanetError as error:
        return _with(report, rows, from_error("deployment", error))
    return report


def _with(report: dict[str, Any], rows: list[Finding], row: Finding) -> dict[str, Any]:
    rows.append(row)
    return report


def _unusable(rows: list[Finding]) -> bool:
    """Whether the addresses of `[p2p]` are none, so that nothing can be dialled."""
    return any(row.check == "p2p addresses" and row.level is Level.FAILURE for row in rows)


async def refuse_to_start(config: Config) -> None:
    """Raises:
    Fatal: something that no waiting heals; the message names each such fault and its remedy.
    """
    # The port is left to the network itself: it would be free again by then, or taken.
    rows = [*check_settings(config), *check_machine(config, running=True)]
    if config.worker.device != _USUAL_DEVICE:
        rows.append(await check_device(config))
    final = failures(rows, final=True)
    if final:
        raise refusal(final, "the node would not work")


async def advise(config: Config, rpc: Rpc, deployment: Deployment, wallet: Address) -> None:
    """Logs what a running node's operator should look at: frozen or differing endpoints, stake, seats, funds.

    Never ends the node: what cannot be read now shows elsewhere.
    """
    try:
        chain = ChainAccess(config, rpc, deployment, Contracts.of(rpc, deployment))
        rows = await check_endpoints(config.chain, deployment)
        rows += await Standing(config, chain, wallet).findings()
    except JepanetError as error:
        log.info("check.skipped", why=str(error))
        return
    for row in rows:
        if row.level is Level.FAILURE:
            log.warning("check.failed", check=row.check, why=row.text, remedy=row.remedy)
        elif row.level is Level.WARNING:
            log.info("check.warned", check=row.check, why=row.text, remedy=row.remedy)
