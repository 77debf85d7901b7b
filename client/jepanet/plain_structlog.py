"""structlog without rich, which it would load for tracebacks that no log of ours has: ours are text."""

from __future__ import annotations

import sys

if "rich" in sys.modules:
    import structlog as structlog
else:
    sys.modules["rich"] = None  # type: ignore[assignment]  # what makes Python say that there is none
    try:
        import structlog as structlog
    finally:
        del sys.modules["rich"]
