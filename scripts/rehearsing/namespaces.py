"""Network namespaces by `ip netns`: made, entered, and cleaned away whoever left them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.demonstration.cast import DemoFailed

PREFIX = "jepanet-rehearsal-"
_PATIENCE = 10.0


def require() -> None:
    """Raises: DemoFailed: this user or machine cannot make namespaces."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        raise DemoFailed("a rehearsal needs Linux with `ip` of iproute2: install the package iproute2")
    if os.geteuid() != 0:
        raise DemoFailed(
            "a rehearsal makes network namespaces, which takes root: run it as `sudo -E scripts/rehearsal` "
            "on a machine for tests, or play rounds without bad links by `scripts/demo`"
        )
    if not Path("/dev/net/tun").exists():
        raise DemoFailed("/dev/net/tun is missing: load the module tun, or give the container that device")


def namespace(member: str) -> str:
    return PREFIX + member


def within(member: str) -> tuple[str, ...]:
    """What stands before a command that runs in a member's namespace."""
    return ("ip", "netns", "exec", namespace(member))


def existing() -> list[str]:
    """Members whose namespaces are there."""
    shown = _ip("netns", "list")
    names = [line.split()[0] for line in shown.splitlines() if line.strip()]
    return [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]


def require_none() -> None:
    """Raises: DemoFailed: a rehearsal runs on this machine, or one was killed."""
    if existing():
        raise DemoFailed(
            "namespaces of a rehearsal are there: another one runs, or one was killed; "
            "`scripts/rehearsal --clean` ends and removes them"
        )


def make(member: str) -> None:
    _ip("netns", "add", namespace(member))
    _ip("-n", namespace(member), "link", "set", "lo", "up")


def take_in(member: str, device: str, address: str) -> None:
    """Moves a device into a member's namespace, with an address, and all others behind it."""
    name = namespace(member)
    _ip("link", "set", device, "netns", name)
    _ip("-n", name, "addr", "add", f"{address}/24", "dev", device)
    _ip("-n", name, "link", "set", device, "up")


def clean() -> list[str]:
    """Ends every process in the namespaces of any rehearsal, and removes those; returns whose they were."""
    members = existing()
    for member in members:
        _end_processes(member)
        _ip("netns", "delete", namespace(member))
    return members


def _end_processes(member: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    number = signal.SIGTERM
    while found := _ip("netns", "pids", namespace(member)).split():
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        for pid in found:
            try:
                os.kill(int(pid), number)
            except ProcessLookupError:
                continue
        time.sleep(0.2)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"`ip {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def members_of(names: Sequence[str]) -> dict[str, str]:
    """An address for each member, the same whenever the names are."""
    return {name: f"10.77.0.{number + 1}" for number, name in enumerate(names)}
