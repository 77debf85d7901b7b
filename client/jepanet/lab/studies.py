"""Tables of one question each: what one change does, what attackers do to a rule, what a codec costs.

Every study varies one arm in one respect at a time and holds each variant against that arm, seed by seed;
those of schedules end with the laboratory's rate and round length besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jepanet.lab import setting as places
from jepanet.lab.arms import ARMS, BEST, Arm, Attack
from jepanet.lab.compare import Comparison, run
from jepanet.lab.defaults import SIMULATOR
from jepanet.lab.keeping import save_report
from jepanet.lab.measure import Figures
from jepanet.lab.reporting.report import Progress, notes
from jepanet.lab.reporting.targets import by_arm, empty_row, titled, value_of
from jepanet.lab.setting import Setting
from jepanet.learning.presets import preset

COLUMNS = ("variant", "nmse unseen", "÷ base", "nmse own", "÷ base", "rank", "skill", "bytes a delta")
CODEC_COLUMNS = ("variant", "nmse unseen", "÷ base", "÷ uncoded", "nmse own", "÷ base", "÷ uncoded", "rank",
                 "skill", "bytes a delta")  # fmt: skip
ROUND_COLUMNS = ("variant", "rounds that gain", "least gain", "gain, start to end", "nmse unseen", "nmse own",
                 "rank")  # fmt: skip
_BASE = replace(ARMS[BEST], name="base")


@dataclass(frozen=True, slots=True)
class Study:
    """One table. `inner_steps` None: the recipe's."""

    question: str
    variants: tuple[Arm, ...]
    """The first is what the others are held against."""
    recipe: str
    rounds: int
    seeds: tuple[int, ...]
    solvers: int = 4
    sites: str = "tune"
    training: int = 64
    unseen: int = 60
    inner_steps: int | None = None
    environment: str = SIMULATOR
    by_round: bool = False
    """Whether rounds are a network's and the table is about each of them: `round_rows` instead of `rows`."""
    decimals: int = 2
    """Of ratios to the base."""
    by_step: bool = False
    """Whether variants have several outer steps, and each is also held against the uncoded one of its own."""

    @property
    def columns(self) -> tuple[str, ...]:
        if self.by_round:
            return ROUND_COLUMNS
        return CODEC_COLUMNS if self.by_step else COLUMNS

    def uncoded(self) -> dict[str, str]:
        """variant -> the variant that does the same without a codec, where there is one."""
        plain = {replace(arm, name=""): arm.name for arm in reversed(self.variants) if arm.codec == "fp32"}
        like = {arm.name: replace(arm, name="", codec="fp32", feedback=1.0) for arm in self.variants}
        return {name: plain[arm] for name, arm in like.items() if arm in plain}


def _with(name: str, **fields: Any) -> Arm:
    return replace(_BASE, name=name, **fields)


def _recipe_change(name: str, field: str, value: object) -> Arm:
    return replace(_BASE, name=name, changes=((field, value),))


_ABLATION = (
    _BASE,
    _with("start, nobody trains", scheme="start"),
    _with("outer lr 0.7", outer_lr=0.7),
    _with("momentum 0", outer_momentum=0.0),
    _with("momentum 0.8", outer_momentum=0.8),
    _with("no alignment", align=False),
    _with("frame anchor 0.1", anchor=0.1),
    _with("mean of last three", tail=3),
    _with("twice the rounds", split=2),
    _with("random starts", own_start=True),
    _recipe_change("lr 0.001", "optimiser.learning_rate", 1e-3),
    _recipe_change("lr 0.002", "optimiser.learning_rate", 2e-3),
    _recipe_change("lr 0.006", "optimiser.learning_rate", 6e-3),
    _recipe_change("regulariser x 1/3", "objective.weight", 0.01),
    _recipe_change("regulariser x 3", "objective.weight", 0.09),
    _recipe_change("no moment guard", "objective.guard", 0.0),
    _recipe_change("no colour transform", "colour", False),
    _recipe_change("channel orders, not hues", "hues", False),
    _recipe_change("no reflections", "symmetry", False),
    _recipe_change("warm start 300", "warm_steps", 300),
    _recipe_change("no warm start", "warm_steps", 0),
)
_RULES = ("mean", "trimmed", "median", "geometric-median", "krum", "multi-krum", "ties")
_ATTACKS: tuple[tuple[str, int, Attack], ...] = (
    ("nobody attacks", 0, "noise"),
    ("1 of 8 noise", 1, "noise"),
    ("2 of 8 noise", 2, "noise"),
    ("1 of 8 reversed", 1, "reversed"),
    ("2 of 8 reversed", 2, "reversed"),
)
_ROBUST = tuple(
    replace(_BASE, name=f"{rule}, {said}", rule=rule, attackers=attackers, attack=attack)
    for said, attackers, attack in _ATTACKS
    for rule in _RULES
) + tuple(
    replace(_BASE, name=f"mean, {8 - missing} honest alone", attackers=missing, attack="absent")
    for missing in (1, 2)
)
_FADING = 0.95
"""Share of what was left out that goes into the next delta, as in SparseLoCo (arXiv:2508.15706)."""
_WITHOUT_MOMENTUM = replace(_BASE, outer_lr=1.5, outer_momentum=0.0)
_CODECS = (
    *(replace(_BASE, name=codec, codec=codec) for codec in ("fp32", "int8", "int6", "topk10", "topk3")),
    *(
        replace(_BASE, name=codec, codec=codec, feedback=_FADING)
        for codec in ("rank50", "rank100", "rank200")
    ),
    replace(_WITHOUT_MOMENTUM, name="fp32, no momentum"),
    *(
        replace(_WITHOUT_MOMENTUM, name=f"{codec}, no momentum", codec=codec, feedback=_FADING)
        for codec in ("topk3", "rank100")
    ),
)


