"""Who is let in, what becomes of the token, and what the page says when the node is gone."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from shown_node import Shown, shown

from jepanet.rpc.method import Scope

pytestmark = pytest.mark.browser


def test_a_wrong_token_is_told_and_a_right_one_is_kept_in_the_tab(open_page: Any, served: Shown) -> None:
    page = open_page(token=None)
    page.get_by_label("Token").fill("short")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("43 letters")
    page.get_by_label("Token").fill("A" * 43)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("does not know the token")
    assert page.evaluate("sessionStorage.length") == 0
    page.get_by_label("Token").fill(served.read)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("main .card").first).to_be_visible()
    page.reload()
    expect(page.locator("main .card").first).to_be_visible()
    other = page.context.new_page()
    other.goto(served.url)
    expect(other.get_by_label("Token")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_attack_the_token_never_stands_in_an_address(open_page: Any, served: Shown) -> None:
    page = open_page(token=None)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url + str(request.headers.get("referer", ""))))
    page.goto("about:blank")
    code = served.invitations.make(Scope.READ)
    page.goto(f"{served.url}#code={code}")
    expect(page.locator("main .card").first).to_be_visible()
    assert page.evaluate("location.href") == served.url
    page.get_by_role("link", name="Rounds", exact=True).click()
    expect(page.get_by_role("table", name="Rounds")).to_be_visible()
    assert asked and not [item for item in asked if served.read in item or code in item.partition("#")[0]]
    assert page.evaluate("localStorage.length + document.cookie.length") == 0
    again = page.context.new_page()
    again.goto(f"{served.url}#code={code}")
    expect(again.get_by_role("alert")).to_contain_text("used before")
    assert again.evaluate("sessionStorage.length + location.hash.length") == 0


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A page of another origin on the same machine."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_attack_a_page_of_another_origin_learns_nothing_with_the_token(
    browser: Browser, served: Shown, elsewhere: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(elsewhere)
    call = """async ([url, token, mode]) => {
        try {
            const answer = await fetch(url, { method: "POST", mode, body: "{}",
                headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" } });
            return [answer.type, answer.status, await answer.text()];
        } catch (error) { return ["refused"]; }
    }"""
    assert page.evaluate(call, [served.origin, served.operate, "cors"]) == ["refused"]
    assert page.evaluate(call, [served.origin, served.operate, "no-cors"]) == ["opaque", 0, ""]
    socket = """([url, token]) => new Promise(done => {
        const socket = new WebSocket(url, ["jepanet.rpc", "bearer." + token]);
        socket.onopen = () => done("open"); socket.onerror = () => done("refused");
    })"""
    assert page.evaluate(socket, [served.origin.replace("http", "ws"), served.operate]) == "refused"
    frame = """url => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.src = url; frame.onload = () => setTimeout(() => done(frame.contentDocument), 300);
        document.body.append(frame);
    })"""
    assert page.evaluate(frame, served.url) is None
    assert page.frames[-1].url.startswith("chrome-error:")
    context.close()


def test_attack_a_script_that_is_not_ours_does_not_run(open_page: Any) -> None:
    page = open_page()
    page.evaluate("""() => {
        const script = document.createElement("script");
        try { script.textContent = "window.ran = true"; } catch (error) { return; }
        document.body.append(script);
    }""")
    assert page.evaluate("window.ran") is None
    open_page.complaints.clear()


def test_claiming_takes_the_other_token(open_page: Any, served: Shown) -> None:
    page = open_page()
    page.evaluate("location.hash = '#/rewards'")
    expect(page.get_by_role("row").filter(has_text="Round 25")).to_contain_text("Given up")
    expect(page.locator("p.fine")).to_contain_text("jepanet dashboard --operate")
    expect(page.get_by_role("button", name="Claim now")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").fill(served.operate)
    page.get_by_role("button", name="Open").click()
    page.evaluate("location.hash = '#/rewards'")
    expect(page.get_by_role("button", name="Claim now")).to_have_count(1)
    page.get_by_role("button", name="Claim now, round 25").click()
    expect(page.locator("p.fine")).to_contain_text("The node tries the claim of round 25 now")
    expect(page.get_by_role("row").filter(has_text="Round 25")).to_contain_text("Under way")
    expect(page.get_by_role("button", name="Claim now")).to_have_count(0)


def test_a_node_that_is_gone_and_back_is_told_within_seconds(open_page: Any, tmp_path: Path) -> None:
    with shown(tmp_path) as first:
        page = open_page(token=first.read, node=first)
        expect(page.get_by_role("status").first).to_contain_text("Well")
        page.evaluate("location.hash = '#/overview'")
        node, port = first.node, first.port
    expect(page.get_by_role("alert")).to_contain_text("The node does not answer")
    data = tmp_path / "data"
    expect(page.get_by_role("alert")).to_contain_text(
        f"jepanet node run --config {data.with_name('node.toml')}"
    )
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your node does not answer")
    expect(page.locator(".worries")).to_contain_text("It has to be back before")
    expect(page.locator("dt:text-is('Your part') + dd")).to_have_text(
        "not known while the node does not answer"
    )
    expect(page.locator("main")).not_to_contain_text("The node goes on by itself")
    expect(page.get_by_role("status").first).to_contain_text("No answer")
    with shown(tmp_path, node=node, port=port):
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.get_by_role("status").first).to_contain_text("Well")


def test_a_chain_that_stopped_is_told_with_what_to_do(open_page: Any, tmp_path: Path) -> None:
    with shown(tmp_path) as found:
        page = open_page(token=found.read, node=found)
        found.node.chain = replace(found.node.chain, head_old=True, head_age=400.0)
        found.node.peers = 0
        worries = page.locator(".worries")
        expect(worries).to_contain_text("No endpoint shows a new block")
        expect(worries).to_contain_text("jepanet node check")
        expect(worries).to_contain_text("No peer is connected")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Your node needs you")
