"""A node starts without computing pairing tables, and whoever wants a pairing still gets the right one."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

_USE = """
import sys
import jepanet.chain
from eth_account import Account
names = ("py_ecc.optimized_bls12_381.optimized_pairing", "py_ecc.bls12_381.bls12_381_pairing")
loaded = [name for name in names if hasattr(sys.modules[name], "__file__")]
assert loaded == [], loaded
sys.setrecursionlimit(100_000)  # what py_ecc's exponentiation needs and a node forbids
from py_ecc.bls import G2ProofOfPossession as bls
signature = bls.Sign(5, b"message")
assert bls.Verify(bls.SkToPk(5), b"message", signature)
assert not bls.Verify(bls.SkToPk(6), b"message", signature)
from py_ecc.bls12_381 import FQ12, G1, G2, multiply, pairing
assert pairing(G2, multiply(G1, 2)) == pairing(G2, G1) ** 2 != FQ12.one()
print("right")
"""


def test_pairings_are_put_off_and_stay_right() -> None:
    done = subprocess.run([sys.executable, "-c", _USE], capture_output=True, text=True, timeout=200)
    assert done.stdout == "right\n", done.stderr[-800:]
