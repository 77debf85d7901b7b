"""The gate: what strangers, forgers and members may say, with real signatures of real keys."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
import structlog
from protocol_facts import (
    OPENED,
    PROJECT,
    REVEAL_END,
    ROUND,
    beacon,
    block,
    committed,
    digest,
    log,
    opened,
    params,
    project,
    unsealed,
)

from jepanet.chain.keys.wallet_files import Wallet
from jepanet.cid import digest_of
from jepanet.errors import Rejected, Transient
from jepanet.node import gossip_gate as gate_module
from jepanet.node import heard as heard_module
from jepanet.node.conversation import Conversation
from jepanet.node.gossip_gate import Gate, peer_fact
from jepanet.node.long_messages import LONG_BYTES
from jepanet.p2p.host import Admission, Gossip
from jepanet.p2p.identity import peer_id_of
from jepanet.protocol import facts
from jepanet.protocol.documents.messages import (
    MAX_MESSAGE_BYTES,
    Binding,
    Body,
    Envelope,
    Provide,
    SayCommitment,
    SayResult,
    SayScores,
    SaySheet,
    decode_envelope,
    encode_envelope,
)
from jepanet.protocol.documents.openings import HeardCommitment, Opening
from jepanet.protocol.documents.score_commitments import opening_message
from jepanet.protocol.documents.scores import (
    MAX_DELTAS,
    MAX_METRICS,
    ScoreReport,
    SignedScore,
    encode_report,
    score_message,
)
from jepanet.protocol.documents.typed_data import node_binding_data, score_commitment_data
from jepanet.protocol.state import Identity, NodeState, VerifierSet
from jepanet.protocol.transition import genesis, transition
from jepanet.telemetry import Secret, configure_logging
from jepanet.types import Address, Digest, RoundId, Verdict

pytestmark = pytest.mark.unit

CHAIN_ID = 31337
CONTRACT = Address("0x00000000000000000000000000000000000000C0")
NOW = 1_900_000_000.0
DAY = 86400
ACCEPT, REJECT, IGNORE = Admission.ACCEPT, Admission.REJECT, Admission.IGNORE


def wallet(name: str) -> Wallet:
    return Wallet.from_key(Secret(sha256(f"jepanet test wallet {name}".encode()).digest()))


VERIFIER, SECOND, SOLVER, OTHER, AGGREGATOR, PROPOSER, STRANGER = (
    wallet(name) for name in ("verifier", "second", "solver", "other", "aggregator", "proposer", "stranger")
)
PEERS = {
    item.address: f"12D3KooW{n}"[:8] + "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrs"[n:]
    for n, item in enumerate((VERIFIER, SECOND, SOLVER, OTHER, AGGREGATOR, PROPOSER, STRANGER))
}
REAL_PEERS = {
    item.address: peer_id_of(Secret(sha256(item.address.encode()).digest()))
    for item in (VERIFIER, SOLVER, OTHER)
}
DELTA, OTHER_DELTA = digest("delta"), digest("other delta")


def world(*told: facts.Fact, prepared: bool = True) -> NodeState:
    """A round in which SOLVER and OTHER revealed, two verifiers judge and AGGREGATOR may propose sheets."""
    members = (VERIFIER.address, SECOND.address)
    story: list[facts.Fact] = [
        log(
            facts.ChainVerifierSetCreated,
            set_id=1,
            creator=STRANGER.address,
            members=members,
            threshold=2,
            cap=10**24,
            max_hold=10**7,
        ),
        replace(project(), owner=PROPOSER.address),
        replace(opened(terms=params()), proposer=PROPOSER.address),
    ]
    story = [replace(fact, block=replace(fact.block, number=n)) for n, fact in enumerate(story, 1)]
    if prepared:
        story.append(facts.LocalRoundPrepared(ROUND, (AGGREGATOR.address,)))
    state = genesis(Identity(VERIFIER.address, frozenset()))
    for fact in (*story, *told):
        state, _ = transition(state, fact)
    return state


def reveals() -> tuple[facts.Fact, ...]:
    return (
        committed(SOLVER.address), committed(OTHER.address, 1), beacon(), unsealed(),
        log(facts.ChainRevealed, solver=SOLVER.address, digest=DELTA, salt=bytes(32)),
        log(facts.ChainRevealed, solver=OTHER.address, digest=OTHER_DELTA, salt=bytes(32)),
    )  # fmt: skip


def verifying() -> NodeState:
    return world(*reveals(), block(REVEAL_END))


class Door:
    """A gate over one state, at a fixed time."""

    def __init__(self, state: NodeState) -> None:
        self.state = state
        self.now = NOW
        self.gate = Gate(lambda: self.state, chain_id=CHAIN_ID, contract=CONTRACT, clock=lambda: self.now)

    async def hears(self, data: bytes, *, peer: str) -> Admission:
        return await self.gate.validate(Gossip(peer, data))

    async def told(self, who: Wallet, body: Body, **binding: Any) -> Admission:
        """The verdict on a message of `who`; `binding` says what is wrong with its binding."""
        envelope = Envelope(bind(who, **binding), body)
        return await self.hears(encode_envelope(envelope), peer=PEERS[who.address])


def bind(
    who: Wallet,
    *,
    signer: Wallet | None = None,
    peer: str | None = None,
    expiry: int = int(NOW) + 30 * DAY,
    chain_id: int = CHAIN_ID,
    contract: Address = CONTRACT,
) -> Binding:
    peer = peer or PEERS[who.address]
    typed = node_binding_data(chain_id, contract, wallet=who.address, peer_id=peer, expiry=expiry)
    return Binding(who.address, peer, expiry, (signer or who).sign_typed(typed))


def report_of(
    who: Wallet,
    *,
    signer: Wallet | None = None,
    round_id: RoundId = ROUND,
    signed_round: RoundId | None = None,
    rows: tuple[tuple[Address, Digest], ...] | None = None,
    chain_id: int = CHAIN_ID,
) -> ScoreReport:
    rows = rows if rows is not None else ((SOLVER.address, DELTA), (OTHER.address, OTHER_DELTA))
    scores = []
    for solver, delta in sorted(rows, key=lambda row: row[0].lower()):
        score = SignedScore(solver, delta, Verdict.ACCEPTED, "accepted", 40_000, 2_000, bytes(65))
        typed = score_message(chain_id, CONTRACT, signed_round or round_id, score)
        scores.append(replace(score, signature=(signer or who).sign_typed(typed)))
    return ScoreReport(round_id, who.address, tuple(scores))


def scores(who: Wallet, **changes: Any) -> SayScores:
    report = report_of(who, **changes)
    return SayScores(ROUND, encode_report(report))


def result(sheet: str = "sheet", *, round_id: RoundId = ROUND) -> SayResult:
    return SayResult(round_id, digest(sheet), 5, bytes(65))


def provide(what: Digest, *, round_id: RoundId = ROUND, where: str = "/ip4/10.0.0.1/tcp/1") -> Provide:
    return Provide(round_id, what, (where,))


# ------------------------------------------------------------------ honest


@pytest.mark.parametrize("who", [VERIFIER, SECOND])
async def test_members_may_say_scores_sheets_and_results(who: Wallet) -> None:
    door = Door(verifying())
    assert await door.told(who, scores(who)) is ACCEPT
    assert await door.told(who, SaySheet(ROUND, digest("sheet"))) is ACCEPT
    assert await door.told(who, result()) is ACCEPT


async def test_the_aggregator_of_the_spec_may_propose_a_sheet() -> None:
    assert await Door(verifying()).told(AGGREGATOR, SaySheet(ROUND, digest("sheet"))) is ACCEPT


async def test_everybody_with_a_part_may_say_where_its_blobs_are() -> None:
    door = Door(verifying())
    assert await door.told(SOLVER, provide(DELTA)) is ACCEPT
    for who in (PROPOSER, VERIFIER, AGGREGATOR):
        assert await door.told(who, provide(digest("anything"))) is ACCEPT


async def test_an_admitted_message_becomes_the_machines_input() -> None:
    said = Envelope(bind(VERIFIER), scores(VERIFIER))
    stored = digest("stored report")
    assert peer_fact(said, stored) == facts.PeerScored(ROUND, VERIFIER.address, stored)
    sheet = Envelope(bind(AGGREGATOR), SaySheet(ROUND, digest("sheet")))
    assert peer_fact(sheet, None) == facts.PeerSheet(ROUND, AGGREGATOR.address, digest("sheet"))
    signed = peer_fact(Envelope(bind(VERIFIER), result()), None)
    assert signed == facts.PeerResult(ROUND, VERIFIER.address, digest("sheet"), 5, bytes(65))
    assert peer_fact(Envelope(bind(SOLVER), provide(DELTA)), None) is None


# ------------------------------------------------------------------ bindings


@pytest.mark.parametrize(
    "wrong",
    [
        {"peer": PEERS[STRANGER.address]},  # valid for another network key: a captured binding
        {"signer": STRANGER},
        {"expiry": int(NOW)},
        {"expiry": int(NOW) - 1},
        {"expiry": int(NOW) + 401 * DAY},  # would outlive any lost key
        {"chain_id": 1},
        {"contract": Address("0x00000000000000000000000000000000000000C1")},
    ],
    ids=["foreign-peer", "forged", "just-expired", "expired", "too-long", "other-chain", "other-contract"],
)
async def test_a_message_without_a_good_binding_is_refused(wrong: dict[str, Any]) -> None:
    assert await Door(verifying()).told(VERIFIER, result(), **wrong) is REJECT


async def test_a_binding_with_a_broken_signature_is_refused() -> None:
    door = Door(verifying())
    for signature in (bytes(65), b"\xff" * 65, bind(VERIFIER).signature[:64] + b"\x05"):
        envelope = Envelope(replace(bind(VERIFIER), signature=signature), result())
        assert await door.hears(encode_envelope(envelope), peer=PEERS[VERIFIER.address]) is REJECT


async def test_a_known_binding_does_not_vouch_for_a_changed_one() -> None:
    door = Door(verifying())
    assert await door.told(VERIFIER, result()) is ACCEPT
    longer = replace(bind(VERIFIER), expiry=int(NOW) + 60 * DAY)
    assert await door.hears(
        encode_envelope(Envelope(longer, result())), peer=PEERS[VERIFIER.address]
    ) is REJECT  # fmt: skip


async def test_a_known_binding_still_expires() -> None:
    door = Door(verifying())
    assert await door.told(VERIFIER, result()) is ACCEPT
    door.now += 31 * DAY
    assert await door.told(VERIFIER, result()) is REJECT


async def test_a_known_binding_is_not_accepted_from_another_peer() -> None:
    door = Door(verifying())
    message = encode_envelope(Envelope(bind(VERIFIER), result()))
    assert await door.hears(message, peer=PEERS[VERIFIER.address]) is ACCEPT
    assert await door.hears(message, peer=PEERS[STRANGER.address]) is REJECT


async def test_remembered_bindings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_KNOWN_BINDINGS", 4)
    door = Door(verifying())
    for n in range(10):
        assert await door.told(VERIFIER, result(), expiry=int(NOW) + DAY + n) is ACCEPT
    assert len(door.gate._bindings) == 4


# ------------------------------------------------------------------ outsiders


@pytest.mark.parametrize("who", [STRANGER, SOLVER, AGGREGATOR, PROPOSER])
async def test_only_verifiers_may_say_scores_and_results(who: Wallet) -> None:
    door = Door(verifying())
    assert await door.told(who, scores(who)) is REJECT
    assert await door.told(who, result()) is REJECT


@pytest.mark.parametrize("who", [STRANGER, SOLVER, PROPOSER])
async def test_only_verifiers_and_named_aggregators_may_propose_sheets(who: Wallet) -> None:
    assert await Door(verifying()).told(who, SaySheet(ROUND, digest("sheet"))) is REJECT


async def test_a_stranger_may_not_advertise_in_a_round() -> None:
    assert await Door(verifying()).told(STRANGER, provide(DELTA)) is REJECT


async def test_a_node_that_lags_behind_condemns_no_solver_whose_commit_it_has_not_seen() -> None:
    """As one that was just started: others announce deltas of a round that it still believes in COMMIT."""
    door = Door(world(block(OPENED + 1)))
    assert await door.told(SOLVER, provide(DELTA)) is IGNORE


async def test_a_solver_may_advertise_its_own_delta_only() -> None:
    door = Door(verifying())
    assert await door.told(SOLVER, provide(OTHER_DELTA)) is IGNORE
    assert await door.told(SOLVER, provide(DELTA)) is ACCEPT


async def test_who_may_be_an_aggregator_nobody_knows_before_the_spec_is_here() -> None:
    door = Door(world(*reveals(), block(REVEAL_END), prepared=False))
    assert await door.told(AGGREGATOR, SaySheet(ROUND, digest("sheet"))) is IGNORE
    assert await door.told(AGGREGATOR, provide(DELTA)) is IGNORE


# ------------------------------------------------------------------ reports


async def refused(report: Callable[[], SayScores], *, who: Wallet = VERIFIER) -> bool:
    return await Door(verifying()).told(who, report()) is REJECT


async def test_scores_somebody_else_signed_are_refused() -> None:
    assert await refused(lambda: scores(VERIFIER, signer=SECOND))


async def test_a_report_in_the_name_of_another_verifier_is_refused() -> None:
    assert await refused(lambda: scores(SECOND))


async def test_one_foreign_signature_among_honest_ones_is_enough_to_refuse() -> None:
    report = report_of(VERIFIER)
    forged = report_of(VERIFIER, signer=SECOND).scores[1]
    mixed = replace(report, scores=(report.scores[0], forged))
    assert await refused(lambda: SayScores(ROUND, encode_report(mixed)))


async def test_a_score_changed_after_signing_is_refused() -> None:
    report = report_of(VERIFIER)
    richer = replace(report, scores=(replace(report.scores[0], gain=90_000), report.scores[1]))
    assert await refused(lambda: SayScores(ROUND, encode_report(richer)))


async def test_a_report_that_leaves_a_delta_out_is_refused() -> None:
    assert await refused(lambda: scores(VERIFIER, rows=((SOLVER.address, DELTA),)))
    assert await refused(lambda: scores(VERIFIER, rows=()))


async def test_a_report_on_a_delta_nobody_revealed_is_refused() -> None:
    extra = ((SOLVER.address, DELTA), (OTHER.address, OTHER_DELTA), (STRANGER.address, digest("third")))
    assert await refused(lambda: scores(VERIFIER, rows=extra))
    swapped = ((SOLVER.address, OTHER_DELTA), (OTHER.address, DELTA))
    assert await refused(lambda: scores(VERIFIER, rows=swapped))


async def test_a_report_of_another_round_is_refused() -> None:
    assert await refused(lambda: scores(VERIFIER, round_id=RoundId(8)))


async def test_scores_signed_for_another_round_or_chain_are_refused() -> None:
    assert await refused(lambda: scores(VERIFIER, signed_round=RoundId(8)))
    assert await refused(lambda: scores(VERIFIER, chain_id=1))


async def test_a_report_that_is_no_report_is_refused() -> None:
    for value in (b"[]", b"{}", b'"scores"', b"null", b'{"version":1}'):
        assert await refused(lambda value=value: SayScores(ROUND, value))


async def test_a_report_on_more_deltas_than_a_round_can_hold_is_refused_before_any_signature() -> None:
    started = time.process_time()
    row = {"solver": SOLVER.address, "digest": "0x" + bytes(32).hex()}
    value = {"version": 1, "round": 7, "coordinator": VERIFIER.address, "scores": [row] * (MAX_DELTAS + 1)}
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    assert await refused(lambda: SayScores(ROUND, data))
    assert time.process_time() - started < 30  # and not minutes of signature checks


# ------------------------------------------------------------------ floods


def noted(who: Wallet, detail: str) -> SayScores:
    """A valid report of `who` with other notes, which nobody signs."""
    report = report_of(who)
    varied = tuple(replace(score, detail=detail) for score in report.scores)
    return SayScores(ROUND, encode_report(replace(report, scores=varied)))


async def test_attack_only_the_first_report_of_a_verifier_is_relayed(monkeypatch: pytest.MonkeyPatch) -> None:
    first = noted(VERIFIER, "first")
    heard = facts.PeerScored(ROUND, VERIFIER.address, digest_of(first.report))
    door = Door(world(*reveals(), block(REVEAL_END), heard))
    assert await door.told(VERIFIER, noted(VERIFIER, "second")) is IGNORE
    assert await door.told(SECOND, noted(SECOND, "second")) is ACCEPT
    # Its repetition still is, for those who missed it, and costs no signature check.
    monkeypatch.setattr(gate_module, "check_signatures", lambda *given: pytest.fail("checked again"))
    assert await door.told(VERIFIER, first) is ACCEPT


async def test_attack_a_queue_of_reports_by_one_verifier_leaves_one_blob() -> None:
    door = Door(verifying())
    messages = [
        Gossip(
            PEERS[VERIFIER.address], encode_envelope(Envelope(bind(VERIFIER), noted(VERIFIER, f"number {n}")))
        )
        for n in range(20)
    ]
    assert {await door.gate.validate(message) for message in messages} == {ACCEPT}
    kept: list[bytes] = []
    full = [Transient("no room")]

    class Blobs:
        def put_bytes(self, data: bytes) -> Digest:
            if full:  # once: it does not end the listening
                raise full.pop()
            kept.append(data)
            return digest_of(data)

        def pin(self, name: bytes, owner: str) -> None:
            pass

    class Network:
        async def messages(self) -> AsyncIterator[Gossip]:
            for message in messages:
                yield message

    def feed(told: Sequence[facts.PeerFact]) -> None:
        for fact in told:
            door.state, _ = transition(door.state, fact)

    given: Any = (Network(), door.gate, Blobs(), VERIFIER, None)
    await Conversation(*given).listen(feed)
    assert len(kept) == 1
    assert len(door.state.off_chain[ROUND].scores) == 1


def long_report(who: Wallet) -> SayScores:
    """A valid report of `who` whose message is a long one."""
    report = report_of(who)
    notes = tuple((f"note-{n:02d}-{'x' * 24}", 9 * 10**15 + n) for n in range(MAX_METRICS))
    varied = tuple(replace(score, detail="d" * 240, metrics=notes) for score in report.scores)
    return SayScores(ROUND, encode_report(replace(report, scores=varied)))


def junk(who: Wallet, number: int) -> bytes:
    """A long message that only whoever reads it to its end finds to be none."""
    data = encode_envelope(Envelope(bind(who), SaySheet(ROUND, DELTA)))
    begin = data[: data.index(b"}") + 1]
    return begin + b',"body":[' + b"0," * 4000 + b"%d" % number + b"]}"


async def test_attack_long_messages_of_strangers_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would take a second, of which nothing else gets any; a few hundred are a REVEAL that is missed."""
    monkeypatch.setattr(gate_module, "decode_envelope", lambda data: pytest.fail("read"))
    door = Door(verifying())
    for who in (SOLVER, PROPOSER, AGGREGATOR, STRANGER):
        assert await door.hears(junk(who, 1), peer=PEERS[who.address]) is IGNORE
    assert await door.hears(junk(VERIFIER, 1), peer=PEERS[SECOND.address]) is REJECT
    assert await door.hears(b'{"a":[' + b"0," * 4000 + b"0]}", peer=PEERS[STRANGER.address]) is REJECT
    assert await door.hears(b'{"binding":' + b"[" * 9000, peer=PEERS[STRANGER.address]) is REJECT
    door.state = world(*reveals())  # not in VERIFY
    assert await door.hears(junk(VERIFIER, 1), peer=PEERS[VERIFIER.address]) is IGNORE


