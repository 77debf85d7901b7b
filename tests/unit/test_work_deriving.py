"""The next model without fetching it: by deltas or by the update, through the same code as merging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging.judge import merge
from jepanet.federation.judging.similarity import norm
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import Model, ModelHeader, load_model, model_bytes
from jepanet.protocol.documents.spec import MergeRule, NormCaps, RoundSpec, UpdateRule, encode_spec
from jepanet.tensors import Arrays
from jepanet.types import Digest, RoundId
from jepanet.work import next_model as making
from jepanet.work.jobs import run
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas, MergedModel
from jepanet.work.round_files import open_round
from learning_shards import RECIPE, SEED, disc_shard, initial
from round_samples import a_spec

pytestmark = pytest.mark.unit

SITES = (3, 3, 3, 8, 8, 8)
DELTAS = 3


def noise(seed: int) -> Arrays:
    draw = np.random.default_rng(seed)
    return {
        name: np.asarray(0.01 * draw.standard_normal(array.shape), np.float32)
        for name, array in initial(SEED).items()
    }


class Node:
    """The files of one node: the model it holds, and the remainder if it merges."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.base = folder / "base"
        self.base.write_bytes(model_bytes(initial(SEED), ModelHeader.of(RECIPE, 0)))
        self.recipe = self.put("recipe", RECIPE.to_bytes())
        self.left: Path | None = None
        self.number = 0

    def put(self, name: str, data: bytes) -> Path:
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def model(self) -> Model:
        return load_model(self.base, RECIPE)

    def files(self, rule: UpdateRule | None, momentum: int = 600, **more: Any) -> RoundFiles:
        spec: RoundSpec = a_spec(
            base=digest_of(self.base.read_bytes()), recipe=RECIPE.digest(), codec="fp32", update=rule,
            merge=MergeRule("mean", 700, momentum), **more,
        )  # fmt: skip
        return RoundFiles(self.base, self.recipe, self.put("spec", encode_spec(spec)))

    def deltas(self, codec: str = "fp32", count: int = DELTAS) -> tuple[AcceptedDelta, ...]:
        header = DeltaHeader(digest_of(self.base.read_bytes()), RECIPE.digest())
        made = []
        for index in range(count):
            data = encode_delta(noise(100 * self.number + index), header, codec)
            made.append(AcceptedDelta(digest_of(data), self.put(f"delta-{index}", data)))
        return tuple(made)

    def merged(self, files: RoundFiles, deltas: Sequence[AcceptedDelta]) -> making.NextModel:
        """What whoever merges makes; nothing is measured."""
        round_ = open_round(files)
        left = round_.opened_remainder(self.left.read_bytes() if self.left else None)
        opened = [(item.digest, round_.as_it_counts(round_.delta(item.path.read_bytes()))) for item in deltas]
        return making.next_model(round_, RoundId(self.number), opened, left)

    def request(
        self, files: RoundFiles, expected: Digest, deltas: Sequence[AcceptedDelta] = (), **more: Any
    ) -> DeriveModel:
        given = {
            "update": None, "remainder": None if more.get("update") else self.left, "expected": expected,
            "target": self.folder / "made", "update_target": self.folder / "made-update",
            "remainder_target": self.folder / "made-remainder",
        }  # fmt: skip
        return DeriveModel(files, RoundId(self.number), tuple(deltas), **{**given, **more})

    def derive(self, *given: Any, **more: Any) -> DerivedModel:
        return run(self.request(*given, **more))

    def go_on(self, left: bytes | None = None) -> None:
        """The derived model is the base of the next round."""
        (self.folder / "made").replace(self.base)
        self.left = None if left is None else self.put("left", left)
        self.number += 1


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node")


