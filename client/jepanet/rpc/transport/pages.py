"""The dashboard's files: read once, held in memory, found by their exact names.

No request becomes a path of the disk. The page takes nothing from elsewhere, runs no script but its own and
stands in no frame (https://www.w3.org/TR/CSP3/). It comes without a token: it holds nothing of the node.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

PREFIX: Final = "/dashboard/"
"""Where the page is; all files that it is made of lie below."""
ENTRANCE: Final = f"{PREFIX}enter"
"""Where the page exchanges the code of its link for a token."""
FOLDER: Final = Path(str(resources.files("jepanet"))) / "dashboard"
"""Where `scripts/setup` builds it, and a wheel carries it."""
_MOST_FILES: Final = 64
_MOST_BYTES: Final = 1 << 20

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
GUARDS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file; `packed` is the same in gzip. `lasting`: its name changes with its content."""

    body: bytes
    packed: bytes
    kind: str
    lasting: bool

    def answer(self, accepted: str) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers for who accepts these codings."""
        heads = {
            **GUARDS,
            "Content-Type": self.kind,
            "Vary": "Accept-Encoding",
            "Cache-Control": "public, max-age=31536000, immutable" if self.lasting else "no-cache",
        }
        if "gzip" in {item.strip().lower() for item in accepted.split(",")}:
            return self.packed, {**heads, "Content-Encoding": "gzip"}
        return self.body, heads


def read_pages(folder: Path = FOLDER) -> Mapping[str, PageFile]:
    """The built dashboard by the path of a request; empty where it was not built.

    Raises: OSError: a file cannot be read.
    """
    found: dict[str, PageFile] = {}
    if not (folder / "index.html").is_file():
        return found
    size = 0
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in _TYPES:
            continue
        body = path.read_bytes()
        size += len(body)
        if len(found) >= _MOST_FILES or size > _MOST_BYTES:
            raise OSError(f"{folder} holds more than a dashboard: build it anew with scripts/setup --force")
        name = path.relative_to(folder).as_posix()
        found[PREFIX + name] = PageFile(
            body, gzip.compress(body, 9, mtime=0), _TYPES[path.suffix], name.startswith("assets/")
        )
    found[PREFIX] = found[f"{PREFIX}index.html"]
    return found
