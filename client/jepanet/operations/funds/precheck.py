"""What the contracts would refuse, found out before anything is signed: no gas is spent to learn it.

The words are those of the refusal itself (`chain.contracts.sentences`).
"""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.contracts.all import Configuration, Contracts, SetView, StakeAccount
from jepanet.chain.contracts.sentences import moment, sentence
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.settings.terms import accounts
from jepanet.tokens import exact
from jepanet.types import Address, Phase

MAX_MEMBERS = 32
"""`Setup.MAX_MEMBERS` of the contracts."""
_MAX_UNBOND_REQUESTS = 16
"""`IStakes.MAX_UNBOND_REQUESTS`."""
_MAX_SETS = 8
"""`Setup.MAX_SETS`: those that were left count while a round of theirs is open."""
_MOST = (1 << 96) - 1
"""No amount in the contracts is larger."""
_NOBODY = Address("0x" + "0" * 40)


async def check_deposit(chain: ChainAccess, account: Address, amount: int) -> None:
    """Raises: Fatal (exit code `REJECTED`): zero, entries paused, or the wallet holds less."""
    if not amount:
        raise _refused("ZeroAmount")
    if await chain.contracts.rounds.paused("latest"):
        raise _refused("EnforcedPause")
    held = await chain.contracts.token.balance(account, "latest")
    if held < amount:
        raise Fatal(
            f"{account} holds {exact(held)} tokens, not {exact(amount)}",
            remedy="send tokens to the wallet or deposit less",
            code=Exit.REJECTED,
        )


async def check_unbond(contracts: Contracts, account: Address, amount: int) -> None:
    """Raises: Fatal (exit code `REJECTED`): zero, too little stake, a member's minimum, too many requests."""
    stake = await _check_free(contracts, account, amount)
    if not stake.verifier:
        raise Fatal(
            f"{account} never joined a verifier set: its free stake needs no delay",
            remedy=f"jepanet stake withdraw {exact(amount).replace(',', '')}",
            code=Exit.REJECTED,
        )
    minimum = (await contracts.rounds.configuration("latest")).minimum_verifier_stake
    if stake.joined and stake.free - amount < minimum:
        raise Fatal(
            f"{account} is in {stake.joined} verifier set{'s' * (stake.joined > 1)}, whose members keep "
            f"{exact(minimum)} tokens of free stake; {exact(max(0, stake.free - minimum))} can be asked back",
            remedy="ask for less, or `jepanet verifiers leave SET` first",
            code=Exit.REJECTED,
        )
    if len(await contracts.lens.unbond_requests(account, "latest")) >= _MAX_UNBOND_REQUESTS:
        raise _refused("TooManyUnbondRequests")


async def check_free(contracts: Contracts, account: Address, amount: int) -> None:
    """Raises: Fatal (exit code `REJECTED`): zero, less free stake, or a debt."""
    stake = await _check_free(contracts, account, amount)
    if stake.debt:
        raise _refused("InDebt", account=account, debt=stake.debt)


async def _check_free(contracts: Contracts, account: Address, amount: int) -> StakeAccount:
    stake = await contracts.lens.account(account, "latest")
    if not amount and stake.free:
        raise _refused("ZeroAmount")
    if stake.free < amount or not amount:
        raise Fatal(
            f"{account} has {exact(stake.free)} tokens of free stake, not {exact(amount)}",
            remedy="ask for less; bonds of open rounds come free when those end (`jepanet claim`)",
            code=Exit.REJECTED,
        )
    return stake


async def check_ripe(chain: ChainAccess, account: Address, amount: int | None) -> None:
    """Whether a verifier can take out what has matured, which is all of it and no other `amount`.

    Raises:
        Fatal (exit code `REJECTED`): an amount, a debt, or nothing is unbonding, ripe, or free of its duty.
    """
    lens, now = chain.contracts.lens, (await chain.rpc.head()).ref.timestamp
    if amount is not None:
        raise _refused("VerifierMustUnbond", account=account)
    stake = await lens.account(account, "latest")
    if stake.debt:
        raise _refused("InDebt", account=account, debt=stake.debt)
    requests = await lens.unbond_requests(account, "latest")
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
    if not await lens.withdrawable(account, "latest"):
        raise _refused("StakeHeld", account=account)


async def check_debt(contracts: Contracts, account: Address) -> None:
    """Raises: Fatal (exit code `REJECTED`): it owes nothing, or has no stake that could be taken."""
    stake = await contracts.lens.account(account, "latest")
    if not stake.debt:
        raise _refused("NoDebt", account=account)
    if not stake.free + stake.unbonding:
        raise Fatal(
            f"{account} owes {exact(stake.debt)} tokens and has no stake they could be taken from",
            remedy=f"deposit first: jepanet stake deposit {exact(stake.debt).replace(',', '')}",
            code=Exit.REJECTED,
        )


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


