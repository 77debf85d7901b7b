"""A project of several recorded rounds and who serves what of it, for tests of how models are reached.

Files are real documents where they are read, and stand-ins where only a worker would read them: the model of
round n is the text `model n`, and `derive` gives it to whoever brings the right base and files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.errors import Exit, Rejected, Transient
from jepanet.protocol.documents.spec import UpdateRule, encode_spec
from jepanet.protocol.documents.spec_checks import Methods
from jepanet.protocol.facts import RoundParams
from jepanet.protocol.models.ways import Leg, Route, Sizes
from jepanet.protocol.settling.sheet import ScoreSheet, derive_sheet, encode_sheet
from jepanet.protocol.state import Identity, NodeState, Project, Recorded, Round, Status
from jepanet.traffic import BlobKind
from jepanet.types import Digest, ProjectId, RoundId
from jepanet.work.reaching import Wanted
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from round_samples import GOOD, a_spec, account, digest, reports_of, some_facts

PROJECT = ProjectId(1)
METHODS = Methods(("fp32", "int8", "topk3"), ("mean",))
DENSE = 1000
SIZES = Sizes(DENSE, 3 * DENSE, {"fp32": 1010, "int8": 260, "topk3": 12}.__getitem__)
RECIPE = b"recipe"


def model_text(number: int) -> bytes:
    return f"model {number}".encode()


@dataclass
class ModelChain:
    """`rounds` recorded rounds of two deltas each, ids from 1; round n made model n of model n - 1."""

    rounds: int
    rule: UpdateRule | None = None
    codec: str = "topk3"
    withheld: frozenset[int] = frozenset()
    """Rounds whose merge was withheld: their model is their base."""
    served: dict[Digest, bytes] = field(default_factory=dict)
    """What peers serve."""
    specs: dict[int, Digest] = field(default_factory=dict)
    sheets: dict[int, ScoreSheet] = field(default_factory=dict)
    state: NodeState = field(init=False)

    def __post_init__(self) -> None:
        base, found = 0, {}
        self._serve(RECIPE, model_text(0))
        for number in range(1, self.rounds + 1):
            after = base if number in self.withheld else number
            found[RoundId(number)] = self._round(number, base, after)
            base = after
        project = Project(
            PROJECT, account("owner"), digest_of(RECIPE), digest("dataset"), digest_of(model_text(base)),
            bytes(32), 8, 1, digest("metadata"), rounds=self.rounds,
        )  # fmt: skip
        self.state = NodeState(
            Identity(account("me"), frozenset()), projects={PROJECT: project}, rounds=found
        )

    def _round(self, number: int, base: int, after: int) -> Round:
        published = base != after
        spec = a_spec(
            base=digest_of(model_text(base)), recipe=digest_of(RECIPE), codec=self.codec, update=self.rule
        )
        facts = some_facts(2)
        names = [self._serve(f"delta {number} {index}".encode()) for index in range(2)]
        facts = replace(
            facts, round_id=RoundId(number), base=spec.base, spec=digest_of(encode_spec(spec)),
            reveals=tuple(
                replace(item, digest=name) for item, name in zip(facts.reveals, names, strict=True)
            ),
        )  # fmt: skip
        update = self._serve(f"update {number}".encode()) if self.rule and published else None
        sheet = derive_sheet(
            facts, spec, reports_of(facts, [[GOOD, GOOD]] * 3),
            model=digest_of(model_text(after)), improvement=1000 if published else 0, update=update,
        )  # fmt: skip
        self.sheets[number] = sheet
        self._serve(encode_spec(spec), encode_sheet(sheet), model_text(after))
        self.specs[number] = facts.spec
        params = RoundParams(
            PROJECT, facts.spec, budget=1, fee=1, bond=1, unseal_bond=1, commit_duration=800, gap=10,
            reveal_duration=10, verify_duration=10, challenge_duration=800, max_solvers=0,
            extension=bytes(32), allow_list=bytes(32),
        )  # fmt: skip
        return Round(
            RoundId(number), PROJECT, account("owner"), params, spec.base, 1, bytes(32),
            opened_at=1000 * number, commit_end=1000 * number + 800,
            recorded=Recorded(
                bytes(32), sheet.model, digest_of(encode_sheet(sheet)), 5, 1000, 9000, bytes(32), 1
            ),
            recorded_at=1000 * number + 850, status=Status.SETTLED, ended_at=1000 * number + 900,
        )  # fmt: skip

    def _serve(self, *files: bytes) -> Digest:
        for data in files:
            self.served[digest_of(data)] = data
        return digest_of(files[-1])

    def model(self, number: int) -> Digest:
        return digest_of(model_text(number))

    def unserve(self, *texts: str) -> None:
        """Peers no longer have these files; `documents 3` are spec and sheet of round 3."""
        for text in texts:
            word, _, number = text.partition(" ")
            if word == "documents":
                del self.served[self.specs[int(number)]]
                self.served.pop(digest_of(encode_sheet(self.sheets[int(number)])), None)
            else:
                del self.served[digest_of(text.encode())]

    def forget(self, *numbers: int) -> None:
        """The state forgets rounds, or a reorganisation undoes them."""
        left = {key: item for key, item in self.state.rounds.items() if key not in numbers}
        self.state = replace(self.state, rounds=left)

    def change(self, number: int, **changes: object) -> None:
        round_ = replace(self.state.rounds[RoundId(number)], **changes)  # type: ignore[arg-type]
        self.state = replace(self.state, rounds={**self.state.rounds, RoundId(number): round_})

    def wanted(self, number: int, *, patient: bool = False, sizes: Sizes = SIZES) -> Wanted:
        return Wanted(
            self.model(number), self.state.projects[PROJECT], lambda: self.state, sizes, METHODS,
            patient=lambda: patient,
        )  # fmt: skip

    def derive(self, request: DeriveModel, false: Callable[[DeriveModel], str | None]) -> DerivedModel:
        """What the worker's job does, with texts for weights; `false`: why this machine gets it wrong."""
        number = int(request.number)
        sheet = self.sheets[number]
        cause = false(request)
        base = request.round.base.read_bytes()
        if digest_of(base) != sheet.base:
            cause = "base: it has another hash"
        for item in (*request.deltas, *([request.update] if request.update else [])):
            if digest_of(item.path.read_bytes()) != item.digest:
                cause = f"delta: {item.digest.hex()} has another hash"
        made = model_text(number)
        assert digest_of(made) == request.expected or cause
        if request.update is None:
            assert [item.digest for item in request.deltas] == list(sheet.accepted)
        if cause is not None:
            return DerivedModel(digest("another model"), None, None, cause)
        request.target.write_bytes(made)
        if request.update_target is not None:
            request.update_target.write_bytes(f"update {number}".encode())
        return DerivedModel(digest_of(made), sheet.update, None, "")


