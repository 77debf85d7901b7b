"""A node for the dashboard to show: real stores, a real server, rounds around this very moment."""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from jepanet.intents import Intent, IntentState
from jepanet.node.status import status_of
from jepanet.protocol.documents.scores import Metrics
from jepanet.protocol.duties import SendClaim, duty_key
from jepanet.protocol.settling.sheet import SHEET, derive_sheet
from jepanet.protocol.state import Own, Recorded, Round, Status
from jepanet.rpc.method import Scope
from jepanet.rpc.subscribing.hub import Hub
from jepanet.rpc.transport.bearer import open_tokens, token_file
from jepanet.rpc.transport.invitations import Invitations
from jepanet.rpc.transport.pages import read_pages
from jepanet.rpc.transport.server import listening
from jepanet.settings.rpc_section import RpcSection
from jepanet.storage.journal import StoredDuty
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import BlockRef, CancelCause, Digest, ProjectId, RoundId, Verdict
from jepanet.work.requests.request import Progress
from jepanet.work.requests.training import TrainDelta
from jepanet.work.worker import RunningJob
from round_samples import HARM, MISSING, Vote, a_spec, account, digest, reports_of, some_facts
from rpc_node import FACTS, PEERS, SPEC_BYTES, TOKEN, ANode, APeer, Asking, a_node, a_round, an_intent

NEWEST = 30
"""The round that runs: its solvers train."""
SCORED = 29
"""Its coordinators score, in another project."""
CANCELLED = 13
UNREAD = 27
"""Its score sheet is not stored here."""
STEPS = 400
OK = '{"status": "ok", "turned_degrees": 3.4}'


class ShownNode(ANode):
    """Its trainings ended as they did, and its worker trains for as long as it is served."""

    def __init__(self, folder: Path) -> None:
        plain = a_node(folder)
        self.__dict__.update(plain.__dict__)
        self.begun = time.time()
        self.step = 90
        self.losses = random.Random(7)
        rounds = {RoundId(n): self._round(n) for n in range(7, NEWEST + 1)}
        claimed = [SendClaim(RoundId(n)) for n in range(7, 26) if n != CANCELLED]
        self.journal.record([], [StoredDuty(duty_key(item), "SendClaim", "{}", 7) for item in claimed])
        self.journal.record([], [], done=[duty_key(item) for item in claimed[:-1]])
        self.journal.reject(duty_key(claimed[-1]), "no-row")
        intents = JournalIntents(self.journal)
        for number, kind in enumerate(("commit/26", "reveal/26", "claim/24", f"commit/{SCORED}")):
            intents.put(sent(number, kind, int(self.begun) - 900 + 60 * number))
        self.state = replace(
            self.state,
            block=BlockRef(18_204, bytes(32), int(self.begun) - 2),
            rounds=rounds,
            own={
                key: Own(prepared=True, sealed=digest(f"delta {key}") if key < NEWEST else None)
                for key in rounds
            },
            off_chain={key: self.state.off_chain[RoundId(7)] for key in rounds},
        )
        self.engine.state = self.state  # type: ignore[attr-defined]
        self.chain = replace(self.chain, head=18_206)
        self.deployment = replace(self.deployment, token=account("token"), lens=account("lens"))
        self.peers = 2
        for member, peer in zip(FACTS.members, (PEERS[0], PEERS[1], PEERS[1]), strict=True):
            self.heard.note(member, peer)
        self.network.connected = [
            APeer(peer, f"/ip4/192.0.2.{number + 7}/tcp/4701", outbound=number != 1)
            for number, peer in enumerate(PEERS[:2])
        ]

    def _round(self, number: int) -> Round:
        spec = self.blobs.put_bytes(SPEC_BYTES)
        facts = replace(some_facts(5, budget=100 * TOKEN, fee=2 * TOKEN), round_id=RoundId(number), spec=spec)
        gains = random.Random(number)
        mine = int(38_000 * math.exp(-(number - 7) / 14) + gains.gauss(0, 1500))
        good: Vote = (Verdict.ACCEPTED, "accepted", max(2_500, mine), 1_800)
        other: Vote = (Verdict.ACCEPTED, "accepted", max(1_000, int(mine * 0.7)), 2_300)
        copy: Vote = (Verdict.EXCLUDED, "near-copy", 0, 0)
        sheet = derive_sheet(
            facts, a_spec(price=5 * 10**14), reports_of(facts, [[good, HARM, other, copy, MISSING]] * 3),
            model=digest(f"model {number}"), improvement=int(mine * 1.15), metrics=measured(number),
        )  # fmt: skip
        stored = self.blobs.put_bytes(SHEET.encode(sheet))
        end = int(self.begun) - 300 - 900 * (28 - number)
        made = a_round(number, None, spec)
        commit, reveal = made.commits[0], made.reveals[0]
        made = replace(
            made,
            opened_at=end - 700, commit_end=end - 400,
            commits=tuple(
                replace(commit, solver=item.solver, index=place) for place, item in enumerate(facts.reveals)
            ),
            reveals=tuple(replace(reveal, solver=item.solver, digest=item.digest) for item in facts.reveals),
        )  # fmt: skip
        if number == CANCELLED:
            return replace(
                made, reveals=(), status=Status.CANCELLED, cancel_cause=CancelCause.NO_REVEALS, ended_at=end
            )
        if number == NEWEST:
            begun = int(self.begun) - 150
            return replace(
                made, opened_at=begun, commit_end=begun + 600, commits=made.commits[1:3], reveals=()
            )
        if number == SCORED:
            begun = int(self.begun) - 200
            params = replace(made.params, commit_duration=60)
            return replace(
                made, project_id=ProjectId(2), params=params, opened_at=begun, commit_end=begun + 60,
                shard=digest("shard"), reveals_closed_at=begun + 120,
            )  # fmt: skip
        result = Recorded(
            sheet.root, sheet.model, Digest(bytes(32)) if number == UNREAD else stored,
            sheet.payout, sheet.improvement, end - 60, bytes(32), 7,
        )  # fmt: skip
        return replace(
            made, recorded=result, shard=facts.shard, status=Status.SETTLED, ended_at=end,
            recorded_at=end - 120,
        )  # fmt: skip

    async def status(self) -> dict[str, object]:
        noted = {
            26: '{"status": "early_stop"}',
            25: '{"status": "aborted(time)", "why": "the window closed"}',
        }
        found = status_of(
            self.state, [], chain=self.chain, cursor=18_204, peers=self.peers, peer_id=PEERS[2],
            addresses=(f"/ip4/192.0.2.4/tcp/4701/p2p/{PEERS[2]}",), rpc=self.serving,
            training_note=lambda number: noted.get(int(number), OK if number < 29 else None),
        )  # fmt: skip
        job = self.worker.running
        if job is not None and job.progress is not None:
            found["work"] = {"job": job.job, "seconds": job.seconds, "step": job.progress.step,
                             "steps": job.progress.steps, "loss": job.progress.loss}  # fmt: skip
        return found

    def train(self) -> None:
        """Another step."""
        self.step = min(STEPS, self.step + 1)
        loss = 0.4 + 2.2 * math.exp(-self.step / 70) + self.losses.gauss(0, 0.02)
        self.worker.running = RunningJob(
            TrainDelta.job, 40 + self.step // 2, Progress(self.step, STEPS, round(loss, 4)), rate=2.0,
            curve=tuple((n, round(0.4 + 2.2 * math.exp(-n / 70), 4)) for n in range(0, self.step + 1, 10)),
        )  # fmt: skip


