"""The node's own network key, and what counts as a peer.

A node has a secp256k1 key of its own (never the wallet's) and its peer id carries the whole public key
(https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md), so a wallet's signed statement about a
peer id binds that very key. Ids of other key types are refused: nothing here could check such a statement.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

import coincurve
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.secp256k1 import create_new_key_pair
from libp2p.peer.id import ID
from multiaddr import Multiaddr
from multiaddr.protocols import P_DNS, P_DNS4, P_DNS6, P_IP4, P_IP6, P_P2P, P_TCP

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import write_new
from jepanet.p2p.peers.reach import check_endpoint
from jepanet.telemetry import Secret

KEY_BYTES = 32
# Identity multihash (00), length 37 (25), then protobuf: key type 2 = Secp256k1 (0802), 33 key bytes (1221).
_SECP256K1_ID_PREFIX = bytes.fromhex("00250802" + "1221")
_SECP256K1_ID_BYTES = len(_SECP256K1_ID_PREFIX) + 33
_MAX_ADDRESS_CHARACTERS = 512
_HOST_PROTOCOLS = frozenset({P_IP4, P_IP6, P_DNS, P_DNS4, P_DNS6})


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where to dial (`/ip4/../tcp/..`, no peer id) and who must answer there."""

    peer_id: str
    address: str

    @property
    def kind(self) -> str:
        """`ip4`, `ip6`, `dns`, `dns4` or `dns6`."""
        return self.address.split("/")[1]

    @property
    def host(self) -> str:
        return self.address.split("/")[2]

    @property
    def port(self) -> int:
        return int(self.address.split("/")[4])

    def __str__(self) -> str:
        return f"{self.address}/p2p/{self.peer_id}"


def load_or_create_node_key(path: Path) -> Secret[bytes]:
    """The node's secp256k1 private key (32 raw bytes) from `path`, created with mode 0600 if absent.

    Raises:
        Fatal: the file is readable by others, belongs to somebody else, does not hold a valid key, or cannot
            be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.path.lexists(path):  # also where nothing can be written
        return _load_node_key(path)
    key = _new_key()
    try:
        write_new(path, key, mode=0o600)
    except FileExistsError:
        return _load_node_key(path)
    return Secret(key)


def _load_node_key(path: Path) -> Secret[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise Fatal(
            f"cannot read the node key {path}: {error}", remedy="check the file", code=Exit.CONFIG
        ) from error
    if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise Fatal(
            f"the node key {path} must be a regular file that only its owner can read",
            remedy=f"run: chmod 600 {path}",
            code=Exit.CONFIG,
        )
    try:
        key_pair(Secret(key))
    except Rejected as error:
        raise Fatal(
            f"the node key {path} does not hold a secp256k1 key: {error}",
            remedy="restore it from a backup, or delete it to get a new peer id",
            code=Exit.CONFIG,
        ) from error
    return Secret(key)


def _new_key() -> bytes:
    while True:
        key = secrets.token_bytes(KEY_BYTES)
        try:
            coincurve.PrivateKey(key)
        except ValueError:  # one chance in 2**127: zero or not below the group order
            continue
        return key


def key_pair(node_key: Secret[bytes]) -> KeyPair:
    """The libp2p key pair of a 32-byte secp256k1 private key.

    Raises:
        Rejected: not 32 bytes, zero, or not below the group order.
    """
    secret = node_key.reveal()
    try:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"{len(secret)} bytes instead of {KEY_BYTES}")
        return create_new_key_pair(secret)
    except ValueError as error:
        raise Rejected(f"not a secp256k1 private key: {error}", reason="bad-key") from error


def peer_id_of(node_key: Secret[bytes]) -> str:
    """The peer id (base58, `16Uiu2...`) of a node key.

    Raises:
        Rejected: not a valid key.
    """
    return str(ID.from_pubkey(key_pair(node_key).public_key))


def is_secp256k1(peer_id: ID) -> bool:
    """Whether the id holds a well-formed secp256k1 public key (a point on the curve, compressed)."""
    data: bytes = peer_id.to_bytes()
    if len(data) != _SECP256K1_ID_BYTES or not data.startswith(_SECP256K1_ID_PREFIX):
        return False
    try:
        coincurve.PublicKey(data[len(_SECP256K1_ID_PREFIX) :])
    except ValueError:
        return False
    return True


def parse_peer_id(text: str) -> ID:
    """A peer id from untrusted text.

    Raises:
        Rejected: malformed, or not the id of a secp256k1 key.
    """
    if not 40 <= len(text) <= 64:
        raise Rejected(f"{text[:80]!r} is not a peer id", reason="bad-peer-id")
    try:
        peer_id = ID.from_base58(text)
    except Exception as error:  # base58 raises ValueError and others, depending on the character
        raise Rejected(f"{text!r} is not a base58 peer id", reason="bad-peer-id") from error
    if not is_secp256k1(peer_id) or str(peer_id) != text:
        raise Rejected(f"{text!r} is not the peer id of a secp256k1 key", reason="bad-peer-id")
    return peer_id


def parse_address(text: str) -> PeerAddress:
    """A dialable address with its peer id: `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT/p2p/PEER`, nothing more.

    Raises:
        Rejected: any other shape (relays, websockets, QUIC, /dnsaddr), a peer id that is not secp256k1, or a
            host or port at which nobody can be (`reach.check_endpoint`).
    """
    if len(text) > _MAX_ADDRESS_CHARACTERS:
        raise Rejected("the address is too long", reason="bad-address")
    try:
        address = Multiaddr(text)
        codes = [protocol.code for protocol in address.protocols()]
    except Exception as error:  # py-multiaddr raises many types on hostile text
        raise Rejected(f"{text!r} is not a multiaddr", reason="bad-address") from error
    if len(codes) != 3 or codes[0] not in _HOST_PROTOCOLS or codes[1:] != [P_TCP, P_P2P]:
        raise Rejected(
            f"{text!r} is not an address of the form /ip4/HOST/tcp/PORT/p2p/PEER", reason="bad-address"
        )
    peer_id = parse_peer_id(str(address.value_for_protocol(P_P2P)))
    found = PeerAddress(str(peer_id), str(address.decapsulate_code(P_P2P)))
    check_endpoint(found.kind, found.host, found.port)
    return found
