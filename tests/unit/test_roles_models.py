"""A node's models: derived and served on, pinned while they are on their way, looked for once at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import digest
from structlog.testing import capture_logs

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.protocol.documents.spec import UpdateRule
from jepanet.protocol.duties import KeepRound, PrepareRound
from jepanet.protocol.models.keeping import ROUNDS_KEPT, kept_rounds
from jepanet.protocol.state import Round
from jepanet.roles import proposer as proposer_module
from jepanet.roles.context import Turns
from jepanet.roles.proposer import Proposer
from jepanet.roles.steps import preparation as preparation_module
from jepanet.roles.steps.models import obtain_base, obtain_result, way_pin
from jepanet.roles.steps.preparation import Preparation
from jepanet.storage.blobs.store import BlobStore
from jepanet.traffic import Traffic
from jepanet.types import Digest, RoundId
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from model_chain import METHODS, PROJECT, RECIPE, SIZES, ModelChain, model_text
from round_samples import account

pytestmark = pytest.mark.unit

RULE = UpdateRule("int8")
SUMMARY: Any = SimpleNamespace(
    torch="",
    dense_bytes=SIZES.dense,
    max_model_bytes=SIZES.most,
    aligns=False,
    training_bytes=9_000,
    measuring_bytes=3_000,
    least=0.0,
    backbone=None,
)


class Documents:
    max_recipe_bytes = 100

    def encoded_bytes(self, recipe: bytes, codec: str) -> int:
        assert recipe == RECIPE
        return SIZES.encoded(codec)

    def remainder_of(self, model: Path) -> Digest | None:
        return None


class Journal:
    def __init__(self) -> None:
        self.kept: dict[int, dict[str, str]] = {}

    def notes(self, round_id: int) -> dict[str, str]:
        return self.kept.get(round_id, {})

    def put_note(self, round_id: int, name: str, payload: str) -> None:
        self.kept.setdefault(round_id, {})[name] = payload


class Node:
    """One node of a chain of rounds, with a real blob store; peers serve what the chain serves."""

    def __init__(self, folder: Path, chain: ModelChain, *held: str, budget: int = 1 << 20) -> None:
        self.chain = chain
        self.blobs = BlobStore(folder / "blobs", budget)
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)
        self.asked: list[bytes] = []
        self.derived: list[int] = []
        self.false: Callable[[DeriveModel], str | None] = lambda request: None
        self.while_deriving: Callable[[], None] = lambda: None
        self.now = 0
        self.context: Any = SimpleNamespace(
            torch="2.13.0",
            memory=None,
            operations=None,
            blobs=self.blobs, network=self, traffic=Traffic(), turns=Turns(), work=self.work,
            providers=lambda name: (), methods=METHODS, documents=Documents(), journal=Journal(),
            derivations=self, jobs=self, me=account("me"), keep_deltas=False,
            state=lambda: self.state, project=lambda number: chain.state.projects[number],
            round=lambda number: chain.state.rounds[number], shortest_window=self.shortest_window,
        )  # fmt: skip
        for text in (*held, RECIPE.decode()):
            self.blobs.put_bytes(text.encode())

    async def shortest_window(self) -> float:
        return 0.0

    @property
    def state(self) -> Any:
        return SimpleNamespace(
            has_part_in=lambda _: False,
            now=self.now, rounds=self.chain.state.rounds, projects=self.chain.state.projects,
            me=self.chain.state.me, members=lambda round_: (),
        )  # fmt: skip

    async def fetch(self, name: bytes, *, max_bytes: int, directory: Path, **rest: Any) -> Path:
        await asyncio.sleep(0)
        data = self.chain.served.get(Digest(name))
        if data is None:
            raise Transient("nobody serves it")
        self.asked.append(data)
        assert len(data) <= max_bytes
        path = directory / name.hex()
        path.write_bytes(data)
        return path

    async def start(self) -> None:
        pass

    async def run(self, request: DeriveModel) -> DerivedModel:
        await asyncio.sleep(0)
        self.while_deriving()
        self.derived.append(int(request.number))
        return self.chain.derive(request, self.false)

    def files(self) -> list[str]:
        """What was fetched, documents apart."""
        return [data.decode() for data in self.asked if data[:1] != b"{"]

    def round(self, number: int) -> Round:
        return self.chain.state.rounds[RoundId(number)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(chain: ModelChain, *held: str, **options: Any) -> Node:
        made.append(Node(tmp_path, chain, *held, **options))
        return made[-1]

    yield make
    for item in made:
        item.blobs.close()


def open_round(chain: ModelChain, number: int) -> None:
    """The last round has not recorded yet; its base is the model of the one before."""
    chain.change(number, recorded=None, ended_at=0)


async def base_of(node: Node, number: int) -> Path:
    return await obtain_base(node.context, node.round(number), SUMMARY, pin=f"round/{number}")


# ------------------------------------------------------------------ deriving and serving


async def test_a_base_is_derived_pinned_for_its_round_and_served(node: Callable[..., Node]) -> None:
    chain = ModelChain(2, RULE, "int8")
    open_round(chain, 2)
    mine = node(chain, "model 0")
    with capture_logs() as lines:
        path = await base_of(mine, 2)
    assert path.read_bytes() == model_text(1)
    assert mine.files() == ["update 1"]
    assert mine.blobs.is_public(chain.model(1))
    assert mine.blobs.pins(chain.model(1)) == {"round/2"}
    update = digest_of(b"update 1")
    assert mine.blobs.is_public(update) and mine.blobs.pins(update) == {"round/1"}
    told = [item for item in lines if item["event"] == "model.derived"]
    assert [(item["round"], item["links"], item["route"], item["bytes"]) for item in told] == [
        (2, 1, ["update"], len(b"update 1"))
    ]
    assert list(mine.work.iterdir()) == []


async def test_a_newcomer_says_that_it_fetched_a_model(node: Callable[..., Node]) -> None:
    chain = ModelChain(9)
    with capture_logs() as lines:
        await base_of(node(chain), 9)
    assert [item["event"] for item in lines if item["event"].startswith("model.")] == ["model.fetched"]


async def test_only_the_files_of_the_last_rounds_stay(node: Callable[..., Node]) -> None:
    chain = ModelChain(ROUNDS_KEPT + 4)
    mine = node(chain, "model 0")
    await obtain_result(mine.context, mine.round(ROUNDS_KEPT + 4), SUMMARY, pin="wanted")
    kept = kept_rounds(mine.state)
    assert kept == set(range(5, ROUNDS_KEPT + 5))
    for number in range(1, ROUNDS_KEPT + 5):
        pins = mine.blobs.pins(digest_of(f"delta {number} 0".encode()))
        assert pins == ({f"round/{number}"} if number in kept else set())
    assert mine.blobs.pins(chain.model(3)) == set(), "what was passed on the way is let go"
    assert mine.blobs.pins(chain.model(ROUNDS_KEPT + 4)) == {"wanted"}


async def test_two_duties_that_want_one_model_derive_it_once(node: Callable[..., Node]) -> None:
    chain = ModelChain(3, RULE, "int8")
    mine = node(chain, "model 0")
    paths = await asyncio.gather(
        base_of(mine, 3), base_of(mine, 3), obtain_result(mine.context, mine.round(2), SUMMARY, pin="kept")
    )
    assert mine.derived == [1, 2]
    assert mine.files() == ["update 1", "update 2"]
    assert paths[0] == paths[1] == paths[2].path
    assert mine.blobs.pins(chain.model(2)) == {"round/3", "kept"}


# ------------------------------------------------------------------ pressure and crashes


async def test_what_is_needed_is_not_collected_while_a_model_is_derived(node: Callable[..., Node]) -> None:
    chain = ModelChain(3, RULE, "int8")
    chain.change(1, ended_at=1)
    mine = node(chain, "model 0", budget=1 << 15)

    def press() -> None:
        """Strangers' blobs: more than the budget has room for."""
        for number in range(40):
            mine.blobs.put_bytes(bytes([number]) * 1000)
        for owner in ("round/1", "round/2", "round/3"):
            mine.blobs.unpin_owner(owner)  # as when the rounds are forgotten meanwhile

    mine.while_deriving = press
    path = await base_of(mine, 3)
    assert path.read_bytes() == model_text(2)
    assert mine.files() == ["update 1", "update 2"], "nothing was fetched twice"


