"""Whether a node could do its work: an operator learns of a mistake before it costs anything.

`node check` prints every row. `node run` takes the same rows: it refuses what no waiting heals before
anything is opened, and logs the others once it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.errors import Fatal, JepanetError
from jepanet.operations.access import ChainAccess, open_chain
from jepanet.operations.checks.bootstrap import check_peers
from jepanet.operations.checks.endpoints import check_endpoints
from jepanet.operations.checks.findings import Finding, Level, failures, fine, from_error, refusal
from jepanet.operations.checks.machine import check_device, check_journal, check_machine, check_settings
from jepanet.operations.checks.standing import AccountChecks
from jepanet.operations.funds.stake import balances
from jepanet.operations.status import is_running
from jepanet.operations.views.funds import Account
from jepanet.operations.views.node import CheckReport
from jepanet.settings.config import Config
from jepanet.settings.unlock import unlock
from jepanet.telemetry import get_logger
from jepanet.types import Address
from jepanet.work.requests.machine import ON_CPU

log = get_logger("node")


class NotReady(Fatal):
    """At least one row is a failure; `report` holds them all."""

    def __init__(self, report: CheckReport, rows: list[Finding]) -> None:
        bad = failures(rows)
        names = ", ".join(dict.fromkeys(row.check for row in bad))
        super().__init__(
            f"{len(bad)} of {len(rows)} checks failed: {names}",
            remedy="each row says what to do",
            code=bad[0].code,
        )
        self.report = report


@dataclass
class _Findings:
    """What was found so far."""

    rows: list[Finding]
    roles: str | None = None
    head: int | None = None
    account: Account | None = None

    def report(self) -> CheckReport:
        """Raises: NotReady: some row is a failure; its code is the first one's."""
        ready = not failures(self.rows)
        shown = tuple(row.view() for row in self.rows)
        report = CheckReport(shown, ready, roles=self.roles, head=self.head, account=self.account)
        if not ready:
            raise NotReady(report, self.rows)
        return report


async def preflight(config: Config, source: Path, *, beyond: Sequence[Finding] = ()) -> CheckReport:
    """Every check there is of the configuration read from `source`, with the account where it could be read.

    What is opened is opened to see whether it can be. `beyond`: what else was found, to be reported with it.

    Raises:
        NotReady: some row is a failure.
    """
    found = _Findings([fine("configuration", str(source))], roles=", ".join(config.node.roles))
    await _look(config, found)
    found.rows += beyond
    return found.report()


def report_of(rows: list[Finding]) -> CheckReport:
    """The report of rows about the machine alone. Raises: NotReady: some row is a failure."""
    return _Findings(rows).report()


def unreadable(error: Fatal) -> NotReady:
    """The report where there is no configuration to check: one row."""
    rows = [from_error("configuration", error)]
    return NotReady(CheckReport(tuple(row.view() for row in rows), ready=False), rows)


async def _look(config: Config, found: _Findings) -> None:
    rows = found.rows
    rows += check_settings(config)
    rows += check_machine(config, running=is_running(config.node.data_dir))
    seen, build = await check_device(config.worker)
    rows += seen
    wallet: Wallet | None = None
    try:
        wallet = unlock(config.wallet)
        rows.append(fine("wallet", wallet.address))
    except JepanetError as error:
        rows.append(from_error("wallet", error))
    try:
        deployment = Deployment.load(config.chain.deployment)
    except Fatal as error:
        rows.append(from_error("deployment", error))
        return
    rows += check_journal(config.node.data_dir, deployment)
    rows += await check_endpoints(config.chain, deployment)
    rows += await check_peers(config.p2p, deployment) if not _unusable(rows) else []
    try:
        async with open_chain(config.chain) as chain:
            rows.append(fine("deployment", f"chain {deployment.chain_id}, contracts in place"))
            found.head = (await chain.rpc.head()).ref.number
            if wallet is not None:
                rows += await AccountChecks(config, chain, wallet.address, build).findings()
                found.account = await balances(chain, wallet.address)
    except JepanetError as error:
        rows.append(from_error("deployment", error))


def _unusable(rows: list[Finding]) -> bool:
    """Whether the addresses of `[p2p]` are none, so that nothing can be dialled."""
    return any(row.check == "p2p addresses" and row.level is Level.FAILURE for row in rows)


async def refuse_to_start(config: Config) -> None:
    """Logs what the file alone shows to be of no use.

    Raises:
        Fatal: something that no waiting heals; the message names each such fault and its remedy.
    """
    rows = list(check_settings(config))
    _tell(row for row in rows if row.level is Level.WARNING)
    # The port is left to the network itself: it would be free again by then, or taken.
    rows += check_machine(config, running=True)
    if config.worker.device != ON_CPU.device:
        rows += (await check_device(config.worker))[0]
    final = failures(rows, final=True)
    if final:
        raise refusal(final, "the node would not work")


async def advise(config: Config, rpc: Rpc, deployment: Deployment, wallet: Address) -> None:
    """Logs what a running node's operator should look at: frozen or differing endpoints, stake, seats, funds.

    Never ends the node: what cannot be read now shows elsewhere.
    """
    try:
        chain = ChainAccess.of(config.chain, rpc, deployment)
        rows = await check_endpoints(config.chain, deployment)
        rows += await AccountChecks(config, chain, wallet).findings()
    except JepanetError as error:
        log.info("check.skipped", why=str(error))
        return
    _tell(rows)


def _tell(rows: Iterable[Finding]) -> None:
    for row in rows:
        if row.level is Level.FAILURE:
            log.warning("check.failed", check=row.check, why=row.text, remedy=row.remedy)
        elif row.level is Level.WARNING:
            log.info("check.warned", check=row.check, why=row.text, remedy=row.remedy)
