"""Files that are sealed, asked for too early, and words in which something is forged, beside honest nodes.

Whoever knows a digest asks for its file before it may be had; the same files are had once they are open, so
that a refusal is none of the way. Each word is said through a peer of its own, so that it is known what for
that peer was refused.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from attackers import Peer, peer
from network import CHAIN_ID, Network, Node, new_wallet
from rows import NETWORK, Played

from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.cid import digest_of
from jepanet.errors import Transient
from jepanet.protocol.documents.messages import (
    Binding,
    Envelope,
    Provide,
    SayCommitment,
    SayResult,
    encode_envelope,
)
from jepanet.protocol.documents.typed_data import node_binding_data
from jepanet.types import Digest, Phase, RoundId

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(900)]

GAP = 600
WORDS = {
    # attack: (what stops it, the reason)
    "say something under a binding that was heard": ("a binding names its peer", "foreign-binding"),
    "say something under a binding that has expired": ("a binding ends", "stale-binding"),
    "say something under a binding for years": ("a binding ends within 400 days", "stale-binding"),
    "announce a delta as a stranger": ("who has no part announces nothing", "outsider"),
    "commit to scores as a stranger": ("members of the set alone are heard", "outsider"),
    "sign a result as a stranger": ("members of the set alone are heard", "outsider"),
    "send brackets without end": ("depth and form are held before anything is built", "bad-json"),
    "send a field that there is not": ("a message has its fields and no others", "malformed"),
}
FILES = {
    "fetch a delta before its reveal": "private until the own reveal is confirmed",
    "fetch a sealed shard before it is drawn": "sealed until it is drawn",
}


@dataclass
class Outcome:
    refused: dict[str, set[str]]
    early: dict[str, bool]
    """By attack on a file, whether it was had too early."""
    later: dict[str, bool]


async def had(asking: Peer, node: Node, digest: bytes, folder: Path) -> bool:
    """Whether the node serves the file to a stranger."""
    status = node.status()
    assert status is not None
    try:
        await asking.node.fetch(
            digest, max_bytes=1 << 24, directory=folder, providers=tuple(status["addresses"][:1])
        )
    except Transient:
        return False
    return True


def stored(node: Node) -> list[bytes]:
    """Digests of all files that a node has."""
    names = (path.name for path in (node.folder / "data" / "blobs").glob("??/??/*"))
    return [bytes.fromhex(name) for name in names if re.fullmatch(r"[0-9a-f]{64}", name)]


def bound(network: Network, by: Peer, wallet: Wallet, seconds: int) -> Binding:
    expiry = int(time.time()) + seconds
    typed = node_binding_data(
        CHAIN_ID, network.deployment.rounds, wallet=wallet.address, peer_id=by.node.peer_id, expiry=expiry
    )
    return Binding(wallet.address, by.node.peer_id, expiry, wallet.sign_typed(typed))


async def say(attack: str, network: Network, by: Peer, number: int, stranger: Wallet, heard: Binding) -> None:
    round_id, lie = RoundId(number), Digest(os.urandom(32))
    mine, body = by.binding(stranger), SayCommitment(RoundId(number), lie, bytes(65))
    envelopes = {
        "say something under a binding that was heard": Envelope(heard, body),
        "say something under a binding that has expired": Envelope(bound(network, by, stranger, -60), body),
        "say something under a binding for years": Envelope(bound(network, by, stranger, 800 * 86400), body),
        "announce a delta as a stranger": Envelope(mine, Provide(round_id, lie, by.node.addresses)),
        "commit to scores as a stranger": Envelope(mine, body),
        "sign a result as a stranger": Envelope(mine, SayResult(round_id, lie, 10**6, bytes(65))),
    }
    if attack in envelopes:
        await by.node.publish(encode_envelope(envelopes[attack]))
    elif attack == "send brackets without end":
        await by.node.publish(b"[" * 50_000)
    else:
        whole = encode_envelope(Envelope(mine, body))
        await by.node.publish(whole[:-1] + b',"zzz":1}')


async def play(network: Network, folder: Path) -> Outcome:
    network.run_nodes()
    new_wallet(folder / "stranger")
    stranger = load_wallet(
        folder / "stranger" / "wallet", read_password(folder / "stranger" / "password"), None
    )
    judge, hub, victim = network.judge, network.hub, network.solvers[0]
    bindings: dict[str, Binding] = {}

    def hears(envelope: Envelope) -> None:
        bindings.setdefault(envelope.binding.wallet, envelope.binding)

    async def until(what: str, condition: Callable[[], Any]) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    refused: dict[str, set[str]] = {}
    async with peer(network, folder / "asking", hears) as asking:
        number = await asyncio.to_thread(network.play, commits=len(network.solvers), gap_seconds=GAP)
        await asking.meet(1)
        await until("the end of commits", lambda: network.phase(number) is Phase.GAP)
        known = stored(victim)
        open_early = {digest for digest in known if await had(asking, victim, digest, folder / "files")}
        sealed = [digest_of(path.read_bytes()) for path in (network.dataset / "sealed").glob("*.safetensors")]
        before = {digest for digest in sealed if await had(asking, hub, digest, folder / "files")}
        network.warp(GAP)
        await until("a reveal", lambda: network.round(number).reveal_of(victim.address))
        await until("the unsealed shard", lambda: network.round(number).shard)
        opened, shard = network.round(number).reveal_of(victim.address), network.round(number).shard
        assert opened is not None and shard is not None and bindings
        assert opened.digest in known and shard in sealed, "both were asked for"
        early = {
            "fetch a delta before its reveal": opened.digest in open_early,
            "fetch a sealed shard before it is drawn": shard in before,
        }
        await asyncio.to_thread(network.wait_finished, number)
        later = {
            "fetch a delta before its reveal": await had(asking, victim, opened.digest, folder / "files"),
            "fetch a sealed shard before it is drawn": await had(asking, hub, shard, folder / "files"),
        }
    for place, attack in enumerate(WORDS):
        async with peer(network, folder / f"peer {place}") as by:
            status = judge.status()
            assert status is not None
            await by.node.connect(status["addresses"][0])
            await by.meet(2)
            await say(attack, network, by, number, stranger, next(iter(bindings.values())))
            mine = by.node.peer_id

            def told(mine: str = mine) -> set[str]:
                events = (judge.events("message.refused"), hub.events("message.refused"))
                return {item["reason"] for each in events for item in each if item["peer"] == mine}

            await until(f"a refusal of {attack!r}", told)
            refused[attack] = told()
    return Outcome(refused, early, later)


@pytest.fixture(scope="module")
def tried(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return asyncio.run(play(network, tmp_path_factory.mktemp("said")))


@pytest.mark.parametrize("attack", FILES)
def test_attack_a_sealed_file_is_had_by_nobody_before_its_time(
    tried: Outcome, attack: str, rows: list[Played]
) -> None:
    assert not tried.early[attack]
    assert tried.later[attack], "the way to it is open"
    rows.append(Played(attack, FILES[attack], NETWORK, 0.0, 0.0, 0.0, False, "not there"))


@pytest.mark.parametrize("attack", WORDS)
def test_attack_a_forged_word_is_refused_and_told(tried: Outcome, attack: str, rows: list[Played]) -> None:
    defence, reason = WORDS[attack]
    assert tried.refused[attack] == {reason}
    rows.append(Played(attack, defence, NETWORK, 0.0, 0.0, 0.0, False, reason))
