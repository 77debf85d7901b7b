"""Answers about rounds: what the chain says, receipts of score sheets, exported models, verifications.

Digests are CIDs; gains and errors are micro-nats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jepanet.operations.views.audits import Deterring
from jepanet.operations.views.json_form import MERGED, OPTIONAL, Wei
from jepanet.operations.views.projects import ProjectTerms
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """What the chain alone says of a round. What only a recorded result has is None before."""

    round: int
    project: int
    phase: str
    cause: str | None
    """Why it was cancelled, if it was."""
    base: str
    model: str | None
    sheet: str | None
    commits: int
    reveals: int
    budget: Wei
    fee: Wei
    """What its verifiers share."""
    bond: Wei
    """What each solver puts up."""
    payout: Wei | None
    """What solvers and coordinators get in all."""
    improvement: int | None


@dataclass(frozen=True, slots=True)
class RoundSchedule:
    """When the phases of a round end, in seconds of Unix; `now` is the chain's clock as the node has it. What
    depends on something that did not happen yet is None. `bond` is what a solver puts up; `drawn` and
    `unsealed` say how far the evaluation shard is. `bonds_until`: when what is put up comes free at the
    latest, unless the result is challenged; None while it is, and of a round that has ended.
    `recorded`: when the result was."""

    round: int
    phase: str
    proposer: Address
    bond: Wei
    now: int
    opened: int
    commit_end: int
    reveal_start: int
    reveal_end: int
    verify_end: int
    challenge_end: int | None
    ended: int | None
    drawn: bool
    unsealed: bool
    bonds_until: int | None = None
    recorded: int | None = None


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a solver committed to, 0x-hex, and the delta it revealed, None before."""

    solver: Address
    commitment: str
    delta: str | None


