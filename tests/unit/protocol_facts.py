"""Short ways to write facts down. Places on the chain are counted up by themselves."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import Any

from jepanet.protocol import duties, facts
from jepanet.protocol.state import Identity, NodeState
from jepanet.protocol.transition import genesis, transition
from jepanet.types import Address, BlockRef, CancelCause, Digest, ProjectId, Role, RoundId, SlashCause

PROJECT, ROUND = ProjectId(3), RoundId(7)
PROPOSER, SOLVER, OTHER, AGGREGATOR, OUTSIDER = (Address(f"0x{n:040x}") for n in range(1, 6))
VERIFIERS = tuple(Address(f"0x{n:040x}") for n in range(11, 14))
OPENED, COMMIT_END, REVEAL_START, REVEAL_END, VERIFY_END = 1000, 1060, 1070, 1160, 1280

_places = count(100)


def digest(name: str) -> Digest:
    return Digest(sha256(name.encode()).digest())


def params(**changes: Any) -> facts.RoundParams:
    values: dict[str, Any] = {
        "project_id": PROJECT, "spec": digest("spec"), "budget": 10**21, "fee": 10**20, "bond": 10**18,
        "unseal_bond": 10**18, "commit_duration": 60, "gap": 10, "reveal_duration": 90,
        "verify_duration": 120, "challenge_duration": 60, "max_solvers": 0, "extension": bytes(32),
        "allow_list": bytes(32),
    }  # fmt: skip
    return facts.RoundParams(**{**values, **changes})


def block(timestamp: int) -> facts.ChainBlock:
    number = next(_places)
    return facts.ChainBlock(BlockRef(number, number.to_bytes(32), timestamp))


def log(kind: Any, stamp: int = OPENED, /, **fields: Any) -> Any:
    """An event in a block of its own, later than every fact made before it."""
    number = next(_places)
    if "round_id" in kind.__dataclass_fields__:
        fields = {"round_id": ROUND, **fields}
    return kind(**fields, block=BlockRef(number, number.to_bytes(32), stamp), log_index=0)


def prologue(
    *, rounds_max_solvers: int = 0, commit_end: int = COMMIT_END, changes: dict[str, Any] | None = None
) -> list[facts.Fact]:
    """Verifier set, project and open round, before every other fact whenever that was made."""
    terms = params(max_solvers=rounds_max_solvers, **(changes or {}))
    first = (
        log(
            facts.ChainVerifierSetCreated,
            set_id=1,
            creator=OUTSIDER,
            members=VERIFIERS,
            threshold=2,
            cap=10**24,
            max_hold=10**6,
        ),
        project(),
        replace(opened(terms=terms), commit_end=commit_end),
    )
    return [replace(fact, block=replace(fact.block, number=n)) for n, fact in enumerate(first, 1)]


def project(project_id: ProjectId = PROJECT, owner: Address = PROPOSER) -> facts.ChainProjectCreated:
    fact: facts.ChainProjectCreated = log(
        facts.ChainProjectCreated, project_id=project_id, owner=owner, recipe=digest("recipe"),
        dataset=digest("dataset"), model=digest("model"), evaluation_root=bytes(32), evaluation_count=8,
        verifier_set=1, metadata=digest("metadata"),
    )  # fmt: skip
    return fact


def opened(
    round_id: RoundId = ROUND, project_id: ProjectId = PROJECT, terms: facts.RoundParams | None = None
) -> facts.ChainRoundOpened:
    fact: facts.ChainRoundOpened = log(
        facts.ChainRoundOpened, round_id=round_id, project_id=project_id, proposer=PROPOSER,
        params=terms or params(), base=digest("model"), verifier_set=1, seed=bytes(32), commit_end=COMMIT_END,
    )  # fmt: skip
    return fact


def committed(solver: Address, index: int = 0) -> facts.ChainCommitted:
    fact: facts.ChainCommitted = log(
        facts.ChainCommitted, solver=solver, commitment=digest(solver), index=index, bond=10**18
    )
    return fact


def revealed(solver: Address) -> facts.ChainRevealed:
    fact: facts.ChainRevealed = log(
        facts.ChainRevealed, solver=solver, digest=digest("delta"), salt=bytes(32)
    )
    return fact


def fixed(block_number: int) -> facts.ChainBeaconFixed:
    """The block that draws is named."""
    fact: facts.ChainBeaconFixed = log(
        facts.ChainBeaconFixed, block_number=block_number, keeper=OUTSIDER, reward=10**17
    )
    return fact


def beacon(index: int = 5) -> facts.ChainBeaconDrawn:
    fact: facts.ChainBeaconDrawn = log(
        facts.ChainBeaconDrawn, beacon=2**255, index=index, keeper=OUTSIDER, reward=10**17
    )
    return fact


def unsealed() -> facts.ChainShardUnsealed:
    fact: facts.ChainShardUnsealed = log(
        facts.ChainShardUnsealed, index=5, shard=digest("shard"), blinding=bytes(32)
    )
    return fact


def recorded(challenge_end: int = 1400, at: int = 1340) -> facts.ChainTrainingRecorded:
    fact: facts.ChainTrainingRecorded = log(
        facts.ChainTrainingRecorded, at, root=bytes(32), model=digest("new"), sheet=digest("sheet"), payout=5,
        improvement=-3, challenge_end=challenge_end, extension=bytes(32), signers=3,
    )  # fmt: skip
    return fact


def challenged(at: int = 1350, who: Address = OTHER) -> facts.ChainChallenged:
    fact: facts.ChainChallenged = log(
        facts.ChainChallenged, at, challenger=who, evidence=bytes(32), bond=10**18
    )
    return fact


def resolved(*, overturned: bool, at: int = 1380) -> facts.ChainResolved:
    fact: facts.ChainResolved = log(
        facts.ChainResolved, at, overturned=overturned, winner=OTHER, reward=10**17
    )
    return fact


def settled(at: int = 1500) -> facts.ChainRoundSettled:
    fact: facts.ChainRoundSettled = log(facts.ChainRoundSettled, at, model=digest("new"), returned=0)
    return fact


def cancelled(cause: CancelCause = CancelCause.EXPIRED, at: int = 1500) -> facts.ChainRoundCancelled:
    fact: facts.ChainRoundCancelled = log(facts.ChainRoundCancelled, at, cause=cause, returned=10**21)
    return fact


def slashed(account: Address, cause: SlashCause = SlashCause.NOT_REVEALED) -> facts.ChainBondSlashed:
    fact: facts.ChainBondSlashed = log(facts.ChainBondSlashed, account=account, amount=1, cause=cause)
    return fact


def prepared() -> facts.LocalRoundPrepared:
    return facts.LocalRoundPrepared(ROUND, (AGGREGATOR,))


def sealed() -> facts.LocalDeltaSealed:
    return facts.LocalDeltaSealed(ROUND, digest("delta"), digest("commitment"))


def result(who: Address, sheet: str = "sheet") -> facts.PeerResult:
    return facts.PeerResult(ROUND, who, digest(sheet), 5, b"signature")


def verify_phase() -> list[facts.Fact]:
    """A round of one solver, one deserter (OTHER), a drawn and unsealed shard, at the start of VERIFY."""
    return [
        *prologue(), prepared(), committed(SOLVER), committed(OTHER, 1), beacon(), unsealed(),
        revealed(SOLVER), block(REVEAL_END),
    ]  # fmt: skip


def node(
    address: Address, *roles: Role, rounds: int = 0, projects: frozenset[ProjectId] = frozenset()
) -> NodeState:
    return genesis(Identity(address, frozenset(roles), projects, rounds))


def play(state: NodeState, *told: facts.Fact) -> tuple[NodeState, list[duties.Duty]]:
    """Feeds `facts`; the state after them and every duty on the way."""
    asked: list[duties.Duty] = []
    for fact in told:
        state, due = transition(state, fact)
        asked += due
    return state, asked


def ask(state: NodeState, *told: facts.Fact) -> list[duties.Duty]:
    """Commands of the last fact alone."""
    state, _ = play(state, *told[:-1])
    return list(transition(state, told[-1])[1])
