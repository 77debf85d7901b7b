"""The contracts' ABIs and bytecode, and calls that are encoded but not sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_hash.auto import keccak

from jepanet.errors import Exit, Fatal
from jepanet.types import Address

CONTRACTS = ("DevToken", "TrainingRounds", "RoundLens")
"""What a deployment file names, and what is called."""


@dataclass(frozen=True, slots=True)
class ContractAbi:
    """One contract as compiled: `entries` is the ABI, `code` the creation code in hex, without arguments.

    `runtime`: what will lie on the chain, in hex; `immutables`: where in it the constructor writes, as (first
    byte, bytes). Where the address of a library belongs, both hold what the compiler writes there.
    """

    name: str
    entries: tuple[Mapping[str, Any], ...]
    code: str
    runtime: str = ""
    immutables: tuple[tuple[int, int], ...] = ()

    @property
    def libraries(self) -> tuple[str, ...]:
        """Names of the libraries whose addresses the code lacks."""
        return tuple(name for name in library_names() if _placeholder(name) in self.code)

    @property
    def size(self) -> int:
        """Bytes on the chain."""
        return len(self.runtime) // 2

    @property
    def link_places(self) -> Mapping[str, tuple[int, ...]]:
        """Library -> the bytes of `runtime` at which its address begins."""
        found = {
            name: tuple(at.start() // 2 for at in re.finditer(re.escape(_placeholder(name)), self.runtime))
            for name in self.libraries
        }
        return {name: places for name, places in found.items() if places}

    @property
    def masked_runtime(self) -> bytes:
        """`runtime` with zeros for the addresses of libraries, as it has them for immutables."""
        code = self.runtime
        for name in self.libraries:
            code = code.replace(_placeholder(name), "0" * 40)
        return bytes.fromhex(code)

    def bytecode(self, libraries: Mapping[str, Address] = MappingProxyType({})) -> bytes:
        """The creation code, linked.

        Raises:
            Fatal: it lacks the address of a library (Exit.INCOMPATIBLE).
        """
        code = self.code
        for name, address in libraries.items():
            code = code.replace(_placeholder(name), address[2:].lower())
        try:
            return bytes.fromhex(code)
        except ValueError as error:
            raise Fatal(
                f"the bytecode of {self.name} is not linked",
                remedy="install a consistent package",
                code=Exit.INCOMPATIBLE,
            ) from error


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
    file = _folder() / f"{name}.json"
    if file.is_file():
        text = file.read_text(encoding="utf-8")
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
    code = str(document["bytecode"]).removeprefix("0x")
    return ContractAbi(
        name=name,
        entries=tuple(document["abi"]),
        code=code,
        runtime=str(document["runtime"]).removeprefix("0x"),
        immutables=tuple((int(start), int(length)) for start, length in document["immutables"]),
    )


@cache
def library_names() -> tuple[str, ...]:
    """Everything exported that is no contract of its own: reached through what is linked with it only."""
    names = {item.name.removesuffix(".json") for item in _folder().iterdir() if item.name.endswith(".json")}
    return tuple(sorted(names - set(CONTRACTS)))


def abi_digest() -> bytes:
    """SHA-256 over everything exported, by name: 32 bytes that tell one state of the contracts from another.

    Raises: Fatal: as `load_abi`.
    """
    state = hashlib.sha256()
    for name in sorted((*CONTRACTS, *library_names())):
        abi = load_abi(name)
        text = json.dumps(
            [name, [dict(entry) for entry in abi.entries], abi.code, abi.runtime], sort_keys=True
        )
        state.update(hashlib.sha256(text.encode()).digest())
    return state.digest()


def _folder() -> Traversable:
    packaged = resources.files("jepanet") / "abi"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[4] / "abi"


def _placeholder(library: str) -> str:
    """What the compiler writes for an address of 20 bytes that it does not know (Solidity's documentation,
    "Library Linking")."""
    digest: bytes = keccak(f"src/rounds/{library}.sol:{library}".encode())
    return f"__${digest.hex()[:34]}$__"
