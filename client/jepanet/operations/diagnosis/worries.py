"""What to worry about now at a running node, the worst first, each with what to do.

The dashboard has the same in its own language (`dashboard/src/words/worries.ts`); a test holds the words of
both together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jepanet.operations.auditing.happenings import OVER
from jepanet.operations.views.activity import TrainingNow
from jepanet.operations.views.funds import Account
from jepanet.operations.views.node import Health, NodeStatus
from jepanet.operations.views.overview import Weight, Worry
from jepanet.operations.views.rounds import Reward
from jepanet.tokens import tokens

CAUSES: Final[Mapping[str, Worry]] = {
    "no-answer": Worry(
        Weight.BAD,
        "The node cannot speak for itself",
        "Its log says why, under `status.failed`. Start it anew if that does not pass.",
    ),
    "chain-unread": Worry(
        Weight.WARN,
        "Nothing of the chain was read yet",
        "Wait a minute after a start. If it stays, check `chain.endpoints` with `jepanet node check`.",
    ),
    "endpoints-silent": Worry(
        Weight.BAD,
        "No endpoint of the chain answers",
        "Nothing can be read or sent. Check that the endpoint runs and is reached from the node: "
        "`jepanet node check`. Add a second one to `chain.endpoints`.",
    ),
    "chain-stopped": Worry(
        Weight.BAD,
        "No endpoint shows a new block",
        "Check that the endpoint is up and reached from here: `jepanet node check`. Add a second one to "
        "`chain.endpoints`.",
    ),
    "chain-stalled": Worry(
        Weight.BAD,
        "Blocks come, and the node cannot follow them",
        "The log says why, under `chain.`. If it stays, start the node anew; nothing is lost.",
    ),
    "events-missing": Worry(
        Weight.WARN,
        "Some logs of the chain are missing and are read again",
        "Wait. If it stays, another endpoint in `chain.endpoints` may serve what this one leaves out.",
    ),
    "catching-up": Worry(
        Weight.WARN,
        "The node is still reading older blocks",
        "Wait: it acts again once it has read the newest one.",
    ),
    "no-peers": Worry(
        Weight.BAD,
        "No peer is connected",
        "Check the firewall and `p2p.bootstrap`, or connect by hand: `jepanet peer connect ADDRESS`.",
    ),
}
"""By the reason that `node.health` gives."""
_DUTIES, _FAILED = 5, 3
"""Of each at most so many are told."""


def worries(
    status: NodeStatus,
    health: Health,
    account: Account | None,
    rewards: Sequence[Reward],
    training: TrainingNow | None,
) -> tuple[Worry, ...]:
    """All of them; none where all is well."""
    found = [*_of_health(health), *_of_status(status), *_of_training(training), *_of_funds(account, rewards)]
    return tuple(sorted(found, key=lambda item: item.weight is not Weight.BAD))


def _of_health(health: Health) -> Iterator[Worry]:
    for reason in health.reasons:
        if reason == "chain-stopped" and "endpoints-silent" in health.reasons:
            continue  # it follows from nobody answering
        yield CAUSES.get(reason, Worry(Weight.WARN, f"The node is not ready: {reason}", "Its log says more."))
    around = health.surroundings
    if around is None:
        return
    if "clock-apart" in health.remarks and around.clock_ahead is not None:
        where = "ahead of" if around.clock_ahead > 0 else "behind"
        yield Worry(
            Weight.BAD,
            f"The node's clock is {span(abs(around.clock_ahead))} {where} the chain's",
            "Set it: `timedatectl set-ntp true`. If it is right, the endpoint shows blocks of another time: "
            "`jepanet doctor`.",
        )
    left = f"{size(around.disk_free)} of {size(around.disk_total)} are left"
    if "disk-full" in health.remarks:
        yield Worry(
            Weight.BAD,
            f"The disk is full: {left}",
            "The node ends with the next write that finds no room. Make room: `df -h`, or lower "
            "`node.storage_gb`.",
        )
    elif "disk-low" in health.remarks:
        yield Worry(
            Weight.WARN,
            f"The disk is nearly full: {left}",
            "Make room before the node has to end: `df -h`, or lower `node.storage_gb`.",
        )


def _of_status(status: NodeStatus) -> Iterator[Worry]:
    tried = [item for item in status.duties if item.error is not None and item.attempts > 0]
    for duty in tried[:_DUTIES]:
        times = f"{duty.attempts} {'attempt' if duty.attempts == 1 else 'attempts'}"
        yield Worry(
            Weight.WARN,
            f"{duty.duty} did not succeed in {times}",
            f"It is tried again. The newest cause: {duty.error}",
        )
    for round_ in status.rounds:
        if round_.phase in OVER:  # nothing can be done about it any more
            continue
        for duty_name, why in round_.failed[:_FAILED]:
            yield Worry(Weight.WARN, f"Round {round_.round}: {duty_name} was given up", f"The cause: {why}")
        training = round_.training
        if training is not None and training.status.startswith("aborted"):
            yield Worry(
                Weight.WARN,
                f"Round {round_.round}: the training was ended early",
                f"The cause: {training.why or training.status}. Nothing was committed.",
            )
    if status.log_lines_lost:
        yield Worry(
            Weight.WARN,
            f"{status.log_lines_lost} lines of the log were lost",
            "Whatever reads the log is too slow, or the disk is full: `df -h`.",
        )


def _of_training(training: TrainingNow | None) -> Iterator[Worry]:
    if training is None or training.on_time is not False:
        return
    if training.seconds_left is not None and training.deadline is not None:
        late = training.now + training.seconds_left - training.deadline
        yield Worry(
            Weight.BAD,
            f"This training would end {span(late)} after its deadline",
            "Free the device it trains on, or give it a faster one: `jepanet node check` says which windows "
            "this machine can keep.",
        )


def _of_funds(account: Account | None, rewards: Sequence[Reward]) -> Iterator[Worry]:
    if account is not None and account.native == 0:
        yield Worry(
            Weight.BAD,
            "The wallet has no ether, so nothing can be sent",
            f"Send a little ether to {account.address}; `jepanet wallet show` says when it is there.",
        )
    if account is not None and account.debt:
        yield Worry(
            Weight.WARN,
            f"The wallet owes {tokens(account.debt)} tokens that a slash could not take",
            "Nothing leaves the stake before it is paid: `jepanet stake deposit`.",
        )
    refused = [str(item.round) for item in rewards if item.claim == "rejected"]
    if refused:
        yield Worry(
            Weight.WARN,
            f"The claim of round {', '.join(refused)} was given up",
            "Claim again on the dashboard's page Rewards; the node tries it anew.",
        )


def span(seconds: float) -> str:
    """`1 h 04 min`, `4 min 09 s`, `9 s`: the two largest units."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours:02d} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"


def size(count: int) -> str:
    """Bytes with a unit and two digits or more: `3.0 MB`, `120 kB`."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"
