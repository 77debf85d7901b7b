"""The page of a whole project for who runs no node: of a real chain, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from played_project import CANCELLED, ROUNDS, WITHHELD
from playwright.sync_api import Page, expect
from shown_project import ShownProject, shown_project
from test_pages import AXE, RULES

from jepanet.chain.devchain.anvil import free_port

pytestmark = pytest.mark.browser

LookAt = Callable[..., Page]

NAMES = ("project", "rounds", "rounds/3", f"rounds/{WITHHELD}", "solvers", "provenance", "fetch")


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownProject]:
    with shown_project(tmp_path_factory.mktemp("project")) as found:
        yield found


def go(page: Page, name: str) -> None:
    page.evaluate("name => { location.hash = '#/' + name }", name)
    expect(page.locator(f"nav a[href='#/{name.split('/')[0]}']")).to_have_attribute("aria-current", "page")
    expect(page.get_by_text("Asking the observer")).to_have_count(0)


def figure(page: Page, name: str) -> Any:
    return page.locator(f"dt:text-is('{name}') + dd")


def read_all(page: Page) -> None:
    expect(figure(page, "Score sheets read")).to_have_text(f"{ROUNDS - 1} of {ROUNDS - 1}", timeout=20_000)


def test_a_project_is_seen_whole_and_nothing_of_a_node(look_at: LookAt, observed: ShownProject) -> None:
    page = look_at(observed)
    read_all(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Project 1")
    expect(page.locator(".big").first).to_have_text(f"The model is that of round {ROUNDS - 1}")
    for name, told in (("Merged", "9"), ("Withheld", "1"), ("Cancelled", "1"), ("Solvers", "4")):
        expect(figure(page, name)).to_have_text(told)
    expect(
        page.get_by_role("img", name=re.compile("Improvement of rounds 1 to 11, of which 1"))
    ).to_be_visible()
    expect(
        page.get_by_role(
            "img", name=re.compile("^Predictive information from .* before round 1 .* after round 11")
        )
    ).to_be_visible()
    page.get_by_label("Measured as").select_option("skill")
    expect(page.get_by_role("img", name=re.compile("^Skill from .* after round 11"))).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("Up to date")
    expect(page).to_have_title("jepanet")
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_text(
        ["Project", "Rounds", "Solvers", "Provenance", "Get it"]
    )
    page.evaluate("location.hash = '#/rewards'")
    expect(page.get_by_role("heading", level=1)).to_have_text("Project 1")


def test_a_round_shows_each_payment_as_a_sum_and_where_the_chain_says_so(
    look_at: LookAt, observed: ShownProject
) -> None:
    page = look_at(observed)
    read_all(page)
    go(page, "rounds")
    rows = page.get_by_role("table", name="Rounds").locator("tbody tr")
    expect(rows).to_have_count(ROUNDS)
    expect(rows.nth(ROUNDS - WITHHELD)).to_contain_text("Withheld")
    expect(rows.nth(ROUNDS - CANCELLED)).to_contain_text("no commits")
    expect(rows.first).to_contain_text("may be challenged")
    page.get_by_role("link", name="Round 3").click()
    deltas = page.get_by_role("table", name="Deltas of round 3").locator("tbody tr")
    expect(deltas).to_have_count(3)
    deltas.filter(has_text="Accepted").first.get_by_role("button", name="Why").click()
    expect(page.locator("tr.below")).to_contain_text("x 0.0005 =")
    expect(figure(page, "of which")).to_have_text(re.compile(r"[\d.]+ to solvers \+ 2 to coordinators"))
    expect(figure(page, "Recorded in")).to_contain_text("block")
    go(page, f"rounds/{WITHHELD}")
    expect(figure(page, "Note of the merge")).to_have_text("no improvement: −2.10 mnat")


def test_solvers_and_the_chain_of_models_are_listed(look_at: LookAt, observed: ShownProject) -> None:
    page = look_at(observed)
    read_all(page)
    go(page, "solvers")
    expect(page.get_by_role("table", name="Solvers").locator("tbody tr")).to_have_count(4)
    go(page, "provenance")
    rows = page.get_by_role("table", name="Recorded rounds").locator("tbody tr")
    expect(rows).to_have_count(ROUNDS - 1)
    expect(rows.first).to_contain_text("not yet")
    expect(page.locator("main")).to_contain_text("Every recorded round began from the model")
    rows.first.get_by_role("button", name="Copy score sheet").click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("bagu")


def test_commands_are_copied_whole(look_at: LookAt, observed: ShownProject) -> None:
    page = look_at(observed)
    go(page, "fetch")
    page.get_by_role("button", name="Copy the command: Download the model", exact=True).click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"jepanet model export --round {ROUNDS - 1} --out ")
    assert f"--rpc {observed.played.url} --deployment {observed.played.deployment}" in copied
    expect(page.get_by_role("table", name="Endpoints of the chain")).to_contain_text("Agrees")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_page_is_clean_by_axe_and_fits(
    look_at: LookAt, observed: ShownProject, size: str, theme: str, pictures: Path | None
) -> None:
    page = look_at(observed, size=size, theme=theme)
    read_all(page)
    for name in NAMES:
        go(page, name)
        expect(page.locator("main .card").first).to_be_visible()
        page.wait_for_function("document.fonts.status === 'loaded'")
        if pictures is not None:
            page.wait_for_timeout(300)
            page.screenshot(path=pictures / f"{name.replace('/', '-')}-{size}-{theme}.png")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} scrolls sideways by {wide} px"
        page.evaluate(AXE)
        found = page.evaluate("rules => axe.run({ runOnly: rules })", RULES)
        assert found["passes"], "axe looked at nothing"
        assert [(item["id"], item["nodes"][0]["html"]) for item in found["violations"]] == [], name


def test_sheets_that_nobody_serves_are_said_with_what_to_do(look_at: LookAt, tmp_path: Path) -> None:
    with shown_project(tmp_path / "one", sheets=tmp_path / "empty", rounds=2) as shown:
        page = look_at(shown)
        worries = page.locator(".worries")
        expect(worries).to_contain_text("2 score sheets cannot be had", timeout=20_000)
        expect(worries).to_contain_text("--inputs")
        expect(page.get_by_role("status").first).to_contain_text("Score sheets awaited")
        expect(figure(page, "Merged")).to_have_text("2")
        go(page, "rounds/2")
        expect(page.locator("main")).to_contain_text(
            "Not here yet: the score sheet of this round is not stored here"
        )
        go(page, "solvers")
        expect(page.locator("main")).to_contain_text("Nobody is known yet")


def test_lost_endpoints_and_a_lost_observer_are_told(look_at: LookAt, tmp_path: Path) -> None:
    silent = f"http://127.0.0.1:{free_port()}"
    with shown_project(tmp_path, more=(silent,), rounds=1) as shown:
        page = look_at(shown)
        worries = page.locator(".worries")
        expect(worries).to_contain_text(f"{silent} does not answer", timeout=20_000)
        expect(page.get_by_role("status").first).to_contain_text("Up to date")
        shown.do(shown.played.network.chain.anvil.stop())
        expect(worries).to_contain_text("The chain is not read", timeout=15_000)
        expect(worries).to_contain_text("start the chain's node")
        expect(page.get_by_role("status").first).to_contain_text("Chain not read")
        expect(page).to_have_title("Chain not read · jepanet")
    expect(page.get_by_role("alert")).to_contain_text("The observer does not answer", timeout=15_000)
    expect(page.get_by_role("alert")).to_contain_text("jepanet dashboard --rpc")
