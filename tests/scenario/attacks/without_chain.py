"""A round of real learning in which anything may arrive, judged, merged and paid by the jobs that nodes run,
without a chain: what a sheet of one coordinator says of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging.similarity import upper_median
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import shard_bytes
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.documents.scores import ScoreReport, SignedScore
from jepanet.protocol.documents.spec import MergeRule, RoundSpec, encode_spec
from jepanet.protocol.settling.sheet import ScoreSheet, derive_sheet
from jepanet.protocol.settling.tally import RevealedDelta
from jepanet.settings.config import ProposerSection
from jepanet.tensors import Arrays
from jepanet.types import Digest, ProjectId, Verdict
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims
from jepanet.work.worker import Worker
from round_samples import account, some_facts

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from attacks.recorded import Recorded

CODEC = "fp32"


@dataclass(frozen=True)
class Bench:
    """The files of one round, and the process that works on them."""

    folder: Path
    worker: Worker
    round: Recorded
    recipe: Recipe
    spec: RoundSpec

    @classmethod
    def of(
        cls,
        folder: Path,
        worker: Worker,
        round_: Recorded,
        recipe: Recipe,
        rules: ProposerSection,
        *,
        usual: int = 0,
    ) -> Bench:
        """With the rules of pay and merging that a proposer's section says. `usual`: what the round before
        says that a delta is worth, in micro-nats, where that follows."""
        folder.mkdir(parents=True, exist_ok=True)
        model = model_bytes(round_.base, ModelHeader.of(recipe, round_.number), round_.velocity)
        terms = LearningDocuments().recipe(recipe.to_bytes())
        held = rules.to_reference_milli and round_.last_norms
        reference = int(1e9 * upper_median(round_.last_norms)) if held else 0
        spec = RoundSpec(
            project=ProjectId(1),
            base=digest_of(model),
            recipe=recipe.digest(),
            dataset=digest_of(b"dataset"),
            inner_steps=recipe.inner_steps,
            start_step=round_.number * recipe.inner_steps,
            total_steps=max(recipe.total_steps, (round_.number + 1) * recipe.inner_steps),
            codec=CODEC,
            max_delta_bytes=1 << 26,
            price=10**9,
            gates=terms.gates,
            norms=replace(terms.norms, to_reference_milli=rules.to_reference_milli, reference_nano=reference),
            merge=MergeRule(drop_sigmas_milli=rules.drop_sigmas_milli),
            aggregators=(account("aggregator"),),
            pay_as_merged=rules.pay_as_merged,
            pay_to_median_milli=rules.pay_to_median_milli,
            usual_follows=rules.usual_follows,
            usual_worth=usual,
            variance_price_milli=rules.variance_price_milli if terms.grounded else 0,
        )
        entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
        sites = tuple(sorted({int(site) for site in round_.sealed.site}))
        evaluation = EvaluationEntry(1, None, round_.sealed.episodes, sites)
        manifest = DatasetManifest("attacked", {}, bytes(32), (entry,), entry, entry, evaluation)
        files = {
            "base": model, "recipe": recipe.to_bytes(), "spec": encode_spec(spec),
            "evaluation": shard_bytes(round_.sealed), "manifest": manifest.to_bytes(),
        }  # fmt: skip
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return cls(folder, worker, round_, recipe, spec)

    async def play(self, deltas: Sequence[Arrays | None]) -> ScoreSheet:
        """`deltas` in order of commitment; None for one that nobody serves."""
        round_ = RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec")
        evaluation = EvaluationFiles(self.folder / "evaluation", self.folder / "manifest", bytes(32))
        header = DeltaHeader(self.spec.base, self.spec.recipe)
        claims = []
        for place, delta in enumerate(deltas):
            data = os.urandom(32) if delta is None else encode_delta(delta, header, CODEC)
            path = None if delta is None else self.folder / f"delta {place}"
            if path is not None:
                path.write_bytes(data)
            claims.append(ClaimedDelta(account("solver", place), place, digest_of(data), path))
        scored = await self.worker.run(ScoreClaims(round_, evaluation, tuple(claims)))
        facts = some_facts(len(deltas), 1, budget=10**24)
        reveals = tuple(RevealedDelta(item.solver, item.digest, item.index) for item in claims)
        facts = replace(facts, base=self.spec.base, reveals=reveals)
        scores = [
            SignedScore(item.solver, item.digest, item.verdict, item.reason, item.gain, item.stderr,
                        bytes(65), detail=item.detail, metrics=item.metrics, among=item.among)
            for item in sorted(scored.judgements, key=lambda item: item.solver.lower())
        ]  # fmt: skip
        report = ScoreReport(facts.round_id, facts.members[0], tuple(scores))
        paths = {item.digest: item.path for item in claims if item.path is not None}
        accepted = sorted({item.digest for item in scored.judgements if item.verdict is Verdict.ACCEPTED})
        if not accepted:
            return derive_sheet(facts, self.spec, [report], model=self.spec.base, improvement=0, note="none")
        merged = await self.worker.run(
            MergeDeltas(
                round_, evaluation, tuple(AcceptedDelta(Digest(item), paths[item]) for item in accepted),
                facts.round_id, self.folder / "merged",
            )
        )  # fmt: skip
        return derive_sheet(
            facts,
            self.spec,
            [report],
            model=merged.digest if merged.published else self.spec.base,
            improvement=merged.improvement if merged.published else min(0, merged.improvement),
            note="" if merged.published else merged.note,
            metrics=merged.metrics,
            dropped=merged.dropped if merged.published else (),
            norms=dict(merged.norms),
        )