async def test_attack_a_verifier_has_so_many_long_messages_read_and_none_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[threading.Thread] = []

    def reading(data: bytes) -> Envelope:
        read.append(threading.current_thread())
        return decode_envelope(data)

    monkeypatch.setattr(gate_module, "decode_envelope", reading)
    door = Door(verifying())
    verdicts = [await door.hears(junk(VERIFIER, n), peer=PEERS[VERIFIER.address]) for n in range(40)]
    most = verdicts.count(REJECT)
    assert most == len(read) < 20 and set(verdicts[most:]) == {IGNORE}
    assert threading.main_thread() not in read
    assert await door.told(SECOND, long_report(SECOND)) is ACCEPT, "others are read"


async def test_attack_a_hostile_set_keeps_no_report_of_another_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SECOND is alone in a set of its own, whose round is in VERIFY too, and says what takes long to read."""
    door, honest_is_read = Door(verifying()), threading.Event()
    theirs = replace(door.state.rounds[ROUND], id=RoundId(8), verifier_set=2)
    sets = {1: VerifierSet((VERIFIER.address,), 1), 2: VerifierSet((SECOND.address,), 1)}
    door.state = replace(
        door.state.with_round(theirs).with_own(theirs.id, door.state.own[ROUND]), verifier_sets=sets
    )

    def reading(data: bytes) -> Envelope:
        if VERIFIER.address.encode() in data:
            honest_is_read.set()
        else:
            assert honest_is_read.wait(30)
        return decode_envelope(data)

    monkeypatch.setattr(gate_module, "decode_envelope", reading)
    hostile = [door.hears(junk(SECOND, n), peer=PEERS[SECOND.address]) for n in range(3)]
    *refused, heard = await asyncio.gather(*hostile, door.told(VERIFIER, long_report(VERIFIER)))
    assert set(refused) == {REJECT} and heard is ACCEPT


async def test_a_long_report_is_read_once_and_its_repetitions_are_relayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    door, said = Door(verifying()), long_report(VERIFIER)
    assert len(encode_envelope(Envelope(bind(VERIFIER), said))) > LONG_BYTES
    assert await door.told(VERIFIER, said) is ACCEPT
    monkeypatch.setattr(gate_module, "decode_envelope", lambda data: pytest.fail("read again"))
    assert {await door.told(VERIFIER, said) for _ in range(40)} == {ACCEPT}
    heard = facts.PeerScored(ROUND, VERIFIER.address, digest("another"))
    door.state = world(*reveals(), block(REVEAL_END), heard)
    assert await door.told(VERIFIER, said) is IGNORE, "another counts"
    door.state = world(*reveals())
    assert await door.told(VERIFIER, said) is IGNORE, "VERIFY is over, or has not begun"


# ------------------------------------------------------------------ not here, not now


async def test_a_round_this_node_has_not_seen_is_no_offence() -> None:
    door = Door(verifying())
    unknown = RoundId(99)
    for body in (
        provide(DELTA, round_id=unknown), result(round_id=unknown), SaySheet(unknown, digest("sheet")),
        SayScores(unknown, encode_report(report_of(VERIFIER, round_id=unknown))),
    ):  # fmt: skip
        assert await door.told(VERIFIER, body) is IGNORE


@pytest.mark.parametrize("stamp", [OPENED, REVEAL_END - 1, REVEAL_END + 10_000])
async def test_scores_and_results_outside_verify_are_ignored(stamp: int) -> None:
    door = Door(world(*reveals(), block(stamp)))
    assert await door.told(VERIFIER, scores(VERIFIER)) is IGNORE
    assert await door.told(VERIFIER, result()) is IGNORE


async def test_a_reveal_not_confirmed_here_yet_is_no_offence() -> None:
    door = Door(world(committed(SOLVER.address), block(OPENED + 5)))
    assert await door.told(SOLVER, provide(DELTA)) is IGNORE


# ------------------------------------------------------------------ malformed


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"\xff" * 100, b"\x00" * 100, b'{"version":1}', b"[" * 100_000,
        b'"' * 1000, b"1" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)  # fmt: skip
async def test_garbage_is_refused(data: bytes) -> None:
    assert await Door(verifying()).hears(data, peer=PEERS[VERIFIER.address]) is REJECT


async def test_an_oversized_message_is_refused_unread() -> None:
    good = encode_envelope(Envelope(bind(VERIFIER), result()))
    padded = good + b" " * (MAX_MESSAGE_BYTES - len(good) + 1)
    assert await Door(verifying()).hears(padded, peer=PEERS[VERIFIER.address]) is REJECT


async def test_a_message_written_in_another_form_is_refused() -> None:
    """One statement, one byte string: repetitions must not slip past the duplicate filter."""
    good = encode_envelope(Envelope(bind(VERIFIER), result()))
    for data in (
        good + b"\n",
        json.dumps(json.loads(good)).encode(),
        good.replace(b'{"binding"', b'{ "binding"'),
    ):
        assert data != good
        assert await Door(verifying()).hears(data, peer=PEERS[VERIFIER.address]) is REJECT


async def test_every_field_is_checked() -> None:
    tree = json.loads(encode_envelope(Envelope(bind(VERIFIER), result())))
    door = Door(verifying())
    changes: list[tuple[str, str | None, Any]] = [
        ("version", None, 2), ("version", None, True), ("kind", None, "gossip"), ("kind", None, None),
        ("kind", None, []), ("body", None, []), ("binding", None, None), ("body", "round", -1),
        ("body", "round", "7"), ("body", "round", 1.5), ("body", "sheet", "00"), ("body", "extra", 1),
        ("body", "improvement", "5"), ("body", "signature", "zz" * 65), ("binding", "wallet", "0x12"),
        ("binding", "peer", "../../etc"), ("binding", "expiry", -1), ("binding", "signature", "AA" * 65),
    ]  # fmt: skip
    for part, name, value in changes:
        changed = json.loads(json.dumps(tree))
        if name is None:
            changed[part] = value
        else:
            changed[part][name] = value
        data = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()
        assert await door.hears(data, peer=PEERS[VERIFIER.address]) is REJECT, (part, name, value)


# ------------------------------------------------------------------ providers


def at(host: str, who: Wallet) -> str:
    return f"/ip4/{host}/tcp/1/p2p/{REAL_PEERS[who.address]}"


def vouched(who: Wallet) -> Binding:
    return Binding(who.address, REAL_PEERS[who.address], int(NOW) + DAY, bytes(65))


def test_providers_are_remembered_newest_first_and_once() -> None:
    gate = Door(verifying()).gate
    assert gate.providers(DELTA) == ()
    for who in (SOLVER, VERIFIER, SOLVER):
        gate.remember(provide(DELTA, where=at("10.0.0.1", who)), vouched(who))
    assert gate.providers(DELTA) == (at("10.0.0.1", SOLVER), at("10.0.0.1", VERIFIER))


def test_attack_one_wallet_does_not_push_the_addresses_of_others_out() -> None:
    gate = Door(verifying()).gate
    gate.remember(provide(DELTA, where=at("10.0.0.1", SOLVER)), vouched(SOLVER))
    for n in range(200):
        gate.remember(provide(DELTA, where=at(f"10.0.1.{n}", VERIFIER)), vouched(VERIFIER))
    assert gate.providers(DELTA) == (at("10.0.1.199", VERIFIER), at("10.0.0.1", SOLVER))


@pytest.mark.parametrize(
    "address", ["/garbage", "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic", "/", at("10.0.0.9", OTHER)]
)
def test_attack_only_addresses_of_the_announcing_peer_are_kept(address: str) -> None:
    gate = Door(verifying()).gate
    said = Provide(ROUND, DELTA, (address, at("10.0.0.1", SOLVER)))
    gate.remember(said, vouched(SOLVER))
    assert gate.providers(DELTA) == (at("10.0.0.1", SOLVER),)
    gate.remember(provide(DELTA, where=address), vouched(SOLVER))
    assert gate.providers(DELTA) == ()


def test_attack_a_wallet_does_not_leave_its_peer_s_back_off_by_speaking_for_another() -> None:
    passed = 0.0
    gate = Gate(verifying, chain_id=CHAIN_ID, contract=CONTRACT, passing=lambda: passed)

    def speaks_for(peer: Wallet) -> tuple[str, ...]:
        where = at("10.0.0.1", peer)
        by = replace(vouched(SOLVER), peer=vouched(peer).peer)
        return gate.remember(provide(DELTA, where=where), by)

    assert speaks_for(SOLVER)
    assert not speaks_for(OTHER), "another peer at once"
    assert speaks_for(SOLVER), "its own peer goes on"
    passed = 601.0
    assert speaks_for(OTHER), "a node that got a new key is heard ten minutes later"
    assert not speaks_for(SOLVER)


def test_the_table_of_providers_is_bounded_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_PROVIDED_DIGESTS", 16)
    monkeypatch.setattr(gate_module, "_PROVIDERS_PER_DIGEST", 2)
    gate = Door(verifying()).gate
    for who in (SOLVER, OTHER, VERIFIER):
        addresses = tuple(at(f"10.0.0.{n}", who) for n in range(8))
        gate.remember(Provide(ROUND, DELTA, addresses), vouched(who))
    assert len(gate.providers(DELTA)) == 8
    assert at("10.0.0.0", SOLVER) not in gate.providers(DELTA)
    for n in range(100):
        gate.remember(provide(digest(f"blob {n}"), where=at("10.0.0.1", OTHER)), vouched(OTHER))
    assert len(gate._providers) == 16
    assert gate.providers(DELTA) == ()
    assert gate.providers(digest("blob 99"))


async def test_verdicts_change_nothing_but_the_bounded_tables() -> None:
    door = Door(verifying())
    before = door.state
    await door.told(SOLVER, provide(DELTA))
    await door.told(VERIFIER, scores(VERIFIER))
    assert door.state is before
    assert door.gate.providers(DELTA) == ()  # remembered only once the message is delivered


def test_the_project_of_this_world_exists() -> None:
    assert PROJECT in verifying().projects
    with pytest.raises(Rejected):
        encode_envelope(Envelope(bind(VERIFIER), SayScores(ROUND, b"x" * (MAX_MESSAGE_BYTES + 1))))


async def test_what_is_early_or_late_is_silent_and_a_forgery_is_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A healthy network repeats itself across phase ends: nobody is to be called for that."""
    configure_logging(json=True, level="info")
    try:
        door = Door(world(*reveals()))  # before VERIFY
        assert await door.told(VERIFIER, scores(VERIFIER)) is IGNORE
        assert await door.told(VERIFIER, scores(VERIFIER, round_id=RoundId(99))) is not ACCEPT
        assert await door.told(OTHER, result(round_id=RoundId(99))) is IGNORE
        assert capsys.readouterr().err == ""
        assert await door.told(STRANGER, scores(STRANGER)) is REJECT
        (line,) = map(json.loads, capsys.readouterr().err.splitlines())
        assert (line["event"], line["level"], line["reason"]) == ("message.refused", "warning", "outsider")
    finally:
        structlog.reset_defaults()


