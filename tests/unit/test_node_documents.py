"""What roles learn of recipes and manifests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jepanet.cid import digest_of
from jepanet.division import MAX_SEGMENTS
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.model_file import model_cap
from jepanet.learning.recipe import Guard
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.documents.spec import TOLERANT, TRACE, AuditRule, Gates, NormCaps
from learning_shards import RECIPE, SEED
from round_samples import a_spec

pytestmark = pytest.mark.unit

SHARDS = tuple(ShardEntry(site, digest_of(bytes([site])), 100 + site, 4) for site in range(3))


def manifest(episodes: int) -> bytes:
    evaluation = EvaluationEntry(1, bytes(32), episodes, (8, 9))
    return DatasetManifest("discs", {}, SEED, SHARDS, SHARDS[0], SHARDS[1], evaluation).to_bytes()


def test_a_recipe_is_told_in_what_rounds_depend_on() -> None:
    recipe = replace(RECIPE, align_above=12.0)
    told = LearningDocuments().recipe(recipe.to_bytes())
    assert (told.inner_steps, told.total_steps) == (recipe.inner_steps, recipe.total_steps)
    assert told.aligns and told.max_model_bytes == model_cap(recipe)
    assert not LearningDocuments().recipe(replace(recipe, align_above=180.0).to_bytes()).aligns


def test_gates_become_thousandths() -> None:
    gates = replace(RECIPE.gates, variance_floor=0.7004, harm_sigmas=2.5)
    told = LearningDocuments().recipe(replace(RECIPE, gates=gates).to_bytes()).gates
    assert (told.variance_floor_milli, told.harm_sigmas_milli) == (700, 2500)
    assert set(Gates.__slots__) == {f"{name}_milli" for name in gates.__slots__} - {"longest_milli"}


def test_a_recipe_does_not_shorten_what_is_no_longer_than_usual() -> None:
    with pytest.raises(Rejected, match=r"gates\.longest"):
        replace(RECIPE.gates, longest=0.5)


def test_the_longest_delta_of_a_recipe_is_in_the_spec_of_its_rounds() -> None:
    told = LearningDocuments().recipe(replace(RECIPE, gates=replace(RECIPE.gates, longest=1.25)).to_bytes())
    assert told.norms == NormCaps(longest_milli=1250)
    assert LearningDocuments().recipe(RECIPE.to_bytes()).norms == NormCaps()


def test_a_manifest_is_told_in_its_public_shards_if_it_suits_the_recipe() -> None:
    enough = RECIPE.score.minimum_episodes
    told = LearningDocuments().shards(manifest(enough), RECIPE.to_bytes(), 0)
    assert [(item.digest, item.bytes) for item in told.training] == [
        (item.digest, item.bytes) for item in SHARDS
    ]
    assert told.probe.digest == SHARDS[1].digest
    demanding = replace(RECIPE, score=replace(RECIPE.score, minimum_episodes=enough + 1))
    with pytest.raises(Rejected) as refused:
        LearningDocuments().shards(manifest(enough), demanding.to_bytes(), 0)
    assert refused.value.reason == "unsuitable-dataset"


def test_the_size_of_a_delta_is_known_before_it_is_trained() -> None:
    weights = RECIPE.family.initial_weights(SEED)
    header = DeltaHeader(digest_of(b""), RECIPE.digest())
    for codec in ("fp32", "int8", "topk3"):
        size = len(encode_delta(weights, header, codec))
        told = LearningDocuments().encoded_bytes(RECIPE.to_bytes(), codec)
        assert size <= told < 1.1 * size + 150 * len(weights)
    with pytest.raises(Rejected) as refused:
        LearningDocuments().encoded_bytes(RECIPE.to_bytes(), "zip")
    assert refused.value.reason == "bad-codec"


def test_rounds_that_nobody_could_audit_are_told_by_recipe_and_rules_alone() -> None:
    documents, recipe = LearningDocuments(), replace(RECIPE, loop=replace(RECIPE.loop, compile=True))
    rules = replace(
        a_spec(inner_steps=80, start_step=0, total_steps=80, codec="int8"), audit=AuditRule(4, trace=TRACE)
    )
    documents.check_audits(rules, RECIPE.to_bytes())
    documents.check_audits(replace(rules, audit=None), recipe.to_bytes())
    tolerant = replace(rules, audit=AuditRule(4, mode=TOLERANT, trace=TRACE))
    for spec, given, reason in (
        (rules, recipe, "not-auditable"),
        (tolerant, recipe, "not-auditable"),
        (tolerant, RECIPE, "not-calibrated"),
    ):
        with pytest.raises(Rejected) as refused:
            documents.check_audits(spec, given.to_bytes())
        assert refused.value.reason == reason
    documents.check_audits(
        replace(tolerant, audit=AuditRule(7, mode=TOLERANT, trace=TRACE)), RECIPE.to_bytes()
    )


def test_attack_a_guard_that_makes_more_segments_than_a_transcript_holds_is_refused() -> None:
    """Solvers would train to the end and could write no transcript."""
    documents = LearningDocuments()
    guarded = replace(RECIPE, guard=Guard(every=1, patience=0)).to_bytes()
    assert (
        documents.recipe(guarded).measured_every == 1
        and documents.recipe(RECIPE.to_bytes()).measured_every == 0
    )
    steps = {"start_step": 0, "codec": "int8", "audit": AuditRule(8, trace=TRACE)}
    most = a_spec(inner_steps=MAX_SEGMENTS, total_steps=MAX_SEGMENTS, **steps)
    documents.check_audits(most, guarded)
    with pytest.raises(Rejected, match=r"4,097 segments") as refused:
        documents.check_audits(replace(most, inner_steps=4097, total_steps=4097), guarded)
    assert refused.value.reason == "not-auditable" and "guard.every" in (refused.value.remedy or "")
    documents.check_audits(replace(most, inner_steps=4097, total_steps=4097), RECIPE.to_bytes())
