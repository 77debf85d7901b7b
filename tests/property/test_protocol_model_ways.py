"""The cheapest way to a model: no other way that is open takes fewer bytes, and it holds together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepanet.protocol.documents.spec import MergeRule, UpdateRule
from jepanet.protocol.models.ways import Barred, By, Leg, Link, Route, Sizes, Way, Whole, cheapest
from jepanet.types import Digest, RoundId
from round_samples import a_spec, digest

pytestmark = pytest.mark.property

DENSE = 1000
ENCODED = {"fp32": 1010, "int8": 260, "topk3": 12}
SIZES = Sizes(DENSE, 3 * DENSE, ENCODED.__getitem__)


@st.composite
def chains(draw: st.DrawFn) -> tuple[Link, ...]:
    """Up to five links, newest first; the model of the n-th is `model n`."""
    links = []
    for number in range(draw(st.integers(0, 5)), 0, -1):
        rule = draw(
            st.none() | st.builds(UpdateRule, st.sampled_from(sorted(ENCODED)), st.sampled_from((0, 1000)))
        )
        spec = a_spec(
            codec=draw(st.sampled_from(sorted(ENCODED))),
            max_delta_bytes=draw(st.sampled_from((100, 1 << 20))),
            merge=MergeRule(outer_momentum_milli=draw(st.sampled_from((0, 600)))),
        )
        deltas = tuple(digest(f"delta {number} {index}") for index in range(draw(st.integers(0, 4))))
        update = digest(f"update {number}") if rule else None
        links.append(
            Link(
                RoundId(number),
                digest(f"model {number - 1}"),
                digest(f"model {number}"),
                replace(spec, update=rule),
                digest("spec"),
                deltas,
                update,
            )
        )
    return tuple(links)


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[Link, ...], frozenset[Digest], frozenset[Barred], bool]:
    links = draw(chains())
    blobs = [digest(f"model {number}") for number in range(len(links) + 1)]
    files = [blob for link in links for blob in (*link.deltas, *([link.update] if link.update else []))]
    held = draw(st.frozensets(st.sampled_from(blobs + files)))
    bars: list[Barred] = [Whole(blob) for blob in blobs]
    bars += [By(link.round_id, route) for link in links for route in Route]
    return links, held, draw(st.frozensets(st.sampled_from(bars))), draw(st.booleans())


def price(link: Link, route: Route, held: frozenset[Digest]) -> int | None:
    """Written apart from the code under test, from what the two routes need."""
    rule = link.spec.update
    if route is Route.UPDATE:
        if rule is None or link.update is None:
            return None
        return 0 if link.update in held else ENCODED[rule.codec]
    if not link.deltas:
        return None
    one = min(ENCODED[link.spec.codec], link.spec.max_delta_bytes)
    left_out = DENSE if rule is not None and rule.carry_milli else 0
    return one * len(set(link.deltas) - held) + left_out


def every_way(
    links: tuple[Link, ...], held: frozenset[Digest], barred: frozenset[Barred], rooted: bool
) -> Iterator[tuple[int, bool, tuple[tuple[RoundId, Route], ...]]]:
    """(bytes, whether a model is fetched, rounds and routes) of every open way, by trying them all."""

    def onward(number: int) -> Iterator[tuple[int, bool, tuple[tuple[RoundId, Route], ...]]]:
        link = links[number] if number < len(links) else None
        model = link.model if link else digest(f"model {links[-1].round_id - 1 if links else 0}")
        if model in held:
            yield 0, False, ()
        if Whole(model) not in barred:
            light = rooted if link is None else bool(
                link.spec.update and not link.spec.merge.outer_momentum_milli
            )  # fmt: skip
            yield DENSE * (1 if light else 2), True, ()
        if link is not None:
            for route in Route:
                more = price(link, route, held)
                if more is not None and By(link.round_id, route) not in barred:
                    for spent, fetched, legs in onward(number + 1):
                        yield spent + more, fetched, (*legs, (link.round_id, route))

    return onward(0)


@given(case=cases())
def test_no_open_way_takes_fewer_bytes(
    case: tuple[tuple[Link, ...], frozenset[Digest], frozenset[Barred], bool],
) -> None:
    links, held, barred, rooted = case
    target = links[0].model if links else digest("model 0")
    found = cheapest(target, links, SIZES, held=held.__contains__, barred=barred, rooted=rooted)
    ways = sorted(every_way(links, held, barred, rooted), key=lambda way: way[:2])
    if found is None:
        assert not ways
        return
    assert (found.bytes, found.fetched) == ways[0][:2]
    taken = tuple((leg.link.round_id, leg.route) for leg in found.legs)
    assert (found.bytes, found.fetched, taken) in ways
    # It holds together: each leg begins where the one before it ended, and the last one at the target.
    places = [found.start, *(leg.link.model for leg in found.legs)]
    assert [leg.link.base for leg in found.legs] == places[:-1]
    assert places[-1] == target
    assert (found.start in held) != found.fetched


def link(number: int, *, deltas: int = 2, codec: str = "topk3", rule: UpdateRule | None = None) -> Link:
    return Link(
        RoundId(number), digest(f"model {number - 1}"), digest(f"model {number}"),
        a_spec(codec=codec, update=rule), digest("spec"),
        tuple(digest(f"delta {number} {index}") for index in range(deltas)),
        digest(f"update {number}") if rule else None,
    )  # fmt: skip


def way(links: tuple[Link, ...], *held: str, barred: frozenset[Barred] = frozenset()) -> Way | None:
    names = {digest(name) for name in held}
    return cheapest(links[0].model, links, SIZES, held=names.__contains__, barred=barred)


def test_a_solver_takes_the_deltas_of_the_others() -> None:
    one = link(1, deltas=3)
    assert way((one,), "model 0", "delta 1 0") == Way(
        digest("model 0"), False, (Leg(one, Route.DELTAS),), 2 * ENCODED["topk3"]
    )


def test_with_a_rule_one_update_stands_for_any_number_of_deltas() -> None:
    one = link(1, deltas=8, codec="int8", rule=UpdateRule("int8"))
    assert way((one,), "model 0") == Way(digest("model 0"), False, (Leg(one, Route.UPDATE),), ENCODED["int8"])


def test_who_is_late_takes_the_smaller_of_the_model_and_the_links() -> None:
    rule = UpdateRule("int8")
    links = tuple(link(number, rule=rule) for number in range(12, 0, -1))
    late = way(links[:7], "model 5")
    assert late is not None and not late.fetched and len(late.legs) == 7
    later = way(links, "model 0")
    assert later == Way(digest("model 12"), True, (), 2 * DENSE)


def test_what_failed_gives_way_to_the_other_route_then_to_the_whole_then_to_an_older_whole() -> None:
    links = (link(2, rule=UpdateRule("int8")), link(1, rule=UpdateRule("int8")))
    barred: list[Barred] = []
    seen = []
    for _ in range(5):
        found = way(links, "model 1", barred=frozenset(barred))
        assert found is not None
        seen.append((found.fetched, len(found.legs)))
        barred.append(Whole(found.start) if found.fetched else By(RoundId(2), found.legs[-1].route))
        if len(seen) == 3:
            break
    assert seen == [(False, 1), (False, 1), (True, 0)]
    assert way(links, "model 1", barred=frozenset(barred)) is None
    newcomer = way(links, barred=frozenset({Whole(digest("model 2"))}))
    assert newcomer is not None and (newcomer.fetched, newcomer.start) == (True, digest("model 1"))
