"""Whether rounds can be drawn fairly on a chain. What is unfit is refused before a token is at stake there.

A round's evaluation shard follows from `prevRandao` of a block that was fixed beforehand, which the contract
reads from that block's header. So headers must hash to what the chain calls their hash, and every block must
bring randomness of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.chain.deploying.deploy import check_deployer
from jepanet.chain.deploying.parameters import DeployParameters
from jepanet.chain.deploying.plan import creation_gas, plan
from jepanet.chain.endpoints.answers import Header, octets, quantity
from jepanet.chain.endpoints.beacon_headers import read_randomness
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.refusals import is_revert
from jepanet.chain.endpoints.requests import RpcError
from jepanet.errors import Exit, Fatal, Transient
from jepanet.tokens import DECIMALS
from jepanet.types import Address, BlockRef

RUN = 32
"""Recent blocks that are looked at."""
HISTORY = Address("0x0000F90827F1C53a10cb7A02335B175320002935")
"""The contract of EIP-2935, which answers the hashes of the last 8,191 blocks."""
BLOCKHASH_REACH, HISTORY_REACH = 256, 8191
MOST_GAS = 1 << 24
"""Of one transaction (EIP-7825)."""
_DECIMALS = "0x313ce567"


@dataclass(frozen=True, slots=True)
class Fitness:
    """A chain that is fit. `interval`: seconds between blocks lately; `reach`: how many blocks a header can
    be shown after its block; `draw_after`: seconds from the closing of COMMIT to the block that draws."""

    chain_id: int
    head: int
    interval: float
    reach: int
    draw_after: float


async def examine(rpc: Rpc, parameters: DeployParameters) -> Fitness:
    """Looks at the newest blocks and at what a deployment needs.

    Raises:
        Fatal: rounds cannot be drawn fairly here, a block cannot hold a contract, or the deployer is missing
            (Exit.WRONG_CHAIN); the token does not fit (Exit.CONFIG).
        Transient: no endpoint answers, or the chain is younger than `RUN` blocks.
    """
    await check_deployer(rpc)
    head = await rpc.head()
    if head.ref.number < RUN:
        raise Transient(f"the chain has {head.ref.number} blocks", remedy=f"wait until it has {RUN}")
    first = head.ref.number - RUN + 1
    randomness = [await read_randomness(rpc, number) for number in range(first, head.ref.number + 1)]
    oldest = await rpc.header(first)
    if oldest is None:
        raise Transient(f"no endpoint has block {first}")
    judge_randomness(rpc.chain_id, randomness)
    await _check_blockhash(rpc, head)
    most = min(head.gas_limit, MOST_GAS)
    # Where the token is deployed too, to whom its supply goes changes no figure.
    for item in plan(parameters, parameters.owner).creations:
        if creation_gas(item) > most:
            raise Fatal(
                f"{item.name} takes about {creation_gas(item):,} gas, a transaction holds {most:,} here",
                remedy="use another chain",
                code=Exit.WRONG_CHAIN,
            )
    if parameters.token is not None:
        await _check_token(rpc, parameters.token)
    interval = _interval(oldest.ref, head.ref)
    reach = HISTORY_REACH if await rpc.code(HISTORY, head.ref.hash) else BLOCKHASH_REACH
    return Fitness(rpc.chain_id, head.ref.number, interval, reach, interval * parameters.beacon_delay)


def judge_randomness(chain_id: int, randomness: Sequence[bytes]) -> None:
    """`prevRandao` of successive blocks: with RANDAO each block mixes something in, so that none repeats.

    Raises:
        Fatal: it stands still or repeats (Exit.WRONG_CHAIN).
    """
    different = len(set(randomness))
    if different == len(randomness):
        return
    if different == 1:
        what = f"prevRandao was 0x{randomness[0].hex()} in each of the last {len(randomness)} blocks"
    else:
        what = f"prevRandao had only {different} values in the last {len(randomness)} blocks"
    raise Fatal(
        f"chain {chain_id} is not fit: {what}, so that shards could be foreseen or chosen",
        remedy="use a chain whose every block brings randomness (RANDAO): Ethereum or one of its testnets",
        code=Exit.WRONG_CHAIN,
    )


async def _check_blockhash(rpc: Rpc, head: Header) -> None:
    """Asks the instruction for the parent's hash. Raises: Fatal (it is another); Transient."""
    parent = head.ref.number - 1
    # A creation that returns a zero byte (code must not begin with 0xef) and BLOCKHASH(parent).
    code = b"\x67" + parent.to_bytes(8, "big") + bytes.fromhex("4060015260216000f3")
    answer = await rpc.call({"data": "0x" + code.hex()}, head.ref.hash)
    if answer != b"\0" + head.parent:
        raise Fatal(
            f"chain {rpc.chain_id} is not fit: BLOCKHASH of {parent} is 0x{answer[1:].hex()}, its hash is "
            f"0x{head.parent.hex()}, so that no draw could be proven",
            remedy="use a chain whose BLOCKHASH is the hash of the block's header",
            code=Exit.WRONG_CHAIN,
        )


def _interval(first: BlockRef, last: BlockRef) -> float:
    return (last.timestamp - first.timestamp) / (last.number - first.number)


async def _check_token(rpc: Rpc, token: Address) -> None:
    """Raises: Fatal (Exit.CONFIG) for what is no token of 18 decimals; Transient."""
    if not await rpc.code(token, "latest"):
        raise Fatal(
            f"there is no token at {token} on chain {rpc.chain_id}",
            remedy="correct contracts.token",
            code=Exit.CONFIG,
        )
    try:
        answer = await rpc.ask("eth_call", [{"to": token, "data": _DECIMALS}, "latest"], octets)
        decimals = quantity("0x" + (answer.hex() or "0"))
    except RpcError as error:
        if not is_revert(error):  # the endpoint may have failed, which says nothing of the token
            raise Transient(
                f"the token {token} does not say its decimals: {error.reason}",
                remedy="look whether contracts.token is the token, and try another endpoint",
            ) from error
        decimals = None
    if decimals != DECIMALS:
        raise Fatal(
            f"the token {token} has {'no' if decimals is None else decimals} decimals",
            remedy=f"use a token with {DECIMALS}: nodes read and write amounts with as many",
            code=Exit.CONFIG,
        )
