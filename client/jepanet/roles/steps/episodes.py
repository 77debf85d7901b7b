"""Over how many episodes of its sealed shard a proposer has the next round measured."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, Gates, decode_spec
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.protocol.models.ancestry import maker_of
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, decode_sheet
from jepanet.protocol.settling.within_error import gains_within_error
from jepanet.protocol.state import Project
from jepanet.roles.context import Context
from jepanet.roles.steps.obtain import obtain_bytes
from jepanet.telemetry import get_logger

log = get_logger("proposer")

ALL = 0
MOST_SIGMAS_MILLI = 100_000
"""That a spec can say."""


async def episodes_due(context: Context, project: Project, terms: RoundTerms, sealed: int) -> int:
    """The usual number of the terms; all (0), where gains are too small to be told from their errors.

    That is, where half of the deltas of the round that made the base or more gained or harmed by less than so
    many standard errors, or a round since then was withheld. `sealed`: episodes of a sealed shard.

    Raises:
        Transient: nobody serves that round's sheet or spec.
    """
    usual = terms.evaluation_episodes
    if not usual or not terms.evaluation_sigmas_milli:
        return usual
    try:
        made_by = maker_of(context.state(), project.id, project.model)
    except Rejected as error:
        log.warning("gains.unread", project=project.id, why=error.message,
                    consequence="the next round is measured over all episodes")  # fmt: skip
        return ALL
    withheld = any(
        round_.project_id == project.id and round_.recorded is not None
        and round_.base == project.model == round_.recorded.model
        for round_ in context.state().rounds.values()
    )  # fmt: skip
    if made_by is None:
        return ALL if withheld else usual
    pin = f"project/{project.id}"
    data = await obtain_bytes(context, made_by.recorded.sheet, max_bytes=MAX_SHEET_BYTES, pin=pin)
    rules = await obtain_bytes(context, made_by.round.params.spec, max_bytes=MAX_SPEC_BYTES, pin=pin)
    measured = decode_spec(rules).evaluation_episodes or sealed
    near = gains_within_error(
        decode_sheet(data).rows, terms.evaluation_sigmas_milli, measured=measured, usual=usual
    )
    if not (withheld or near):
        return usual
    log.info("round.pooled", project=project.id, episodes=sealed, usual=usual, withheld=withheld)
    return ALL


def gates_over(gates: Gates, measured: int, usual: int) -> Gates:
    """The gates of a round that is measured over more episodes than is usual: errors are smaller there by the
    root of it, so that what harms by as many of them is asked to lie as deep in nats as it is usually."""
    usual_error = gates.harm_sigmas_milli**2 * max(measured, usual) // usual
    return replace(gates, harm_sigmas_milli=min(MOST_SIGMAS_MILLI, isqrt(usual_error)))
