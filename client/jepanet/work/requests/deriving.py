"""The model of a recorded round from the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jepanet.types import Digest, RoundId
from jepanet.work.requests.files import RoundFiles
from jepanet.work.requests.merging import AcceptedDelta
from jepanet.work.requests.request import Request


@dataclass(frozen=True, slots=True)
class DerivedModel:
    """A model made from the one before it."""

    digest: Digest | None
    """Of what was made: the expected one, or another, which was not kept; None if an input is unusable."""
    update: Digest | None
    """Of the coded update, where the spec has a rule for it."""
    remainder: Digest | None
    """Of the remainder that the next merge takes, where there is one. Its file was written on route A."""
    cause: str
    """Why there is no model with the expected digest, beginning with what is wrong: `base`, `spec`, `delta`,
    `update`, `remainder`, `codec`, `order` or `build`; empty when there is one."""


@dataclass(frozen=True, slots=True)
class DeriveModel(Request[DerivedModel]):
    """Make the model of a recorded round from the model before it; write it to `target` if it is `expected`.

    Route A takes the deltas that the round accepted, route B its coded update. Nothing is measured. A file
    with another digest than `expected` is not left at `target`.
    """

    job: ClassVar[str] = "derive_model"

    round: RoundFiles
    """Of the round that made the model."""
    number: RoundId
    deltas: tuple[AcceptedDelta, ...]
    """Route A; empty on route B."""
    update: AcceptedDelta | None
    """Route B: digest and file of the update."""
    remainder: Path | None
    """Route A under an update rule that carries: the file that the base's header names, if it names one."""
    expected: Digest
    target: Path
    update_target: Path | None = None
    """Route A under an update rule: where to write the update."""
    remainder_target: Path | None = None
    """Route A under an update rule that carries: where to write the new remainder."""
