"""A deployment for a real chain: foreseen, examined, sent once, and held against what was built."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jepanet.chain.contracts.abi import load_abi
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.deploying.create2 import Creation
from jepanet.chain.deploying.deploy import deploy, what_is_there
from jepanet.chain.deploying.fitness import Fitness, examine
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.chain.deploying.plan import configuration_of, creation_gas, plan
from jepanet.chain.deploying.verifying import Verification, verify
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.fees import quote
from jepanet.errors import Exit, Fatal
from jepanet.operations.checks.endpoints import LOCAL_CHAINS
from jepanet.settings.deployment_arguments import Deployer, DeploymentArguments
from jepanet.settings.fees import fee_policy
from jepanet.settings.unlock import unlock
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.tokens import exact
from jepanet.types import Address

OFFICES = ("owner", "treasury", "arbiter")
LOOKAHEAD = 64
"""Slots: two epochs of Ethereum, for which proposers are assigned."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One contract or library. `creation` and `deployed` are bytes, `gas` about what creating it takes."""

    name: str
    address: Address
    creation: int
    deployed: int
    gas: int


@dataclass(frozen=True, slots=True)
class Examined:
    """A chain that is fit, and the names of the pieces that it has already. `contracts`: the offices that are
    held by a contract there; the others are held by whoever has one key."""

    fitness: Fitness
    present: frozenset[str]
    contracts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays. `cost`: wei of ether that what is missing takes at most, should the base fee double."""

    wallet: Wallet
    balance: int
    cost: int


def foresee(arguments: DeploymentArguments) -> tuple[Foreseen, ...]:
    """Where everything will be; asks no chain.

    Raises:
        Fatal: an address is not the one that was announced (Exit.VERIFICATION_FAILED).
    """
    planned = plan(arguments.parameters, arguments.parameters.owner)
    for name in ("rounds", "lens"):
        announced, computed = getattr(arguments.expected, name), getattr(planned, name)
        if announced is not None and announced != computed:
            raise Fatal(
                f"expected.{name} is {announced}, and this code with these arguments belongs at {computed}",
                remedy="find out which argument, salt or version differs before anything is sent",
                code=Exit.VERIFICATION_FAILED,
            )
    return tuple(
        Foreseen(item.name, item.address, len(item.code), load_abi(item.name).size, creation_gas(item))
        for item in planned.creations
    )


@asynccontextmanager
async def open_endpoints(urls: Sequence[str], chain_id: int, timeout: float = 30.0) -> AsyncIterator[Rpc]:
    """Endpoints of one chain, checked. Raises: Fatal, Transient (another chain, or no answer)."""
    rpc = Rpc(urls, chain_id, timeout)
    try:
        await rpc.check()
        yield rpc
    finally:
        await rpc.close()


async def survey(rpc: Rpc, parameters: DeployParameters) -> Examined:
    """Whether the chain is fit, and what is there.

    Raises:
        Fatal: it is not fit (Exit.WRONG_CHAIN), the token is none or the delay too short (Exit.CONFIG), or
            other code lies where a piece belongs (Exit.VERIFICATION_FAILED).
        Transient: no endpoint answers.
    """
    check_delay(rpc.chain_id, parameters.beacon_delay)
    fitness = await examine(rpc, parameters)
    present = await what_is_there(rpc, plan(parameters, parameters.owner).creations)
    held = {name for name in OFFICES if await rpc.code(getattr(parameters, name), "latest")}
    return Examined(fitness, present, frozenset(held))


def check_delay(chain_id: int, beacon_delay: int) -> None:
    """Whoever closes COMMIT must not know who proposes the blocks before the one that draws.

    Raises: Fatal (Exit.CONFIG).
    """
    if beacon_delay <= LOOKAHEAD and chain_id not in LOCAL_CHAINS:
        raise Fatal(
            f"beacon_delay is {beacon_delay} blocks, and proposers are known {LOOKAHEAD} slots ahead",
            remedy="take 128: four epochs",
            code=Exit.CONFIG,
        )


async def payer(rpc: Rpc, deployer: Deployer, arguments: DeploymentArguments, found: Examined) -> Payer:
    """Unlocks the wallet and looks whether it can pay for all that is missing.

    Raises:
        Fatal: the wallet does not open (Exit.WALLET), or holds too little (Exit.UNFUNDED).
        Transient: no endpoint answers, or fees are above the cap (`FeeCapReached`).
    """
    wallet = unlock(deployer.wallet)
    gas = sum(item.gas for item in foresee(arguments) if item.name not in found.present)
    cost = gas * (await quote(rpc, fee_policy(deployer.chain))).max_fee if gas else 0
    balance = await rpc.balance(wallet.address, "latest")
    if balance < cost:
        raise Fatal(
            f"{wallet.address} holds {exact(balance)} ether, what is missing takes {exact(cost)} at most",
            remedy="send it ether, or wait for lower fees",
            code=Exit.UNFUNDED,
        )
    return Payer(wallet, balance, cost)


async def send(
    rpc: Rpc,
    deployer: Deployer,
    arguments: DeploymentArguments,
    wallet: Wallet,
    told: Callable[[Creation, bool], None],
) -> Deployment:
    """Deploys what is missing, verifies all of it and writes the file that `chain.deployment` names.

    What was sent is kept beside that file, so that a call that was interrupted goes on with its transactions.

    Raises:
        Fatal: the file is there and of another deployment (Exit.CONFIG), or as `survey` and `deploy`.
        Rejected: a constructor refuses its arguments.
        Transient: endpoints are down or the wallet lacks funds; may be called again.
    """
    foresee(arguments)
    path, planned = deployer.chain.deployment, plan(arguments.parameters, arguments.parameters.owner)
    if path.exists():
        kept = Deployment.load(path)
        if (kept.chain_id, kept.rounds, kept.lens) != (rpc.chain_id, planned.rounds, planned.lens):
            raise Fatal(
                f"{path} is of another deployment, at {kept.rounds} on chain {kept.chain_id}",
                remedy="name another file as chain.deployment",
                code=Exit.CONFIG,
            )
    await survey(rpc, arguments.parameters)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Journal.open(path.with_suffix(".sent.sqlite")) as journal:
        journal.bind(f"{rpc.chain_id}/{planned.rounds}")
        fees, intents = fee_policy(deployer.chain), JournalIntents(journal)
        made = await deploy(rpc, wallet, arguments.parameters, fees=fees, intents=intents, told=told)
    checked = await check(rpc, made, arguments)
    if not checked.holds:
        raise Fatal(
            "what arrived on the chain is not what was built: "
            + "; ".join(f"{item.name}: {fault}" for item in checked.pieces for fault in item.faults),
            remedy="do not use it",
            code=Exit.VERIFICATION_FAILED,
        )
    made.save(path)
    return made


async def check(
    rpc: Rpc, deployment: Deployment, arguments: DeploymentArguments | None = None, *, salt: bytes = bytes(32)
) -> Verification:
    """Holds a deployment against abi/ and, if they are given, against the arguments.

    Raises: as `verify`.
    """
    if arguments is None:
        return await verify(rpc, deployment, salt=salt)
    parameters = arguments.parameters
    token = parameters.token or deployment.token
    return await verify(rpc, deployment, salt=parameters.salt, expected=configuration_of(parameters, token))