class Folder:
    """A shelf (`jepanet.work.reaching.Shelf`): files in one folder, peers that serve what a chain serves."""

    def __init__(self, folder: Path, chain: ModelChain, *held: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.chain = folder, chain
        self.taken: list[tuple[BlobKind, bytes]] = []
        """Kind and content of what was fetched, documents apart."""
        self.documents = 0
        self.derived: list[tuple[int, Route]] = []
        self.mismatches: list[tuple[int, Route, str]] = []
        self.full = False
        self.false: Callable[[DeriveModel], str | None] = lambda request: None
        self.before_deriving: Callable[[], None] = lambda: None
        for text in held:
            self._put(text.encode())

    def _put(self, data: bytes) -> Path:
        path = self.folder / digest_of(data).hex()
        path.write_bytes(data)
        return path

    def held(self, digest: Digest) -> bool:
        return (self.folder / digest.hex()).exists()

    async def take(
        self, what: str, kind: BlobKind, digest: Digest, *, max_bytes: int, round_id: RoundId
    ) -> Path:
        path = self.folder / digest.hex()
        if path.exists():
            return path
        if self.full:
            raise Transient("no room", code=Exit.DISK_FULL)
        data = self.chain.served.get(digest)
        if data is None:
            raise Transient(f"{what}: nobody serves {digest.hex()[:8]}")
        if len(data) > max_bytes:
            raise Rejected(f"{what}: too large", reason="too-large")
        if kind == "document":
            self.documents += 1
        else:
            self.taken.append((kind, data))
        return self._put(data)

    async def document(self, what: str, digest: Digest, *, max_bytes: int, round_id: RoundId) -> bytes:
        path = await self.take(what, "document", digest, max_bytes=max_bytes, round_id=round_id)
        return path.read_bytes()

    def draft(self, name: str) -> Path:
        return self.folder / name

    async def keep(self, kind: BlobKind, made: Path, digest: Digest, *, round_id: RoundId) -> None:
        self._keep(made, digest)

    def _keep(self, made: Path, digest: Digest) -> None:
        assert digest_of(made.read_bytes()) == digest
        made.rename(self.folder / digest.hex())

    async def reached(self, model: Digest) -> None:
        assert self.held(model)

    async def sound(self, digest: Digest) -> bool:
        path = self.folder / digest.hex()
        if digest_of(path.read_bytes()) == digest:
            return True
        path.unlink()
        return False

    async def derive(self, request: DeriveModel) -> DerivedModel:
        self.before_deriving()
        self.derived.append((int(request.number), Route.UPDATE if request.update else Route.DELTAS))
        return self.chain.derive(request, self.false)

    def remainder_of(self, model: Path) -> Digest | None:
        return None

    def mismatched(self, leg: Leg, cause: str) -> None:
        self.mismatches.append((int(leg.link.round_id), leg.route, cause))

    def drafts(self) -> Sequence[Path]:
        return [path for path in self.folder.iterdir() if len(path.name) != 64]
