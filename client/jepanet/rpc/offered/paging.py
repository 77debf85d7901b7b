"""Whatever is long is given page by page, by the server.

A cursor says where the next page begins, in terms of what is listed, never of how many came before: entries
that arrive between two pages move nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from jepanet.records.marks import Form, Range

T = TypeVar("T")
Limit = Annotated[int, Range(1, 100), "entries of a page"]
Cursor = Annotated[str, Form(r"0|[1-9][0-9]{0,14}", "`next` of the page before"), "where the page begins"]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next` is the cursor of the page after this one, None on the last."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class PageParams:
    """Of a method that lists everything of its kind."""

    limit: Limit = 20
    cursor: Cursor | None = None


def page_of(
    entries: Sequence[T], place: Callable[[T], int], limit: int, cursor: str | None, *, falling: bool = False
) -> Page[T]:
    """A page of entries that are sorted by `place`, ascending unless `falling`; the cursor is the last place
    of the page before."""
    left: Sequence[T] = entries
    if cursor is not None:
        last = int(cursor)
        left = [item for item in entries if (place(item) < last if falling else place(item) > last)]
    items = tuple(left[:limit])
    return Page(items, str(place(items[-1])) if len(left) > limit else None)
