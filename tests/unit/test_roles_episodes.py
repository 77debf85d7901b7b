"""A proposer has a round measured over all of its sealed shard where gains are too small for a part of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.protocol.documents.spec import Gates, encode_spec
from jepanet.protocol.settling.sheet import derive_sheet, encode_sheet
from jepanet.protocol.settling.within_error import gains_within_error
from jepanet.protocol.state import Recorded, Status
from jepanet.roles.steps import episodes
from jepanet.roles.steps.episodes import ALL, episodes_due, gates_over
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.types import ProjectId, RoundId, Verdict
from jepanet.work.methods import METHODS
from round_samples import Vote, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

PROJECT, SEALED, USUAL = ProjectId(1), 128, 32
TERMS = round_terms(ProposerSection(evaluation_episodes=USUAL, evaluation_sigmas_milli=2000), METHODS)


def sheet_of(*gains: int, stderr: int = 2000) -> Any:
    facts = some_facts(len(gains))
    found = [(Verdict.ACCEPTED, "accepted", gain, stderr) for gain in gains]
    return derive_sheet(
        facts, a_spec(), reports_of(facts, [found] * 3), model=digest("second"), improvement=5
    )


def a_round(number: int, base: str, model: str) -> Any:
    recorded = Recorded(bytes(32), digest(model), digest(f"sheet {number}"), 1, 1, 1, bytes(32), 1)
    return SimpleNamespace(
        id=RoundId(number), project_id=PROJECT, base=digest(base), recorded=recorded, status=Status.SETTLED,
        params=SimpleNamespace(spec=digest("spec")),
    )  # fmt: skip


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is due after these rounds, whose sheets all have these gains, measured over so many episodes."""

    async def make(
        *rounds: Any, gains: tuple[int, ...], stderr: int = 2000, measured: int = USUAL,
        model: str = "second", terms: Any = TERMS, played: int | None = None,
    ) -> int:  # fmt: skip
        async def obtain_bytes(context: Any, name: Any, **limits: Any) -> bytes:
            if name == digest("spec"):
                return encode_spec(a_spec(evaluation_episodes=measured))
            return encode_sheet(sheet_of(*gains, stderr=stderr))

        monkeypatch.setattr(episodes, "obtain_bytes", obtain_bytes)
        state = SimpleNamespace(
            rounds={item.id: item for item in rounds},
            projects={PROJECT: SimpleNamespace(rounds=len(rounds) if played is None else played)},
        )
        project: Any = SimpleNamespace(id=PROJECT, model=digest(model))
        context: Any = SimpleNamespace(state=lambda: state)
        return await episodes_due(context, project, terms, SEALED)

    return make


FIRST = a_round(1, "first", "second")


async def test_late_gains_are_measured_over_all_and_early_ones_over_a_part(due: Any) -> None:
    assert await due(FIRST, gains=(20_000, 22_000, 18_000, 0)) == USUAL
    assert await due(FIRST, gains=(3_100, 2_900, 1_000, 4_200)) == ALL
    assert await due(FIRST, gains=(-9_000, -8_000, 5_000, 1_000)) == USUAL, "what harms clearly needs no more"
    assert await due(FIRST, gains=(-9_000, -1_000, 5_000, 1_000)) == ALL
    assert await due(model="first", gains=()) == USUAL, "nothing was merged yet"


async def test_more_episodes_do_not_take_back_their_own_reason(due: Any) -> None:
    """Half the error over four times the episodes: over the usual number it would be the whole again."""
    assert await due(FIRST, gains=(3_100,) * 4, stderr=1_000, measured=0) == ALL
    assert await due(FIRST, gains=(3_100,) * 4, stderr=1_000) == USUAL
    assert await due(FIRST, gains=(5_000,) * 4, stderr=1_000, measured=0) == USUAL, "gains that have risen"


async def test_after_a_withheld_round_all_are_measured(due: Any) -> None:
    large = (20_000,) * 4
    assert await due(FIRST, a_round(2, "second", "second"), gains=large) == ALL
    assert await due(a_round(1, "first", "first"), gains=large, model="first") == ALL
    assert await due(a_round(1, "first", "first"), a_round(2, "first", "second"), gains=large) == USUAL


def near(*found: tuple[int, int]) -> bool:
    """Of deltas with these gains and errors."""
    facts = some_facts(len(found))
    votes: list[Vote] = [(Verdict.ACCEPTED, "accepted", *item) for item in found]
    sheet = derive_sheet(
        facts, a_spec(), reports_of(facts, [votes] * 3), model=digest("second"), improvement=5
    )
    return gains_within_error(sheet.rows, 2000, measured=USUAL, usual=USUAL)


def test_attack_more_tiny_deltas_than_honest_ones_have_no_round_measured_over_more() -> None:
    """Steps of a quarter have errors of a quarter. By their number they had every next round measured over
    four times as much."""
    honest = [(40_000, 2_000)] * 6
    assert not near(*honest, *[(0, 500)] * 90)
    assert near(*honest, *[(0, 500)] * 96), "ninety-six places for six"
    assert not near(*honest, *[(0, 2_000)] * 5) and near(*honest, *[(0, 2_000)] * 6)


def test_attack_tiny_deltas_that_gain_clearly_hide_no_late_round() -> None:
    late = [(3_100, 2_200)] * 4
    assert near(*late, *[(2_000, 500)] * 40)


def test_one_that_is_paid_does_not_say_that_gains_are_clear() -> None:
    """By pay it alone would count, and the others would stay unpaid."""
    assert near((15_000, 2_000), *[(900, 2_100)] * 4)


async def test_nothing_is_raised_that_was_not_asked_for(due: Any) -> None:
    never = replace(TERMS, evaluation_sigmas_milli=0)
    assert await due(FIRST, gains=(0,) * 4, terms=never) == USUAL
    assert await due(FIRST, gains=(0,) * 4, terms=round_terms(ProposerSection(), METHODS)) == ALL
    assert await due(gains=(20_000,) * 4, played=9) == ALL, "what cannot be known is measured well"


def test_a_round_without_an_accepted_delta_says_that_gains_are_small() -> None:
    assert gains_within_error((), 2000, measured=USUAL, usual=USUAL)


@pytest.mark.parametrize(
    ("sigmas", "measured", "asked"),
    [(8000, 80, 8000), (8000, 320, 16_000), (3000, 160, 4242), (8000, 40, 8000), (90_000, 320, 100_000)],
)
def test_more_episodes_make_no_harm_of_what_was_none(sigmas: int, measured: int, asked: int) -> None:
    """Four times the episodes, half the error: the same delta would lie twice as many of them below zero."""
    gates = Gates(harm_sigmas_milli=sigmas, rank_ratio_milli=800)
    assert gates_over(gates, measured, usual=80) == Gates(harm_sigmas_milli=asked, rank_ratio_milli=800)


def test_documents_of_before_keep_their_bytes() -> None:
    assert b"evaluation_episodes" not in encode_spec(a_spec())
