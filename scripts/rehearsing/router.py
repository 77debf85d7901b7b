"""The middle of the network: carries packets between TUN devices, one in each namespace, and spoils some.

    python -m scripts.rehearsing.router < what to do, one JSON object a line

    {"members": [...], "links": {...}, "seed": N, "chain": NAME}    first; answered when all devices are there
    {"cut": [...], "chain": true}   {"heal": true}   {"counts": true}

Each line is answered by one. The end of standard input ends it, and its devices with it.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import struct
import sys
import time
from dataclasses import asdict
from typing import Any

from scripts.rehearsing import namespaces
from scripts.rehearsing.packets import UnderWay
from scripts.rehearsing.plan import Link

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
_MOST_BYTES = 65_536
_AT_ONCE = 64
"""Packets read from one device before another's turn comes."""


def open_device(name: str) -> int:
    """A TUN device of this name; it lasts as long as the descriptor, wherever it is moved."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


def target_of(packet: bytes, numbers: dict[bytes, int]) -> int | None:
    """The number of whom an IPv4 packet is for; None for all else that machines say of themselves."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    return numbers.get(packet[16:20])


class Router:
    """Owns the devices."""

    def __init__(self, said: dict[str, Any]) -> None:
        names = list(said["members"])
        links = {name: Link(**link) for name, link in said["links"].items()}
        self.under_way = UnderWay(names, links, int(said["seed"]), names.index(said["chain"]))
        self.devices, self.numbers = [], dict[bytes, int]()
        for number, (name, address) in enumerate(namespaces.members_of(names).items()):
            self.devices.append(open_device(f"jepr{number}"))
            namespaces.take_in(name, f"jepr{number}", address)
            self.numbers[bytes(map(int, address.split(".")))] = number

    def run(self) -> None:
        """Until standard input ends."""
        selector = selectors.DefaultSelector()
        for number, device in enumerate(self.devices):
            selector.register(device, selectors.EVENT_READ, number)
        selector.register(0, selectors.EVENT_READ, -1)
        under_way, buffer = self.under_way, b""
        while True:
            due = under_way.next_due()
            wait = None if due is None else max(0.0, due - time.monotonic())
            for key, _ in selector.select(wait):
                if key.data >= 0:
                    self._read(key.data)
                    continue
                data = os.read(0, 65_536)
                if not data:
                    return
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    say(self.obey(json.loads(line)))
            for target, packet in under_way.due(time.monotonic()):
                try:
                    os.write(self.devices[target], packet)
                except OSError:  # the device is down or full: lost, as on any network
                    under_way.counts[target].lost += 1

    def _read(self, number: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(self.devices[number], _MOST_BYTES)
            except BlockingIOError:
                return
            target = target_of(packet, self.numbers)
            if target is not None:
                self.under_way.put(packet, number, target, time.monotonic())

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        if "cut" in order:
            self.under_way.cut(order["cut"], chain=bool(order["chain"]))
        elif "heal" in order:
            self.under_way.heal()
        return {
            name: asdict(count)
            for name, count in zip(self.under_way.names, self.under_way.counts, strict=True)
        }


def say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    first = b""
    while not first.endswith(b"\n"):  # byte by byte: what follows is the loop's
        read = os.read(0, 1)
        if not read:
            return
        first += read
    router = Router(json.loads(first))
    say({"ready": len(router.devices)})
    router.run()


if __name__ == "__main__":
    main()
