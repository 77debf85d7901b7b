"""How much honest work is refused, and how much of what is paid goes to garbage?

Honest federations of two, four and eight, whose rounds are judged, mended, merged and paid as by a proposer
that changes nothing. In an early, a middle and a late round the same deltas are judged once more beside
deltas of no worth: noise of an honest delta's norm, of an eighth of it, and of its norm in each tensor, and
their mean turned round. Every finished run is kept at once: a command that is repeated goes on,
in the order of the queue.

    python benchmarks/false_rejection.py --seeds 16 --recipe tworoom-small --recipe pusht
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import click
import numpy as np
from attacks.federation import REPORTS, USUAL, Federation, HeldRound
from attacks.judging import Held
from attacks.rounds import Data

from jepanet.federation.judging.judge import Judgement, lost_variance
from jepanet.federation.judging.similarity import norm
from jepanet.files import write_atomically
from jepanet.learning.data.shards import joined
from jepanet.learning.presets import preset
from jepanet.learning.recipe_reader import changed
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.tensors import Arrays
from jepanet.types import Verdict

Array = np.ndarray[Any, np.dtype[np.float32]]
RESULT = Path(__file__).parent / "results" / "false_rejection.json"
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
ROUNDS = 8
TIMES = {0: "early", 3: "middle", 7: "late"}
"""Rounds, from 0, in which garbage is judged too."""
GARBAGE = ("noise", "faint noise", "shaped noise", "turned round")
FAINT = 0.125
DRAWS = 2000
"""Of whole seeds, for an interval."""


def garbage(now: Federation, honest: Sequence[Arrays]) -> list[Arrays]:
    """One delta of each kind, in the order of `GARBAGE`."""
    draw = numpy_generator(derive(now.secret, "garbage"), f"round {now.number}")
    first, share = honest[0], np.float32(1 / len(honest))
    plain, faint, shaped = (
        {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in first.items()}
        for _ in range(3)
    )
    size = norm(first)
    return [
        _times(plain, size / norm(plain)),
        _times(faint, FAINT * size / norm(faint)),
        {name: _as_long(shaped[name], array) for name, array in first.items()},
        {name: -share * sum(delta[name] for delta in honest) for name in first},
    ]


def _as_long(noise: Array, array: Array) -> Array:
    size = np.linalg.norm(noise.astype(np.float64))
    return noise * np.float32(np.linalg.norm(array.astype(np.float64)) / size if size else 0.0)


def _times(delta: Arrays, factor: float) -> Arrays:
    return {name: array * np.float32(factor) for name, array in delta.items()}


def play(recipe: str, seed: int, solvers: int, sigmas: float) -> list[dict[str, Any]]:
    """Every round of one run: what was found of each honest delta, and of garbage beside them."""
    played = changed(preset(recipe), "gates.harm_sigmas", sigmas)
    data = Data(recipe, seed, solvers, ROUNDS + REPORTS, CACHE / "attacks")
    now = Federation(played, data, seed, solvers=solvers, rounds=ROUNDS, under=USUAL)
    rows = []
    for number in range(ROUNDS):
        scorer, honest = now.scorer(), [now.honest(place) for place in range(solvers)]
        clean = now.held(honest, scorer)
        row = {"round": number + 1, **_told(clean)}
        row["looked at again"] = _again(now, clean)
        if number in TIMES:
            row["beside garbage"] = _told(now.held([*honest, *garbage(now, honest)], scorer))
        rows.append(row)
        now.play(honest, clean)
    return rows


def _told(held: HeldRound) -> dict[str, Any]:
    ended = held.ended
    deltas = [
        {"gain": it.gain + _price(held, it), "stderr": it.stderr, "why": why, "dropped": dropped, "pay": pay,
         "guards": it.detail if it.reason == "state-guard" else ""}
        for it, why, dropped, pay in zip(
            held.judged.judgements, ended.verdicts, ended.dropped, ended.pay, strict=True
        )
    ]  # fmt: skip
    return {"published": ended.published, "deltas": deltas}


def _price(held: HeldRound, item: Judgement) -> int:
    """What lost variance was taken from its gain, which harm is not judged by."""
    if item.metrics is None or item.reason in ("harm", "state-guard"):
        return 0
    return lost_variance(held.judged.base_metrics, item.metrics, USUAL.variance_price_milli)


def _again(now: Federation, held: HeldRound) -> list[dict[str, Any]]:
    """Of what was excluded: its gain over the shards that no round draws, and what the merge gains by it."""
    out = [item for item in held.judged.judgements if item.verdict is not Verdict.ACCEPTED]
    if not out:
        return []
    elsewhere = Held(now.base, now.recipe, joined(now.reports))
    return [{"place": _place(held, item), **_looked_at(now, held, item, elsewhere)} for item in out]


def _place(held: HeldRound, item: Judgement) -> int:
    return held.judged.judgements.index(item)


def _looked_at(now: Federation, held: HeldRound, item: Judgement, elsewhere: Held) -> dict[str, int]:
    delta, solvers = held.judged.deltas[item.digest], len(held.judged.judgements)
    alone = elsewhere.gain({name: now.base[name] + delta[name] / np.float32(solvers) for name in delta})
    found = {"alone": alone.micro, "alone stderr": alone.stderr_micro}
    if held.kept:
        rest = elsewhere.gain(held.merged(held.kept)[0])
        whole = elsewhere.gain(held.merged(sorted((*held.kept, item.digest)))[0])
        last = whole.beyond(rest)
        found |= {"last": last.micro, "last stderr": last.stderr_micro}
    return found


def queue(recipes: Sequence[str], seeds: range, solvers: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """What tells most first: two seeds of everything, then more; small federations before large ones."""
    for place in range(0, len(seeds), 2):
        for many in solvers:
            for recipe in recipes:
                for seed in seeds[place : place + 2]:
                    yield recipe, seed, many


@click.command()
@click.option("--recipe", "recipes", multiple=True, default=("tworoom-small", "pusht"), show_default=True)
@click.option("--seeds", default=16, type=click.IntRange(1, 99), show_default=True)
@click.option("--first", default=0, type=click.IntRange(0, 999), show_default=True)
@click.option("--solvers", "many", multiple=True, type=int, default=(2, 4, 8), show_default=True)
@click.option("--sigmas", default=8.0, show_default=True, help="Standard errors by which a delta harms.")
@click.option("--only-tell", is_flag=True, help="Play nothing; print what is kept.")
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where finished runs are kept.")
def main(
    recipes: tuple[str, ...], seeds: int, first: int, many: tuple[int, ...], sigmas: float, only_tell: bool,
    out: Path,
) -> None:  # fmt: skip
    """Honest runs of recipes, with garbage beside them."""
    for recipe, seed, solvers in () if only_tell else queue(recipes, range(first, first + seeds), many):
        where = {"recipe": recipe, "seed": seed, "solvers": solvers, "harm_sigmas": sigmas}
        if any(all(row[key] == value for key, value in where.items()) for row in _read(out)):
            continue
        began = time.process_time()
        rounds = play(recipe, seed, solvers, sigmas)
        row = {**where, "seconds": time.process_time() - began, "rounds": rounds}
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, (json.dumps([*_read(out), row], indent=1) + "\n").encode())
        click.echo(f"{recipe} {seed} {solvers} {row['seconds']:.0f} s", err=True)
    click.echo(table(_read(out)))


def _read(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(out.read_text()) if out.exists() else []
    return rows


def stages() -> Mapping[str, range]:
    """Rounds, from 1, of each part of a run."""
    return {"early": range(1, 4), "middle": range(4, 7), "late": range(7, ROUNDS + 1)}


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Of honest deltas alone, then beside garbage; per cent with intervals of 95 %: Wilson's, which takes
    deltas as independent, and after the stroke that of whole seeds drawn again."""
    lines = [
        "| recipe | harm | solvers | rounds | seeds | honest deltas "
        "| excluded | for harm | below three errors | dropped | rounds withheld |",
        "|---|---:|---|---|---:|---:|---|---|---|---|---|",
    ]
    for recipe, sigmas, solvers, here in _kinds(runs):
        for stage, rounds in (*stages().items(), ("all", range(1, ROUNDS + 1))):
            by_seed = _by_seed(here, rounds)
            cells = [_share(by_seed, what) for what in (_excluded, _harmed, _low, _dropped, _withheld)]
            deltas = sum(len(row["deltas"]) for rows in by_seed for row in rows)
            lines.append(
                f"| {recipe} | {sigmas:g} | {solvers} | {stage} | {len(by_seed)} | {deltas} "
                f"| {' | '.join(cells)} |"
            )
    return "\n".join([*lines, "", *_garbage_table(runs)])


