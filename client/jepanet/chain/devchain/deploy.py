"""Puts the contracts on a chain, from their exported bytecode alone: no compiler, no Foundry.

Vault and registry name the rounds contract in their constructors and the rounds contract names them, so its
address is computed beforehand from the deployer's nonce:

    nonce n: [DevToken]   VerifierSets   StakeVault(rounds)   ProjectRegistry(rounds)   TrainingRounds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from web3.types import Nonce
from web3.utils import get_create_address

from jepanet.chain.contracts.abi import UnsignedCall, load_abi
from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.contracts.deployment import Deployment
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


@dataclass(frozen=True, slots=True)
class DeployParameters:
    """What is fixed for good at deployment. Amounts in wei of the token, durations in seconds.

    `token`: an existing ERC-20 without fees on transfer; None deploys the worthless development token, whose
    `supply` goes to the deployer. `treasury` receives slashed stake, `arbiter` resolves challenges, `owner`
    may pause entries. `challenge_bond_bps`: challenge bond in basis points of the payout.
    """

    treasury: Address
    arbiter: Address
    owner: Address
    token: Address | None = None
    supply: int = 1_000_000_000 * TOKEN
    minimum_verifier_stake: int = 1_000 * TOKEN
    unbond_delay: int = 7 * DAY
    minimum_budget: int = 10 * TOKEN
    minimum_bond: int = 10 * TOKEN
    minimum_challenge_duration: int = 3600
    resolve_duration: int = 3 * DAY
    challenge_bond_bps: int = 1_000
    confirmations: int = 12

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
            minimum_verifier_stake=100 * TOKEN,
            minimum_challenge_duration=1,
            resolve_duration=60,
            confirmations=1,
        )


class _OneShot:
    """Intents of a deployment. It is not resumed: after a failure one deploys again, at other addresses."""

    def __init__(self) -> None:
        self._intents: dict[str, Intent] = {}

    def intents(self, sender: str) -> Sequence[Intent]:
        return [intent for intent in self._intents.values() if intent.sender == sender]

    def put(self, intent: Intent) -> None:
        self._intents[intent.key] = intent


async def deploy(
    rpc: Rpc, wallet: Wallet, parameters: DeployParameters, *, fees: FeePolicy | None = None
) -> Deployment:
    """Deploys everything from `wallet`, waiting for each contract to be `confirmations` deep.

    Raises:
        Rejected: a constructor refuses its arguments (`BadConfiguration`, `ZeroAddress`, ...).
        Transient: endpoints are down or the wallet lacks funds.
        Fatal: the wallet was used by something else meanwhile, so addresses moved.
    """
    sender = Sender(
        rpc, wallet, _OneShot(), fees or FeePolicy(), parameters.confirmations, error_decoder(), poll=0.25
    )
    nonce = await rpc.transaction_count(wallet.address, "pending")
    rounds = contract_address(wallet.address, nonce + (3 if parameters.token else 4))
    made: list[Receipt] = []

    async def create(name: str, *arguments: object) -> Address:
        receipt = await sender.send(name, creation(name, *arguments))
        made.append(receipt)
        if receipt.contract is None:
            raise Transient(f"the node names no address for the new {name}")
        return receipt.contract

    token = parameters.token or await create("DevToken", wallet.address, parameters.supply)
    sets = await create("VerifierSets")
    vault = await create(
        "StakeVault",
        token,
        rounds,
        parameters.treasury,
        parameters.minimum_verifier_stake,
        parameters.unbond_delay,
    )
    registry = await create("ProjectRegistry", sets, rounds)
    configuration = (
        token,
        vault,
        sets,
        registry,
        parameters.arbiter,
        parameters.owner,
        parameters.minimum_budget,
        parameters.minimum_bond,
        parameters.minimum_challenge_duration,
        parameters.resolve_duration,
        parameters.challenge_bond_bps,
    )
    if await create("TrainingRounds", configuration) != rounds:
        raise Fatal(
            f"{wallet.address} sent other transactions during the deployment, so its contracts do not fit",
            remedy="stop what uses the wallet and deploy again",
            code=Exit.REJECTED,
        )
    first = await _block_of(rpc, made[0])
    return Deployment(
        chain_id=rpc.chain_id,
        block_number=first.number,
        block_hash=first.hash,
        block_timestamp=first.timestamp,
        token=token,
        vault=vault,
        verifier_sets=sets,
        registry=registry,
        rounds=rounds,
        confirmations=parameters.confirmations,
    )


def creation(name: str, *arguments: object) -> UnsignedCall:
    """The creation of a contract of abi/ with its constructor's arguments.

    Raises:
        eth_abi.exceptions.EncodingError: the arguments do not fit the constructor.
    """
    abi = load_abi(name)
    inputs = [entry["inputs"] for entry in abi.entries if entry.get("type") == "constructor"]
    types = [collapse_if_tuple(item) for item in inputs[0]] if inputs else []
    data = abi.bytecode + encode(types, arguments)
    return UnsignedCall(to=None, data=data, contract=name, arguments=arguments)


def contract_address(deployer: Address, nonce: int) -> Address:
    """The address of the contract an account creates with the transaction of that nonce."""
    return Address(get_create_address(to_checksum_address(deployer), Nonce(nonce)))


async def _block_of(rpc: Rpc, receipt: Receipt) -> BlockRef:
    header = await rpc.header(receipt.block_hash)
    if header is None:
        raise Transient("the deployment block left the chain", remedy="deploy again with more confirmations")
    return header.ref
