"""The round state machine among honest, late, forgetful and hostile company.

A `RuleBasedStateMachine` mixes honest steps with their corrupted twins; `Judge` rules on every duty a node
is given, from its own account of what the node was told. The liveness tests drive whole rounds to their end.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from protocol_chain import Refused, digest
from protocol_world import (
    AGGREGATOR,
    COORDINATORS,
    FOREIGN,
    PROJECT,
    PROPOSER,
    SOLVERS,
    STRANGER,
    UNNAMED,
    Node,
    World,
)

from jepanet.protocol import duties, facts
from jepanet.protocol.state import KEPT_ROUNDS
from jepanet.types import Address, Digest, Phase, RoundId

pytestmark = pytest.mark.property

seeds = st.integers(min_value=0, max_value=2**32 - 1)
names = st.sampled_from((PROPOSER, *SOLVERS, *COORDINATORS, AGGREGATOR, UNNAMED))
members = st.sampled_from(COORDINATORS)
_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
# No shrinking by default: it would run for minutes, past the test's time. The thorough versions do shrink.
_FAST = (HypothesisPhase.explicit, HypothesisPhase.reuse, HypothesisPhase.generate)
DEFAULT = settings(
    max_examples=10, stateful_step_count=25, deadline=None, phases=_FAST, suppress_health_check=_QUIET
)
THOROUGH = settings(max_examples=300, stateful_step_count=60, deadline=None, suppress_health_check=_QUIET)


class Rounds(RuleBasedStateMachine):
    world: World

    @initialize(max_solvers=st.sampled_from((0, 2, 3)), block_first=st.booleans())
    def start(self, max_solvers: int, block_first: bool) -> None:
        self.world = World(rounds=3, max_solvers=max_solvers, block_first=block_first)
        self.checked: dict[Address, object] = {}

    # ---------------------------------------------------------------- honest steps

    @rule(
        seed=seeds,
        steps=st.integers(1, 12),
        loss=st.sampled_from((0.0, 0.3)),
        absent=st.sets(names, max_size=2),
    )
    def live(self, seed: int, steps: int, loss: float, absent: set[Address]) -> None:
        self.world.burst(Random(seed), steps, absent=frozenset(absent), loss=loss, failures=0.1)

    @rule(seconds=st.sampled_from((1, 10, 60, 130)))
    def mine(self, seconds: int) -> None:
        self.world.chain.mine(seconds)

    @rule(name=names, blocks=st.integers(1, 40))
    def follow(self, name: Address, blocks: int) -> None:
        self.world.nodes[name].follow(self.world.chain, blocks)

    @rule(name=names, seed=seeds, repeat=st.booleans())
    def act(self, name: Address, seed: int, repeat: bool) -> None:
        node = self.world.nodes[name]
        if node.outbox:
            self.world.perform(node, Random(seed).choice(list(node.outbox)), repeat=repeat)

    @rule(name=names, seed=seeds)
    def crash(self, name: Address, seed: int) -> None:
        node = self.world.nodes[name]
        node.crash(Random(seed))
        node.snapshot()

    @rule(name=names, duty=st.sampled_from(("TrainShard", "CheckSheet")))
    def duty_fails_twice(self, name: Address, duty: str) -> None:
        for round_id in self._known():
            fact = facts.LocalDutyFailed(round_id, duty, "no-provider")
            self.world.nodes[name].feed(fact, fact)

    # ---------------------------------------------------------------- corrupted twins

    def _known(self) -> tuple[RoundId, ...]:
        return tuple(self.world.chain.rounds)[-1:]

    def _tell(self, *told: facts.PeerFact) -> None:
        """As if admission had let it pass, to everybody: the machine must not rely on admission alone."""
        for node in self.world.nodes.values():
            node.feed(*told)

    @rule(outsider=st.sampled_from((STRANGER, *SOLVERS, UNNAMED)))
    def outsider_scores_and_signs(self, outsider: Address) -> None:
        for key in self._known():
            sheet = digest("forged", outsider)
            self._tell(
                facts.PeerScored(key, outsider, digest("forged scores")),
                facts.PeerSheet(key, outsider, sheet),
                facts.PeerResult(key, outsider, sheet, 1, b"forged"),
            )
            for node in self.world.nodes.values():
                node.feed(*(facts.PeerResult(key, outsider, s, 1, b"x") for s in self._sheets(node, key)))

    @staticmethod
    def _sheets(node: Node, key: RoundId) -> set[Digest]:
        known = node.state.off_chain.get(key)
        return {item.sheet for item in known.sheets} if known else set()

    @rule(member=members, nonce=st.integers(0, 3))
    def coordinator_signs_twice(self, member: Address, nonce: int) -> None:
        for key in self._known():
            for node in self.world.nodes.values():
                if node.me.address != member:
                    known = sorted(self._sheets(node, key))
                    choice = known[nonce % len(known)] if known else digest("no sheet", nonce)
                    node.feed(facts.PeerResult(key, member, digest(choice), 1, b"second"))
                    node.feed(facts.PeerResult(key, member, choice, 1, b"first"))

    @rule(member=members)
    def equivocation_is_slashed(self, member: Address) -> None:
        for key in self._known():
            try:
                self.world.chain.slash_equivocation(key, member)
            except Refused:
                assert member in self.world.chain.rounds[key].slashed

    @rule(member=members)
    def own_result_comes_back(self, member: Address) -> None:
        """The disk was lost after signing; peers repeat what this key said."""
        node = self.world.nodes[member]
        for key in self._known():
            if key in node.state.rounds and key not in node.signed:
                sheet = digest("signed before the crash", member)
                node.signed[key] = facts.LocalResultSigned(key, sheet, 5, b"earlier")
                node.feed(facts.PeerResult(key, member, sheet, 5, b"earlier"), node.signed[key])

    @rule(sender=st.sampled_from((AGGREGATOR, *COORDINATORS)), count=st.integers(2, 30))
    def flood_of_sheets(self, sender: Address, count: int) -> None:
        for key in self._known():
            for node in self.world.nodes.values():
                if node.me.address != sender:
                    node.feed(*(facts.PeerSheet(key, sender, digest("flood", n)) for n in range(count)))
                    node.feed(*(facts.PeerScored(key, sender, digest("flood", n)) for n in range(count)))

    @rule(round_id=st.sampled_from((0, 99, 2**60)))
    def unknown_round(self, round_id: int) -> None:
        key, sheet = RoundId(round_id), digest("sheet")
        for node in self.world.nodes.values():
            before = node.state
            node.feed(
                facts.PeerSheet(key, COORDINATORS[0], sheet),
                facts.PeerResult(key, COORDINATORS[0], sheet, 1, b"s"),
                facts.LocalDeltaSealed(key, sheet, b"c"),
                facts.LocalScored(key, sheet),
            )
            assert node.state is before

    @rule(name=names, seed=seeds, count=st.integers(1, 60))
    def replay_of_old_blocks(self, name: Address, seed: int, count: int) -> None:
        self.world.nodes[name].replay(Random(seed), count)

    @rule(name=names)
    def second_word_of_this_node(self, name: Address) -> None:
        """A handler repeated after a crash brings another answer: the first one stands."""
        self.world.nodes[name].second_word()

    @rule(seed=seeds)
    def foreign_project(self, seed: int) -> None:
        chain = self.world.chain
        active = chain.active[FOREIGN]
        try:
            if active is None:
                active = chain.open_round(FOREIGN, STRANGER, 1)
            elif chain.rounds[active].phase(chain.now) is Phase.CANCELLABLE:
                chain.cancel(active)
            else:
                chain.commit(active, STRANGER, bytes(32))
        except Refused:
            pass
        for node in self.world.nodes.values():
            assert not node.me.projects or active not in node.state.rounds

    @rule(victim=st.sampled_from(SOLVERS))
    def copied_commitment(self, victim: Address) -> None:
        chain = self.world.chain
        for key in self._known():
            commitment = chain.rounds[key].commitments.get(victim)
            if commitment is not None and chain.rounds[key].phase(chain.now) is Phase.COMMIT:
                try:
                    chain.commit(key, STRANGER, commitment)
                except Refused:
                    round_ = chain.rounds[key]
                    full = len(round_.order) == round_.params.max_solvers > 0
                    assert full or STRANGER in round_.commitments

    @rule(victim=st.sampled_from(SOLVERS))
    def reveal_of_a_copy_or_of_nothing(self, victim: Address) -> None:
        for key in self._known():
            with pytest.raises(Refused):
                self.world.chain.reveal(key, STRANGER, digest("delta", victim, key))

    @precondition(lambda self: any(r.status == "recorded" for r in self.world.chain.rounds.values()))
    @rule(who=st.sampled_from((PROPOSER, *SOLVERS, STRANGER)))
    def challenge(self, who: Address) -> None:
        for key in self._known():
            try:
                self.world.chain.challenge(key, who)
            except Refused:
                round_, now = self.world.chain.rounds[key], self.world.chain.now
                contested = round_.phase(now) in (Phase.CHALLENGE, Phase.DISPUTED)
                assert not contested or now >= round_.challenge_end or who in round_.challengers

    @precondition(lambda self: any(r.status == "disputed" for r in self.world.chain.rounds.values()))
    @rule(who=st.sampled_from((PROPOSER, *SOLVERS, STRANGER)), overturn=st.booleans())
    def resolve(self, who: Address, overturn: bool) -> None:
        chain = self.world.chain
        for key in self._known():
            round_ = chain.rounds[key]
            try:
                if overturn:
                    chain.overturn(key, who)
                else:
                    chain.uphold(key)
            except Refused:
                wrong = overturn and round_.challengers.get(who) != round_.dispute
                assert wrong or round_.phase(chain.now) is not Phase.DISPUTED

    @rule(who=st.sampled_from((PROPOSER, *SOLVERS, STRANGER)))
    def close_challenge(self, who: Address) -> None:
        chain = self.world.chain
        for key in self._known():
            try:
                chain.close_challenge(key, who)
            except Refused:
                round_ = chain.rounds[key]
                assert round_.challengers.get(who) in (None, round_.dispute)

    @rule(sender=st.sampled_from((STRANGER, *SOLVERS)), draws=st.booleans())
    def stranger_keeps(self, sender: Address, draws: bool) -> None:
        """Closing and drawing are open to anyone, at any time a caller likes."""
        chain = self.world.chain
        for key in self._known():
            try:
                if draws:
                    chain.draw_beacon(key, sender)
                else:
                    chain.close_commits(key, sender)
            except Refused:
                continue

    # ---------------------------------------------------------------- after every step

    @invariant()
    def state_survives_the_journal(self) -> None:
        for name, node in self.world.nodes.items():
            if self.checked.get(name) is not node.state:
                node.check_codec()
                self.checked[name] = node.state

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for node in self.world.nodes.values():
                node.snapshots.clear()
                node.crash(Random(0))


Rounds.TestCase.settings = DEFAULT
TestRounds = Rounds.TestCase


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_rounds_thoroughly() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Rounds, settings=THOROUGH)


# -------------------------------------------------------------------- liveness

PARTS: dict[str, frozenset[Address]] = {
    "nobody": frozenset(),
    "proposer": frozenset({PROPOSER}),
    "all solvers": frozenset({*SOLVERS, PROPOSER}),
    "one solver": frozenset({SOLVERS[0]}),
    "aggregator": frozenset({AGGREGATOR}),
    "every aggregator": frozenset({AGGREGATOR, COORDINATORS[2]}),
    "one coordinator": frozenset({COORDINATORS[0]}),
    "all coordinators": frozenset(COORDINATORS),
}


def _drive(seed: int, gone: frozenset[Address], since: int, max_solvers: int, loss: float) -> World:
    world, rng = World(max_solvers=max_solvers, block_first=bool(seed % 2)), Random(seed)
    for step in range(140):
        # The proposer opens the round before it vanishes; nobody else acts before there is one.
        absent = gone if step >= since and world.chain.rounds else frozenset()
        world.burst(rng, 1, absent=absent, loss=loss)
        if any(item.status in ("settled", "cancelled") for item in world.chain.rounds.values()):
            break
    for _ in range(8):  # exits
        world.burst(rng, 1, absent=gone, loss=loss)
    return world


def _check_end(world: World, gone: frozenset[Address]) -> str:
    round_ = world.chain.rounds[RoundId(1)]
    assert round_.status in ("settled", "cancelled"), f"round is {round_.status} for ever"
    owed = round_.revealed | (set(COORDINATORS) if round_.status == "settled" else set())
    assert owed - gone <= world.exits_of(RoundId(1)), "somebody was not told to take out what is theirs"
    assert owed - gone == round_.released - gone
    return round_.status


def _live(seed: int, part: str, since: int, max_solvers: int, loss: float) -> str:
    gone = PARTS[part]
    world = _drive(seed, gone, since, max_solvers, loss)
    status = _check_end(world, gone)
    if part in ("nobody", "aggregator"):
        assert status == "settled", f"cancelled although {part} is missing"
    return status


liveness = given(
    seed=seeds,
    part=st.sampled_from(sorted(PARTS)),
    since=st.integers(0, 40),
    max_solvers=st.sampled_from((0, 3)),
    loss=st.sampled_from((0.0, 0.3)),
)


@settings(max_examples=8, deadline=None, phases=_FAST, suppress_health_check=_QUIET)
@liveness
def test_a_round_ends_whoever_vanishes(
    seed: int, part: str, since: int, max_solvers: int, loss: float
) -> None:
    _live(seed, part, since, max_solvers, loss)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=500, deadline=None, suppress_health_check=_QUIET)
@liveness
def test_a_round_ends_whoever_vanishes_thoroughly(
    seed: int, part: str, since: int, max_solvers: int, loss: float
) -> None:
    _live(seed, part, since, max_solvers, loss)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_round_ends_without(part: str) -> None:
    """Every part once, so that no run of the suite is vacuous."""
    _live(7, part, 0, 0, 0.2)


@pytest.mark.parametrize("seed", range(8))
def test_the_remaining_verifiers_sign_the_same_sheet(seed: int) -> None:
    """Two aggregators, one verifier missing: the other two must not split over two sheets."""
    assert _live(seed, "one coordinator", 0, 3, 0.0) == "settled"


def test_every_duty_is_handed_out_in_some_round() -> None:
    """The judge rules on all kinds of duties, or its silence would mean nothing."""
    kinds: set[str] = set()
    for part, since in (("nobody", 0), ("proposer", 9), ("one solver", 9), ("all coordinators", 9)):
        world = _drive(3, PARTS[part], since, 0, 0.2)
        world.chain.mine(91 * 86_400)
        world.burst(Random(3), 2)
        kinds |= {key.split("/")[0] for node in world.nodes.values() for key in node.judge.keys}
    # Nobody signs twice in these: `coordinator_signs_twice` above does.
    assert kinds == {kind.__name__ for kind in duties.Duty.__args__} - {"SlashEquivocation"}


def test_a_silent_arbiter_does_not_hold_a_round() -> None:
    world, rng = World(), Random(5)
    while not any(item.status == "recorded" for item in world.chain.rounds.values()):
        world.burst(rng, 1)
    world.chain.challenge(RoundId(1), STRANGER)
    world.burst(rng, 20)
    assert world.chain.rounds[RoundId(1)].status == "disputed"
    world.chain.mine(31 * 24 * 3600)
    world.burst(rng, 8)
    assert _check_end(world, frozenset()) == "settled"


def test_memory_is_bounded_and_forgotten_rounds_stay_forgotten() -> None:
    world = World()
    node = world.nodes[SOLVERS[1]]
    for _ in range(KEPT_ROUNDS + 20):
        key = world.chain.open_round(PROJECT, PROPOSER, 0)
        world.chain.mine(60)
        world.chain.cancel(key)
        world.chain.mine(1)
    node.follow(world.chain)
    assert len(node.state.rounds) == KEPT_ROUNDS
    before = node.state
    node.feed(*list(node.heard))
    assert node.state == before
    node.check_codec()
    node.crash(Random(0))
