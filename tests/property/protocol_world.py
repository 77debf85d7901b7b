"""A chain model, some nodes and a lossy network between them. Duties become facts, as in the handlers."""

from __future__ import annotations

from random import Random

from protocol_chain import ChainModel, Refused, commitment_of, digest
from protocol_judge import EXITS, Judge

from jepanet.protocol import duties, facts
from jepanet.protocol.due.table import project_duties, round_duties
from jepanet.protocol.journal_codec import (
    decode_duty,
    decode_fact,
    decode_state,
    encode_duty,
    encode_fact,
    encode_state,
)
from jepanet.protocol.state import KEPT_OF_PROJECT, KEPT_ROUNDS, Identity, NodeState
from jepanet.protocol.transition import genesis, transition
from jepanet.types import Address, Digest, Phase, ProjectId, Role, RoundId

PROJECT, FOREIGN = ProjectId(10), ProjectId(2)


def address(name: str) -> Address:
    return Address("0x" + digest("address", name).hex()[:40])


def delta_of(solver: Address, round_id: RoundId) -> Digest:
    return Digest(digest("delta", solver, round_id))


PROPOSER, STRANGER, ARBITER = address("proposer"), address("stranger"), address("arbiter")
AGGREGATOR, UNNAMED = address("aggregator"), address("unnamed aggregator")
SOLVERS = (address("solver 1"), address("solver 2"))
COORDINATORS = tuple(sorted(address(f"coordinator {n}") for n in range(3)))
THRESHOLD = 2