async def test_a_store_full_of_pins_waits_for_room_and_fetches_nothing_more(
    node: Callable[..., Node],
) -> None:
    chain = ModelChain(2)
    mine = node(chain, "model 1", budget=1 << 14)
    while mine.blobs.used() < (1 << 14) - 600:
        mine.blobs.put_bytes(str(mine.blobs.used()).encode() * 100, pin="stranger")
    with pytest.raises(Transient) as caught:
        await obtain_result(mine.context, mine.round(2), SUMMARY, pin="kept")
    assert caught.value.code is Exit.DISK_FULL
    assert "model 2" not in mine.files()


async def test_a_crash_while_deriving_leaves_pins_that_the_next_try_takes_over(
    node: Callable[..., Node],
) -> None:
    chain = ModelChain(3, RULE, "int8")
    mine = node(chain, "model 0")

    def die() -> None:
        if mine.derived:
            raise Fatal("killed")

    mine.while_deriving = die
    with pytest.raises(Fatal):
        await base_of(mine, 3)
    mine.blobs.pin(digest("left behind"), way_pin(PROJECT))
    mine.while_deriving = lambda: None
    await base_of(mine, 3)
    assert mine.derived == [1, 2]
    assert mine.files() == ["update 1", "update 2"]
    assert mine.blobs.pins(digest("left behind")) == set()


