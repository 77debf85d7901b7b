"""A nursery some of whose nodes are not as the others, where a file `uneven` in their folder says so: `keeps`
has blobs and serves none; `rounds` computes on two threads and with other kernels, as another build would.
Nothing of this is in the package.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

# Not there by itself where PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import nursery

_evenly = nursery._run


def _run(request: dict[str, Any]) -> None:
    flag = Path(request["config"]).parent / "uneven"
    if flag.exists():
        {"keeps": _keep, "rounds": _round}[flag.read_text()]()
    _evenly(request)


def _keep() -> None:
    from jepanet.storage.blobs.store import BlobStore

    BlobStore.open_public = lambda store, digest: None  # type: ignore[method-assign]


def _round() -> None:
    from jepanet.work.worker import Worker

    path = (str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    defaults = Worker.__init__.__kwdefaults__
    assert defaults is not None
    defaults["module"] = "other_build"


nursery._run = _run

if __name__ == "__main__":
    nursery.main()
