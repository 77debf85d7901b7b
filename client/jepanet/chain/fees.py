"""EIP-1559 fees: what to offer, when it is too much, how to outbid oneself. All amounts in wei per gas."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.chain.reader import ChainReader
from jepanet.errors import Transient

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What the operator is willing to pay.

    `max_fee` caps base fee and tip together; `max_tip` and `min_tip` bound the tip, which follows the
    `percentile` of the last `blocks` blocks. `gas_margin` multiplies estimates. A transaction that is not
    mined after `replace_after` seconds is replaced by one that pays more.
    """

    max_fee: int = 200 * GWEI
    max_tip: int = 5 * GWEI
    min_tip: int = 1
    percentile: int = 50
    blocks: int = 5
    gas_margin: float = 1.25
    replace_after: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.min_tip <= self.max_tip <= self.max_fee:
            raise ValueError("fees: 0 < min_tip <= max_tip <= max_fee")
        if self.gas_margin < 1 or self.replace_after <= 0 or not 0 <= self.percentile <= 100:
            raise ValueError("fees: gas_margin >= 1, replace_after > 0, percentile in 0..100")


@dataclass(frozen=True, slots=True)
class Fees:
    """`max_fee` is the most that is paid in all, `tip` the part offered to the block's producer."""

    max_fee: int
    tip: int


class FeeCapReached(Transient):
    """The chain currently asks for more than the operator's cap; waiting or raising the cap helps."""


def choose(next_base: int, tips: list[int], policy: FeePolicy) -> Fees:
    """Fees that stay valid while the base fee doubles (six full blocks), within the cap.

    Raises:
        FeeCapReached: even the next block's base fee and the smallest tip pass the cap.
    """
    typical = sorted(tips)[len(tips) // 2] if tips else policy.min_tip
    tip = min(max(typical, policy.min_tip), policy.max_tip)
    if next_base + policy.min_tip > policy.max_fee:
        raise FeeCapReached(
            f"the base fee is {next_base / GWEI:.3f} gwei, the cap is {policy.max_fee / GWEI:.3f} gwei",
            remedy="wait for lower fees or raise chain.max_fee_gwei",
        )
    return Fees(max_fee=min(2 * next_base + tip, policy.max_fee), tip=min(tip, policy.max_fee - next_base))


def outbid(old: Fees, fresh: Fees, policy: FeePolicy) -> Fees | None:
    """Fees for a replacement: both at least 9/8 of the old, rounded up, and no less than today's.

    Nodes demand 10 % on both (geth's price bump); an eighth leaves room for their rounding.
    None: the cap does not allow it, so the old transaction has to wait.
    """
    tip = max(_bumped(old.tip), fresh.tip)
    max_fee = max(_bumped(old.max_fee), fresh.max_fee, tip)
    return Fees(max_fee=max_fee, tip=tip) if max_fee <= policy.max_fee else None


def _bumped(fee: int) -> int:
    return -(-fee * 9 // 8)


async def quote(reader: ChainReader, policy: FeePolicy) -> Fees:
    """Today's fees. Raises: FeeCapReached; Transient."""
    bases, tips = await reader.fee_history(policy.blocks, policy.percentile)
    return choose(bases[-1], tips, policy)
