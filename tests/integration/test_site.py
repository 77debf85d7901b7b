"""The documentation as a site: it builds without a warning, and nothing on a page comes from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from documented_commands import Block, blocks, pages

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SHELLCHECK = ROOT / ".venv/documentation/bin/shellcheck"
MKDOCS = ROOT / ".venv/documentation/bin/mkdocs"
LOADS = {"src", "srcset", "data", "poster", "action"}
"""Attributes by which a page loads something, of whatever element; `href` does of <link> alone."""
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
_STYLE = re.compile(r"(?:url\(\s*|@import\s+)['\"]?\s*((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


class _Loads(HTMLParser):
    """Collects the addresses that a page loads of itself, without a click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if given.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = given["content"]
        loaded = [value for name, value in given.items() if name in LOADS]
        if tag == "link" and given.get("rel") != "canonical":
            loaded.append(given.get("href", ""))
        if "mermaid" in given.get("class", "").split():
            loaded.append("//mermaid")  # for which the theme's own script fetches a library
        self.found += [address for address in loaded if _ELSEWHERE.match(address)]
        self.found += _STYLE.findall(given.get("style", ""))


def from_elsewhere(page: str) -> list[str]:
    """What an HTML page loads from other hosts."""
    parser = _Loads()
    parser.feed(page)
    styles = "\n".join(re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL))
    return parser.found + _STYLE.findall(styles)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew; a warning ends the build."""
    if not MKDOCS.exists():
        pytest.skip("scripts/setup --documentation installs MkDocs")
    made = tmp_path_factory.mktemp("site")
    # The theme's makers advertise at every build otherwise.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [MKDOCS, "build", "--strict", "--site-dir", made],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return made


def test_what_belongs_to_an_item_of_a_list_is_indented_by_four() -> None:
    """Forges take fewer, MkDocs ends the list there."""
    shallow = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in pages()
        for line in _FENCED.sub("", path.read_text(encoding="utf-8")).splitlines()
        if re.match(r" {1,3}(?:```|[-*] |\d+\. )", line)
    ]
    assert not shallow


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_commands_are_clean_shell(block: Block) -> None:
    """Also those that no test runs. SC2148: blocks have no first line that names the shell."""
    if not SHELLCHECK.exists():
        pytest.skip("scripts/setup --documentation installs shellcheck")
    looked = subprocess.run(
        [SHELLCHECK, "--shell=bash", "--exclude=SC2148,SC2164", "-"],
        input=block.text, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert looked.returncode == 0, looked.stdout


def test_every_document_is_a_page(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    missing = [
        str(page)
        for page in pages
        if not (site / page).with_suffix(".html").exists()
        and not (page.name == "README" and (site / page.with_name("index.html")).exists())
    ]
    assert not missing
    start = (site / "index.html").read_text()
    assert "Three commands to the first receipt" in start and "start/quick-start.html" in start


def test_nothing_on_a_page_comes_from_elsewhere(site: Path) -> None:
    loaded = {
        f"{path.relative_to(site)}: {address}"
        for path in site.rglob("*.html")
        for address in from_elsewhere(path.read_text(encoding="utf-8"))
    }
    loaded |= {
        f"{path.relative_to(site)}: {address}"
        for path in site.rglob("*.css")
        for address in _STYLE.findall(path.read_text(encoding="utf-8"))
    }
    assert not loaded


def test_browsers_are_told_to_load_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        parser = _Loads()
        parser.feed(path.read_text(encoding="utf-8"))
        assert parser.policy.startswith("default-src 'self'") and "http" not in parser.policy, path


def test_what_the_tests_need_to_know_of_a_command_is_not_on_its_page(site: Path) -> None:
    shown = [
        path for path in site.rglob("*.html") if re.search("(<|&lt;)!-- ", path.read_text(encoding="utf-8"))
    ]
    assert not shown


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<img src="//cdn.example/x.png">',
        '<link rel="stylesheet" href="https://fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        "<style>@import 'https://fonts.example/css';</style>",
        '<p style="background: url(https://cdn.example/x.png)">',
        '<pre class="mermaid">',
    ],
)
def test_a_planted_asset_is_seen(page: str) -> None:
    assert len(from_elsewhere(page)) == 1


def test_a_link_to_follow_is_none() -> None:
    assert not from_elsewhere('<a href="https://example.org">x</a><img src="pictures/x.png">')
