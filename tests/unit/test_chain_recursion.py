"""A library must not widen Python's recursion limit for us: nested brackets would kill the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.subprocess]

_ATTACK = """
import json
import jepanet.chain.endpoints.failover
try:
    json.loads("[" * 200_000)
except RecursionError:
    print("refused")
"""


def test_nested_brackets_are_an_error_and_not_a_crash() -> None:
    done = subprocess.run([sys.executable, "-c", _ATTACK], capture_output=True, text=True, timeout=120)
    assert done.stdout == "refused\n", done.stderr[-500:]