@pytest.mark.parametrize("momentum", [0, 600])
@pytest.mark.parametrize("codec", CODECS)
def test_merger_and_both_routes_agree_to_the_byte_over_rounds(
    tmp_path: Path, codec: str, momentum: int
) -> None:
    merger, follower = Node(tmp_path / "merger"), Node(tmp_path / "follower")
    rule = UpdateRule(codec, 950)
    for _ in range(3):
        files, deltas = merger.files(rule, momentum), merger.deltas()
        made = merger.merged(files, deltas)
        assert made.update is not None and made.remainder is not None
        update = AcceptedDelta(digest_of(made.update), follower.put("update", made.update))
        told = merger.derive(files, made.digest, deltas[::-1])
        assert told == DerivedModel(made.digest, update.digest, digest_of(made.remainder), "")
        assert (merger.folder / "made").read_bytes() == made.data
        assert (merger.folder / "made-update").read_bytes() == made.update
        assert (merger.folder / "made-remainder").read_bytes() == made.remainder
        theirs = follower.derive(follower.files(rule, momentum), made.digest, update=update)
        assert theirs == DerivedModel(made.digest, update.digest, None, "")
        assert (follower.folder / "made").read_bytes() == made.data
        assert not (follower.folder / "made-update").exists()
        merger.go_on(made.remainder)
        follower.go_on()
    assert follower.model().header.remainder == digest_of((merger.folder / "left").read_bytes())
    assert (follower.model().velocity is None) == (momentum == 0)


def test_a_round_without_an_update_rule_makes_the_bytes_of_before(node: Node) -> None:
    files, deltas = node.files(None), node.deltas()
    base, spec = node.model(), open_round(files).spec
    opened = [(item.digest, open_round(files).delta(item.path.read_bytes())) for item in deltas]
    weights, velocity = merge(base.weights, None, opened, lr_milli=700, momentum_milli=600)
    exact = model_bytes(weights, ModelHeader.of(RECIPE, 0, spec.base), velocity)
    made = node.merged(files, deltas)
    assert (made.data, made.update, made.remainder) == (exact, None, None)
    assert node.derive(files, made.digest, deltas) == DerivedModel(made.digest, None, None, "")
    assert (node.folder / "made").read_bytes() == exact
    assert not (node.folder / "made-update").exists()


def test_drawn_out_deltas_are_merged_and_derived_at_the_reference_norm(node: Node) -> None:
    """All twice as long as the reference: the model is that of half of each, to the byte, on both ways."""
    deltas = node.deltas()
    base = node.model().weights
    opened = [(item.digest, open_round(node.files(None)).delta(item.path.read_bytes())) for item in deltas]
    sizes = [norm(delta) for _, delta in opened]
    reference = int(min(sizes) / 2 / norm(base) * 1e9)
    files = node.files(None, norms=NormCaps(to_reference_milli=1000, reference_nano=reference))
    most = norm(base) * (reference * 1000) / 1e12
    short = [
        (name, {key: np.multiply(array, np.float32(most / size)) for key, array in delta.items()})
        for (name, delta), size in zip(opened, sizes, strict=True)
    ]
    weights, velocity = merge(base, None, short, lr_milli=700, momentum_milli=600)
    made = node.merged(files, deltas)
    spec = open_round(files).spec
    assert made.data == model_bytes(weights, ModelHeader.of(RECIPE, 0, spec.base), velocity)
    assert node.derive(files, made.digest, deltas) == DerivedModel(made.digest, None, None, "")


def test_a_project_goes_over_to_coded_updates_and_back(node: Node) -> None:
    """Mid-project, with momentum: the velocity goes on, and a remainder is left behind when it ends."""
    for rule in (
        None,
        UpdateRule("int8"),
        UpdateRule("int8"),
        UpdateRule("int6", 0),
        None,
        UpdateRule("int8"),
    ):
        files, deltas = node.files(rule), node.deltas()
        before = node.model()
        made = node.merged(files, deltas)
        assert node.derive(files, made.digest, deltas).cause == ""
        node.go_on(made.remainder)
        after = node.model()
        assert after.velocity is not None
        assert (after.header.remainder is None) == (rule is None or not rule.carry_milli)
        if before.velocity is not None:
            moved = after.velocity["encoder.head.weight"] - before.velocity["encoder.head.weight"]
            assert 0 < np.abs(moved).max() < 0.1  # no jump: both are the same velocity


