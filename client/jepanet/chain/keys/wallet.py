"""A key in memory: transactions and EIP-712 messages are signed here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.constants import SECPK1_N
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.telemetry import Secret
from jepanet.types import Address

_HALF_ORDER = SECPK1_N // 2


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction ready to broadcast, and the 32-byte hash it will have."""

    raw: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account and its secp256k1 key (32 bytes). eth-account signs through coincurve."""

    address: Address
    key: Secret[bytes]

    @classmethod
    def from_key(cls, key: Secret[bytes]) -> Wallet:
        """The wallet of a private key.

        Raises:
            Fatal: not 32 bytes, or no valid key of the curve (Exit.WALLET).
        """
        raw = key.reveal()
        if len(raw) != 32 or not 0 < int.from_bytes(raw, "big") < SECPK1_N:
            raise Fatal(
                "that is not a private key", remedy="a key has 32 bytes (64 hex digits)", code=Exit.WALLET
            )
        return cls(Address(Account.from_key(raw).address), key)

    def sign_typed(self, typed: Mapping[str, object]) -> bytes:
        """Signs an EIP-712 document {types, primaryType, domain, message}: 65 bytes r, s, v with v 27 or 28.

        Signatures are deterministic (RFC 6979) and low-s (EIP-2).
        """
        signed = Account.sign_message(encode_typed_data(full_message=dict(typed)), self.key.reveal())
        return bytes(signed.signature)

    def sign_transaction(self, fields: Mapping[str, object]) -> SignedTransaction:
        """Signs an EIP-1559 transaction (`chainId, nonce, gas, maxFeePerGas, maxPriorityFeePerGas, ...`)."""
        signed = Account.sign_transaction(dict(fields), self.key.reveal())
        return SignedTransaction(raw=bytes(signed.raw_transaction), hash=bytes(signed.hash))


def recover_typed(typed: Mapping[str, object], signature: bytes) -> Address:
    """Who signed an EIP-712 document. Accepts exactly what OpenZeppelin's ECDSA accepts on chain.

    Raises:
        Rejected: `bad-signature`: not 65 bytes, v not 27 or 28, s in the upper half of the order (a second
            valid signature could be made from it), or no key recovers.
    """
    if len(signature) != 65:
        raise Rejected(f"a signature has 65 bytes, not {len(signature)}", reason="bad-signature")
    if signature[64] not in (27, 28):
        raise Rejected(f"v of a signature is 27 or 28, not {signature[64]}", reason="bad-signature")
    if not 0 < int.from_bytes(signature[32:64], "big") <= _HALF_ORDER:
        raise Rejected("s of a signature lies in the lower half of the order", reason="bad-signature")
    message: SignableMessage = encode_typed_data(full_message=dict(typed))
    try:
        return Address(Account.recover_message(message, signature=signature))
    except (BadSignature, ValidationError, ValueError) as error:
        raise Rejected("no key recovers from the signature", reason="bad-signature") from error
