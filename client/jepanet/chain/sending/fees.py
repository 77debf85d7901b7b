"""EIP-1559 fees: what to offer, when it is too much, how to outbid oneself. All amounts in wei per gas.

What a node says of fees is advice: it may be missing, null, negative or absurd, and a transaction can still
be sent. The only fact is the base fee of the newest header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.chain.endpoints.answers import Malformed, quantity
from jepanet.chain.endpoints.refusals import Demand
from jepanet.chain.endpoints.requests import ChainReader
from jepanet.errors import Transient

GWEI = 10**9
_USUAL_TIP = 5 * GWEI
"""A tip above it is offered only if two of the node's answers agree on it, or if it is demanded."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What the operator is willing to pay.

    `max_fee` caps base fee and tip together; `max_tip` and `min_tip` bound the tip, which follows the
    `percentile` of the last `blocks` blocks. `gas_margin` multiplies estimates. A transaction that is not
    mined after `replace_after` seconds is replaced by one that pays more.
    """

    max_fee: int = 200 * GWEI
    max_tip: int = 50 * GWEI
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


def choose(next_base: int, tips: Sequence[int], policy: FeePolicy) -> Fees:
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
    None: a cap does not allow it, so the old transaction has to wait.
    """
    tip = max(_bumped(old.tip), fresh.tip)
    max_fee = max(_bumped(old.max_fee), fresh.max_fee, tip)
    return Fees(max_fee=max_fee, tip=tip) if max_fee <= policy.max_fee and tip <= policy.max_tip else None


def escalate(old: Fees, fresh: Fees, demand: Demand, policy: FeePolicy) -> Fees | None:
    """Fees for a transaction that a node refused as too cheap: what it demands if it says so, else double.

    Nodes that did take the old form want a replacement to pay an eighth more on both, so it does where the
    caps allow it. None: the caps do not allow what is demanded, or leave nothing to add.
    """
    wanted = demand.tip
    if wanted is None:
        # A refusal over the base fee says nothing of the tip.
        wanted = old.tip if demand.base is not None else max(2 * old.tip, min(GWEI, policy.max_tip))
    elif wanted > policy.max_tip:
        return None
    tip = min(max(wanted, fresh.tip, _bumped(old.tip)), policy.max_tip)
    base = demand.base or 0
    if base + tip > policy.max_fee:
        return None
    max_fee = min(max(2 * base + tip, fresh.max_fee, tip, _bumped(old.max_fee)), policy.max_fee)
    raised = Fees(max_fee=max_fee, tip=tip)
    return raised if raised != old else None


def _bumped(fee: int) -> int:
    return -(-fee * 9 // 8)


# ------------------------------------------------------------------ advice


async def quote(reader: ChainReader, policy: FeePolicy) -> Fees:
    """Today's fees: the fee history's where it makes sense, else the node's other advice, else the policy's.

    Raises:
        FeeCapReached: the base fee is above the cap.
        Transient: no endpoint answers, or nothing says what the base fee is.
    """
    known = (await reader.head()).base_fee
    history = await _advice(reader, "eth_feeHistory", [hex(policy.blocks), "latest", [policy.percentile]])
    history = history if isinstance(history, dict) else {}
    base = _next_base(known, history.get("baseFeePerGas"))
    tips = _rewards(history.get("reward"))
    typical = sorted(tips)[len(tips) // 2] if tips else None
    if typical is None or typical > _USUAL_TIP:
        second = _amount(await _advice(reader, "eth_maxPriorityFeePerGas", []))
        if typical is None and second is None:
            price = _amount(await _advice(reader, "eth_gasPrice", []))
            typical = None if price is None or price <= base else price - base
        elif typical is None or (second is not None and second < typical):
            typical = second
    return choose(base, [] if typical is None else [typical], policy)


async def _advice(reader: ChainReader, method: str, params: Sequence[object]) -> object:
    try:
        return await reader.request(method, params)
    except Transient:
        return None


def _next_base(known: int | None, history: object) -> int:
    """The next block's base fee; history is believed within the factor of two that few blocks can make."""
    said = _amount(history[-1]) if isinstance(history, list) and history else None
    if known is None:
        if said is None:
            raise Transient(
                "the newest block names no base fee, nor does the fee history",
                remedy="use a chain and endpoints with EIP-1559 fees; the contracts need them",
            )
        return said
    if said is not None and known <= 2 * said and said <= 2 * known:
        return said
    return known + -(-known // 8)


def _rewards(rows: object) -> list[int]:
    firsts = [row[0] for row in rows if isinstance(row, list) and row] if isinstance(rows, list) else []
    return [tip for item in firsts if (tip := _amount(item)) is not None]


def _amount(value: object) -> int | None:
    try:
        return quantity(value)
    except Malformed:
        return None
