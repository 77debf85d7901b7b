"""One command, one effect: what an earlier command sent and could not follow is settled before more is sent.

Each call of a command asks for something new, so its intent gets a new key. But a person who was told
"unresolved" calls again and means the same transaction: that one is taken up, and nothing new is sent.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Rejected
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Address

COMMANDS: Final = "commands.sqlite"
"""What commands have sent, in the folder of the node's data."""
SETTLED = "an earlier call sent this transaction; it is settled now and nothing new was sent"


def fresh_key(what: str) -> str:
    """The key of a new request; `what` names the command, and whatever its repetition would harm."""
    return f"{_prefix(what)}{time.time_ns()}"


async def take_up(sender: Sender, what: str, call: UnsignedCall) -> Receipt | None:
    """Settles what earlier calls of the command left open.

    Returns the receipt of the one that asked for just this call, if there is one and it took effect; what was
    open beside it is settled too, but was asked for by another call.

    Raises:
        Unresolved: it cannot be settled yet, so nothing new may be sent.
        Transient: no endpoint answers.
    """
    found: Receipt | None = None
    for intent in await sender.recover():
        if not intent.key.startswith(_prefix(what)):
            continue
        same = intent.asks(call.to, call.data, call.value)
        earlier = UnsignedCall(
            to=Address(intent.to) if intent.to else None,
            data=intent.data,
            value=intent.value,
            contract=call.contract,
            function=call.function,
        )
        try:
            receipt = await sender.send(intent.key, call if same else earlier)
        except Rejected:  # it had no effect
            continue
        if same:
            found = receipt
    return found


async def carry_out(sender: Sender, what: str, call: UnsignedCall) -> Receipt:
    """Settles what earlier calls left open, and sends `call` unless that was one of them; errors as `take_up`
    and `Sender.send`."""
    return await take_up(sender, what, call) or await sender.send(fresh_key(what), call)


def left_open(data_dir: Path, what: str) -> bool:
    """Whether an earlier command of this kind, without a node, has sent what nobody knows the end of.

    Raises: Fatal: another command is sending (exit code `ALREADY_RUNNING`).
    """
    file = data_dir / COMMANDS
    if not file.exists():
        return False
    with Journal.open(file) as journal:
        return JournalIntents(journal).has_open(_prefix(what))


def _prefix(what: str) -> str:
    return f"command/{what}/"