class Node:
    """One node as the engine runs it: state, journal, outbox, inbox; its judge listens in."""

    def __init__(self, me: Identity, *, block_first: bool = False) -> None:
        self.me = me
        self.block_first = block_first
        self.state: NodeState = genesis(me)
        self.judge = Judge(me)
        self.journal: list[tuple[facts.Fact, tuple[duties.Duty, ...]]] = []
        self.snapshots: list[tuple[int, bytes]] = []
        self.outbox: dict[str, duties.Duty] = {}
        self.inbox: list[facts.PeerFact] = []
        self.signed: dict[RoundId, facts.LocalResultSigned] = {}
        self.heard: list[facts.ChainFact] = []
        self.position = 0

    def feed(self, *told: facts.Fact) -> None:
        for fact in told:
            self.judge.hear(fact)
            before = self.state
            after, asked = transition(before, fact)
            assert transition(before, fact) == (after, asked), "transition is not pure"
            if asked or after != before:  # what changes nothing is not kept, as in the engine
                self.journal.append((fact, asked))
            self.state = after
            self._check_lists(fact)
            self._check_kept(before, fact)
            for duty in asked:
                self.judge.rule(duty)
                self.outbox[duties.duty_key(duty)] = duty

    def _check_lists(self, fact: facts.Fact) -> None:
        """One entry a sender, of those who may speak; memory is bounded."""
        assert set(self.state.rounds) == set(self.state.own) == set(self.state.off_chain)
        if isinstance(fact, facts.ChainBlock):
            known = self.state.rounds.values()
            under_way = {item.project_id for item in known if not item.ended_at}
            most = 2 * KEPT_ROUNDS + KEPT_OF_PROJECT * len(under_way)
            assert sum(1 for item in known if item.ended_at) <= most
            return
        round_ = self.state.rounds.get(getattr(fact, "round_id", None))  # type: ignore[arg-type]  # None is no key
        if round_ is None:
            return
        own, off_chain = self.state.own[round_.id], self.state.off_chain[round_.id]
        members = set(self.state.members(round_))
        scorers = [item.coordinator for item in off_chain.scores]
        senders = [item.sender for item in off_chain.sheets]
        signers = [item.coordinator for item in off_chain.results]
        for names, allowed in ((scorers, members), (signers, members)):
            assert len(set(names)) == len(names) and set(names) <= allowed, (fact, names, allowed)
        assert len(set(senders)) == len(senders)
        assert set(senders) <= members | set(own.aggregators) | {self.me.address}
        assert len(set(round_.slashed)) == len(round_.slashed)
        assert len(set(own.failed)) == len(own.failed)

    def _check_kept(self, before: NodeState, fact: facts.Fact) -> None:
        """The first answer counts, ends are final."""
        old = before.rounds.get(getattr(fact, "round_id", None))  # type: ignore[arg-type]  # None is no key
        if old is None or isinstance(fact, facts.ChainBlock):
            return
        round_, own, earlier = self.state.rounds[old.id], self.state.own[old.id], before.own[old.id]
        assert not old.ended_at or (old.status, old.ended_at) == (round_.status, round_.ended_at)
        for name in ("beacon", "shard", "recorded"):
            first = getattr(old, name)
            assert first is None or getattr(round_, name) == first, f"{name} was overwritten"
        for name in ("sealed", "scores", "sheet", "result"):
            first = getattr(earlier, name)
            assert first is None or getattr(own, name) == first, f"own {name} was overwritten"

    # ---------------------------------------------------------------- chain feed, crashes

    def follow(self, chain: ChainModel, blocks: int = 1 << 30) -> None:
        """Feeds up to `blocks` closed blocks; the phases must then be the contract's."""
        for ref, found in chain.blocks[self.position : self.position + blocks]:
            self.position += 1
            step = (facts.ChainBlock(ref), *found) if self.block_first else (*found, facts.ChainBlock(ref))
            self.feed(*step)
            self.heard += step
        if self.position:
            for round_id, round_ in self.state.rounds.items():
                mine, theirs = round_.phase(self.state.now), chain.phases[self.position - 1][round_id]
                silent = (mine, theirs) == (Phase.DISPUTED, Phase.SETTLEABLE)
                assert mine == theirs or silent, f"round {round_id}: {mine!r}, contract says {theirs!r}"

    def snapshot(self) -> None:
        self.snapshots.append((len(self.journal), encode_state(self.state)))

    def check_codec(self) -> None:
        data = encode_state(self.state)
        copy = decode_state(data, self.me)
        assert copy == self.state and encode_state(copy) == data

    def crash(self, rng: Random) -> None:
        """Restores from a snapshot (or from nothing) and the journal: same state, same duties."""
        start, data = rng.choice([(0, encode_state(genesis(self.me))), *self.snapshots])
        state = decode_state(data, self.me)
        for fact, asked in self.journal[start:]:
            state, again = transition(state, decode_fact(*encode_fact(fact)))
            assert again == tuple(decode_duty(*encode_duty(item)) for item in asked)
        assert state == self.state
        self.state = state

    def replay(self, rng: Random, count: int) -> None:
        """Some of the chain once more, as after a restart of the feed: nothing may come of it."""
        if self.heard:
            start = rng.randrange(len(self.heard))
            before, journal = self.state, len(self.journal)
            self.feed(*self.heard[start : start + count])
            assert self.state == before and len(self.journal) == journal, "an old fact was absorbed again"

    def second_word(self) -> None:
        """Handlers repeated after a crash bring other answers: the first ones stand."""
        for key, own in self.state.own.items():
            other = digest("other")
            offered: list[tuple[object, facts.LocalFact]] = [
                (own.sealed, facts.LocalDeltaSealed(key, other, b"other")),
                (own.scores, facts.LocalScored(key, other)),
                (own.opened, facts.LocalScoresOpened(key, other)),
                (own.sheet, facts.LocalSheetBuilt(key, other)),
                (own.result, facts.LocalResultSigned(key, other, 9, b"other")),
                (own.prepared or None, facts.LocalRoundPrepared(key, (STRANGER,))),
            ]
            self.feed(*(fact for known, fact in offered if known is not None))

    def due(self) -> set[str]:
        """What the engine still runs; the rest of the outbox is closed unperformed."""
        found = [d for project in self.state.projects.values() for d in project_duties(self.state, project)]
        found += [d for round_ in self.state.rounds.values() for d in round_duties(self.state, round_)]
        return {duties.duty_key(item) for item in found}


