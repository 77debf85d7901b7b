"""Thresholds that honest machines may find on either side: what is in doubt, and what nobody doubts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.evaluation import agreement
from jepanet.learning.evaluation.doubt import SURE, Doubt, first_doubt, held
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.metrics import encode
from jepanet.learning.training.loop import warm_start
from learning_shards import RECIPE, SEED, disc_shard

pytestmark = pytest.mark.unit

WEAK = Rejected("it knows too little", reason="weak-base")
SHARD = disc_shard(2, (3,) * 30 + (8,) * 30)
BASE = warm_start(RECIPE, disc_shard(1, (0,) * 12), SEED, steps=240)


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        (1.2, None),
        (1.05, Doubt("weak-base: it knows too little", refused=False)),
        (1.0, Doubt("weak-base: it knows too little", refused=True)),
        (0.95, Doubt("weak-base: it knows too little", refused=True)),
    ],
)
def test_what_lies_close_to_a_threshold_is_in_doubt(found: float, doubt: Doubt | None) -> None:
    assert held(found, 1.0, 0.1, WEAK) == doubt


@pytest.mark.parametrize("found", [0.9, 0.5, -1.0, float("nan")])
def test_what_no_machine_finds_above_a_threshold_is_refused(found: float) -> None:
    with pytest.raises(Rejected, match="too little"):
        held(found, 1.0, 0.1, WEAK)


def test_a_refusal_decides_before_what_passed() -> None:
    passed, refused = Doubt("a", refused=False), Doubt("b", refused=True)
    assert first_doubt(None, passed, refused) == refused
    assert first_doubt(None, passed) == passed
    assert first_doubt(None) is None


@pytest.mark.parametrize("share", [-0.5, 0.5])
def test_a_base_hardly_above_or_below_what_is_asked_is_scored_and_in_doubt(share: float) -> None:
    knows = GroundedScorer(BASE, RECIPE, SHARD).score
    asked = replace(RECIPE, score=replace(RECIPE.score, least=knows + share * SURE))
    scorer = GroundedScorer(BASE, asked, SHARD)
    assert scorer.doubt is not None and scorer.doubt.refused == (share > 0)
    assert scorer.known == scorer.score == knows
    assert scorer.gain(BASE).mean == 0


def test_a_base_clearly_above_what_is_asked_is_in_no_doubt() -> None:
    asked = replace(RECIPE, score=replace(RECIPE.score, least=0.01))
    assert GroundedScorer(BASE, asked, SHARD).score > 0.02
    assert GroundedScorer(BASE, asked, SHARD).doubt is None
    assert GroundedScorer(BASE, RECIPE, SHARD).doubt is None


def test_attack_a_device_that_tells_texts_apart_otherwise_is_not_taken_for_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is told of pairs is a part of a score, so it is compared with all else."""

    def elsewhere(*given: Any, device: str = "cpu") -> Any:
        told = np.full(2, 1.0 if device == "cpu" else 1.5)
        return replace(encode(*given), nats=np.ones(2), tokens=np.ones(2), told=told)

    monkeypatch.setattr(agreement, "encode", elsewhere)
    assert agreement.apart(BASE, RECIPE, SHARD, "other") == pytest.approx(0.5)
