"""Revert data -> the name of a custom error, from the contracts' ABIs, and its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak
from eth_utils.abi import collapse_if_tuple

from jepanet.chain.contracts.sentences import sentence
from jepanet.errors import Rejected

# What Solidity and OpenZeppelin's tokens and helpers raise and an ABI of ours need not mention
# (https://eips.ethereum.org/EIPS/eip-6093; the token of a deployment is not ours to choose).
STANDARD = (
    "Error(string reason)",
    "Panic(uint256 code)",
    "ERC20InsufficientBalance(address sender,uint256 balance,uint256 needed)",
    "ERC20InsufficientAllowance(address spender,uint256 allowance,uint256 needed)",
    "ERC20InvalidApprover(address approver)",
    "ERC20InvalidReceiver(address receiver)",
    "ERC20InvalidSender(address sender)",
    "ERC20InvalidSpender(address spender)",
    "ERC2612ExpiredSignature(uint256 deadline)",
    "ERC2612InvalidSigner(address signer,address owner)",
    "InvalidAccountNonce(address account,uint256 currentNonce)",
    "SafeERC20FailedOperation(address token)",
    "SafeCastOverflowedUintDowncast(uint8 bits,uint256 value)",
    "SafeCastOverflowedIntDowncast(uint8 bits,int256 value)",
    "ECDSAInvalidSignature()",
    "ECDSAInvalidSignatureLength(uint256 length)",
    "ECDSAInvalidSignatureS(bytes32 s)",
    "ReentrancyGuardReentrantCall()",
    "EnforcedPause()",
    "ExpectedPause()",
    "OwnableUnauthorizedAccount(address account)",
    "OwnableInvalidOwner(address owner)",
    "FailedCall()",
    "AddressEmptyCode(address target)",
)
_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "bad enum value",
    0x32: "index out of bounds",
    0x41: "out of memory",
}


@dataclass(frozen=True, slots=True)
class Revert:
    """A decoded revert. `name` is the error's; `reverted` without data, `unknown-error` if no ABI has it."""

    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        if self.name == "Error":
            return str(self.arguments.get("reason"))
        if self.name == "Panic":
            return f"Panic({_panic(int(self.arguments.get('code', 0)))})"
        shown = ", ".join(f"{name}={_show(value)}" for name, value in self.arguments.items())
        return f"{self.name}({shown})"

    def rejected(self, what: str) -> Rejected:
        """The error to raise for it, in words; `what` is the refused call."""
        arguments = self.arguments
        if self.name == "Panic" and "code" in arguments:
            arguments = {"code": _panic(int(arguments["code"]))}
        says, remedy = sentence(self.name, arguments)
        return Rejected(f"{what} was refused: {says}", reason=self.name, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Shape:
    name: str
    types: tuple[str, ...]
    names: tuple[str, ...]


class ErrorDecoder:
    """Knows every error of the given ABIs, of OpenZeppelin's tokens and Solidity's own two."""

    def __init__(self, abis: Iterable[Iterable[Mapping[str, Any]]]) -> None:
        shapes = [_from_signature(text) for text in STANDARD]
        shapes += [_from_abi(entry) for abi in abis for entry in abi if entry.get("type") == "error"]
        self._shapes = {_selector(shape): shape for shape in shapes}

    def decode(self, data: bytes | None) -> Revert:
        """The error in revert data; never raises."""
        if not data:
            return Revert("reverted", {})
        shape = self._shapes.get(data[:4])
        if shape is None:
            return Revert("unknown-error", {"data": data[:68]})
        try:
            values = decode(list(shape.types), data[4:])
        except (DecodingError, ValueError, OverflowError):
            return Revert(shape.name, {"data": data[4:68]})
        return Revert(shape.name, dict(zip(shape.names, values, strict=True)))


def _selector(shape: _Shape) -> bytes:
    digest: bytes = keccak(f"{shape.name}({','.join(shape.types)})".encode())
    return digest[:4]


def _from_abi(entry: Mapping[str, Any]) -> _Shape:
    inputs = entry["inputs"]
    return _Shape(
        name=entry["name"],
        types=tuple(collapse_if_tuple(item) for item in inputs),
        names=tuple(item["name"] or f"argument{index}" for index, item in enumerate(inputs)),
    )


def _from_signature(text: str) -> _Shape:
    name, inside = text.removesuffix(")").split("(", 1)
    pairs = [item.split(" ") for item in inside.split(",")] if inside else []
    return _Shape(name, tuple(kind for kind, _ in pairs), tuple(label for _, label in pairs))


def _panic(code: int) -> str:
    return f"0x{code:02x}: {_PANICS.get(code, 'compiler-defined')}"


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
