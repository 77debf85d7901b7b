"""The worker's process: requests come on standard input, a JSON line each, replies go to standard output."""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TextIO

from jepanet.errors import Exit, JepanetError
from jepanet.learning.backbone_file import backbones_in
from jepanet.lifetime import die_with_parent
from jepanet.log_stream import make_errors_patient
from jepanet.work.backbone_places import places
from jepanet.work.lines import failure_line, failure_of, number_of, progress_line, read_call, result_line
from jepanet.work.log_form import log_as_told
from jepanet.work.requests.request import JobTable


def main(module: str) -> None:
    """Serves the requests in `JOBS` of a module until standard input ends.

    Exit status `WORKER` if the module cannot be imported.
    """
    die_with_parent()
    # Libraries that print must not break the protocol: file descriptor 1 becomes standard error.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = make_errors_patient()  # nor may a log that nobody reads hold up a job
    log_as_told()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, requests), daemon=True).start()
    try:
        jobs: JobTable = importlib.import_module(module).JOBS
    except (ImportError, AttributeError):
        traceback.print_exc()
        sys.exit(int(Exit.WORKER))

    def send(line: bytes) -> None:
        replies.write(line)
        replies.flush()

    with backbones_in(places()):
        while True:
            line = requests.get()
            send(_answer(jobs, line, send))


def _read(source: TextIO, requests: queue.SimpleQueue[str]) -> None:
    for line in source:
        requests.put(line)
    os._exit(0)  # the node is gone, also in the middle of a job


def _answer(jobs: JobTable, line: str, send: Callable[[bytes], None]) -> bytes:
    """The last line about a call: its result, or why there is none."""
    number = number_of(line)
    try:
        request = read_call(line, jobs)
        result = jobs[type(request)](request, lambda progress: send(progress_line(number, progress)))
        return result_line(number, request, result)  # one that no line can hold is a defect like any other
    except JepanetError as error:
        return failure_line(number, failure_of(error))
    except Exception as error:
        traceback.print_exc()
        return failure_line(number, failure_of(error))


if __name__ == "__main__":
    main(sys.argv[1])
