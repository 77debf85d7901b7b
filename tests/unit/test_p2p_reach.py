"""Where addresses lead, whom a node dials, what it announces: one rule for every way in."""

from __future__ import annotations

import secrets
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.p2p.identity import PeerAddress, parse_address, peer_id_of
from jepanet.p2p.interfaces import announced_for
from jepanet.p2p.options import P2PConfig, check_addresses, check_announced
from jepanet.p2p.peers import horizon
from jepanet.p2p.peers.address_book import AddressBook
from jepanet.p2p.peers.horizon import Horizon
from jepanet.p2p.peers.patience import Patience
from jepanet.p2p.peers.reach import Reach, reach_of
from jepanet.telemetry import Secret

pytestmark = pytest.mark.unit

KEY = Secret(b"\x07" * 32)
PEER = peer_id_of(Secret(b"\x01" * 32))

NOWHERE = [
    "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1", "169.254.169.254", "fe80::1",
    "fe80::1%eth0", "255.255.255.255", "240.0.0.1", "192.0.0.8", "192.88.99.1", "198.18.0.1", "fec0::1",
    "100::1", "::2", "::127.0.0.1", "::ffff:0.0.0.0", "::ffff:169.254.1.1", "::ffff:224.0.0.1",
    "2002:7f00:1::1", "2002:a00:1::", "2002:a9fe:a9fe::1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "::ffff:0:127.0.0.1",
    "1.2.3", "name", "",
]  # fmt: skip
LOOPBACK = ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"]
PRIVATE = ["10.0.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:192.168.0.1"]
PUBLIC = ["1.1.1.1", "9.9.9.9", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1",
          "64:ff9b::1.1.1.1", "2002:101:101::1"]  # fmt: skip


@pytest.mark.parametrize(
    ("reach", "hosts"),
    [(Reach.NOWHERE, NOWHERE), (Reach.LOOPBACK, LOOPBACK), (Reach.PRIVATE, PRIVATE), (Reach.PUBLIC, PUBLIC)],
)
def test_where_addresses_lead(reach: Reach, hosts: list[str]) -> None:
    assert {host: reach_of(host) for host in hosts} == dict.fromkeys(hosts, reach)


def kind_of(host: str) -> str:
    return "ip6" if ":" in host else "ip4"


IMPOSSIBLE = [f"/{kind_of(host)}/{host}/tcp/4701" for host in NOWHERE if "." in host or ":" in host] + [
    "/ip4/1.1.1.1/tcp/0", "/dns4/node.example.org/tcp/0", "/dns4/127.0.0.1/tcp/1", "/dns/2130706433/tcp/1",
    "/dns4/0x7f000001/tcp/1", "/dns4/127.1/tcp/1", "/dns4/-a.example/tcp/1", "/dns4/a..b/tcp/1",
    "/dnsaddr/node.example.org/tcp/1", "/ip6zone/eth0/ip6/fe80::1/tcp/1", "/unix/x",
]  # fmt: skip


