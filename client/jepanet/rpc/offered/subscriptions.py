"""`rpc.subscribe`, `rpc.unsubscribe`: over a WebSocket, what is new without asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.marks import Form
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.method import Method
from jepanet.rpc.subscribing.hub import Subscriber
from jepanet.rpc.subscribing.topic import Topic


@dataclass(frozen=True, slots=True)
class SubscribeParams:
    topic: Topic


@dataclass(frozen=True, slots=True)
class UnsubscribeParams:
    subscription: Annotated[str, Form(r"[1-9][0-9]{0,8}", "what `rpc.subscribe` gave")]


def methods(subscriber: Subscriber | None) -> tuple[Method, ...]:
    """Of one connection; None: of one that can send nothing by itself."""

    async def subscribe(given: SubscribeParams) -> str:
        return _of(subscriber).subscribe(given.topic)

    async def unsubscribe(given: UnsubscribeParams) -> bool:
        _of(subscriber).unsubscribe(given.subscription)
        return True

    return (
        Method(
            "rpc.subscribe",
            "Over a WebSocket: what is new of a topic is told from now on; gives the subscription's id",
            SubscribeParams,
            str,
            subscribe,
        ),
        Method(
            "rpc.unsubscribe", "Ends a subscription of this connection", UnsubscribeParams, bool, unsubscribe
        ),
    )


def _of(subscriber: Subscriber | None) -> Subscriber:
    if subscriber is None:
        raise Refused(Code.NOT_A_SOCKET)
    return subscriber
