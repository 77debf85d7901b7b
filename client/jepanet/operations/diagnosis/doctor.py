"""Everything there is to find out about a node and its machine, a row each with what to do."""

from __future__ import annotations

from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Fatal, JepanetError
from jepanet.operations.access import ChainAccess
from jepanet.operations.checks.endpoints import LOCAL_CHAINS
from jepanet.operations.checks.machine import check_device
from jepanet.operations.checks.preflight import preflight, report_of
from jepanet.operations.diagnosis.dialling import check_dialable
from jepanet.operations.diagnosis.endpoints import Window, check_clock, check_latency
from jepanet.operations.diagnosis.host import check_disk, check_memory, check_process, check_versions
from jepanet.operations.status import is_running
from jepanet.operations.views.node import CheckReport
from jepanet.settings.config import Config, WorkerSection
from jepanet.types import Role

_MOST_PROJECTS = 16


async def examine_machine(folder: Path) -> CheckReport:
    """This machine alone; `folder`: where a node would keep its things.

    Raises:
        NotReady: some row is a failure; it has the report.
    """
    device, _ = await check_device(WorkerSection())
    rows = [*check_versions(), check_memory(), *check_disk(folder), *device]
    return report_of(rows)


async def examine(config: Config, source: Path, chain: ChainAccess | None) -> CheckReport:
    """What `node check` finds, and more. `chain`: None where it cannot be reached.

    Raises:
        NotReady: some row is a failure; it has the report.
    """
    rows = [*check_versions(), check_memory(), *check_disk(config.node.data_dir)]
    rows.append(check_process(config.node.data_dir))
    try:
        deployment = Deployment.load(config.chain.deployment)
    except Fatal:  # `node check` says so
        return await preflight(config, source, beyond=rows)
    rows.append(await check_clock(config.chain.endpoints, local=deployment.chain_id in LOCAL_CHAINS))
    running = is_running(config.node.data_dir)
    rows += await check_dialable(config.p2p, deployment, running=running)
    rows += await check_latency(config, deployment, await _windows(config, chain))
    return await preflight(config, source, beyond=rows)


async def _windows(config: Config, chain: ChainAccess | None) -> list[Window]:
    """Phases in which this node has to act: of open rounds, and of those that it opens itself."""
    found = []
    terms = config.proposer
    if Role.PROPOSER in config.node.roles and terms.rounds:
        found += [Window("REVEAL of one's own terms", terms.reveal_seconds),
                  Window("VERIFY of one's own terms", terms.verify_seconds)]  # fmt: skip
    if chain is None:
        return found
    lens = chain.contracts.lens
    try:
        count = await lens.project_count("latest")
        wanted = config.projects.follow or range(max(1, count - _MOST_PROJECTS + 1), count + 1)
        for project in wanted[:_MOST_PROJECTS]:
            if not 1 <= project <= count:
                continue
            active = (await lens.project(project, "latest")).active_round
            if active:
                view = await lens.round(active, "latest")
                found += [Window(f"REVEAL of round {active}", view.reveal_end - view.reveal_start),
                          Window(f"VERIFY of round {active}", view.verify_end - view.reveal_end)]  # fmt: skip
    except JepanetError:  # the rows of the chain say so
        pass
    return [window for window in found if window.seconds > 0]
