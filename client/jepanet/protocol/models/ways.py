"""The way to a model that takes the fewest bytes: fetched whole, or made of an older one link by link.

    held or fetched ──deltas──▶ model ──update──▶ model ──▶ ... ──▶ the model that is wanted

A link leads from the base of a recorded round to its model, by one of two routes: the round's accepted
deltas (the merge done again), or its coded update, where the round's spec has a rule for one. Pure: what is
held, and what was tried in vain, are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jepanet.protocol.documents.spec import RoundSpec
from jepanet.types import Digest, RoundId


class Route(StrEnum):
    """How a link is made."""

    UPDATE = "update"
    DELTAS = "deltas"


@dataclass(frozen=True, slots=True)
class Link:
    """What a recorded round, its spec and its sheet say of the way from its base to its model."""

    round_id: RoundId
    base: Digest
    model: Digest
    spec: RoundSpec
    spec_digest: Digest
    deltas: tuple[Digest, ...]
    """Those that were merged, in digest order."""
    update: Digest | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the files of a recipe, before any is fetched."""

    dense: int
    """Its weights in float32."""
    most: int
    """What no model or remainder file of the recipe exceeds."""
    encoded: Callable[[str], int]
    """Codec -> most bytes of a delta or an update in it."""

    def whole(self, made_by: Link | None, *, first: bool) -> int:
        """Of a model file, without its header: weights and, after an outer step with momentum, velocity."""
        if first or (made_by and made_by.spec.update and not made_by.spec.merge.outer_momentum_milli):
            return self.dense
        return 2 * self.dense


@dataclass(frozen=True, slots=True)
class Whole:
    """Fetching a model as a whole."""

    model: Digest


@dataclass(frozen=True, slots=True)
class By:
    """Making the model of a round by one route."""

    round_id: RoundId
    route: Route


Barred = Whole | By
"""What was tried in vain."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One link of a way, and the route it is made by."""

    link: Link
    route: Route


@dataclass(frozen=True, slots=True)
class Way:
    """From a model that is held, or is fetched whole, by legs to the model that is wanted."""

    start: Digest
    fetched: bool
    legs: tuple[Leg, ...]
    """Oldest first."""
    bytes: int
    """At most so many are to be fetched."""


def cheapest(
    target: Digest,
    links: Sequence[Link],
    sizes: Sizes,
    *,
    held: Callable[[Digest], bool],
    barred: frozenset[Barred] = frozenset(),
    rooted: bool = False,
) -> Way | None:
    """The way to `target` for which the fewest bytes are to be fetched; None where every one is barred.

    Args:
        links: newest first; the first one's model is `target`, each other's model the base of the one before.
        held: whether a blob is in the store.
        rooted: whether the base of the last link is the first model of the project.

    Of two ways of the same bytes, the one that fetches no model is taken, then the one with fewer legs.
    """
    best: Way | None = None
    legs: tuple[Leg, ...] = ()
    spent, model = 0, target
    for number in range(len(links) + 1):
        link = links[number] if number < len(links) else None
        if held(model):
            if best is None or spent <= best.bytes:
                best = Way(model, False, legs, spent)
            break  # what is older takes more
        whole = spent + sizes.whole(link, first=rooted and link is None)
        if Whole(model) not in barred and (best is None or whole < best.bytes):
            best = Way(model, True, legs, whole)
        taken = _shorter(link, sizes, held, barred) if link else None
        if link is None or taken is None:
            break
        route, more = taken
        legs, spent, model = (Leg(link, route), *legs), spent + more, link.base
    return best


def fewest(link: Link, sizes: Sizes, held: Callable[[Digest], bool], barred: frozenset[Barred]) -> int | None:
    """Bytes to fetch for a link by its shorter route; None where both are barred."""
    taken = _shorter(link, sizes, held, barred)
    return None if taken is None else taken[1]


def _shorter(
    link: Link, sizes: Sizes, held: Callable[[Digest], bool], barred: frozenset[Barred]
) -> tuple[Route, int] | None:
    open_ = {
        route: size
        for route, size in (
            (Route.UPDATE, _update_bytes(link, sizes, held)),
            (Route.DELTAS, _deltas_bytes(link, sizes, held)),
        )
        if size is not None and By(link.round_id, route) not in barred
    }
    # Of two that take the same, the update: it is decoded once, however many deltas there are.
    return min(open_.items(), key=lambda item: item[1]) if open_ else None


def _update_bytes(link: Link, sizes: Sizes, held: Callable[[Digest], bool]) -> int | None:
    if link.update is None or link.spec.update is None:
        return None
    return 0 if held(link.update) else sizes.encoded(link.spec.update.codec)


def _deltas_bytes(link: Link, sizes: Sizes, held: Callable[[Digest], bool]) -> int | None:
    """Under an update rule whoever repeats the merge needs what the code before lost too. Which file that is,
    the base says, which need not be here yet: it is counted as one to be fetched."""
    if not link.deltas:
        return None
    each = min(sizes.encoded(link.spec.codec), link.spec.max_delta_bytes)
    carried = link.spec.update is not None and link.spec.update.carry_milli > 0
    return sum(not held(digest) for digest in link.deltas) * each + (sizes.dense if carried else 0)
