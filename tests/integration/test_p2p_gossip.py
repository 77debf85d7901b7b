"""Gossip between real hosts: delivery, once, validated; what is not allowed costs its sender."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from p2p_fixtures import MESHSUB, Group, Stranger, delivers, gossiping, packet, until
from p2p_fixtures import group as group  # fixture

from jepanet.errors import Rejected
from jepanet.p2p.host import Admission, Gossip

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


async def test_everybody_hears_everything_once(group: Group) -> None:
    members = await group.mesh(4)
    expected = set()
    for number in range(15):
        for member in members:
            payload = f"{number} of {member.id}".encode()
            expected.add(payload)
            await member.node.publish(payload)
    for member in members:
        others = {payload for payload in expected if member.id.encode() not in payload}
        await until(
            lambda member=member, others=others: others <= {gossip.payload for gossip in member.heard}
        )
    await asyncio.sleep(1.5)  # a heartbeat later, nothing has come twice or back
    for member in members:
        assert len(member.heard) == 45
        assert all(gossip.peer_id.encode() in gossip.payload for gossip in member.heard)
        assert all(gossip.peer_id != member.id for gossip in member.validated)


async def test_what_one_writes_of_gossip_is_what_the_other_reads(group: Group) -> None:
    first, second = await group.mesh(2)
    before = second.node.traffic.gossip.received
    await first.node.publish(bytes(5000))
    await until(lambda: second.heard)
    assert second.node.traffic.gossip.received >= before + 5000

    def same() -> bool:
        one, other = first.node.traffic.gossip, second.node.traffic.gossip
        return (one.sent, one.received) == (other.received, other.sent)

    await until(same)


async def test_a_slow_validator_makes_no_duplicates(group: Group) -> None:
    async def slow(gossip: Gossip) -> Admission:
        await asyncio.sleep(0.3)
        return Admission.ACCEPT

    members = await group.mesh(4, validate=slow)
    for number in range(10):
        await members[0].node.publish(b"%d" % number)
    for member in members[1:]:
        await until(lambda member=member: len(member.heard) >= 10)
    await asyncio.sleep(1.5)
    assert [len(member.heard) for member in members] == [0, 10, 10, 10]


async def test_messages_travel_through_third_parties(group: Group) -> None:
    left, middle, right = [await group.start(redial_seconds=60.0) for _ in range(3)]
    await middle.node.connect(left.address)
    await middle.node.connect(right.address)
    await gossiping(middle, 2)
    await delivers(left, right)
    assert right.heard[0].peer_id == left.id
    assert await right.peer_ids() == {middle.id}


async def test_ignored_messages_go_no_further_and_cost_nothing(group: Group) -> None:
    left, middle, right = [await group.start(redial_seconds=60.0) for _ in range(3)]
    await middle.node.connect(left.address)
    await middle.node.connect(right.address)
    await gossiping(middle, 2)
    await delivers(left, right)
    for number in range(30):
        await left.node.publish(b"dull %d" % number)
    await until(lambda: sum(gossip.payload.startswith(b"dull") for gossip in middle.validated) == 30)
    await asyncio.sleep(1)
    assert not any(gossip.payload.startswith(b"dull") for gossip in (*middle.heard, *right.validated))
    await delivers(left, right)
    assert middle.node.bans() == {}


async def test_rejected_messages_end_in_a_ban_that_survives_reconnect_and_restart(group: Group) -> None:
    victim, witness = await group.mesh(2)
    bad = await group.start(redial_seconds=60.0)
    await bad.node.connect(victim.address)
    await gossiping(victim, 2)
    for number in range(8):
        await bad.node.publish(b"bad %d" % number)
        await asyncio.sleep(0.05)
    await until(lambda: bad.id in victim.node.bans(), what="ban")
    await until(lambda: _disconnected(victim, bad.id), what="disconnect")
    assert not any(gossip.payload.startswith(b"bad") for gossip in (*victim.heard, *witness.validated))

    await _refused(bad, victim)
    await victim.stop()
    again = await group.start(key=victim.config.node_key.reveal(), directory=victim.config.directory)
    assert bad.id in again.node.bans()
    await _refused(bad, again)
    with pytest.raises(Rejected, match="banned"):
        await again.node.connect(bad.address)
    await again.node.connect(witness.address)
    await delivers(witness, again)


async def _disconnected(member: object, peer_id: str) -> bool:
    return peer_id not in await member.peer_ids()  # type: ignore[attr-defined]


async def _refused(bad: object, victim: object) -> None:
    """The dial may seem to succeed, but the connection is closed at once."""
    try:
        await bad.node.connect(victim.address)  # type: ignore[attr-defined]
    except Exception:
        pass
    await asyncio.sleep(0.5)
    assert bad.id not in await victim.peer_ids()  # type: ignore[attr-defined]


async def test_the_application_can_ban(group: Group) -> None:
    one, other = await group.mesh(2)
    await one.node.ban(other.id, "invalid delta")
    await until(lambda: _disconnected(one, other.id))
    assert one.node.bans()[other.id].reason == "invalid delta"
    with pytest.raises(Rejected):
        await one.node.ban("nobody", "x")


async def test_an_oversized_message_is_refused_before_it_leaves(group: Group) -> None:
    one, other = await group.mesh(2, max_message_bytes=10_000)
    with pytest.raises(Rejected) as caught:
        await one.node.publish(bytes(10_001))
    assert caught.value.reason == "too-large"
    largest = secrets.token_bytes(10_000)
    await delivers(one, other, b"x" + largest[1:])


async def test_the_largest_message_arrives(group: Group) -> None:
    one, other = await group.mesh(2)
    await delivers(one, other, b"x" + secrets.token_bytes(256 * 1024 - 1))
    assert other.alive()


async def test_a_full_validator_ignores_and_recovers(group: Group) -> None:
    gate = asyncio.Event()

    async def stuck(gossip: Gossip) -> Admission:
        await gate.wait()
        return Admission.ACCEPT

    sender = await group.start()
    receiver = await group.start(validate=stuck, max_validations=5, validation_timeout=60.0)
    await receiver.node.connect(sender.address)
    await gossiping(sender, 1)
    for number in range(40):
        await sender.node.publish(b"%d" % number)
    await asyncio.sleep(1)
    assert receiver.heard == []
    gate.set()
    await until(lambda: receiver.heard)
    await delivers(sender, receiver)
    assert receiver.node.bans() == {}


async def test_a_validator_that_never_answers_or_fails_hurts_nobody(group: Group) -> None:
    async def odd(gossip: Gossip) -> Admission:
        if gossip.payload.startswith(b"hang"):
            await asyncio.sleep(3600)
        if gossip.payload.startswith(b"crash"):
            raise ValueError("validator bug")
        return Admission.ACCEPT

    sender = await group.start()
    receiver = await group.start(validate=odd, validation_timeout=0.5)
    await receiver.node.connect(sender.address)
    await gossiping(sender, 1)
    for payload in (b"hang", b"crash"):
        await sender.node.publish(payload)
    await delivers(sender, receiver)
    await asyncio.sleep(1)
    assert {gossip.payload for gossip in receiver.heard} & {b"hang", b"crash"} == set()
    assert receiver.node.bans() == {}


async def test_a_slow_reader_loses_the_oldest(group: Group) -> None:
    sender = await group.start()
    receiver = group.make(max_inbox=10)
    await receiver.node.start()
    await receiver.node.connect(sender.address)
    await gossiping(sender, 1)
    for number in range(50):
        await sender.node.publish(b"%02d" % number)
    await until(lambda: len(receiver.validated) == 50)
    await asyncio.sleep(0.5)
    await receiver.node.stop()
    got = [gossip.payload async for gossip in receiver.node.messages()]
    assert len(got) == 10
    assert set(got) >= {b"%02d" % number for number in range(45, 50)}


async def test_numbers_are_not_reused_after_a_restart(group: Group) -> None:
    """A busy node restarted at once must not look like an echo of itself."""
    listener = await group.start()
    first = await group.start()
    await first.node.connect(listener.address)
    await gossiping(first, 1)
    for number in range(100):
        await first.node.publish(b"first %d" % number)
    await until(lambda: len(listener.heard) == 100)
    await first.stop()
    second = await group.start(key=first.config.node_key.reveal(), directory=first.config.directory)
    await second.node.connect(listener.address)
    await gossiping(second, 1)
    for number in range(100):
        await second.node.publish(b"second %d" % number)
    await until(lambda: len(listener.heard) == 200)


async def test_messages_of_unknown_authors_are_for_the_validator_to_judge(group: Group) -> None:
    known: set[str] = set()

    async def members_only(gossip: Gossip) -> Admission:
        return Admission.ACCEPT if gossip.peer_id in known else Admission.REJECT

    victim = await group.start(validate=members_only)
    friend = await group.start()
    known.add(friend.id)
    await friend.node.connect(victim.address)
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        for number in range(6):
            await stranger.send(victim, MESHSUB, packet(stranger.message(b"hello", number=number)), hold=0.1)
        await until(lambda: stranger.id in victim.node.bans())
    await delivers(friend, victim)
    assert {gossip.peer_id for gossip in victim.heard} == {friend.id}