def test_who_merges_measures_the_same_model_and_writes_all_three_files(node: Node) -> None:
    entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
    evaluation = EvaluationEntry(1, None, len(SITES), tuple(sorted(set(SITES))))
    manifest = DatasetManifest("discs", {}, SEED, (entry,), entry, entry, evaluation)
    save_shard(node.folder / "evaluation", disc_shard(2, SITES))
    measured = EvaluationFiles(node.folder / "evaluation", node.put("manifest", manifest.to_bytes()))
    for rule in (None, UpdateRule("int8"), UpdateRule("topk10", 950), UpdateRule("int8", 0)):
        files, deltas = node.files(rule), node.deltas()
        targets = {name: node.folder / f"written-{name}" for name in ("target", "update_target")}
        targets["remainder_target"] = node.folder / "written-remainder"
        for path in targets.values():
            path.unlink(missing_ok=True)
        told: MergedModel = run(
            MergeDeltas(files, measured, deltas, RoundId(node.number), remainder=node.left, **targets)
        )
        made = node.merged(files, deltas)
        assert told.digest == made.digest and "after.pi" in dict(told.metrics)
        for digest, data, path in (
            (told.digest, made.data, targets["target"]),
            (told.update, made.update, targets["update_target"]),
            (told.remainder, made.remainder, targets["remainder_target"]),
        ):
            assert digest == (None if data is None else digest_of(data))
            assert (path.read_bytes() if path.exists() else None) == data
        assert node.derive(files, made.digest, deltas).cause == ""
        node.go_on(made.remainder)
    files = node.files(UpdateRule("int8"))
    node.left = None
    assert node.model().header.remainder is None
    assert run(MergeDeltas(files, measured, node.deltas(), RoundId(9), node.folder / "t")).update is not None


# ------------------------------------------------------------------ what can be wrong


@pytest.fixture
def recorded(node: Node) -> Any:
    """A second round under an update rule that carries: files, deltas, and what was recorded."""
    rule = UpdateRule("int8", 950)
    made = node.merged(node.files(rule), node.deltas())
    assert node.derive(node.files(rule), made.digest, node.deltas()).cause == ""
    node.go_on(made.remainder)
    for name in ("made-update", "made-remainder"):
        (node.folder / name).unlink()
    files, deltas = node.files(rule), node.deltas()
    return node, files, deltas, node.merged(files, deltas)


def fails(node: Node, *given: Any, **more: Any) -> DerivedModel:
    told = node.derive(*given, **more)
    assert not (node.folder / "made").exists() and not (node.folder / "made-update").exists()
    assert not (node.folder / "made-remainder").exists()
    assert told.update is told.remainder is None
    return told


def test_a_base_that_is_another_one_is_named(recorded: Any) -> None:
    node, files, deltas, made = recorded
    other = node.put("other", model_bytes(initial(SEED), ModelHeader.of(RECIPE, 4)))
    for path in (other, node.put("junk", b"junk"), node.folder / "nowhere"):
        told = fails(node, replace(files, base=path), made.digest, deltas)
        assert told.digest is None and told.cause.startswith("base: ")


def test_a_delta_that_is_another_one_is_named(recorded: Any) -> None:
    node, files, deltas, made = recorded
    first, *rest = deltas
    other = encode_delta(noise(1), DeltaHeader(digest_of(b"x"), RECIPE.digest()), "fp32")
    for path in (rest[0].path, node.put("junk", b"junk"), node.folder / "nowhere"):
        told = fails(node, files, made.digest, (replace(first, path=path), *rest))
        assert told.digest is None and told.cause.startswith(f"delta: delta {first.digest.hex()}")
    foreign = AcceptedDelta(digest_of(other), node.put("other", other))
    told = fails(node, files, made.digest, (foreign, *rest))
    assert told.cause.startswith(f"delta: delta {foreign.digest.hex()}") and "base" in told.cause
    for wrong in ((), (first, first)):
        assert fails(node, files, made.digest, wrong).cause.startswith("delta: ")


def test_a_delta_or_update_in_another_codec_is_named(recorded: Any) -> None:
    node, files, _, made = recorded
    told = fails(node, files, made.digest, node.deltas("int8"))
    assert told.cause.startswith("codec: delta ")
    node.deltas()
    rule = replace(open_round(files).spec, update=UpdateRule("int6", 950))
    update = AcceptedDelta(digest_of(made.update), node.put("update", made.update))
    other = replace(files, spec=node.put("other-spec", encode_spec(rule)))
    assert fails(node, other, made.digest, update=update).cause.startswith("codec: update")


