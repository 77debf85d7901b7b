"""The contracts' ABIs and bytecode, and calls that are encoded but not sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jepanet.errors import Exit, Fatal
from jepanet.types import Address

CONTRACTS = ("DevToken", "StakeVault", "VerifierSets", "ProjectRegistry", "TrainingRounds")


@dataclass(frozen=True, slots=True)
class ContractAbi:
    """One contract as compiled: `entries` is the ABI, `bytecode` the creation code without arguments."""

    name: str
    entries: tuple[Mapping[str, Any], ...]
    bytecode: bytes


@dataclass(frozen=True, slots=True)
class UnsignedCall:
    """A transaction nobody has signed. `to` is None for a contract creation; `value` in wei.

    `contract`, `function` and `arguments` say in words what `data` says in bytes, for logs and errors.
    """

    to: Address | None
    data: bytes
    value: int = 0
    contract: str = ""
    function: str = ""
    arguments: tuple[object, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}" if self.function else f"creation of {self.contract}"


@cache
def load_abi(name: str) -> ContractAbi:
    """A contract's ABI: from the installed package, or from the repository's abi/ in a source checkout.

    Raises:
        Fatal: it is in neither place, or is not what the export writes (Exit.INCOMPATIBLE).
    """
    packaged = resources.files("jepanet") / "abi" / f"{name}.json"
    checkout = Path(__file__).resolve().parents[4] / "abi" / f"{name}.json"
    if packaged.is_file():
        text = packaged.read_text(encoding="utf-8")
    elif checkout.is_file():
        text = checkout.read_text(encoding="utf-8")
    else:
        raise Fatal(
            f"the ABI of {name} is missing",
            remedy="reinstall the package; in a source checkout run scripts/export_abi",
            code=Exit.INCOMPATIBLE,
        )
    document = json.loads(text)
    if document.get("contractName") != name:
        raise Fatal(
            f"{name}.json describes {document.get('contractName')}",
            remedy="install the package again",
            code=Exit.INCOMPATIBLE,
        )
    bytecode = bytes.fromhex(str(document["bytecode"]).removeprefix("0x"))
    return ContractAbi(name=name, entries=tuple(document["abi"]), bytecode=bytecode)