# ------------------------------------------------------------------ who was heard


async def test_who_was_admitted_was_heard_through_its_peer_and_when() -> None:
    door = Door(verifying())
    await door.told(VERIFIER, scores(VERIFIER))
    door.now += 60
    await door.told(SOLVER, provide(DELTA))
    words = door.gate.heard.words()
    assert list(words) == [VERIFIER.address, SOLVER.address]
    assert (words[VERIFIER.address].peer, words[VERIFIER.address].at) == (PEERS[VERIFIER.address], int(NOW))
    door.now += 60
    await door.told(VERIFIER, result())
    assert door.gate.heard.words()[VERIFIER.address].at == int(NOW) + 120


async def test_attack_nobody_is_heard_in_the_name_of_another_nor_without_a_part() -> None:
    door = Door(verifying())
    assert await door.told(VERIFIER, result(), signer=STRANGER) is REJECT
    assert await door.told(VERIFIER, result(), peer=PEERS[STRANGER.address]) is REJECT
    assert await door.told(STRANGER, provide(DELTA)) is REJECT
    assert await door.told(SOLVER, provide(OTHER_DELTA)) is IGNORE
    assert not door.gate.heard.words()


def test_attack_who_is_heard_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_module, "MOST", 3)
    heard = heard_module.Heard(lambda: NOW)
    for wallet_, peer in PEERS.items():
        heard.note(wallet_, peer)
    assert list(heard.words()) == list(PEERS)[-3:]


