"""The child of `Worker`: jobs come on standard input, a JSON line each, answers go to standard output."""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from jepanet.errors import Exit, JepanetError
from jepanet.lifetime import die_with_parent
from jepanet.log_stream import make_errors_patient


def main(module: str) -> None:
    """Serves jobs of one module until standard input ends; exit status `WORKER` if it cannot be imported."""
    die_with_parent()
    # Libraries that print must not break the protocol: file descriptor 1 becomes standard error.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.stdout = make_errors_patient()  # nor may a log that nobody reads hold up a job
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, requests), daemon=True).start()
    try:
        importlib.import_module(module)
    except ImportError:
        traceback.print_exc()
        sys.exit(int(Exit.WORKER))
    while True:
        request = json.loads(requests.get())
        _send(replies, {"id": request["id"], **_answer(module, request, replies)})


def _read(source: TextIO, requests: queue.SimpleQueue[str]) -> None:
    for line in source:
        requests.put(line)
    os._exit(0)  # the node is gone, also in the middle of a job


def _answer(allowed: str, request: Mapping[str, Any], replies: TextIO) -> dict[str, Any]:
    def progress(fields: Mapping[str, Any]) -> None:
        _send(replies, {"id": request["id"], "progress": dict(fields)})

    try:
        module, _, function = str(request["job"]).partition(":")
        if module != allowed:
            raise ValueError(f"{request['job']!r} is not a job")
        job: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), function)
        result = job(request["arguments"], progress)
        json.dumps(result)  # one without a JSON form is a defect of the job and must not end the child
        return {"result": result}
    except JepanetError as error:
        kind = next(base.__name__ for base in type(error).__mro__ if base.__module__ == "jepanet.errors")
        fields = {"kind": kind, "message": error.message, "remedy": error.remedy, "code": int(error.code)}
        return {"error": {**fields, "reason": getattr(error, "reason", None)}}
    except Exception as error:
        traceback.print_exc()
        return {"error": {"kind": type(error).__name__, "message": str(error)[:2000]}}


def _send(replies: TextIO, message: Mapping[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


if __name__ == "__main__":
    main(sys.argv[1])
