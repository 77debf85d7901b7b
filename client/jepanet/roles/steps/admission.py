"""Whether this node may commit in a round, and what shows it to the contract."""

from __future__ import annotations

import asyncio

from jepanet.errors import Rejected
from jepanet.protocol.documents.allow_list import MAX_LIST_BYTES, decode_allow_list
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, decode_spec
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.obtain import obtain_bytes, round_pin


async def admission(context: Context, round_: Round) -> tuple[bytes, ...] | None:
    """The proof that `commitListed` takes for this account; None in a round that is open to everybody.

    Raises:
        Rejected: reason `not-listed`, this account is not on the round's list; `no-list`, the spec names no
            list though the terms have one; or as `decode_allow_list`.
        Transient: nobody serves the spec or the list yet.
    """
    root = round_.params.allow_list
    if not any(root):
        return None
    pin = round_pin(round_.id)
    data = await obtain_bytes(context, round_.params.spec, max_bytes=MAX_SPEC_BYTES, pin=pin)
    named = decode_spec(data).allow_list
    if named is None:
        raise Rejected(
            f"round {round_.id} admits only the accounts of a list, and its spec names none",
            reason="no-list",
            remedy="nothing: nobody can show that it is listed",
        )
    data = await obtain_bytes(context, named, max_bytes=MAX_LIST_BYTES, pin=pin)
    # Of 65,536 accounts it takes ten seconds, which nothing else waits for; strangers write such lists.
    async with context.turns.of("allow-lists"):
        proof = await asyncio.to_thread(lambda: decode_allow_list(data, root).proof(context.me))
    if proof is None:
        raise Rejected(
            f"round {round_.id} admits only the accounts of a list, and {context.me} is not on it",
            reason="not-listed",
            remedy="nothing: the proposer decides who is on it",
        )
    return proof
