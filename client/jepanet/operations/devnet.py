"""A local chain for developers: anvil, the contracts, funded accounts. Nothing here has value."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.all import Contracts
from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.deploying.deploy import deploy
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.chain.devchain.anvil import AnvilProcess, public_test_accounts
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.fees import FeePolicy
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Exit, Fatal
from jepanet.files import write_atomically
from jepanet.operations.funds.unfinished import carry_out
from jepanet.operations.views.local import Devnet, DevnetFunded, DevnetProcess, DevnetStopped
from jepanet.process_identity import identity_of
from jepanet.settings.terms import accounts
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents

DEPLOYMENT = "deployment.json"
_RECORD = "devnet.json"
_STATE = "chain-state.json"
_LOG = "anvil.log"
_TOKEN = 10**18


async def up(directory: Path, *, port: int, chain_id: int, block_time: float) -> Devnet:
    """Starts anvil (taking up its saved state, if any) and deploys the contracts once.

    Raises:
        Fatal: already running here, port in use, or no anvil on this machine.
    """
    running = _record(directory)
    if running is not None and _alive(running):
        raise Fatal(
            f"a devnet is already running in {directory} (process {running.pid})",
            remedy="stop it with `jepanet devnet down`",
            code=Exit.ALREADY_RUNNING,
        )
    fresh = _prepare(directory)
    if not fresh and is_deployed(directory):
        kept = Deployment.load(directory / DEPLOYMENT).chain_id
        if kept != chain_id:
            raise Fatal(
                f"{directory} keeps the state of chain {kept}, which cannot go on as chain {chain_id}",
                remedy=f"give --chain-id {kept}, or another --dir for another chain",
                code=Exit.USAGE,
            )
    anvil = AnvilProcess(
        port=port,
        chain_id=chain_id,
        block_time=block_time,
        state=directory / _STATE,
        log=directory / _LOG,
        apart=True,
    )
    records: list[DevnetProcess] = []

    def started(pid: int) -> None:
        """Written at once: whoever comes after a killed call finds the process."""
        record = DevnetProcess(pid, identity_of(pid), port, chain_id, anvil.url, anvil.ws_url)
        write_atomically(directory / _RECORD, (json.dumps(asdict(record), indent=1) + "\n").encode())
        records.append(record)

    try:
        await anvil.start(started)
        async with _open(records[0]) as rpc:
            return await _with_contracts(directory, records[0], rpc, anew=fresh)
    except BaseException:
        await anvil.stop()
        (directory / _RECORD).unlink(missing_ok=True)
        raise


async def running(directory: Path, *, port: int, chain_id: int, block_time: float) -> Devnet:
    """The devnet that runs in this folder, with what a killed `up` left undone; else as `up`, but for a chain
    that was lost: one on whose contracts others count is not begun anew.

    Raises:
        Fatal: as `up`; or its chain is lost (exit code `DAMAGED`).
    """
    record = _record(directory)
    if record is not None and _alive(record):
        async with _open(record) as rpc:
            return await _with_contracts(directory, record, rpc, anew=False)
    if is_deployed(directory) and not (directory / _STATE).exists():
        raise Fatal(
            f"the chain of {directory} is lost: anvil was killed, and writes its state only when it is told "
            "to end",
            remedy="remove the folder and begin anew; `jepanet devnet down` ends a chain so that it is kept",
            code=Exit.DAMAGED,
        )
    return await up(directory, port=port, chain_id=chain_id, block_time=block_time)


def is_running(directory: Path) -> bool:
    """Whether a devnet of this folder runs."""
    record = _record(directory)
    return record is not None and _alive(record)


def is_deployed(directory: Path) -> bool:
    """Whether a devnet of this folder has had its contracts."""
    return (directory / DEPLOYMENT).exists()


async def _with_contracts(directory: Path, record: DevnetProcess, rpc: Rpc, *, anew: bool) -> Devnet:
    """`anew`: also where there is a deployment, which is of a chain that is gone."""
    if anew or not is_deployed(directory):
        deployer = _deployer()
        made = await deploy(rpc, deployer, DeployParameters.for_devnet(deployer.address))
        made.save(directory / DEPLOYMENT)
    return await _status(directory, record, rpc)


@asynccontextmanager
async def _open(record: DevnetProcess) -> AsyncIterator[Rpc]:
    rpc = Rpc([record.rpc], record.chain_id)
    try:
        yield rpc
    finally:
        await rpc.close()


async def down(directory: Path) -> DevnetStopped:
    """Ends anvil gracefully; it saves its state for the next `up`."""
    record = _required(directory)
    pid = record.pid
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while _alive(record):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        await asyncio.sleep(0.1)
    (directory / _RECORD).unlink(missing_ok=True)
    return DevnetStopped(pid, directory / _STATE)


async def status(directory: Path) -> Devnet:
    """Process, endpoint, head and contract addresses.

    Raises:
        Fatal: no devnet runs in this folder (exit code `NOT_FOUND`).
    """
    record = _required(directory)
    async with _open(record) as rpc:
        return await _status(directory, record, rpc)


async def _status(directory: Path, record: DevnetProcess, rpc: Rpc) -> Devnet:
    deployment = Deployment.load(directory / DEPLOYMENT)
    return Devnet(
        anvil=record,
        head=(await rpc.head()).ref.number,
        deployment=directory / DEPLOYMENT,
        contracts={name: getattr(deployment, name) for name in ("token", "rounds", "lens")},
    )


async def fund(directory: Path, addresses: tuple[str, ...], *, tokens: int, ether: int) -> DevnetFunded:
    """Mints development tokens and sends ether to each address."""
    receivers = accounts(addresses)
    twice = next((item for item in receivers if receivers.count(item) > 1), None)
    if twice is not None:
        remedy = "name each receiver once, with all it is to get"
        raise Fatal(f"{twice} is named twice", remedy=remedy, code=Exit.USAGE)
    record = _required(directory)
    deployment = Deployment.load(directory / DEPLOYMENT)
    async with _open(record) as rpc:
        token = Contracts.of(rpc, deployment).token
        with Journal.open(directory / "faucet.sqlite") as journal:
            sender = Sender(
                rpc, _deployer(), JournalIntents(journal), FeePolicy(), confirmations=1,
                decoder=error_decoder(), poll=0.2,
            )  # fmt: skip
            calls = []
            for receiver in receivers:
                calls.append(carry_out(sender, f"mint/{receiver}", token.mint(receiver, tokens * _TOKEN)))
                gift = UnsignedCall(to=receiver, data=b"", value=ether * _TOKEN, contract="ether")
                calls.append(carry_out(sender, f"ether/{receiver}", gift))
            await asyncio.gather(*calls)
    return DevnetFunded(tuple(receivers), tokens, ether)


def _prepare(directory: Path) -> bool:
    """Makes the folder; True if it holds no saved chain."""
    directory.mkdir(parents=True, exist_ok=True)
    return not (directory / _STATE).exists()


def _deployer() -> Wallet:
    """The first public test account of anvil: its key is printed in every anvil log, and worth nothing."""
    return Wallet.from_key(public_test_accounts(1)[0].key)


def _record(directory: Path) -> DevnetProcess | None:
    try:
        return DevnetProcess(**json.loads((directory / _RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _alive(record: DevnetProcess) -> bool:
    """Whether the recorded anvil still runs."""
    return record.process is not None and identity_of(record.pid) == record.process


def _required(directory: Path) -> DevnetProcess:
    record = _record(directory)
    if record is None or not _alive(record):
        raise Fatal(
            f"no devnet runs in {directory}",
            remedy="start one with `jepanet devnet up`, or name the folder of the one that runs (--dir); a "
            "quickstart's is FOLDER/devnet",
            code=Exit.NOT_FOUND,
        )
    return record
