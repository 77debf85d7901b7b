"""Who may commit in a round that is not open to everybody: a document whose Merkle root is one of its terms.

A solver fetches it, finds itself in it, and shows the contract the path from its account to the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

from jepanet.errors import Rejected
from jepanet.protocol.commitment import listed_leaf, merkle_proof, merkle_root
from jepanet.records.codec import Codec
from jepanet.records.marks import Size
from jepanet.types import Address

VERSION = 1
MAX_LISTED = 1 << 16
"""As many places as a round can have."""
MAX_LIST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class AllowList:
    HEAD: ClassVar = {"version": VERSION}

    accounts: Annotated[tuple[Address, ...], Size(1, MAX_LISTED), "ascending, each once"]

    @property
    def root(self) -> bytes:
        """What `RoundParams.allow_list` is for this list."""
        return merkle_root([listed_leaf(account) for account in self.accounts])

    def proof(self, account: Address) -> tuple[bytes, ...] | None:
        """What `commitListed` wants of an account; None for one that is not listed."""
        if account not in self.accounts:
            return None
        leaves = [listed_leaf(item) for item in self.accounts]
        return merkle_proof(leaves, self.accounts.index(account))


ALLOW_LIST = Codec(AllowList, "allow-list", max_bytes=MAX_LIST_BYTES)


def allow_list_of(accounts: Sequence[Address]) -> AllowList:
    """The list of these accounts, in any order. Raises: Rejected: none, or too many."""
    found = AllowList(tuple(sorted(set(accounts), key=str.lower)))
    encode_allow_list(found)
    return found


def encode_allow_list(listed: AllowList) -> bytes:
    """Canonical JSON of a list. Raises: Rejected: out of bounds or order."""
    _check(listed)
    return ALLOW_LIST.encode(listed)


def decode_allow_list(data: bytes, root: bytes) -> AllowList:
    """A list from untrusted bytes, held against the root in a round's terms.

    Raises:
        Rejected: malformed; or reason `wrong-list`, it is the list of another root.
    """
    listed = ALLOW_LIST.decode(data)
    _check(listed)
    if listed.root != root:
        raise Rejected(
            f"the allow-list has the root {listed.root.hex()}, the round's terms say {root.hex()}",
            reason="wrong-list",
        )
    return listed


def _check(listed: AllowList) -> None:
    if any(a.lower() >= b.lower() for a, b in pairwise(listed.accounts)):
        raise Rejected("allow-list: accounts are not strictly ascending", reason="bad-field")
