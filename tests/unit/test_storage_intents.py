"""Transaction intents survive, whatever class carries them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents, StoredIntent

pytestmark = pytest.mark.unit

SENDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
INTENT = StoredIntent(
    key="commit:1",
    sender=SENDER,
    chain_id=31337,
    nonce=4,
    to="0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    data=b"\x01\x02",
    value=10**27,  # wei that no 64-bit integer holds
    gas=90_000,
    max_fee=2**70,
    max_priority_fee=10**9,
    hashes=(b"\xaa" * 32,),
    raws=(b"\x02\xf8",),
    state="sent",
    block_number=None,
    error=None,
    created=1_700_000_000.25,
)


@dataclass(frozen=True)
class Elsewhere:
    """The same fields, defined by somebody else."""

    key: str
    sender: str
    chain_id: int
    nonce: int
    to: str
    data: bytes
    value: int
    gas: int
    max_fee: int
    max_priority_fee: int
    hashes: tuple[bytes, ...]
    raws: tuple[bytes, ...]
    state: str
    block_number: int | None
    error: str | None
    created: float


def test_an_intent_survives_a_restart_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    replaced = replace(
        INTENT,
        hashes=(*INTENT.hashes, b"\xbb" * 32),
        raws=(*INTENT.raws, b""),
        state="mined",
        block_number=12,
    )
    with Journal.open(path) as journal:
        store = JournalIntents(journal, StoredIntent)
        store.put(INTENT)
        assert store.get(INTENT.key) == INTENT
        store.put(replace(INTENT, key="other", nonce=5))
        store.put(replaced)
    with Journal.open(path) as journal:
        store = JournalIntents(journal, StoredIntent)
        assert [intent.key for intent in store.intents(SENDER.lower())] == ["commit:1", "other"]
        assert store.get("commit:1") == replaced
        assert store.get("unknown") is None
        assert store.intents("0x0000000000000000000000000000000000000001") == []


def test_the_callers_own_class_comes_back(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        JournalIntents(journal, StoredIntent).put(INTENT)
        (found,) = JournalIntents(journal, Elsewhere).intents(SENDER)
    assert isinstance(found, Elsewhere)
    assert found.value == 10**27


@pytest.mark.parametrize("change", [{"sender": "0x" + "11" * 20}, {"chain_id": 1}])
def test_a_key_cannot_pass_to_another_sender_or_chain(tmp_path: Path, change: dict[str, object]) -> None:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        store = JournalIntents(journal, StoredIntent)
        store.put(INTENT)
        with pytest.raises(ValueError, match="another sender or chain"):
            store.put(replace(INTENT, **change))  # type: ignore[arg-type]  # one field at a time
        assert store.get(INTENT.key) == INTENT
