"""Puts the contracts on a chain, from their exported bytecode alone: no compiler, no Foundry.

    [DevToken]   the libraries   TrainingRounds(configuration), linked with them   RoundLens(rounds)

Where each will be is computed beforehand (`plan`). What is there already is kept, if it is what belongs
there: an interrupted deployment goes on, and a finished one is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.deploying.create2 import DEPLOYER, Creation, refused
from jepanet.chain.deploying.deployed_code import fault_of
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.chain.deploying.plan import plan
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.requests import RpcError
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.fees import FeePolicy
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Exit, Fatal, Transient
from jepanet.intents import Intent, IntentStore
from jepanet.types import Address, BlockRef


class _InMemory:
    """Intents of a deployment on a chain that is thrown away with them."""

    def __init__(self) -> None:
        self._intents: dict[str, Intent] = {}

    def intents(self, sender: str) -> Sequence[Intent]:
        return [intent for intent in self._intents.values() if intent.sender == sender]

    def put(self, intent: Intent) -> None:
        self._intents[intent.key] = intent


async def deploy(
    rpc: Rpc,
    wallet: Wallet,
    parameters: DeployParameters,
    *,
    fees: FeePolicy | None = None,
    intents: IntentStore | None = None,
    told: Callable[[Creation, bool], None] = lambda _item, _fresh: None,
) -> Deployment:
    """Deploys what is missing from `wallet`, waiting for each piece to be `confirmations` deep.

    Libraries have no state and are shared with whoever has deployed the same ones. `intents` keep what was
    sent; without them a process that ends while a transaction is pending may pay for it twice. `told` of each
    piece whether it was created now.

    Raises:
        Rejected: a constructor refuses its arguments (`BadConfiguration`, `ZeroAddress`, ...).
        Transient: endpoints are down or the wallet lacks funds; may be called again.
        Fatal: the chain has no deterministic deployer (Exit.WRONG_CHAIN), or other code lies or arrives where
            a piece belongs (Exit.VERIFICATION_FAILED).
    """
    planned = plan(parameters, wallet.address)
    await check_deployer(rpc)
    present = await what_is_there(rpc, planned.creations)
    sender = Sender(
        rpc, wallet, intents or _InMemory(), fees or FeePolicy(), parameters.confirmations, error_decoder(),
        poll=0.25,
    )  # fmt: skip
    block: BlockRef | None = None
    for item in planned.creations:
        if item.name in present:
            told(item, False)
            continue
        await refused(rpc, item, wallet.address)
        receipt = await sender.send(f"{item.name}/{item.address}", item.call())
        await _check_arrived(rpc, item, receipt.block_hash)
        block = block or await _block(rpc, receipt.block_hash)
        told(item, True)
    if block is None or "TrainingRounds" in present:
        block = await _born(rpc, planned.rounds)
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


async def check_deployer(rpc: Rpc) -> None:
    """Raises: Fatal (Exit.WRONG_CHAIN) where the chain lacks the deterministic deployer; Transient."""
    if not await rpc.code(DEPLOYER, "latest"):
        raise Fatal(
            f"chain {rpc.chain_id} has no deterministic deployer at {DEPLOYER}",
            remedy="deploy it first (github.com/Arachnid/deterministic-deployment-proxy)",
            code=Exit.WRONG_CHAIN,
        )


async def what_is_there(rpc: Rpc, creations: Sequence[Creation]) -> frozenset[str]:
    """Names of the pieces that are on the chain already.

    Raises:
        Fatal: other code lies where one belongs (Exit.VERIFICATION_FAILED).
        Transient: no endpoint answers.
    """
    found = set()
    for item in creations:
        code = await rpc.code(item.address, "latest")
        if not code:
            continue
        if (fault := fault_of(item.name, code)) is not None:
            raise Fatal(
                f"{item.address}, where {item.name} belongs, holds other code: {fault}",
                remedy="use another chain: on this one addresses do not follow from code",
                code=Exit.VERIFICATION_FAILED,
            )
        found.add(item.name)
    return frozenset(found)


async def _check_arrived(rpc: Rpc, item: Creation, block: bytes) -> None:
    code = await rpc.code(item.address, block)
    if (fault := fault_of(item.name, code)) is not None:
        raise Fatal(
            f"{item.name} is not at {item.address} where it belongs: {fault}",
            remedy="the deployer of this chain is another contract: use another chain",
            code=Exit.VERIFICATION_FAILED,
        )


async def _block(rpc: Rpc, block: int | bytes) -> BlockRef:
    header = await rpc.header(block)
    if header is None:
        raise Transient("the deployment block left the chain", remedy="deploy again with more confirmations")
    return header.ref


async def _born(rpc: Rpc, address: Address) -> BlockRef:
    """The first block in which there is code at an address that has some now."""
    below, there = -1, (await rpc.head()).ref.number
    while there - below > 1:
        middle = (below + there) // 2
        try:
            if await rpc.code(address, middle):
                there = middle
            else:
                below = middle
        except RpcError as error:
            raise Fatal(
                f"the endpoint does not know the state of block {middle} any more: {error.reason}",
                remedy="name an archive endpoint first, which says when the contracts came to this chain",
                code=Exit.CONFIG,
            ) from error
    return await _block(rpc, there)
