"""Reaching a model: by the way that takes the fewest bytes, and by the next one where that fails.

    state ─▶ ancestry ─▶ specs and sheets ─▶ cheapest way ─▶ fetch, derive ─▶ ... ─▶ the model's file
                 ▲                                              │ failed: barred
                 └──────────────────────────────────────────────┘

Nodes and those who only look go through `reach`, each with a `Shelf` of their own. Whatever a derivation
gives that has not the recorded digest is no model: it is told with its cause, and another way is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from jepanet.errors import Exit, JepanetError, Rejected, Transient
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, decode_spec
from jepanet.protocol.documents.spec_checks import Methods, check_methods, check_spec
from jepanet.protocol.models.ancestry import Ancestry, Step, ancestry
from jepanet.protocol.models.ways import Barred, By, Leg, Link, Route, Sizes, Way, Whole, cheapest, fewest
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, decode_sheet
from jepanet.protocol.state import NodeState, Project
from jepanet.traffic import BlobKind
from jepanet.types import Digest, RoundId
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from jepanet.work.requests.files import RoundFiles
from jepanet.work.requests.merging import AcceptedDelta

How = Literal["held", "derived", "fetched"]


class Shelf(Protocol):
    """Where blobs are, and how they come here. What it raises is as `take` says where nothing is said."""

    def held(self, digest: Digest) -> bool:
        """Whether the blob is here."""

    async def take(
        self, what: str, kind: BlobKind, digest: Digest, *, max_bytes: int, round_id: RoundId
    ) -> Path:
        """The blob's file, fetched if it is not here. `round_id`: the round that it belongs to.

        Raises:
            Transient: nobody serves it; or there is no room for it (code `DISK_FULL`).
            Rejected: larger than `max_bytes`, or damaged beyond help.
        """

    async def document(self, what: str, digest: Digest, *, max_bytes: int, round_id: RoundId) -> bytes:
        """The content of a document, fetched if it is not here. Raises as `take`."""

    def draft(self, name: str) -> Path:
        """Where a file of this name may be written until `keep` takes it."""

    async def keep(self, kind: BlobKind, made: Path, digest: Digest, *, round_id: RoundId) -> None:
        """Takes a file that was made here among the blobs. Raises: Transient where it has no room."""

    async def reached(self, model: Digest) -> None:
        """A model on the way is here: what led to it need no longer be kept for this."""

    async def sound(self, digest: Digest) -> bool:
        """Whether the blob's file still has its digest; one that has not is set aside, and held no more."""

    async def derive(self, request: DeriveModel) -> DerivedModel:
        """Has a model derived. Raises: Transient where the worker failed; Rejected as the job."""

    def remainder_of(self, model: Path) -> Digest | None:
        """The remainder that a model's file names. Raises: Rejected for what is no model."""

    def mismatched(self, leg: Leg, cause: str) -> None:
        """A derivation gave another model than was recorded; `cause` says which input or step is wrong."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A model that is here, and how it came."""

    path: Path
    how: How
    links: int = 0
    """How many models were derived on the way."""
    routes: tuple[Route, ...] = ()
    bytes: int = 0
    """Of the files that were fetched for it: a whole model, deltas, updates, remainders."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model of a project, and what is known of how to get there."""

    model: Digest
    project: Project
    state: Callable[[], NodeState]
    """The newest state: a reorganisation may undo a record while its model is on its way."""
    sizes: Sizes
    methods: Methods
    what: str = "model"
    """What messages call it."""
    patient: Callable[[], bool] = lambda: False
    """Whether who holds an older model shall wait for a late update or delta, and fetch no model whole."""
    barred: frozenset[Barred] = frozenset()
    """What is known to lead nowhere."""


async def reach(wanted: Wanted, shelf: Shelf, *, round_id: RoundId) -> Reached:
    """Brings a model here. `round_id`: the round that it is wanted for.

    Raises:
        Transient: nobody serves what any way to it needs, or (where `patient`) not yet; no room; the worker
            failed.
    """
    return await _Pursuit(wanted, shelf, round_id).run()


