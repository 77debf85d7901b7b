"""Sending a duty's transaction: what an endpoint says before it, and which refusals time heals."""

from __future__ import annotations

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.endpoints.requests import BlockId
from jepanet.errors import Rejected, Transient
from jepanet.roles.context import Context
from jepanet.types import Address, RoundId, Standing

_OVERTAKEN = frozenset(
    {
        "BeaconAlreadyFixed",
        "BeaconAlreadyDrawn",
        "AlreadyUnsealed",
        "NotUnrevealed",
        "AlreadySlashed",
        "NotRevealed",
        "AlreadyRevealed",
        "NothingToClaim",
    }
)
"""Somebody else did it between this node's look and its transaction: the duty is done."""
_TOO_EARLY = frozenset({"WrongPhase", "BeaconTooEarly", "VerifierSetInactive", "ClaimsOpen"})
_LOOK_AGAIN = frozenset(
    {
        "ClaimFirst",
        "InsufficientStake",
        "ERC20InsufficientBalance",
        "ERC20InsufficientAllowance",
        "AlreadyCommitted",
        "CommitmentMismatch",
        "BeaconNotFixed",
        "BeaconNotDrawn",
        "WrongHeader",
        "SignerUnderStaked",
    }
)
"""A balance, a commitment or a draw was seen a moment ago and is not there, or the reverse: another duty of
this node came between, or the endpoint that simulates lags behind the one that was asked. Handlers look
before they send, so the next try knows."""

_LANES = 8
"""Rounds of a project take so many words of an account in turn (`HotWord.lane` of the contracts)."""


def endpoint_lags(what: str) -> Transient:
    """What to raise when an endpoint knows less than was confirmed to this node: not "already done".

    Of several endpoints one may lag, and a duty that is closed on its word is never taken up again.
    """
    return Transient(f"{what}: the endpoint that answered is behind the blocks confirmed here")


def newest_known(context: Context) -> BlockId:
    """The newest block this node has seen: of those stored, and of those its transactions are in.

    By hash: a machine that lags refuses it, where it would answer `latest` with yesterday's zero.
    """
    stored, reached = context.journal.head(), context.sender.reached
    if reached is not None and (stored is None or reached.block_number > stored.number):
        return reached.block_hash
    return "latest" if stored is None else stored.hash


async def standing_of(context: Context, what: str, round_id: RoundId, account: Address) -> Standing | None:
    """Where an account stands in a round in which its commit was confirmed here; None: nowhere any more.

    The contract uses an account's word again eight rounds later, when nothing of it is open, and from then on
    answers as if the account had never committed. An endpoint that lags answers the same, so it is asked once
    more about the newest block known here, which it has to have; and without such a later commit, confirmed
    here, nobody is believed.

    Raises:
        Transient: it lags; try again later.
    """
    read = context.contracts.lens.commitment
    standing = (await read(round_id, account, "latest")).standing
    if standing is not Standing.NONE:
        return standing
    known = newest_known(context)
    if known == "latest":
        raise endpoint_lags(what)
    standing = (await read(round_id, account, known)).standing
    if standing is not Standing.NONE:
        return standing
    if not _used_again(context, round_id, account):
        raise endpoint_lags(what)
    return None


def _used_again(context: Context, round_id: RoundId, account: Address) -> bool:
    """Whether the account committed in a later round of the project that shares its words with this one."""
    project, rounds = context.round(round_id).project_id, context.state().rounds
    later = sorted(key for key, item in rounds.items() if item.project_id == project and key > round_id)
    return any(rounds[key].committed(account) for key in later[_LANES - 1 :: _LANES])


async def submit(context: Context, key: str, call: UnsignedCall) -> None:
    """Carries out `call` once for `key` (see `Sender.send`).

    Confirmed time lags behind the chain's head, so a phase may look open here and be over there, or the
    reverse. The duty is tried again as long as confirmed time says it is due, then closed.

    Raises:
        Transient: try again later. Rejected: the contract refused for good.
    """
    try:
        await context.sender.send(key, call)
    except Rejected as error:
        if error.reason in _TOO_EARLY | _LOOK_AGAIN:
            raise Transient(f"{key}: {error.message}", remedy=error.remedy) from error
        if error.reason in _OVERTAKEN:
            return
        raise
