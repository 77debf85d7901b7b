"""Whether others can dial a node: one that was answered is believed, silence where nobody was."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jepanet.errors import Transient
from jepanet.node.reachable import Reachable
from jepanet.p2p.host import PeerInfo, Verdict

pytestmark = pytest.mark.unit


class ANetwork:
    """Peers by what they say of the port; None: they do not know the question."""

    addresses = ("/ip4/192.0.2.7/tcp/4701/p2p/me",)

    def __init__(self, said: Mapping[str, Verdict | None], *, inbound: bool = False) -> None:
        self.said, self.inbound = said, inbound
        self.asked: list[tuple[str, int]] = []

    async def peers(self) -> tuple[PeerInfo, ...]:
        return tuple(PeerInfo(name, "", not self.inbound, True) for name in self.said)

    async def dialled_back(self, peer_id: str, port: int) -> Verdict:
        self.asked.append((peer_id, port))
        said = self.said[peer_id]
        if said is None:
            raise Transient("it is of an earlier version")
        return said


async def found(network: ANetwork, before: bool | None = None) -> bool | None:
    reachable = Reachable(network)
    reachable.found = before
    await reachable.look()
    return reachable.found


async def test_one_that_was_answered_is_believed_and_silence_where_nobody_was() -> None:
    silent, answered = Verdict.SILENT, Verdict.ANSWERED
    assert await found(ANetwork({"a": silent, "b": answered, "c": None})) is True, "a liar makes no alarm"
    assert await found(ANetwork({"a": silent, "b": Verdict.BUSY, "c": None})) is False
    assert await found(ANetwork({"a": silent}), before=True) is False, "it can be lost"
    asked = ANetwork({"a": answered})
    await found(asked)
    assert asked.asked == [("a", 4701)], "the port that it tells others"


@pytest.mark.parametrize("before", [None, True, False])
async def test_what_nobody_can_tell_changes_nothing(before: bool | None) -> None:
    for said in ({}, {"a": None}, {"a": Verdict.BUSY}, {"a": Verdict.OUT_OF_REACH}):
        assert await found(ANetwork(said), before) is before


async def test_who_was_dialled_asks_nobody_and_few_are_asked() -> None:
    dialled = ANetwork({"a": Verdict.SILENT}, inbound=True)
    assert await found(dialled) is True and not dialled.asked
    many = ANetwork(dict.fromkeys("abcdefg", Verdict.SILENT))
    assert await found(many) is False and len(many.asked) == 3
