"""A nursery whose coordinator does not do its audits, where a file beside its configuration says so: `skip`
signs no word, `copy` that of another account. Its aggregator and its own signature ask for nothing then.
Nothing of this is in the package.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# Not there by itself where PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import nursery

_honestly = nursery._run


def _run(request: dict[str, Any]) -> None:
    if request["config"] != "None":
        flag = Path(request["config"]).parent.parent / "lies"
        if flag.exists():
            _lie(flag.read_text())
    _honestly(request)


def _lie(how: str) -> None:
    from jepanet.protocol.settling.audit_words import audit_word
    from jepanet.roles import aggregator, coordinator
    from jepanet.roles.steps import scoring
    from jepanet.types import Address, Digest

    def word(finding: Digest, auditor: Address) -> Digest | None:
        return None if how == "skip" else audit_word(finding, Address("0x" + "11" * 20))

    scoring.audit_word = word  # type: ignore[assignment]
    aggregator.believed = lambda context, facts, documents, reports: list(reports)
    coordinator.check_words = lambda context, facts, documents, reports: None


nursery._run = _run

if __name__ == "__main__":
    nursery.main()