def measured(number: int) -> Metrics:
    """What a model comes to over rounds, in millionths: more information, more directions in use."""
    grown = 1 - math.exp(-(number - 5) / 9)
    values = {"pi": 0.9 * grown, "rank": 4 + 21 * grown, "sigreg": 0.4 - 0.3 * grown,
              "skill": 0.7 * grown, "variance": 0.7 + 0.3 * grown}  # fmt: skip
    return tuple(
        (f"{when}.{name}", int(1e6 * value * (1 if when == "after" else 0.97)))
        for when in ("after", "before") for name, value in values.items()
    )  # fmt: skip


def sent(number: int, kind: str, created: int) -> Intent:
    return replace(
        an_intent(number),
        key=kind,
        state=IntentState.MINED,
        block_number=18_100 + number,
        created=float(created),
    )


@dataclass
class Shown:
    """A served node and what opens it. `url` is where its page is."""

    node: ShownNode
    port: int
    read: str
    operate: str
    invitations: Invitations

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/dashboard/"


@contextmanager
def shown(folder: Path, *, node: ShownNode | None = None, port: int = 0) -> Iterator[Shown]:
    """Serves a node in a thread of its own; with a `node` and `port` of before, the same once more."""
    ready, end, held = threading.Event(), threading.Event(), []

    async def serve() -> None:
        found = node or ShownNode(folder)
        asking, hub = Asking(found), Hub(found, most=8)
        tokens = open_tokens(folder)
        async with listening(
            RpcSection(port=port), asking.dispatcher, tokens,
            health=asking.probes.health, ready=asking.probes.ready, hub=hub, pages=read_pages(),
            invitations=asking.invitations,
        ) as server:  # fmt: skip
            read, operate = (
                token_file(folder, item).read_text().strip() for item in (Scope.READ, Scope.OPERATE)
            )
            held.append(Shown(found, server.port, read, operate, asking.invitations))
            looking = asyncio.create_task(hub.run())
            ready.set()
            while not end.is_set():
                found.train()
                await asyncio.sleep(0.1)
            looking.cancel()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield held[0]
    finally:
        end.set()
        thread.join(30)