def check_limits(cap: int, max_hold: int, deployed: Configuration) -> None:
    """What the members of a verifier set consent to: most escrow in wei, and most seconds of a hold.

    Raises: Fatal: zero, more than the contracts can count, or less than the smallest round needs, so that
        none could ever be opened with the set (exit code `USAGE`).
    """
    if not 0 < cap <= _MOST or not 0 < max_hold < 1 << 32:
        raise _refused("BadLimits", Exit.USAGE, cap=cap, maxHold=max_hold)
    forever = "a set's limits never change, and no round could be opened with this one"
    if cap < deployed.minimum_budget:
        least = exact(deployed.minimum_budget)
        raise Fatal(
            f"a cap of {exact(cap)} tokens is below the smallest budget of a round, {least}: {forever}",
            remedy=f"give a --cap of {least} at least; without one, raise [proposer] budget",
            code=Exit.USAGE,
        )
    shortest = 4 * deployed.minimum_phase_duration + deployed.minimum_challenge_duration
    shortest += deployed.resolve_duration
    if max_hold < shortest:
        raise Fatal(
            f"a longest hold of {max_hold} s is below the {shortest} s of the shortest round: {forever}",
            remedy=f"give a --max-hold of {shortest} at least; without one, lengthen [proposer]",
            code=Exit.USAGE,
        )


async def check_set(contracts: Contracts, set_id: int) -> SetView:
    """An existing verifier set. Raises: Fatal (exit code `NOT_FOUND`)."""
    found = await contracts.lens.verifier_set(set_id, "latest")
    if not found.members:
        count = await contracts.lens.set_count("latest")
        known = f"ids run from 1 to {count}" if count else "none was made yet: `jepanet verifiers create`"
        raise Fatal(f"there is no verifier set {set_id}", remedy=known, code=Exit.NOT_FOUND)
    return found


async def check_seat(contracts: Contracts, set_id: int, account: Address) -> SetView:
    """The set. Raises: Fatal: no such set (`NOT_FOUND`), or no seat in it (`REJECTED`)."""
    found = await check_set(contracts, set_id)
    if account not in found.members:
        raise _refused("NotMember", setId=set_id, account=account)
    return found


async def check_join(contracts: Contracts, set_id: int, account: Address, *, joined: bool) -> None:
    """Whether an account can take its seat; `joined`: it has.

    Raises:
        Fatal: no such set (`NOT_FOUND`); no seat in it, or one in too many others (`REJECTED`); less free
            stake than members keep (`UNFUNDED`), with which the contracts let it join, and no round open.
    """
    await check_seat(contracts, set_id, account)
    others = set(await contracts.lens.sets_of(account, "latest")) - {set_id}
    if len(others) >= _MAX_SETS:
        raise _refused("TooManySets", account=account)
    minimum = (await contracts.rounds.configuration("latest")).minimum_verifier_stake
    free = (await contracts.lens.account(account, "latest")).free
    if not joined and free < minimum:
        raise Fatal(
            f"{account} has {exact(free)} tokens of free stake, and members keep {exact(minimum)}: no round "
            "can be opened with a set before each of them has",
            remedy=f"jepanet stake deposit {exact(minimum - free).replace(',', '')}, then join",
            code=Exit.UNFUNDED,
        )


async def check_curator(contracts: Contracts, set_id: int, account: Address) -> None:
    """Raises: Fatal: no such set (`NOT_FOUND`), or somebody else created it (`REJECTED`)."""
    if (await check_set(contracts, set_id)).curator != account:
        raise _refused("NotCurator", setId=set_id, account=account)


async def check_challenge(
    chain: ChainAccess, round_id: int, payout: int, account: Address
) -> tuple[int, int]:
    """The bond that a challenge of this round takes, and what of it comes out of the wallet, in wei.

    Raises:
        Fatal: no such round (`NOT_FOUND`); another phase, one challenge already, or too few tokens
            (`REJECTED`).
    """
    contracts, lens = chain.contracts, chain.contracts.lens
    phase = await lens.phase(round_id, "latest")
    if phase is Phase.NONE:
        count = await lens.round_count("latest")
        known = f"ids run from 1 to {count}" if count else "none was opened yet"
        raise Fatal(f"there is no round {round_id}", remedy=known, code=Exit.NOT_FOUND)
    view, now = await lens.round(round_id, "latest"), (await chain.rpc.head()).ref.timestamp
    if phase not in (Phase.CHALLENGE, Phase.DISPUTED) or now >= view.challenge_end:
        raise Fatal(
            f"round {round_id} cannot be disputed in its phase {phase.name.lower()}",
            remedy="a result is open to challenge from its record until its window ends",
            code=Exit.REJECTED,
        )
    if await lens.challenge(round_id, account, "latest"):
        raise _refused("AlreadyChallenged", roundId=round_id, challenger=account)
    bond = await lens.challenge_bond(payout, "latest")
    stake = await lens.account(account, "latest")
    lacking = bond if stake.verifier else max(0, bond - stake.free)
    held = await contracts.token.balance(account, "latest")
    if held < lacking:
        has = exact(held + bond - lacking)
        raise Fatal(
            f"the challenge takes a bond of {exact(bond)} tokens; wallet and free stake have {has}",
            remedy=f"send tokens to {account}",
            code=Exit.REJECTED,
        )
    return bond, lacking


def _refused(name: str, code: Exit = Exit.REJECTED, **arguments: object) -> Fatal:
    says, remedy = sentence(name, arguments)
    return Fatal(says, remedy=remedy, code=code)
