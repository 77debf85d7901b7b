"""Every page of the dashboard, of a real server, in a real browser: what it shows, and for whom."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from shown_node import CANCELLED, NEWEST, SCORED, UNREAD, Shown

from jepanet.p2p.transfer.underway import Transfer
from jepanet.telemetry import recent_lines
from rpc_node import ME, PEERS

pytestmark = pytest.mark.browser

NAMES = ("overview", "rounds", "rounds/26", f"rounds/{NEWEST}", "training", "network", "rewards", "log")
AXE = (Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def go(page: Page, name: str) -> None:
    """To a page by its address, as a bookmark does."""
    page.evaluate("name => { location.hash = '#/' + name }", name)
    expect(page.locator(f"nav a[href='#/{name.split('/')[0]}']")).to_have_attribute("aria-current", "page")
    expect(page.get_by_text("Asking the node")).to_have_count(0)


def test_the_overview_says_how_it_stands_and_what_to_do(open_page: Any) -> None:
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"round {NEWEST} is training")
    expect(page.get_by_role("status").first).to_contain_text("Well")
    expect(page.locator(".worries")).to_contain_text("The claim of round 25 was given up")
    expect(page.locator("main")).to_contain_text("On time")
    expect(page.locator("dt:text-is('Stake') + dd")).to_have_text("40 tokens")
    expect(page.locator("dt:text-is('Gas') + dd")).to_contain_text("enough for 11,111 transactions")
    expect(page.locator("dt:text-is('Next bond') + dd")).to_contain_text(f"that round {NEWEST} asked for")
    expect(page.locator("dt:text-is('Locked until') + dd")).to_contain_text("the bond of round")
    ends = page.locator(".countdown").inner_text()
    expect(page.locator(".countdown")).not_to_have_text(ends)
    assert re.fullmatch(r"\d min \d\d s|\d+ s", ends.strip())
    expect(page.locator(".phases li[aria-current=step]")).to_contain_text("Training")


def test_steps_of_a_training_are_told_while_the_page_is_open(open_page: Any) -> None:
    page = open_page()
    go(page, "training")
    step = page.locator("dt:text-is('Step') + dd")
    before = step.inner_text()
    expect(step).not_to_have_text(before)
    expect(page.get_by_role("img", name=re.compile("^Loss from"))).to_be_visible()
    expect(page.locator(".uplot canvas").first).to_be_visible()
    expect(page.get_by_role("img", name="Gain of your deltas")).to_be_visible()
    expect(page.locator(".key").first).to_contain_text("bars: ± one standard error")
    expect(page.get_by_role("img", name=re.compile("^Loss from 2.60 at step 0"))).to_be_visible()
    for metric in ("Predictive information", "Effective rank", "Variance of latents"):
        expect(
            page.get_by_role("img", name=re.compile(f"^{metric} from .* before round .* after round 28"))
        ).to_be_visible()
    rows = page.get_by_role("table", name="Trainings of rounds").locator("tbody tr")
    expect(rows.filter(has_text="Round 26")).to_contain_text("± 1.8 mnat")
    expect(rows.filter(has_text="Round 28")).to_contain_text("3.4°")
    expect(rows.filter(has_text="Round 25")).to_contain_text("Aborted the window closed")


def test_a_round_says_of_every_delta_what_became_of_it_and_why(open_page: Any) -> None:
    page = open_page()
    go(page, "rounds")
    page.get_by_role("link", name="Round 26").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Round 26")
    rows = page.get_by_role("table", name="Deltas of round 26").locator("tbody tr")
    expect(rows).to_have_count(5)
    mine = rows.filter(has_text="you")
    expect(mine).to_contain_text("Accepted")
    expect(mine).to_contain_text("± 1.8 mnat")
    expect(rows.filter(has_text="could not be fetched")).to_contain_text("Excluded")
    mine.get_by_role("button", name="Why").click()
    told = page.locator("tr.below")
    expect(told).to_contain_text("it is part of the next model")
    expect(told).to_contain_text("x 0.0005 =")
    expect(page.get_by_role("table", name="Transactions of round 26")).to_contain_text("reveal")
    mine.get_by_role("button", name="Copy solver").click()
    expect(mine.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == ME


def test_what_is_missing_is_said_in_words(open_page: Any) -> None:
    page = open_page()
    go(page, f"rounds/{UNREAD}")
    expect(page.locator("main")).to_contain_text(
        "Not here yet: the score sheet of this round is not stored here"
    )
    go(page, f"rounds/{CANCELLED}")
    expect(page.locator("main")).to_contain_text("Cancelled: no reveals.")
    expect(page.locator("main")).to_contain_text("there will be none: the round was cancelled")
    expect(page.locator("dt:text-is('Your bond') + dd")).to_contain_text("lost to whoever shows")
    go(page, "rounds/3")
    expect(page.locator("main")).to_contain_text("rounds that this node keeps: from 7 to 30")
    go(page, "network")
    expect(page.locator("main")).to_contain_text("Nobody is refused")
    page.evaluate("location.hash = '#/nowhere'")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your node")


def test_files_on_their_way_are_shown_while_they_come(open_page: Any, served: Shown) -> None:
    page = open_page()
    go(page, "network")
    expect(page.locator("main")).to_contain_text("Nothing is being fetched")
    begun = time.monotonic()
    served.node.network.downloads = [Transfer(bytes([9]) * 32, begun, 0, 0)]
    rows = page.get_by_role("table", name="Files on the way here").locator("tbody tr")
    expect(rows).to_contain_text("size not known yet")
    sources = {PEERS[0]: 2_000_000, PEERS[1]: 1_000_000}
    here = Transfer(bytes([9]) * 32, begun, 3_000_000, 10_000_000, "model", sources)
    served.node.network.downloads = [here]
    expect(rows).to_contain_text("3.0 MB of 10 MB")
    expect(rows).to_contain_text("Model")
    expect(rows).to_contain_text("2.0 MB")
    here.done, here.ended, served.node.network.downloads = 10_000_000, time.monotonic(), []
    served.node.network.ended = [here]
    rows = page.get_by_role("table", name="Downloads that have ended").locator("tbody tr")
    expect(rows).to_contain_text("Model")
    expect(rows).to_contain_text("10 MB")
    expect(rows).to_contain_text("MB/s")
    served.node.network._bans.ban(PEERS[2], "vouched for a wrong manifest")
    go(page, "log")
    go(page, "network")
    expect(page.get_by_role("table", name="Refused peers").locator("tbody tr")).to_contain_text("59 min ")
    expect(page.get_by_role("table", name="Refused peers")).to_contain_text("vouched for a wrong manifest")
    expect(page.get_by_role("table", name="Peers").locator("tbody tr").first).to_contain_text("12.3 ms")


def test_the_log_is_sifted_by_level_round_and_what_a_line_is_about(open_page: Any) -> None:
    written = (
        ("info", {"event": "delta.fetched", "room": "p2p", "round": 26, "cid": "bafkone"}),
        ("warning", {"event": "delta.late", "room": "p2p", "round": 26, "cid": "bafktwo"}),
        ("warning", {"event": "peer.lost", "room": "p2p", "why": "<b>gone</b>"}),
    )
    for level, said in written:
        recent_lines()(None, level, dict(said))
    page = open_page()
    go(page, "log")
    rows = page.get_by_role("table", name="Log").locator("tbody tr")
    expect(rows.first).to_contain_text("why <b>gone</b>")
    page.get_by_label("At least").select_option("warning")
    expect(rows.filter(has_text="delta.fetched")).to_have_count(0)
    page.get_by_label("Round").fill("26")  # as typed: nothing is pressed
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("delta.late")
    page.get_by_label("About").fill("bafkone")
    expect(page.locator("main")).to_contain_text("No line that the node keeps")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_page_is_clean_by_axe_and_fits(
    open_page: Any, served: Shown, size: str, theme: str, pictures: Path | None
) -> None:
    page = open_page(token=None, size=size, theme=theme)
    for name in ("signin", *NAMES):
        if name == "overview":
            page.get_by_label("Token").fill(served.read)
            page.get_by_role("button", name="Open").click()
        if name != "signin":
            go(page, name)
            expect(page.locator("main .card").first).to_be_visible()
        if name == "rounds/26":
            page.locator("tr", has_text="you").get_by_role("button", name="Why").click()
            expect(page.locator("tr.below")).to_contain_text("Payment")
        page.wait_for_function("document.fonts.status === 'loaded'")
        if pictures is not None:
            page.screenshot(path=pictures / f"{name.replace('/', '-')}-{size}-{theme}.png")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} scrolls sideways by {wide} px"
        page.evaluate(AXE)
        found = page.evaluate("rules => axe.run({ runOnly: rules })", RULES)
        assert found["passes"], "axe looked at nothing"
        assert [(item["id"], item["nodes"][0]["html"]) for item in found["violations"]] == [], name


def test_the_keyboard_reaches_every_page(open_page: Any) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the page")).to_be_focused()
    for name in ("Overview", "Rounds"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rounds")
    expect(page.locator("main")).to_be_focused()


def test_colours_are_chosen_and_kept(open_page: Any) -> None:
    page = open_page(theme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    for _ in range(2):  # Auto, Light, Dark
        page.get_by_role("button", name="Colours").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_verifier_that_is_gone_while_a_round_is_scored_is_missed(open_page: Any, served: Shown) -> None:
    page = open_page()
    go(page, "network")
    rows = page.get_by_role("table", name="Peers").locator("tbody tr")
    expect(rows.filter(has_text="Coordinator")).to_have_count(2)
    kept, served.node.network.connected = served.node.network.connected, served.node.network.connected[:1]
    words = dict(served.node.heard._words)
    for wallet, word in words.items():
        served.node.heard._words[wallet] = replace(word, at=word.at - 600)
    go(page, "overview")
    expect(page.locator(".worries")).to_contain_text(f"Round {SCORED} is in scoring, and 2 coordinators")
    expect(page.locator(".worries")).to_contain_text("2 coordinators must sign, 1 is here")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your node needs you")
    served.node.network.connected = kept
    expect(page.locator(".worries")).not_to_contain_text("in scoring")
    served.node.heard._words.update(words)
