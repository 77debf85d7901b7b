"""Started in place of a worker: has one forked of `warm_workers`, and ends as that one does.

    worker_door.py SOCKET WORD...

The words, the three standard files, environment and folder are the worker's. Nothing here that takes time.
"""

import json
import os
import signal
import socket
import sys
import time

PATIENCE = 120.0


def main(place: str, words: list[str]) -> int:
    """The worker's exit status, or minus the signal that ended it."""
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
        said = warm.makefile("rb").readline()
    return int(said) if said else 70


if __name__ == "__main__":
    status = main(sys.argv[1], sys.argv[2:])
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)
