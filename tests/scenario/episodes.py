"""Episodes of faulty endpoints: everything about one follows from a seed and its number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from chain_proxy import (
    CATALOGUE,
    Answers,
    Blooms,
    CapsLogs,
    CountLags,
    FeeAdvice,
    Freezes,
    HangsUp,
    LogsEmpty,
    LogsLag,
    Mode,
    OtherChain,
    ReceiptsLag,
    Sends,
    Shapes,
    SmallTipsRefused,
)

NODES = ("hub", "judge", "solver-1", "solver-2")
LAST_POINT = 16
"""Events of a round after which an episode may start, at most; a round of two solvers has a few more."""

_OF_TRANSACTIONS = (Sends, FeeAdvice, SmallTipsRefused, CountLags, ReceiptsLag)
_OF_RANGES = (CapsLogs, LogsLag, LogsEmpty)
_OF_EVERYTHING = (Answers, Shapes, Freezes, HangsUp, Blooms)
LOG_QUERIES_ABOVE = 32
_FAR = 160
"""Blocks after which a node reads by log queries what it missed: `LOG_QUERIES_ABOVE` final ones, and the 64
that anvil holds for not final yet. Not many more: each block that anvil mines takes longer than the last."""
_LONG = 0.08
"""The part of the episodes that last half a minute and more."""


@dataclass(frozen=True)
class Episode:
    """`modes` on the endpoints of `node`: its "first" or "both".

    `after`: events of the round that are on chain when it starts. `shared`: each call meets the faulty
    backend or a healthy one behind the same URL. `burst`: blocks that are mined at once when it starts.
    `command`: what the operator of the node does meanwhile: nothing, deposit or unbond stake, claim, or
    restart the node. It lasts `seconds`, and longer if no call has met its first fault by then.
    """

    number: int
    node: str
    where: str
    after: int
    seconds: float
    shared: bool
    modes: tuple[Mode, ...]
    burst: int = 0
    command: str = ""

    def __str__(self) -> str:
        return (
            f"episode {self.number}: {self.where} of {self.node}'s endpoints for {self.seconds:.1f} s: "
            f"{', '.join(map(brief, self.modes))}"
            f"{', balanced with a healthy backend' if self.shared else ''}"
            f"{f'; {self.burst} blocks at once' if self.burst else ''}"
            f"{f'; {self.command}' if self.command else ''}"
        )


def brief(mode: Mode) -> str:
    """A mode in a few words."""
    fields = {key: value for key, value in mode.to_json().items() if key not in ("mode", "methods")}
    if mode.share == 1.0:
        del fields["share"]
    return f"{type(mode).__name__}({', '.join(f'{key}={value}' for key, value in fields.items())})"


def draw(seed: int, number: int) -> Episode:
    """The episode of that number. Each run through the catalogue has every fault of it once."""
    deck = list(CATALOGUE)
    Random(f"deck/{seed}/{number // len(deck)}").shuffle(deck)
    dice = Random(f"episode/{seed}/{number}")
    modes = [deck[number % len(deck)]]
    of_transactions, of_ranges = isinstance(modes[0], _OF_TRANSACTIONS), isinstance(modes[0], _OF_RANGES)
    if dice.random() < (0.2 if of_transactions else 0.4):
        others = dice.sample(deck, dice.randint(1, 3))
        modes += [replace(mode, share=dice.choice((0.3, 0.6, 1.0))) for mode in others]
    node = dice.choice(NODES)
    # A node whose every endpoint is of another chain has none, and says so; here it must go on.
    foreign = any(isinstance(mode, OtherChain) for mode in modes)
    where = "first" if foreign or dice.random() < 0.5 else "both"
    command, burst = "", dice.randint(2, 24) if dice.random() < 0.2 else 0
    if of_transactions:
        # Only the judge has stake to take out.
        command = dice.choice(("deposit", "unbond")) if node == "judge" else "deposit"
    elif of_ranges:
        # What was mined while it was down is read in one go if it is much, and in few queries: each counts.
        command, burst = "restart", _FAR
    elif dice.random() < 0.25:
        command = dice.choice(("claim", "deposit", "restart"))
    silent = where == "both" and any(isinstance(mode, _OF_EVERYTHING) for mode in modes)
    if command == "restart" and (foreign or silent):
        # A node does not start where no endpoint answers truly, or one is of another chain: it says so.
        command = ""
    return Episode(
        number=number,
        node=node,
        where=where,
        after=dice.randint(0, LAST_POINT),
        seconds=dice.uniform(25.0, 45.0) if dice.random() < _LONG else dice.uniform(3.0, 8.0),
        shared=dice.random() < 0.25 and not of_ranges,
        modes=tuple(modes),
        burst=burst,
        command=command,
    )