# ------------------------------------------------------------------ commitments to scores


LISTENED = REVEAL_END + 48
"""Two fifths of VERIFY: when commitments are over."""


def commitment(who: Wallet, what: str = "scores", *, signer: Wallet | None = None) -> SayCommitment:
    typed = score_commitment_data(CHAIN_ID, CONTRACT, round_id=ROUND, commitment=digest(what))
    return SayCommitment(ROUND, digest(what), (signer or who).sign_typed(typed))


async def test_a_member_may_commit_and_again_say_so() -> None:
    door = Door(verifying())
    said = commitment(SECOND)
    assert await door.told(SECOND, said) is ACCEPT
    fact = peer_fact(Envelope(bind(SECOND), said), None)
    assert fact == facts.PeerCommitted(ROUND, SECOND.address, said.commitment, said.signature)
    door.state, _ = transition(door.state, fact)
    assert await door.told(SECOND, said) is ACCEPT


async def test_attack_forged_foreign_and_late_commitments_are_not_relayed() -> None:
    door = Door(verifying())
    assert await door.told(SECOND, commitment(SECOND, signer=VERIFIER)) is REJECT
    assert await door.told(SOLVER, commitment(SOLVER)) is REJECT
    door.state = world(*reveals(), block(LISTENED))
    assert await door.told(SECOND, commitment(SECOND)) is IGNORE
    door.state = world(*reveals(), block(REVEAL_END - 1))
    assert await door.told(SECOND, commitment(SECOND)) is IGNORE