@pytest.mark.parametrize("address", IMPOSSIBLE)
def test_nobody_is_dialled_or_announced_where_nobody_can_be(address: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        parse_address(f"{address}/p2p/{PEER}")
    for check in (
        lambda: check_announced([address]),
        lambda: check_addresses("/ip4/127.0.0.1/tcp/0", [f"{address}/p2p/{PEER}"]),
    ):
        with pytest.raises(Fatal) as caught:
            check()
        assert caught.value.code is Exit.CONFIG
        assert caught.value.remedy
    book = AddressBook(tmp_path / "peers.json", lambda: 0.0, 1.0)
    book.learned(PEER, [address], "1.1.1.1")
    assert not book.addresses_of(PEER)
    book.path.write_text(f'{{"peers": ["{address}/p2p/{PEER}"]}}')
    book.load([])
    assert not book.addresses_of(PEER)


def test_the_own_peer_id_is_no_bootstrap_peer(tmp_path: Path) -> None:
    own = peer_id_of(KEY)
    config = P2PConfig(
        listen="/ip4/127.0.0.1/tcp/0", bootstrap=(f"/ip4/1.1.1.1/tcp/1/p2p/{own}",), node_key=KEY,
        directory=tmp_path, topic="t",
    )  # fmt: skip
    with pytest.raises(Fatal, match="this node itself") as caught:
        config.check()
    assert caught.value.code is Exit.CONFIG


# ------------------------------------------------------------------ whom a node dials

NAMES: dict[str, list[str]] = {}


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(kind: str, name: str, port: int) -> list[str]:
        await trio.lowlevel.checkpoint()
        if name not in NAMES:
            raise OSError("no such name")
        wanted = {"dns4": "ip4", "dns6": "ip6"}.get(kind)
        return [host for host in NAMES[name] if wanted in (None, kind_of(host))]

    NAMES.clear()
    monkeypatch.setattr(horizon, "_resolve", resolve)


def targets(announce: str, address: str, *, given: bool = False, private: bool = False) -> list[str]:
    async def look() -> list[str]:
        view = Horizon([announce], private=private)
        view.look([])
        await view.look_up()
        return await view.targets(PeerAddress(PEER, address), given=given)

    return trio.run(look)


AT_HOME = ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1"]
ON_THE_LAN = ["/ip4/192.168.1.1/tcp/1", "/ip4/10.0.0.9/tcp/1", "/ip6/fd00::1/tcp/1", "/ip4/100.64.0.1/tcp/1"]
OUTSIDE = ["/ip4/1.1.1.1/tcp/1", "/ip6/2606:4700::1111/tcp/1"]


@pytest.mark.parametrize(
    ("announce", "dialled", "refused"),
    [
        ("/ip4/9.9.9.9/tcp/1", OUTSIDE, AT_HOME + ON_THE_LAN),
        ("/ip4/192.168.7.7/tcp/1", OUTSIDE + ON_THE_LAN, AT_HOME),
        ("/ip4/127.0.0.1/tcp/1", OUTSIDE + AT_HOME, ON_THE_LAN),
        ("/dns4/public.example/tcp/1", OUTSIDE, AT_HOME + ON_THE_LAN),
        ("/dns4/lan.example/tcp/1", OUTSIDE + ON_THE_LAN, AT_HOME),
        ("/dns4/unknown.example/tcp/1", OUTSIDE, AT_HOME + ON_THE_LAN),
    ],
)
def test_private_and_loopback_are_dialled_only_by_those_who_announce_such(
    announce: str, dialled: list[str], refused: list[str]
) -> None:
    NAMES.update({"public.example": ["9.9.9.9"], "lan.example": ["192.168.7.7"]})
    for address in dialled:
        assert targets(announce, address) == [address]
    for address in refused:
        with pytest.raises(Rejected) as caught:
            targets(announce, address)
        assert caught.value.reason == "out-of-reach"
        assert targets(announce, address, given=True) == [address], "the operator's own word is taken"
        assert targets(announce, address, private=True) == [address]


@pytest.mark.parametrize(
    ("hosts", "dialled"),
    [
        (["1.1.1.1"], ["/ip4/1.1.1.1/tcp/9"]),
        (["127.0.0.1", "1.1.1.1", "169.254.169.254"], ["/ip4/1.1.1.1/tcp/9"]),
        (["2606:4700::1111", "::1"], ["/ip6/2606:4700::1111/tcp/9"]),
        (["127.0.0.1"], None),
        (["10.0.0.1", "fd00::1"], None),
        (["0.0.0.0"], None),
        (["169.254.169.254"], None),
        (["64:ff9b::7f00:1"], None),
        (["fe80::1%eth0"], None),
    ],
)
@pytest.mark.parametrize("given", [False, True])
def test_a_name_is_judged_by_what_it_resolves_to(
    hosts: list[str], dialled: list[str] | None, given: bool
) -> None:
    NAMES["peer.example"] = hosts
    if dialled is None:
        with pytest.raises(Rejected, match=r"peer\.example"):
            targets("/ip4/9.9.9.9/tcp/1", "/dns/peer.example/tcp/9", given=given)
    else:
        assert targets("/ip4/9.9.9.9/tcp/1", "/dns/peer.example/tcp/9", given=given) == dialled


def test_localhost_is_a_name_like_others() -> None:
    NAMES["localhost"] = ["127.0.0.1"]
    with pytest.raises(Rejected):
        targets("/ip4/9.9.9.9/tcp/1", "/dns4/localhost/tcp/9")
    assert targets("/ip4/127.0.0.1/tcp/1", "/dns4/localhost/tcp/9") == ["/ip4/127.0.0.1/tcp/9"]


def test_kinds_of_names_decide_the_family_and_few_addresses_are_tried() -> None:
    NAMES["both.example"] = [*(f"1.1.1.{n}" for n in range(9)), "2606:4700::1111"]
    assert targets("/ip4/9.9.9.9/tcp/1", "/dns6/both.example/tcp/9") == ["/ip6/2606:4700::1111/tcp/9"]
    assert len(targets("/ip4/9.9.9.9/tcp/1", "/dns4/both.example/tcp/9")) == 3


def test_what_was_judged_is_what_is_dialled() -> None:
    """A name that resolves to another host a moment later changes nothing: an address is handed on."""
    NAMES["rebind.example"] = ["1.1.1.1"]
    found = targets("/ip4/9.9.9.9/tcp/1", "/dns4/rebind.example/tcp/9")
    NAMES["rebind.example"] = ["127.0.0.1"]
    assert found == ["/ip4/1.1.1.1/tcp/9"]


# ------------------------------------------------------------------ what a node announces

Entry = namedtuple("Entry", "family address broadcast")
Status = namedtuple("Status", "isup")


def interfaces(monkeypatch: pytest.MonkeyPatch, *hosts: str, down: str = "") -> None:
    table = {
        f"if{number}": [Entry(socket.AF_INET6 if ":" in host else socket.AF_INET, host, None)]
        for number, host in enumerate(hosts)
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: table)
    monkeypatch.setattr(
        psutil, "net_if_stats", lambda: {name: Status(table[name][0].address != down) for name in table}
    )


@pytest.mark.parametrize(
    ("hosts", "listen", "announced"),
    [
        (("127.0.0.1", "192.168.1.5", "9.9.9.9"), "/ip4/0.0.0.0/tcp/4701", ("/ip4/9.9.9.9/tcp/4701",)),
        (("127.0.0.1", "192.168.1.5"), "/ip4/0.0.0.0/tcp/4701", ("/ip4/192.168.1.5/tcp/4701",)),
        (("127.0.0.1", "169.254.3.4"), "/ip4/0.0.0.0/tcp/4701", ("/ip4/127.0.0.1/tcp/4701",)),
        (("::1", "fe80::1%if1", "2606:4700::1", "9.9.9.9"), "/ip6/::/tcp/1",
         ("/ip6/2606:4700::1/tcp/1", "/ip4/9.9.9.9/tcp/1")),
        (("::1", "2606:4700::1"), "/ip4/0.0.0.0/tcp/1", ()),
        (("9.9.9.9",), "/ip4/127.0.0.1/tcp/1", ("/ip4/127.0.0.1/tcp/1",)),
    ],
)  # fmt: skip
def test_a_wildcard_is_never_announced(
    monkeypatch: pytest.MonkeyPatch, hosts: tuple[str, ...], listen: str, announced: tuple[str, ...]
) -> None:
    interfaces(monkeypatch, *hosts)
    assert announced_for(listen) == announced


def test_an_interface_that_is_down_is_not_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces(monkeypatch, "9.9.9.9", "192.168.1.5", down="9.9.9.9")
    assert announced_for("/ip4/0.0.0.0/tcp/1") == ("/ip4/192.168.1.5/tcp/1",)


def test_a_change_of_the_interfaces_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    view = Horizon([], private=False)
    interfaces(monkeypatch, "127.0.0.1")
    assert view.look(["/ip4/0.0.0.0/tcp/1"])
    assert view.announced == ("/ip4/127.0.0.1/tcp/1",)
    assert not view.look(["/ip4/0.0.0.0/tcp/1"])
    interfaces(monkeypatch, "127.0.0.1", "9.9.9.9")
    assert view.look(["/ip4/0.0.0.0/tcp/1"])
    assert view.announced == ("/ip4/9.9.9.9/tcp/1",)
    assert not view.admits("127.0.0.1")


def test_the_broadcast_address_of_an_own_network_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry(socket.AF_INET, "192.168.1.5", "192.168.1.255")
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"if0": [entry]})
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"if0": Status(True)})
    view = Horizon([], private=False)
    view.look(["/ip4/0.0.0.0/tcp/1"])
    assert view.admits("192.168.1.254")
    assert not view.admits("192.168.1.255")


# ------------------------------------------------------------------ patience


def test_waits_double_to_a_limit_and_end_with_success() -> None:
    now = 0.0
    patience = Patience(lambda: now, 1.0, 60.0)
    waits: list[Any] = []
    for _ in range(9):
        assert patience.over("announcer")
        patience.failed("announcer")
        started = now
        while not patience.over("announcer"):
            now += 0.5
        waits.append(now - started)
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    patience.failed("announcer")
    patience.succeeded("announcer")
    assert patience.over("announcer")
    for _ in range(10_000):
        patience.failed(secrets.token_hex(8))
    assert len(patience._waits) <= 4096
