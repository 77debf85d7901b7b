"""What do honest deltas of adapters beside a pretrained backbone do to its latents, and what stops an attack?

    python benchmarks/adapters.py SMOLLM2.gguf --steps 10

A recipe as `jepanet recipe from-backbone --lora` writes it, but for the numbers of steps and pairs, and
descriptions and names of WordNet's nouns in the backbone's own tokens. A round without chain or network,
judged at 1/N on a sealed shard; the attacks stand in the place of the last solver. Printed: gains in
milli-nats, and variance and rank of the latents over the base's; all goes to `results/adapters.json` too.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from attacks.attempt import Attacks, Attempt, Parts, drawn_out, scaled
from attacks.judging import Held, judged
from attacks.language import OWN
from attacks.shared import OTHER_SEED, SHARED

from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.judging.judge import Judgement, MergeVerdict, judge_merge, merge
from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.files import write_atomically
from jepanet.learning.backbone_file import backbones_in
from jepanet.learning.data.own_texts import Numbering, pairs_shard
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.gain import Gain
from jepanet.learning.pretrained.tokenizer import tokenizer_at
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.seeding import derive
from jepanet.learning.simulators.offer import GREY_SITE, HIDDEN_SITE
from jepanet.learning.sources.words.domains import (
    EVALUATED,
    TRAINED,
    Site,
    hidden_pool,
    own_domain,
    public_pool,
    shares,
    training_pool,
)
from jepanet.learning.sources.words.wordnet import Meaning
from jepanet.learning.training.loop import train, warm_start
from jepanet.operations.backbones import Chosen, recipe_from_backbone
from jepanet.types import Verdict

RESULTS = Path(__file__).resolve().parent / "results" / "adapters.json"
SHARED_ONES = (
    *(OTHER_SEED, "noise of the honest norm", "sign flipped", "honest x 1.9"),
    *("lazy, drawn out to the honest norm", "trained on the sealed shard"),
)
ATTACKS: Attacks = {
    **{name: SHARED[name] for name in SHARED_ONES},
    "adapters x 0": lambda now: scaled(now.base, -1.0),
    "adapters drawn out against the base": lambda now: drawn_out(scaled(now.base, -1.0), norm(now.honest)),
    **{name: OWN[name] for name in ("no match term", "match term at weight 10", "shuffled pairs")},
}
NO_PARTS = Parts(norm="", head="")


@click.command()
@click.argument("backbone", type=click.Path(exists=True, path_type=Path))
@click.option("--rank", default=8, show_default=True)
@click.option("--solvers", default=3, show_default=True)
@click.option("--warm", default=20, show_default=True, help="Steps of the start.")
@click.option("--steps", default=10, show_default=True)
@click.option("--pairs", default=16, show_default=True, help="Of a batch.")
@click.option("--evaluated", default=200, show_default=True, help="Pairs of the sealed shard.")
@click.option("--each", default=400, show_default=True, help="Pairs of a training shard.")
@click.option("--seed", default=0, show_default=True)
@click.option("--only", multiple=True, help="Attacks to try, by name.")
@click.option("--threads", default=1, show_default=True)
@click.option("--set", "fields", multiple=True, metavar="KEY=VALUE", help="Another value in the recipe.")
def main(
    backbone: Path, rank: int, solvers: int, warm: int, steps: int, pairs: int, evaluated: int, each: int,
    seed: int, only: tuple[str, ...], threads: int, fields: tuple[str, ...],
) -> None:  # fmt: skip
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        told = recipe_from_backbone(
            backbone, Path(folder), Chosen("adapters", context=24, latent=64, border=0, rank=rank)
        )
        recipe = changed(recipe_named(str(told.recipe)), "pairs", pairs)
        recipe = replace(recipe, warm_steps=warm, inner_steps=steps)
        for item in fields:
            key, _, value = item.partition("=")
            recipe = changed(recipe, key, json.loads(value))
        with backbones_in([Path(folder)]):
            texts = _Texts(backbone, recipe, Path(folder))
            _play(recipe, texts, solvers, evaluated, each, derive(bytes(32), f"adapters {seed}"), only)


class _Texts:
    """Shards of meanings in the backbone's tokens."""

    def __init__(self, backbone: Path, recipe: Recipe, folder: Path) -> None:
        sizes = recipe.family.sizes
        assert sizes.vocabulary is not None
        self._encode, self._lines = tokenizer_at(backbone), folder / "pairs.jsonl"
        self._numbering = Numbering(sizes.vocabulary, sizes.border, sizes.longest)

    def shard(self, pools: Mapping[int, Sequence[Meaning]]) -> Shard:
        """The pairs of every site, by its number; those that are too long are left out."""
        found = []
        for site, pool in pools.items():
            said = [json.dumps({"first": item.description, "second": item.name}) for item in pool]
            self._lines.write_text("\n".join(said))
            keys = ("first", "second")
            found.append(pairs_shard(self._lines, self._encode, self._numbering, keys, site=site).shard)
        arrays = {}
        for name in found[0].schema.arrays:
            rows = [item.array(name) for item in found]
            width = max(item.shape[1] for item in rows)
            padded = [np.pad(item, ((0, 0), (0, width - item.shape[1]))) for item in rows]
            arrays[name] = np.concatenate(padded)
        return Shard(found[0].schema, arrays, sum((item.site for item in found), ()))

    def of_solver(self, place: int, solvers: int, each: int) -> Shard:
        site = Site(place, own_domain(place), place, solvers)
        parts = [training_pool(site, domain)[:count] for domain, count in shares(site, each).items()]
        return self.shard({place: [item for part in parts for item in part]})

    def sealed(self, count: int) -> Shard:
        sites = [Site(HIDDEN_SITE + place, domain, 0, 4) for place, domain in enumerate(EVALUATED)]
        return self.shard({site.number: hidden_pool(site)[: -(-count // len(sites))] for site in sites})

    def public(self, each: int) -> Shard:
        return self.shard({GREY_SITE: [item for name in TRAINED for item in public_pool(name)[:each]]})


class _Table:
    """What was measured, printed as it comes."""

    def __init__(self, before: Mapping[str, float], usual: float) -> None:
        self.rows: list[dict[str, object]] = []
        self._before, self._usual = before, usual

    def keep(self, what: str, found: Judgement, length: float) -> None:
        why = found.detail if found.reason == "state-guard" else found.reason
        self._add(what, found.gain, found.stderr, found.metrics, why, norm=length / self._usual)

    def merged(self, gain: Gain, verdict: MergeVerdict) -> None:
        self._add("merged", gain.micro, gain.stderr_micro, verdict.metrics, verdict.note or "published")

    def whole(self, gain: Gain, metrics: Mapping[str, float]) -> None:
        """As in a round of one solver."""
        self._add("honest, whole", gain.micro, gain.stderr_micro, metrics, "not judged")

    def _add(
        self, what: str, gain: int, stderr: int, metrics: Mapping[str, float], why: str, **more: float
    ) -> None:
        ratios = {name: metrics[name] / self._before[name] for name in ("variance", "rank") if metrics}
        self.rows.append({"what": what, "gain": gain, "stderr": stderr, "why": why, **more, **ratios})
        shown = "".join(f"  {name} x {value:.3f}" for name, value in {**more, **ratios}.items())
        click.echo(f"{what:38} {gain / 1000:+9.2f} t {gain / max(1, stderr):+6.1f}{shown}  {why}")


def _play(
    recipe: Recipe, texts: _Texts, solvers: int, evaluated: int, each: int, secret: bytes, only: Sequence[str]
) -> None:
    trained, sealed = (
        [texts.of_solver(place, solvers, each) for place in range(solvers)],
        texts.sealed(evaluated),
    )
    click.echo(f"{sealed.episodes} sealed pairs; {recipe.parameters():,} numbers are trained")
    began = time.monotonic()
    base = warm_start(recipe, texts.public(each // 2), derive(secret, "start"))
    scorer = Held(base, recipe, sealed)
    before = scorer.metrics(base)
    click.echo(f"start: {time.monotonic() - began:.0f} s; base: {scorer.score:.3f} {scorer.unit}")
    seeds = [derive(secret, f"solver {place}") for place in range(solvers)]
    honest = [
        delta_of(train(base, shard, recipe, seed=seed).weights, base)
        for shard, seed in zip(trained, seeds, strict=True)
    ]
    click.echo(f"{solvers} solvers: {time.monotonic() - began:.0f} s")
    table = _Table(before, upper_median([norm(delta) for delta in honest]))
    arrived, findings = judged(base, honest, scorer, recipe)
    for delta, finding in zip(honest, findings, strict=True):
        table.keep("honest", finding, norm(delta))
    for delta in honest:
        whole = {name: array + delta[name] for name, array in base.items()}
        table.whole(scorer.gain(whole), scorer.metrics(whole))
    accepted = [(item.digest, arrived[item.digest]) for item in findings if item.verdict is Verdict.ACCEPTED]
    if accepted:
        merged, _ = merge(base, None, accepted, longest_milli=1000, lr_milli=700, momentum_milli=600)
        table.merged(scorer.gain(merged), judge_merge(merged, before, scorer))
    now = Attempt(base, recipe, trained[-1], sealed, derive(secret, "attack"), 0, honest[-1], NO_PARTS)
    for name, make in ATTACKS.items():
        if not only or name in only:
            delta = make(now)
            table.keep(name, judged(base, [*honest[:-1], delta], scorer, recipe)[1][-1], norm(delta))
    RESULTS.parent.mkdir(exist_ok=True)
    write_atomically(RESULTS, json.dumps({"score": scorer.score, "rows": table.rows}, indent=1).encode())


if __name__ == "__main__":
    main()
