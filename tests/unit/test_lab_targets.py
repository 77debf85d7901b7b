"""Ratios, intervals and notes of a comparison, on figures made by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Fatal
from jepanet.interface.arguments import lab
from jepanet.lab import studies
from jepanet.lab.arms import ARMS, chosen
from jepanet.lab.defaults import STUDY_NAMES
from jepanet.lab.planning_study import rank_correlation
from jepanet.lab.planning_study import row as planning_row
from jepanet.lab.reporting.controls import PROBES_NOTE, controls, probes
from jepanet.lab.reporting.report import COLUMNS, Request, compare, notes, present, rows, titles
from jepanet.lab.reporting.targets import Target, interval, targets, value_of
from jepanet.lab.setting import SITES, Setting, plan
from jepanet.lab.studies import ROUND_COLUMNS, STUDIES, round_rows, spread
from jepanet.lab.studies import rows as study_rows
from jepanet.learning.evaluation.proportion import Rate
from jepanet.learning.presets import preset

pytestmark = pytest.mark.unit


def model(
    nmse: float, *, own: float = 0.1, rank: float = 10.0, spread: float = 1.0, probe: float = 0.9
) -> Any:
    names = {metric for _, _, metric, _ in COLUMNS} - {"next_token", "told"}
    where = dict.fromkeys(names, 0.5) | {"nmse": nmse, "rank": rank, "latent_std": spread}
    where |= {"probe_r2": probe, "rollout": [nmse] * 8}
    return {"unseen": where, "own": {**where, "nmse": own}, "drift": {"rms": 1.0, "max": 2.0, "trace": 3.0}}


def run(arm: str, seed: int, *models: Any, control: Any = None) -> dict[str, Any]:
    made = {"arm": arm, "seed": seed, "models": list(models), "history": []}
    return made if control is None else {**made, "control": control}


def named(found: list[Target], start: str) -> Target:
    return next(item for item in found if item.name.startswith(start))


def planned(*tens: tuple[int, int]) -> list[dict[str, Any]]:
    """For each model, tens of successes among 10 episodes in the same room and across rooms."""
    return [{"same": Rate(10, same).to_json(), "cross": Rate(10, cross).to_json()} for same, cross in tens]


FIGURES = [
    run("aligned", 0, model(0.02), control=planned((9, 5))),
    run("aligned", 1, model(0.04), control=planned((10, 7))),
    run("local", 0, model(0.5), model(0.1), control=planned((8, 7), (4, 1))),
    run("local", 1, model(0.5), model(0.5), control=planned((8, 2), (9, 1))),
    run("pooled", 0, model(0.04, own=0.2, rank=20.0)),
    run("pooled", 1, model(0.05, own=0.2, rank=20.0)),
]


def test_a_ratio_is_taken_seed_by_seed_and_then_averaged() -> None:
    mean_local = named(targets(FIGURES), "global error / mean local-only")
    assert mean_local.seeds == pytest.approx((0.02 / 0.3, 0.04 / 0.5))
    assert mean_local.value == pytest.approx((0.02 / 0.3 + 0.04 / 0.5) / 2)
    assert mean_local.met is False


def test_the_best_local_model_is_chosen_anew_in_every_seed() -> None:
    assert named(targets(FIGURES), "global error / best single").seeds == pytest.approx((0.2, 0.08))


def test_a_target_of_every_seed_is_missed_when_one_seed_misses() -> None:
    pooled = named(targets(FIGURES), "global error / pooled, unseen")
    assert pooled.seeds == pytest.approx((0.5, 0.8))
    assert pooled.value is not None and pooled.met is False
    assert named(targets(FIGURES[:1] + FIGURES[4:5]), "global error / pooled, unseen").met is True


def test_a_low_rank_misses_its_target_however_low_the_error() -> None:
    rank = named(targets(FIGURES), "effective rank")
    assert rank.value == pytest.approx(0.5) and rank.met is False


def test_planning_is_held_against_the_best_single_local_model() -> None:
    found = targets(FIGURES)
    assert named(found, "planning success, unseen sites, same room").value == pytest.approx(0.95)
    assert named(found, "planning success, unseen sites, cross room - best").seeds == pytest.approx(
        (-0.2, 0.5)
    )


def test_what_was_not_run_is_neither_met_nor_missed() -> None:
    assert {item.met for item in targets(FIGURES[:1])[:8]} == {None}


def test_an_interval_is_students() -> None:
    mean, half = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3.0
    assert half == pytest.approx(2.776 * np.sqrt(2.5) / np.sqrt(5))
    assert interval([7.0]) == (7.0, None)


def test_a_collapsed_arm_is_named_though_its_error_is_the_lowest() -> None:
    figures = [run("naive", 0, model(0.001, spread=0.001)), run("other", 0, model(0.001, rank=1.2)), *FIGURES]
    said = notes(figures)
    assert [line.split(":")[0] for line in said] == ["naive", "other"]


def test_a_collapsed_federation_meets_nothing() -> None:
    found = targets([run("aligned", 0, model(0.001, rank=30.0, spread=0.001)), *FIGURES[2:]])
    assert not any(item.met for item in found)
    assert {item.why for item in found if item.met is False} == {"collapsed"}
    assert named(found, "effective rank").value == pytest.approx(1.5)


def broken(arm: str, seed: int) -> dict[str, Any]:
    return {**run(arm, seed), "no_model": "the loss of step 7 is nan"}


def test_an_arm_that_diverged_is_a_row_and_a_note_and_meets_nothing() -> None:
    every = [broken("aligned", 0), *FIGURES[2:]]
    table = rows(every, control=True)
    assert table[0][:3] == ["aligned (0 of 1 seeds)", "no model", "-"]
    assert len({len(row) for row in table}) == 1
    assert notes(every) == [
        "aligned: no model in 1 of its runs, which its row leaves out (seed 0: the loss of step 7 is nan)"
    ]
    assert rows([*FIGURES[:5], broken("pooled", 1)], control=True)[-1][0] == "pooled (1 of 2 seeds)"
    # In one seed or in all: whatever was run against it is missed, also where it left no figure.
    for figures in ([broken("aligned", 0), *FIGURES[1:]], every):
        found = targets([*figures, run("start", 0, model(0.1)), run("start", 1, model(0.1))])
        assert {(item.met, item.why) for item in found} == {(False, "no model")}


def test_a_control_without_a_model_in_some_seed_leaves_its_targets_open() -> None:
    # With pooled in both seeds the ratios are 0.5 and 0.8, and 0.65 in every seed is missed.
    found = targets([*FIGURES[:5], broken("pooled", 1)])
    line = named(found, "global error / pooled, unseen")
    assert line.seeds == pytest.approx((0.5,)) and (line.met, line.why) == (None, "pooled: no model")
    assert named(found, "global error / mean local-only").met is False
    assert named(found, "planning success, unseen sites, same room").met is True


def test_latents_that_are_no_numbers_have_collapsed() -> None:
    found = targets([run("aligned", 0, model(0.001, rank=float("nan"))), *FIGURES[2:]])
    assert named(found, "global error / mean local-only").why == "collapsed"


def test_a_study_leaves_a_run_that_diverged_out_of_its_means() -> None:
    made = [
        {**run("base", 1, model(0.1, own=0.2)), "sent": 10.0},
        {**broken("base", 2), "sent": None},
        {**run("other", 1, model(0.3, own=0.2)), "sent": 10.0},
        {**run("other", 2, model(9.0, own=0.2)), "sent": 10.0},
        {**broken("third", 1), "sent": None},
    ]
    base, other, third = study_rows(made, "base")
    assert base[1:3] == ["0.1000", "1.00"] and other[2] == "3.00"
    assert [base[0], other[0]] == ["base (1 of 2 seeds)", "other"]
    assert third[:3] == ["third (0 of 1 seeds)", "no model", "-"] and len(third) == len(base)


def test_the_federation_is_held_against_what_it_began_with() -> None:
    line = named(targets([*FIGURES, run("start", 0, model(0.01))]), "global error / public start")
    assert line.seeds == pytest.approx((2.0,)) and line.met is False


def test_local_models_get_a_row_for_their_mean_and_one_for_the_best() -> None:
    table = rows(FIGURES, control=True)
    assert [row[0] for row in table] == ["aligned", "local", "local, best one", "pooled"]
    assert len({len(row) for row in table}) == 1
    assert table[0][-2:] == ["95 % [76, 99] of 20", "60 % [39, 78] of 20"]
    assert [row[-2].split(" of ")[1] for row in table[1:3]] == ["40", "20"] and table[3][-1] == "-"
    assert value_of(FIGURES[2], "unseen", "nmse", "best") == 0.1


def test_an_unknown_arm_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Fatal, match="nonsense") as caught:
        chosen("local,nonsense")
    assert "pooled" in str(caught.value.remedy)
    assert [arm.name for arm in chosen("pooled, local,pooled")] == ["pooled", "local"]
    assert set(ARMS) >= {
        "local",
        "naive",
        "fedavg",
        "diloco",
        "aligned",
        "anchored",
        "frozen-encoder",
        "pooled",
    }


def test_sites_for_tuning_share_nothing_with_those_reported() -> None:
    both = [plan(Setting(sites=which)).recordings for which in SITES]
    used = [{site for item in recordings.values() for site in item.sites} for recordings in both]
    common = used[0] & used[1]
    assert {site.number for site in common} == {2000, *range(300, 307)}  # the public sites
    seeds = [{item.seed for item in recordings.values()} for recordings in both]
    assert not seeds[0] & seeds[1]


def test_unseen_sites_are_no_solvers_own() -> None:
    for which in SITES:
        planned = plan(Setting(sites=which))
        recordings, unseen = planned.recordings, planned.unseen
        homes = {
            site.number for name, item in recordings.items() if name.startswith("tr") for site in item.sites
        }
        assert len(homes) == 4 and not homes & {site.number for site in unseen}


def test_planning_where_there_is_no_planner_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    request = Request(
        "pusht", chosen("aligned"), (0,), 1, "tune", 4, 4, control=1, workers=1, environment="pusht"
    )
    with pytest.raises(Fatal, match="TwoRoom") as caught:
        compare(request, tmp_path / "out", lambda *_: None)
    assert "--control 0" in str(caught.value.remedy) and not (tmp_path / "out").exists()


def test_a_study_holds_every_variant_against_its_base_seed_by_seed() -> None:
    made = [
        {**run(name, seed, model(nmse, own=0.2)), "sent": 1000.0}
        for name, seed, nmse in (("base", 1, 0.1), ("base", 2, 0.2), ("other", 1, 0.3), ("other", 2, 0.4))
    ]
    table = study_rows(made, "base")
    assert table[0][1:3] == ["0.1500", "1.00 x/÷ 1.00"]
    assert table[1][1:3] == ["0.3500", f"{6**0.5:.2f} x/÷ {np.exp(np.std(np.log([3.0, 2.0]), ddof=1)):.2f}"]
    assert table[1][-1] == "1,000"


def test_a_schedule_is_told_by_what_its_rounds_gain() -> None:
    def history(*gains: float, total: float) -> list[dict[str, Any]]:
        return [
            {"round": number, "gain": gain, "gain_since_start": total} for number, gain in enumerate(gains, 1)
        ]

    made = [
        {**run("steady", 1, model(0.1)), "history": history(0.2, 0.1, total=0.25)},
        {**run("steady", 2, model(0.3)), "history": history(0.4, 0.3, total=0.65)},
        {**run("late", 1, model(0.1)), "history": history(-0.3, 0.5, total=0.1)},
        {**run("late", 2, model(0.1)), "history": history(-0.1, 0.0, total=-0.1)},
        broken("wild", 1),
    ]
    steady, late, wild = round_rows(made)
    assert steady[:5] == ["steady", "2 of 2", "+0.100", "+0.450", "0.2000"]
    assert late[:4] == ["late", "0.5 of 2", "-0.300", "+0.000"]
    assert wild[:2] == ["wild (0 of 1 seeds)", "no model"]
    assert {len(row) for row in (steady, late, wild)} == {len(ROUND_COLUMNS)}


def test_the_command_offers_every_study() -> None:
    assert set(STUDY_NAMES) == {*STUDIES, "planning"}


def test_a_report_is_shown_as_two_tables_and_targets_with_their_reasons(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    figures = [broken("aligned", 0), *FIGURES[2:]]
    lab._show(
        {
            "table": {"columns": titles(present(figures), True), "rows": rows(figures, control=True)},
            "controls": controls(figures),
            "probes": {**probes(figures), "note": PROBES_NOTE},
            "exported": [],
            "targets": [item.to_json() for item in targets(figures)],
            "notes": notes(figures),
            "seconds": {"record": 60.0, "train": 120.0, "all": 240.0},
            "unwritten": None,
        },
        tmp_path,
    )
    shown = capsys.readouterr().out
    assert [shown.count(name) for name in ("local, best one", "SIGReg", "drift rms")] == [2, 1, 1]
    line = next(line for line in shown.splitlines() if "effective rank" in line)
    assert " - " in line and "no model" in line and "not run" not in line
    start = next(line for line in shown.splitlines() if "public start" in line)
    assert "not run" in start and "no model" not in start
    assert "minutes: recording 1.0, training 2.0, in all 4.0" in shown


def test_progress_is_told_in_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with lab._bars() as progress:
        progress("training", 3, 50, "aligned, seed 0")
    assert capsys.readouterr().err.strip().endswith("training 3/50 aligned, seed 0")


def test_a_ratio_and_its_inverse_cancel() -> None:
    assert spread([2.0, 0.5]).startswith("1.00 x/÷")
    assert spread([1.5]) == "1.50"
    assert spread([1.0, 1.004], 3).startswith("1.002 x/÷ 1.003")


@pytest.mark.parametrize(("study", "of_several"), [("ablation", 0), ("schedule", 1), ("schedule-pusht", 1)])
def test_studies_change_their_base_in_one_respect_at_a_time(study: str, of_several: int) -> None:
    base, *variants = STUDIES[study].variants
    for arm in variants[: len(variants) - of_several]:
        differing = [
            name for name, value in arm.to_json().items() if name != "name" and value != base.to_json()[name]
        ]
        assert len(differing) == 1 and len(arm.changes) <= 1, arm.name


def test_the_study_of_codecs_holds_each_against_the_uncoded_arm_of_its_outer_step() -> None:
    study = STUDIES["codecs"]
    arms = {arm.name: arm for arm in study.variants}
    uncoded = study.uncoded()
    assert set(uncoded) == set(arms)
    assert set(uncoded.values()) == {"fp32", "fp32, no momentum"}
    for name, control in uncoded.items():
        assert {
            key for key, value in arms[name].to_json().items() if value != arms[control].to_json()[key]
        } <= {"name", "codec", "feedback"}


def test_a_ratio_to_the_uncoded_arm_of_the_same_step_stands_beside_that_to_the_base() -> None:
    errors = {"fp32": 0.1, "rank100": 0.11, "fp32, no momentum": 0.2, "rank100, no momentum": 0.21}
    made = [{**run(arm, 1, model(error, own=error)), "sent": 10.0} for arm, error in errors.items()]
    made.append({**broken("topk3", 1), "sent": None})
    table = studies.study_rows(STUDIES["codecs"], made)
    assert [row[2:4] for row in table[:4]] == [
        ["1.00", "1.00"], ["1.10", "1.10"], ["2.00", "1.00"], ["2.10", "1.05"],
    ]  # fmt: skip
    assert {len(row) for row in table} == {len(STUDIES["codecs"].columns)}


def test_studies_name_every_variant_once_and_it_fits_their_recipe() -> None:
    for study in STUDIES.values():
        names = [arm.name for arm in study.variants]
        assert len(names) == len(set(names))
        for arm in study.variants:
            recipe = preset(study.recipe)
            arm.recipe(replace(recipe, inner_steps=study.inner_steps or recipe.inner_steps))


def test_a_cost_under_which_better_predictors_plan_better_correlates() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    # Ranks with ties 0, 1.5, 1.5, 3 against 0, 1, 2, 3.
    assert rank_correlation([1, 2, 2, 4], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5.0))
    assert rank_correlation([1, 2, 3], [5, 5, 5]) is None


def test_a_planning_row_tells_the_best_local_model_from_the_mean() -> None:
    rates = [
        {
            "same": Rate(10, same).to_json(),
            "cross": Rate(10, cross).to_json(),
            "random_same": Rate(10, 1).to_json(),
            "random_cross": Rate(10, 0).to_json(),
        }
        for same, cross in ((9, 5), (8, 6), (2, 0), (7, 4))
    ]
    found = planning_row("sum, icem", [(rates, [0.1, 0.2, 0.4, 0.3])])
    assert [cell.split(" of ")[-1] for cell in found[1:-1]] == ["10", "10", "20", "10", "10"]
    shares = [re.findall(r"(\d+) %", cell) for cell in found[1:-1]]
    assert shares == [["90", "50"], ["80", "60"], ["50", "30"], ["70", "40"], ["10", "0"]]
    assert found[-1] == "+0.95" and found[1] == "90 % [60, 98] of 10 / 50 % [24, 76] of 10"
