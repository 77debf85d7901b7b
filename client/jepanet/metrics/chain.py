"""Chain, endpoints, transactions and the wallet's account, as a node last saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jepanet.intents import OPEN_STATES, Intent
from jepanet.metrics.metric import Metric, Sample, Samples, known, whether
from jepanet.types import BlockRef

_WEI: Final = 10**18

HEAD = Metric("jepanet_chain_head_block_number", "Newest block that an endpoint named")
HEAD_AGE = Metric("jepanet_chain_head_age_seconds", "Since the newest block was first seen here")
CONFIRMED = Metric("jepanet_chain_confirmed_block_number", "Newest block that the node acted on")
LAG = Metric("jepanet_chain_lag_blocks", "Blocks between the newest and the newest that was acted on")
HEAD_OLD = Metric("jepanet_chain_head_old", "1 where no new block was seen for a minute")
STALLED = Metric("jepanet_chain_stalled", "1 where the chain moves on and the node does not follow")
INCOMPLETE = Metric("jepanet_chain_events_missing", "1 where events lack in the journal and are read again")
CAUGHT_UP = Metric("jepanet_node_caught_up", "1 where the node acts on the newest confirmed block")
CLOCK = Metric(
    "jepanet_clock_offset_seconds",
    "This machine's clock minus the newest block's time, when the block was first seen",
)
REQUESTS = Metric("jepanet_endpoint_requests_total", "Requests to the endpoint", ("endpoint",), "counter")
FAILURES = Metric(
    "jepanet_endpoint_failures_total",
    "Requests without a usable answer: no connection, late, or not JSON-RPC",
    ("endpoint",), "counter",
)  # fmt: skip
LATENCY = Metric(
    "jepanet_endpoint_request_duration_seconds", "From request to answer or failure", ("endpoint",), "summary"
)
RESTING = Metric("jepanet_endpoint_resting", "1 where it failed and is left alone for now", ("endpoint",))
LAGGING = Metric("jepanet_endpoint_lagging", "1 where its head stays behind another's", ("endpoint",))
WRONG = Metric("jepanet_endpoint_wrong_chain", "1 where it serves another chain", ("endpoint",))

PENDING = Metric("jepanet_transactions_pending", "Transactions signed and not mined")
OLDEST = Metric(
    "jepanet_transaction_oldest_age_seconds", "Age of the oldest that is not mined, 0 without one"
)
STUCK = Metric("jepanet_transactions_stuck", "Those older than three times chain.stuck_seconds")
FAILED = Metric("jepanet_transactions_failed_recently", "Of the wallet's 64 newest, those that failed")

BALANCE = Metric("jepanet_wallet_balance_ether", "What the wallet holds to pay for gas")
FREE = Metric("jepanet_stake_free_tokens", "Stake that backs no bond")
LOCKED = Metric("jepanet_stake_locked_tokens", "Stake that backs bonds of open rounds")
DEBT = Metric("jepanet_stake_debt_tokens", "What slashes could not take")
MINIMUM = Metric("jepanet_stake_minimum_tokens", "Free stake that the node's roles need")
ACCOUNT_AGE = Metric("jepanet_account_age_seconds", "Since balance and stake were read")

METRICS: Final = (
    HEAD, HEAD_AGE, CONFIRMED, LAG, HEAD_OLD, STALLED, INCOMPLETE, CAUGHT_UP, CLOCK,
    REQUESTS, FAILURES, LATENCY, RESTING, LAGGING, WRONG,
    PENDING, OLDEST, STUCK, FAILED, BALANCE, FREE, LOCKED, DEBT, MINIMUM, ACCOUNT_AGE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChainReading:
    """`head_age`: seconds; `confirmed`: a block number; None where nothing was seen yet."""

    head: BlockRef | None
    head_age: float
    head_old: bool
    stalled: bool
    incomplete: bool
    confirmed: int | None
    caught_up: bool


@dataclass(frozen=True, slots=True)
class EndpointReading:
    """`seconds`: that all requests took together."""

    name: str
    requests: int
    failures: int
    seconds: float
    resting: bool
    lagging: bool
    wrong_chain: bool


@dataclass(frozen=True, slots=True)
class AccountReading:
    """In wei; `age`: seconds since they were read."""

    native: int
    free: int
    locked: int
    debt: int
    minimum: int
    age: float


def chain_samples(reading: ChainReading, now: float) -> Samples:
    """`now`: unix seconds of this machine."""
    head = reading.head
    yield HEAD_AGE.at(reading.head_age)
    yield whether(HEAD_OLD, reading.head_old)
    yield whether(STALLED, reading.stalled)
    yield whether(INCOMPLETE, reading.incomplete)
    yield whether(CAUGHT_UP, reading.caught_up)
    yield from known(CONFIRMED, reading.confirmed)
    if head is None:
        return
    yield HEAD.at(head.number)
    yield CLOCK.at(now - reading.head_age - head.timestamp)
    if reading.confirmed is not None:
        yield LAG.at(max(0, head.number - reading.confirmed))


def endpoint_samples(readings: Sequence[EndpointReading]) -> Samples:
    """Endpoints of one name, as two paths of one provider, are told together."""
    for name in sorted({item.name for item in readings}):
        same = [item for item in readings if item.name == name]
        requests = sum(item.requests for item in same)
        yield REQUESTS.at(requests, name)
        yield FAILURES.at(sum(item.failures for item in same), name)
        yield Sample(LATENCY, (name,), sum(item.seconds for item in same), requests)
        yield whether(RESTING, any(item.resting for item in same), name)
        yield whether(LAGGING, any(item.lagging for item in same), name)
        yield whether(WRONG, any(item.wrong_chain for item in same), name)


def transaction_samples(newest: Sequence[Intent], now: float, stuck_seconds: float) -> Samples:
    """`newest`: the wallet's newest transactions. One that is stuck holds up all that come after it, so it is
    among them for long enough to be seen."""
    ages = [max(0.0, now - item.created) for item in newest if item.state in OPEN_STATES]
    yield PENDING.at(len(ages))
    yield OLDEST.at(max(ages, default=0.0))
    yield STUCK.at(sum(age > 3 * stuck_seconds for age in ages))
    yield FAILED.at(sum(item.state == "failed" for item in newest))


def account_samples(reading: AccountReading | None) -> Samples:
    """Nothing before it was read for the first time."""
    if reading is None:
        return
    yield BALANCE.at(reading.native / _WEI)
    yield FREE.at(reading.free / _WEI)
    yield LOCKED.at(reading.locked / _WEI)
    yield DEBT.at(reading.debt / _WEI)
    yield MINIMUM.at(reading.minimum / _WEI)
    yield ACCOUNT_AGE.at(reading.age)
