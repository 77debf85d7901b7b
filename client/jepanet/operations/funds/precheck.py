"""What the contracts would refuse, found out before anything is signed: no gas is spent to learn it.

The words are those of the refusal itself (`chain.contracts.sentences`).
"""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.contracts.sentences import moment, sentence
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.settings.terms import accounts
from jepanet.tokens import exact
from jepanet.types import Address, Phase

MAX_MEMBERS = 32
"""`VerifierSets.MAX_MEMBERS`."""
_MAX_UNBOND_REQUESTS = 16
"""`StakeVault.MAX_UNBOND_REQUESTS`."""
_NOBODY = Address("0x" + "0" * 40)


async def check_deposit(chain: ChainAccess, account: Address, amount: int) -> None:
    """Raises: Fatal (exit code `REJECTED`): zero, entries paused, or the wallet holds less."""
    if not amount:
        raise _refused("ZeroAmount")
    if await chain.contracts.rounds.paused("latest"):
        raise _refused("EntriesPaused")
    held = await chain.contracts.token.balance(account, "latest")
    if held < amount:
        raise Fatal(
            f"{account} holds {exact(held)} tokens, not {exact(amount)}",
            remedy="send tokens to the wallet or deposit less",
            code=Exit.REJECTED,
        )


async def check_unbond(contracts: Contracts, account: Address, amount: int) -> None:
    """Raises: Fatal (exit code `REJECTED`): zero, less free stake, or too many requests."""
    if not amount:
        raise _refused("ZeroAmount")
    free = (await contracts.vault.account(account, "latest")).free
    if free < amount:
        raise Fatal(
            f"{account} has {exact(free)} tokens of free stake, not {exact(amount)}",
            remedy="ask for less; bonds of open rounds come free when those end (`jepanet claim`)",
            code=Exit.REJECTED,
        )
    if len(await contracts.vault.unbond_requests(account, "latest")) >= _MAX_UNBOND_REQUESTS:
        raise _refused("TooManyUnbondRequests")


async def check_withdraw(chain: ChainAccess, account: Address) -> None:
    """Raises: Fatal (exit code `REJECTED`): nothing is unbonding, ripe, or free of a verifier's duty."""
    vault, now = chain.contracts.vault, (await chain.rpc.head()).ref.timestamp
    requests = await vault.unbond_requests(account, "latest")
    if not requests:
        raise Fatal(
            f"{account} has asked no stake back",
            remedy="ask for it with `jepanet stake unbond AMOUNT`",
            code=Exit.REJECTED,
        )
    first = min(at for _, at in requests)
    if first > now:
        raise Fatal(
            f"no unbonding request of {account} is ripe before {moment(first)}",
            remedy="wait until then",
            code=Exit.REJECTED,
        )
    stake = await vault.account(account, "latest")
    if stake.held_until > now:
        minimum = await vault.minimum_verifier_stake("latest")
        if stake.free + stake.unbonding <= minimum:
            raise _refused("StakeHeld", account=account, until=stake.held_until)


def check_members(members: Sequence[str], threshold: int) -> tuple[Address, ...]:
    """The members of a verifier set to be, as addresses.

    Raises:
        Fatal: no address, a member twice, too many, or a threshold that does not fit (exit code `USAGE`).
    """
    addresses = tuple(accounts(members))
    twice = next((item for item in addresses if addresses.count(item) > 1 or item == _NOBODY), None)
    if twice is not None:
        says, remedy = sentence("MembersNotAscending", {})
        raise Fatal(f"{twice}: {says}", remedy=remedy, code=Exit.USAGE)
    if not 1 <= len(addresses) <= MAX_MEMBERS:
        raise _refused("BadMemberCount", Exit.USAGE, count=len(addresses))
    if not len(addresses) < 2 * threshold <= 2 * len(addresses):
        raise _refused("BadThreshold", Exit.USAGE, threshold=threshold, members=len(addresses))
    return addresses


async def check_set(contracts: Contracts, set_id: int) -> tuple[Address, ...]:
    """The members of an existing verifier set. Raises: Fatal (exit code `NOT_FOUND`)."""
    members = await contracts.verifier_sets.members(set_id, "latest")
    if not members:
        count = await contracts.verifier_sets.count("latest")
        known = f"ids run from 1 to {count}" if count else "none was made yet"
        raise Fatal(f"there is no verifier set {set_id}", remedy=known, code=Exit.NOT_FOUND)
    return members


async def check_seat(contracts: Contracts, set_id: int, account: Address) -> None:
    """Raises: Fatal: no such set (`NOT_FOUND`), or no seat in it (`REJECTED`)."""
    if account not in await check_set(contracts, set_id):
        raise _refused("NotMember", setId=set_id, account=account)


async def check_challenge(contracts: Contracts, round_id: int, account: Address) -> int:
    """The bond that a challenge of this round locks, in wei.

    Raises:
        Fatal: no such round (`NOT_FOUND`); another phase, or too little free stake (`REJECTED`).
    """
    phase = await contracts.rounds.phase(round_id, "latest")
    if phase is Phase.NONE:
        count = await contracts.rounds.count("latest")
        known = f"ids run from 1 to {count}" if count else "none was opened yet"
        raise Fatal(f"there is no round {round_id}", remedy=known, code=Exit.NOT_FOUND)
    if phase is not Phase.CHALLENGE:
        raise Fatal(
            f"round {round_id} cannot be disputed in its phase {phase.name.lower()}",
            remedy="a result is open to challenge from its record until its window ends",
            code=Exit.REJECTED,
        )
    bond = await contracts.rounds.challenge_bond(round_id, "latest")
    free = (await contracts.vault.account(account, "latest")).free
    if free < bond:
        raise Fatal(
            f"the challenge locks {exact(bond)} tokens of stake and {exact(free)} are free",
            remedy="jepanet stake deposit AMOUNT",
            code=Exit.REJECTED,
        )
    return bond


def _refused(name: str, code: Exit = Exit.REJECTED, **arguments: object) -> Fatal:
    says, remedy = sentence(name, arguments)
    return Fatal(says, remedy=remedy, code=code)
