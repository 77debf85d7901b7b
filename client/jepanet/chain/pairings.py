"""Puts off py_ecc's pairing tables until something asks for a pairing, which no part of a node does.

eth_keyfile imports BLS signatures for EIP-2335 validator keystores. While they are imported, py_ecc checks
its curves and computes tables: a third of the time a node takes to start. The stand-ins below load the real
modules at the first call and hand it on.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache, partial
from types import ModuleType

_COSTLY = {
    "py_ecc.optimized_bls12_381.optimized_pairing": ("final_exponentiate", "normalize1", "pairing"),
    "py_ecc.bls12_381.bls12_381_pairing": ("final_exponentiate", "pairing"),
}


def defer() -> None:
    """Call it before eth_keyfile is imported; modules that are loaded already stay as they are."""
    for name, functions in _COSTLY.items():
        sys.modules.setdefault(name, _stand_in(name, functions))


def _stand_in(name: str, functions: Sequence[str]) -> ModuleType:
    module = ModuleType(name)
    for function in functions:
        setattr(module, function, partial(_call, name, function))
    return module


def _call(name: str, function: str, *arguments: object, **named: object) -> object:
    return getattr(_real(name), function)(*arguments, **named)


@cache
def _real(name: str) -> ModuleType:
    sys.modules.pop(name, None)
    return importlib.import_module(name)
