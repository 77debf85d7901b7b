"""What is fixed for good when the contracts are deployed."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.types import Address

DAY = 86_400
TOKEN = 10**18
NOBODY = Address("0x" + "0" * 40)


@dataclass(frozen=True, slots=True)
class DeployParameters:
    """Amounts in wei of the token, durations in seconds.

    `token`: an existing ERC-20 without fees on transfer; None deploys the worthless development token, whose
    `supply` goes to the deployer. `treasury` receives slashed stake and unclaimed rewards, `arbiter` resolves
    challenges, `owner` may pause entries, `partner` is one further contract that may lock and hold stake. The
    rest is as in `Configuration`.

    `beacon_delay` in blocks: 128 are four epochs of Ethereum, more than anybody can look ahead. `salt`: 32
    bytes; another one gives other addresses. `confirmations`: how deep nodes want a block to be, no argument
    of a constructor.
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