_CODED = replace(_BASE, codec="int8")
_UPDATES = (
    replace(_CODED, name="uncoded"),
    *(
        replace(
            _CODED, name=codec if carry == 1 else f"{codec}, carry {carry:g}", update_codec=codec,
            update_carry=carry,
        )
        for codec in ("int8", "int6", "topk10", "topk3")
        for carry in (1.0, 0.95)
    ),
)  # fmt: skip


def _schedules(rates: Sequence[float], warm_steps: int) -> tuple[Arm, ...]:
    """A network's schedule, other rates and another start for it, the laboratory's rate and round length."""
    return (
        _with("the recipe's"),
        *(_recipe_change(f"rate {rate:g}", "optimiser.learning_rate", rate) for rate in rates),
        _recipe_change("no cool-down", "optimiser.cooldown", 0.0),
        _with("40 steps, four times the rounds", split=4),
        _recipe_change(f"warm start {warm_steps:,}", "warm_steps", warm_steps),
        _with(
            "rate 0.004, no cool-down, 40 steps",
            split=4,
            changes=(("optimiser.learning_rate", 4e-3), ("optimiser.cooldown", 0.0)),
        ),
    )


STUDIES: Mapping[str, Study] = {
    "ablation": Study("What does each choice do, alone?", _ABLATION, "tworoom-anneal", 8, (10, 11, 12)),
    "robust": Study(
        "What do attackers do to each merge rule?", _ROBUST, "tworoom-small", 4, (10, 11),
        solvers=8, training=32, unseen=30, inner_steps=40,
    ),
    "codecs": Study(
        "What does a codec cost, in error and in bytes?", _CODECS, "tworoom-small", 16, (10, 11, 12),
        training=32, unseen=30, inner_steps=40, by_step=True,
    ),
    "updates": Study(
        "What does it cost to code the update from one model to the next?", _UPDATES, "tworoom-small", 20,
        (10, 11, 12), training=32, unseen=30, inner_steps=40, decimals=3,
    ),
    "schedule": Study(
        "Which schedule gains in every round, as a network needs it to?", _schedules((5e-4, 2e-3), 300),
        "tworoom", 4, (10, 11), by_round=True,
    ),
    "schedule-pusht": Study(
        "Which schedule gains in every round of PushT?", _schedules((2e-4, 1e-3), 1200), "pusht", 4, (10, 11),
        environment="pusht", by_round=True,
    ),
}  # fmt: skip


