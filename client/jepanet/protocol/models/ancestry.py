"""Which recorded rounds lead to a model, as far back as the state remembers."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.errors import Rejected
from jepanet.protocol.state import NodeState, Recorded, Round, Status
from jepanet.types import Digest, ProjectId


@dataclass(frozen=True, slots=True)
class Step:
    """A round that made a new model of its base."""

    round: Round
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class Ancestry:
    """The rounds that lead to a model, newest first: each made the base of the one before it."""

    steps: tuple[Step, ...]
    rooted: bool
    """Whether the oldest base is the first model of the project; else older rounds were forgotten."""


def ancestry(state: NodeState, project_id: ProjectId, model: Digest) -> Ancestry:
    """How the confirmed rounds of a project lead to `model`; no steps where none recorded it.

    A cancelled round counts for nothing, and one whose merge was withheld made no model. Where verifiers
    recorded one model twice, the newer record counts; every step is older than the one before it, so that
    records which contradict each other lead round in no circle.
    """
    project = state.projects.get(project_id)
    rounds = [item for _, item in sorted(state.rounds.items()) if item.project_id == project_id]
    steps: list[Step] = []
    wanted = model
    for round_ in reversed(rounds):
        recorded = round_.recorded
        if recorded is None or round_.status is Status.CANCELLED or recorded.model == round_.base:
            continue
        if recorded.model == wanted:
            steps.append(Step(round_, recorded))
            wanted = round_.base
    return Ancestry(tuple(steps), project is not None and len(rounds) == project.rounds)


def maker_of(state: NodeState, project_id: ProjectId, base: Digest) -> Step | None:
    """The round that made a base; None for a project's first model.

    Raises:
        Rejected: reason `forgotten`; it is older than what the state remembers.
    """
    found = ancestry(state, project_id, base)
    if found.steps:
        return found.steps[0]
    if not found.rooted:
        raise Rejected(
            f"the round that made {base.hex()[:16]} ended too long ago to be known", reason="forgotten"
        )
    return None