def _garbage_table(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| recipe | harm | solvers | round | seeds | honest deltas excluded | "
        + " | ".join(f"{kind}: excluded, merged" for kind in GARBAGE)
        + " | paid to one of garbage, % of one of honest work |",
        "|---|---:|---|---|---:|---|" + "---|" * (len(GARBAGE) + 1),
    ]
    for recipe, sigmas, solvers, here in _kinds(runs):
        for number, stage in (*TIMES.items(), (None, "all")):
            wanted = TIMES if number is None else (number,)
            by_seed = [
                [row["beside garbage"] for row in rows]
                for rows in _by_seed(here, [place + 1 for place in wanted])
            ]
            flat = [row for rows in by_seed for row in rows]
            fates = []
            for place in range(-len(GARBAGE), 0):
                found = [(row["deltas"][place], row["published"]) for row in flat]
                out = sum(bool(delta["why"]) for delta, _ in found)
                kept = sum(not (delta["why"] or delta["dropped"]) and ok for delta, ok in found)
                fates.append(f"{out}, {kept} of {len(found)}")
            honest = [
                [{"deltas": row["deltas"][: -len(GARBAGE)], "published": True} for row in rows]
                for rows in by_seed
            ]
            lines.append(
                f"| {recipe} | {sigmas:g} | {solvers} | {stage} | {len(by_seed)} "
                f"| {_share(honest, _excluded)} | {' | '.join(fates)} | {_paid_share(by_seed)} |"
            )
    return lines


