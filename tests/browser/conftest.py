"""A Chromium, a node for it to look at, and pages of it that say when something in them went wrong."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from shown_node import Shown, shown

# A real network is made as in scenarios, a played project as in integration tests.
sys.path += [str(Path(__file__).resolve().parents[1] / name) for name in ("scenario", "integration")]

from shown_project import ShownProject

from jepanet.rpc.transport.pages import FOLDER

PATIENCE = 30_000
"""Milliseconds that anything is waited for: it bounds a hang and says nothing about speed."""
SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium: $JEPANET_CHROMIUM, then PATH. Without a sandbox of its own where it runs as root."""
    found = shutil.which(os.environ.get("JEPANET_CHROMIUM") or "chromium")
    if found is None:
        pytest.skip("Chromium is missing: run scripts/setup --browser, or set JEPANET_CHROMIUM")
    assert (FOLDER / "index.html").is_file(), "the dashboard is not built: run scripts/setup"
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with shown(tmp_path_factory.mktemp("node")) as found:
        yield found


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, served: Shown) -> Iterator[OpenPage]:
    """Opens a tab, signed in with a token unless it is None; what it complains of fails the test."""
    complaints: list[str] = []
    with ExitStack() as opened:

        def make(
            *,
            token: str | None = served.read,
            size: str = "desktop",
            theme: str = "light",
            node: Shown = served,
        ) -> Page:
            options: dict[str, Any] = {"viewport": SIZES[size], "color_scheme": theme}
            context = browser.new_context(**options, timezone_id="Europe/Zurich", locale="en-GB")
            opened.callback(context.close)
            context.grant_permissions(["clipboard-read", "clipboard-write"], origin=node.origin)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(node.url)
            if token is not None:
                sign_in(page, token)
            return page

        make.complaints = complaints  # type: ignore[attr-defined]
        yield make
    expected = ("401 (Unauthorized)", "ERR_CONNECTION", "WebSocket connection to")
    assert not [item for item in complaints if not any(part in item for part in expected)]


@pytest.fixture
def look_at(browser: Browser) -> Iterator[OpenPage]:
    """Opens a tab by a link of an observer; what it complains of fails the test."""
    complaints: list[str] = []
    with ExitStack() as opened:

        def make(shown: ShownProject, *, size: str = "desktop", theme: str = "light") -> Page:
            options: dict[str, Any] = {"viewport": SIZES[size], "color_scheme": theme}
            context = browser.new_context(**options, timezone_id="Europe/Zurich", locale="en-GB")
            opened.callback(context.close)
            context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shown.origin)
            page = context.new_page()
            page.set_default_timeout(15_000)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(shown.link())
            page.locator("main .card").first.wait_for()
            return page

        yield make
    expected = ("401 (Unauthorized)", "ERR_CONNECTION")
    assert not [item for item in complaints if not any(part in item for part in expected)]


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Open").click()
    page.locator("main .card").first.wait_for()


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where pictures of the pages go, `$JEPANET_PICTURES`; None where nobody asks for them."""
    folder = os.environ.get("JEPANET_PICTURES")
    return Path(folder) if folder else None
