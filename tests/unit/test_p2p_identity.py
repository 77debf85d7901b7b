"""Node keys and what counts as a peer id."""

from __future__ import annotations

from pathlib import Path

import pytest
from libp2p.crypto.ed25519 import create_new_key_pair as create_ed25519
from libp2p.peer.id import ID

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.p2p.identity import (
    is_secp256k1,
    key_pair,
    load_or_create_node_key,
    parse_address,
    parse_peer_id,
    peer_id_of,
)
from jepanet.p2p.options import P2PConfig
from jepanet.telemetry import Secret

pytestmark = pytest.mark.unit

KEY = Secret(b"\x01" * 32)
PEER = "16Uiu2HAmEWQnHq2jLKJypwVnVoQeFCULuyop6atvq2eWjYSUjzNi"


def test_a_key_is_created_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "node" / "node.key"
    key = load_or_create_node_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_node_key(path) == key
    assert key.reveal().hex() not in repr(key)


@pytest.mark.parametrize("content", [b"", b"\0" * 32, b"\xff" * 32, b"\x01" * 31, b"\x01" * 33])
def test_a_file_without_a_key_is_fatal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Fatal) as caught:
        load_or_create_node_key(path)
    assert caught.value.code is Exit.CONFIG
    assert path.read_bytes() == content


def test_a_key_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    load_or_create_node_key(path)
    path.chmod(0o640)
    with pytest.raises(Fatal, match="chmod 600"):
        load_or_create_node_key(path)


def test_a_link_instead_of_a_key_is_refused(tmp_path: Path) -> None:
    load_or_create_node_key(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(Fatal):
        load_or_create_node_key(tmp_path / "link")


def test_the_peer_id_follows_from_the_key() -> None:
    assert peer_id_of(KEY) == PEER
    assert is_secp256k1(parse_peer_id(PEER))


def test_other_key_types_are_no_peers() -> None:
    ed25519 = ID.from_pubkey(create_ed25519().public_key)
    assert not is_secp256k1(ed25519)
    with pytest.raises(Rejected):
        parse_peer_id(str(ed25519))
    hashed = ID(bytes.fromhex("1220") + bytes(32))
    assert not is_secp256k1(hashed)
    off_the_curve = ID(bytes.fromhex("002508021221") + b"\x02" + b"\xff" * 32)
    assert not is_secp256k1(off_the_curve)


@pytest.mark.parametrize("text", ["", "x", PEER[:-1], PEER + "1", PEER.replace("H", "0"), "0" * 53, "é" * 53])
def test_hostile_peer_ids(text: str) -> None:
    with pytest.raises(Rejected):
        parse_peer_id(text)


def test_addresses() -> None:
    address = parse_address(f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}")
    assert (address.address, address.peer_id) == ("/ip4/192.0.2.7/tcp/4001", PEER)
    assert str(address) == f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}"
    assert parse_address(f"/ip6/2001:db8::1/tcp/1/p2p/{PEER}").address == "/ip6/2001:db8::1/tcp/1"
    assert parse_address(f"/dns4/node.example/tcp/1/p2p/{PEER}").address == "/dns4/node.example/tcp/1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/ip4/192.0.2.7/tcp/4001",
        f"/p2p/{PEER}",
        f"/ip4/192.0.2.7/udp/4001/quic-v1/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/4001/ws/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}/p2p-circuit/p2p/{PEER}",
        f"/ip4/300.0.2.7/tcp/4001/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/70000/p2p/{PEER}",
        f"/unix/tmp/socket/p2p/{PEER}",
        "/ip4/192.0.2.7/tcp/4001/p2p/" + "1" * 60,
        "/" * 600,
    ],
)
def test_hostile_addresses(text: str) -> None:
    with pytest.raises(Rejected):
        parse_address(text)


def test_settings_are_checked(tmp_path: Path) -> None:
    def config(**changes: object) -> P2PConfig:
        settings = {
            "listen": "/ip4/127.0.0.1/tcp/0",
            "bootstrap": (),
            "node_key": KEY,
            "directory": tmp_path,
            "topic": "t",
        }
        return P2PConfig(**(settings | changes))  # type: ignore[arg-type]

    config().check()
    for changes in (
        {"bootstrap": ("/ip4/127.0.0.1/tcp/1",)},
        {"node_key": Secret(b"short")},
        {"topic": ""},
        {"max_message_bytes": 1 << 20},
        {"max_message_bytes": 0},
        {"max_uploads": 0},
    ):
        with pytest.raises(Fatal) as caught:
            config(**changes).check()
        assert caught.value.code is Exit.CONFIG


def test_key_pair_refuses_what_is_no_key() -> None:
    with pytest.raises(Rejected):
        key_pair(Secret(b""))