def test_an_update_that_is_another_one_is_named(recorded: Any) -> None:
    node, files, _, made = recorded
    path = node.put("update", made.update)
    for name, file in (
        (digest_of(b"other"), path),
        (digest_of(b"junk"), node.put("junk", b"junk")),
        (digest_of(made.update), node.folder / "nowhere"),
    ):
        told = fails(node, files, made.digest, update=AcceptedDelta(name, file))
        assert told.digest is None and told.cause.startswith("update: ")
    plain = replace(files, spec=node.put("plain", encode_spec(replace(open_round(files).spec, update=None))))
    told = fails(node, plain, made.digest, update=AcceptedDelta(digest_of(made.update), path))
    assert told.cause == "update: the round's spec has no update rule"


def test_a_remainder_that_is_missing_or_another_one_is_named(recorded: Any) -> None:
    node, files, deltas, made = recorded
    for path in (None, node.put("junk", b"junk"), node.folder / "nowhere"):
        told = fails(node, files, made.digest, deltas, remainder=path)
        assert told.digest is None and told.cause.startswith("remainder: ")


def test_a_remainder_is_no_part_of_following_an_update(recorded: Any) -> None:
    node, files, _, made = recorded
    update = AcceptedDelta(digest_of(made.update), node.put("update", made.update))
    node.left.unlink()
    assert node.derive(files, made.digest, update=update).cause == ""


def with_other_rule(node: Node, files: RoundFiles, deltas: Any, change: Any) -> Digest:
    """The digest that a merger records that makes one mistake."""
    round_ = open_round(files)
    opened = [(item.digest, round_.delta(item.path.read_bytes())) for item in deltas]
    left = round_.opened_remainder(node.left.read_bytes() if node.left else None)
    return change(round_, opened, left)


def test_a_record_made_in_another_order_is_told(recorded: Any) -> None:
    node, files, deltas, made = recorded

    def backwards(round_: Any, opened: Any, left: Any) -> Digest:
        ordered = sorted(opened, key=lambda item: item[0], reverse=True)
        named = [(Digest(bytes([place]) * 32), delta) for place, (_, delta) in enumerate(ordered)]
        return making.next_model(round_, RoundId(node.number), named, left).digest

    expected = with_other_rule(node, files, deltas, backwards)
    assert expected != made.digest
    told = fails(node, files, expected, deltas)
    assert told.digest == made.digest and told.cause.startswith("order: ")


def test_a_record_made_by_another_codec_or_without_the_remainder_is_told(recorded: Any) -> None:
    node, files, deltas, made = recorded

    def coded(round_: Any, opened: Any, left: Any) -> Digest:
        spec = replace(round_.spec, update=UpdateRule("int6", 950))
        other = replace(round_, spec=spec)
        return making.next_model(other, RoundId(node.number), opened, left).digest

    def forgetful(round_: Any, opened: Any, left: Any) -> Digest:
        return making.next_model(round_, RoundId(node.number), opened, None).digest

    told = fails(node, files, with_other_rule(node, files, deltas, coded), deltas)
    assert told.digest == made.digest and told.cause.startswith("codec: the record codes the update as int6")
    told = fails(node, files, with_other_rule(node, files, deltas, forgetful), deltas)
    assert told.cause.startswith("remainder: the record was made without")


def test_where_every_input_is_right_the_build_or_the_record_is_wrong(recorded: Any) -> None:
    node, files, deltas, made = recorded
    update = AcceptedDelta(digest_of(made.update), node.put("update", made.update))
    for way in ({"deltas": deltas}, {"update": update}):
        told = fails(node, files, digest_of(b"false"), **way)
        assert told.digest == made.digest and told.cause.startswith("build: ")


def test_an_older_file_at_the_target_is_never_taken_for_the_derived_model(recorded: Any) -> None:
    node, files, deltas, _ = recorded
    node.put("made", b"of before")
    fails(node, files, digest_of(b"false"), deltas)


def test_a_merge_without_the_base_s_remainder_is_refused(recorded: Any) -> None:
    node, files, deltas, _ = recorded
    measured = EvaluationFiles(node.folder / "none", node.folder / "none")
    request = MergeDeltas(files, measured, deltas, RoundId(node.number), node.folder / "t")
    for remainder, reason in ((None, "no-remainder"), (node.put("junk", b"junk"), "hash-mismatch")):
        with pytest.raises(Rejected) as caught:
            run(replace(request, remainder=remainder))
        assert caught.value.reason == reason
    assert not (node.folder / "t").exists()
