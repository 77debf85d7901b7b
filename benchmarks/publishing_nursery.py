"""Forks nodes as `tests/scenario/nursery.py` does, whose workers do the jobs of `publishing_jobs.py`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests" / "scenario"))

import nursery  # noqa: E402

from jepanet.work.worker import Worker  # noqa: E402

if __name__ == "__main__":
    defaults = Worker.__init__.__kwdefaults__
    assert defaults is not None and "module" in defaults
    defaults["module"] = "publishing_jobs"
    # For the workers, which are started anew.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(HERE))))
    nursery.main()