@dataclass
class _Pursuit:
    """One model on its way. Every turn of `run` brings something here or bars something, so it ends."""

    wanted: Wanted
    shelf: Shelf
    round_id: RoundId
    barred: set[Barred] = field(default_factory=set)
    missing: list[JepanetError] = field(default_factory=list)
    """Why each was barred."""
    links: dict[tuple[RoundId, Digest, Digest, Digest], Link | None] = field(default_factory=dict)
    """What documents said, by round, base, spec and sheet (a reorganisation may change them); None for one
    whose documents are of no use or not to be had."""
    late: bool = False
    """Whether something that was barred may only be late."""
    false: bool = False
    """Whether a derivation gave another model than was recorded."""
    mended: set[By] = field(default_factory=set)
    follows: bool | None = None
    """Whether an older model is here from which it is no more to derive this one than to fetch it."""
    bytes: int = 0
    routes: list[Route] = field(default_factory=list)
    fetched: bool = False

    async def run(self) -> Reached:
        self.barred |= self.wanted.barred
        while True:
            before, lines = await self._lineage()
            way = cheapest(
                self.wanted.model, lines, self.wanted.sizes, held=self.shelf.held,
                barred=frozenset(self.barred), rooted=before.rooted and len(lines) == len(before.steps),
            )  # fmt: skip
            if self.follows is None:
                cut = len(lines) < len(before.steps) and self._held_below(before.steps[len(lines) :])
                self.follows = way is None or not way.fetched or (cut and self.late)
            if way is None:
                raise self._nothing_left()
            if way.fetched:
                await self._fetch(way)
            elif way.legs:
                await self._go(way.legs[0], way.start)
            else:
                return await self._arrive()

    # ------------------------------------------------------------ where the way leads

    async def _lineage(self) -> tuple[Ancestry, tuple[Link, ...]]:
        """The recorded rounds that lead to the model; and of them, newest first, as many links as may pay."""
        wanted = self.wanted
        before = ancestry(wanted.state(), wanted.project.id, wanted.model)
        lines: list[Link] = []
        spent, best = 0, None if Whole(wanted.model) in self.barred else 2 * wanted.sizes.dense
        for number, step in enumerate(before.steps):
            if self.shelf.held(step.recorded.model):
                break
            if not self._may_pay(before, number, spent, best):
                break
            link = await self._link(step)
            if link is None:
                break
            lines.append(link)
            more = fewest(link, wanted.sizes, self.shelf.held, frozenset(self.barred))
            if more is None:
                break
            spent += more
        return before, tuple(lines)

    def _may_pay(self, before: Ancestry, number: int, spent: int, best: int | None) -> bool:
        """Whether to ask for the documents of one link more: nobody reads those of a hundred in vain."""
        if best is None:
            return True
        if self._held_below(before.steps[number:]):
            return spent <= best
        return before.rooted and spent + self.wanted.sizes.dense < best

    def _held_below(self, steps: tuple[Step, ...]) -> bool:
        return any(self.shelf.held(step.round.base) for step in steps)

    async def _link(self, step: Step) -> Link | None:
        said = (step.round.id, step.round.base, step.round.params.spec, step.recorded.sheet)
        if said not in self.links:
            try:
                self.links[said] = await self._documents(step)
            except (Transient, Rejected) as error:
                self._miss(error)
                self.links[said] = None
        return self.links[said]

    async def _documents(self, step: Step) -> Link:
        """Reads a recorded round's spec and sheet.

        Raises:
            Transient: one has no provider. Rejected: one contradicts the chain, or names what this program
                does not have.
        """
        round_, project = step.round, self.wanted.project
        digest = round_.params.spec
        data = await self.shelf.document("round spec", digest, max_bytes=MAX_SPEC_BYTES, round_id=round_.id)
        spec = decode_spec(data)
        check_methods(spec, self.wanted.methods)
        check_spec(spec, project=project.id, base=round_.base, recipe=project.recipe, dataset=project.dataset)
        data = await self.shelf.document(
            "score sheet", step.recorded.sheet, max_bytes=MAX_SHEET_BYTES, round_id=round_.id
        )
        sheet = decode_sheet(data)
        if (sheet.round_id, sheet.base, sheet.model) != (round_.id, round_.base, step.recorded.model):
            raise Rejected(f"the sheet of round {round_.id} is not of this round", reason="broken-chain")
        return Link(round_.id, round_.base, step.recorded.model, spec, digest, sheet.accepted, sheet.update)

    # ------------------------------------------------------------ going

    async def _fetch(self, way: Way) -> None:
        if self.follows and self.late and not self.false and self.wanted.patient():
            raise self._not_yet()
        try:
            what = self.wanted.what if way.start == self.wanted.model else "older model"
            await self._take(what, "model", way.start, self.wanted.sizes.most, self.round_id)
        except (Transient, Rejected) as error:
            self._bar(Whole(way.start), error)
        else:
            self.fetched = True

    async def _go(self, leg: Leg, start: Digest) -> None:
        """Makes the model of one link, or bars its route."""
        link, by = leg.link, By(leg.link.round_id, leg.route)
        kinds: tuple[BlobKind, ...] = ("model", "update", "remainder")
        drafts = {kind: self.shelf.draft(f"derived-{link.round_id}-{kind}.safetensors") for kind in kinds}
        try:
            request = await self._request(leg, start, drafts)
            made, cause = await self._derived(request)
            if made is None:
                await self._mend_or_bar(leg, cause)
                return
            await self._keep(leg, made, drafts)
        except (Transient, Rejected) as error:
            self._bar(by, error)
            return
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        self.routes.append(leg.route)
        await self.shelf.reached(link.model)

    async def _request(self, leg: Leg, start: Digest, drafts: Mapping[BlobKind, Path]) -> DeriveModel:
        """Everything that a link needs, here. Raises as `Shelf.take`."""
        link, sizes, number = leg.link, self.wanted.sizes, leg.link.round_id
        base = await self._take("base model", "model", start, sizes.most, number)
        recipe = await self._take("recipe", "document", link.spec.recipe, sizes.most, number)
        spec = await self._take("round spec", "document", link.spec_digest, MAX_SPEC_BYTES, number)
        files, rule = RoundFiles(base=base, recipe=recipe, spec=spec), link.spec.update
        if leg.route is Route.UPDATE:
            assert rule is not None and link.update is not None
            cap = sizes.encoded(rule.codec)
            path = await self._take("update", "update", link.update, cap, number)
            return DeriveModel(
                round=files, number=number, deltas=(), update=AcceptedDelta(link.update, path),
                remainder=None, expected=link.model, target=drafts["model"],
            )  # fmt: skip
        remainder = None
        if rule is not None and rule.carry_milli:
            name = self.shelf.remainder_of(base)
            if name is not None:
                remainder = await self._take("remainder", "remainder", name, sizes.most, number)
        return DeriveModel(
            round=files, number=number, deltas=await self._deltas(link), update=None, remainder=remainder,
            expected=link.model, target=drafts["model"],
            update_target=drafts["update"] if rule else None,
            remainder_target=drafts["remainder"] if rule and rule.carry_milli else None,
        )  # fmt: skip

    async def _keep(self, leg: Leg, made: DerivedModel, drafts: Mapping[BlobKind, Path]) -> None:
        """The model, and what the merge done again gave beside it: whoever holds those can serve them."""
        files: dict[BlobKind, Digest | None] = {"model": made.digest}
        if leg.route is Route.DELTAS:
            files |= {"update": made.update, "remainder": made.remainder}
        for kind, digest in files.items():
            if digest is not None:
                await self.shelf.keep(kind, drafts[kind], digest, round_id=leg.link.round_id)

    async def _deltas(self, link: Link) -> tuple[AcceptedDelta, ...]:
        """All of them at once; those that are to be had are here also where one is not. Raises as `take`."""
        # What decodes is no larger, whatever the spec would allow.
        cap = min(link.spec.max_delta_bytes, self.wanted.sizes.encoded(link.spec.codec))
        found = await asyncio.gather(
            *(self._take("delta", "delta", digest, cap, link.round_id) for digest in link.deltas),
            return_exceptions=True,
        )
        deltas = []
        for digest, path in zip(link.deltas, found, strict=True):
            if isinstance(path, BaseException):
                raise path
            deltas.append(AcceptedDelta(digest, path))
        return tuple(deltas)

    async def _derived(self, request: DeriveModel) -> tuple[DerivedModel | None, str]:
        """The model that was recorded; or None, and why it was not that one. Raises: Transient."""
        try:
            made = await self.shelf.derive(request)
        except Rejected as error:
            return None, error.message
        return (made, "") if made.digest == request.expected else (None, made.cause)

    async def _take(
        self, what: str, kind: BlobKind, digest: Digest, max_bytes: int, round_id: RoundId
    ) -> Path:
        here = self.shelf.held(digest)
        path = await self.shelf.take(what, kind, digest, max_bytes=max_bytes, round_id=round_id)
        if not here and kind != "document":
            self.bytes += path.stat().st_size
        return path

    async def _mend_or_bar(self, leg: Leg, cause: str) -> None:
        """A file that decayed on this disk is fetched anew, once; whatever else is wrong bars the route."""
        by = By(leg.link.round_id, leg.route)
        used = [leg.link.base, leg.link.spec.recipe, leg.link.spec_digest, *leg.link.deltas]
        used += [leg.link.update] if leg.link.update else []
        decayed = [
            digest for digest in used if self.shelf.held(digest) and not await self.shelf.sound(digest)
        ]
        if decayed and by not in self.mended:
            self.mended.add(by)
            return
        self.shelf.mismatched(leg, cause)
        self.false = True
        message = (
            f"round {leg.link.round_id}: its {leg.route.value} give another model than was recorded: {cause}"
        )
        self._bar(by, Rejected(message, reason="wrong-model"))

    async def _arrive(self) -> Reached:
        path = await self._take(
            self.wanted.what, "model", self.wanted.model, self.wanted.sizes.most, self.round_id
        )
        how: How = "fetched" if self.fetched else "derived" if self.routes else "held"
        return Reached(path, how, len(self.routes), tuple(self.routes), self.bytes)

    # ------------------------------------------------------------ what fails

    def _bar(self, what: Barred, error: JepanetError) -> None:
        self._miss(error)
        self.barred.add(what)

    def _miss(self, error: JepanetError) -> None:
        if error.code in (Exit.DISK_FULL, Exit.NO_PEERS):
            raise error  # it stands in every other way too
        self.late = self.late or isinstance(error, Transient)
        self.missing.append(error)

    def _not_yet(self) -> Transient:
        return Transient(
            f"the model {self.wanted.model.hex()} is to be derived, and what that takes is not served yet: "
            f"{self._reasons()}",
        )

    def _nothing_left(self) -> Transient:
        told = [error.remedy for error in self.missing if error.remedy]
        return Transient(
            f"{self.wanted.what}: there is no way to {self.wanted.model.hex()}: {self._reasons()}",
            remedy=told[-1]
            if told
            else "connect to peers that took part in the project's last rounds, or to its proposer, who "
            "keeps them; see 'A model that nobody serves' in docs/operations.md",
            code=Exit.NOT_FOUND,
        )

    def _reasons(self) -> str:
        return (
            "; ".join(dict.fromkeys(error.message for error in self.missing)) or "every way was tried before"
        )