class World:
    def __init__(self, *, rounds: int = 1, max_solvers: int = 0, block_first: bool = False) -> None:
        self.chain = ChainModel()
        self.max_solvers = max_solvers
        self.aggregators = (AGGREGATOR,)
        only, everything = frozenset({PROJECT}), frozenset[ProjectId]()
        solver, coordinator, aggregator = Role.SOLVER, Role.COORDINATOR, Role.AGGREGATOR
        who = (
            Identity(PROPOSER, frozenset({Role.PROPOSER, solver}), only, rounds),
            Identity(SOLVERS[0], frozenset({solver}), only),
            Identity(SOLVERS[1], frozenset({solver}), everything),
            Identity(COORDINATORS[0], frozenset({coordinator}), only),
            Identity(COORDINATORS[1], frozenset({coordinator, solver}), only),
            Identity(COORDINATORS[2], frozenset({coordinator, aggregator}), everything),
            Identity(AGGREGATOR, frozenset({aggregator}), only),
            Identity(UNNAMED, frozenset({aggregator, coordinator}), only),
        )
        self.nodes = {me.address: Node(me, block_first=block_first) for me in who}
        self.chain.create_set(1, COORDINATORS, THRESHOLD)
        self.chain.create_set(2, (STRANGER,), 1)
        self.chain.create_project(FOREIGN, STRANGER, 2)
        self.chain.create_project(PROJECT, PROPOSER, 1)

    def say(self, sender: Node, fact: facts.PeerFact) -> None:
        for node in self.nodes.values():
            if node is not sender:
                node.inbox.append(fact)

    def perform(self, node: Node, key: str, *, repeat: bool = False) -> None:
        """Runs one duty of the outbox, if still due. `repeat` keeps it there: delivery is at least once."""
        duty = node.outbox[key]
        if key not in node.due():
            del node.outbox[key]
            return
        try:
            learnt = self._handle(node, duty)
        except Refused as error:
            learnt = [facts.LocalDutyFailed(duty.round_id, type(duty).__name__, str(error))] \
                if not isinstance(duty, duties.OpenRound) else []  # fmt: skip
        if not repeat:
            del node.outbox[key]
        node.feed(*learnt)

    def _handle(self, node: Node, duty: duties.Duty) -> list[facts.LocalFact]:
        if isinstance(duty, duties.OpenRound):
            self.chain.open_round(duty.project_id, node.me.address, self.max_solvers)
            return []
        # What none of the three knows needs money, or a signature that was never made: second results are
        # made up here, and the real handler would find none.
        self._publish(node, duty)
        self._send(node, duty)
        return self._work(node, duty)

    def _work(self, node: Node, duty: duties.Duty) -> list[facts.LocalFact]:
        """Duties that bring this node a fact of its own."""
        me = node.me.address
        match duty:
            case duties.PrepareRound(key):
                return [facts.LocalRoundPrepared(key, self.aggregators)]
            case duties.TrainShard(key):
                delta = delta_of(me, key)
                return [facts.LocalDeltaSealed(key, delta, commitment_of(me, delta))]
            case duties.ScoreDeltas(key):
                return [facts.LocalScored(key, digest("scores", me, key), committed=key % 2 == 1)]
            case duties.OpenScores(key):
                return [facts.LocalScoresOpened(key, digest("opened scores", me, key))]
            case duties.BuildSheet(key):
                scores = node.state.off_chain[key].scores
                return [facts.LocalSheetBuilt(key, digest("sheet", me, key, scores))]
            case duties.CheckSheet(key, sheet):
                return [facts.LocalSheetChecked(key, sheet, 1_000)]
            case duties.SignSheet(key, sheet):
                if key not in node.signed:
                    signature = digest("signature", me, sheet)
                    node.signed[key] = facts.LocalResultSigned(key, sheet, 1_000, signature)
                return [node.signed[key]]
        return []

    def _publish(self, node: Node, duty: duties.Duty) -> None:
        """Duties that tell the other nodes something."""
        me = node.me.address
        match duty:
            case duties.PublishScores(key):
                known = node.state.own[key]
                if known.committed and known.opened is None:
                    self.say(node, facts.PeerCommitted(key, me, digest("committed", me, key), bytes(65)))
                    return
                scores = known.opened or known.scores
                assert scores is not None
                self.say(node, facts.PeerScored(key, me, scores))
            case duties.PublishSheet(key):
                sheet = node.state.own[key].sheet
                assert sheet is not None
                self.say(node, facts.PeerSheet(key, me, sheet))
            case duties.PublishResult(key):
                own = node.state.own[key].result
                assert own is not None
                self.say(node, facts.PeerResult(key, me, own.sheet, own.improvement, own.signature))

    def _send(self, node: Node, duty: duties.Duty) -> None:
        """Duties that send a transaction."""
        me, chain = node.me.address, self.chain
        match duty:
            case duties.SendCommit(key):
                chain.commit(key, me, commitment_of(me, delta_of(me, key)))
            case duties.CloseCommits(key):
                chain.close_commits(key, me)
            case duties.DrawBeacon(key):
                chain.draw_beacon(key, me)
            case duties.UnsealShard(key):
                chain.unseal(key, me)
            case duties.SendReveal(key):
                chain.reveal(key, me, delta_of(me, key))
            case duties.SendRecord(key, sheet):
                results, slashed = node.state.off_chain[key].results, node.state.rounds[key].slashed
                signers = {item.coordinator for item in results if item.sheet == sheet}
                chain.record(key, sheet, signers - set(slashed))
            case duties.SendSettle(key):
                chain.settle(key)
            case duties.SendCancel(key):
                chain.cancel(key)
            case duties.SlashNonReveal(key, solver):
                chain.slash_non_reveal(key, solver)
            case duties.SendClaim(key):
                chain.claim(key, me)
            case duties.ReleaseBond(key):
                chain.release(key, me)

    # ---------------------------------------------------------------- a scheduler

    def burst(
        self,
        rng: Random,
        steps: int,
        *,
        absent: frozenset[Address] = frozenset(),
        loss: float = 0.2,
        failures: float = 0.0,
    ) -> None:
        """`steps` blocks in which every present node hears and acts in random order, late, or twice.

        A duty fails for good with probability `failures`.
        """
        for _ in range(steps):
            self.chain.mine(rng.choice((2, 5, 9, 14)))
            present = [node for who, node in self.nodes.items() if who not in absent]
            rng.shuffle(present)
            for node in present:
                node.follow(self.chain, rng.choice((1, 3, 1 << 30, 1 << 30)))
                rng.shuffle(node.inbox)
                for fact in node.inbox:
                    if rng.random() >= loss:
                        node.feed(fact)
                        if rng.random() < 0.1:
                            node.feed(fact)
                node.inbox.clear()
                keys = list(node.outbox)
                rng.shuffle(keys)
                for key in keys:
                    if rng.random() < failures:
                        del node.outbox[key]
                        node.feed(facts.LocalDutyFailed(RoundId(1), key.split("/")[0], "no-provider"))
                    elif rng.random() < 0.85:
                        self.perform(node, key, repeat=rng.random() < 0.1)
                if rng.random() < 0.05:
                    node.snapshot()
                    node.second_word()
                    node.replay(rng, 40)

    def exits_of(self, round_id: RoundId) -> set[Address]:
        """Nodes that were told to take out what is theirs."""
        keys = {duties.duty_key(kind(round_id)) for kind in EXITS}
        return {who for who, node in self.nodes.items() if keys & node.judge.keys}
