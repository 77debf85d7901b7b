"""The facts of one node, as plain sets, and the duties it may therefore have.

Kept apart from `protocol.state` on purpose: a rule that is wrong there must not excuse itself here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from jepanet.protocol import duties, facts
from jepanet.protocol.state import Identity
from jepanet.types import Address, Digest, ProjectId, Role, RoundId, SlashCause

CLAIM_SECONDS = 90 * 86_400
RELEASE_SECONDS = 14 * 86_400
EXITS = (duties.SendClaim, duties.ReleaseBond)
REPEATED = (duties.PublishDelta, duties.PublishScores, duties.PublishSheet, duties.PublishResult)


@dataclass
class Told:
    """One round as the node heard of it."""

    opened: facts.ChainRoundOpened
    commit_end: int
    reveals_closed: int | None = None
    commits: set[Address] = field(default_factory=set)
    reveals: set[Address] = field(default_factory=set)
    slashed: set[Address] = field(default_factory=set)
    beacon_block: int = 0
    index: int | None = None
    unsealed: bool = False
    end: str = ""
    ended_at: int = 0
    recorded: bool = False
    challenge_end: int = 0
    prepared: bool = False
    aggregators: tuple[Address, ...] = ()
    sealed: bool = False
    failed: set[str] = field(default_factory=set)
    scored: bool = False
    hides: bool = False
    """Whether its scores are committed to first."""
    opened_scores: bool = False
    heard: set[Address] = field(default_factory=set)
    """Who of the others has committed to scores in time."""
    built: Digest | None = None
    checked: set[Digest] = field(default_factory=set)
    signed: Digest | None = None
    scores: set[Address] = field(default_factory=set)
    sheets: dict[Address, Digest] = field(default_factory=dict)
    results: dict[Address, Digest] = field(default_factory=dict)
    words: dict[Address, set[tuple[Digest, int]]] = field(default_factory=lambda: defaultdict(set))
    repeats: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def reveal_start(self) -> int:
        return self.commit_end + self.opened.params.gap

    @property
    def reveal_end(self) -> int:
        planned = self.reveal_start + self.opened.params.reveal_duration
        return planned if self.reveals_closed is None else self.reveals_closed


class Judge:
    """Hears every fact before the node does, and rules on every duty after it."""

    def __init__(self, me: Identity) -> None:
        self.me = me
        self.now = 0
        self.block = -1
        self.place = (-1, -1)
        self.sets: dict[int, tuple[tuple[Address, ...], int]] = {}
        self.owners: dict[ProjectId, Address] = {}
        self.opened: dict[ProjectId, int] = defaultdict(int)
        self.active: dict[ProjectId, RoundId] = {}
        self.rounds: dict[RoundId, Told] = {}
        self.keys: set[str] = set()

    # ---------------------------------------------------------------- hearing

    def hear(self, fact: facts.Fact) -> None:
        if isinstance(fact, facts.ChainBlock):
            if fact.block.number > self.block:
                self.block, self.now = fact.block.number, fact.block.timestamp
        elif isinstance(fact, facts.PeerFact):
            self._hear_peer(fact)
        elif isinstance(fact, facts.LocalFact):
            self._hear_local(fact)
        elif (fact.block.number, fact.log_index) > self.place:
            self.place = (fact.block.number, fact.log_index)
            self._hear_chain(fact)

    def members(self, told: Told) -> tuple[Address, ...]:
        return self.sets[told.opened.verifier_set][0]

    def threshold(self, told: Told) -> int:
        return self.sets[told.opened.verifier_set][1]

    def admitted(self, told: Told, sender: Address) -> bool:
        return sender in self.members(told) or sender in told.aggregators

    def _hear_chain(self, fact: facts.ChainFact) -> None:
        if isinstance(fact, facts.ChainVerifierSetCreated):
            self.sets[fact.set_id] = (fact.members, fact.threshold)
        elif isinstance(fact, facts.ChainProjectCreated):
            if not self.me.projects or fact.project_id in self.me.projects:
                self.owners[fact.project_id] = fact.owner
        elif isinstance(fact, facts.ChainRoundOpened):
            if fact.project_id in self.owners:
                self.rounds[fact.round_id] = Told(fact, fact.commit_end)
                self.opened[fact.project_id] += 1
                self.active[fact.project_id] = fact.round_id
        elif not isinstance(fact, facts.ChainBlock) and fact.round_id in self.rounds:
            self._hear_round(self.rounds[fact.round_id], fact)

    def _hear_round(self, told: Told, fact: facts.ChainFact) -> None:
        if isinstance(fact, facts.ChainCommitted):
            told.commits.add(fact.solver)
        elif isinstance(fact, facts.ChainCommitsClosed):
            told.commit_end = fact.at
        elif isinstance(fact, facts.ChainBeaconFixed):
            told.beacon_block = fact.block_number
        elif isinstance(fact, facts.ChainBeaconDrawn):
            told.index = fact.index
        elif isinstance(fact, facts.ChainShardUnsealed):
            told.unsealed = True
        elif isinstance(fact, facts.ChainRevealed):
            told.reveals.add(fact.solver)
        elif isinstance(fact, facts.ChainRevealsClosed):
            told.reveals_closed = fact.at
        elif isinstance(fact, facts.ChainTrainingRecorded):
            told.recorded, told.challenge_end = True, fact.challenge_end
        elif isinstance(fact, facts.ChainRoundSettled | facts.ChainRoundCancelled):
            told.end, told.ended_at = type(fact).__name__, fact.block.timestamp
            del self.active[told.opened.project_id]
        elif isinstance(fact, facts.ChainBondSlashed) and fact.cause not in (
            SlashCause.CHALLENGE_REJECTED,
            SlashCause.NOT_UNSEALED,
            SlashCause.EXCLUDED,
        ):
            told.slashed.add(fact.account)

    def _hear_peer(self, fact: facts.PeerFact) -> None:
        told = self.rounds.get(fact.round_id)
        if told is None:
            return
        if isinstance(fact, facts.PeerScored):
            if fact.coordinator in self.members(told):
                told.scores.add(fact.coordinator)
        elif isinstance(fact, facts.PeerCommitted):
            until = told.reveal_end + told.opened.params.verify_duration * 2 // 5
            if fact.coordinator in self.members(told) and self.now < until:
                told.heard.add(fact.coordinator)
        elif isinstance(fact, facts.PeerSheet):
            if self.admitted(told, fact.sender):
                told.sheets.setdefault(fact.sender, fact.sheet)
        elif fact.coordinator in self.members(told):
            told.results.setdefault(fact.coordinator, fact.sheet)
            told.words[fact.coordinator].add((fact.sheet, fact.improvement))
            if fact.coordinator == self.me.address:
                told.signed = told.signed or fact.sheet

    def _hear_local(self, fact: facts.LocalFact) -> None:
        told = self.rounds.get(fact.round_id)
        if told is None:
            return
        if isinstance(fact, facts.LocalRoundPrepared) and not told.prepared:
            told.prepared, told.aggregators = True, fact.aggregators
        elif isinstance(fact, facts.LocalDutyFailed):
            told.failed.add(fact.command)
        elif isinstance(fact, facts.LocalDeltaSealed):
            told.sealed = True
        elif isinstance(fact, facts.LocalScored):
            told.hides = told.hides if told.scored else fact.committed
            told.scored = True
            if self.me.address in self.members(told) and not told.hides:
                told.scores.add(self.me.address)
        elif isinstance(fact, facts.LocalScoresOpened):
            told.opened_scores = True
            if self.me.address in self.members(told):
                told.scores.add(self.me.address)
        elif isinstance(fact, facts.LocalSheetChecked):
            told.checked.add(fact.sheet)
        elif isinstance(fact, facts.LocalSheetBuilt) and told.built is None:
            told.built = fact.sheet
            told.sheets.setdefault(self.me.address, fact.sheet)
        elif (
            isinstance(fact, facts.LocalResultSigned)
            and told.signed is None
            and self.me.address in self.members(told)
        ):
            told.signed = fact.sheet
            told.results.setdefault(self.me.address, fact.sheet)

    # ---------------------------------------------------------------- ruling

    def rule(self, duty: duties.Duty) -> None:
        key = duties.duty_key(duty)
        assert key not in self.keys, f"{key} was issued twice"
        self.keys.add(key)
        if isinstance(duty, duties.OpenRound):
            project = duty.project_id
            assert self.owners[project] == self.me.address and Role.PROPOSER in self.me.roles
            assert project not in self.active
            assert duty.number == self.opened[project] + 1 <= self.me.rounds_to_play
            return
        told = self.rounds[duty.round_id]
        late = (*EXITS, duties.SlashInvalid)
        assert not told.end or isinstance(duty, late), f"{key} after the round had ended"
        if isinstance(duty, REPEATED):
            told.repeats[type(duty).__name__] += 1
            assert told.repeats[type(duty).__name__] <= 51, f"{key}: gossip without end"
        getattr(self, f"_rule_{type(duty).__name__}")(told, duty)

    def _rule_AnnounceRound(self, told: Told, duty: duties.AnnounceRound) -> None:
        assert not told.end and told.opened.proposer == self.me.address

    def _rule_PrepareRound(self, told: Told, duty: duties.PrepareRound) -> None:
        assert not told.recorded

    def _rule_TrainShard(self, told: Told, duty: duties.TrainShard) -> None:
        me = self.me.address
        assert Role.SOLVER in self.me.roles and me not in self.members(told), "a verifier may not train"
        assert self.now < told.commit_end and me not in told.commits
        assert told.prepared and not told.sealed

    def _rule_SendCommit(self, told: Told, duty: duties.SendCommit) -> None:
        me = self.me.address
        assert me not in self.members(told) and me not in told.commits
        assert told.sealed and self.now < told.commit_end

    def _rule_CloseCommits(self, told: Told, duty: duties.CloseCommits) -> None:
        assert told.commits and told.commit_end <= self.now < told.reveal_end
        assert not told.beacon_block

    def _rule_DrawBeacon(self, told: Told, duty: duties.DrawBeacon) -> None:
        assert told.commits and told.commit_end < self.now < told.reveal_end and told.index is None
        assert duty.block_number == told.beacon_block <= self.block, "its header is not final"

    def _rule_UnsealShard(self, told: Told, duty: duties.UnsealShard) -> None:
        assert told.opened.proposer == self.me.address and duty.index == told.index
        assert told.commit_end < self.now < told.reveal_end and not told.unsealed

    def _rule_SendReveal(self, told: Told, duty: duties.SendReveal) -> None:
        assert self.me.address in told.commits, "reveal without a confirmed commit of one's own"
        assert told.reveal_start <= self.now < told.reveal_end, "reveal before commits are closed"
        assert told.sealed and self.me.address not in told.reveals

    def _rule_PublishDelta(self, told: Told, duty: duties.PublishDelta) -> None:
        assert self.me.address in told.reveals, "delta published before its reveal was confirmed"
        assert told.sealed

    def _in_verify(self, told: Told) -> None:
        end = told.reveal_end + told.opened.params.verify_duration
        assert told.unsealed and told.reveals and not told.recorded
        assert told.reveal_end <= self.now < end and told.prepared

    def _rule_ScoreDeltas(self, told: Told, duty: duties.ScoreDeltas) -> None:
        self._in_verify(told)
        assert self.admitted(told, self.me.address)

    def _rule_OpenScores(self, told: Told, duty: duties.OpenScores) -> None:
        self._in_verify(told)
        assert told.scored and told.hides and not told.opened_scores
        missing = set(self.members(told)) - {self.me.address} - told.heard
        late = told.reveal_end + told.opened.params.verify_duration * 9 // 20
        assert self.me.address in self.members(told) and (not missing or self.now >= late)

    def _rule_PublishScores(self, told: Told, duty: duties.PublishScores) -> None:
        self._in_verify(told)
        assert told.scored and self.me.address in self.members(told)

    def _rule_BuildSheet(self, told: Told, duty: duties.BuildSheet) -> None:
        self._in_verify(told)
        assert told.scored and told.built is None and self.admitted(told, self.me.address)
        assert self.threshold(told) <= len(told.scores) <= len(self.members(told))
        patience = told.reveal_end + told.opened.params.verify_duration // (2 if told.hides else 3)
        assert len(told.scores) == len(self.members(told)) or self.now >= patience

    def _rule_PublishSheet(self, told: Told, duty: duties.PublishSheet) -> None:
        self._in_verify(told)
        assert told.built is not None and self.admitted(told, self.me.address)

    def _rule_CheckSheet(self, told: Told, duty: duties.CheckSheet) -> None:
        self._in_verify(told)
        assert Role.COORDINATOR in self.me.roles and self.me.address in self.members(told)
        named = {*told.sheets.values(), *told.results.values()}
        assert duty.sheet in named, "a sheet that nobody who was admitted has sent or signed"
        assert told.signed is None, "a second result of one coordinator costs its stake"

    def _rule_SignSheet(self, told: Told, duty: duties.SignSheet) -> None:
        self._in_verify(told)
        assert duty.sheet in told.checked and told.signed is None
        if duty.after != self.me.address:
            assert told.results[duty.after] == duty.sheet
            assert len(told.words[duty.after]) == 1, "led by one who was heard with two results"

    def _rule_PublishResult(self, told: Told, duty: duties.PublishResult) -> None:
        self._in_verify(told)
        assert told.signed is not None and self.me.address in self.members(told)

    def _rule_SendRecord(self, told: Told, duty: duties.SendRecord) -> None:
        self._in_verify(told)
        signers = {who for who, sheet in told.results.items() if sheet == duty.sheet} - told.slashed
        assert len(signers) >= self.threshold(told), "too few signatures the contract would count"

    def _rule_KeepRound(self, told: Told, duty: duties.KeepRound) -> None:
        assert told.recorded and told.opened.proposer == self.me.address

    def _rule_SendSettle(self, told: Told, duty: duties.SendSettle) -> None:
        assert told.recorded and self.now >= told.challenge_end

    def _rule_SendCancel(self, told: Told, duty: duties.SendCancel) -> None:
        scorable = told.unsealed and told.reveals
        end = told.reveal_end + (told.opened.params.verify_duration if scorable else 0)
        assert not told.recorded and self.now >= (end if told.commits else told.commit_end)

    def _rule_SlashNonReveal(self, told: Told, duty: duties.SlashNonReveal) -> None:
        assert duty.solver in told.commits - told.reveals - told.slashed - {self.me.address}
        assert self.now >= told.reveal_end

    def _rule_SlashInvalid(self, told: Told, duty: duties.SlashInvalid) -> None:
        assert told.end == "ChainRoundSettled"
        verifies = Role.COORDINATOR in self.me.roles and self.me.address in self.members(told)
        assert told.opened.proposer == self.me.address or verifies

    def _rule_SlashEquivocation(self, told: Told, duty: duties.SlashEquivocation) -> None:
        who = duty.verifier
        assert who in set(self.members(told)) - told.slashed - {self.me.address}
        assert len(told.words[who]) > 1 and (duty.sheet, duty.improvement) in told.words[who]
        assert self.now >= told.commit_end

    def _rule_SendClaim(self, told: Told, duty: duties.SendClaim) -> None:
        assert told.end == "ChainRoundSettled" and self.now < told.ended_at + CLAIM_SECONDS
        assert self.me.address in (told.reveals | set(self.members(told))) - told.slashed

    def _rule_ReleaseBond(self, told: Told, duty: duties.ReleaseBond) -> None:
        assert self.me.address in told.reveals - told.slashed
        if told.end == "ChainRoundCancelled":
            return
        # After it nothing can be claimed: so long as a claim may still be made, it is not given up.
        wait = RELEASE_SECONDS if "SendClaim" in told.failed else CLAIM_SECONDS
        assert told.end == "ChainRoundSettled" and self.now >= told.ended_at + wait
