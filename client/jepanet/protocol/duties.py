"""Duties: what the state machine asks this node to do. When each is due, `due` says.

A duty has a stable key: it is offered again after a crash and never stored twice. Handlers (room `roles`)
first ask "already done?".
"""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.types import Address, Digest, ProjectId, RoundId


@dataclass(frozen=True, slots=True)
class OpenRound:
    """Proposer: publish the spec of the project's next round and open it with escrow."""

    project_id: ProjectId
    number: int
    """1 for the project's first round."""


@dataclass(frozen=True, slots=True)
class AnnounceRound:
    """Proposer: say where the round's spec, data and base model can be had; strangers dial that address."""

    round_id: RoundId
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class PrepareRound:
    """Fetch and check spec, recipe, dataset manifest, base model and, for a solver, its training shard."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class TrainShard:
    """Solver: train from the base model on the assigned shard, seal delta and salt on disk."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class SendCommit:
    round_id: RoundId


@dataclass(frozen=True, slots=True)
class CloseCommits:
    """Fix the block whose randomness will select the evaluation shard; open to anyone after COMMIT, paid."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class DrawBeacon:
    """Show the fixed block's header, which selects the evaluation shard; open to anyone, paid."""

    round_id: RoundId
    block_number: int
    """The block that was fixed. Another one may replace it: then this is another duty."""


@dataclass(frozen=True, slots=True)
class UnsealShard:
    """Proposer: make the selected evaluation shard public and prove that it was fixed at creation."""

    round_id: RoundId
    index: int


@dataclass(frozen=True, slots=True)
class SendReveal:
    """Solver: only after the block that ended COMMIT is confirmed."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class PublishDelta:
    """Solver: the reveal is confirmed, so the blob may be served and announced."""

    round_id: RoundId
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class ScoreDeltas:
    """Coordinator and aggregator: fetch, check and measure every revealed delta on the unsealed shard."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class OpenScores:
    """Coordinator: every other one has committed, or commitments are over: open the scores, and say whose
    commitments were heard before."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class PublishScores:
    """Coordinator: gossip the scores, or, where they are committed to and not open yet, the commitment."""

    round_id: RoundId
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class BuildSheet:
    """Aggregator: medians, merge, score of the merged model, score sheet."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class PublishSheet:
    round_id: RoundId
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class CheckSheet:
    """Coordinator: derive the sheet again, repeat the merge, measure the merged model."""

    round_id: RoundId
    sheet: Digest


@dataclass(frozen=True, slots=True)
class SignSheet:
    """Coordinator: sign the result of a sheet that it checked."""

    round_id: RoundId
    sheet: Digest
    after: Address
    """Who was heard to have signed it, or this node itself, whose turn has come."""


@dataclass(frozen=True, slots=True)
class PublishResult:
    round_id: RoundId
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class SendRecord:
    """Submit `recordTraining` with the collected signatures."""

    round_id: RoundId
    sheet: Digest


@dataclass(frozen=True, slots=True)
class KeepRound:
    """Proposer: hold and serve what a recorded round consists of, so that anyone can recompute it."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class SendSettle:
    round_id: RoundId


@dataclass(frozen=True, slots=True)
class SendCancel:
    round_id: RoundId


@dataclass(frozen=True, slots=True)
class SlashNonReveal:
    round_id: RoundId
    solver: Address


@dataclass(frozen=True, slots=True)
class SlashInvalid:
    """Proposer: show every row of the settled sheet that costs its solver the bond, or a part of it."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class SlashEquivocation:
    """Report a verifier that seems to have signed two results; the handler sees whether it did."""

    round_id: RoundId
    verifier: Address
    sheet: Digest
    improvement: int
    """Sheet and improvement of the other result; the first one is in `OffChain.results`."""


@dataclass(frozen=True, slots=True)
class SendClaim:
    """Claim this account's leaf: a solver's pay and bond, a coordinator's fee."""

    round_id: RoundId


@dataclass(frozen=True, slots=True)
class ReleaseBond:
    """Solver: take the bond back from a cancelled round, or from a settled one that owes nothing else.

    After it nothing of the round can be claimed any more.
    """

    round_id: RoundId


Duty = (
    OpenRound
    | AnnounceRound
    | PrepareRound
    | TrainShard
    | SendCommit
    | CloseCommits
    | DrawBeacon
    | UnsealShard
    | SendReveal
    | PublishDelta
    | ScoreDeltas
    | OpenScores
    | PublishScores
    | BuildSheet
    | PublishSheet
    | CheckSheet
    | SignSheet
    | PublishResult
    | SendRecord
    | KeepRound
    | SendSettle
    | SendCancel
    | SlashNonReveal
    | SlashInvalid
    | SlashEquivocation
    | SendClaim
    | ReleaseBond
)


def duty_key(duty: Duty) -> str:
    """The identity of a duty: its name and every field, for example `CheckSheet/7/9f3c…`."""
    parts = [type(duty).__name__]
    for name in duty.__dataclass_fields__:
        value = getattr(duty, name)
        parts.append(value.hex() if isinstance(value, bytes) else str(value))
    return "/".join(parts)


def duty_round(duty: Duty) -> RoundId | None:
    """The round a duty belongs to; None for a duty of a project."""
    return None if isinstance(duty, OpenRound) else duty.round_id