# ------------------------------------------------------------------ late and false


async def test_a_late_update_is_waited_for_within_a_share_of_commit(node: Callable[..., Node]) -> None:
    chain = ModelChain(2, RULE, "int8")
    open_round(chain, 2)
    chain.unserve("update 1", "delta 1 0")
    mine = node(chain, "model 0")
    mine.now = mine.round(2).opened_at + 99
    with pytest.raises(Transient, match="not served yet"):
        await base_of(mine, 2)
    assert "model 1" not in mine.files()
    mine.now += 1  # an eighth of the 800 seconds of COMMIT
    assert (await base_of(mine, 2)).read_bytes() == model_text(1)
    assert mine.files()[-1] == "model 1"


async def test_a_mismatch_is_an_error_in_the_log_and_never_tried_again(node: Callable[..., Node]) -> None:
    chain = ModelChain(2, RULE, "int8")
    open_round(chain, 2)
    chain.unserve("model 1")
    mine = node(chain, "model 0")
    mine.false = lambda request: "build: all inputs are right"
    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(Transient, match="no way"):
                await base_of(mine, 2)
    told = [item for item in lines if item["event"] == "model.mismatched"]
    assert [(item["log_level"], item["route"], item["cause"]) for item in told] == [
        ("error", "update", "build: all inputs are right"),
        ("error", "deltas", "build: all inputs are right"),
    ]
    assert mine.derived == [1, 1]
    assert not mine.blobs.has(digest("another model"))
    chain.served[chain.model(1)] = model_text(1)
    assert (await base_of(mine, 2)).read_bytes() == model_text(1)


