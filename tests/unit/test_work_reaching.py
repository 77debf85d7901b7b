"""Reaching a model: late, partial and false providers, a crash, a withheld round, a record that is undone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.errors import Exit, Transient
from jepanet.protocol.documents.spec import UpdateRule
from jepanet.protocol.models.ways import Route
from jepanet.protocol.state import Status
from jepanet.types import RoundId
from jepanet.work.reaching import Reached, reach
from model_chain import Folder, ModelChain, model_text

pytestmark = pytest.mark.unit

RULE = UpdateRule("int8")


async def go(shelf: Folder, number: int, *, patient: bool = False) -> Reached:
    reached = await reach(shelf.chain.wanted(number, patient=patient), shelf, round_id=RoundId(number + 1))
    assert reached.path.read_bytes() == model_text(number)
    assert shelf.drafts() == []
    return reached


def kinds(shelf: Folder) -> list[str]:
    return [kind for kind, _ in shelf.taken]


async def test_what_is_here_costs_nothing(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, ModelChain(3), "model 3")
    assert (await go(shelf, 3)).how == "held"
    assert (shelf.taken, shelf.documents, shelf.derived) == ([], 0, [])


async def test_a_solver_that_holds_the_base_takes_the_other_solvers_deltas(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, ModelChain(1), "model 0", "delta 1 0")
    reached = await go(shelf, 1)
    assert (reached.how, reached.links, reached.routes) == ("derived", 1, (Route.DELTAS,))
    assert shelf.taken == [("delta", b"delta 1 1")]
    assert reached.bytes == len(b"delta 1 1")


async def test_with_a_rule_it_takes_the_update_and_nothing_else(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, ModelChain(1, RULE, "int8"), "model 0")
    assert (await go(shelf, 1)).routes == (Route.UPDATE,)
    assert shelf.taken == [("update", b"update 1")]


async def test_a_newcomer_fetches_one_model_whole(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, ModelChain(12, RULE, "int8"))
    reached = await go(shelf, 12)
    assert (reached.how, reached.links) == ("fetched", 0)
    assert shelf.taken == [("model", b"model 12")]
    assert shelf.documents < 20, "and does not read the documents of a dozen rounds for it"


async def test_a_newcomer_in_an_early_round_takes_the_first_model_and_updates(tmp_path: Path) -> None:
    """The first model has no velocity: with one or two updates it is smaller than the newest model."""
    shelf = Folder(tmp_path, ModelChain(2, RULE, "int8"))
    reached = await go(shelf, 2)
    assert (kinds(shelf), reached.how, reached.links) == (["model", "update", "update"], "fetched", 2)
    assert shelf.taken[0] == ("model", b"model 0")


@pytest.mark.parametrize(("behind", "how"), [(7, "derived"), (9, "fetched")])
async def test_who_is_late_takes_the_smaller_of_the_model_and_the_updates(
    tmp_path: Path, behind: int, how: str
) -> None:
    chain = ModelChain(12, RULE, "int8")
    reached = await go(Folder(tmp_path, chain, f"model {12 - behind}"), 12)
    assert (reached.how, reached.links) == (how, behind if how == "derived" else 0)


async def test_a_withheld_round_is_no_link(tmp_path: Path) -> None:
    chain = ModelChain(3, RULE, "int8", withheld=frozenset({2}))
    shelf = Folder(tmp_path, chain, "model 1")
    assert (await go(shelf, 3)).links == 1
    held = Folder(tmp_path / "b", chain, "model 1")
    assert (await go(held, 1)).how == "held"


# ------------------------------------------------------------------ late and partial


async def test_a_late_update_gives_way_to_deltas(tmp_path: Path) -> None:
    chain = ModelChain(1, UpdateRule("int8", 0), "int8")
    chain.unserve("update 1")
    shelf = Folder(tmp_path, chain, "model 0")
    assert (await go(shelf, 1, patient=True)).routes == (Route.DELTAS,)


async def test_what_is_late_is_waited_for_by_who_holds_an_older_model(tmp_path: Path) -> None:
    chain = ModelChain(2)
    chain.unserve("delta 2 1")
    shelf = Folder(tmp_path, chain, "model 1")
    with pytest.raises(Transient, match="not served yet: delta: nobody serves"):
        await go(shelf, 2, patient=True)
    assert kinds(shelf) == ["delta"], "what there was is here; no model was fetched"
    chain.served.update(ModelChain(2).served)
    assert (await go(shelf, 2, patient=True)).how == "derived"


async def test_after_the_wait_the_model_is_fetched_whole(tmp_path: Path) -> None:
    chain = ModelChain(2)
    chain.unserve("delta 2 1")
    shelf = Folder(tmp_path, chain, "model 1")
    assert (await go(shelf, 2)).how == "fetched"


async def test_documents_that_are_late_are_waited_for_too(tmp_path: Path) -> None:
    chain = ModelChain(2)
    chain.unserve("documents 2")
    shelf = Folder(tmp_path, chain, "model 1")
    with pytest.raises(Transient, match="not served yet"):
        await go(shelf, 2, patient=True)
    assert (await go(shelf, 2)).how == "fetched"


async def test_a_newcomer_waits_for_nothing(tmp_path: Path) -> None:
    chain = ModelChain(9)
    chain.unserve("documents 9")
    assert (await go(Folder(tmp_path, chain), 9, patient=True)).how == "fetched"


async def test_a_whole_that_nobody_serves_is_made_from_an_older_one(tmp_path: Path) -> None:
    chain = ModelChain(12, RULE, "int8")
    chain.unserve("model 12", "model 11", "update 12")
    shelf = Folder(tmp_path, chain)
    # Route A needs what the code left out, which only the base's file names: here there is none.
    reached = await go(shelf, 12)
    assert shelf.taken[0] == ("model", b"model 10")
    assert reached.routes == (Route.UPDATE, Route.DELTAS)


async def test_what_nobody_serves_at_all_is_said_with_a_remedy(tmp_path: Path) -> None:
    chain = ModelChain(2)
    chain.unserve("model 0", "model 1", "model 2")
    with pytest.raises(Transient, match="there is no way to") as caught:
        await go(Folder(tmp_path, chain), 2)
    assert caught.value.code is Exit.NOT_FOUND
    assert "docs/operations.md" in (caught.value.remedy or "")


async def test_a_full_disk_is_no_reason_to_fetch_more(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, ModelChain(1), "model 0")
    shelf.full = True
    with pytest.raises(Transient, match="no room") as caught:
        await go(shelf, 1)
    assert caught.value.code is Exit.DISK_FULL


# ------------------------------------------------------------------ false


async def test_attack_an_update_that_does_not_give_the_recorded_model(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, ModelChain(1, UpdateRule("int8", 0), "int8"), "model 0")
    shelf.false = lambda request: "build: all inputs are right" if request.update else None
    assert (await go(shelf, 1, patient=True)).routes == (Route.DELTAS,)
    assert shelf.mismatches == [(1, Route.UPDATE, "build: all inputs are right")]


async def test_a_machine_that_computes_differently_fetches_the_whole_at_once(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, ModelChain(2, RULE, "int8"), "model 1")
    shelf.false = lambda request: "build: all inputs are right"
    reached = await go(shelf, 2, patient=True)
    assert (reached.how, reached.links) == ("fetched", 0)
    assert [item[:2] for item in shelf.mismatches] == [(2, Route.UPDATE), (2, Route.DELTAS)]


async def test_a_base_that_decayed_on_the_disk_is_fetched_anew_and_blames_nobody(tmp_path: Path) -> None:
    chain = ModelChain(1, RULE, "int8")
    shelf = Folder(tmp_path, chain, "model 0")
    (tmp_path / chain.model(0).hex()).write_bytes(b"rot")
    reached = await go(shelf, 1)
    assert shelf.mismatches == []
    assert reached.links == 1
    assert ("model", b"model 0") in shelf.taken


async def test_attack_a_sheet_of_another_round_is_no_link(tmp_path: Path) -> None:
    chain = ModelChain(2)
    recorded = chain.state.rounds[RoundId(1)].recorded
    newer = chain.state.rounds[RoundId(2)].recorded
    assert recorded and newer
    chain.change(2, recorded=replace(newer, sheet=recorded.sheet))
    assert (await go(Folder(tmp_path, chain, "model 1"), 2)).how == "fetched"


async def test_attack_records_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    chain = ModelChain(2)
    chain.unserve("model 2", "model 1", "model 0")
    chain.change(1, base=chain.model(2))
    with pytest.raises(Transient, match="no way"):
        await go(Folder(tmp_path, chain), 2)


# ------------------------------------------------------------------ crashes, reorganisations, forgetting


async def test_after_a_crash_in_the_middle_only_the_rest_is_done(tmp_path: Path) -> None:
    chain = ModelChain(3, RULE, "int8")
    shelf = Folder(tmp_path, chain, "model 0")

    def die_at_the_third() -> None:
        if len(shelf.derived) == 2:
            raise KeyboardInterrupt

    shelf.before_deriving = die_at_the_third
    with pytest.raises(KeyboardInterrupt):
        await go(shelf, 3)
    again = Folder(tmp_path, chain)
    reached = await go(again, 3)
    assert (again.derived, reached.links) == ([(3, Route.UPDATE)], 1)
    assert again.taken == []


async def test_a_record_that_a_reorganisation_undid_leads_nowhere(tmp_path: Path) -> None:
    chain = ModelChain(2)
    shelf = Folder(tmp_path, chain, "model 1")
    shelf.before_deriving = lambda: chain.forget(2)
    await go(shelf, 2)  # what was under way is content, and true
    chain.unserve("model 2")
    (tmp_path / chain.model(2).hex()).unlink()
    with pytest.raises(Transient, match="no way"):
        await go(shelf, 2)


async def test_a_cancelled_round_is_no_link(tmp_path: Path) -> None:
    chain = ModelChain(2)
    chain.change(2, status=Status.CANCELLED)
    shelf = Folder(tmp_path, chain, "model 1")
    assert (await go(shelf, 2)).how == "fetched"
    assert shelf.derived == []


async def test_a_state_that_forgot_old_rounds_goes_back_as_far_as_it_remembers(tmp_path: Path) -> None:
    chain = ModelChain(12, RULE, "int8")
    chain.forget(*range(1, 9))
    chain.unserve("model 12", "model 11", "model 10", "model 9")
    shelf = Folder(tmp_path, chain)
    reached = await go(shelf, 12)
    assert (shelf.taken[0], reached.links) == (("model", b"model 8"), 4)


async def test_deltas_that_were_collected_leave_the_whole(tmp_path: Path) -> None:
    chain = ModelChain(3)
    chain.unserve("delta 2 0", "delta 2 1")
    reached = await go(Folder(tmp_path, chain, "model 1"), 3)
    assert reached.how == "fetched"