Runs = Sequence[Mapping[str, Any]]


def _kinds(runs: Runs) -> list[tuple[str, float, str, Runs]]:
    """(recipe, standard errors of harm, solvers in words, runs of them): each number of solvers, then all."""
    found = []
    for recipe, sigmas in sorted({(run["recipe"], run["harm_sigmas"]) for run in runs}):
        here = [run for run in runs if (run["recipe"], run["harm_sigmas"]) == (recipe, sigmas)]
        many = sorted({run["solvers"] for run in here})
        found += [(recipe, sigmas, str(one), [run for run in here if run["solvers"] == one]) for one in many]
        if len(many) > 1:
            found.append((recipe, sigmas, ", ".join(map(str, many)), here))
    return found


def _by_seed(runs: Sequence[Mapping[str, Any]], rounds: Sequence[int]) -> list[list[Mapping[str, Any]]]:
    return [
        [row for run in runs if run["seed"] == seed for row in run["rounds"] if row["round"] in rounds]
        for seed in sorted({run["seed"] for run in runs})
    ]


Counted = tuple[int, int]
"""How many, of how many."""


def _excluded(row: Mapping[str, Any]) -> Counted:
    return sum(bool(it["why"]) for it in row["deltas"]), len(row["deltas"])


def _harmed(row: Mapping[str, Any]) -> Counted:
    return sum(it["why"] == "harm" for it in row["deltas"]), len(row["deltas"])


def _low(row: Mapping[str, Any]) -> Counted:
    return sum(it["gain"] + 3 * it["stderr"] < 0 for it in row["deltas"]), len(row["deltas"])


def _dropped(row: Mapping[str, Any]) -> Counted:
    return sum(it["dropped"] for it in row["deltas"]), len(row["deltas"])


def _withheld(row: Mapping[str, Any]) -> Counted:
    return int(not row["published"]), 1


def _share(by_seed: Sequence[Sequence[Mapping[str, Any]]], what: Any) -> str:
    counts = np.array([np.sum([what(row) for row in rows], axis=0) for rows in by_seed if rows])
    counts = counts.reshape(-1, 2).astype(float)
    count, of = counts.sum(axis=0)
    if not of:
        return "-"
    low, high = wilson(count, of)
    drawn = _drawn(counts)
    return (
        f"{100 * count / of:.1f} [{100 * low:.1f}, {100 * high:.1f} / {100 * drawn[0]:.1f}, "
        f"{100 * drawn[1]:.1f}]"
    )


def _paid_share(by_seed: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    sums = []
    for rows in by_seed:
        junk = sum(it["pay"] for row in rows for it in row["deltas"][-len(GARBAGE) :]) / len(GARBAGE)
        work = [[it["pay"] for it in row["deltas"][: -len(GARBAGE)]] for row in rows]
        sums.append((junk, sum(sum(pays) / len(pays) for pays in work)))
    found = np.array(sums)
    if not found.sum(axis=0)[1]:
        return "nobody was paid"
    found = found[found.sum(axis=1) > 0]  # seeds in which anybody was
    low, high = _drawn(found)
    return f"{100 * found.sum(axis=0)[0] / found.sum(axis=0)[1]:.2f} [{100 * low:.2f}, {100 * high:.2f}]"


def _drawn(sums: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Interval of a share [S, 2] by the bootstrap over seeds (Efron 1979), percentiles."""
    draw = np.random.default_rng(0)
    again = sums[draw.integers(0, len(sums), (DRAWS, len(sums)))].sum(axis=1)
    shares = np.where(again[:, 1] > 0, again[:, 0] / np.maximum(again[:, 1], 1e-9), np.inf)
    low, high = np.percentile(shares, [2.5, 97.5], method="inverted_cdf")
    return float(low), float(high)


def wilson(count: float, of: float) -> tuple[float, float]:
    """Interval of 95 % of a share (Wilson 1927)."""
    z, share = NormalDist().inv_cdf(0.975), count / of
    middle, width = share + z * z / (2 * of), z * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    return max(0.0, (middle - width) / (1 + z * z / of)), min(1.0, (middle + width) / (1 + z * z / of))


if __name__ == "__main__":
    main()
