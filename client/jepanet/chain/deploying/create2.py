"""Contracts at addresses that are known beforehand: CREATE2 through a deployer that every chain can have.

An address follows from the deployer, a salt and the creation code with its arguments, so it is the same on
two chains exactly where these are. The deployer is https://github.com/Arachnid/deterministic-deployment-proxy:
it takes the salt and the creation code as its calldata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_hash.auto import keccak
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address

from jepanet.chain.contracts.abi import UnsignedCall, load_abi
from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.refusals import is_revert
from jepanet.chain.endpoints.requests import RpcError
from jepanet.types import Address

DEPLOYER = Address("0x4e59b44847b379578588920cA78FbF26c0B4956C")
"""At this address on every chain that has it."""


@dataclass(frozen=True, slots=True)
class Creation:
    """One contract to create, and where it will be. `code` is the creation code with its arguments."""

    name: str
    code: bytes
    salt: bytes

    @property
    def address(self) -> Address:
        """EIP-1014."""
        digest = keccak(b"\xff" + bytes.fromhex(DEPLOYER[2:]) + self.salt + keccak(self.code))
        return Address(to_checksum_address("0x" + digest[12:].hex()))

    def call(self) -> UnsignedCall:
        """The transaction that creates it."""
        return UnsignedCall(to=DEPLOYER, data=self.salt + self.code, contract=self.name)


def creation(
    name: str, *arguments: object, salt: bytes, libraries: Mapping[str, Address] | None = None
) -> Creation:
    """The creation of a contract of abi/ with its constructor's arguments.

    Raises:
        eth_abi.exceptions.EncodingError: the arguments do not fit the constructor.
        Fatal: a library is missing (Exit.INCOMPATIBLE).
    """
    abi = load_abi(name)
    inputs = [entry["inputs"] for entry in abi.entries if entry.get("type") == "constructor"]
    types = [collapse_if_tuple(item) for item in inputs[0]] if inputs else []
    return Creation(name, abi.bytecode(libraries or {}) + encode(types, arguments), salt)


async def refused(rpc: Rpc, made: Creation, sender: Address) -> None:
    """Runs a constructor without creating anything: the deployer would swallow its reason.

    Raises:
        Rejected: the constructor refuses its arguments; `reason` is the custom error's name.
        Transient: no endpoint answers.
    """
    try:
        await rpc.call({"from": sender, "data": "0x" + made.code.hex()}, "latest")
    except RpcError as error:
        if is_revert(error):
            raise error_decoder().decode(error.data).rejected(f"creation of {made.name}") from error
        raise
