"""Nobody enters a round whose reference norm is not what the round before it recorded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import NormCaps
from jepanet.protocol.settling.sheet import derive_sheet, encode_sheet
from jepanet.protocol.state import Recorded, Status
from jepanet.roles.context import Turns
from jepanet.roles.steps import sheets as sheets_module
from jepanet.roles.steps.references import hold_reference, reference_of, usual_of_base
from jepanet.types import ProjectId, RoundId
from round_samples import GOOD, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

RULED = NormCaps(to_reference_milli=1000)
FOLLOWS = {"pay_to_median_milli": 1500, "usual_follows": True}
PROJECT = ProjectId(1)


def sheet_of(size: int) -> bytes:
    facts = some_facts(2)
    norms = {item.digest: size for item in facts.reveals}
    return encode_sheet(
        derive_sheet(
            facts, a_spec(norms=RULED, **FOLLOWS), reports_of(facts, [[GOOD] * 2] * 3),
            model=digest("second"), improvement=5, norms=norms,
        )
    )  # fmt: skip


def a_round(number: int, base: str, model: str, status: Status = Status.SETTLED) -> Any:
    recorded = Recorded(bytes(32), digest(model), digest(f"sheet {number}"), 1, 1, 1, bytes(32), 1)
    return SimpleNamespace(
        id=RoundId(number), project_id=PROJECT, base=digest(base), recorded=recorded, status=status
    )


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A node that knows these rounds; each one's sheet says a hundred times its number."""

    async def obtain_bytes(context: Any, name: Any, **limits: Any) -> bytes:
        (number,) = (n for n in range(1, 9) if digest(f"sheet {n}") == name)
        return sheet_of(100 * number)

    monkeypatch.setattr(sheets_module, "obtain_bytes", obtain_bytes)

    def make(*rounds: Any, played: int | None = None) -> Any:
        state = SimpleNamespace(
            rounds={item.id: item for item in rounds},
            projects={PROJECT: SimpleNamespace(rounds=len(rounds) if played is None else played)},
        )
        return SimpleNamespace(state=lambda: state, turns=Turns())

    return make


async def test_it_is_that_of_the_round_that_made_the_base(desk: Any) -> None:
    """Withheld and cancelled rounds between say nothing."""
    context = desk(
        a_round(1, "first", "second"), a_round(2, "second", "second"),
        a_round(3, "second", "third", Status.CANCELLED),
    )  # fmt: skip
    assert await reference_of(context, PROJECT, digest("second"), pin="") == 100
    assert await reference_of(context, PROJECT, digest("first"), pin="") == 0
    assert await reference_of(desk(played=9), PROJECT, digest("second"), pin="") is None


async def test_attack_a_round_is_opened_with_another_reference(desk: Any) -> None:
    context, later = desk(a_round(1, "first", "second")), a_round(2, "second", "third")

    def spec(nano: int) -> Any:
        return a_spec(norms=NormCaps(to_reference_milli=1000, reference_nano=nano))

    await hold_reference(context, later, spec(100), pin="")
    for nano in (0, 1, 10**9):
        with pytest.raises(Rejected) as caught:
            await hold_reference(context, later, spec(nano), pin="")
        assert caught.value.reason == "wrong-reference"
    await hold_reference(context, later, a_spec(), pin="")

    def pays(usual: int, count: int) -> Any:
        return a_spec(pay_to_median_milli=1500, usual_follows=True, usual_worth=usual, usual_count=count)

    usual = await usual_of_base(context, PROJECT, digest("second"), pin="")
    assert usual and await usual_of_base(context, PROJECT, digest("first"), pin="") == (0, 0)
    worth, count = usual
    await hold_reference(context, later, pays(worth, count), pin="")
    for wrong in ((0, 0), (worth + 1, count), (worth, count + 1), (worth, 0)):
        with pytest.raises(Rejected, match="usual worth"):
            await hold_reference(context, later, pays(*wrong), pin="")
    await hold_reference(desk(played=9), later, spec(7), pin="")
