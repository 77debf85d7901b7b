"""The address book: whom to dial again, and which addresses to believe."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from jepanet.errors import Rejected
from jepanet.p2p.identity import parse_address, peer_id_of
from jepanet.p2p.peers import address_book
from jepanet.p2p.peers.address_book import MAX_ADDRESSES, AddressBook
from jepanet.telemetry import Secret

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def new_peer() -> str:
    return peer_id_of(Secret(secrets.token_bytes(31) + b"\x01"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> AddressBook:
    return AddressBook(tmp_path / "peers.json", clock, 1.0)


def test_peers_are_remembered_across_restarts(tmp_path: Path, clock: Clock, book: AddressBook) -> None:
    peer = new_peer()
    book.learned(peer, ["/ip4/10.0.0.5/tcp/4001"], "10.0.0.5")
    book.store()
    again = AddressBook(tmp_path / "peers.json", clock, 1.0)
    again.load([])
    assert [str(address) for address in again.addresses_of(peer)] == [f"/ip4/10.0.0.5/tcp/4001/p2p/{peer}"]
    assert again.due([], bootstrap_only=False) == [peer]
    assert again.due([peer], bootstrap_only=False) == []


def test_bootstrap_peers_come_first_when_there_are_enough(book: AddressBook) -> None:
    boot, other = new_peer(), new_peer()
    book.load([f"/ip4/10.0.0.1/tcp/1/p2p/{boot}"])
    book.learned(other, ["/ip4/10.0.0.2/tcp/1"], "10.0.0.2")
    assert set(book.due([], bootstrap_only=False)) == {boot, other}
    assert book.due([], bootstrap_only=True) == [boot]


def test_waiting_doubles_and_ends_with_success(book: AddressBook, clock: Clock) -> None:
    peer = new_peer()
    book.learned(peer, ["/ip4/10.0.0.2/tcp/1"], "10.0.0.2")
    waits = []
    for _ in range(12):
        book.failed(peer)
        started = clock.now
        while not book.due([], bootstrap_only=False):
            clock.now += 0.5
        waits.append(clock.now - started)
    assert waits[0] <= 2.5
    assert address_book.LONGEST_WAIT / 2 <= waits[-1] <= address_book.LONGEST_WAIT + 1
    book.met(peer)
    book.lost(peer)
    clock.now += 1.1
    assert book.due([], bootstrap_only=False) == [peer]


def test_peers_long_gone_are_forgotten_but_not_bootstrap(book: AddressBook, clock: Clock) -> None:
    boot, other = new_peer(), new_peer()
    book.load([f"/ip4/10.0.0.1/tcp/1/p2p/{boot}"])
    book.learned(other, ["/ip4/10.0.0.2/tcp/1"], "10.0.0.2")
    clock.now += 30 * 24 * 3600
    for _ in range(20):
        book.failed(boot)
        book.failed(other)
    assert book.addresses_of(boot)
    assert not book.addresses_of(other)


def test_only_plausible_addresses_are_believed(book: AddressBook) -> None:
    peer = new_peer()
    book.learned(
        peer,
        [
            "/ip4/127.0.0.1/tcp/22",
            "/ip4/192.168.1.1/tcp/80",
            "/ip4/169.254.169.254/tcp/80",
            "/dns4/internal.example/tcp/80",
            "/ip4/1.1.1.1/udp/4001/quic-v1",
            "not an address",
            "/ip4/9.9.9.9/tcp/4001",
            "/ip4/1.1.1.1/tcp/4001",
        ],
        "9.9.9.9",
    )
    hosts = {address.address for address in book.addresses_of(peer)}
    assert hosts == {
        "/ip4/9.9.9.9/tcp/4001",
        "/ip4/1.1.1.1/tcp/4001",
        "/dns4/internal.example/tcp/80",  # judged when it is dialled
    }


def test_a_peer_may_be_on_the_same_machine(book: AddressBook) -> None:
    peer = new_peer()
    book.learned(peer, ["/ip4/127.0.0.1/tcp/4001"], "127.0.0.1")
    assert book.addresses_of(peer)


def test_addresses_and_peers_are_bounded(book: AddressBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_book, "MAX_PEERS", 5)
    boot, talkative = new_peer(), new_peer()
    book.load([f"/ip4/10.0.0.1/tcp/1/p2p/{boot}"])
    book.learned(talkative, [f"/ip4/1.1.1.{n}/tcp/1" for n in range(200)], "1.1.1.1")
    assert len(book.addresses_of(talkative)) == MAX_ADDRESSES
    for _ in range(10):
        book.learned(new_peer(), ["/ip4/1.1.1.1/tcp/1"], "1.1.1.1")
    assert len(book.due([], bootstrap_only=False)) == 5
    assert book.addresses_of(boot)


def test_visitors_do_not_displace_peers_that_were_dialled(
    book: AddressBook, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_book, "MAX_PEERS", 5)
    proven = new_peer()
    book.learned(proven, ["/ip4/1.1.1.1/tcp/1"], "1.1.1.1")
    book.met(proven, dialled=True)
    for _ in range(50):
        clock.now += 1
        book.learned(new_peer(), ["/ip4/9.9.9.9/tcp/1"], "9.9.9.9")
    assert book.addresses_of(proven)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"peers": [1, "x", null]}', b"\xff"])
def test_a_damaged_file_is_an_empty_book(book: AddressBook, content: bytes) -> None:
    book.path.write_bytes(content)
    book.load([])
    assert book.due([], bootstrap_only=False) == []


def test_a_bad_bootstrap_address_is_refused(book: AddressBook) -> None:
    with pytest.raises(Rejected):
        book.load(["/ip4/10.0.0.1/tcp/1"])


def test_an_unwritable_book_is_no_error(clock: Clock) -> None:
    book = AddressBook(Path("/nonexistent/peers.json"), clock, 1.0)
    book.learned(new_peer(), ["/ip4/1.1.1.1/tcp/1"], "1.1.1.1")
    book.store()


def test_the_file_holds_addresses_only(tmp_path: Path, book: AddressBook) -> None:
    book.learned(new_peer(), ["/ip4/1.1.1.1/tcp/1"], "1.1.1.1")
    book.store()
    assert list(json.loads((tmp_path / "peers.json").read_bytes())) == ["peers"]


def test_a_peer_that_announces_a_name_is_dialled_again(
    tmp_path: Path, clock: Clock, book: AddressBook
) -> None:
    peer = new_peer()
    book.learned(peer, ["/dns4/node.example.org/tcp/4701"], "9.9.9.9")
    book.store()
    again = AddressBook(tmp_path / "peers.json", clock, 1.0)
    again.load([])
    assert again.due([], bootstrap_only=False) == [peer]
    assert [item.address for item in again.addresses_of(peer)] == ["/dns4/node.example.org/tcp/4701"]


def test_the_own_id_enters_by_no_way(tmp_path: Path, clock: Clock) -> None:
    own = new_peer()
    text = f"/ip4/1.1.1.1/tcp/1/p2p/{own}"
    (tmp_path / "peers.json").write_text(json.dumps({"peers": [text]}))
    book = AddressBook(tmp_path / "peers.json", clock, 1.0, own)
    book.load([])
    book.learned(own, ["/ip4/1.1.1.1/tcp/1"], "1.1.1.1")
    book.led_to(parse_address(text))
    assert not book.addresses_of(own)


def test_what_the_operator_named_stays_whatever_the_peer_says(book: AddressBook) -> None:
    peer = new_peer()
    given = f"/ip4/10.0.0.1/tcp/1/p2p/{peer}"
    book.load([given])
    book.learned(peer, [f"/ip4/1.1.1.{n}/tcp/1" for n in range(20)], "1.1.1.1")
    addresses = book.addresses_of(peer)
    assert str(addresses[0]) == given
    assert len(addresses) == 1 + MAX_ADDRESSES
    assert [item for item in addresses if book.is_given(item)] == addresses[:1]


def test_attack_addresses_that_never_led_to_their_peer_are_forgotten_within_the_hour(
    book: AddressBook, clock: Clock
) -> None:
    stranger, met = new_peer(), new_peer()
    for peer in (stranger, met):
        book.learned(peer, ["/ip4/1.1.1.1/tcp/25"], "9.9.9.9")
    book.met(met, dialled=True)
    clock.now += 3601
    for _ in range(12):
        book.failed(stranger)
        book.failed(met)
    assert not book.addresses_of(stranger)
    assert book.addresses_of(met)
