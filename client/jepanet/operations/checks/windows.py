"""Whether this node could keep the windows of the rounds it would work in: measured, before it joins."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.chain.contracts.all import RoundView
from jepanet.chain.following.pace import Pace, measure_pace
from jepanet.errors import Exit
from jepanet.operations.access import ChainAccess
from jepanet.operations.checks.findings import Finding, failed, fine
from jepanet.settings.config import Config, ProposerSection
from jepanet.types import Role

_STEPS_TO_UNSEAL = 3
"""Closing COMMIT, drawing and unsealing, each after the one before is confirmed."""


async def check_windows(config: Config, chain: ChainAccess, rounds: Mapping[int, RoundView]) -> list[Finding]:
    """Holds open rounds, and a proposer's own terms, against how long this node's answers take.

    Raises: Transient when no endpoint answers.
    """
    pace = await measure_pace(chain.rpc)
    least = pace.shortest_window(chain.confirmations, config.chain.poll_seconds)
    rows = judge_rounds(least, rounds, frozenset(config.node.roles))
    if Role.PROPOSER in config.node.roles and config.proposer.rounds:
        delay = (await chain.contracts.rounds.configuration("latest")).beacon_delay
        rows += judge_drawing(least, pace, delay, config.proposer)
    return rows or [fine("windows", f"this node answers within {least:.0f} s")]


def judge_rounds(least: float, rounds: Mapping[int, RoundView], roles: frozenset[Role]) -> list[Finding]:
    """Open rounds that this node will leave alone, since `least` seconds are more than they give."""
    rows = []
    for number, view in rounds.items():
        windows = []
        if Role.SOLVER in roles:
            windows.append(("REVEAL", view.reveal_end - view.reveal_start))
        if Role.COORDINATOR in roles or Role.AGGREGATOR in roles:
            windows.append(("VERIFY", view.verify_end - view.reveal_end))
        rows += [
            failed(
                "windows",
                f"{name} of round {number} lasts {window} s, and this node may need {least:.0f} s to answer",
                "use a faster endpoint or fewer confirmations; the node takes no part in such rounds",
                Exit.CONFIG,
            )
            for name, window in windows
            if 0 < window < least
        ]
    return rows


def judge_drawing(least: float, pace: Pace, beacon_delay: int, terms: ProposerSection) -> list[Finding]:
    """Whether GAP and REVEAL leave time to close, wait for the fixed block, draw and unseal."""
    needed = _STEPS_TO_UNSEAL * least + beacon_delay * pace.block
    given = terms.gap_seconds + terms.reveal_seconds
    if given >= needed:
        return []
    text = (
        f"gap_seconds and reveal_seconds give {given} s, and drawing and unsealing the evaluation shard may "
        f"take {needed:.0f} s: too late, it costs the unseal bond"
    )
    return [failed("windows", text, "raise proposer.gap_seconds or proposer.reveal_seconds", Exit.CONFIG)]