# ------------------------------------------------------------------ duties


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers find recipe and manifest read."""

    async def round_documents(context: Any, round_: Round) -> Any:
        from jepanet.protocol.documents.spec import decode_spec

        spec = decode_spec(context.network.chain.served[round_.params.spec])
        return SimpleNamespace(spec=spec, recipe=SUMMARY, shards=None)

    for module in (proposer_module, preparation_module):
        monkeypatch.setattr(module, "round_documents", round_documents)


@pytest.mark.usefixtures("desk")
async def test_preparing_a_round_derives_its_base(node: Callable[..., Node]) -> None:
    chain = ModelChain(2)
    open_round(chain, 2)
    mine = node(chain, "model 0", "delta 1 0")
    (prepared,) = await Preparation(mine.context).prepare(PrepareRound(RoundId(2)))
    assert prepared.round_id == 2
    assert mine.files() == ["delta 1 1"]
    assert mine.blobs.has(chain.model(1))


@pytest.mark.usefixtures("desk")
async def test_a_round_that_has_no_room_is_left_alone_before_anything_is_fetched(
    node: Callable[..., Node],
) -> None:
    chain = ModelChain(2)
    open_round(chain, 2)
    mine = node(chain, "model 0", "delta 1 0")
    mine.context.memory, mine.context.device = 2_999, "cpu"
    with pytest.raises(Rejected, match="round 2 takes about") as caught:
        await Preparation(mine.context).prepare(PrepareRound(RoundId(2)))
    assert caught.value.reason == "too-little-memory" and mine.files() == []
    mine.context.memory = 3_000
    assert await Preparation(mine.context).prepare(PrepareRound(RoundId(2)))


@pytest.mark.usefixtures("desk")
async def test_who_will_merge_has_the_remainder_before_the_round_begins(
    node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = ModelChain(2, RULE, "int8")
    open_round(chain, 2)
    left = digest_of(b"left by update 1")
    monkeypatch.setattr(Documents, "remainder_of", lambda self, model: left)
    mine = node(chain, "model 1")
    mine.context.me = account("aggregator")
    with capture_logs() as logs:
        assert await Preparation(mine.context).prepare(PrepareRound(RoundId(2)))
    (line,) = [line for line in logs if line["event"] == "remainder.missed"]
    assert "not served" in line["why"], "deltas can be scored all the same"
    chain.served[left] = b"left by update 1"
    mine.context.me = account("somebody")
    await Preparation(mine.context).prepare(PrepareRound(RoundId(2)))
    assert mine.files() == [], "who does not merge needs none"
    mine.context.me = account("aggregator")
    await Preparation(mine.context).prepare(PrepareRound(RoundId(2)))
    assert mine.files() == ["left by update 1"]
    assert mine.blobs.pins(left) == {"round/2"}


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("rule", "keep_deltas", "fetched"),
    [
        (None, False, ["delta 1 0", "delta 1 1"]),
        (RULE, False, ["update 1"]),
        (RULE, True, ["update 1", "delta 1 0", "delta 1 1"]),
    ],
    ids=["deltas", "update", "both"],
)
async def test_a_proposer_keeps_what_the_model_is_derived_from(
    node: Callable[..., Node], rule: UpdateRule | None, keep_deltas: bool, fetched: list[str]
) -> None:
    chain = ModelChain(1, rule, "int8")
    mine = node(chain, "model 0")
    mine.context.keep_deltas = keep_deltas
    await Proposer(mine.context).keep_round(KeepRound(RoundId(1)))
    assert sorted(mine.files()) == sorted(fetched)
    for text in fetched:
        assert "project/1" in mine.blobs.pins(digest_of(text.encode()))
    assert mine.blobs.has(chain.model(1))


@pytest.mark.usefixtures("desk")
async def test_whole_models_are_kept_now_and_then_and_the_newest_always(node: Callable[..., Node]) -> None:
    rounds = 2 * ROUNDS_KEPT + 3
    chain = ModelChain(rounds, RULE, "int8")
    mine = node(chain, "model 0")
    mine.blobs.pin(chain.model(0), "dataset")
    everything = chain.state.rounds
    for number in range(1, rounds + 1):
        past = {key: item for key, item in everything.items() if key <= number}
        chain.state = replace(chain.state, rounds=past)
        await Proposer(mine.context).keep_round(KeepRound(RoundId(number)))
    whole = [n for n in range(rounds + 1) if "project/1" in mine.blobs.pins(chain.model(n))]
    assert whole == [ROUNDS_KEPT + 1, 2 * (ROUNDS_KEPT + 1)]
    newest = [n for n in range(rounds + 1) if "project/1/newest" in mine.blobs.pins(chain.model(n))]
    assert newest == [rounds]


@pytest.mark.usefixtures("desk")
async def test_a_model_that_could_not_be_derived_is_kept_whole(node: Callable[..., Node]) -> None:
    chain = ModelChain(1)
    mine = node(chain, "model 0")
    mine.false = lambda request: "build: all inputs are right"
    await Proposer(mine.context).keep_round(KeepRound(RoundId(1)))
    assert "project/1" in mine.blobs.pins(chain.model(1))


@pytest.mark.usefixtures("desk")
async def test_after_rounds_that_were_missed_a_whole_model_begins_anew(node: Callable[..., Node]) -> None:
    chain = ModelChain(3, RULE, "int8")
    mine = node(chain, "model 0")
    mine.blobs.pin(chain.model(0), "dataset")
    await Proposer(mine.context).keep_round(KeepRound(RoundId(3)))
    assert mine.derived == [1, 2, 3]
    assert "project/1" in mine.blobs.pins(chain.model(3))


@pytest.mark.usefixtures("desk")
async def test_of_a_withheld_round_nothing_but_sheet_and_spec_is_kept(node: Callable[..., Node]) -> None:
    chain = ModelChain(1, RULE, "int8", withheld=frozenset({1}))
    mine = node(chain, "model 0")
    await Proposer(mine.context).keep_round(KeepRound(RoundId(1)))
    assert mine.files() == []
    assert mine.derived == []


@pytest.mark.usefixtures("desk")
async def test_a_record_that_was_undone_is_not_kept(node: Callable[..., Node]) -> None:
    chain = ModelChain(1)
    open_round(chain, 1)
    mine = node(chain, "model 0")
    assert await Proposer(mine.context).keep_round(KeepRound(RoundId(1))) == []
    assert mine.asked == []