@dataclass(frozen=True, slots=True)
class CoordinatorScore:
    """What one coordinator signed of one delta, in micro-nats. `apart`: how far its gain lies above the gain
    that was decided, negative below it. `standing`: `holds`, `over` or `under` that by more than the round's
    tolerance, `sound` of a delta that the others found invalid, `missed` where it could not fetch the delta;
    None where the round's rules are not to be had. `audited`: it signed what it found of the training's drawn
    segments."""

    coordinator: Address
    verdict: str
    reason: str
    gain: int
    stderr: int
    apart: int
    standing: str | None
    audited: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """One solver's row of a score sheet. `how` is the sum that gives the payment, empty without a price;
    `scores`: what each coordinator whose report counts had measured."""

    solver: Address
    delta: str
    verdict: str
    reason: str
    detail: str
    gain: int
    stderr: int
    measured_on: str
    against: str
    paid: Wei
    how: str
    scores: tuple[CoordinatorScore, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiptInWords:
    """One solver's row of a score sheet in sentences. `unlocks`: when its bond comes free or came free, in
    seconds of Unix; None where that is not known, or where nothing is left of it."""

    round: int
    solver: Address
    delta: str
    paid: Wei
    measured: str
    """What was measured, on what, against what."""
    outcome: str
    """What became of the delta, and why."""
    payment: str
    """The sum that gives what was paid, or why it is nothing."""
    bond: str
    """What became of the bond that its solver had put up, and until when it is held."""
    scored: str = ""
    """What each coordinator said of it."""
    advice: str = ""
    """What its solver can do about it, empty where there is nothing to do."""
    checked: str = ""
    """Whether all this was recomputed where it is told, or why not."""
    unlocks: int | None = None


@dataclass(frozen=True, slots=True)
class FeeReceipt:
    """What a coordinator earned in a round, nothing included: `how`, or why not, empty where the round's
    rules are not to be had. `over`, `under`: how many of its scores say more or less of a delta than was
    decided, by more than the tolerance; `missed`: how many deltas it could not fetch. `reported`: whether the
    sheet has its scores; `in_time`: whether it had committed to them before any were opened, None where none
    are committed to."""

    coordinator: Address
    paid: Wei
    how: str
    over: int = 0
    under: int = 0
    missed: int = 0
    reported: bool = True
    in_time: bool | None = None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Metrics of the global model on the evaluation shard, by name."""

    before: Mapping[str, float]
    after: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SheetFigures:
    """What a score sheet says of the round as a whole. `price` is in wei a micro-nat; `scored_by`: how many
    coordinators' measurements it holds. `stderr` is that of the improvement, in micro-nats, as the sheet's
    author measured it: a note that nobody signs, None on sheets without it. `recomputed`: whether signatures,
    verdicts, medians, pay, fees and root follow from the sheet's reports, the round's rules and the chain;
    None where that cannot be recomputed here; `checked` says it in words. `episodes`: of the sealed shard,
    over which all was measured; 0: all of them, or the round's rules are not to be had."""

    published: bool
    note: str
    price: Wei | None
    scored_by: int
    heldout: HeldOut
    fees: tuple[FeeReceipt, ...]
    stderr: int | None = None
    recomputed: bool | None = None
    checked: str = ""
    episodes: int = 0


@dataclass(frozen=True, slots=True)
class SheetView:
    """A score sheet; before one is recorded there is neither a receipt nor a figure."""

    receipts: tuple[Receipt, ...] = ()
    figures: SheetFigures | None = field(default=None, metadata=MERGED)


@dataclass(frozen=True, slots=True)
class RoundDetails:
    summary: RoundSummary = field(metadata=MERGED)
    sheet: SheetView = field(metadata=MERGED)
    audits: Deterring | None = field(default=None, metadata=OPTIONAL)
    """Of a round whose solvers are drawn for audits, where its rules are to be had."""
    terms: ProjectTerms | None = field(default=None, metadata=OPTIONAL)
    """What it promises and by which rules it is played, where those are to be had."""


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """A round with the figures of its score sheet; `sheet_read` is False while there is none here to read."""

    summary: RoundSummary = field(metadata=MERGED)
    sheet_read: bool
    figures: SheetFigures | None = field(metadata=MERGED)


@dataclass(frozen=True, slots=True)
class ExplainedReceipt:
    """One solver's receipt as figures and as sentences."""

    receipt: Receipt
    words: ReceiptInWords


@dataclass(frozen=True, slots=True)
class RevealedDelta:
    """A delta that was revealed in a round; `size` in bytes where it is stored here."""

    solver: Address
    delta: str
    size: int | None


@dataclass(frozen=True, slots=True)
class ScoreDocument:
    """A coordinator's scores of all deltas of a round; `stored`: they can be read here."""

    coordinator: Address
    scores: str
    stored: bool


@dataclass(frozen=True, slots=True)
class VerifierPresence:
    """A verifier of a round: whether it is this node's `own` wallet and whether its scores have arrived.
    `peer`: which one its newest message of a round came from, `connected`: whether that is, and `heard`: when
    it came, seconds of Unix; None where none came since the node was started."""

    verifier: Address
    own: bool
    scored: bool
    peer: str | None
    connected: bool
    heard: int | None


@dataclass(frozen=True, slots=True)
class RoundVerifiers:
    """Who scores a round; `threshold` of them must sign its result, None where their set is not known."""

    round: int
    threshold: int | None
    verifiers: tuple[VerifierPresence, ...]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """What one coordinator measured of one delta, in micro-nats, as it says; its signature is not checked."""

    solver: Address
    delta: str
    verdict: str
    reason: str
    gain: int
    stderr: int
    detail: str


@dataclass(frozen=True, slots=True)
class ScoresArrived:
    """A coordinator's scores of a round have arrived at this node, or are its own."""

    round: int
    coordinator: Address


@dataclass(frozen=True, slots=True)
class Reward:
    """What a result grants this wallet in a round, as `solver` or as `coordinator`. `recorded`: when the
    chain got the result, in seconds of Unix.

    `paid` and `verdict` are None while the score sheet is not here. `claim` is how far the node is with
    claiming it: pending, done, rejected, or None before that is due. `lost`: what the verdict takes of a
    solver's bond; `published`: whether the round's merge was; None of both while that is not known.
    """

    round: int
    project: int
    part: str
    recorded: int
    verdict: str | None
    paid: Wei | None
    claim: str | None
    lost: Wei | None = None
    published: bool | None = None


@dataclass(frozen=True, slots=True)
class DayOfRewards:
    """What the results of one day (UTC, as 2026-02-28) grant a wallet together: `paid`, of which `claimed`
    was taken; of `unknown` of its rounds the score sheet is not here."""

    day: str
    rounds: int
    unknown: int
    paid: Wei
    claimed: Wei


@dataclass(frozen=True, slots=True)
class Challenged:
    """A dispute that was raised; `bond` is locked out of the stake."""

    round: int
    bond: Wei
    transaction: str


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A model that was written to `file`, of so many bytes and parameters."""

    round: int
    model: str
    file: Path
    bytes: int
    parameters: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The card that was written beside a model; it covers `rounds` rounds."""

    model: ExportedModel = field(metadata=MERGED)
    card: Path
    rounds: int


@dataclass(frozen=True, slots=True)
class Check:
    check: str
    agrees: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was recomputed of a round, and whether all of it agrees with what was recorded."""

    round: int
    agrees: bool
    checks: tuple[Check, ...]