def conduct(
    name: str, out: Path, progress: Progress, *, seeds: tuple[int, ...] = (), workers: int = 2
) -> dict[str, object]:
    """Runs what is missing of a study below `out`; its table, also written as `study-NAME.json`.

    Raises:
        Fatal: the simulator is missing, or a file cannot be written.
    """
    study = STUDIES[name]
    recipe = preset(study.recipe)
    if study.inner_steps is not None:
        recipe = replace(recipe, inner_steps=study.inner_steps)
    public_sites, public = places.public_sizes(recipe)
    setting = Setting(
        study.environment, study.sites, solvers=study.solvers, training=study.training,
        own=study.training // 4, unseen=study.unseen, image=recipe.family.sizes.image,
        public_sites=public_sites, public=public,
    )  # fmt: skip
    data = out / f"study-{name}-sites"
    places.build(data, setting, workers, partial(progress, "recording episodes"))
    comparison = Comparison(
        recipe, study.variants, seeds or study.seeds, study.rounds, setting, as_network=study.by_round
    )
    figures = run(comparison, data, out, workers, partial(progress, "training"))
    result = {
        "study": name,
        "question": study.question,
        "recipe": recipe.name,
        "inner_steps": recipe.inner_steps,
        "rounds": study.rounds,
        "seeds": list(comparison.seeds),
        "columns": list(study.columns),
        "rows": study_rows(study, figures),
        "notes": notes(figures),
        "runs": list(figures),
    }
    save_report(out / f"study-{name}.json", result)
    return result


def study_rows(study: Study, figures: Sequence[Figures]) -> list[list[str]]:
    """The table of a study under its `columns`."""
    if study.by_round:
        return round_rows(figures)
    return rows(figures, study.variants[0].name, study.decimals, study.uncoded() if study.by_step else None)


def rows(
    figures: Sequence[Figures],
    base: str,
    decimals: int = 2,
    uncoded: Mapping[str, str] | None = None,
) -> list[list[str]]:
    """One row a variant: means over seeds, and the ratio to the base with its spread over seeds; with
    `uncoded` also the ratio to the variant that it names.

    Runs without a model are in no mean.
    """
    runs = by_arm(figures)
    table = []
    for name, found in titled(figures):
        if not found:
            table.append(empty_row(name, COLUMNS if uncoded is None else CODEC_COLUMNS))
            continue
        row = [name]
        arm = next(iter(found.values()))["arm"]
        controls = [base] if uncoded is None else [base, uncoded.get(arm, "")]
        for where in ("unseen", "own"):
            values = {seed: value_of(run, where, "nmse") for seed, run in found.items()}
            row.append(f"{np.mean(list(values.values())):.4f}")
            for control in controls:
                against = runs.get(control, {})
                ratios = [
                    value / value_of(against[seed], where, "nmse")
                    for seed, value in values.items()
                    if seed in against
                ]
                row.append(spread(ratios, decimals) if ratios else "-")
        for metric, digits in (("rank", 1), ("skill", 2)):
            row.append(f"{np.mean([value_of(run, 'unseen', metric) for run in found.values()]):.{digits}f}")
        sent = [run["sent"] for run in found.values() if run["sent"] is not None]
        row.append(f"{np.mean(sent):,.0f}" if sent else "-")
        table.append(row)
    return table


def round_rows(figures: Sequence[Figures]) -> list[list[str]]:
    """One row a variant: what its rounds gained on unseen sites, in nats per direction, as a network scores
    them: how many did, the least of any round and seed, and from the variant's own start to its end; then the
    errors it ends with. Means over seeds but for the least."""
    table = []
    for name, found in titled(figures):
        if not found:
            table.append(empty_row(name, ROUND_COLUMNS))
            continue
        runs = found.values()
        gains = np.array([[item["gain"] for item in run["history"]] for run in runs])
        in_all = np.mean([run["history"][-1]["gain_since_start"] for run in runs])
        errors = [np.mean([value_of(run, where, "nmse") for run in runs]) for where in ("unseen", "own")]
        rank = np.mean([value_of(run, "unseen", "rank") for run in runs])
        table.append(
            [
                name,
                f"{np.mean((gains > 0).sum(axis=1)):.3g} of {gains.shape[1]}",
                f"{gains.min():+.3f}",
                f"{in_all:+.3f}",
                *(f"{error:.4f}" for error in errors),
                f"{rank:.1f}",
            ]
        )
    return table


def spread(ratios: Sequence[float], decimals: int = 2) -> str:
    """Geometric mean of ratios and, for several, the factor of one standard deviation of their logarithms.

    A ratio and its inverse so cancel, whichever of the two is the base.
    """
    logarithms = np.log(ratios)
    factor = f" x/÷ {np.exp(np.std(logarithms, ddof=1)):.{decimals}f}" if len(ratios) > 1 else ""
    return f"{np.exp(np.mean(logarithms)):.{decimals}f}{factor}"