async def test_attack_of_one_member_two_commitments_are_relayed_and_no_flood_of_them() -> None:
    door = Door(verifying())
    for number in range(2):
        said = commitment(SECOND, f"{number}")
        assert await door.told(SECOND, said) is ACCEPT, "everybody should see that there are two"
        fact = peer_fact(Envelope(bind(SECOND), said), None)
        assert fact is not None
        door.state, _ = transition(door.state, fact)
    assert await door.told(SECOND, commitment(SECOND, "third")) is IGNORE


async def test_attack_an_opening_that_its_author_did_not_sign_is_refused() -> None:
    report = report_of(VERIFIER)
    heard = commitment(SECOND)
    listed = HeardCommitment(SECOND.address, heard.commitment, heard.signature)

    def opened(by: Wallet, *, of: HeardCommitment = listed) -> SayScores:
        said = replace(report, opening=Opening(bytes(32), (of,), bytes(65)))
        assert said.opening is not None
        signature = by.sign_typed(opening_message(said, CHAIN_ID, CONTRACT))
        return SayScores(
            ROUND, encode_report(replace(said, opening=replace(said.opening, signature=signature)))
        )

    assert await Door(verifying()).told(VERIFIER, opened(VERIFIER)) is ACCEPT
    assert await Door(verifying()).told(VERIFIER, opened(SECOND)) is REJECT
    forged = replace(listed, commitment=digest("other"))
    assert await Door(verifying()).told(VERIFIER, opened(VERIFIER, of=forged)) is REJECT
