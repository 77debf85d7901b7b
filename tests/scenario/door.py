"""Started in place of Python: has a process forked of `warm_processes`, and ends as that one does.

    door.py SOCKET WORD...

The words, the three standard files, environment and folder are the process's; signals that would end this one
go to it. Nothing here that takes time.
"""

import json
import os
import signal
import socket
import sys
import time

PATIENCE = 120.0
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(place: str, words: list[str]) -> int:
    """The exit status of the process, or minus the signal that ended it."""
    call = {
        "words": words,
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109  # pathlib takes time to import
        "held": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    }
    data = json.dumps(call).encode()
    with socket.socket(socket.AF_UNIX) as warm:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                warm.connect(place)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        socket.send_fds(warm, [len(data).to_bytes(8, "big")], [0, 1, 2])
        warm.sendall(data)
        said = warm.makefile("rb")
        behind = int(said.readline())
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: os.kill(behind, number))
        status = said.readline()
    return int(status) if status else 70


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    status = main(sys.argv[1], sys.argv[2:])
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [-status])
        os.kill(os.getpid(), -status)
    sys.exit(status)
