"""The chain's endpoint within the network: anvil listens on this machine's own loopback only.

    python -m scripts.rehearsing.relay NAMESPACE ADDRESS PORT

Listens at ADDRESS:PORT in the namespace and passes each connection to 127.0.0.1:PORT outside of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from pathlib import Path

from jepanet.lifetime import die_with_parent

_CLONE_NEWNET = 0x40000000
_BYTES = 1 << 16


def listening_in(namespace: str, address: str, port: int) -> socket.socket:
    """A socket that listens there; whoever calls is where it was. A socket stays where it was made."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(str(Path("/run/netns") / namespace), os.O_RDONLY)
    try:
        _enter(there)
        return socket.create_server((address, port), backlog=256)
    finally:
        _enter(here)
        os.close(here)
        os.close(there)


def _enter(descriptor: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


async def relay(server: socket.socket, port: int) -> None:
    """Until cancelled."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    await (await asyncio.start_server(pass_on, sock=server)).serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


def main() -> None:
    die_with_parent(os.getppid())  # a rehearsal that was killed leaves no door to its chain
    namespace, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    server = listening_in(namespace, address, port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(relay(server, port))


if __name__ == "__main__":
    main()
