"""What MkDocs does not do by itself: pages from outside docs/, folders in the navigation, no comments.

MkDocs calls the functions `on_…` (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "deploy/README.md": "deploy.md",
    "contracts/README.md": "contracts.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Pages of the repository that lie outside docs/ -> where the site has them."""
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_COMMENT = re.compile(r"^[ \t]*<!--.*?-->[ \t]*\n", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    """Writes out `folder/*` of the navigation: every page of the folder that is not named by itself."""
    named = set(_texts(config.nav))
    config.nav = _spread(config.nav, Path(config.docs_dir), named)
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages from outside docs/."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leads links to where the site has a page, and leaves out comments, which say what commands need."""
    at = {page: source for source, page in OUTSIDE.items()}
    here = at.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return _COMMENT.sub("", led(markdown, here))


def led(markdown: str, here: str) -> str:
    """The same text with links between pages as they lie in the site; `here`: its file, from the root."""
    source = OUTSIDE.get(here, here.removeprefix("docs/"))

    def lead(link: re.Match[str]) -> str:
        text, path, anchor = link[1], link[2], link[3] or ""
        if "://" in path:
            return link[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
        page = OUTSIDE.get(there, there.removeprefix("docs/") if there.startswith("docs/") else None)
        if page is None:  # a file of the repository; of one that is not there the strict build tells
            return text if (ROOT / there).exists() else link[0]
        return f"[{text}]({posixpath.relpath(page, posixpath.dirname(source) or '.')}{anchor})"

    return _LINK.sub(lead, markdown)


def _texts(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    items = nav.values() if isinstance(nav, dict) else nav
    return [text for item in items for text in _texts(item)]


def _spread(nav: list[Any], docs: Path, named: set[str]) -> list[Any]:
    spread: list[Any] = []
    for item in nav:
        if isinstance(item, str) and item.endswith("/*"):
            pages = sorted(path.relative_to(docs).as_posix() for path in (docs / item[:-2]).glob("*.md"))
            spread += [page for page in pages if page not in named]
        elif isinstance(item, dict):
            spread.append({title: _spread(below, docs, named) if isinstance(below, list) else below
                           for title, below in item.items()})  # fmt: skip
        else:
            spread.append(item)
    return spread
