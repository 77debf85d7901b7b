"""Whether this node can keep a round's windows: asked before anything is at stake."""

from __future__ import annotations

from jepanet.errors import Rejected
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.types import Role


async def check_windows(context: Context, round_: Round) -> None:
    """Holds the phase in which this node has to answer against how long its answers take.

    A solver that reveals too late loses its bond; a coordinator that scores too late earns nothing.

    Raises:
        Rejected: reason `window-too-short`.
        Transient: no endpoint answers, so that nothing could be measured.
    """
    params, state = round_.params, context.state()
    trains = Role.SOLVER in state.me.roles and context.me not in state.members(round_)
    name, window = ("REVEAL", params.reveal_duration) if trains else ("VERIFY", params.verify_duration)
    least = await context.shortest_window()
    if window < least:
        raise Rejected(
            f"{name} of round {round_.id} lasts {window} s, and this node may need {least:.0f} s to answer",
            reason="window-too-short",
            remedy="use a faster endpoint or fewer confirmations, or leave such rounds alone",
        )
