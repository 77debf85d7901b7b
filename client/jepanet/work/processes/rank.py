"""One of several processes that work together; torchrun's process manager starts them (`ranks.py`).

    python -m jepanet.work.processes.rank FOLDER

FOLDER is what they share: what to do, what came of it, and why one failed. RANK and WORLD_SIZE say which of
them this is, as torchrun's processes are told.
"""

from __future__ import annotations

# What takes time is imported later: a process that is told to end while it imports is to end.
import os
import signal
import sys
from pathlib import Path

from jepanet.lifetime import die_with_parent, follow_pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Part = Callable[[Path, int, int], None]
    """(folder, rank, how many there are): does one process' part."""


def main(folder: Path, load: Callable[[], Part]) -> None:
    """Does this process' part, which `load` imports. Exit status 1 where it failed: FOLDER then says why."""
    # The worker holds signals back; this process ends when another of them fails, or the worker does.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    die_with_parent()
    follow_pipe(folder / "alive")
    from jepanet.log_stream import make_errors_patient
    from jepanet.work.log_form import log_as_told

    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    sys.stdout = make_errors_patient()
    log_as_told(errors_alone=rank > 0)
    try:
        from jepanet.learning.backbone_file import backbones_in
        from jepanet.work.backbone_places import places

        with backbones_in(places()):
            load()(folder, rank, count)
    except Exception as error:
        import traceback

        from jepanet.errors import JepanetError
        from jepanet.files import write_atomically
        from jepanet.work.lines import failure_line, failure_of

        if not isinstance(error, JepanetError):
            traceback.print_exc()
        write_atomically(folder / f"failure-{rank}.json", failure_line(rank, failure_of(error)))
        sys.stderr.flush()
        os._exit(1)  # not by way of destructors, which may wait for processes that are gone
    # Nor here: what it made is on the disk, and a thread of the others' connection may abort the way out.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _training() -> Part:
    from jepanet.work.processes.part import train_part

    return train_part


if __name__ == "__main__":
    main(Path(sys.argv[1]), _training)
