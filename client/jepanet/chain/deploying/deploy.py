"""Puts the contracts on a chain, from their exported bytecode alone: no compiler, no Foundry.

    [DevToken]   the libraries   TrainingRounds(configuration), linked with them   RoundLens(rounds)

Where each will be is computed beforehand (`create2`), and nothing is sent if one is there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.chain.contracts.abi import load_abi
from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.deploying.create2 import DEPLOYER, Creation, creation, refused
from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.fees import FeePolicy
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Exit, Fatal, Transient
from jepanet.intents import Intent
from jepanet.types import Address, BlockRef

DAY = 86_400
TOKEN = 10**18
NOBODY = Address("0x" + "0" * 40)


@dataclass(frozen=True, slots=True)
class DeployParameters:
    """What is fixed for good at deployment. Amounts in wei of the token, durations in seconds.

    `token`: an existing ERC-20 without fees on transfer; None deploys the worthless development token, whose
    `supply` goes to the deployer. `treasury` receives slashed stake and unclaimed rewards, `arbiter` resolves
    challenges, `owner` may pause entries, `partner` is one further contract that may lock and hold stake. The
    rest is as in `Configuration`.

    `beacon_delay` in blocks: 128 are four epochs of Ethereum, more than anybody can look ahead. `salt`: 32
    bytes; another one gives other addresses.
    """

    treasury: Address
    arbiter: Address
    owner: Address
    partner: Address = NOBODY
    token: Address | None = None
    supply: int = 1_000_000_000 * TOKEN
    minimum_verifier_stake: int = 1_000 * TOKEN
    unbond_delay: int = 7 * DAY
    minimum_budget: int = 10 * TOKEN
    minimum_bond: int = 10 * TOKEN
    keeper_reward: int = TOKEN
    minimum_phase_duration: int = 120
    minimum_challenge_duration: int = 3600
    resolve_duration: int = 3 * DAY
    beacon_delay: int = 128
    challenge_bond_bps: int = 1_000
    excluded_bps: int = 2_000
    confirmations: int = 12
    salt: bytes = bytes(32)

    @classmethod
    def for_devnet(cls, owner: Address) -> DeployParameters:
        """Short times and one account for every office: for a local chain."""
        return cls(
            treasury=owner,
            arbiter=owner,
            owner=owner,
            unbond_delay=60,
            minimum_budget=TOKEN,
            minimum_bond=TOKEN,
            keeper_reward=TOKEN // 10,
            minimum_verifier_stake=100 * TOKEN,
            minimum_phase_duration=1,
            minimum_challenge_duration=1,
            resolve_duration=60,
            beacon_delay=2,
            confirmations=1,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be created, in this order, and which address means what."""

    creations: tuple[Creation, ...]
    token: Address
    rounds: Address
    lens: Address


def plan(parameters: DeployParameters, deployer: Address) -> Plan:
    """The contracts of a deployment and their addresses; sends nothing."""
    salt = parameters.salt
    made: list[Creation] = []
    token = parameters.token
    if token is None:
        made.append(creation("DevToken", deployer, parameters.supply, salt=salt))
        token = made[-1].address
    libraries: dict[str, Creation] = {}
    for name in load_abi("TrainingRounds").libraries:
        _link(name, salt, libraries)
    made += libraries.values()
    configuration = (
        token,
        parameters.owner,
        parameters.treasury,
        parameters.arbiter,
        parameters.partner,
        parameters.minimum_budget,
        parameters.minimum_bond,
        parameters.minimum_verifier_stake,
        parameters.keeper_reward,
        parameters.unbond_delay,
        parameters.minimum_phase_duration,
        parameters.minimum_challenge_duration,
        parameters.resolve_duration,
        parameters.beacon_delay,
        parameters.challenge_bond_bps,
        parameters.excluded_bps,
    )
    places = {name: item.address for name, item in libraries.items()}
    rounds = creation("TrainingRounds", configuration, salt=salt, libraries=places)
    lens = creation("RoundLens", rounds.address, salt=salt)
    return Plan((*made, rounds, lens), token, rounds.address, lens.address)


class _OneShot:
    """Intents of a deployment. It is not resumed: after a failure one deploys again, at other addresses."""

    def __init__(self) -> None:
        self._intents: dict[str, Intent] = {}

    def intents(self, sender: str) -> Sequence[Intent]:
        return [intent for intent in self._intents.values() if intent.sender == sender]

    def put(self, intent: Intent) -> None:
        self._intents[intent.key] = intent


def _link(name: str, salt: bytes, made: dict[str, Creation]) -> None:
    """Adds a library, after those that it is linked with itself."""
    for other in load_abi(name).libraries:
        _link(other, salt, made)
    places = {other: item.address for other, item in made.items()}
    made.setdefault(name, creation(name, salt=salt, libraries=places))


async def deploy(
    rpc: Rpc, wallet: Wallet, parameters: DeployParameters, *, fees: FeePolicy | None = None
) -> Deployment:
    """Deploys everything from `wallet`, waiting for each contract to be `confirmations` deep.

    What an earlier attempt left is taken up. Libraries have no state and are shared with whoever has deployed
    the same ones.

    Raises:
        Rejected: a constructor refuses its arguments (`BadConfiguration`, `ZeroAddress`, ...).
        Transient: endpoints are down or the wallet lacks funds.
        Fatal: the chain has no deterministic deployer (Exit.WRONG_CHAIN), or these very contracts are there
            already (Exit.REJECTED).
    """
    planned = plan(parameters, wallet.address)
    if not await rpc.code(DEPLOYER, "latest"):
        raise Fatal(
            f"chain {rpc.chain_id} has no deterministic deployer at {DEPLOYER}",
            remedy="deploy it first (github.com/Arachnid/deterministic-deployment-proxy)",
            code=Exit.WRONG_CHAIN,
        )
    if await rpc.code(planned.rounds, "latest"):
        raise Fatal(
            f"these contracts are on chain {rpc.chain_id} already, at {planned.rounds}",
            remedy="use their deployment file; another salt gives other addresses",
            code=Exit.REJECTED,
        )
    sender = Sender(
        rpc, wallet, _OneShot(), fees or FeePolicy(), parameters.confirmations, error_decoder(), poll=0.25
    )
    first: Receipt | None = None
    for item in planned.creations:
        if await rpc.code(item.address, "latest"):
            continue
        await refused(rpc, item, wallet.address)
        receipt = await sender.send(item.name, item.call())
        first = first or receipt
        if not await rpc.code(item.address, receipt.block_hash):
            raise Fatal(
                f"{item.name} is not at {item.address} where it belongs",
                remedy="the deployer of this chain is another contract: use another chain",
                code=Exit.WRONG_CHAIN,
            )
    assert first is not None, "the core was not there"
    block = await _block_of(rpc, first)
    return Deployment(
        chain_id=rpc.chain_id,
        block_number=block.number,
        block_hash=block.hash,
        block_timestamp=block.timestamp,
        token=planned.token,
        rounds=planned.rounds,
        lens=planned.lens,
        confirmations=parameters.confirmations,
    )


async def _block_of(rpc: Rpc, receipt: Receipt) -> BlockRef:
    header = await rpc.header(receipt.block_hash)
    if header is None:
        raise Transient("the deployment block left the chain", remedy="deploy again with more confirmations")
    return header.ref
